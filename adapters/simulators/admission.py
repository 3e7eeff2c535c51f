"""Whether the simulated venue takes an order: words, filters, bands, identity, margin, in that order of precedence."""

import re
from decimal import Decimal
from typing import Protocol

import msgspec

from adapters.simulators.instruments import Instrument, VenueError
from adapters.simulators.ledger import ZERO, Ledger, Order
from adapters.simulators.matching import Book

CLIENT_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
OPEN_ORDERS_MAX = 200


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Hold an order as it was asked for. `price` and `time_in_force` None where the type has none."""

    symbol: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal | None = None
    time_in_force: str | None = None
    reduce_only: bool = False
    client_id: str | None = None
    position_side: str = "BOTH"


class Desk(Protocol):
    """What an order is checked against: the exchange as it stands."""

    ledger: Ledger
    books: dict[str, Book]
    instruments: dict[str, Instrument]
    marks: dict[str, Decimal]

    def instrument(self, symbol: str | None) -> Instrument:
        """Return a listed instrument or refuse."""
        ...

    def mark(self, symbol: str) -> Decimal:
        """Return the mark or refuse."""
        ...

    def new_order(self, request: OrderRequest, *, quantity: int, price: int, now_ms: int) -> Order:
        """Return an order with the next id."""
        ...

    def open_orders(self, symbol: str | None) -> list[Order]:
        """Return open orders."""
        ...

    def open_sizes(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return what open orders would buy and sell."""
        ...

    def margin_used(self, symbol: str) -> Decimal:
        """Return the margin tied up by a symbol."""
        ...

    def is_standing(self, client_id: str) -> bool:
        """Say whether an open order has that client id."""
        ...


def admit(desk: Desk, request: OrderRequest, now_ms: int) -> tuple[Order, int]:
    """Return the order and the limit in ticks that it may trade to, or raise `VenueError`."""
    instrument = desk.instrument(request.symbol)
    _check_words(request)
    quantity = instrument.lots(request.quantity)
    mark = desk.mark(request.symbol)
    price = 0
    if request.type == "LIMIT":
        if request.price is None:
            raise VenueError(-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.")
        price = instrument.ticks(request.price)
        instrument.check_band(request.side, request.price, mark)
    order = desk.new_order(request, quantity=quantity, price=price, now_ms=now_ms)
    reference = instrument.price(price) if price else mark
    if not request.reduce_only:
        instrument.check_notional(reference * request.quantity)
    if desk.is_standing(order.client_id):
        raise VenueError(-4116, "ClientOrderId is duplicated.")
    if len(desk.open_orders(request.symbol)) >= OPEN_ORDERS_MAX:
        raise VenueError(-2025, "Reach max open order limit.")
    if request.reduce_only:
        _check_reduces(desk.ledger, order)
    else:
        _check_margin(desk, order, instrument, reference)
    limit = price or _protected_limit(desk.books[order.symbol], order, instrument, mark)
    if order.time_in_force == "GTX" and desk.books[order.symbol].would_take(order.side, price):
        raise VenueError(
            -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected."
        )
    return order, limit


def _check_reduces(ledger: Ledger, order: Order) -> None:
    held = ledger.positions[order.symbol].quantity
    if held == 0 or (held > 0) == (order.side == "BUY"):
        raise VenueError(-2022, "ReduceOnly Order is rejected.")


def _check_margin(desk: Desk, order: Order, instrument: Instrument, reference: Decimal) -> None:
    buys, sells = desk.open_sizes(order.symbol)
    size = instrument.quantity(order.quantity)
    if order.side == "BUY":
        buys += size
    else:
        sells += size
    price = max(reference, desk.mark(order.symbol))
    needed = desk.ledger.initial_margin(order.symbol, price, buys, sells)
    others = sum((desk.margin_used(symbol) for symbol in desk.instruments if symbol != order.symbol), ZERO)
    fees = reference * size * instrument.taker_rate
    if needed > desk.margin_used(order.symbol) and needed + others + fees > desk.ledger.equity(desk.marks):
        raise VenueError(-2019, "Margin is insufficient.")


def _protected_limit(book: Book, order: Order, instrument: Instrument, mark: Decimal) -> int:
    """Return how far a market order may trade; refuse when the counterparty's best price is beyond it."""
    band = mark * (instrument.band_up if order.side == "BUY" else instrument.band_down)
    limit = int(band / instrument.tick)
    if not book.would_take(order.side, limit):
        raise VenueError(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.")
    return limit


def _check_words(request: OrderRequest) -> None:
    """Refuse unknown words and what their combinations forbid."""
    if request.side not in {"BUY", "SELL"}:
        raise VenueError(-1117, "Invalid side.")
    if request.type not in {"LIMIT", "MARKET"}:
        raise VenueError(-1116, "Invalid orderType.")
    if request.type == "LIMIT" and request.time_in_force is None:
        raise VenueError(-1102, "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed.")
    if request.type == "MARKET" and (request.time_in_force is not None or request.price is not None):
        raise VenueError(-1106, "Parameter 'timeInForce' sent when not required.")
    if request.time_in_force not in {None, "GTC", "IOC", "FOK", "GTX"}:
        raise VenueError(-1115, "Invalid timeInForce.")
    if request.position_side != "BOTH":
        raise VenueError(-4061, "Order's position side does not match user's setting.")
    if request.client_id is not None and not CLIENT_ID.match(request.client_id):
        raise VenueError(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
