"""Hedging: the process that follows an accepted request until its delta is traded away, or a person is told.

Events wake it inside their own append; what needs fresh evidence (a next order, an unwind) it asks for by a wake.
"""

from decimal import Decimal
from uuid import UUID

import msgspec

from commands.context import Context
from commands.control import check_collar, need_limit
from commands.envelope import Command, command
from commands.order import closing, intend
from commands.process import Arm, Message, Record
from commands.request import legs_of, plan_hedge, tradable
from domain.basis import Basis, check_suspended, rest_on
from domain.book import Book, underlying_exposure
from domain.consolidated import limit_price
from domain.event import Event
from domain.fill import FillRecorded
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgeLegCompleted, HedgePlanned, OpenHedge, Purpose
from domain.ids import derive_id
from domain.instant import MILLISECOND_US
from domain.limit import Control
from domain.mode import GLOBAL, Mode
from domain.order import Ending, OrderAcknowledged, OrderClosed
from domain.policy import Hedging, Instrument, Pair, Policy
from domain.quantity import ZERO, Num, Rounding, divide, round_to, subtract
from domain.quote import Side
from domain.refusal import Reason, Refusal
from domain.request import OpenRequest, RequestCancelled, RequestSettlementFailed
from domain.settlement import SettlementConfirmed, SettlementIncluded
from domain.wake import Wake

# The average price of a hedge is told to this step.
_PRICE_STEP = Decimal("0.000000000000000001")


@command("hedge.continue")
class ContinueHedge(Command, frozen=True, kw_only=True):
    """Send the next order of a hedge that has something left."""

    hedge_id: UUID


@command("hedge.open")
class StartHedge(Command, frozen=True, kw_only=True):
    """Plan the hedge of a request whose settlement stands in a block."""

    request_id: UUID


@command("hedge.unwind")
class UnwindHedge(Command, frozen=True, kw_only=True):
    """Trade what a request left open: one that fell, or settled before it was hedged."""

    request_id: UUID
    pair: str


def react_planned(book: Book, event: HedgePlanned, at_us: int) -> tuple[Message, ...]:
    """Send the first order, or be done when there is nothing to trade."""
    if event.quantity == 0:
        completed = HedgeCompleted(
            hedge_id=event.hedge_id, request_id=event.request_id, filled=ZERO, average_price=ZERO
        )
        return (Record(completed),)
    intents: list[Message] = []
    for leg in event.legs:
        # The limit may allow no order at all: it is asked again, and refused aloud, until it does.
        quantity = _slice(book, book.instrument(leg.venue, leg.symbol), leg.quantity, leg.reference)
        if quantity:
            number = 1 + len(intents) // 2
            intent = intend(event.hedge_id, leg, number, quantity=quantity, sources=event.sources, at_us=at_us)
            intents += [Record(each) for each in intent]
    return tuple(intents) or (Arm(_next_order(book, event.hedge_id, 0, at_us)),)


def _slice(book: Book, instrument: Instrument, quantity: Decimal, reference: Decimal) -> Num:
    """Cut a signed quantity to what one order may be worth; the rest follows in further orders.

    Zero when the limit is missing, or allows less than the venue takes: then nothing may be sent.
    """
    limit = book.limit(Control.ORDER_NOTIONAL)
    allowed = limit.value if limit is not None else ZERO
    most = round_to(divide(allowed, reference), instrument.lot, Rounding.DOWN)
    cut = min(abs(quantity), most)
    return tradable(instrument, cut if quantity > 0 else -cut, reference)


def react_acknowledged(book: Book, event: OrderAcknowledged, _at_us: int) -> tuple[Message, ...]:
    """Close the order when the venue is done and its fills are all here."""
    closed = closing(book.orders[event.order_id])
    return (Record(closed),) if closed else ()


def react_fill(book: Book, event: FillRecorded, _at_us: int) -> tuple[Message, ...]:
    """Close the order when this was the last fill the venue told of."""
    order = book.orders.get(event.order_id) if event.order_id else None
    closed = closing(order) if order is not None else None
    return (Record(closed),) if closed else ()


def react_closed(book: Book, event: OrderClosed, at_us: int) -> tuple[Message, ...]:
    """Complete the hedge, ask for its next order, or give it up and say so."""
    hedge, policy = book.hedges[event.hedge_id], book.policy
    sign = 1 if hedge.planned.quantity > 0 else -1
    leg = Record(HedgeLegCompleted(hedge_id=event.hedge_id, order_id=event.order_id, filled=event.filled * sign))
    left = subtract(hedge.planned.quantity, hedge.filled)
    home = pair_of(book, hedge.planned)
    if left * sign <= 0 or tradable(book.instrument(home.venue, home.symbol), left, hedge.planned.reference) == 0:
        return (leg, Record(_completed(hedge)))
    # A hedge that was cut to the size limit goes on as long as its orders fill.
    if event.ending is Ending.FILLED or (policy is not None and hedge.orders < policy.hedge_orders_max):
        return (leg, Arm(_next_order(book, event.hedge_id, hedge.orders, at_us)))
    abandoned = HedgeAbandoned(
        hedge_id=event.hedge_id,
        request_id=hedge.planned.request_id,
        filled=hedge.filled,
        residual=left,
        text=f"{hedge.orders} orders left {left} {hedge.planned.underlying} untraded",
    )
    request = book.requests.get(hedge.planned.request_id)
    falls = request is not None and request.settlement_id is None  # and so is unwound
    if falls or hedge.planned.purpose is Purpose.UNWIND:
        return (leg, Record(abandoned))
    # Its request is being settled, or was: what is left must be traded yet.
    delay_us = (policy.hedge_retry_ms if policy is not None else 0) * MILLISECOND_US
    residual = _unwinding(hedge.planned.request_id, pair_of(book, hedge.planned), at_us + delay_us)
    return (leg, Record(abandoned), Arm(residual))


def _completed(hedge: OpenHedge) -> HedgeCompleted:
    average = ZERO if hedge.filled == 0 else divide(hedge.quote_value, abs(hedge.filled))
    return HedgeCompleted(
        hedge_id=hedge.planned.hedge_id,
        request_id=hedge.planned.request_id,
        filled=hedge.filled,
        average_price=round_to(average, _PRICE_STEP, Rounding.NEAREST),
    )


def _next_order(book: Book, hedge_id: UUID, orders: int, at_us: int) -> Wake:
    delay_ms = book.policy.hedge_retry_ms if book.policy is not None else 0
    return Wake(
        key=f"hedge.continue|{hedge_id}|{orders}",
        subject=hedge_id,
        at_us=at_us + delay_ms * MILLISECOND_US,
        kind="hedge.continue",
        body=f'{{"hedge_id":"{hedge_id}"}}',
    )


def continue_hedge(book: Book, command: ContinueHedge, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ContinueHedge`: refused while halted or without sound evidence, and then tried again later."""
    hedge, policy = book.hedges.get(command.hedge_id), book.policy
    if hedge is None or policy is None or hedge.working:
        return ()
    planned = hedge.planned
    edge = _edge(book, policy, pair_of(book, planned), context, sell=planned.quantity < 0)
    if isinstance(edge, Refusal):
        return edge
    price, basis = edge
    pair = pair_of(book, planned)
    instrument = book.instrument(pair.venue, pair.symbol)
    left = tradable(instrument, subtract(planned.quantity, hedge.filled), basis.mid)
    if left == 0:
        return (_completed(hedge),)
    quantity = _slice(book, instrument, left, basis.mid)
    if quantity == 0:
        return _too_tight(book, instrument)
    leg = msgspec.structs.replace(legs_of(book, policy, pair, quantity, basis.mid)[0], limit_price=price)
    number = hedge.orders + 1
    return intend(planned.hedge_id, leg, number, quantity=quantity, sources=basis.sources, at_us=context.at_us)


def pair_of(book: Book, planned: HedgePlanned) -> Pair:
    """Return the pair that a hedge is for: its request's, or for an unwind one that trades there."""
    request = book.requests.get(planned.request_id)
    named = book.pair(request.accepted.pair) if request is not None else None
    pairs = book.policy.pairs if book.policy is not None else ()
    return named or next(
        pair
        for pair in pairs
        if pair.hedging is Hedging.PERPETUAL and book.asset(pair.collateral).underlying == planned.underlying
    )


def _edge(book: Book, policy: Policy, pair: Pair, context: Context, *, sell: bool) -> tuple[Num, Basis] | Refusal:
    """Return the limit price of an order decided now, and what it rests on.

    What is owed waits for data that can be believed, as a quote would; a depegged stable alone does not hold it up.
    """
    underlying = book.asset(pair.collateral).underlying
    if book.mode(f"venue:{pair.venue}", f"asset:{underlying}", f"pair:{pair.name}") is Mode.HALTED:
        return Refusal(reason=Reason.HALTED, text=f"halted: {underlying} stays open on {pair.venue}")
    suspended = check_suspended(book, pair, Side.REDEEM)
    if suspended is not None:
        return suspended
    basis = rest_on(book, pair, context.evidence, context.witnesses)
    if isinstance(basis, Refusal):
        return basis
    limit = need_limit(book, Control.ORDER_NOTIONAL)
    if isinstance(limit, Refusal):
        return limit
    instrument = book.instrument(pair.venue, pair.symbol)
    price = limit_price(instrument, sell=sell, reference=basis.mid, slippage_bps=policy.hedge_slippage_bps)
    return check_collar(book, price, basis.mid) or (price, basis)


def _too_tight(book: Book, instrument: Instrument) -> Refusal:
    limit = book.limit(Control.ORDER_NOTIONAL)
    return Refusal(
        reason=Reason.ORDER_NOTIONAL,
        text=f"the least order that {instrument.venue} takes in {instrument.symbol} is above the limit",
        control=Control.ORDER_NOTIONAL,
        scope=GLOBAL,
        limit=str(limit.value) if limit is not None else "",
    )


def react_fallen(book: Book, event: RequestCancelled | RequestSettlementFailed, at_us: int) -> tuple[Message, ...]:
    """Unwind what was traded for a request that fell."""
    pair = book.pair(event.pair)
    if pair is None or book.carry.get(book.asset(pair.collateral).underlying, ZERO) == 0:
        return ()
    return (Arm(_unwinding(event.request_id, pair, at_us)),)


def _unwinding(request_id: UUID, pair: Pair, at_us: int) -> Wake:
    """Return the wake that trades what a request leaves open; it outlives the request."""
    return Wake(
        key=f"hedge.unwind|{request_id}",
        subject=derive_id(request_id, "unwind"),
        at_us=at_us,
        kind="hedge.unwind",
        body=f'{{"request_id":"{request_id}","pair":"{pair.name}"}}',
    )


def react_included(book: Book, event: SettlementIncluded, at_us: int) -> tuple[Message, ...]:
    """Plan the hedge of what is settled first, now that it stands in a block."""
    request, settlement = book.requests[event.request_id], book.settlements[event.settlement_id]
    if settlement.settled is None or not _unhedged(book, request):
        return ()
    wake = Wake(
        key=f"hedge.open|{event.request_id}|{event.receipt.block_hash}",
        subject=event.request_id,
        at_us=at_us,
        kind="hedge.open",
        body=f'{{"request_id":"{event.request_id}"}}',
    )
    return (Arm(wake),)


def _unhedged(book: Book, request: OpenRequest) -> bool:
    pair = book.pair(request.accepted.pair)
    return request.hedge_id is None and pair is not None and pair.hedging is Hedging.PERPETUAL


def react_settled(book: Book, event: SettlementConfirmed, at_us: int) -> tuple[Message, ...]:
    """Trade what became final before its hedge could be planned."""
    request = book.requests[event.request_id]
    pair = book.pair(request.accepted.pair)
    if pair is None or not _unhedged(book, request):
        return ()
    return (Arm(_unwinding(event.request_id, pair, at_us)),)


def start_hedge(book: Book, command: StartHedge, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `StartHedge`: refused like any order until it can be priced; of what no block holds any more, nothing."""
    request, policy = book.requests.get(command.request_id), book.policy
    if request is None or policy is None or not _unhedged(book, request):
        return ()
    settlement = book.settlements.get(request.settlement_id) if request.settlement_id is not None else None
    pair = book.pair(request.accepted.pair)
    if pair is None or settlement is None or settlement.settled is None:
        return ()
    wanted = subtract(
        book.carry.get(book.asset(pair.collateral).underlying, ZERO), underlying_exposure(book, request.accepted)
    )
    edge = _edge(book, policy, pair, context, sell=wanted < 0)
    if isinstance(edge, Refusal):
        return edge
    _, basis = edge
    return (plan_hedge(book, policy, pair, request.accepted, (basis.mid, basis.sources)),)


def unwind_hedge(book: Book, command: UnwindHedge, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `UnwindHedge`: trade what the underlying carries, whoever left it there."""
    pair, policy = book.pair(command.pair), book.policy
    if pair is None or policy is None:
        return ()
    underlying = book.asset(pair.collateral).underlying
    carry = book.carry.get(underlying, ZERO)
    if carry == 0:
        return ()
    edge = _edge(book, policy, pair, context, sell=carry < 0)
    if isinstance(edge, Refusal):
        return edge
    _, basis = edge
    quantity = tradable(book.instrument(pair.venue, pair.symbol), carry, basis.mid)
    if quantity == 0:
        return ()
    planned = HedgePlanned(
        hedge_id=derive_id(context.command_id, "unwind"),
        request_id=command.request_id,
        purpose=Purpose.UNWIND,
        underlying=underlying,
        exposure=ZERO,
        quantity=quantity,
        reference=basis.mid,
        legs=legs_of(book, policy, pair, quantity, basis.mid),
        sources=basis.sources,
    )
    return (planned,)
