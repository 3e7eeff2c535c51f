"""Laws of exposure: whatever of what is open happens, the truth lies in the interval, and its ends can be true."""

from fractions import Fraction
from itertools import product

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import inverse
from domain.exposure import exposure, imbalance
from domain.fill import Position
from domain.policy import PolicyAdopted
from domain.quantity import Num
from domain.quote import Side
from domain.ratio import RatioObserved
from tests.property.numbers import decimals, positive
from tests.support.worlds import COINS, HOME, INVERSE, OTHER, STAKED, Worlds, two_venues

VENUES = st.sampled_from([HOME, OTHER])
UNITS = st.integers(1, 50_000).map(lambda milli: Num(milli).scaleb(-3)).map(Num)
SIGNED = st.integers(-50_000, 50_000).filter(bool).map(lambda milli: Num(Num(milli).scaleb(-3)))
PRICES = st.integers(100_000, 400_000).map(lambda cents: Num(Num(cents).scaleb(-2)))
REQUESTS = st.lists(st.tuples(st.sampled_from(Side), UNITS, st.booleans(), st.booleans()), max_size=3)
ORDERS = st.lists(st.tuples(VENUES, SIGNED, st.sampled_from(["0", "0.3", "1"]), st.booleans()), max_size=3)
HELD = st.lists(st.tuples(VENUES, SIGNED), max_size=2)
COIN_FILLS = st.lists(
    st.tuples(SIGNED.map(lambda units: Num(units * 100)), PRICES, decimals("-0.01", "0.01", 6)), max_size=4
)
NOTHING = Fraction(1, 10**40)  # sixty digits, a few divisions


def atoms(units: Num) -> int:
    return int(units.scaleb(18))


def coins_won(fills: list[tuple[Num, Num, Num]], price: Fraction) -> Fraction:
    """Return what inverse fills won in coins at a price: each by itself, as its own cash flow."""
    return sum((Fraction(n) * (1 / Fraction(at) - 1 / price) - Fraction(fee) for n, at, fee in fills), Fraction(0))


@settings(max_examples=60)
@given(REQUESTS, ORDERS, HELD, st.sampled_from(["", HOME, OTHER]), UNITS)
def test_the_interval_holds_every_possible_world_and_its_ends_are_worlds(
    requests: list[tuple[Side, Num, bool, bool]],
    orders: list[tuple[str, Num, str, bool]],
    held: list[tuple[str, Num]],
    away: str,
    backing: Num,
):
    worlds = Worlds()
    worlds.held(atoms(backing), atoms(backing) * 2_000)
    certain = Fraction(backing)
    open_parts: list[tuple[Fraction, ...]] = []
    for side, units, staked, asked in requests:
        request_id = worlds.request(side, "wstETH" if staked else "WETH", atoms(units), atoms(units) * 2_000)
        if asked:
            worlds.settling(request_id)
        delta = Fraction(units) * (Fraction(STAKED.ratio) if staked else 1) * (1 if side is Side.MINT else -1)
        open_parts.append((Fraction(0), delta))
    positions = {HOME: Fraction(0), OTHER: Fraction(0)}
    for venue, quantity in held:
        worlds.fill(venue, quantity, Num(2000))
        positions[venue] += Fraction(quantity)
    for venue, quantity, filled, unknown in orders:
        order = worlds.order(venue, quantity, unknown=unknown)
        done = Num(quantity * Num(filled))
        if done:
            worlds.fill(venue, done, Num(2000), order=order)
        positions[venue] += Fraction(done)
        left = Fraction(quantity) - Fraction(done)
        open_parts.append((Fraction(0), left / 3, left))
    if away:
        worlds.away(away)
    for venue, position in positions.items():
        gone = (position, position / 2, Fraction(0)) if venue == away else (position,)
        open_parts.append(gone)
    interval = exposure(worlds.book, "ETH").interval
    truths = [certain + sum(world) for world in product(*open_parts)]
    assert all(Fraction(interval.low) <= truth <= Fraction(interval.high) for truth in truths)
    assert (min(truths), max(truths)) == (Fraction(interval.low), Fraction(interval.high))


@given(COIN_FILLS.filter(bool), decimals("-1", "1", 6), UNITS, PRICES, PRICES)
def test_the_delta_of_an_inverse_book_is_the_slope_of_its_worth_at_every_price(
    fills: list[tuple[Num, Num, Num]], funding: Num, wallet: Num, first: Num, second: Num
):
    """The trap: m + n/S0 is the slope of what the whole is worth, whatever the mark; m + n/S is not."""
    worlds = Worlds()
    worlds.held(atoms(wallet), atoms(wallet) * 2_000)
    for notional, price, fee in fills:
        worlds.fill(COINS, notional, price, symbol=INVERSE, fee=fee)
    worlds.funded(COINS, funding, symbol=INVERSE, asset="ETH")
    here = exposure(worlds.book, "ETH")
    delta = Fraction(here.certain) + Fraction(here.beside)
    low, high = Fraction(first), Fraction(second) + Fraction(1, 3)

    def usd(price: Fraction) -> Fraction:
        return (Fraction(wallet) + coins_won(fills, price) + Fraction(funding)) * price

    assert abs((usd(high) - usd(low)) / (high - low) - delta) < NOTHING
    won = delta - Fraction(wallet) - sum((Fraction(n) / Fraction(at) for n, at, _ in fills), Fraction(0))
    assert abs(won + sum((Fraction(fee) for _, _, fee in fills), Fraction(0)) - Fraction(funding)) < NOTHING


@given(positive("1000", 6), SIGNED, PRICES, PRICES)
def test_mixing_the_mark_with_the_wallet_is_wrong_by_the_unrealised_profit(
    wallet: Num, notional: Num, entry: Num, price: Num
):
    exact = Fraction(inverse.delta(wallet, notional, entry))
    equity = Fraction(inverse.equity(wallet, notional, entry, price))
    mixed = Fraction(wallet) + Fraction(notional) / Fraction(price)
    assert abs(exact - (equity + Fraction(notional) / Fraction(price))) < NOTHING
    assert abs(exact - mixed - Fraction(inverse.profit(notional, entry, price))) < NOTHING


@given(SIGNED, PRICES, PRICES)
def test_slope_and_gamma_are_those_of_equity_in_base_units(notional: Num, entry: Num, price: Num):
    at, n = Fraction(price), Fraction(notional)
    step = at / 10**12

    def equity(where: Fraction) -> Fraction:
        return n / Fraction(entry) - n / where

    slope = (equity(at + step) - equity(at - step)) / (2 * step)
    gamma = (equity(at + step) - 2 * equity(at) + equity(at - step)) / step**2
    assert abs(slope - Fraction(inverse.slope(notional, price))) <= abs(slope) / 10**9
    assert abs(gamma - Fraction(inverse.gamma(notional, price))) <= abs(gamma) / 10**9
    assert (inverse.gamma(notional, price) > 0) == (notional < 0)


@given(COIN_FILLS.filter(bool), UNITS)
def test_coins_that_a_venue_has_not_paid_out_may_never_come(fills: list[tuple[Num, Num, Num]], paid: Num):
    worlds = Worlds()
    for notional, price, fee in fills:
        worlds.fill(COINS, notional, price, symbol=INVERSE, fee=fee)
    position: Position = worlds.book.positions[f"{COINS}|main|{INVERSE}"]
    coins = Fraction(position.realised) - Fraction(position.fees)
    before = exposure(worlds.book, "ETH").interval
    assert abs(Fraction(before.high) - Fraction(before.low) - max(coins, Fraction(0))) < NOTHING
    worlds.paid_out(COINS, "ETH", paid)
    after = exposure(worlds.book, "ETH").interval
    assert abs(Fraction(after.high) - Fraction(after.low) - max(coins - Fraction(paid), Fraction(0))) < NOTHING
    assert after.high == before.high


@given(
    st.lists(st.tuples(st.sampled_from(Side), UNITS, st.booleans(), st.booleans()), max_size=4),
    st.lists(decimals("1.1", "1.3", 6), min_size=1, max_size=3),
    st.booleans(),
)
def test_a_ratio_that_moves_leaves_nothing_unhedged_unseen(
    requests: list[tuple[Side, Num, bool, bool]], ratios: list[Num], by_policy: bool
):
    """What backs by tokens is more ether when they stand for more: the carry takes it, and the hedging law holds."""
    worlds = Worlds()
    worlds.held(atoms(Num(200)), atoms(Num(400_000)), "wstETH")
    start = imbalance(worlds.book, "ETH")
    for side, units, planned, settled in requests:
        request_id = worlds.request(side, "wstETH", atoms(units), atoms(units) * 2_000)
        if planned:
            worlds.hedge(request_id)
        if settled:
            worlds.settle(request_id)
    before = imbalance(worlds.book, "ETH")
    for number, ratio in enumerate(ratios):
        if by_policy:
            token = msgspec.structs.replace(STAKED, ratio=ratio)
            worlds.tell(PolicyAdopted(policy=two_venues(assets=(*two_venues().assets[:-1], token))))
        else:
            worlds.tell(RatioObserved(asset="wstETH", ratio=ratio, source="lido", observed_at_us=number))
        assert imbalance(worlds.book, "ETH") == before
    assert exposure(worlds.book, "ETH").backing == worlds.book.backing["wstETH"] * ratios[-1] * Num("1e-18")
    assert start == before
