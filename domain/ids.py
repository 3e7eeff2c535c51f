"""Identities that derive from their cause: the same cause names the same thing, always."""

from functools import lru_cache
from uuid import UUID, uuid5

NAMESPACE = UUID("6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001")

# A stream's id is asked for again and again; the same key always has the same answer.
REMEMBERED_MAX = 8_192
# 120 bits: of all ids ever given, no two are the same.
CLIENT_ORDER_ID_DIGITS = 30


def derive_id(cause: UUID, label: str) -> UUID:
    """Return the id of what `cause` brings about under `label`."""
    return uuid5(cause, label)


@lru_cache(maxsize=REMEMBERED_MAX)
def natural_id(*parts: str) -> UUID:
    """Return the id of a thing that has a natural key outside: the parts, in order, none containing a line break."""
    return uuid5(NAMESPACE, "\n".join(parts))


def client_order_id(order_id: UUID, attempt: int) -> str:
    """Return the venue's client order id of one attempt: 32 characters of [a-z0-9], the most that every venue takes."""
    return "bl" + uuid5(order_id, f"attempt:{attempt}").hex[:CLIENT_ORDER_ID_DIGITS]


def position_key(venue: str, account: str, symbol: str) -> str:
    """Return the key of an instrument on an account of ours, and of what it holds: `venue|account|symbol`."""
    return f"{venue}|{account}|{symbol}"
