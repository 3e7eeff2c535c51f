"""Whether the simulated venue takes an order: filters, bands, identity, margin, in that order of precedence."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from adapters.simulators.instruments import Instrument
from adapters.simulators.ledger import ZERO, Ledger, Order, OrderType, Origin, TimeInForce
from adapters.simulators.matching import Book, Side, opposite
from adapters.simulators.refusals import Refusal, Refused

OPEN_ORDERS_MAX = 200


def unnamed(_origin: Origin, _order_id: int) -> str:
    """Name no order that its client did not name."""
    return ""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a venue's habits where venues differ.

    `client_ids`: unique among open orders, unique for ever, or free to repeat. `post_only`: an order that would take is
    refused, or accepted and then cancelled. `name_order` gives a client id where the client gave none. `deleverages`:
    it may close a position against another account's loss (ADL). `conditional_max`: of orders that wait for a price,
    in all or (`conditional_each`) of each symbol.
    """

    client_ids: Literal["unique_open", "unique", "free"] = "unique_open"
    post_only: Literal["refuse", "cancel"] = "refuse"
    name_order: Callable[[Origin, int], str] = unnamed
    open_orders_max: int = OPEN_ORDERS_MAX
    conditional_max: int = OPEN_ORDERS_MAX
    conditional_each: bool = False
    deleverages: bool = True


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Hold an order as it was asked for, its words already read by the dialect. `price` None at market."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = "GTC"
    reduce_only: bool = False
    client_id: str | None = None


class Desk(Protocol):
    """What an order is checked against: the exchange as it stands."""

    policy: Policy
    ledger: Ledger
    books: dict[str, Book]
    marks: dict[str, Decimal]

    def instrument(self, symbol: str | None) -> Instrument:
        """Return a listed instrument or refuse."""
        ...

    def mark(self, symbol: str) -> Decimal:
        """Return the mark price or refuse."""
        ...

    def new_order(self, request: OrderRequest, *, quantity: int, price: int, now_ms: int) -> Order:
        """Return an order with the next id."""
        ...

    def open_orders(self, symbol: str | None) -> list[Order]:
        """Return open orders."""
        ...

    def open_sizes(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return what open orders that may add exposure would buy and sell."""
        ...

    def margin_used(self, symbol: str) -> Decimal:
        """Return the margin tied up by a symbol."""
        ...

    def locked(self) -> Mapping[str, Decimal]:
        """Return what open spot orders hold back, by asset."""
        ...

    def is_taken(self, client_id: str) -> bool:
        """Say whether that client id may not be used now."""
        ...


def admit(desk: Desk, request: OrderRequest, now_ms: int) -> tuple[Order, int]:
    """Return the order and the limit in ticks that it may trade to, or raise `Refused`."""
    instrument = desk.instrument(request.symbol)
    quantity = instrument.lots(request.quantity)
    mark = desk.mark(request.symbol)
    price = 0
    if request.type == "LIMIT":
        if request.price is None:
            raise Refused(Refusal.MISSING, "price")
        price = instrument.ticks(request.price)
        instrument.check_band(request.side, request.price, mark)
    order = desk.new_order(request, quantity=quantity, price=price, now_ms=now_ms)
    reference = instrument.price(price) if price else mark
    if not request.reduce_only:
        instrument.check_notional(instrument.notional(request.quantity, reference))
    if order.client_id and desk.is_taken(order.client_id):
        raise Refused(Refusal.DUPLICATE_CLIENT_ID, order.client_id)
    if len(desk.open_orders(request.symbol)) >= desk.policy.open_orders_max:
        raise Refused(Refusal.TOO_MANY_OPEN_ORDERS)
    if request.reduce_only:
        _check_reduces(desk.ledger, order)
    elif instrument.kind == "spot":
        _check_balance(desk, order, instrument)
    else:
        _check_margin(desk, order, instrument, reference)
    limit = price or _protected_limit(desk.books[order.symbol], order, instrument, mark)
    refuses = order.time_in_force == "POST" and desk.policy.post_only == "refuse"
    if refuses and desk.books[order.symbol].would_take(order.side, price):
        raise Refused(Refusal.POST_ONLY_WOULD_TAKE)
    return order, limit


def _check_reduces(ledger: Ledger, order: Order) -> None:
    held = ledger.positions[order.symbol].quantity
    if held == 0 or (held > 0) == (order.side == "BUY"):
        raise Refused(Refusal.REDUCE_ONLY)


def _check_margin(desk: Desk, order: Order, instrument: Instrument, reference: Decimal) -> None:
    buys, sells = desk.open_sizes(order.symbol)
    size = instrument.quantity(order.quantity)
    if order.side == "BUY":
        buys += size
    else:
        sells += size
    mark = desk.mark(order.symbol)
    # The worse price for the margin: dear for a linear contract, cheap for an inverse one.
    price = min(reference, mark) if instrument.kind == "inverse" else max(reference, mark)
    needed = desk.ledger.initial_margin(order.symbol, price, buys, sells)
    pool = desk.ledger.settling_in(instrument.settle)
    others = sum((desk.margin_used(each.symbol) for each in pool if each.symbol != order.symbol), ZERO)
    fees = instrument.value(size, reference) * max(instrument.taker_rate, ZERO)
    free = desk.ledger.equity(instrument.settle, desk.marks) - desk.locked().get(instrument.settle, ZERO)
    if needed > desk.margin_used(order.symbol) and needed + others + fees > free:
        raise Refused(Refusal.INSUFFICIENT_MARGIN, instrument.settle)


def _check_balance(desk: Desk, order: Order, instrument: Instrument) -> None:
    asset = instrument.quote if order.side == "BUY" else instrument.base
    if order.side == "SELL":
        needed = instrument.quantity(order.quantity)
    elif order.price:
        needed = instrument.price(order.price) * instrument.quantity(order.quantity)
    else:
        needed = _cost_at_market(desk.books[order.symbol], order, instrument)
    if needed > desk.ledger.wallets[asset] - desk.locked().get(asset, ZERO):
        raise Refused(Refusal.INSUFFICIENT_BALANCE, asset)


def _cost_at_market(book: Book, order: Order, instrument: Instrument) -> Decimal:
    cost, left = ZERO, order.quantity
    for price in book.prices(opposite(order.side)):
        taken = min(left, book.quantity(opposite(order.side), price))
        cost += instrument.price(price) * instrument.quantity(taken)
        left -= taken
        if not left:
            break
    return cost


def _protected_limit(book: Book, order: Order, instrument: Instrument, mark: Decimal) -> int:
    """Return how far a market order may trade; refuse when the counterparty's best price is beyond it."""
    band = mark * (instrument.band_up if order.side == "BUY" else instrument.band_down)
    limit = int(band / instrument.tick)
    if not book.would_take(order.side, limit):
        raise Refused(Refusal.NO_COUNTERPARTY)
    return limit
