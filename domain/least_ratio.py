"""The least ratio: of assets to supply, whatever of some flows happens and wherever some prices lie.

For a ratio r, what counts is assets less r times supply: the least of it over all worlds is below zero exactly where
some world has a lower ratio. A price moves only what is at stake in it, and a flow only its own units and supply, so
that least is found price by price, at one of its two ends, taking the flows that lower it. Its world has the next
ratio; when none is lower, the last was the least (Dinkelbach's method, exact in a few passes).
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from domain.quantity import EXACT, ZERO, Num, add, multiply, subtract
from domain.worth import quotient

# Each pass finds a lower ratio or ends; they are far fewer than this.
PASSES_MAX = 64


class Stake(msgspec.Struct, frozen=True, gc=False):
    """Hold what is at stake in one price: net units, its two ends, and flows of units and supply that may happen."""

    units: Num
    low: Num
    high: Num
    flows: tuple[tuple[Num, Num], ...] = ()


class _World(msgspec.Struct, frozen=True, gc=False):
    """Hold what assets and supply come to in a world."""

    assets: Num
    supply: Num

    def plus(self, assets: Num, supply: Num) -> "_World":
        return _World(add(self.assets, assets), add(self.supply, supply))

    def less(self, ratio: Num) -> Num:
        """Return assets less a ratio times supply."""
        return subtract(self.assets, multiply(ratio, self.supply))


_NOWHERE = _World(ZERO, ZERO)


def least_ratio(sure: Num, supply: Num, stakes: tuple[Stake, ...]) -> Num | None:
    """Return the least ratio of assets to supply; never below zero, None where no world has supply.

    `sure` are assets that no price moves. A world in which nothing is issued any more does not count: nobody is owed.
    """
    world = _World(sure, supply)
    for stake in stakes:
        world = world.plus(multiply(stake.units, stake.low), ZERO)
        for units, issued in stake.flows:
            if issued > ZERO:
                world = world.plus(multiply(units, stake.low), issued)
    if world.supply <= ZERO:
        return None
    ratio = quotient(world.assets, world.supply)
    for _ in range(PASSES_MAX):
        world = _lowest(_World(sure, supply), stakes, ratio)
        if world.supply <= ZERO:
            break
        lower = quotient(max(world.assets, ZERO), world.supply)
        if lower >= ratio:
            break
        ratio = lower
    return max(ratio, ZERO)


def shortfall(sure: Num, supply: Num, stakes: tuple[Stake, ...]) -> Num:
    """Return the most that assets may fall short of supply, whatever happens; none or more."""
    par = Num(1)
    least = _World(sure, supply).less(par)
    for stake in stakes:
        least = add(least, min(world.less(par) for world, _ in _ends(stake, par)))
    return max(-least, ZERO)


def _ends(stake: Stake, ratio: Num) -> Iterable[tuple[_World, _World | None]]:
    """Return, at each end of a price, what its flows leave that lower a ratio, and the change of the cheapest other."""
    product, less, plus = EXACT.multiply, EXACT.subtract, EXACT.add
    for price in (stake.low, stake.high) if stake.low != stake.high else (stake.low,):
        assets: Decimal = product(stake.units, price)
        supply: Decimal = ZERO
        nearest: Decimal | None = None
        other: _World | None = None
        for units, issued in stake.flows:
            value = product(units, price)
            gain = less(value, product(ratio, issued))
            lowers = gain < 0
            if lowers:
                assets, supply, gain = plus(assets, value), plus(supply, issued), gain.copy_negate()
            if nearest is None or gain < nearest:
                nearest = gain
                other = _World(-Num(value), -issued) if lowers else _World(Num(value), issued)
        yield _World(Num(assets), Num(supply)), other


def _lowest(world: _World, stakes: tuple[Stake, ...], ratio: Num) -> _World:
    """Return the world with the least assets less a ratio times supply, among those with supply."""
    back: tuple[Num, _World] | None = None
    for stake in stakes:
        ends = tuple(_ends(stake, ratio))
        best = min((each for each, _ in ends), key=lambda each: each.less(ratio))
        world = world.plus(best.assets, best.supply)
        for end, other in ends:
            if other is None:
                continue
            turned = _World(end.assets - best.assets, end.supply - best.supply).plus(other.assets, other.supply)
            if back is None or turned.less(ratio) < back[0]:
                back = (turned.less(ratio), turned)
    if world.supply <= ZERO and back is not None:
        return world.plus(back[1].assets, back[1].supply)
    return world
