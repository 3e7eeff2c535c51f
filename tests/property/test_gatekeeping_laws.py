"""Laws of the gatekeeper: the band holds exactly, order and reorganisations change nothing, volume is bounded."""

from decimal import Decimal
from fractions import Fraction
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain.codec import encode
from domain.gatekeeping import Flow, Memory, Verdict, assess, believed, forget_after, take
from domain.quantity import Num
from domain.quote import Side
from tests.support.gatekeeping import (
    ASSETS,
    MARKET,
    START_S,
    START_US,
    UNKNOWN,
    USDT,
    WETH,
    a_flow,
    a_word,
    saying,
    terms,
)

NOW_US = START_US + 10_000_000_000
UINT128 = (1 << 128) - 1
SEVERITY = {Verdict.FINE: 0, Verdict.SUSPICIOUS: 1, Verdict.OFF_MARKET: 2}
ATOMS = st.one_of(st.integers(0, UINT128), st.integers(0, 10**22), st.integers(19 * 10**20, 21 * 10**20))
PRICES = st.decimals("0.000001", "1000000", places=6)


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    number = draw(st.integers(1, 1_200))
    return a_flow(
        draw(st.sampled_from(list(Side))),
        number=number,
        issued=draw(st.sampled_from([0, 1, 1_999, 2_000, 2_040, 2_500, 9_000_000])),
        asset=draw(st.sampled_from([WETH, WETH, WETH, USDT, UNKNOWN])),
        collateral=draw(st.sampled_from([0, 10**9, 10**18, 45 * 10**20])),
        log_index=draw(st.integers(0, 50)),
        at_s=START_S + number,
    )


def lone(flow: Flow, price: Decimal) -> Verdict:
    under = terms(loss_max=Num(10**40), minted_max=Num(10**40), redeemed_max=Num(10**40))
    look = saying({"ETH": (str(price), str(price)), "USDT": (str(price), str(price))})
    _, findings = assess(take(Memory(), (flow,), under, NOW_US), under, look, NOW_US)
    assert len(findings) <= 1
    return findings[0].verdict if findings else Verdict.FINE


@given(st.sampled_from(list(Side)), st.sampled_from([WETH, USDT]), ATOMS, ATOMS, PRICES)
def test_the_band_holds_to_the_atom(side: Side, asset: str, collateral: int, issued: int, price: Decimal):
    flow = msgspec.structs.replace(a_flow(side, asset=asset, collateral=collateral), issued=issued)
    dollars = Fraction(issued, 10**18)
    worth = Fraction(collateral, 10 ** ASSETS[asset].decimals) * Fraction(price)
    gave, took = (dollars, worth) if side is Side.MINT else (worth, dollars)
    lost = gave - took
    expected = Verdict.FINE
    if lost > 1 and lost * 10_000 > gave * 150:
        expected = Verdict.OFF_MARKET if lost * 10_000 > gave * 500 else Verdict.SUSPICIOUS
    assert lone(flow, price) is expected


@given(ATOMS, st.integers(0, 10**21), PRICES)
def test_who_gets_more_is_never_judged_milder(issued: int, more: int, price: Decimal):
    mint = msgspec.structs.replace(a_flow(Side.MINT), issued=issued)
    greedier = msgspec.structs.replace(mint, issued=issued + more)
    assert SEVERITY[lone(greedier, price)] >= SEVERITY[lone(mint, price)]
    redemption = msgspec.structs.replace(a_flow(Side.REDEEM), collateral=issued)
    greedier = msgspec.structs.replace(redemption, collateral=issued + more)
    assert SEVERITY[lone(greedier, price)] >= SEVERITY[lone(redemption, price)]


@given(st.lists(flows(), max_size=12), st.randoms(use_true_random=False))
def test_the_order_within_a_block_changes_nothing(found: list[Flow], chance: Random):
    together = [msgspec.structs.replace(flow, block_number=7, at_s=START_S) for flow in found]
    shuffled = list(together)
    chance.shuffle(shuffled)
    under = terms()
    told: list[list[bytes]] = []
    tallies: list[bytes] = []
    for order in (together, shuffled):
        memory, findings = assess(take(Memory(), order, under, NOW_US), under, MARKET, NOW_US)
        told.append(sorted(encode(finding) for finding in findings))
        tallies.append(encode(memory.tallies))
    assert told[0] == told[1]
    assert tallies[0] == tallies[1]


@given(st.lists(flows(), max_size=12), st.lists(flows(), max_size=12))
def test_a_reorganisation_leaves_no_trace(before: list[Flow], after: list[Flow]):
    under = terms()
    early = [msgspec.structs.replace(flow, block_number=500 + at, at_s=START_S + at) for at, flow in enumerate(before)]
    late = [
        msgspec.structs.replace(flow, block_number=600 + at, at_s=START_S + 20 + at) for at, flow in enumerate(after)
    ]
    kept, _ = assess(take(Memory(), early, under, NOW_US), under, MARKET, NOW_US)
    once = assess(take(kept, late, under, NOW_US), under, MARKET, NOW_US)
    back = forget_after(once[0], 599)
    assert (back.tallies, back.pending) == (kept.tallies, kept.pending)
    assert assess(take(back, late, under, NOW_US), under, MARKET, NOW_US) == once


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 30_000_000)), max_size=30), st.sampled_from(list(Side)))
def test_no_more_moves_in_a_window_than_the_bound_and_one_block(steps: list[tuple[int, int]], side: Side):
    """However well it is signed and priced: the contract is shut with the first block that passes the bound."""
    under, memory, moved, at_s = terms(), Memory(), list[tuple[int, int]](), START_S
    for number, (pause_s, issued) in enumerate(steps):
        at_s += pause_s + 1
        collateral = issued * 10**18 // 2_000
        flow = a_flow(side, issued=issued, collateral=collateral, number=number, at_s=at_s)
        memory, findings = assess(take(memory, (flow,), under, NOW_US), under, MARKET, NOW_US)
        moved.append((at_s, issued))
        total = sum(amount for when, amount in moved if at_s - when <= 600)
        assert any(finding.disables for finding in findings) is (total > 50_000_000)


@given(st.lists(st.sampled_from(["1999", "2000", "2001", "2500", "1500", "0"]), max_size=5))
def test_a_believed_price_is_between_two_that_were_said(said: list[str]):
    words = [a_word(f"oracle{at}", price) for at, price in enumerate(said)]
    price = believed(words, terms().rules.sources)
    close = [Num(each) for each in said if each in {"1999", "2000", "2001"}]
    if price is not None:
        assert any(Num(each) <= price for each in said)
        assert any(Num(each) >= price for each in said)
    elif len(close) * 2 > len(said) and len(close) >= 2:
        raise AssertionError(f"{said} agree enough")
