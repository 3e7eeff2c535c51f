"""Inverse contracts: sized in quote units, settled in the base; what they are in base units, exactly.

A position of `n` quote units (negative when short) that was opened at S0 has at the price S the profit, in base units,

    profit = n x (1/S0 - 1/S),

so with the wallet balance m (equity without that profit) the equity is E = m + n/S0 - n/S base units, worth E x S =
(m + n/S0) x S - n: linear in S. Its slope is the delta of the book,

    delta = m + n/S0        (a short of N: m - N/S0),

the same at every price. The same number is E + n/S: equity goes with the mark, the wallet with the entry. What mixes
them, m + n/S, is wrong by exactly the unrealised profit.
"""

from decimal import Decimal

from domain.quantity import ZERO, Num, add, divide, multiply, subtract


def contracts_delta(notional: Decimal, entry_price: Decimal) -> Num:
    """Return the part n/S0 of the delta, base units; nothing without a position."""
    return ZERO if notional == 0 else divide(notional, entry_price)


def delta(wallet: Decimal, notional: Decimal, entry_price: Decimal) -> Num:
    """Return the delta of a book, base units: its wallet balance and what its contracts are at their entry price."""
    return add(wallet, contracts_delta(notional, entry_price))


def profit(notional: Decimal, entry_price: Decimal, price: Decimal) -> Num:
    """Return the profit at a price, base units."""
    if notional == 0:
        return ZERO
    return subtract(divide(notional, entry_price), divide(notional, price))


def equity(wallet: Decimal, notional: Decimal, entry_price: Decimal, price: Decimal) -> Num:
    """Return the equity at a price, base units."""
    return add(wallet, profit(notional, entry_price, price))


def slope(notional: Decimal, price: Decimal) -> Num:
    """Return by how much equity (base units) moves with a unit of price: n/S^2, against a short when prices rise."""
    return divide(notional, multiply(price, price))


def gamma(notional: Decimal, price: Decimal) -> Num:
    """Return how that slope itself moves with a unit of price: -2n/S^3, above zero for a short.

    Equity in base units is curved though its worth in quote is not: margin is kept in base, so it shrinks the faster,
    the lower the price, for who is long, and grows so for who is short.
    """
    return divide(multiply(notional, Decimal(-2)), multiply(price, multiply(price, price)))


def mean_entry(before: tuple[Decimal, Decimal], more: tuple[Decimal, Decimal]) -> Num:
    """Return the entry price of two positions (quote units, price) of one sign together, which keeps their n/S0."""
    notional = add(abs(before[0]), abs(more[0]))
    base = add(contracts_delta(abs(before[0]), before[1]), divide(abs(more[0]), more[1]))
    return divide(notional, base)
