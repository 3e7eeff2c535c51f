"""Deribit's margin as tiers. No method of its tells it: the standard model is documented, a line that rises with size.

A tier takes the rate at its upper end, so that nothing is held to be cheaper than it is. Portfolio margin is less.
Source: Deribit's knowledge base, margin of futures and perpetuals.
"""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

import msgspec

from domain.venue import MarginTier

TIERS = 20
_LEVERAGE_DIGITS = Decimal("0.01")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Hold where maintenance and initial margin begin, and by how much both rise with each `coins`."""

    maintenance: Decimal = Decimal("0.01")
    initial: Decimal = Decimal("0.02")
    rise: Decimal = Decimal("0.005")
    coins: Decimal


LINES: Mapping[str, Line] = {"BTC": Line(coins=Decimal(100)), "ETH": Line(coins=Decimal(2_500))}


def margin_tiers(base: str, coin_price: Decimal) -> tuple[MarginTier, ...]:
    """Return the tiers of a coin's contracts, their bounds times `coin_price`: 1 where they count coins (inverse).

    A coin whose line we do not know has none.
    """
    line = LINES.get(base)
    if line is None:
        return ()
    return tuple(
        MarginTier(
            notional_from=line.coins * number * coin_price,
            maintenance_rate=line.maintenance + line.rise * (number + 1),
            leverage_max=(1 / (line.initial + line.rise * (number + 1))).quantize(_LEVERAGE_DIGITS, ROUND_DOWN),
        )
        for number in range(TIERS)
    )
