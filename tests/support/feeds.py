"""Listings for feeds in tests."""

from decimal import Decimal
from typing import Any

from domain.venue import InstrumentReport

HOUR_MS = 3_600_000


def listing(venue: str, symbol: str, market_id: str, **changes: Any) -> InstrumentReport:
    base, _, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    fields: dict[str, Any] = {
        "venue": venue,
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "settle": settle or quote,
        "tick": Decimal("0.01"),
        "step": Decimal("0.001"),
        "quantity_min": Decimal("0.001"),
        "quantity_max": Decimal(10_000),
        "notional_min": Decimal(5),
        "market_id": market_id,
        "kind": "linear" if settle else "spot",
        "funding_interval_ms": 8 * HOUR_MS if settle else 0,
    }
    return InstrumentReport(**(fields | changes))
