"""What Bybit lists: filters, funding intervals, risk limits. Pure: dicts in, reports out, `Unreadable` for the rest."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from adapters.exchange.fields import Payload, Unreadable, decimal, part
from adapters.exchange.naming import Market
from domain.venue import InstrumentReport, MarginTier

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
INTERVAL_MS_MAX = 7 * 24 * HOUR_MS
# ccxt takes the least order of an inverse contract for its size; it is a dollar, and a linear one is a coin.
CONTRACT_SIZE = Decimal(1)
# Initial margin times the highest leverage is about 1 where rates are fractions, and about 100 where they are percent.
_PERCENT_FROM = Decimal(10)


def instrument(item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
    """Read a listing out of its raw filters."""
    sizes, prices = part(item["info"], "lotSizeFilter"), part(item["info"], "priceFilter")
    return InstrumentReport(
        venue=venue,
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        settle=market.settle,
        tick=decimal(prices, "tickSize"),
        step=decimal(sizes, "qtyStep"),
        quantity_min=decimal(sizes, "minOrderQty"),
        quantity_max=decimal(sizes, "maxOrderQty"),
        notional_min=decimal(sizes, "minNotionalValue") if sizes.get("minNotionalValue") else Decimal(0),
        market_id=market.market_id,
        kind=market.kind,
        contract_size=market.contract_size,
        expiry_us=market.expiry_us,
    )


def funding_interval_ms(item: Mapping[str, Any]) -> int:
    """Return the funding interval of a listing, which tells it in minutes; dated contracts pay none."""
    return 0 if item.get("expiry") else interval_ms(item["info"], "fundingInterval", MINUTE_MS)


def margin_tiers(found: Iterable[Payload]) -> tuple[MarginTier, ...]:
    """Read one symbol's risk limits, lowest first: each tells where it ends, which is where the next begins.

    The rates are fractions on some contracts and percents on others; their leverage says which.
    """
    tiers: list[MarginTier] = []
    begins = Decimal(0)
    for row in sorted(found, key=lambda row: decimal(row, "riskLimitValue")):
        leverage = decimal(row, "maxLeverage")
        percent = decimal(row, "initialMargin") * leverage >= _PERCENT_FROM
        rate = decimal(row, "maintenanceMargin")
        tiers.append(
            MarginTier(notional_from=begins, maintenance_rate=rate / 100 if percent else rate, leverage_max=leverage)
        )
        begins = decimal(row, "riskLimitValue")
    return tuple(tiers)


def interval_ms(row: Payload, name: str, unit_ms: int) -> int:
    """Return a funding interval; none is longer than a week."""
    told = decimal(row, name)
    if not 0 < told <= Decimal(INTERVAL_MS_MAX) / unit_ms:
        raise Unreadable(f"{name} is {row.get(name)!r}, not a funding interval")
    return int(told * unit_ms)
