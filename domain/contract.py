"""Contracts: what an instrument of any venue is, read off its unified symbol where the policy does not say.

`ETH/USDT:USDT` is linear and settles in its quote, `ETH/USD:ETH` inverse and settles in its base, `ETH/USDT` spot; what
expires has its date behind the asset that it settles in.
"""

from functools import lru_cache

import msgspec

LINEAR, INVERSE, SPOT = "linear", "inverse", "spot"
# Symbols are read again and again; each says the same for ever.
REMEMBERED_MAX = 4_096


class Contract(msgspec.Struct, frozen=True, gc=False):
    """Hold what is traded, and how quantity becomes delta: `kind` is linear, inverse or spot.

    `paid_in` is what it settles in where that is neither of what its kind says.
    """

    kind: str
    base: str
    quote: str
    paid_in: str = ""

    @property
    def inverse(self) -> bool:
        """Say whether it is sized in its quote and settles in its base."""
        return self.kind == INVERSE

    @property
    def settle(self) -> str:
        """Return the asset that its profit is paid in."""
        return self.paid_in or (self.base if self.kind == INVERSE else self.quote)


@lru_cache(maxsize=REMEMBERED_MAX)
def contract_of(symbol: str) -> Contract:
    """Return what a unified symbol says; one that says nothing is taken for linear, of a base by its own name."""
    pair, _, settled = symbol.partition(":")
    base, _, quote = pair.partition("/")
    if not settled:
        return Contract(SPOT if quote else LINEAR, base, quote)
    settle = settled.partition("-")[0]
    if settle == base:
        return Contract(INVERSE, base, quote)
    return Contract(LINEAR, base, quote, "" if settle == quote else settle)
