"""Ids as Bybit writes them: words like UUIDs, here derived from the engine's numbers and read back into them."""

import re

_ORDER = "b1b17000-0000-4000-8000-"
_TRADE = "e0ec1000-0000-4000-8000-"
_FUNDING = "f0d15000-0000-4000-8000-"
_PRINT = "7a9e0000-0000-4000-8000-"
_NUMBER = re.compile(r"[0-9a-f]{12}")


def order_word(order_id: int) -> str:
    """Return an order's id."""
    return f"{_ORDER}{order_id:012x}"


def order_number(word: str) -> int:
    """Return the number of an order's id, 0 for a word that never was one."""
    number = word.removeprefix(_ORDER)
    return int(number, 16) if number != word and _NUMBER.fullmatch(number) else 0


def trade_word(trade_id: int) -> str:
    """Return a fill's id."""
    return f"{_TRADE}{trade_id:012x}"


def funding_word(income_id: int) -> str:
    """Return a funding payment's id."""
    return f"{_FUNDING}{income_id:012x}"


def print_word(trade_id: int) -> str:
    """Return a public trade's id."""
    return f"{_PRINT}{trade_id:012x}"
