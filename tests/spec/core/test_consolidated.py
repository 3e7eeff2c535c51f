"""A size is walked over all books at once: the best price anywhere is taken next, net of each venue's fee."""

from typing import Any

import msgspec

from commands.handler import Decision
from domain.depth import BookEvidence, Level
from domain.policy import Policy
from domain.quantity import Num
from domain.quote import Decomposition
from domain.routing.terms import Routing, VenueCap
from tests.support.desk import Desk, reason
from tests.support.given import a_policy, a_witness, an_oracle, pegged

SYMBOL = "ETH/USDT:USDT"


def levels(*pairs: tuple[str, str]) -> tuple[Level, ...]:
    return tuple(Level(Num(price), Num(quantity)) for price, quantity in pairs)


def shown(venue: str, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> BookEvidence:
    return BookEvidence(venue=venue, symbol=SYMBOL, bids=bids, asks=asks, sequence=1, received_at_us=0, age_ms=20)


def two_venues(fees: tuple[str, str] = ("5", "5"), **changes: Any) -> Policy:
    policy = a_policy(**changes)
    first = policy.instruments[0]
    instruments = tuple(
        msgspec.structs.replace(first, venue=venue, taker_fee_bps=Num(fee))
        for venue, fee in zip(("binanceusdm", "bybit"), fees, strict=True)
    )
    return msgspec.structs.replace(policy, instruments=instruments)


NEAR = shown("binanceusdm", levels(("2000", "1"), ("1998", "5")), levels(("2000.1", "1"), ("2002", "5")))
FAR = shown("bybit", levels(("1999", "2"), ("1990", "5")), levels(("2001", "2"), ("2010", "5")))


def desk_of(policy: Policy, *evidence: BookEvidence) -> Desk:
    desk = Desk(policy=policy)
    desk.evidence = evidence or (NEAR, FAR)
    venues = tuple(a_witness(each.venue, each.mid) for each in desk.evidence)
    desk.heard = (*venues, a_witness("okx"), an_oracle(), an_oracle("redstone"), *pegged())
    return desk


def parts(quote: Decision) -> Decomposition:
    issued: Any = quote.events[0]
    return issued.decomposition


def split(quote: Decision) -> dict[str, tuple[str, str]]:
    return {share.venue: (str(share.quantity), str(share.price)) for share in parts(quote).hedges}


def test_a_mint_sells_where_it_brings_most():
    quote: Any = desk_of(two_venues()).quote("4")
    # One at 2000, two at 1999, and the last at 1998.
    assert split(quote) == {"binanceusdm": ("2", "1999"), "bybit": ("2", "1999")}
    gross = Num(2000 + 2 * 1999 + 1998)
    assert quote.events[0].issued.atoms == int((gross * Num("0.9988") - Num("0.5")) * 10**18)
    assert (str(parts(quote).hedge_price), str(parts(quote).venue_fee_bps)) == ("1999", "5")
    assert str(parts(quote).reference) == "2000.05"
    assert str(parts(quote).hedge_cost_bps) == "5.2499"


def test_a_redeem_buys_where_it_costs_least():
    quote: Any = desk_of(two_venues()).quote("4010", side="REDEEM")
    # 4009.5 less 12 bps: one at 2000.1, the rest at 2001.
    bought = Num(1) + (Num("4009.5") * Num("0.9988") - Num("2000.1")) * Num("1") / Num(2001)
    assert abs(quote.events[0].collateral.atoms - int(bought * 10**18)) <= 10
    assert set(split(quote)) == {"binanceusdm", "bybit"}


def test_a_better_price_is_not_taken_where_the_fee_eats_it():
    quote: Any = desk_of(two_venues(("30", "0"))).quote("2")
    assert split(quote) == {"bybit": ("2", "1999")}
    assert (str(parts(quote).venue_fee_bps), str(parts(quote).hedge_cost_bps)) == ("0", "5.2499")
    back: Any = desk_of(two_venues(("30", "0"))).quote("2000", side="REDEEM")
    assert set(split(back)) == {"bybit"}


def test_fees_weigh_by_what_is_traded():
    quote: Any = desk_of(two_venues(("5", "2"))).quote("3")
    assert split(quote) == {"bybit": ("2", "1999"), "binanceusdm": ("1", "2000")}
    # 2000 at 5 bps, 3998 at 2 bps: never told as less than it is.
    assert str(parts(quote).venue_fee_bps) == "3.0004"
    net = Num(2000) * Num("0.9988") + Num(3998) * Num("0.9991")
    assert quote.events[0].issued.atoms == int((net - Num("0.5")) * 10**18)


def test_another_book_may_be_better_than_the_reference():
    better = shown("bybit", levels(("2000.09", "5")), levels(("2000.11", "5")))
    quote: Any = desk_of(two_venues(("5", "0")), NEAR, better).quote("1")
    assert set(split(quote)) == {"bybit"}
    assert str(parts(quote).hedge_cost_bps) == "-0.1999"


def test_depth_beyond_the_slippage_is_none():
    deep = shown("binanceusdm", levels(("2000", "1"), ("1980", "50")), levels(("2000.1", "1"), ("2020", "50")))
    desk = desk_of(two_venues(), deep, FAR)
    assert reason(desk.quote("8")) == ""
    assert reason(desk.quote("8.001")) == "DEPTH_INSUFFICIENT"  # 1980 is a hundred bps away
    assert reason(desk.quote("16000", side="REDEEM")) == ""
    assert reason(desk.quote("16100", side="REDEEM")) == "DEPTH_INSUFFICIENT"
    alone = desk_of(a_policy(), deep)
    assert reason(alone.quote("1")) == ""
    assert reason(alone.quote("1.001")) == "DEPTH_INSUFFICIENT"
    assert reason(alone.quote("2500", side="REDEEM")) == "DEPTH_INSUFFICIENT"


def test_no_more_is_promised_than_the_caps_leave_room_for():
    caps = tuple(VenueCap(venue=venue, account="main", notional=Num(4_001)) for venue in ("binanceusdm", "bybit"))
    desk = desk_of(two_venues(routing=Routing(caps=caps)))
    assert split(desk.quote("3.9"))["binanceusdm"][0] == "1.9"
    assert reason(desk.quote("4.1")) == "ROOM_INSUFFICIENT"
    assert reason(desk.quote("8500", side="REDEEM")) == "ROOM_INSUFFICIENT"
    alone = desk_of(a_policy(routing=Routing(caps=caps)), NEAR)
    assert reason(alone.quote("2")) == ""
    assert reason(alone.quote("2.1")) == "ROOM_INSUFFICIENT"
    assert reason(alone.quote("4500", side="REDEEM")) == "ROOM_INSUFFICIENT"


def test_stables_weigh_by_what_is_paid_in_them():
    policy = two_venues()
    other = msgspec.structs.replace(policy.instruments[1], quote="USDC")
    desk = desk_of(msgspec.structs.replace(policy, instruments=(policy.instruments[0], other)))
    cheap = (an_oracle("pyth", "0.9995", "USDC"), an_oracle("redstone", "0.9995", "USDC"))
    words = tuple(
        each if each.source != "bybit" else msgspec.structs.replace(each, quote="USDC") for each in desk.witnesses
    )
    desk.heard = (*words, *cheap)
    quote: Any = desk.quote("3")
    # One at 2000 and one at 1998 in USDT beat 1999 USDC, which is 1998.0005 dollars; then that.
    assert split(quote) == {"binanceusdm": ("1", "2000"), "bybit": ("2", "1999")}
    paid = parts(quote)
    value = Num(2000) + Num(3998) * Num("0.9995")
    assert str(paid.stable_price)[:12] == str(value / Num(5998))[:12]
    assert str(paid.stable_cost_bps) == "0"
