"""Fields of a venue's payloads, read strictly: what is missing, binary or misspelt is `Unreadable`, never a default."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from domain.venue import OrderStatus, Side

Payload = Mapping[str, Any]

# What venues spell: ASCII digits, and an exponent of two of them. `Decimal` itself would take "1_0", "NaN", digits of
# any alphabet, and an exponent that no exact sum survives.
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")
# More than any price, size or balance.
NUMBER_MAX = Decimal(10) ** 30
SPELT_MAX = 64
_MILLISECONDS = re.compile(r"[0-9]{1,15}")
TIME_MS_END = 10**15

_STATUSES: Mapping[str, OrderStatus] = {
    "NEW": "new",
    "PARTIALLY_FILLED": "partially_filled",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
    "REJECTED": "rejected",
}


class Unreadable(Exception):
    """Say that a payload is not what the venue documents."""


def decimal(row: Payload, name: str) -> Decimal:
    """Return a field as an exact decimal; a missing, binary or unbelievable number is unreadable."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise Unreadable(f"{name} is {_shown(value)}, not a number in a string")
    if isinstance(value, int) or (len(value) <= SPELT_MAX and _NUMBER.fullmatch(value) is not None):
        number = Decimal(value)
    else:
        raise Unreadable(f"{name} is {_shown(value)}, not a number")
    if number.copy_abs() > NUMBER_MAX:
        raise Unreadable(f"{name} is out of range")
    return number


def number(row: Payload, name: str) -> Decimal:
    """Return a field that the venue tells as a JSON number: of a float, the shortest spelling is what it sent."""
    value = row.get(name)
    return decimal({name: repr(value)} if isinstance(value, float) else row, name)


def not_negative(row: Payload, name: str) -> Decimal:
    """Return an amount that cannot be below zero, given as text."""
    found = decimal(row, name)
    if found < 0:
        raise Unreadable(f"{name} is {found}")
    return found


def part(row: Payload, name: str) -> Payload:
    """Return a nested object."""
    value = row.get(name)
    if not isinstance(value, Mapping):
        raise Unreadable(f"{name} is {value!r}, not an object")
    return value  # pyright: ignore[reportUnknownVariableType] - JSON object, keys are strings


def identity(row: Payload, name: str) -> str:
    """Return an id as text."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise Unreadable(f"{name} is {value!r}, not an id")
    return str(value)


def instant_us(row: Payload, name: str) -> int:
    """Return a time, told in milliseconds, in microseconds."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < TIME_MS_END:
        return value * 1_000
    if not isinstance(value, str) or _MILLISECONDS.fullmatch(value) is None:
        raise Unreadable(f"{name} is {_shown(value)}, not a time in milliseconds")
    return int(value) * 1_000


def flag(row: Payload, name: str) -> bool:
    """Return a flag."""
    value = row.get(name)
    if not isinstance(value, bool):
        raise Unreadable(f"{name} is {value!r}, not true or false")
    return value


def side(row: Payload, name: str) -> Side:
    """Return a side."""
    match row.get(name):
        case "BUY":
            return "buy"
        case "SELL":
            return "sell"
        case other:
            raise Unreadable(f"{name} is {other!r}, not a side")


def status(row: Payload, name: str) -> OrderStatus:
    """Return an order's status."""
    found = _STATUSES.get(str(row.get(name)))
    if found is None:
        raise Unreadable(f"{name} is {row.get(name)!r}, not an order status")
    return found


def rows(answer: object) -> Sequence[Any]:
    """Return an answer that is rows."""
    if not isinstance(answer, list):
        raise Unreadable(f"{type(answer).__name__} instead of rows")
    return answer


def _shown(value: object) -> str:
    # An integer of thousands of digits has no text at all.
    return "a huge number" if isinstance(value, int) and abs(value) > NUMBER_MAX else repr(value)[:SPELT_MAX]
