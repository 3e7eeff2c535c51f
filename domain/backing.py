"""Backing: what stands behind the issued dollars, at conservative marks, by the supply that settlements issued.

Assets are the collateral that settled and what its hedges won, whoever margined them: money of ours at venues beside
that is no backing. A price is one price: collateral and the hedges of it are valued at the same one, a contract by the
distance that its venue marks it from there, and it lies where all of it together is worth the least. Requests in flight
may settle or not, each by itself, and move assets and supply together: the ratio told is the least that any of them
leaves. Supply is the token's own total as a final block showed it, and what settled since (`domain.supply`): no request
in flight is in it. Before anybody counted, or where the policy says so, it is what settlements issued.
"""

import msgspec

from domain.claims import Held, collateral
from domain.fill import Position
from domain.holdings import accounts, kept, open_profit, unpaid
from domain.least_ratio import Stake, least_ratio, shortfall
from domain.mark import instrument_key
from domain.policy import Asset
from domain.profit import booked, profit
from domain.quantity import ZERO, Interval, Num, add, divide, multiply, subtract, to_units
from domain.quote import Side
from domain.request import Stage
from domain.state import Book
from domain.supply import SupplyFrom
from domain.worth import NOTHING, Worth, contract, plus, quotient, worth

ISSUED_DECIMALS = 18
PAR = Num(1)


class BackingLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a collateral: its units for certain, between which requests may leave them, and their worth, USD."""

    asset: str
    certain: Num
    units: Interval
    value: Interval | None


class Backing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show what backs the issued dollars. Money is USD, `supply` dollars; None: `unknown` names what has no price.

    `ratio` is assets by supply at the prices that are against us, whatever settles; `middle` at their middles, nothing
    open; `at_risk` is `ratio` if venues never paid what they have not paid out. Without supply there is none. `held` is
    what the control holds against its limit: as `ratio`, but what is missing is a part of no less than
    `concentration_floor`, so that the first dollars do not read as a lack. `supply_from` says whose count it is:
    the chain's was taken at `supply_block`.
    """

    assets: tuple[BackingLine, ...]
    profit: Interval | None
    value: Interval | None
    supply: Num
    ratio: Num | None = None
    middle: Num | None = None
    at_risk: Num | None = None
    held: Num | None = None
    unknown: tuple[str, ...] = ()
    supply_from: SupplyFrom = SupplyFrom.SETTLEMENTS
    supply_block: int | None = None


class _Sheet(msgspec.Struct):
    """Add up what is held by what its price is of: units of each, what they are worth, and dollars that are sure."""

    sure: Num = ZERO
    units: dict[str, Num] = {}
    prices: dict[str, Worth] = {}
    flows: dict[str, list[tuple[Num, Num]]] = {}
    unknown: set[str] = set()

    def put(self, name: str, units: Num, unit: Worth | None) -> None:
        """Add units of something; nothing of what has no price is nothing."""
        if not units:
            return
        if unit is None:
            self.unknown.add(name)
            return
        self.units[name] = add(self.units.get(name, ZERO), units)
        self.prices[name] = unit

    @property
    def stakes(self) -> tuple[Stake, ...]:
        """Return what is at stake in each price, and what requests may change of it."""
        return tuple(
            Stake(self.units.get(name, ZERO), unit.low, unit.high, tuple(self.flows.get(name, ())))
            for name, unit in self.prices.items()
        )


def backing(book: Book) -> Backing:
    """Return what stands behind the issued dollars."""
    held = collateral(book)
    lines = tuple(
        BackingLine(asset=each.asset.symbol, certain=each.certain, units=each.units, value=each.value) for each in held
    )
    sheet = _Sheet()
    for each in held:
        sheet.put(*_priced_as(book, each.asset, each.certain))
    for position in book.positions.values():
        _hedged(book, sheet, position)
    _flow(book, sheet, held)
    supply, by, at = _counted(book)
    unknown = tuple(sorted(sheet.unknown))
    if unknown:
        return Backing(
            assets=lines, profit=None, value=None, supply=supply, unknown=unknown, supply_from=by, supply_block=at
        )
    stakes = sheet.stakes
    won = _won(book)
    value = won
    for line in lines:
        value = plus(value, line.value or NOTHING)
    ratio = least_ratio(sheet.sure, supply, stakes)
    return Backing(
        assets=lines,
        profit=won,
        value=value,
        supply=supply,
        ratio=ratio,
        middle=None if supply <= ZERO else quotient(_middle(sheet), supply),
        at_risk=least_ratio(subtract(sheet.sure, _unpaid(book)), supply, stakes),
        held=_held(book, ratio, shortfall(sheet.sure, supply, stakes)),
        supply_from=by,
        supply_block=at,
    )


def _counted(book: Book) -> tuple[Num, SupplyFrom, int | None]:
    """Return the supply, whose count it is, and at which block the chain's own was taken."""
    observed = book.supply.observed
    wanted = book.policy.risk.supply if book.policy is not None else SupplyFrom.CHAIN
    if observed is None or wanted is SupplyFrom.SETTLEMENTS:
        return to_units(book.issued, ISSUED_DECIMALS), SupplyFrom.SETTLEMENTS, None
    return to_units(book.issued + observed.difference, ISSUED_DECIMALS), SupplyFrom.CHAIN, observed.block_number


def _priced_as(book: Book, asset: Asset, units: Num) -> tuple[str, Num, Worth | None]:
    """Return whose price units of a collateral move with, how many of that they are, and its price.

    One that is marked itself has a price of its own; any other is its ratio of the underlying.
    """
    if asset.symbol in book.marks.assets:
        return asset.symbol, units, worth(book, asset.symbol)
    return asset.underlying, multiply(units, book.ratio(asset)), worth(book, asset.underlying)


def _hedged(book: Book, sheet: _Sheet, held: Position) -> None:
    """Add a position: q(m - entry) of its quote, where m is its base's price and the distance that its venue marks.

    So it is q(1 + distance) of the base less what it was opened for in the quote. An inverse one is n/S0 of the base
    less n of the quote by that distance. Either has what it won for certain in what it settles in.
    """
    what = contract(book, held.venue, held.symbol)
    base, quote = worth(book, what.base), worth(book, what.quote)
    sheet.put(what.settle, booked(book, held, what), worth(book, what.settle))
    if not held.quantity:
        return
    away = _away(book, held, base, quote)
    if what.inverse:
        sheet.put(what.base, divide(held.quantity, held.entry_price), base)
        sheet.put(what.quote, -divide(held.quantity, away), quote)
    else:
        sheet.put(what.base, multiply(held.quantity, away), base)
        sheet.put(what.quote, -multiply(held.quantity, held.entry_price), quote)


def _away(book: Book, held: Position, base: Worth | None, quote: Worth | None) -> Num:
    """Return what a venue marks a contract at, by what its base is worth: one where it tells no mark."""
    told = book.marks.instruments.get(instrument_key(held.venue, held.symbol))
    if told is None or base is None or quote is None or base.mid <= ZERO:
        return PAR
    return quotient(multiply(told, quote.mid), base.mid)


def _flow(book: Book, sheet: _Sheet, held: tuple[Held, ...]) -> None:
    """Add what each request in flight would change, in units and in supply, below zero where it takes."""
    known = {each.asset.symbol: each for each in held}
    for request in book.requests.values():
        accepted = request.accepted
        there = known.get(accepted.collateral.asset)
        if request.stage is Stage.SETTLED or there is None:
            continue
        atoms, decimals = accepted.collateral.atoms, there.asset.decimals
        name, units, unit = _priced_as(book, there.asset, to_units(atoms, decimals))
        supply = to_units(accepted.issued.atoms, ISSUED_DECIMALS)
        if unit is None:
            sheet.unknown.add(name)
            continue
        sheet.prices.setdefault(name, unit)
        mint = accepted.side is Side.MINT
        sheet.flows.setdefault(name, []).append((units, supply) if mint else (-units, -supply))


def _won(book: Book) -> Interval:
    """Return what positions won in all, USD, each at the price that is against it and at the one that is for it."""
    total = NOTHING
    for held in book.positions.values():
        total = plus(total, profit(book, held) or NOTHING)
    return total


def _middle(sheet: _Sheet) -> Num:
    total = sheet.sure
    for name, units in sheet.units.items():
        total = add(total, multiply(units, sheet.prices[name].mid))
    return total


def _unpaid(book: Book) -> Num:
    """Return the profit that stands at venues unpaid, at most, USD."""
    total = ZERO
    for venue, account in accounts(book):
        there = kept(book, venue, account)
        total = add(total, max(unpaid(book, venue, account, there), open_profit(there).high, ZERO))
    return total


def _held(book: Book, ratio: Num | None, missing: Num) -> Num | None:
    """Return what is held against the limit: what is missing at most, as a part of no less than the floor."""
    floor = book.policy.risk.concentration_floor if book.policy is not None else ZERO
    if ratio is None or not missing or floor <= ZERO:
        return ratio
    return max(ratio, subtract(PAR, quotient(missing, floor, up=True)))
