"""Fields of OKX's payloads, read strictly: numbers, times and flags are all text, blank where there is nothing."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from adapters.exchange import fields
from adapters.exchange.fields import Payload, Unreadable
from adapters.exchange.naming import Market
from domain.quantity import EXACT
from domain.venue import OrderStatus, Side

TEXT_MAX = 64
# More than any price, size or balance.
NUMBER_MAX = Decimal(10) ** 18
_STATES: Mapping[str, OrderStatus] = {
    "live": "new",
    "partially_filled": "partially_filled",
    "filled": "filled",
    "canceled": "canceled",
    "mmp_canceled": "canceled",
}


def number(row: Payload, name: str) -> Decimal:
    """Return a number, which is told in plain ASCII text and within reason."""
    if not isinstance(row.get(name), str):
        raise Unreadable(f"{name} is no number in a text")
    value = fields.decimal(row, name)
    if abs(value) > NUMBER_MAX:
        raise Unreadable(f"{name} is out of range")
    return value


def identity(row: Payload, name: str) -> str:
    """Return an id, which is a short text with something in it."""
    found = text(row, name)
    if not found:
        raise Unreadable(f"{name} is blank")
    return found


def instant_us(row: Payload, name: str) -> int:
    """Return a time, told as a text of milliseconds, in microseconds."""
    if not isinstance(row.get(name), str):
        raise Unreadable(f"{name} is no time in milliseconds")
    return fields.instant_us(row, name)


def data(answer: object) -> Sequence[Payload]:
    """Return the rows of an answer; a partial success and a page in its place are unreadable."""
    if not isinstance(answer, Mapping) or answer.get("code") != "0":
        raise Unreadable("an answer without a success in it")
    return rows(answer.get("data"))


def rows(found: object) -> Sequence[Payload]:
    """Return what is rows of objects."""
    listed = fields.rows(found)
    if not all(isinstance(row, Mapping) for row in listed):
        raise Unreadable("rows of something else than objects")
    return listed


def only(found: Sequence[Payload]) -> Payload:
    """Return the one row of an answer about one thing."""
    if len(found) != 1:
        raise Unreadable(f"{len(found)} rows instead of one")
    return found[0]


def check_net(row: Payload) -> None:
    """Refuse a row of hedge mode."""
    if row.get("posSide") not in ("net", ""):
        raise Unreadable(f"position side {row.get('posSide')!r}: the account must be in net mode")


def negative(value: Decimal) -> Decimal:
    """Turn a sign; nothing has none."""
    return value.copy_negate() if value else Decimal(0)


def units(row: Payload, name: str, market: Market) -> Decimal:
    """Return a number of contracts in units."""
    return EXACT.multiply(number(row, name), market.contract_size)


def optional(row: Payload, name: str) -> Decimal | None:
    """Return a number that may be left blank."""
    return None if row.get(name) in ("", None) else number(row, name)


def or_zero(row: Payload, name: str) -> Decimal:
    """Return a number that is left blank where there is nothing."""
    return optional(row, name) or Decimal(0)


def price(row: Payload, name: str) -> Decimal:
    """Return a number above zero."""
    value = number(row, name)
    if value <= 0:
        raise Unreadable(f"{name} is {value}")
    return value


def optional_price(row: Payload, name: str) -> Decimal | None:
    """Return a price that is blank, or zero, where there is none."""
    value = optional(row, name) or None
    if value is not None and value < 0:
        raise Unreadable(f"{name} is {value}")
    return value


def text(row: Payload, name: str) -> str:
    """Return a short text, which may be blank."""
    value = row.get(name)
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise Unreadable(f"{name} is no short text")
    return value


def flag(row: Payload, name: str) -> bool:
    """Return a flag, which OKX spells as text."""
    match row.get(name):
        case "true":
            return True
        case "false":
            return False
        case other:
            raise Unreadable(f"{name} is {other!r}, not true or false")


def side(row: Payload) -> Side:
    """Return a side."""
    match row.get("side"):
        case "buy":
            return "buy"
        case "sell":
            return "sell"
        case other:
            raise Unreadable(f"side is {other!r}")


def state(row: Payload) -> OrderStatus:
    """Return an order's status."""
    found = _STATES.get(str(row.get("state")))
    if found is None:
        raise Unreadable(f"state is {row.get('state')!r}, not an order's")
    return found
