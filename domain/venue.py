"""What passes between the house and a trading venue: orders out; fills, states and books back.

Quantities are never contracts: they are base units (ETH) on spot and linear instruments, quote units (USD) on inverse
ones, as `InstrumentReport.kind` says. Prices are quote units per base unit. Both are exact decimals. Times are integer
microseconds since the Unix epoch, UTC. Sides are seen from our account. Symbols are unified, `ETH/USDT:USDT`. Venues
go by their ccxt ids: `binanceusdm`, `binancecoinm`, `binance` (spot), `bybit`, `okx`, `deribit`.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from domain import refusal
from domain.quantity import Num, divide, multiply

Side = Literal["buy", "sell"]
TimeInForce = Literal["gtc", "ioc", "fok", "gtx"]
"""How long an order lives: until cancelled, at once or not, all at once or not, or only as maker (post-only)."""

OrderStatus = Literal["new", "partially_filled", "filled", "canceled", "expired", "rejected"]
TERMINAL: frozenset[OrderStatus] = frozenset({"filled", "canceled", "expired", "rejected"})

RejectReason = Literal[
    "malformed",
    "not_authorised",
    "unknown_symbol",
    "size_or_price_step",
    "min_notional",
    "price_band",
    "insufficient_margin",
    "reduce_only",
    "post_only_would_take",
    "duplicate_client_order_id",
    "too_many_orders",
    "unknown_order",
    "venue_rule",
]

FillKey = tuple[str, str, str, str, str, str]
BookLevel = tuple[Decimal, Decimal]


class VenueFailure(Exception):
    """Root of what a venue call may raise.

    VenueFailure
    ├── Rejected      surely not done, and asking again the same way will not help
    ├── Unavailable   surely not done: nothing was sent
    │   └── RateSpent our own order rate had no room for it in time
    └── Unknown       may be done: ask the venue by client order id, never resend
    """


class Rejected(VenueFailure, refusal.Rejected):
    """Say that the venue, or the adapter before sending, definitely refused."""

    def __init__(self, reason: RejectReason, text: str) -> None:
        super().__init__(reason, text)
        self.reason: RejectReason = reason


class Unavailable(VenueFailure, refusal.Unavailable):
    """Say that provably nothing was sent: no connection came to be."""


class RateSpent(Unavailable):
    """Say that our own order rate had no room in time: nothing was sent."""


class Unknown(VenueFailure, refusal.Unknown):
    """Say that the outcome cannot be known from the answer."""


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Ask a venue to trade. `limit_price` None asks at market; a market order takes only `ioc`."""

    venue: str
    account: str
    symbol: str
    side: Side
    quantity: Decimal
    limit_price: Decimal | None
    time_in_force: TimeInForce
    reduce_only: bool
    client_order_id: str


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the venue's answer to a submitted order.

    `accepted_quantity` is the size as the venue wrote it down, which may differ from what was asked; `filled` is what
    was filled at that moment; fills themselves come by `FillReport`.
    """

    venue_order_id: str
    client_order_id: str
    status: OrderStatus
    filled: Decimal
    accepted_quantity: Decimal
    at_us: int


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """Show the state of one of our orders as the venue tells it, by stream or when asked.

    `average_price` is None while nothing is filled.
    """

    venue: str
    account: str
    symbol: str
    venue_order_id: str
    client_order_id: str
    side: Side
    status: OrderStatus
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None
    average_price: Decimal | None
    reduce_only: bool
    at_us: int


OrderState = OrderReport


class FillReport(msgspec.Struct, frozen=True, kw_only=True):
    """Show one fill. The same fill may be reported many times, by several sources; its key says that it is one.

    `fee_quantity` is positive when it was paid, negative when it was earned. `client_order_id` is None where the source
    does not tell it. `source` says who told us.
    """

    venue: str
    account: str
    symbol: str
    trade_id: str
    venue_order_id: str
    client_order_id: str | None
    side: Side
    price: Decimal
    quantity: Decimal
    fee_asset: str
    fee_quantity: Decimal
    liquidity: Literal["maker", "taker"]
    kind: Literal["trade", "liquidation", "adl"]
    source: Literal["stream", "sweep"]
    at_us: int

    @property
    def fill_key(self) -> FillKey:
        """Return the key under which this fill counts once, whatever the source."""
        return (self.venue, self.account, self.symbol, self.trade_id, self.venue_order_id, self.side)


class PositionReport(msgspec.Struct, frozen=True, kw_only=True):
    """Show a position: `quantity` is negative for a short; `entry_price` is None when flat."""

    venue: str
    account: str
    symbol: str
    quantity: Decimal
    entry_price: Decimal | None
    mark_price: Decimal
    unrealised_profit: Decimal
    liquidation_price: Decimal | None
    initial_margin: Decimal
    maintenance_margin: Decimal
    at_us: int


class BalanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """Show one asset of a margin account.

    `wallet` leaves unrealised profit out, `margin` has it in, `available` is what new orders may use.
    """

    venue: str
    account: str
    asset: str
    wallet: Decimal
    margin: Decimal
    available: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    at_us: int


HOUR_MS = 3_600_000


class MarkReport(msgspec.Struct, frozen=True, kw_only=True):
    """Show a perpetual's mark and funding: `funding_rate` is for one interval and is due at `next_funding_us`.

    Venues' intervals differ (1, 4, 8 hours): rates are compared per hour only.
    """

    venue: str
    symbol: str
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal
    funding_interval_ms: int
    next_funding_us: int
    at_us: int

    @property
    def funding_per_hour(self) -> Num:
        """Return the funding rate per hour."""
        return divide(multiply(self.funding_rate, Decimal(HOUR_MS)), Decimal(self.funding_interval_ms))


class FeeRates(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what the account pays at a venue, as parts of the notional; a negative rate is earned."""

    venue: str
    symbol: str
    maker: Decimal
    taker: Decimal


class FundingReport(msgspec.Struct, frozen=True, kw_only=True):
    """Show one funding payment: `amount` is positive when received. `payment_id` is the venue's own."""

    venue: str
    account: str
    symbol: str
    payment_id: str
    asset: str
    amount: Decimal
    at_us: int


InstrumentKind = Literal["linear", "inverse", "spot"]


class MarginTier(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the margin rule that holds from a notional (quote units; base units on inverse contracts) upwards."""

    notional_from: Decimal
    maintenance_rate: Decimal
    leverage_max: Decimal


class InstrumentReport(msgspec.Struct, frozen=True, kw_only=True):
    """Show what a venue lists and its filters: prices step by `tick`, quantities by `step`.

    `market_id` is the venue's own name, `contract_size` how many units (base; quote on inverse) one of its contracts
    is: steps and bounds here are in units, as everywhere. `funding_interval_ms` is 0 where nothing is paid, `expiry_us`
    0 where nothing expires.
    """

    venue: str
    symbol: str
    base: str
    quote: str
    settle: str
    tick: Decimal
    step: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    notional_min: Decimal
    market_id: str = ""
    kind: InstrumentKind = "linear"
    contract_size: Decimal = Decimal(1)
    funding_interval_ms: int = 0
    expiry_us: int = 0
    margin_tiers: tuple[MarginTier, ...] = ()


class BookTop(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the best bid and ask."""

    bid_price: Decimal
    bid_quantity: Decimal
    ask_price: Decimal
    ask_quantity: Decimal


class BookUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a book as it stood after one update: levels are (price, quantity), best first.

    `sequence` is the venue's update id. `exchange_at_us` is the venue's clock, `received_at_us` ours: their difference
    is transport and clock skew, never age.
    """

    venue: str
    symbol: str
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
    sequence: int
    exchange_at_us: int
    received_at_us: int

    @property
    def top(self) -> BookTop | None:
        """Return the best bid and ask, or None when either side is empty."""
        if not self.bids or not self.asks:
            return None
        (bid_price, bid_quantity), (ask_price, ask_quantity) = self.bids[0], self.asks[0]
        return BookTop(bid_price=bid_price, bid_quantity=bid_quantity, ask_price=ask_price, ask_quantity=ask_quantity)


class BookLost(msgspec.Struct, frozen=True, kw_only=True):
    """Say that a book can no longer be believed: a gap, a silence or a lost connection. A new update restores it."""

    venue: str
    symbol: str
    reason: str
    at_us: int


class TradePrint(msgspec.Struct, frozen=True, kw_only=True):
    """Show one public trade; `taker` is the side that took."""

    venue: str
    symbol: str
    trade_id: str
    price: Decimal
    quantity: Decimal
    taker: Side
    exchange_at_us: int
    received_at_us: int


class ClockDrift(msgspec.Struct, frozen=True, kw_only=True):
    """Show how far a venue's clock is ahead of ours, as measured: its time less the middle of our asking."""

    venue: str
    drift_ms: int
    round_trip_ms: int
    at_us: int


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """Say that the private stream is up. What happened while it was down is found only by asking: sweep now."""

    venue: str
    account: str
    at_us: int


class Disconnected(msgspec.Struct, frozen=True, kw_only=True):
    """Say that the private stream is down: fills from here on are not told until `Connected` and a sweep."""

    venue: str
    account: str
    reason: str
    at_us: int


BookEvent = BookUpdate | BookLost
FeedEvent = BookUpdate | BookLost | TradePrint | MarkReport | ClockDrift
AccountEvent = FillReport | OrderReport | Connected | Disconnected
