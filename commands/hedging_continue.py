"""Going on with a hedge on fresh evidence: next slices of its legs, and a new plan for what no leg accounts for."""

from uuid import UUID

import msgspec

from commands.context import Context
from commands.control import Sending, check_order, order_max
from commands.envelope import Command, command
from commands.hedging_rest import abandoned, completed, home_of, idle_legs, live_legs, may_plan_anew, rest
from commands.hedging_slices import Placing, due, intents, retry_ms, sized
from commands.latch import latching
from commands.planning import Planned, Wanted, open_ways, plan
from domain.book import Book
from domain.consolidated import way_limit
from domain.event import Event
from domain.hedge import HedgeRerouted, OpenHedge, OpenLeg
from domain.instant import MILLISECOND_US
from domain.limit import Limit
from domain.order import Order, OrderAttempted, OrderSubmissionRequested
from domain.quantity import ZERO, Num, add, multiply
from domain.refusal import Reason, Refusal, least
from domain.ways import Way, Ways


@command("hedge.continue")
class ContinueHedge(Command, frozen=True, kw_only=True):
    """Go on with a hedge that has something left."""

    hedge_id: UUID


class _Sent(msgspec.Struct, gc=False):
    """Hold what came of the legs that are due: orders, legs whose way is closed now, and what forbade an order."""

    events: list[Event]
    stuck: list[OpenLeg]
    orders: list[Order]
    refusal: Refusal | None = None

    @property
    def unsent(self) -> Num:
        """Return what the stuck legs have left, signed base units."""
        total = ZERO
        for leg in self.stuck:
            total = add(total, leg.left)
        return total

    def told(self, book: Book) -> tuple[Event, ...]:
        """Return what is recorded where anything was sent; what latched on the way is told with it."""
        latched = latching(book, self.refusal) if self.events and self.refusal is not None else ()
        return (*self.events, *latched)


def continue_hedge(book: Book, command: ContinueHedge, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ContinueHedge`: refused while halted or without sound evidence, and then tried again later."""
    hedge = book.hedges.get(command.hedge_id)
    if hedge is None or book.policy is None:
        return ()
    idle, left = idle_legs(book, hedge), rest(book, hedge)
    ready = tuple(leg for leg in idle if due(hedge, leg).not_before_us <= context.at_us)
    if not ready and left == 0:
        return _over(hedge, left, waits=bool(hedge.working or idle))
    wanted = Wanted(
        underlying=hedge.planned.underlying,
        quantity=left,
        purpose=hedge.planned.purpose,
        pair=home_of(book, hedge.planned),
        cut=False,
    )
    found = open_ways(book, wanted, context)
    if isinstance(found, Refusal):
        return found
    limit = order_max(book, found.underlying, found.first.instrument.venue)
    if isinstance(limit, Refusal):
        return limit
    waits = bool(hedge.working) or len(ready) < len(idle)
    sent = _slices(book, hedge, ready, found, context)
    left = add(left, sent.unsent)
    if left != 0 and may_plan_anew(book, hedge):
        wanted = msgspec.structs.replace(wanted, quantity=left)
        anew = _planned_anew(book, hedge, wanted, sent, context, waits=waits)
        if isinstance(anew, Refusal):
            return sent.told(book) or anew
        sent.events += anew
        left = ZERO
    return sent.told(book) or sent.refusal or _over(hedge, left, waits=waits)


def _over(hedge: OpenHedge, left: Num, *, waits: bool) -> tuple[Event, ...]:
    """End a hedge for which nothing could be sent, unless it waits for something."""
    if waits:
        return ()
    return (completed(hedge),) if left == 0 else (abandoned(hedge),)


def _slices(book: Book, hedge: OpenHedge, ready: tuple[OpenLeg, ...], found: Ways, context: Context) -> _Sent:
    """Return the next orders of the legs that are due; without a round left, a closed way is waited for."""
    by_key = {way.instrument.key: way for way in found.open}
    sent = _Sent([], [], [])
    for leg in ready:
        way = by_key.get(leg.leg.key)
        if way is None and may_plan_anew(book, hedge):
            sent.stuck.append(leg)
            continue
        order = _closed(leg, found) if way is None else _slice(book, hedge, (leg, way), sent, found, context)
        if isinstance(order, Refusal):
            sent.refusal = least(sent.refusal, order)
        elif order:
            sent.events += order
            sent.orders.append(order[0].order)
    return sent


def _closed(leg: OpenLeg, found: Ways) -> Refusal:
    """Return why a leg's instrument may not be traded now."""
    told = (each.refusal for each in found.closed if each.instrument.key == leg.leg.key)
    gone = Refusal(reason=Reason.REFERENCE_MISSING, text=f"{leg.leg.symbol} on {leg.leg.venue} is not traded any more")
    return next(told, gone)


def _slice(
    book: Book, hedge: OpenHedge, on: tuple[OpenLeg, Way], sent: _Sent, found: Ways, context: Context
) -> tuple[OrderSubmissionRequested, OrderAttempted] | tuple[()] | Refusal:
    """Return a leg's next order at what its market is now; none for what its venue would not take any more."""
    leg, way = on
    sell, prices = leg.leg.quantity < 0, (way.seen.mid, multiply(way.seen.mid, way.stable.mid))
    part = due(hedge, leg)
    quantity = sized(book, way.instrument, leg, part.quantity, prices)
    if quantity == 0:
        return _too_tight(book, leg, way)
    ours = way.seen.asks if sell else way.seen.bids
    price = ours[0].price if part.rests else way_limit(book, way, sell=sell)
    placed = msgspec.structs.replace(leg, leg=msgspec.structs.replace(leg.leg, limit_price=price))
    number = hedge.orders + len(sent.orders) + 1
    placing = Placing(number=number, quantity=quantity, sources=found.sources, rests=part.rests)
    intent = intents(book, hedge, placed, placing, context.at_us)
    sending = Sending(underlying=found.underlying, purpose=hedge.planned.purpose, at_us=context.at_us)
    return check_order(book, intent[0].order, sending, prices, tuple(sent.orders)) or intent


def _too_tight(book: Book, leg: OpenLeg, way: Way) -> tuple[()] | Refusal:
    """Say that the limit forbids the least order; where the rest became too small for the venue, nothing does."""
    instrument = way.instrument
    if abs(leg.left) * way.seen.mid < instrument.minimum_notional:
        return ()
    limit = order_max(book, instrument.base, instrument.venue)
    text = f"the least order that {instrument.venue} takes in {instrument.symbol} is above the limit"
    return limit if isinstance(limit, Refusal) else _above(limit, text)


def _above(limit: Limit, text: str) -> Refusal:
    return Refusal(
        reason=Reason.ORDER_NOTIONAL, text=text, control=limit.control, scope=limit.scope, limit=str(limit.value)
    )


def _planned_anew(
    book: Book, hedge: OpenHedge, wanted: Wanted, sent: _Sent, context: Context, *, waits: bool
) -> tuple[Event, ...] | Refusal:
    """Plan what no leg accounts for without what failed; when every way failed, with all of them again, a while later.

    What cannot be planned while the hedge waits for something else is looked at again after that.
    """
    closed = tuple(leg.leg.key for leg in sent.stuck)
    taken = frozenset(leg.leg.key for leg in live_legs(book, hedge)) - {*closed}
    failed = tuple(dict.fromkeys((*hedge.failed, *closed)))
    planned = plan(book, msgspec.structs.replace(wanted, without=taken | {*failed}), context)
    if isinstance(planned, Refusal) and failed and not (waits or sent.events):
        if context.at_us - hedge.closed_us < retry_ms(book) * MILLISECOND_US:
            return planned
        failed = ()
        planned = plan(book, msgspec.structs.replace(wanted, without=taken), context)
    if isinstance(planned, Refusal):
        return () if waits else planned
    return (_rerouted(hedge, wanted, planned, failed),) if planned.legs else ()


def _rerouted(hedge: OpenHedge, wanted: Wanted, planned: Planned, failed: tuple[str, ...]) -> HedgeRerouted:
    text = f"{wanted.quantity} {wanted.underlying} were left" + (f" by {', '.join(failed)}" if failed else "")
    return HedgeRerouted(
        hedge_id=hedge.planned.hedge_id,
        quantity=wanted.quantity,
        reference=planned.reference,
        legs=planned.legs,
        failed=failed,
        text=text,
        sources=planned.sources,
        certificate=planned.certificate,
    )
