"""Venue orders: what the execution worker reports, and the checked way to an order that may be sent."""

from uuid import UUID

from commands.context import Context
from commands.envelope import Command, command
from domain.approval import Approved, approve
from domain.book import Book
from domain.codec import encode
from domain.event import Event
from domain.fill import FillKind, FillRecorded, FillSource, fill_id
from domain.hedge import PlannedLeg
from domain.ids import client_order_id, derive_id
from domain.instant import MILLISECOND_US
from domain.order import (
    Ending,
    Order,
    OrderAcknowledged,
    OrderAttempted,
    OrderCancelRequested,
    OrderClosed,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSide,
    OrderSubmissionRequested,
    TimeInForce,
)
from domain.order_state import ENDINGS, Live, OpenOrder, Sent, Unknown
from domain.quantity import Num
from domain.quote import Source
from domain.refusal import Reason, Refusal
from domain.wake import Wake

# An attempt may be sent for this long after it was recorded; later it is asked about, never sent.
ATTEMPT_VALIDITY_MS = 2_000

# The codes of a rejection that say that the venue never saw the order: no connection came to be, our own order rate had
# no room, or the time until which it might be sent had passed.
UNAVAILABLE, ORDER_RATE, EXPIRED_UNSENT = "unavailable", "order_rate", "not_sent"
NOT_SENT = frozenset({UNAVAILABLE, ORDER_RATE, EXPIRED_UNSENT})


@command("order.acknowledged")
class RecordAcknowledged(Command, frozen=True, kw_only=True):
    """Report that the venue has the order."""

    order_id: UUID
    attempt: int
    venue_order_id: str
    accepted_quantity: Num
    filled: Num
    terminal: bool


@command("order.rejected")
class RecordRejected(Command, frozen=True, kw_only=True):
    """Report that the venue surely did not take the order."""

    order_id: UUID
    attempt: int
    code: str
    text: str


@command("order.outcome_unknown")
class RecordOutcomeUnknown(Command, frozen=True, kw_only=True):
    """Report that nobody knows what became of an attempt."""

    order_id: UUID
    attempt: int
    text: str


@command("order.absent")
class RecordAbsent(Command, frozen=True, kw_only=True):
    """Report that the venue, asked after the request's validity and a settling time, never had the attempt."""

    order_id: UUID
    attempt: int
    text: str


@command("order.cancel")
class CancelOrder(Command, frozen=True, kw_only=True):
    """Cancel what is left of an order; of what is over or gone, nothing."""

    order_id: UUID
    text: str


@command("fill.recorded")
class RecordFill(Command, frozen=True, kw_only=True):
    """Report a fill, from whatever source; its natural key makes it enter once."""

    venue: str
    account: str
    symbol: str
    trade_id: str
    venue_order_id: str
    client_order_id: str
    side: OrderSide
    price: Num
    quantity: Num
    fee_asset: str
    fee: Num
    kind: FillKind
    source: FillSource
    traded_at_us: int


def _current(book: Book, order_id: UUID, attempt: int) -> OpenOrder | None:
    """Return the order if this report speaks of its attempt; late and repeated reports change nothing."""
    order = book.orders.get(order_id)
    return order if order is not None and order.attempt == attempt and attempt > 0 else None


def record_acknowledged(book: Book, command: RecordAcknowledged, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RecordAcknowledged`: once, and again only when the venue has become certain of more.

    More is: that it is done, a size above any that it told before, or a last word above its last. Once it was done with
    the order, a report of less is late or wrong: the order stays open until the fills are here.
    """
    order = _current(book, command.order_id, command.attempt)
    if order is None:
        return ()
    if command.filled < 0 or command.accepted_quantity < 0 or not command.venue_order_id:
        return Refusal(reason=Reason.VALUE_INVALID, text="a venue has no order without its id or of less than nothing")
    if command.terminal:
        news = order.reported is None or command.filled > order.reported
    else:
        news = order.reported is None and (order.accepted is None or command.accepted_quantity > order.accepted)
    if not news:
        return ()
    return (
        OrderAcknowledged(
            order_id=command.order_id,
            attempt=command.attempt,
            venue_order_id=command.venue_order_id,
            accepted_quantity=command.accepted_quantity,
            filled=command.filled,
            terminal=command.terminal,
        ),
    )


def record_rejected(book: Book, command: RecordRejected, _context: Context) -> tuple[Event, ...]:
    """Decide `RecordRejected`; a rejection of what the venue acknowledged or filled is a late copy: nothing changes."""
    order = _current(book, command.order_id, command.attempt)
    if order is None or not isinstance(order.known, Sent | Unknown):
        return ()
    return (
        OrderRejected(order_id=command.order_id, attempt=command.attempt, code=command.code, text=command.text),
        OrderClosed(order_id=command.order_id, hedge_id=order.hedge_id, ending=Ending.REJECTED, filled=order.filled),
    )


def record_outcome_unknown(book: Book, command: RecordOutcomeUnknown, _context: Context) -> tuple[Event, ...]:
    """Decide `RecordOutcomeUnknown`: of what nothing more is known than that it may have been sent."""
    order = _current(book, command.order_id, command.attempt)
    if order is None or not isinstance(order.known, Sent):
        return ()
    return (OrderOutcomeUnknown(order_id=command.order_id, attempt=command.attempt, text=command.text),)


def record_absent(book: Book, command: RecordAbsent, _context: Context) -> tuple[Event, ...]:
    """Decide `RecordAbsent`: an order that the venue acknowledged or filled is never absent."""
    order = _current(book, command.order_id, command.attempt)
    if order is None or not isinstance(order.known, Sent | Unknown):
        return ()
    return (OrderClosed(order_id=command.order_id, hedge_id=order.hedge_id, ending=Ending.ABSENT, filled=order.filled),)


def cancel_order(book: Book, command: CancelOrder, _context: Context) -> tuple[Event, ...]:
    """Decide `CancelOrder`."""
    return cancelling(book, command.order_id, command.text)


def cancelling(book: Book, order_id: UUID, text: str) -> tuple[OrderCancelRequested, ...]:
    """Return the wish to cancel an order: once, and none when it is over, gone, or never was.

    What it comes to is the venue's to say: the order may be filled first, or be found absent.
    """
    order = book.orders.get(order_id)
    if order is None or not isinstance(order.state, Live):
        return ()
    return (OrderCancelRequested(order_id=order_id, text=text),)


def cancel_wake(order_id: UUID, at_us: int, text: str) -> Wake:
    """Return the wake that cancels an order at an instant, unless it is over by then."""
    return Wake(
        key=f"order.cancel|{order_id}",
        subject=order_id,
        at_us=at_us,
        kind=CancelOrder.KIND,
        body=encode(CancelOrder(order_id=order_id, text=text)).decode(),
    )


def _order_of(book: Book, command: RecordFill) -> UUID | None:
    """Return the order that a fill is of, open or just over; one that trades something else is a surprise.

    So is what the venue did by itself, whatever it is called.
    """
    if command.kind is not FillKind.TRADE:
        return None
    contract = f"{command.venue}|{command.account}|{command.symbol}"
    by_ours, by_theirs = f"{contract}|{command.client_order_id}", f"{contract}|{command.venue_order_id}"
    order_id = book.client_orders.get(command.client_order_id) or book.venue_orders.get(by_theirs)
    if order_id is None:
        return book.ended_orders.get(by_ours) or book.ended_orders.get(by_theirs)
    order = book.orders[order_id].order
    same = (order.venue, order.account, order.symbol, order.side)
    return order_id if same == (command.venue, command.account, command.symbol, command.side) else None


def record_fill(book: Book, command: RecordFill, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RecordFill`. The command's id is the fill's natural key, so a second report never gets here."""
    if command.quantity <= 0 or command.price <= 0:
        return Refusal(reason=Reason.VALUE_INVALID, text="a fill trades more than nothing, at a price above zero")
    return (
        FillRecorded(
            fill_id=fill_id(
                command.venue,
                command.account,
                command.symbol,
                command.trade_id,
                command.venue_order_id,
                command.side.value,
            ),
            venue=command.venue,
            account=command.account,
            symbol=command.symbol,
            trade_id=command.trade_id,
            venue_order_id=command.venue_order_id,
            order_id=_order_of(book, command),
            side=command.side,
            price=command.price,
            quantity=command.quantity,
            fee_asset=command.fee_asset,
            fee=command.fee,
            kind=command.kind,
            source=command.source,
            traded_at_us=command.traded_at_us,
        ),
    )


def closing(order: OpenOrder) -> OrderClosed | None:
    """Return the closing of an order once the venue is done with it and every fill it told of is recorded."""
    if order.reported is None or order.filled < order.reported:
        return None
    ending = Ending.FILLED if order.filled >= order.order.quantity else ENDINGS[type(order.state)]
    return OrderClosed(order_id=order.order.order_id, hedge_id=order.hedge_id, ending=ending, filled=order.filled)


def intend(
    hedge_id: UUID,
    leg: PlannedLeg,
    number: int,
    *,
    quantity: Num,
    sources: tuple[Source, ...],
    at_us: int,
    time_in_force: TimeInForce = TimeInForce.IOC,
) -> tuple[OrderSubmissionRequested, OrderAttempted]:
    """Return the intent of a hedge's next order for a leg and its first attempt; `quantity` is signed base units."""
    order = order_of(hedge_id, leg, number, quantity=quantity, time_in_force=time_in_force)
    attempted = OrderAttempted(
        order_id=order.order_id,
        attempt=1,
        client_order_id=client_order_id(order.order_id, 1),
        send_before_us=at_us + ATTEMPT_VALIDITY_MS * MILLISECOND_US,
    )
    return OrderSubmissionRequested(order=order, hedge_id=hedge_id, sources=sources), attempted


def order_of(
    hedge_id: UUID, leg: PlannedLeg, number: int, *, quantity: Num, time_in_force: TimeInForce = TimeInForce.IOC
) -> Order:
    """Return a hedge's next order for a leg, to be checked before it is intended; `quantity` is signed base units."""
    return Order(
        order_id=derive_id(hedge_id, f"order:{number}"),
        venue=leg.venue,
        account=leg.account,
        symbol=leg.symbol,
        side=OrderSide.BUY if quantity > 0 else OrderSide.SELL,
        quantity=abs(quantity),
        limit_price=leg.limit_price,
        time_in_force=time_in_force,
        reduce_only=leg.reduce_only,
    )


def sendable(requested: OrderSubmissionRequested, attempted: OrderAttempted) -> Approved[Order]:
    """Return the approval that a recorded intent and its recorded attempt are; raise ValueError if they differ."""
    if requested.order.order_id != attempted.order_id:
        raise ValueError(f"attempt of {attempted.order_id} is no attempt of {requested.order.order_id}")
    return approve(requested.order, attempted.order_id, attempted.send_before_us)
