"""Laws of stress: no world loses more than is told when a stable falls, a price leaps or a venue keeps what it owes."""

from fractions import Fraction
from itertools import product

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain.policy import PolicyAdopted
from domain.quantity import Num
from domain.quote import Side
from domain.risk_terms import Risk, StableDiscount
from domain.stress import Scenario, stress
from tests.support.worlds import HOME, OTHER, Worlds, a_balance, a_position, two_venues

NOTHING = Fraction(1, 10**12)
PRICE = Num(2_000)
WALLETS = st.integers(0, 50_000).map(Num)
POSITIONS = st.integers(-40, 40).map(Num)
ENTRIES = st.integers(1_500, 2_500).map(Num)
DISCOUNTS = st.sampled_from([0, 50, 1_000, 10_000])


def found(worlds: Worlds, kind: str, name: str = "") -> Scenario:
    return next(each for each in stress(worlds.book).scenarios if (each.kind, each.id) == (kind, name))


def a_world(drawn: list[tuple[Num, Num, Num]], backing: int, stable: int, risk: Risk) -> Worlds:
    worlds = Worlds(two_venues(risk=risk))
    worlds.marked({"ETH": (PRICE, PRICE), "USDT": (Num(1), Num(1))})
    worlds.held(backing * 10**18, backing * 2_000 * 10**18)
    worlds.held(stable * 10**6, stable * 10**18, "USDT")
    for venue, (wallet, quantity, entry) in zip((HOME, OTHER), drawn, strict=False):
        positions = ()
        won = Num(0)
        if quantity:
            worlds.fill(venue, quantity, entry)
            positions = (a_position(quantity, entry, PRICE),)
            won = Num(quantity * (PRICE - entry))
        worlds.seen(venue, (a_balance("USDT", wallet, Num(wallet + won)),), positions)
    return worlds


DRAWN = st.lists(st.tuples(WALLETS, POSITIONS, ENTRIES), min_size=1, max_size=2)


def usd(drawn: list[tuple[Num, Num, Num]], backing: int, stable: int, at: tuple[Fraction, Fraction]) -> Fraction:
    """Return what all of it is worth when ether is worth so many dollars, and the stable so much of one."""
    price, peg = at
    total = backing * price + stable * peg
    for wallet, quantity, entry in drawn:
        in_stable = price / peg if peg else Fraction(0)
        total += Fraction(wallet) * peg + Fraction(quantity) * (in_stable - Fraction(entry)) * peg
        if not peg:
            total += Fraction(quantity) * price
    return total


@given(DRAWN, st.integers(1, 50), st.integers(1, 100_000), DISCOUNTS)
def test_a_stable_that_falls_takes_the_entry_value_of_shorts_with_it(
    drawn: list[tuple[Num, Num, Num]], backing: int, stable: int, bps: int
):
    """Ether keeps its dollars, so a perpetual that is paid in the stable rises in it: its shorts lose."""
    risk = Risk(stable_discounts=(StableDiscount(asset="USDT", bps=Num(bps)),))
    worlds = a_world(drawn, backing, stable, risk)
    peg = 1 - Fraction(bps, 10_000)
    before, after = (usd(drawn, backing, stable, (Fraction(2_000), each)) for each in (Fraction(1), peg))
    loss = found(worlds, "stable", "USDT").loss
    assert loss is not None
    assert abs(Fraction(loss) - max(before - after, Fraction(0))) < NOTHING


@given(DRAWN, st.integers(1, 50), st.lists(st.integers(1, 20), max_size=3), st.sampled_from([100, 2_500, 5_000]))
def test_no_way_of_settling_loses_more_when_the_price_leaps(
    drawn: list[tuple[Num, Num, Num]], backing: int, mints: list[int], bps: int
):
    worlds = a_world(drawn, backing, 1, Risk(price_shock_bps=Num(bps)))
    for units in mints:
        worlds.request(Side.MINT, "WETH", units * 10**18, units * 2_000 * 10**18)
    net = backing + sum(Fraction(quantity) for _, quantity, _ in drawn)
    down, up = found(worlds, "price_down", "ETH").loss, found(worlds, "price_up", "ETH").loss
    assert down is not None
    assert up is not None
    shock = Fraction(bps, 10_000) * 2_000
    losses = [(net + sum(world)) * shock for world in product(*((0, each) for each in mints))]
    assert max(*losses, Fraction(0)) == Fraction(down)
    assert max(*(-each for each in losses), Fraction(0)) == Fraction(up)


@given(DRAWN, st.sampled_from(["0", "0.3", "1"]))
def test_a_venue_that_is_lost_keeps_what_it_owes_but_for_what_it_gives_back(
    drawn: list[tuple[Num, Num, Num]], recovery: str
):
    worlds = a_world(drawn, 1, 1, Risk(venue_recovery=Num(recovery)))
    wallet, quantity, entry = drawn[0]
    owed = max(Fraction(wallet) + Fraction(quantity) * (Fraction(2_000) - Fraction(entry)), Fraction(0))
    unpaid = max(Fraction(quantity) * (Fraction(2_000) - Fraction(entry)), Fraction(0))
    loss = found(worlds, "venue", HOME).loss
    assert loss is not None
    least = max(owed, unpaid) * (1 - Fraction(recovery))
    assert Fraction(loss) >= least
    assert Fraction(loss) <= least + abs(Fraction(quantity)) * 2_000 * Fraction(60, 10_000)


@given(DRAWN, st.integers(1, 10**9))
def test_the_worst_is_held_against_the_reserve(drawn: list[tuple[Num, Num, Num]], reserve: int):
    worlds = a_world(drawn, 10, 1_000, Risk(reserve=Num(reserve)))
    told = stress(worlds.book)
    losses = [Fraction(each.loss) for each in told.scenarios if each.loss is not None]
    assert told.unknown == ()
    assert told.worst is not None
    assert told.share_bps is not None
    assert all(loss >= 0 for loss in losses)
    assert abs(Fraction(told.share_bps) - max(losses) * 10_000 / reserve) < NOTHING
    policy = worlds.book.policy
    assert policy is not None
    worlds.tell(PolicyAdopted(policy=msgspec.structs.replace(policy, risk=Risk())))
    assert stress(worlds.book).share_bps is None


@given(DRAWN, st.integers(1, 5))
def test_funding_is_paid_for_a_year_on_the_greater_side(drawn: list[tuple[Num, Num, Num]], more: int):
    worlds = a_world(drawn, 1, 1, Risk(funding_worst_per_year=Num("0.25")))
    worlds.order(HOME, Num(-more))
    loss = found(worlds, "funding").loss
    assert loss is not None
    for filled in (0, more):
        held = [Fraction(quantity) - (filled if number == 0 else 0) for number, (_, quantity, _) in enumerate(drawn)]
        shorts, longs = -sum(each for each in held if each < 0), sum(each for each in held if each > 0)
        assert max(shorts, longs) * 2_000 / 4 <= Fraction(loss)
