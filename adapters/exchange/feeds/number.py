"""Numbers as venues write them: exact, and held to a grammar and to bounds.

No NaN, no sign, no space, no exponent beyond two digits. A JSON number arrives as its text or as an int, never as a
float. A venue says the same few thousand prices over and over, so a look-up by text replaces reading. Every memory is
bounded.
"""

import re
from decimal import Decimal
from typing import Any

from adapters.exchange.feeds.trouble import Unreadable

PRICE_MAX = Decimal(10) ** 10
SIZE_MAX = Decimal(10) ** 14
RATE_MAX = Decimal(10)
# Texts remembered by one memory; when there are more, it starts anew.
TEXTS_MAX = 32_768
TEXT_CHARS_MAX = 40
PRICE_DECIMALS_MIN = 8

_PLAIN = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")
_SIGNED = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,24})?(?:[eE][+-]?[0-9]{1,2})?")


def exact(value: Any) -> Decimal:
    """Return an unsigned number, from its text or an int; raise `Unreadable`."""
    return _read(value, _PLAIN)


def price(value: Any) -> Decimal:
    """Return a price above zero and within bounds; raise `Unreadable`."""
    found = exact(value)
    if not 0 < found <= PRICE_MAX:
        raise Unreadable(f"a price of {found}")
    return found


def size(value: Any) -> Decimal:
    """Return a traded size above zero and within bounds; raise `Unreadable`."""
    found = exact(value)
    if not 0 < found <= SIZE_MAX:
        raise Unreadable(f"a size of {found}")
    return found


def rate(value: Any) -> Decimal:
    """Return a funding rate, of either sign, as a part of one; raise `Unreadable`."""
    found = _read(value, _SIGNED)
    if abs(found) > RATE_MAX:
        raise Unreadable(f"a rate of {found}")
    return found


class Prices:
    """Map a price's text to its whole number of smallest steps, times `sign`: so the best of either side is least.

    `keys` is looked into directly; what is not in it is learnt.
    """

    def __init__(self, decimals: int, sign: int) -> None:
        self.keys: dict[Any, int] = {}
        held = max(decimals, PRICE_DECIMALS_MIN)
        self._steps = Decimal(10) ** held
        self._step = Decimal(1).scaleb(-held)
        self._written = Decimal(1).scaleb(-decimals)
        self._sign = sign

    def price(self, key: int) -> Decimal:
        """Return the price that a key stands for, written as finely as the tick."""
        found = self._step * (key * self._sign)
        written = found.quantize(self._written)
        return written if written == found else found.normalize()

    def learn(self, text: Any) -> int:
        """Return a price's key and remember it; raise `Unreadable`."""
        steps = price(text) * self._steps
        key = int(steps)
        if key != steps:
            raise Unreadable(f"a price of {text} is finer than this venue's prices are")
        if len(self.keys) >= TEXTS_MAX:
            self.keys.clear()
        key *= self._sign
        self.keys[text] = key
        return key


def _read(value: Any, grammar: re.Pattern[str]) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unreadable(f"not a number: {type(value).__name__}")
    if isinstance(value, int):
        # Compared before it is written out: an int of a million digits takes its time.
        if not -SIZE_MAX <= value <= SIZE_MAX:
            raise Unreadable("a number out of range")
        value = str(value)
    if len(value) > TEXT_CHARS_MAX or not grammar.fullmatch(value):
        raise Unreadable(f"not a number: {value[:TEXT_CHARS_MAX]!r}")
    return Decimal(value)
