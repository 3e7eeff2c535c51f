"""Profit: what positions won or lost, by the fills and payments of the log and the marks of the moment.

It is in what a contract settles in: the quote, or the base of an inverse contract, and then worth what that is.
"""

from domain.contract import INVERSE, Contract
from domain.fill import Position
from domain.funding import funding_key
from domain.inverse import profit as inverse_profit
from domain.quantity import ZERO, Interval, Num, add, multiply, subtract
from domain.state import Book
from domain.worth import NOTHING, contract, exactly, mark, plus, valued, worth


def moved(what: Contract, quantity: Num, since: Num, price: Num) -> Num:
    """Return what a position (signed, in its contract's units) won from one price to another, in what it settles in."""
    if what.kind == INVERSE:
        return inverse_profit(quantity, since, price)
    return multiply(quantity, subtract(price, since))


def between(what: Contract, quantity: Num, since: Num, prices: Interval) -> Interval:
    """Return what a position won since a price, at the price that is against it and at the one that is for it."""
    ends = (moved(what, quantity, since, prices.low), moved(what, quantity, since, prices.high))
    return Interval(min(ends), max(ends))


def booked(book: Book, held: Position, what: Contract) -> Num:
    """Return what a position has won for certain, in what it settles in: realised, less fees, and funding."""
    paid = book.outside.funding.get(funding_key(held.venue, held.account, held.symbol, what.settle), ZERO)
    return add(subtract(held.realised, held.fees), paid)


def unrealised(book: Book, held: Position, what: Contract) -> Interval | None:
    """Return what a position would win if it ended now, in what it settles in; None where it has no price."""
    if held.quantity == ZERO:
        return NOTHING
    prices = mark(book, held.venue, held.symbol, what)
    return None if prices is None else between(what, held.quantity, held.entry_price, prices)


def profit(book: Book, held: Position) -> Interval | None:
    """Return all that a position won since the log began, USD; None where something of it has no price.

    What was paid for a spot position is counted against what it is worth now, like that of any other.
    """
    what = contract(book, held.venue, held.symbol)
    open_profit = unrealised(book, held, what)
    if open_profit is None:
        return None
    whole = plus(open_profit, exactly(booked(book, held, what)))
    if whole == NOTHING:
        return NOTHING
    unit = worth(book, what.settle)
    return None if unit is None else valued(whole, unit)
