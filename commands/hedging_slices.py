"""The orders of a leg: how much the next one is, whether it may only reduce, and when it is due."""

from uuid import UUID

import msgspec

from commands.control import Sending, check_order, in_usd, order_max
from commands.hedging_rest import instrument_of
from commands.latch import latching
from commands.order import cancel_wake, intend
from commands.process import Arm, Message, Record
from domain.book import Book
from domain.execution import Progress, Slice, StyleKind, next_slice
from domain.hedge import HedgePlanned, HedgeRerouted, OpenHedge, OpenLeg
from domain.instant import MILLISECOND_US
from domain.legs import leg_of
from domain.market import instrument_scope
from domain.mode import GLOBAL, Mode, ModeChanged
from domain.order import Order, OrderAttempted, OrderSubmissionRequested, TimeInForce
from domain.policy import Instrument
from domain.quantity import ZERO, Num, Rounding, divide, round_to
from domain.quote import Source
from domain.refusal import Refusal
from domain.room import holding
from domain.sizing import least, tradable
from domain.suspension import Suspended
from domain.wake import Wake

SPOT = "spot"


def due(hedge: OpenHedge, leg: OpenLeg) -> Slice:
    """Return the next slice of a leg by its style."""
    progress = Progress(abs(leg.left), leg.orders, leg.began_us, leg.crossing)
    return next_slice(leg.style, progress, hedge.planned.hedge_id)


def sized(book: Book, instrument: Instrument, leg: OpenLeg, wanted: Num, prices: tuple[Num, Num]) -> Num:
    """Return the signed quantity of a leg's next order, whole lots that the venue takes; zero when none may be sent.

    A slice below the venue's least is as large as that. No order is worth more than the limit allows, and what would
    stay behind too small to trade goes with the last. `prices` are the reference in quote and in dollars.
    """
    reference, reference_usd = prices
    left, smallest = abs(leg.left), least(instrument, reference)
    wanted = max(wanted, min(smallest, left))
    if left - wanted < smallest:
        wanted = left
    cut = min(wanted, allowed(book, instrument, reference_usd))
    return tradable(instrument, cut if leg.leg.quantity > 0 else -cut, reference)


def allowed(book: Book, instrument: Instrument, reference_usd: Num) -> Num:
    """Return the most that one order may be, base units; zero when the limit is missing: nothing may be sent."""
    limit = order_max(book, instrument.base, instrument.venue)
    most = ZERO if isinstance(limit, Refusal) else divide(limit.value, reference_usd)
    return round_to(most, instrument.lot, Rounding.DOWN)


class Placing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say which order of its hedge the next one is, how much (signed), who vouches for its price, whether it rests."""

    number: int
    quantity: Num
    sources: tuple[Source, ...]
    rests: bool = False


def intents(
    book: Book, hedge: OpenHedge, leg: OpenLeg, placing: Placing, at_us: int
) -> tuple[OrderSubmissionRequested, OrderAttempted]:
    """Return the intent of a leg's next order; it may only reduce where it cannot do anything else anyway."""
    planned = msgspec.structs.replace(leg.leg, reduce_only=_reduces(book, hedge, leg, placing.quantity))
    return intend(
        hedge.planned.hedge_id,
        planned,
        placing.number,
        quantity=placing.quantity,
        sources=placing.sources,
        at_us=at_us,
        time_in_force=TimeInForce.POST_ONLY if placing.rests else TimeInForce.IOC,
    )


def _reduces(book: Book, hedge: OpenHedge, leg: OpenLeg, quantity: Num) -> bool:
    """Say whether an order can only close a position, whatever else fills there, and its venue lets it say so."""
    instrument = instrument_of(book, leg.leg)
    if instrument is None or instrument.kind == SPOT or leg.leg.key in hedge.unflagged:
        return False
    return holding(book, instrument).reducible(sell=quantity < 0) >= abs(quantity)


def begin(book: Book, event: HedgePlanned | HedgeRerouted, at_us: int) -> tuple[Message, ...]:
    """Send the first order of every leg of a plan; what cannot be sent yet is asked for when it is due.

    What rests needs the prices of that moment, a control may say no, and the limit may allow no order at all: then it
    is asked again, and refused aloud, until it may be sent. What acceptance checked is not checked again.
    """
    hedge = book.hedges[event.hedge_id]
    sending = Sending(underlying=hedge.planned.underlying, purpose=hedge.planned.purpose, at_us=at_us)
    checked = _checked(book, event, at_us)
    messages: list[Message] = []
    ahead: list[Order] = []
    for leg in hedge.legs[len(hedge.legs) - len(event.legs) :]:  # the others went on before
        instrument = instrument_of(book, leg.leg)
        if instrument is None:
            continue
        part, prices = due(hedge, leg), (leg.leg.reference, in_usd(book, instrument.quote, leg.leg.reference))
        quantity = ZERO if part.rests else sized(book, instrument, leg, part.quantity, prices)
        if quantity:
            placing = Placing(number=hedge.orders + len(ahead) + 1, quantity=quantity, sources=event.sources)
            intent = intents(book, hedge, leg, placing, at_us)
            whole = checked and leg.style.kind is StyleKind.SWEEP
            refusal = None if whole else check_order(book, intent[0].order, sending, prices, tuple(ahead))
            if refusal is None:
                messages += [Record(each) for each in intent]
                ahead.append(intent[0].order)
                continue
            messages += [Record(latched) for latched in latching(book, refusal)]
        wait_ms = 0 if part.rests else retry_ms(book)
        messages.append(Arm(continuing(event.hedge_id, f"{hedge.rounds}|{leg.leg.key}", at_us, wait_ms)))
    return tuple(messages)


def _checked(book: Book, event: HedgePlanned | HedgeRerouted, at_us: int) -> bool:
    """Say whether a plan was made by the acceptance that is being recorded, which checked its whole first orders.

    Nothing was decided since. The request itself is in the Book now and was not then; with it, and all that its hedge
    may trade, the acceptance held every control of a request.
    """
    request = book.requests.get(event.request_id) if isinstance(event, HedgePlanned) else None
    return request is not None and request.settlement_id is None and request.accepted.accepted_at_us == at_us


def react_requested(book: Book, event: OrderSubmissionRequested, at_us: int) -> tuple[Message, ...]:
    """Cancel what rests when it has rested long enough; what it did not trade crosses then."""
    leg = leg_of(book.hedges[event.hedge_id], event.order.order_id)
    if event.order.time_in_force is not TimeInForce.POST_ONLY or leg is None:
        return ()
    text = f"it rested {leg.style.rest_ms} ms"
    return (Arm(cancel_wake(event.order.order_id, at_us + leg.style.rest_ms * MILLISECOND_US, text)),)


def react_stopped(book: Book, event: ModeChanged | Suspended, at_us: int) -> tuple[Message, ...]:
    """Cancel at once what rests where trading was halted, or where nobody can tell the price any more."""
    if isinstance(event, ModeChanged) and event.mode is not Mode.HALTED:
        return ()
    text = f"{event.scope} was stopped"
    return tuple(
        Arm(cancel_wake(order_id, at_us, text))
        for order_id, open_order in book.orders.items()
        if open_order.order.time_in_force is not TimeInForce.IOC and event.scope in _scopes(book, open_order.order)
    )


def _scopes(book: Book, order: Order) -> frozenset[str]:
    """Return every scope that an order lies in."""
    underlying = book.underlying_of(order.venue, order.symbol) or ""
    return frozenset(
        {GLOBAL, f"venue:{order.venue}", f"asset:{underlying}", instrument_scope(order.venue, order.symbol)}
    )


def retry_ms(book: Book) -> int:
    """Return how long a hedge waits before it asks the same venue again."""
    return book.policy.hedge_retry_ms if book.policy is not None else 0


def continuing(hedge_id: UUID, cause: str, at_us: int, wait_ms: int = 0) -> Wake:
    """Return the wake by which a hedge goes on; each cause has its own, so that none takes another's place."""
    return Wake(
        key=f"hedge.continue|{hedge_id}|{cause}",
        subject=hedge_id,
        at_us=at_us + wait_ms * MILLISECOND_US,
        kind="hedge.continue",
        body=f'{{"hedge_id":"{hedge_id}"}}',
    )
