"""Names: which unified symbol a venue's market id stands for, and what one of its contracts is."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from adapters.exchange.fields import Unreadable
from domain.venue import InstrumentKind


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """Name one market: `key` is what the venue's payloads call it (its id, where that is unique).

    `contract_size` is how many units (base; quote on inverse) one contract is; 1 on spot.
    """

    key: str
    market_id: str
    symbol: str
    kind: InstrumentKind
    base: str
    quote: str
    settle: str
    contract_size: Decimal = Decimal(1)


class Account:
    """Name whose payloads are read: venue, account, and every market that they may speak of."""

    def __init__(self, venue: str, account: str, markets: Iterable[Market]) -> None:
        self.venue = venue
        self.account = account
        self._by_key: Mapping[str, Market] = {market.key: market for market in markets}
        self._by_symbol: Mapping[str, Market] = {market.symbol: market for market in self._by_key.values()}

    def market(self, key: object) -> Market:
        """Return the market that a payload names."""
        found = self._by_key.get(str(key))
        if found is None:
            raise Unreadable(f"unknown market {key!r}")
        return found

    def symbol(self, key: object) -> str:
        """Return the unified symbol of the market that a payload names."""
        return self.market(key).symbol

    def named(self, symbol: str) -> Market:
        """Return the market of a unified symbol."""
        found = self._by_symbol.get(symbol)
        if found is None:
            raise Unreadable(f"unknown symbol {symbol!r}")
        return found


def kind_of(market: Mapping[str, Any]) -> InstrumentKind | None:
    """Return the kind of a market of ccxt; None for what we do not trade: options, quanto contracts, margin pairs."""
    if market["type"] == "spot":
        return "spot"
    if market["type"] not in {"swap", "future"}:
        return None
    if market["linear"] is True:
        return "linear"
    return "inverse" if market["inverse"] is True else None
