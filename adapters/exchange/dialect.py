"""The half of a venue account that is the venue's own: its class in ccxt, hosts, codes, endpoints, payloads, topics.

`VenueAccount` does what is common and calls a dialect for the rest. A dialect's methods may raise anything: what it
means is `Failures`' to say, and an unreadable answer is never taken for a refusal.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Protocol

import msgspec

from adapters.exchange.client import Ccxt
from adapters.exchange.failures import Failures
from adapters.exchange.naming import Account, Market, kind_of
from adapters.exchange.settings import OrderRate, VenueSettings
from domain.venue import (
    Acknowledgement,
    BalanceReport,
    FeeRates,
    FillReport,
    FundingReport,
    InstrumentReport,
    MarginTier,
    MarkReport,
    OrderReport,
    PositionReport,
    Rejected,
    RejectReason,
    VenueOrder,
)


class Listening(msgspec.Struct, frozen=True):
    """Say that the venue confirmed the private stream: from here on every event is told."""


class Dropped(msgspec.Struct, frozen=True):
    """Say that the venue ended the private stream without closing the connection."""

    reason: str


Heard = FillReport | OrderReport | Listening | Dropped
Watch = Callable[[], Awaitable[Any]]


def acknowledge(report: OrderReport) -> Acknowledgement:
    """Return what an order's state acknowledges."""
    return Acknowledgement(
        venue_order_id=report.venue_order_id,
        client_order_id=report.client_order_id,
        status=report.status,
        filled=report.filled,
        accepted_quantity=report.quantity,
        at_us=report.at_us,
    )


class Stream(Protocol):
    """Show a dialect the private stream that it tends."""

    @property
    def is_up(self) -> bool:
        """Say whether the stream is up."""
        ...

    def reconnect(self, reason: str) -> None:
        """Drop the private sockets, so that ccxt logs on anew."""
        ...

    def tell(self, event: FillReport | OrderReport) -> None:
        """Hand out an event that was not read off a socket."""
        ...


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one account's lines to its venue.

    Each client has one queue for all its calls, so orders, queries and the private stream have one each. `listed` are
    the instruments of the settings, by symbol.
    """

    orders: Ccxt
    queries: Ccxt
    private: Ccxt
    of: Account
    listed: Mapping[str, InstrumentReport]
    settings: VenueSettings
    failures: Failures


class Dialect(ABC):
    """Speak with one account of one venue. Subclasses set the class variables and fill in the calls.

    Quantities come in and go out in units (base; quote on inverse): a venue's contracts stay in its dialect.
    """

    ccxt_id: ClassVar[str]
    hosts: ClassVar[frozenset[str]]
    kinds: ClassVar[frozenset[str]]
    """The kinds of instruments that this account trades: of linear, inverse, spot."""
    code: ClassVar[re.Pattern[str]]
    """Finds the venue's code in the text of an error; its group 1 is the code."""
    reasons: ClassVar[Mapping[str, RejectReason]]
    """What the codes mean that the venue gives before doing anything; a code that is not here is Unknown."""
    client_order_id: ClassVar[re.Pattern[str]]
    order_rate: ClassVar[OrderRate]
    """Our own order rate: well below what the venue documents for one account."""
    connected_is_listening: ClassVar[bool] = False
    """True where a socket that is up needs no log-on or subscription any more."""
    proven: ClassVar[bool] = True

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.orders = lines.orders
        self.queries = lines.queries
        self.private = lines.private
        self.of = lines.of
        self.settings = lines.settings

    @classmethod
    @abstractmethod
    def own_settings(cls, settings: VenueSettings) -> dict[str, Any]:
        """Return what ccxt's class is told beyond keys and timeouts: `options`, `has`, `rateLimit`."""

    @classmethod
    def absence_after_ms(cls, settings: VenueSettings) -> int:
        """Return how long after sending "no such order" may be believed: a request's validity and the settling."""
        return settings.recv_window_ms + settings.settling_ms

    @classmethod
    def reason(cls, code: str, text: str) -> RejectReason | None:  # noqa: ARG003 - some venues' codes need the text
        """Say what a code means; None when it does not surely mean a refusal."""
        return cls.reasons.get(code)

    @classmethod
    def market(cls, item: Mapping[str, Any]) -> Market | None:
        """Name a market of ccxt; None for what this dialect does not speak of."""
        kind = kind_of(item)
        if kind is None or kind not in cls.kinds:
            return None
        return Market(
            key=str(item["id"]),
            market_id=str(item["id"]),
            symbol=str(item["symbol"]),
            kind=kind,
            base=str(item["base"]),
            quote=str(item["quote"]),
            settle=str(item["settle"] or item["quote"]),
            contract_size=Decimal(1) if kind == "spot" else Decimal(str(item["contractSize"])),
            expiry_us=int(item.get("expiry") or 0) * 1_000,
        )

    @classmethod
    @abstractmethod
    def instrument(cls, item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
        """Read a listing out of ccxt's market (numbers as strings) and its raw `info`; all sizes in units."""

    @classmethod
    async def funding_intervals(
        cls,
        client: Ccxt,  # noqa: ARG003 - some venues must be asked
        markets: Sequence[Market],
    ) -> Mapping[str, int]:
        """Return the funding interval of these markets in ms by symbol, asked without a key; missing means none."""
        return {market.symbol: 0 for market in markets}

    async def margin_tiers(self) -> Mapping[str, tuple[MarginTier, ...]]:
        """Return the margin tiers of the listed symbols."""
        return {}

    async def time_ms(self) -> int:
        """Ask the venue for its time."""
        return int(await self.queries.fetch_time())

    @abstractmethod
    async def check(self) -> None:
        """Refuse, with `VenueUnsuitable`, an account in a mode that we would misread: hedge mode, wrong margin mode."""

    @abstractmethod
    async def create(self, order: VenueOrder) -> Acknowledgement | None:
        """Send an order; None when the venue took it without saying what it wrote down: it is read back then."""

    async def read_back(self, order: VenueOrder) -> OrderReport | Rejected | None:
        """Find an order whose creation was answered without its state; a refusal told only there is returned."""
        return await self.order_state(order.symbol, order.client_order_id)

    @abstractmethod
    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Cancel an order; None when the answer does not tell its state: it is read back then."""

    @abstractmethod
    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for the newest order with our id; None, or an error that means `unknown_order`, when there is none."""

    @abstractmethod
    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Return the open orders of a symbol."""

    @abstractmethod
    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill in a symbol at or after an instant, oldest first, all pages."""

    @abstractmethod
    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first, all pages."""

    @abstractmethod
    async def positions(self) -> Sequence[PositionReport]:
        """Return the positions that are not flat."""

    @abstractmethod
    async def balances(self) -> Sequence[BalanceReport]:
        """Return every asset of the account with money in it."""

    @abstractmethod
    async def mark(self, symbol: str) -> MarkReport:
        """Return mark, index and funding of a symbol."""

    async def open_interest(self, symbol: str) -> Decimal | None:  # noqa: ARG002 - some markets have none
        """Return what all traders hold of a contract, in units (base; quote on inverse); None where nothing is held."""
        return None

    @abstractmethod
    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays for trades in a symbol."""

    @abstractmethod
    def is_private(self, url: str) -> bool:
        """Say whether a socket of this URL carries the account's events."""

    @abstractmethod
    def watches(self) -> Sequence[Watch]:
        """Return the calls of ccxt (on `self.private`) that keep the private stream subscribed; each is repeated."""

    @abstractmethod
    def hear(self, message: Mapping[str, Any]) -> Iterable[Heard]:
        """Read a message of a private socket; anything raised makes the reader sweep."""

    @classmethod
    def switch_s(cls, settings: VenueSettings) -> int | None:  # noqa: ARG003 - most venues have one
        """Return how long after the last sign of life the venue cancels our orders; None where it has no such switch.

        It is how long what `arm` did may be believed, too.
        """
        return None

    async def arm(self) -> None:  # noqa: B027 - some venues have no switch
        """Arm the venue's dead-man's switch, or give it more time; anything raised says that it may not be armed."""

    async def disarm(self) -> None:  # noqa: B027 - some switches go with their connection
        """Stop the venue's dead-man's switch: nothing is open any more."""

    async def settle(self) -> None:  # noqa: B027 - most venues need nothing
        """Wait a little for what orders need beside the clients, once the account's tasks run."""

    def forget(self) -> None:  # noqa: B027 - most venues have nothing to forget
        """Forget what the lost socket had confirmed, and what ccxt must not use again."""

    async def tend(self, stream: Stream) -> None:  # noqa: ARG002 - some venues' streams need care
        """Do, until cancelled, what the stream needs beside listening."""
        await asyncio.Event().wait()
