"""Given events of the market plane, these rows."""

from typing import Any

from benchmarks.mint_log import START_US
from domain.account import AccountObserved, Balance, Held
from domain.funding import FundingPaid
from domain.listing import InstrumentChanged, InstrumentListed, Listing, Tier
from domain.market import Law
from domain.quantity import Num
from domain.suspension import (
    AssetResumed,
    AssetSuspended,
    InstrumentResumed,
    InstrumentSuspended,
    OracleResumed,
    OracleSuspended,
    VenueResumed,
    VenueSuspended,
)
from projections.balances import BALANCES
from projections.funding import FUNDING
from projections.instruments import INSTRUMENTS
from projections.margin import MARGIN
from projections.suspensions import SUSPENSIONS
from tests.support.told import lines, table

ZERO = "2026-09-21T14:13:20.000000Z"
ONE = "2026-09-21T14:13:21.000000Z"
SAID: dict[str, Any] = {"law": Law.VENUE_DEVIATION, "text": "3500 bps off", "observed_at_us": START_US}
UNFIT: dict[str, Any] = SAID | {"law": Law.REFERENCE_DATA}


def test_a_suspension_stays_listed_after_it_is_over():
    found = table(
        SUSPENSIONS,
        VenueSuspended(venue="bybit", **SAID),
        InstrumentSuspended(venue="okx", symbol="S", **SAID),
        InstrumentSuspended(venue="okx", symbol="S", **UNFIT),
        OracleSuspended(oracle="pyth", **SAID),
        AssetSuspended(asset="USDT", **SAID),
    )
    assert {key: (line["subject"], line["suspended"], line["law"]) for key, (_, line) in found.items()} == {
        "venue:bybit": ("venue", True, "venue_deviation"),
        "instrument:okx|S": ("instrument", True, "venue_deviation"),
        "listing:okx|S": ("listing", True, "reference_data"),
        "oracle:pyth": ("oracle", True, "venue_deviation"),
        "asset:USDT": ("asset", True, "venue_deviation"),
    }
    (line,) = lines(SUSPENSIONS, VenueSuspended(venue="bybit", **SAID), VenueResumed(venue="bybit", **SAID))
    assert line == {
        "scope": "venue:bybit",
        "subject": "venue",
        "suspended": False,
        "law": "venue_deviation",
        "text": "3500 bps off",
        "since": ONE,
    }
    for resumed in (
        InstrumentResumed(venue="okx", symbol="S", **SAID),
        OracleResumed(oracle="pyth", **SAID),
        AssetResumed(asset="USDT", **SAID),
    ):
        ((_, line),) = table(SUSPENSIONS, resumed).values()
        assert (line["scope"], line["suspended"]) == (resumed.scope, False)


def a_listing(taker: str = "0.0005") -> Listing:
    return Listing(
        venue="okx",
        symbol="ETH/USDT:USDT",
        kind="linear",
        base="ETH",
        quote="USDT",
        settle="USDT",
        market_id="ETH-USDT-SWAP",
        contract_size=Num("0.1"),
        tick=Num("0.01"),
        step=Num("0.001"),
        quantity_min=Num("0.001"),
        quantity_max=Num(10_000),
        notional_min=Num(0),
        funding_interval_ms=28_800_000,
        expiry_us=0,
        maker_fee=Num("0.0002"),
        taker_fee=Num(taker),
        margin_tiers=(Tier(notional_from=Num(0), maintenance_rate=Num("0.004"), leverage_max=Num(100)),),
    )


def test_an_instrument_is_shown_as_it_was_last_listed():
    listed = InstrumentListed(listing=a_listing(), observed_at_us=START_US)
    changed = InstrumentChanged(listing=a_listing("0.0004"), changed=("taker_fee",), observed_at_us=START_US)
    ((key, (_, before)),) = table(INSTRUMENTS, listed).items()
    assert (key, before["taker_fee"], before["changed"], before["since"]) == ("okx|ETH/USDT:USDT", "0.0005", [], ZERO)
    assert before["margin_tiers"] == [{"notional_from": "0", "maintenance_rate": "0.004", "leverage_max": "100"}]
    (line,) = lines(INSTRUMENTS, listed, changed)
    assert (line["taker_fee"], line["changed"], line["since"]) == ("0.0004", ["taker_fee"], ONE)
    assert (line["contract_size"], line["expiry_us"]) == ("0.1", "0")


def a_balance(asset: str, margin: str = "1000") -> Balance:
    return Balance(
        asset=asset,
        wallet=Num(990),
        margin=Num(margin),
        available=Num(900),
        initial_margin=Num(100),
        maintenance_margin=Num("33.3333"),
    )


def observed(*balances: Balance, account: str = "main", held: str = "-1") -> AccountObserved:
    position = Held(
        symbol="ETH/USDT:USDT",
        quantity=Num(held),
        entry_price=Num(2001),
        mark_price=Num(2000),
        unrealised=Num(1),
        liquidation_price=Num(3000),
        initial_margin=Num(100),
        maintenance_margin=Num(50),
    )
    return AccountObserved(
        venue="okx", account=account, balances=balances, positions=(position,), observed_at_us=START_US
    )


def test_balances_are_as_last_observed_and_what_is_not_told_any_more_is_nothing():
    found = table(
        BALANCES,
        observed(a_balance("BNB"), a_balance("USDT")),
        observed(a_balance("USDC"), account="other"),
        observed(a_balance("USDT", "2000")),
    )
    assert {key: (line["margin"], line["wallet"]) for key, (_, line) in found.items()} == {
        "okx|main|BNB": ("0", "0"),
        "okx|main|USDT": ("2000", "990"),
        "okx|other|USDC": ("1000", "990"),
    }
    assert found["okx|main|USDT"][1]["observed_at"] == ZERO


def test_margin_is_one_line_for_each_account():
    (line,) = lines(MARGIN, observed(a_balance("USDT")), observed(a_balance("BNB", "0"), a_balance("USDT"), held="-2"))
    assert (line["venue"], line["account"], line["observed_at"]) == ("okx", "main", ZERO)
    assert [(each["asset"], each["ratio"]) for each in line["assets"]] == [("BNB", None), ("USDT", "0.033334")]
    (position,) = line["positions"]
    assert (position["quantity"], position["liquidation_price"]) == ("-2", "3000")


def paid(number: str, amount: str, asset: str = "USDT") -> FundingPaid:
    return FundingPaid(
        venue="okx",
        account="main",
        symbol="ETH/USDT:USDT",
        payment_id=number,
        asset=asset,
        amount=Num(amount),
        paid_at_us=START_US,
    )


def test_funding_sums_up():
    found = lines(FUNDING, paid("1", "1.5"), paid("2", "-0.25"), paid("3", "7", "BNB"))
    assert [(line["payment_id"], line["amount"], line["total"]) for line in found] == [
        ("1", "1.5", "1.5"),
        ("2", "-0.25", "1.25"),
        ("3", "7", "7"),
    ]
    assert (found[0]["paid_at"], found[2]["recorded_at"]) == (ZERO, "2026-09-21T14:13:22.000000Z")
    assert all(not is_open for is_open, _ in table(FUNDING, paid("1", "1.5")).values())
