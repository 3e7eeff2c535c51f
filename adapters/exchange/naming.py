"""Names: which unified symbol a venue's market id stands for, and what one of its contracts is."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from adapters.exchange.fields import Unreadable
from domain.venue import InstrumentKind


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """Name one market: `key` is what the venue's payloads call it (its id, where that is unique).

    `contract_size` is how many units (base; quote on inverse) one contract is; 1 on spot. `expiry_us` is 0 where
    nothing expires.
    """

    key: str
    market_id: str
    symbol: str
    kind: InstrumentKind
    base: str
    quote: str
    settle: str
    contract_size: Decimal = Decimal(1)
    expiry_us: int = 0


class Account:
    """Name whose payloads are read: venue, account, and every market that they may speak of."""

    def __init__(self, venue: str, account: str, markets: Iterable[Market]) -> None:
        self.venue = venue
        self.account = account
        self._by_key: dict[str, Market] = {}
        self._by_symbol: dict[str, Market] = {}
        self.learn(markets)

    def learn(self, markets: Iterable[Market]) -> None:
        """Take in more markets; those known stay, since the past may still speak of them."""
        for market in markets:
            self._by_key[market.key] = market
            self._by_symbol[market.symbol] = market

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
