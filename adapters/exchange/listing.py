"""What a venue lists of the symbols that we trade, asked without a key; what is traded by mistake is refused here."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from adapters.exchange.client import Ccxt
from adapters.exchange.dialect import Dialect
from adapters.exchange.failures import Failures, VenueUnsuitable
from adapters.exchange.naming import Market
from domain.venue import InstrumentReport


def named_market(speaks: type[Dialect], markets: Mapping[str, Any], symbol: str, venue: str) -> Market:
    """Return the market of a symbol; refuse one that ccxt would read as another market's or kind's.

    On `binanceusdm`, `ETH/USDT` would silently trade the perpetual.
    """
    item = markets.get(symbol)
    if item is None:
        raise VenueUnsuitable(f"{symbol} is not listed at {venue} under that very name")
    market = speaks.market(item)
    if market is None:
        raise VenueUnsuitable(f"{symbol} is {item['type']}, which is not {' or '.join(sorted(speaks.kinds))}")
    return market


def named_markets(speaks: type[Dialect], markets: Mapping[str, Any]) -> Sequence[Market]:
    """Return every market that the venue's payloads may speak of."""
    return [market for item in markets.values() if (market := speaks.market(item)) is not None]


async def listed(
    speaks: type[Dialect], client: Ccxt, failures: Failures, symbols: Sequence[str], venue: str
) -> dict[str, InstrumentReport]:
    """Return the listings of these symbols out of a client's loaded markets, with their funding intervals."""
    markets = [named_market(speaks, client.markets, symbol, venue) for symbol in symbols]
    intervals = await failures.asked(speaks.funding_intervals(client, markets))
    return {
        market.symbol: msgspec.structs.replace(
            speaks.instrument(client.markets[market.symbol], market, venue),
            funding_interval_ms=intervals.get(market.symbol, 0),
        )
        for market in markets
    }
