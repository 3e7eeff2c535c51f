"""What surveillance reports stands in the way of every decision that rests on it, until it comes back."""

from typing import Any

import msgspec
import pytest

from domain.ladder import ladder
from domain.quantity import Num
from tests.support.desk import Desk, reason, tags
from tests.support.given import START_US, a_book, a_policy, a_witness, agreeing, an_oracle, pegged
from tests.support.venues import VENUES, WideDesk

ETH = "instrument:binanceusdm|ETH/USDT:USDT"


def suspend(desk: Desk, scope: str, law: str = "stale", at_us: int = START_US) -> list[str]:
    body = {"scope": scope, "law": law, "text": "too old", "at_us": at_us}
    decision = desk.do("market.suspend", body)
    return [decision.outcome.reason] if decision.outcome.reason else tags(decision.events)


def resume(desk: Desk, scope: str, at_us: int = START_US + 3_000_000) -> list[str]:
    body = {"scope": scope, "law": "stale", "text": "sound for 3000 ms", "at_us": at_us}
    decision = desk.do("market.resume", body)
    return [decision.outcome.reason] if decision.outcome.reason else tags(decision.events)


@pytest.mark.parametrize(
    ("scope", "subject"),
    [(ETH, "instrument"), ("venue:bybit", "venue"), ("oracle:pyth", "oracle"), ("asset:USDT", "asset")],
)
def test_a_scope_is_suspended_once_and_comes_back_once(scope: str, subject: str):
    desk = Desk()
    assert resume(desk, scope) == []
    assert suspend(desk, scope) == [f"{subject}.suspended"]
    assert suspend(desk, scope) == []
    held = desk.book.outside.suspended[scope]
    assert (held.scope, held.law.value, held.text, held.since_us) == (scope, "stale", "too old", START_US)
    assert resume(desk, scope, START_US - 1) == []
    assert resume(desk, scope) == [f"{subject}.resumed"]
    assert desk.book.outside.suspended == {}
    suspended, resumed = desk.events[-2:]
    assert suspended.originator == resumed.originator


@pytest.mark.parametrize(
    ("scope", "law", "told"),
    [
        ("bybit", "stale", "SCOPE_INVALID"),
        ("person:ada", "stale", "SCOPE_INVALID"),
        ("venue:", "stale", "SCOPE_INVALID"),
        ("venue:a|b", "stale", "SCOPE_INVALID"),
        ("venue:a\nb", "stale", "SCOPE_INVALID"),
        ("instrument:binanceusdm", "stale", "SCOPE_INVALID"),
        ("instrument:|ETH", "stale", "SCOPE_INVALID"),
        ("venue:" + "x" * 128, "stale", "VALUE_INVALID"),
        (ETH, "reference_data", "VALUE_INVALID"),
    ],
)
def test_what_is_no_report_is_refused(scope: str, law: str, told: str):
    desk = Desk()
    assert suspend(desk, scope, law) == [told]
    body = {"scope": scope, "law": law, "text": "", "at_us": START_US}
    assert reason(desk.do("market.resume", body)) == told


def test_scopes_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("commands.market.SUSPENDED_MAX", 1)
    desk = Desk()
    assert suspend(desk, "venue:a") == ["venue.suspended"]
    assert suspend(desk, "venue:b") == ["SCOPE_INVALID"]


class TestAlerts:
    """What tells of a suspension is over when it is."""

    def raised(self, desk: Desk, number: int, *, area: str = "market", subject: str = "venue:bybit") -> list[str]:
        body = {
            "alert_id": f"00000000-0000-0000-0000-00000000000{number}",
            "severity": "critical",
            "area": area,
            "subject": subject,
            "text": "",
            "cause_position": 1,
        }
        return tags(desk.do("alert.raise", body).events)

    def test_it_is_resolved_on_resume(self):
        desk = Desk()
        suspend(desk, "venue:bybit")
        suspend(desk, "venue:okx")
        assert self.raised(desk, 1) == ["alert.raised"]
        assert self.raised(desk, 2, subject="venue:okx") == ["alert.raised"]
        assert self.raised(desk, 3, area="order") == ["alert.raised"]
        assert resume(desk, "venue:bybit") == ["venue.resumed", "alert.resolved"]
        assert len(desk.book.alerts) == 2

    def test_one_that_comes_too_late_is_told_and_over_at_once(self):
        desk = Desk()
        assert self.raised(desk, 1) == ["alert.raised", "alert.resolved"]
        assert desk.book.alerts == {}


class TestQuotes:
    """A quote is refused for the first thing in its way."""

    LADDER = (
        ("venue:binanceusdm", "VENUE_SUSPENDED"),
        (ETH, "INSTRUMENT_SUSPENDED"),
        ("asset:ETH", "ASSET_SUSPENDED"),
    )

    @pytest.mark.parametrize("side", ["MINT", "REDEEM"])
    def test_in_the_order_of_reasons(self, side: str):
        desk = Desk()
        for scope, _ in self.LADDER:
            suspend(desk, scope, "quorum")
        suspend(desk, "asset:USDT", "depeg")
        told: list[str] = []
        for scope, wanted in self.LADDER:
            told.append(wanted)
            assert reason(desk.quote("1500", side=side)) == wanted
            resume(desk, scope)
        assert reason(desk.quote("1500" if side == "REDEEM" else "1.5", side=side)) == (
            "ASSET_DEPEGGED" if side == "MINT" else ""
        )

    def test_nothing_is_minted_against_a_stable_that_lost_its_peg(self):
        desk = Desk()
        suspend(desk, "asset:USDT", "depeg")
        assert reason(desk.quote("100", pair="USDT/USDe")) == "ASSET_DEPEGGED"
        assert reason(desk.quote("100", pair="USDT/USDe", side="REDEEM")) == ""
        resume(desk, "asset:USDT")
        assert reason(desk.quote("100", pair="USDT/USDe")) == ""

    def test_what_lost_its_peg_or_its_quorum_since_the_quote_is_not_accepted(self):
        desk = Desk()
        quote = desk.quote("1.5")
        desk.heard = (*agreeing(a_book(), peg="0.979")[:5], *pegged("0.979"))
        assert reason(desk.accept(quote)) == "ASSET_DEPEGGED"
        desk.heard = agreeing(a_book())[:1]
        assert reason(desk.accept(quote, nonce=2)) == "QUORUM_MISSING"
        desk.heard = None
        assert reason(desk.accept(quote, nonce=3)) == ""

    def test_a_stable_without_a_price_is_neither_taken_nor_given(self):
        desk = Desk()
        suspend(desk, "asset:USDT", "quorum")
        assert reason(desk.quote("100", pair="USDT/USDe")) == "ASSET_SUSPENDED"
        assert reason(desk.quote("100", pair="USDT/USDe", side="REDEEM")) == "ASSET_SUSPENDED"

    def test_the_evidence_is_judged_even_if_surveillance_has_not_looked(self):
        desk = Desk()
        desk.heard = (*agreeing(a_book(), peg="0.979")[:5], *pegged("0.979"))
        assert reason(desk.quote("1.5")) == "ASSET_DEPEGGED"
        assert reason(desk.quote("3000", side="REDEEM")) == ""
        assert reason(desk.quote("100", pair="USDT/USDe")) == "ASSET_DEPEGGED"
        desk.heard = ()
        assert reason(desk.quote("1.5")) == "QUORUM_MISSING"
        assert reason(desk.quote("100", pair="USDT/USDe")) == "QUORUM_MISSING"
        far = (a_witness("bybit", "2100"), a_witness("okx", "2100"), a_witness("deribit", "2100"))
        oracles = (an_oracle("pyth", "2100"), an_oracle("redstone", "2100"))
        desk.heard = (a_witness("binanceusdm"), *far, *oracles, *pegged())
        assert reason(desk.quote("1.5")) == "HEDGE_UNVOUCHED"

    def test_a_stable_counts_at_market_at_its_worse_end(self):
        desk = Desk()
        stable = msgspec.structs.replace(an_oracle("pyth", "1", "USDT"), bid=Num("0.9985"), ask=Num("0.9995"))
        desk.heard = (*agreeing(a_book(), peg="0.999")[:5], stable)
        mint: Any = desk.quote("1.5").events[0]
        # 3000 USDT at 0.9985, less 12 bps, less 0.5 of gas.
        assert mint.issued.atoms == int((Num(3000) * Num("0.9985") * Num("0.9988") - Num("0.5")) * 10**18)
        assert (str(mint.decomposition.stable_price), str(mint.decomposition.stable_cost_bps)) == ("0.9985", "5.0051")
        assert str(mint.decomposition.reference) == str(Num("2000.05") * Num("0.999"))
        redeem: Any = desk.quote("3000", side="REDEEM").events[0]
        bought = Num("2999.5") * Num("0.9988") / Num("0.9995") / Num("2000.1")
        assert abs(redeem.collateral.atoms - int(bought * 10**18)) <= 10
        held: Any = desk.quote("100", pair="USDT/USDe").events[0]
        assert held.issued.atoms == int((Num("99.85") - Num("0.5")) * 10**18)
        back: Any = desk.quote("100", pair="USDT/USDe", side="REDEEM").events[0]
        assert back.collateral.atoms == 99_500_000  # never better than par

    def test_a_hedge_that_is_paid_in_dollars_needs_no_stable(self):
        instrument = msgspec.structs.replace(a_policy().instruments[0], quote="USD")
        desk = Desk(policy=a_policy(instruments=(instrument,)))
        venues = tuple(a_witness(name, quote="USD") for name in ("binanceusdm", "bybit"))
        desk.heard = (*venues, an_oracle())
        quote: Any = desk.quote("1.5").events[0]
        assert quote.issued.atoms == 2_995_900_000_000_000_000_000
        assert len(quote.sources) == 3

    def test_a_hedge_whose_stable_nobody_vouches_for_is_not_begun(self):
        desk = Desk(policy=a_policy())
        usd = tuple(a_witness(name, quote="USD") for name in ("binanceusdm", "bybit", "okx"))
        desk.heard = (*usd, an_oracle())
        assert reason(desk.quote("1.5")) == "QUORUM_MISSING"


def test_the_ladder_says_why_a_side_is_empty():
    desk = Desk()

    def shown() -> tuple[str, str, str, int, int]:
        pair = desk.book.pair("WETH/USDe")
        assert pair is not None
        seen = ladder(desk.book, pair, desk.evidence, desk.witnesses, START_US)
        return seen.reason, seen.mint_reason, seen.redeem_reason, len(seen.mint), len(seen.redeem)

    assert shown() == ("", "", "", 6, 6)
    suspend(desk, "asset:USDT", "depeg")
    assert shown() == ("ASSET_DEPEGGED", "ASSET_DEPEGGED", "", 0, 6)
    suspend(desk, ETH)
    assert shown() == ("INSTRUMENT_SUSPENDED", "INSTRUMENT_SUSPENDED", "INSTRUMENT_SUSPENDED", 0, 0)
    resume(desk, ETH)
    resume(desk, "asset:USDT")
    desk.heard = ()
    assert shown() == ("QUORUM_MISSING", "QUORUM_MISSING", "QUORUM_MISSING", 0, 0)


class TestHedges:
    """What is owed waits for data that can be believed, and a person is told once in a while."""

    def begun(self) -> Desk:
        desk = Desk()
        desk.accept(desk.quote("1.5"))
        desk.trade(desk.order(), "1")
        return desk

    def test_a_hedge_waits_for_its_venue_and_pages(self):
        desk = self.begun()
        suspend(desk, "venue:binanceusdm")
        (refused,) = desk.wake(250)
        assert (reason(refused), tags(refused.events)) == ("VENUE_SUSPENDED", ["control.refused"])
        told: Any = refused.events[0]
        assert (told.control, told.scope, told.command_kind) == ("market_data", "venue:binanceusdm", "hedge.continue")
        (refused,) = desk.wake(250)
        assert (reason(refused), refused.events) == ("VENUE_SUSPENDED", ())
        resume(desk, "venue:binanceusdm")
        (sent,) = desk.wake(500)
        assert "order.attempted" in tags(sent.events)

    def test_it_is_told_again_after_a_minute(self):
        desk = self.begun()
        suspend(desk, ETH)
        pages = 0
        for _ in range(12):
            pages += sum(len(fired.events) for fired in desk.wake(30_000))
        assert 5 <= pages <= 7

    def test_a_depegged_stable_alone_does_not_hold_up_what_is_owed(self):
        desk = self.begun()
        suspend(desk, "asset:USDT", "depeg")
        (sent,) = desk.wake(250)
        assert "order.attempted" in tags(sent.events)

    def test_no_quorum_no_order(self):
        desk = self.begun()
        desk.heard = pegged()
        (refused,) = desk.wake(250)
        assert reason(refused) == "QUORUM_MISSING"


class TestKeptEvidence:
    """What is kept with a command is what its pair needs, and no more."""

    def kept(self, desk: Desk, kind: str, body: object) -> tuple[int, list[str]]:
        decision = desk.do(kind, body)
        names = [f"{witness.source} {witness.symbol}" for witness in decision.envelope.witnesses]
        return len(decision.envelope.evidence), names

    def test_a_quote_keeps_its_own(self):
        desk = Desk()
        other = msgspec.structs.replace(a_book(), symbol="BTC/USDT:USDT")
        desk.evidence = (other, a_book())
        btc = an_oracle("pyth", "60000", "BTC")
        usdc = an_oracle("pyth", "1", "USDC")
        desk.heard = (btc, a_witness("binanceusdm"), a_witness("bybit"), an_oracle(), usdc, *pegged())
        body = {"pair": "WETH/USDe", "side": "MINT", "kind": "UI", "size": "1", "benefactor": ""}
        wanted = ["binanceusdm ETH/USDT:USDT", "bybit ETH/USDT:USDT", "pyth ETH/USD"]
        stable = ["pyth USDT/USD", "redstone USDT/USD"]
        assert self.kept(desk, "quote.issue", body) == (1, wanted + stable)
        assert self.kept(desk, "quote.issue", body | {"pair": "USDT/USDe"}) == (0, stable)
        assert self.kept(desk, "quote.issue", body | {"pair": "DOGE/USDe"}) == (0, [])
        desk.book.policy = None
        assert self.kept(desk, "quote.issue", body) == (0, [])

    def test_what_may_trade_on_several_venues_keeps_the_books_of_them_all(self):
        desk = WideDesk()
        foreign = msgspec.structs.replace(a_book(), venue="deribit")
        desk.evidence = (*desk.evidence, foreign)
        quote = desk.quote("1.5")
        assert [each.venue for each in quote.envelope.evidence] == list(VENUES)
        assert desk.accept(quote).envelope.evidence == quote.envelope.evidence

    def test_what_needs_no_market_keeps_none(self):
        desk = Desk()
        assert self.kept(desk, "dependency.degraded", {"dependency": "x", "text": ""}) == (0, [])
        assert self.kept(desk, "hedge.continue", {"hedge_id": "00000000-0000-0000-0000-000000000001"}) == (0, [])

    def test_the_small_kept_form_is_read_back(self):
        desk = Desk()
        decision = desk.quote("1")
        again = msgspec.json.decode(decision.command)
        assert again["witnesses"][1][:3] == ["bybit", "linear", "ETH/USDT:USDT"]
