"""Any other venue of ccxt.pro, through ccxt's unified methods: for looking, not for hedging.

What ccxt unifies differs from venue to venue in signs, sizes and silences, so nothing here is proven: such an account
answers queries and streams, and `submit` refuses until the venue has a dialect that passes the contract tests.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar
from urllib.parse import urlsplit

import ccxt.pro
from ccxt.base.decimal_to_precision import TICK_SIZE
from ccxt.base.errors import OrderNotFound

from adapters.exchange.client import Ccxt
from adapters.exchange.dialect import Dialect, Heard, Lines, Stream, Watch
from adapters.exchange.failures import UNPROVEN, VenueUnsuitable
from adapters.exchange.fields import rows
from adapters.exchange.naming import Market
from adapters.exchange.settings import OrderRate, VenueSettings
from adapters.exchange.unified import parse
from domain.venue import (
    Acknowledgement,
    BalanceReport,
    FeeRates,
    FillReport,
    FundingReport,
    InstrumentReport,
    MarkReport,
    OrderReport,
    PositionReport,
    Rejected,
    RejectReason,
    VenueOrder,
)

PAGES_MAX = 100


class UnifiedDialect(Dialect):
    """Look at one account of a venue that has no dialect of its own."""

    kinds: ClassVar[frozenset[str]] = frozenset({"linear", "inverse", "spot"})
    # No code is believed to be a refusal: nothing is sent.
    code: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")
    reasons: ClassVar[Mapping[str, RejectReason]] = {}
    client_order_id: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z0-9]{1,28}")
    order_rate: ClassVar[OrderRate] = OrderRate(per_s=1, burst=1)
    connected_is_listening: ClassVar[bool] = True
    proven: ClassVar[bool] = False

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._stream: Stream | None = None

    @classmethod
    def own_settings(cls, settings: VenueSettings) -> dict[str, Any]:
        """Return what the settings say for ccxt."""
        return dict(settings.ccxt)

    @classmethod
    def market(cls, item: Mapping[str, Any]) -> Market | None:
        """Name a market by its symbol, as unified payloads do."""
        return parse.market(item)

    @classmethod
    def instrument(cls, item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
        """Read a listing."""
        return parse.instrument(item, market, venue)

    @classmethod
    async def funding_intervals(cls, client: Ccxt, markets: Sequence[Market]) -> Mapping[str, int]:
        """Return the funding intervals; a perpetual that does not tell its own cannot be compared with others.

        The option `fundingIntervalMs` says it for a venue that does not.
        """
        found: dict[str, int] = {}
        for market in markets:
            if market.kind == "spot" or market.expiry_us:
                continue
            told = parse.funding_interval_ms(await client.fetch_funding_rate(market.symbol))
            interval_ms = told or client.options.get("fundingIntervalMs")
            if interval_ms is None:
                raise VenueUnsuitable(f"{cls.ccxt_id} does not tell how often {market.symbol} pays funding")
            found[market.symbol] = interval_ms
        return found

    async def check(self) -> None:
        """Refuse an account in hedge mode, where ccxt can tell."""
        if self.queries.has["fetchPositionMode"] is True:
            mode = await self.queries.fetch_position_mode(next(iter(self.lines.listed)))
            if mode["hedged"] is True:
                raise VenueUnsuitable("the account must be in one-way position mode")

    async def create(self, order: VenueOrder) -> Acknowledgement:
        """Refuse."""
        raise Rejected("venue_rule", f"{order.venue} is {UNPROVEN}")

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Refuse: no order of ours can be here."""
        raise Rejected("venue_rule", f"{symbol} {client_order_id}: {self.ccxt_id} is {UNPROVEN}")

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for an order by our id."""
        try:
            answer = await self.queries.fetch_order(client_order_id, symbol, {"clientOrderId": client_order_id})
        except OrderNotFound:
            return None
        return parse.order(answer, self.of)

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol."""
        return [parse.order(row, self.of) for row in rows(await self.queries.fetch_open_orders(symbol))]

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return the fills in a symbol at or after an instant, oldest first, as far as ccxt pages them."""
        found: dict[tuple[str, ...], FillReport] = {}
        since_ms = since_us // 1_000
        for _ in range(PAGES_MAX):
            page = rows(await self.queries.fetch_my_trades(symbol, since_ms))
            fills = [parse.fill(row, self.of, "sweep") for row in page]
            new = [fill for fill in fills if fill.fill_key not in found]
            if not new:
                break
            found |= {fill.fill_key: fill for fill in new}
            since_ms = max(fill.at_us for fill in new) // 1_000
        return sorted((fill for fill in found.values() if fill.at_us >= since_us), key=lambda fill: fill.at_us)

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return the funding payments at or after an instant, oldest first."""
        found: list[FundingReport] = []
        for symbol, listed in self.lines.listed.items():
            if listed.funding_interval_ms:
                answer = await self.queries.fetch_funding_history(symbol, since_us // 1_000)
                found += [parse.funding(row, self.of) for row in rows(answer)]
        return sorted((each for each in found if each.at_us >= since_us), key=lambda each: each.at_us)

    async def positions(self) -> Sequence[PositionReport]:
        """Return the positions, flat ones left out."""
        symbols = [symbol for symbol, listed in self.lines.listed.items() if listed.kind != "spot"]
        if not symbols:
            return ()
        found = [parse.position(row, self.of) for row in rows(await self.queries.fetch_positions(symbols))]
        return [position for position in found if position.quantity]

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the assets that there is something of."""
        return parse.balances(await self.queries.fetch_balance(), self.of)

    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding."""
        answer = await self.queries.fetch_funding_rate(symbol)
        return parse.mark(answer, self.of, self.lines.listed[symbol].funding_interval_ms)

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays for trades in a symbol."""
        return parse.fee_rates(await self.queries.fetch_trading_fee(symbol), self.of)

    def is_private(self, url: str) -> bool:
        """Say yes: this client watches nothing public."""
        return bool(url)

    def watches(self) -> Sequence[Watch]:
        """Return the account's two unified watches."""
        return [self._watch_orders, self._watch_fills]

    def hear(self, message: Mapping[str, Any]) -> Iterable[Heard]:
        """Read nothing raw: only ccxt knows this venue's words."""
        _ = message
        return ()

    async def tend(self, stream: Stream) -> None:
        """Take the stream to tell things to."""
        self._stream = stream
        await super().tend(stream)

    async def _watch_orders(self) -> None:
        for row in list(await self.private.watch_orders()):
            self._tell(parse.order(row, self.of))

    async def _watch_fills(self) -> None:
        for row in list(await self.private.watch_my_trades()):
            self._tell(parse.fill(row, self.of, "stream"))

    def _tell(self, event: FillReport | OrderReport) -> None:
        if self._stream is not None:
            self._stream.tell(event)


@cache
def unified(ccxt_id: str) -> type[UnifiedDialect]:
    """Return the dialect of any venue of ccxt.pro; it reaches only the hosts that ccxt's class names."""
    if ccxt_id not in ccxt.pro.exchanges:
        raise ValueError(f"ccxt.pro knows no {ccxt_id!r}")
    described = getattr(ccxt.pro, ccxt_id)()
    if described.precisionMode != TICK_SIZE:
        raise ValueError(f"{ccxt_id} does not tell its steps")
    hosts = frozenset(urlsplit(url.format(hostname=described.hostname)).hostname or "" for url in _urls(described.urls))
    return type(f"Unified{ccxt_id.capitalize()}", (UnifiedDialect,), {"ccxt_id": ccxt_id, "hosts": hosts - {""}})


def _urls(tree: object) -> Iterator[str]:
    if isinstance(tree, Mapping):
        for branch in tree.values():
            yield from _urls(branch)
    elif isinstance(tree, str) and "://" in tree:
        yield tree
