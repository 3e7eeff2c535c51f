"""Fields of Deribit's payloads, whose numbers and times are JSON numbers: a string in their place is unreadable.

What a report must not hold is refused here: sizes below zero, prices that are none, numbers no market has.
"""

from decimal import Decimal

from adapters.exchange.fields import Payload, Unreadable

NUMBER_MAX = Decimal(10) ** 15
TIME_MS_MAX = 10**14
TEXT_MAX = 100
LABEL_MAX = 64


def number(row: Payload, name: str) -> Decimal:
    """Return a number; of a float, the shortest spelling is what the venue sent."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= NUMBER_MAX:
        raise Unreadable(f"{name} is {str(value)[:TEXT_MAX]!r}, not a number of any market")
    return Decimal(repr(value))


def size(row: Payload, name: str) -> Decimal:
    """Return a number that is not below zero."""
    found = number(row, name)
    if found < 0:
        raise Unreadable(f"{name} is {found}, below zero")
    return found


def above_zero(row: Payload, name: str) -> Decimal:
    """Return a number above zero: a price, or what somebody ordered."""
    found = number(row, name)
    if found <= 0:
        raise Unreadable(f"{name} is {found}, not above zero")
    return found


def instant_us(row: Payload, name: str) -> int:
    """Return a time, told in milliseconds, in microseconds."""
    return _whole(row, name) * 1_000


def answered_us(answer: Payload) -> int:
    """Return when the venue answered, which it tells in microseconds."""
    return _whole(answer, "usOut", TIME_MS_MAX * 1_000)


def identity(row: Payload, name: str) -> str:
    """Return an id as text."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not 0 < len(str(value)) <= TEXT_MAX:
        raise Unreadable(f"{name} is not an id")
    return str(value)


def label(row: Payload) -> str:
    """Return our order id, "" on orders that nobody named."""
    found = row.get("label", "")
    if not isinstance(found, str) or len(found) > LABEL_MAX:
        raise Unreadable("label is not an id of ours or anybody's")
    return found


def _whole(row: Payload, name: str, most: int = TIME_MS_MAX) -> int:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
        raise Unreadable(f"{name} is {str(value)[:TEXT_MAX]!r}, not a time")
    return value
