"""Listings, funding, accounts and samples: facts from outside, recorded when they say something new."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.codec import encode
from domain.ladder import ladder
from domain.listing import listing
from domain.quantity import Num
from domain.venue import FeeRates, InstrumentReport, MarginTier
from tests.support.desk import Desk, reason, tags
from tests.support.given import START_US, a_policy


def a_report(**changes: Any) -> InstrumentReport:
    said: dict[str, Any] = {
        "venue": "binanceusdm",
        "symbol": "ETH/USDT:USDT",
        "base": "ETH",
        "quote": "USDT",
        "settle": "USDT",
        "tick": Decimal("0.01"),
        "step": Decimal("0.001"),
        "quantity_min": Decimal("0.001"),
        "quantity_max": Decimal(10_000),
        "notional_min": Decimal(20),
        "market_id": "ETHUSDT",
        "funding_interval_ms": 28_800_000,
        "margin_tiers": (
            MarginTier(notional_from=Decimal(0), maintenance_rate=Decimal("0.004"), leverage_max=Decimal(125)),
        ),
    }
    return InstrumentReport(**(said | changes))


def observe(desk: Desk, *, taker: str = "0.0005", at_us: int = START_US, **changes: Any) -> list[str]:
    report = a_report(**changes)
    fees = FeeRates(venue=report.venue, symbol=report.symbol, maker=Decimal("0.0002"), taker=Decimal(taker))
    decision = desk.do("instrument.observe", {"listing": listing(report, fees), "at_us": at_us})
    return [decision.outcome.reason] if decision.outcome.reason else tags(decision.events)


class TestListings:
    def test_it_is_listed_once_and_changes_say_what_changed(self):
        desk = Desk()
        assert observe(desk) == ["instrument.listed"]
        assert observe(desk) == []
        assert observe(desk, taker="0.0004", funding_interval_ms=14_400_000) == ["instrument.changed"]
        changed: Any = desk.events[-1]
        assert changed.changed == ("funding_interval_ms", "taker_fee")
        assert changed.originator == desk.events[-2].originator
        held = desk.book.outside.listings["binanceusdm|ETH/USDT:USDT"]
        assert (held.funding_interval_ms, str(held.taker_fee)) == (14_400_000, "0.0004")
        assert str(held.margin_tiers[0].leverage_max) == "125"

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"kind": "inverse"}, "kind"),
            ({"base": "BTC"}, "base"),
            ({"quote": "USDC"}, "quote"),
            ({"contract_size": Decimal("0.1")}, "contract_size"),
            ({"step": Decimal("0.01")}, "lot"),
            ({"tick": Decimal("0.1")}, "tick"),
            ({"quantity_min": Decimal("0.01")}, "minimum_quantity"),
            ({"notional_min": Decimal(100)}, "minimum_notional"),
        ],
    )
    def test_what_contradicts_the_policy_is_suspended_until_it_fits(self, change: dict[str, Any], named: str):
        desk = Desk()
        assert observe(desk, **change) == ["instrument.listed", "instrument.suspended"]
        suspended: Any = desk.events[-1]
        assert suspended.text.endswith(f" {named}")
        assert suspended.law.value == "reference_data"
        assert observe(desk, **change) == []
        assert reason(desk.quote("1.5")) == "INSTRUMENT_SUSPENDED"
        body = {"scope": "instrument:binanceusdm|ETH/USDT:USDT", "law": "stale", "text": "", "at_us": START_US}
        assert desk.do("market.resume", body).events == ()
        assert observe(desk) == ["instrument.changed", "instrument.resumed"]
        assert reason(desk.quote("1.5")) == ""

    def test_a_coarser_policy_fits_and_what_is_not_traded_is_only_listed(self):
        desk = Desk()
        finer: dict[str, Any] = {"step": Decimal("0.0001"), "tick": Decimal("0.005"), "notional_min": Decimal(5)}
        assert observe(desk, **finer) == ["instrument.listed"]
        assert observe(desk, symbol="DOGE/USDT:USDT", base="DOGE") == ["instrument.listed"]

    @pytest.mark.parametrize(
        "change",
        [
            {"venue": ""},
            {"symbol": ""},
            {"symbol": "a|b"},
            {"venue": "x" * 65},
            {"venue": "a\n"},
            {"tick": Decimal(0)},
            {"step": Decimal(0)},
            {"contract_size": Decimal(0)},
            {"margin_tiers": a_report().margin_tiers * 65},
        ],
    )
    def test_what_is_no_listing_is_refused(self, change: dict[str, Any]):
        assert observe(Desk(), **change) == ["VALUE_INVALID"]

    def test_they_are_bounded(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("commands.listing.LISTINGS_MAX", 1)
        desk = Desk()
        assert observe(desk) == ["instrument.listed"]
        assert observe(desk, symbol="BTC/USDT:USDT") == ["VALUE_INVALID"]
        assert observe(desk, taker="0.0004") == ["instrument.changed"]


def pay(desk: Desk, number: str, amount: str = "1.25", **changes: Any) -> list[str]:
    body = {
        "venue": "binanceusdm",
        "account": "main",
        "symbol": "ETH/USDT:USDT",
        "payment_id": number,
        "asset": "USDT",
        "amount": amount,
        "paid_at_us": START_US,
    }
    decision = desk.do("funding.record", body | changes)
    return [decision.outcome.reason] if decision.outcome.reason else tags(decision.events)


class TestFunding:
    def test_payments_sum_up_by_instrument_and_asset(self):
        desk = Desk()
        assert pay(desk, "1") == pay(desk, "2", "-0.5") == pay(desk, "3", "7", asset="BNB") == ["funding.paid"]
        key = "binanceusdm|main|ETH/USDT:USDT"
        assert desk.book.outside.funding == {f"{key}|USDT": Num("0.75"), f"{key}|BNB": Num(7)}

    def test_each_is_a_stream_of_one(self):
        desk = Desk()
        pay(desk, "1")
        event = desk.events[-1]
        assert event.originator not in desk.book.versions
        assert desk.book.next_version(event) == 1

    def test_what_names_nothing_is_refused_and_sums_are_bounded(self, monkeypatch: pytest.MonkeyPatch):
        desk = Desk()
        for name in ("venue", "account", "symbol", "payment_id", "asset"):
            assert pay(desk, "1", **{name: ""}) == ["VALUE_INVALID"]
        assert pay(desk, "1\n") == pay(desk, "x" * 129) == ["VALUE_INVALID"]
        monkeypatch.setattr("commands.funding.FUNDINGS_MAX", 1)
        assert pay(desk, "1") == ["funding.paid"]
        assert pay(desk, "2", asset="BNB") == ["VALUE_INVALID"]
        assert pay(desk, "2") == ["funding.paid"]


def a_balance(asset: str = "USDT", wallet: str = "1000", margin: str = "1001") -> dict[str, str]:
    rest = {"available": "900", "initial_margin": "100", "maintenance_margin": "50"}
    return {"asset": asset, "wallet": wallet, "margin": margin} | rest


def a_holding(symbol: str = "ETH/USDT:USDT", quantity: str = "-1", mark: str = "2000") -> dict[str, str]:
    prices = {"entry_price": "2001", "mark_price": mark, "unrealised": "1", "liquidation_price": "0"}
    return {"symbol": symbol, "quantity": quantity, "initial_margin": "100", "maintenance_margin": "50"} | prices


def sweep(desk: Desk, later_s: int, *, venue: str = "binanceusdm", **changes: Any) -> list[str]:
    body = {
        "venue": venue,
        "account": "main",
        "balances": [a_balance()],
        "positions": [a_holding()],
        "observed_at_us": START_US + later_s * 1_000_000,
    }
    decision = desk.do("account.observe", body | changes)
    return [decision.outcome.reason] if decision.outcome.reason else tags(decision.events)


class TestAccounts:
    def test_it_is_recorded_when_it_changed_and_now_and_then(self):
        desk = Desk()
        assert sweep(desk, 0) == ["account.observed"]
        assert sweep(desk, 59, positions=[a_holding(mark="2010")]) == []
        assert sweep(desk, 60, positions=[a_holding(mark="2010")]) == ["account.observed"]
        assert sweep(desk, 61, positions=[a_holding(quantity="-2")]) == ["account.observed"]
        assert sweep(desk, 62, positions=[a_holding(quantity="-2")], balances=[a_balance(wallet="1")]) == [
            "account.observed"
        ]
        assert sweep(desk, 61) == []
        held = desk.book.outside.accounts["binanceusdm|main"]
        assert (str(held.positions[0].quantity), str(held.balances[0].wallet)) == ("-2", "1")

    def test_the_order_of_lines_says_nothing(self):
        desk = Desk()
        lines = [a_balance("USDT"), a_balance("BNB")]
        assert sweep(desk, 0, balances=lines) == ["account.observed"]
        assert sweep(desk, 1, balances=lines[::-1]) == []

    @pytest.mark.parametrize(
        "change",
        [
            {"venue": ""},
            {"account": "a|b"},
            {"account": "a\n"},
            {"account": "x" * 65},
            {"balances": [a_balance(), a_balance()]},
            {"positions": [a_holding(), a_holding()]},
            {"balances": [a_balance(str(number)) for number in range(257)]},
            {"positions": [a_holding(str(number)) for number in range(257)]},
        ],
    )
    def test_what_is_no_account_is_refused(self, change: dict[str, Any]):
        assert sweep(Desk(), 0, **change) == ["VALUE_INVALID"]

    def test_accounts_are_bounded(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("commands.account.ACCOUNTS_MAX", 1)
        desk = Desk()
        assert sweep(desk, 0) == ["account.observed"]
        assert sweep(desk, 0, venue="okx") == ["VALUE_INVALID"]
        assert sweep(desk, 60) == ["account.observed"]


class TestSamples:
    def sample(self, desk: Desk, later_ms: int, **changes: Any) -> list[str]:
        pair = desk.book.pair("WETH/USDe")
        assert pair is not None
        at_us = START_US + later_ms * 1_000
        shown = ladder(desk.book, pair, desk.evidence, desk.witnesses, at_us)
        document = msgspec.json.decode(encode(shown)) | changes
        decision = desk.do("indicative.sample", {"ladder": document, "at_us": at_us})
        return [decision.outcome.reason] if decision.outcome.reason else tags(decision.events)

    def test_a_pair_is_sampled_at_most_once_a_second(self):
        desk = Desk()
        assert self.sample(desk, 0) == ["indicative.sampled"]
        sampled: Any = desk.events[-1]
        assert (sampled.ladder.pair, len(sampled.ladder.mint)) == ("WETH/USDe", 6)
        assert str(sampled.ladder.mint[0].decomposition.reference) == "2000.05"
        assert self.sample(desk, 999) == []
        assert self.sample(desk, 1_000) == ["indicative.sampled"]
        assert desk.book.outside.sampled_us == {"WETH/USDe": START_US + 1_000_000}

    def test_what_is_no_ladder_of_ours_is_refused(self):
        desk = Desk()
        assert self.sample(desk, 0, pair="DOGE/USDe") == ["UNKNOWN_SUBJECT"]
        assert self.sample(desk, 0, pair="weth/usde") == ["UNKNOWN_SUBJECT"]
        many: Any = self.steps(desk) * 3
        assert self.sample(desk, 0, mint=many) == ["VALUE_INVALID"]
        assert self.sample(desk, 0, redeem=many) == ["VALUE_INVALID"]

    def steps(self, desk: Desk) -> list[Any]:
        pair = desk.book.pair("WETH/USDe")
        assert pair is not None
        shown = ladder(desk.book, pair, desk.evidence, desk.witnesses, START_US)
        return msgspec.json.decode(encode(shown))["mint"]


def test_an_inverse_contract_cannot_be_adopted_for_trading():
    inverse = msgspec.structs.replace(a_policy().instruments[0], kind="inverse", symbol="ETH/USD:ETH")
    policy = a_policy(instruments=(*a_policy().instruments, inverse))
    desk = Desk()
    assert reason(desk.do("policy.adopt", {"policy": policy}, actor="system")) == "VALUE_INVALID"
    assert a_policy().valued == ("ETH", "USDT")
