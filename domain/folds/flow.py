"""How the Book's flow follows its events, and how it is counted anew from what is open.

What open orders and requests make is told by what they were before an event and are after it; so each event is folded
around what it means for the Book itself.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from domain.account import AccountObserved
from domain.contract import INVERSE
from domain.cost import CostRealised
from domain.event import Event
from domain.fill import FillKind, FillRecorded
from domain.flow import Flow, Line, More, Reach, Window, alike_key
from domain.funding import FundingPaid, funding_key
from domain.hedge import HedgePlanned, HedgeRerouted
from domain.ids import position_key
from domain.instant import MILLISECOND_US
from domain.latch import ControlReleased
from domain.limit import Control
from domain.listing import InstrumentChanged, InstrumentListed
from domain.mark import RiskMarked
from domain.mode import GLOBAL
from domain.order import (
    OrderAcknowledged,
    OrderAttempted,
    OrderCancelRequested,
    OrderClosed,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmissionRequested,
)
from domain.order_state import OpenOrder
from domain.policy import PolicyAdopted
from domain.quantity import ZERO, Num, multiply
from domain.quote import Side
from domain.ratio import RatioObserved
from domain.request import (
    OpenRequest,
    RequestAccepted,
    RequestCancelled,
    RequestCompleted,
    RequestSettlementFailed,
    Stage,
)
from domain.risk_terms import Windows
from domain.settlement import SettlementConfirmed
from domain.state import Book
from domain.vault import CustodySettlementObserved, TransferPlanned

Apply = Callable[[Book, Any, int], None]

OfOrder = (
    OrderSubmissionRequested
    | OrderAttempted
    | OrderAcknowledged
    | OrderRejected
    | OrderOutcomeUnknown
    | OrderCancelRequested
    | OrderClosed
    | FillRecorded
)
OfRequest = RequestAccepted | RequestCompleted | RequestSettlementFailed | RequestCancelled | SettlementConfirmed


def windows(book: Book) -> Windows:
    """Return over which time the book counts."""
    return book.policy.risk.windows if book.policy is not None else Windows()


def recounted(book: Book) -> Flow:
    """Count anew what positions, open orders and open requests make, by the policy in force."""
    flow = Flow()
    for each in book.policy.instruments if book.policy is not None else ():
        flow.enter(
            Line(
                venue=each.venue,
                account=each.account,
                symbol=each.symbol,
                kind=each.kind,
                base=each.base,
                quote=each.quote,
            )
        )
    for held in book.positions.values():
        line = flow.line(held.venue, held.account, held.symbol)
        flow.change(line, More(position=held.quantity, cash=_cash(book, line)))
    for order in book.orders.values():
        _recount(flow, None, order)
    for request in book.requests.values():
        _count_request(flow, request, 1)
    return flow


class _Counted(msgspec.Struct, frozen=True, gc=False):
    """Hold what an open order makes in its line."""

    buying: Num
    selling: Num
    value: Num
    unanswered: int


def _counted(line: Line, order: OpenOrder) -> _Counted:
    left = order.left
    value = left if line.kind == INVERSE else multiply(left, order.order.limit_price)
    unanswered = 0 if order.venue_order_id else 1
    return _Counted(left, ZERO, value, unanswered) if order.direction > 0 else _Counted(ZERO, left, value, unanswered)


def _recount(flow: Flow, before: OpenOrder | None, after: OpenOrder | None) -> None:
    """Count an order as it is, and no longer as it was; None: not open."""
    order = after or before
    if order is None:
        return
    line = flow.line(order.order.venue, order.order.account, order.order.symbol)
    was, now = (_counted(line, each) if each is not None else _NOTHING for each in (before, after))
    orders = (after is not None) - (before is not None)
    if orders == 0 and was == now:
        return
    more = More(
        buying=now.buying - was.buying,
        selling=now.selling - was.selling,
        value=now.value - was.value,
        orders=orders,
        unanswered=now.unanswered - was.unanswered,
    )
    flow.change(line, more)


_NOTHING = _Counted(ZERO, ZERO, ZERO, 0)


def _count_request(flow: Flow, request: OpenRequest, sign: int) -> None:
    """Count the collateral of a request that has not settled (1), or no longer (-1)."""
    if request.stage is Stage.SETTLED:
        return
    accepted = request.accepted
    tally = flow.arriving if accepted.side is Side.MINT else flow.leaving
    asset = accepted.collateral.asset
    tally[asset] = tally.get(asset, 0) + sign * accepted.collateral.atoms


def around_order(apply: Apply) -> Apply:
    """Follow what an event means for the order it is of."""

    def followed(book: Book, event: OfOrder, at_us: int) -> None:
        order_id = event.order_id if isinstance(event, FillRecorded) else event.originator
        before = book.orders.get(order_id) if order_id is not None else None
        apply(book, event, at_us)
        after = book.orders.get(order_id) if order_id is not None else None
        _recount(book.flow, before, after)
        _sent(book, event, at_us)
        _answered(book, event, before, after, at_us)

    return followed


def _sent(book: Book, event: OfOrder, at_us: int) -> None:
    """Count what goes out: intents by what they are alike in, attempts and cancels by venue."""
    flow, spans = book.flow, windows(book)
    match event:
        case OrderSubmissionRequested():
            planned, order = book.hedges[event.hedge_id].planned, event.order
            key = f"{planned.purpose.value}|{planned.underlying}"
            _window(flow.repeated, key).add(at_us, spans.repeated_ms * MILLISECOND_US)
            _note_alike(flow.alike, alike_key(order), at_us, spans.duplicate_ms * MILLISECOND_US)
        case OrderAttempted() | OrderCancelRequested():
            venue = f"venue:{book.orders[event.order_id].order.venue}"
            for scope in (GLOBAL, venue):
                _window(flow.messages, scope).add(at_us, spans.message_rate_ms * MILLISECOND_US)
                if isinstance(event, OrderAttempted):
                    _window(flow.sent, scope).add(at_us, spans.order_rate_ms * MILLISECOND_US)
        case _:
            pass


def _window(found: dict[str, Window], key: str) -> Window:
    window = found.get(key)
    if window is None:
        window = found[key] = Window()
    return window


def _note_alike(alike: dict[str, list[int]], key: str, at_us: int, span_us: int) -> None:
    """Remember the instant of an order; those of which the latest is past are forgotten, the oldest stand first."""
    instants = alike.pop(key, [])
    instants.append(at_us)
    alike[key] = [each for each in instants if each > at_us - span_us]
    while (oldest := next(iter(alike))) != key and alike[oldest][-1] <= at_us - span_us:
        del alike[oldest]


def _answered(book: Book, event: OfOrder, before: OpenOrder | None, after: OpenOrder | None, at_us: int) -> None:
    """Count an order that a venue took, and one that traded, once each."""
    if before is None or after is None:
        return
    span_us, venue = windows(book).order_to_trade_ms * MILLISECOND_US, f"venue:{after.order.venue}"
    if after.venue_order_id and not before.venue_order_id:
        _window(book.flow.answered, venue).add(at_us, span_us)
    if isinstance(event, FillRecorded) and event.kind is FillKind.TRADE and before.filled == 0:
        _window(book.flow.traded, venue).add(at_us, span_us)


def around_fill(apply: Apply) -> Apply:
    """Follow the position that a fill changes, and its order."""
    followed = around_order(apply)

    def filled(book: Book, event: FillRecorded, at_us: int) -> None:
        followed(book, event, at_us)
        line = book.flow.line(event.venue, event.account, event.symbol)
        book.flow.change(line, More(position=event.signed, cash=_cash(book, line) - line.cash))

    return filled


def _cash(book: Book, line: Line) -> Num:
    """Return what a line's fills, fees and funding left of its quote."""
    held = book.positions.get(position_key(line.venue, line.account, line.symbol))
    paid = book.outside.funding.get(funding_key(line.venue, line.account, line.symbol, line.quote), ZERO)
    return paid if held is None else held.realised - held.fees - held.quantity * held.entry_price + paid


def _funded(book: Book, event: FundingPaid, _at_us: int) -> None:
    line = book.flow.line(event.venue, event.account, event.symbol)
    book.flow.change(line, More(cash=_cash(book, line) - line.cash))


def _told(book: Book, _event: Event, _at_us: int) -> None:
    book.flow.told += 1


def _referenced(book: Book, event: HedgePlanned | HedgeRerouted, _at_us: int) -> None:
    """Count a reference as told where it stands for a mark that there is not."""
    hedge = book.hedges.get(event.hedge_id)
    if hedge is not None and hedge.planned.underlying not in book.marks.assets:
        book.flow.told += 1


def around_request(apply: Apply) -> Apply:
    """Follow what an event means for the request it is of."""

    def followed(book: Book, event: OfRequest, at_us: int) -> None:
        before = book.requests.get(event.request_id)
        if before is not None:
            _count_request(book.flow, before, -1)
        apply(book, event, at_us)
        after = book.requests.get(event.request_id)
        if after is not None:
            _count_request(book.flow, after, 1)
        if isinstance(event, RequestAccepted):
            _accepted(book.flow, event, at_us)

    return followed


def _accepted(flow: Flow, event: RequestAccepted, at_us: int) -> None:
    flow.begin_day(at_us)
    for scope in (GLOBAL, f"pair:{event.pair}"):
        key = f"{event.side.value}|{scope}"
        flow.accepted[key] = flow.accepted.get(key, 0) + event.issued.atoms


def _adopted(apply: Apply) -> Apply:
    """Count by the new policy's instruments."""

    def followed(book: Book, event: PolicyAdopted, at_us: int) -> None:
        apply(book, event, at_us)
        anew = recounted(book)
        book.flow.lines, book.flow.sums, book.flow.accounts = anew.lines, anew.sums, anew.accounts
        book.flow.told += 1

    return followed


def _slipped(book: Book, event: CostRealised, at_us: int) -> None:
    """Add what a hedge slipped; what another one gained does not make up for it, and unknown legs are left out."""
    book.flow.begin_day(at_us)
    known = (leg.cost.slippage for leg in event.legs if leg.cost is not None)
    slipped = max(sum(known, ZERO), ZERO)
    for scope in (GLOBAL, f"asset:{event.underlying}"):
        _add(book.flow.slippage, scope, slipped)


def _moved(book: Book, event: TransferPlanned, at_us: int) -> None:
    book.flow.begin_day(at_us)
    for scope in transfer_scopes(event.source, event.destination):
        _add(book.flow.moved, scope, event.notional)


def transfer_scopes(source: str, destination: str) -> tuple[str, ...]:
    """Return the scopes in which a transfer is counted: its venues and custodians on both ends, and where it goes."""
    places = [place.split("|", 1)[0] for place in (source, destination)]
    ends = [place for place in places if place.startswith(("venue:", "custodian:"))]
    return tuple(dict.fromkeys((GLOBAL, *ends, f"destination:{destination}")))


def _add(sums: dict[str, Num], scope: str, more: Num) -> None:
    sums[scope] = sums.get(scope, ZERO) + more


def _marked(book: Book, event: RiskMarked, at_us: int) -> None:
    span_us, marked = windows(book).collar_ms * MILLISECOND_US, book.flow.marked
    for mark in event.assets:
        reach = marked.get(mark.asset)
        if reach is None:
            reach = marked[mark.asset] = Reach()
        reach.add(at_us, span_us, mark.mid)
    book.flow.told += 1


def _released(book: Book, event: ControlReleased, _at_us: int) -> None:
    """Count from nothing what a person enabled again."""
    if event.control is not Control.REPEATED_EXECUTION:
        return
    repeated = book.flow.repeated
    for key in [key for key in repeated if event.scope in {GLOBAL, f"asset:{key.split('|', 1)[1]}"}]:
        del repeated[key]


AROUND: dict[type[Event], Callable[[Apply], Apply]] = {
    OrderSubmissionRequested: around_order,
    OrderAttempted: around_order,
    OrderAcknowledged: around_order,
    OrderRejected: around_order,
    OrderOutcomeUnknown: around_order,
    OrderCancelRequested: around_order,
    OrderClosed: around_order,
    FillRecorded: around_fill,
    RequestAccepted: around_request,
    RequestCompleted: around_request,
    RequestSettlementFailed: around_request,
    RequestCancelled: around_request,
    SettlementConfirmed: around_request,
    PolicyAdopted: _adopted,
}
"""Which events are followed around what they mean for the Book."""

BESIDE: dict[type[Event], Apply] = {
    CostRealised: _slipped,
    TransferPlanned: _moved,
    RiskMarked: _marked,
    ControlReleased: _released,
    FundingPaid: _funded,
    AccountObserved: _told,
    InstrumentListed: _told,
    InstrumentChanged: _told,
    RatioObserved: _told,
    CustodySettlementObserved: _told,
    HedgePlanned: _referenced,
    HedgeRerouted: _referenced,
}
"""Which events are counted besides."""


def following(event_type: type[Event], apply: Apply) -> Apply:
    """Return the fold of an event with what it means for the flow."""
    around, beside = AROUND.get(event_type), BESIDE.get(event_type)
    if around is not None:
        return around(apply)
    if beside is None:
        return apply

    def counted(book: Book, event: Event, at_us: int) -> None:
        apply(book, event, at_us)
        beside(book, event, at_us)

    return counted
