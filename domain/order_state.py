"""The states of an open order as types, and what may follow what.

An order is requested, then sent (an attempt was recorded: from there on it may be at the venue), then acknowledged,
partially filled, and over. Messages come late, twice and out of order: a fill may come before its acknowledgement, and
an acknowledgement after the end. So the venue's word moves an order forward only, never back, and what no longer fits
changes nothing. An order that is over stays open until every fill that the venue told of is recorded.
"""

from uuid import UUID

import msgspec

from domain.event import Event
from domain.fill import FillRecorded
from domain.order import (
    Ending,
    Order,
    OrderAcknowledged,
    OrderAttempted,
    OrderCancelRequested,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSide,
)
from domain.quantity import ZERO, Num, add, multiply, subtract


class Attempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Name an attempt: its number, the id under which it is known at the venue, and until when it may be sent."""

    number: int
    client_order_id: str
    send_before_us: int


class _State(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="is"):
    """Be a state of an order; its tag is how it is written down."""


class Requested(_State, frozen=True, kw_only=True, gc=False, tag="requested"):
    """The book means to send it; no attempt may be sent yet."""


class Sent(_State, frozen=True, kw_only=True, gc=False, tag="sent"):
    """An attempt is recorded: it was sent, or will be, or its time passes."""

    attempt: Attempt


class Unknown(_State, frozen=True, kw_only=True, gc=False, tag="unknown"):
    """Nobody knows what became of the attempt; it counts at its worst until the venue was asked."""

    attempt: Attempt
    text: str


class Acknowledged(_State, frozen=True, kw_only=True, gc=False, tag="acknowledged"):
    """The venue has it; `accepted` is the greatest quantity that it ever wrote down, in base units."""

    attempt: Attempt
    venue_order_id: str
    accepted: Num


class PartiallyFilled(_State, frozen=True, kw_only=True, gc=False, tag="partially_filled"):
    """Some of it was traded, or all, and the venue did not say that it is over. `accepted` is None until it said it."""

    attempt: Attempt
    venue_order_id: str
    accepted: Num | None


Live = Sent | Unknown | Acknowledged | PartiallyFilled
"""What may still trade, and can be cancelled."""


class Cancelling(_State, frozen=True, kw_only=True, gc=False, tag="cancelling"):
    """The rest of it is to be cancelled; `was` is what is known of it meanwhile, and goes on."""

    was: Live
    text: str


class _Over(_State, frozen=True, kw_only=True, gc=False):
    """The venue does no more with it; `reported` is what it filled by the venue's account."""

    attempt: Attempt
    venue_order_id: str
    accepted: Num
    reported: Num


class Filled(_Over, frozen=True, kw_only=True, gc=False, tag="filled"):
    """The venue filled all that was asked, or more."""


class Cancelled(_Over, frozen=True, kw_only=True, gc=False, tag="cancelled"):
    """It ended short of what was asked, after we asked for that."""


class Expired(_Over, frozen=True, kw_only=True, gc=False, tag="expired"):
    """It ended short of what was asked, by itself: an IOC's rest, or the venue cancelled it."""


class Rejected(_State, frozen=True, kw_only=True, gc=False, tag="rejected"):
    """It surely never was at the venue, or was refused there."""

    attempt: Attempt
    code: str


Over = Filled | Cancelled | Expired
Known = Requested | Live | Over | Rejected
State = Known | Cancelling

MAY_FOLLOW: dict[type[State], frozenset[type[State]]] = {
    Requested: frozenset({Sent}),
    Sent: frozenset({Unknown, Acknowledged, PartiallyFilled, Cancelling, Filled, Expired, Rejected}),
    Unknown: frozenset({Acknowledged, PartiallyFilled, Cancelling, Filled, Expired, Rejected}),
    Acknowledged: frozenset({Acknowledged, PartiallyFilled, Cancelling, Filled, Expired}),
    PartiallyFilled: frozenset({PartiallyFilled, Cancelling, Filled, Expired}),
    Cancelling: frozenset({Cancelling, Filled, Cancelled, Rejected}),
    # A greater last word is news: the fills that it tells of are waited for.
    Filled: frozenset({Filled}),
    Cancelled: frozenset({Cancelled, Filled}),
    Expired: frozenset({Expired, Filled}),
    Rejected: frozenset(),
}
"""What may follow what. From the last five an order leaves the book, by its closing; so does an absent one."""

ENDINGS: dict[type[State], Ending] = {
    Filled: Ending.FILLED,
    Cancelled: Ending.CANCELLED,
    Expired: Ending.EXPIRED,
    Rejected: Ending.REJECTED,
}


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold an order that is not closed: how far it is, and what was filled for certain: the sum of its fills."""

    order: Order
    hedge_id: UUID
    state: State = Requested()
    filled: Num = ZERO
    quote_value: Num = ZERO

    @property
    def direction(self) -> int:
        """Return 1 for a buy, -1 for a sell."""
        return 1 if self.order.side is OrderSide.BUY else -1

    @property
    def known(self) -> Known:
        """Return what is known of it, whether it is being cancelled or not."""
        return self.state.was if isinstance(self.state, Cancelling) else self.state

    @property
    def cancelling(self) -> bool:
        """Say whether it is to be cancelled and the venue has not said that it is over."""
        return isinstance(self.state, Cancelling)

    @property
    def unknown(self) -> bool:
        """Say whether nobody knows what became of it."""
        return isinstance(self.known, Unknown)

    @property
    def attempt(self) -> int:
        """Return the number of its attempt, 0 before the first."""
        known = self.known
        return 0 if isinstance(known, Requested) else known.attempt.number

    @property
    def client_order_id(self) -> str:
        """Return the id under which it is known at the venue, empty before the first attempt."""
        known = self.known
        return "" if isinstance(known, Requested) else known.attempt.client_order_id

    @property
    def send_before_us(self) -> int:
        """Return until when its attempt may be sent, 0 before the first."""
        known = self.known
        return 0 if isinstance(known, Requested) else known.attempt.send_before_us

    @property
    def venue_order_id(self) -> str:
        """Return the venue's own id, empty until it is known."""
        known = self.known
        return "" if isinstance(known, Requested | Sent | Unknown | Rejected) else known.venue_order_id

    @property
    def accepted(self) -> Num | None:
        """Return the greatest quantity that the venue wrote down, None before it did."""
        known = self.known
        return None if isinstance(known, Requested | Sent | Unknown | Rejected) else known.accepted

    @property
    def reported(self) -> Num | None:
        """Return what was filled by the venue's account, once it is done with the order."""
        return self.state.reported if isinstance(self.state, Over) else None

    @property
    def left(self) -> Num:
        """Return the quantity that it may still trade; never less than none, though it was overfilled.

        Until the venue is done with it, that is what is left of what was asked, or of what the venue wrote down.
        """
        quantity = self.reported
        if quantity is None:
            quantity = max(self.order.quantity, self.accepted or ZERO)
        return max(subtract(quantity, self.filled), ZERO)


def after(order: OpenOrder, event: Event) -> OpenOrder:
    """Return an order after an event of its own; what does not fit its state leaves the state as it is.

    A fill always counts, in whatever state: it was traded.
    """
    if isinstance(event, FillRecorded):
        order = msgspec.structs.replace(
            order,
            filled=add(order.filled, event.quantity),
            quote_value=add(order.quote_value, multiply(event.quantity, event.price)),
        )
    known = order.known
    state = _next(order, known, event)
    if state is None or type(state) not in MAY_FOLLOW[type(known)]:
        return order
    if isinstance(order.state, Cancelling):
        state = _while_cancelling(order.state, state)
    return msgspec.structs.replace(order, state=state)


def _next(order: OpenOrder, known: Known, event: Event) -> State | None:
    """Return the state that an event leads to, if what is known lets it; None for what says nothing of it."""
    if isinstance(event, OrderAttempted):
        return Sent(
            attempt=Attempt(
                number=event.attempt, client_order_id=event.client_order_id, send_before_us=event.send_before_us
            )
        )
    if isinstance(known, Requested):
        return None
    match event:
        case OrderOutcomeUnknown():
            return Unknown(attempt=known.attempt, text=event.text)
        case OrderRejected():
            return Rejected(attempt=known.attempt, code=event.code)
        case OrderCancelRequested() if isinstance(known, Live):
            return Cancelling(was=known, text=event.text)
        case OrderAcknowledged():
            return _acknowledged(order, known, event)
        case FillRecorded():
            venue_order_id = order.venue_order_id or event.venue_order_id
            return PartiallyFilled(attempt=known.attempt, venue_order_id=venue_order_id, accepted=order.accepted)
        case _:
            return None


def _while_cancelling(cancelling: Cancelling, state: State) -> State:
    """Return what a state is of an order that is being cancelled: it ends by that, unless it was filled or refused."""
    if isinstance(state, Cancelling):
        return cancelling
    if isinstance(state, Live):
        return msgspec.structs.replace(cancelling, was=state)
    if not isinstance(state, Expired):
        return state
    return Cancelled(
        attempt=state.attempt,
        venue_order_id=state.venue_order_id,
        accepted=state.accepted,
        reported=state.reported,
    )


def _acknowledged(order: OpenOrder, known: Known, event: OrderAcknowledged) -> State | None:
    """Return what the venue's word leads to; sizes only grow: until it is over, the worst counts."""
    if isinstance(known, Requested | Rejected):
        return None
    accepted = max(order.accepted or ZERO, event.accepted_quantity)
    attempt, venue_order_id = known.attempt, event.venue_order_id
    if not event.terminal:
        if isinstance(known, PartiallyFilled):
            return PartiallyFilled(attempt=attempt, venue_order_id=venue_order_id, accepted=accepted)
        return Acknowledged(attempt=attempt, venue_order_id=venue_order_id, accepted=accepted)
    reported = max(order.reported or ZERO, event.filled)
    short = type(known) if isinstance(known, Over) else Expired
    over = Filled if reported >= order.order.quantity else short
    return over(attempt=attempt, venue_order_id=venue_order_id, accepted=accepted, reported=reported)
