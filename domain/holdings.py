"""Holdings: what an account holds, contract by contract, by the log and by its venue's own word, and its worth.

Positions and orders are the log's. The venue tells marks, unrealised profit and margins as a sweep saw them; from there
they go with the marks of the log.
"""

import msgspec

from domain.account import AccountObserved, Balance, Held, account_key
from domain.contract import SPOT, Contract
from domain.fill import Position
from domain.flow import Line
from domain.profit import between, booked, profit, unrealised
from domain.quantity import BPS, ZERO, Interval, Num, add, divide, multiply, subtract
from domain.state import Book
from domain.vault import settled_key
from domain.worth import NOTHING, Worth, contract, exactly, mark, plus, valued, worth


class Kept(msgspec.Struct, frozen=True, gc=False):
    """Hold one contract of an account: what it is, what the log and the venue say of it, and what it is valued at.

    `prices` are quote per base; `paid` is what a unit of its quote is worth, `unit` of what it settles in. `won` is
    what the position won since its venue marked it, in what it settles in.
    """

    symbol: str
    what: Contract
    line: Line | None
    told: Held | None
    held: Position | None
    prices: Interval | None
    paid: Worth | None
    unit: Worth | None
    won: Interval

    @property
    def quantity(self) -> Num:
        """Return what is held by the log, in the contract's units; by the venue where the log knows nothing of it."""
        if self.line is not None:
            return self.line.position
        return self.told.quantity if self.told is not None else ZERO

    @property
    def most(self) -> Num:
        """Return the most that may be held, whatever of its orders fills."""
        return self.line.gross if self.line is not None else abs(self.quantity)

    @property
    def standing(self) -> Held | None:
        """Return the venue's word on it, if it is a position and was marked."""
        told = self.told
        return told if told is not None and told.quantity and told.mark_price > ZERO else None

    def notional(self, quantity: Num) -> Num:
        """Return what so much of it is worth at most, USD: of an inverse contract, its own quote units."""
        if not quantity or self.paid is None or self.prices is None:
            return ZERO
        value = quantity if self.what.inverse else multiply(quantity, self.prices.high)
        return multiply(abs(value), self.paid.high)

    def usd(self, amount: Interval) -> Interval:
        """Return what an amount of what it settles in is worth."""
        return NOTHING if self.unit is None else valued(amount, self.unit)


def accounts(book: Book) -> tuple[tuple[str, str], ...]:
    """Return every account there is, venue and name: of the policy, of what is held or ordered, and as observed."""
    found = {(line.venue, line.account) for line in book.flow.lines.values()}
    found |= {(seen.venue, seen.account) for seen in book.outside.accounts.values()}
    return tuple(sorted(found))


def kept(book: Book, venue: str, account: str) -> tuple[Kept, ...]:
    """Return what an account holds of contracts, and what its open orders may bring; spot is no contract."""
    seen = book.outside.accounts.get(account_key(venue, account))
    told = {held.symbol: held for held in seen.positions} if seen is not None else {}
    found: list[Kept] = []
    for key, line in book.flow.lines.items():
        if line.venue != venue or line.account != account:
            continue
        what = Contract(line.kind, line.base, line.quote) if line.base else contract(book, venue, line.symbol)
        there = told.pop(line.symbol, None)
        if what.kind != SPOT and (there is not None or line.gross or key in book.positions):
            found.append(_kept(book, venue, line.symbol, what, (there, line, book.positions.get(key))))
    for symbol, held in told.items():
        found.append(_kept(book, venue, symbol, contract(book, venue, symbol), (held, None, None)))
    return tuple(found)


def _kept(
    book: Book, venue: str, symbol: str, what: Contract, sides: tuple[Held | None, Line | None, Position | None]
) -> Kept:
    told, line, held = sides
    prices, paid = mark(book, venue, symbol, what), worth(book, what.quote)
    if prices is None and told is not None and told.mark_price > ZERO:
        prices = exactly(told.mark_price)
    unit = worth(book, what.base) if what.inverse else paid
    won = NOTHING
    if told is not None and told.quantity and told.mark_price > ZERO and prices is not None:
        won = between(what, told.quantity, told.mark_price, prices)
    return Kept(symbol, what, line, told, held, prices, paid, unit, won)


def unpriced(book: Book, seen: AccountObserved | None, there: tuple[Kept, ...]) -> tuple[str, ...]:
    """Return what has no price and is there: nothing times what is not known is nothing.

    A balance that has none counts as nothing, as no margin that could be relied on; a debt has to be known.
    """
    names = [each.asset for each in seen.balances if each.margin < ZERO] if seen is not None else []
    missing = {name for name in names if worth(book, name) is None}
    for each in there:
        if not each.most and (each.told is None or not each.told.quantity):
            continue
        if each.prices is None:
            missing.add(each.symbol)
        if each.paid is None or each.unit is None:
            missing.add(each.what.settle if each.unit is None else each.what.quote)
    return tuple(sorted(missing))


def balances(book: Book, told: tuple[Balance, ...]) -> Interval:
    """Return what balances are worth, unrealised profit with them, USD."""
    total = NOTHING
    for each in told:
        unit = worth(book, each.asset) if each.margin else None
        if unit is not None:
            total = plus(total, valued(exactly(each.margin), unit))
    return total


def moved(there: tuple[Kept, ...]) -> Interval:
    """Return what positions won since their venue marked them, USD."""
    total = NOTHING
    for each in there:
        total = plus(total, each.usd(each.won))
    return total


def slack(book: Book, there: tuple[Kept, ...]) -> Interval:
    """Return what was traded since the account was seen may have cost or won: its slippage and its fee, USD."""
    policy = book.policy
    total = ZERO
    for each in there:
        told = each.told.quantity if each.told is not None else ZERO
        traded = abs(subtract(each.quantity, told))
        if traded and policy is not None and each.line is not None:
            bps = add(policy.hedge_slippage_bps, _fee_bps(book, each.line))
            total = add(total, divide(multiply(each.notional(traded), bps), BPS))
    return Interval(-total, total)


def _fee_bps(book: Book, line: Line) -> Num:
    for each in book.policy.instruments if book.policy is not None else ():
        if each.venue == line.venue and each.symbol == line.symbol:
            return each.taker_fee_bps
    return ZERO


def open_profit(there: tuple[Kept, ...]) -> Interval:
    """Return the profit that stands open by the venue's word and the marks since, USD."""
    total = NOTHING
    for each in there:
        if each.told is not None and each.told.quantity:
            total = plus(total, each.usd(plus(exactly(each.told.unrealised), each.won)))
    return total


def unpaid(book: Book, venue: str, account: str, there: tuple[Kept, ...]) -> Num:
    """Return all that contracts won there by the log, less what custodians settled, at most, USD; a loss is below zero.

    It counts as at the venue until somebody tells that it was paid out.
    """
    total = ZERO
    settles: dict[str, Worth] = {}
    for each in there:
        won = profit(book, each.held) if each.held is not None else None
        if won is not None:
            total = add(total, won.high)
        if each.unit is not None:
            settles[each.what.settle] = each.unit
    for asset, unit in settles.items():
        paid = book.vault.settled.get(settled_key(venue, account, asset), ZERO)
        if paid:
            total = subtract(total, valued(exactly(paid), unit).low)
    return total


class Purse(msgspec.Struct, frozen=True, gc=False):
    """Hold what an account has in one asset, units: `value` with what is unrealised, and `entered`.

    That is its wallet and the entry value of its shorts, less that of its longs: what it would lose with the asset, if
    all else kept its worth in dollars.
    """

    value: Interval
    entered: Num


def purses(book: Book, seen: AccountObserved | None, there: tuple[Kept, ...]) -> dict[str, Purse]:
    """Return what an account has by asset; of one that was never seen, what was won there by the log."""
    found: dict[str, Purse] = {}
    for balance in seen.balances if seen is not None else ():
        found[balance.asset] = Purse(exactly(balance.margin), balance.wallet)
    for each in there:
        value, entered = each.won, ZERO
        if each.held is not None:
            if seen is None:
                sure = booked(book, each.held, each.what)
                value = plus(unrealised(book, each.held, each.what) or NOTHING, exactly(sure))
                entered = sure
            if not each.what.inverse:
                entered = subtract(entered, multiply(each.held.quantity, each.held.entry_price))
        before = found.get(each.what.settle)
        if before is not None:
            value, entered = plus(value, before.value), add(entered, before.entered)
        found[each.what.settle] = Purse(value, entered)
    return found
