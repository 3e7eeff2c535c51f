"""Fields of a venue's payloads, read strictly: what is missing, binary or misspelt is `Unreadable`, never a default."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from domain.venue import OrderStatus, Side

Payload = Mapping[str, Any]

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
    """Return a field as an exact decimal; a missing, binary or non-finite number is unreadable."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise Unreadable(f"{name} is {value!r}, not a number in a string")
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise Unreadable(f"{name} is {value!r}, not a number") from None
    if not number.is_finite():
        raise Unreadable(f"{name} is {value!r}")
    return number


def number(row: Payload, name: str) -> Decimal:
    """Return a field that the venue tells as a JSON number: of a float, the shortest spelling is what it sent."""
    value = row.get(name)
    return decimal({name: repr(value)} if isinstance(value, float) else row, name)


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
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).isdigit():
        raise Unreadable(f"{name} is {value!r}, not a time in milliseconds")
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
