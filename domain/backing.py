"""Backing: what stands behind the issued dollars, at conservative marks, by the supply that settlements issued.

Assets are the collateral that settled and what its hedges won, whoever margined them: money of ours at venues beside
that is no backing. Requests in flight may settle or not, each by itself, and move assets and supply together: the ratio
told is the least that any of them leaves. Supply is counted from settlements that are final on chain, since the
contract's own total is not observed.
"""

from collections.abc import Iterator

import msgspec

from domain.claims import Held, collateral
from domain.holdings import accounts, kept, open_profit, unpaid
from domain.profit import profit
from domain.quantity import ZERO, Interval, Num, add, divide, multiply, subtract, to_units
from domain.quote import Side
from domain.request import OpenRequest, Stage
from domain.state import Book
from domain.worth import NOTHING, plus, quotient

ISSUED_DECIMALS = 18
SETTLEMENTS = "settlements"
# Each pass finds a lower ratio or ends; they are far fewer than this.
PASSES_MAX = 64


class BackingLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a collateral: its units for certain, between which requests may leave them, and their worth, USD."""

    asset: str
    certain: Num
    units: Interval
    value: Interval | None


class Backing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show what backs the issued dollars. Money is USD, `supply` dollars; None: `unknown` names what has no price.

    `ratio` is assets by supply at the ends of marks that are against us, whatever settles; `middle` at their middles,
    nothing open; `at_risk` is `ratio` if venues never paid what they have not paid out. Without supply there is none.
    `supply_from` says whose count of the supply it is.
    """

    assets: tuple[BackingLine, ...]
    profit: Interval | None
    value: Interval | None
    supply: Num
    ratio: Num | None
    middle: Num | None
    at_risk: Num | None
    unknown: tuple[str, ...] = ()
    supply_from: str = SETTLEMENTS


def backing(book: Book) -> Backing:
    """Return what stands behind the issued dollars."""
    held = collateral(book)
    lines = tuple(
        BackingLine(asset=each.asset.symbol, certain=each.certain, units=each.units, value=each.value) for each in held
    )
    won, unpriced = _won(book)
    supply = to_units(book.issued, ISSUED_DECIMALS)
    unknown = tuple(sorted({each.asset for each in lines if each.value is None} | set(unpriced)))
    if unknown:
        return Backing(
            assets=lines,
            profit=won,
            value=None,
            supply=supply,
            ratio=None,
            middle=None,
            at_risk=None,
            unknown=unknown,
        )
    value = won
    for line in lines:
        value = plus(value, line.value or NOTHING)
    least, middle = _certain(held)
    flows = tuple(_flows(book, held))
    assets = add(least, won.low)
    return Backing(
        assets=lines,
        profit=won,
        value=value,
        supply=supply,
        ratio=least_ratio(assets, supply, flows),
        middle=None if supply <= ZERO else quotient(add(middle, divide(add(won.low, won.high), Num(2))), supply),
        at_risk=least_ratio(subtract(assets, _unpaid(book)), supply, flows),
    )


def _won(book: Book) -> tuple[Interval, tuple[str, ...]]:
    """Return what positions won in all, USD, and the contracts of which that is not known."""
    total = NOTHING
    unknown: list[str] = []
    for held in book.positions.values():
        won = profit(book, held)
        if won is None:
            unknown.append(held.symbol)
        else:
            total = plus(total, won)
    return total, tuple(unknown)


def _certain(held: tuple[Held, ...]) -> tuple[Num, Num]:
    """Return what the collateral that settled is worth at the low marks and at the middles, USD."""
    least = middle = ZERO
    for each in held:
        if each.certain and each.unit is not None:
            least = add(least, multiply(each.certain, each.unit.low))
            middle = add(middle, multiply(each.certain, each.unit.mid))
    return least, middle


def _unpaid(book: Book) -> Num:
    """Return the profit that stands at venues unpaid, at most, USD."""
    total = ZERO
    for venue, account in accounts(book):
        there = kept(book, venue, account)
        total = add(total, max(unpaid(book, venue, account, there), open_profit(there).high, ZERO))
    return total


def _flows(book: Book, held: tuple[Held, ...]) -> Iterator[tuple[Num, Num]]:
    """Return what each request in flight would add to assets (USD, at the low mark) and to supply, below zero: take."""
    known = {each.asset.symbol: each for each in held}
    for request in book.requests.values():
        there = known.get(request.accepted.collateral.asset)
        if request.stage is not Stage.SETTLED and there is not None and there.unit is not None:
            yield _flow(request, there, there.unit.low)


def _flow(request: OpenRequest, there: Held, low: Num) -> tuple[Num, Num]:
    accepted = request.accepted
    assets = multiply(to_units(accepted.collateral.atoms, there.asset.decimals), low)
    supply = to_units(accepted.issued.atoms, ISSUED_DECIMALS)
    return (assets, supply) if accepted.side is Side.MINT else (-assets, -supply)


def least_ratio(assets: Num, supply: Num, flows: tuple[tuple[Num, Num], ...]) -> Num | None:
    """Return the least ratio of assets to supply, if any of these flows happen; never below zero, None without supply.

    A flow lowers a ratio r when what it brings is worth less than r times its supply: so the least one is found by
    taking all such flows at the ratio found before, until none is lower (Dinkelbach's method, exact in a few passes).
    """
    value, issued = assets, supply
    for more, dollars in flows:
        if dollars > ZERO:
            value, issued = add(value, more), add(issued, dollars)
    if issued <= ZERO:
        return None
    ratio = quotient(value, issued)
    for _ in range(PASSES_MAX):
        value, issued = _lowering(assets, supply, flows, ratio)
        if issued <= ZERO:
            break
        if value <= ZERO:
            return ZERO
        lower = quotient(value, issued)
        if lower >= ratio:
            break
        ratio = lower
    return max(ratio, ZERO)


def _lowering(assets: Num, supply: Num, flows: tuple[tuple[Num, Num], ...], ratio: Num) -> tuple[Num, Num]:
    """Return assets and supply after all flows that lower a ratio, some supply left: to nobody nothing is owed."""
    value, issued = assets, supply
    back: tuple[Num, Num, Num] | None = None  # the one that is cheapest to take otherwise, and by how much
    for more, dollars in flows:
        gain = subtract(more, multiply(ratio, dollars))
        sign = Num(1) if gain >= ZERO else Num(-1)
        if gain < ZERO:
            value, issued = add(value, more), add(issued, dollars)
        if back is None or abs(gain) < back[0]:
            back = (abs(gain), multiply(more, sign), multiply(dollars, sign))
    if issued <= ZERO and back is not None:
        return add(value, back[1]), add(issued, back[2])
    return value, issued
