"""The Book: everything one decision may need, folded from the log. Owned by one fold, updated in place.

`evolve` never refuses: history happened. Whatever grows is bounded: quotes by their retention, the rest by what is
open, and nonces by the bitmaps that the contract itself must keep.
"""

import heapq
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from domain import fill as fills
from domain import onchain as chains
from domain import outside as outsides
from domain import settlement as settlements
from domain import treasury as treasuries
from domain.event import Event
from domain.fill import FillRecorded, Position
from domain.funding import FundingPaid
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgeLegCompleted, HedgePlanned, OpenHedge
from domain.limit import Limit, LimitRemoved, LimitSet, limit_key
from domain.mode import GLOBAL, Mode, ModeChanged, strictest
from domain.onchain import OnChain
from domain.order import (
    OpenOrder,
    OrderAcknowledged,
    OrderAttempted,
    OrderCancelRequested,
    OrderClosed,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmissionRequested,
)
from domain.outside import Outside
from domain.policy import Asset, Hedging, Instrument, Pair, Policy, PolicyAdopted
from domain.quantity import ZERO, Num, add, multiply, subtract, to_units
from domain.quote import OpenQuote, QuoteIssued, QuoteUsed, Side, UsedQuote
from domain.request import (
    OpenRequest,
    RequestAccepted,
    RequestCancelled,
    RequestCompleted,
    RequestSettlementFailed,
    Stage,
)
from domain.settlement import (
    Moved,
    OpenSettlement,
    SettlementConfirmed,
    SettlementReverted,
    SettlementSubmissionRequested,
    SettlementSubmitted,
)
from domain.treasury import Treasury
from domain.wake import Wake
from domain.watch import (
    AlertAcknowledged,
    AlertRaised,
    AlertResolved,
    ControlRefused,
    DependencyDegraded,
    DependencyRestored,
    OpenAlert,
)

# A quote is told apart from an unknown one for this long after it expired.
QUOTE_RETENTION_US = 60 * 1_000_000
# Open alerts kept in the Book; the oldest leave it first, the read model keeps all.
ALERTS_MAX = 1_000

NONCE_SLOT_BITS = 8
NONCE_MASK = (1 << 64) - 1


class Book(msgspec.Struct, kw_only=True):
    """Hold the whole consistency boundary of one book."""

    at_us: int = 0  # of the latest event: no later one is before it, across restarts too
    policy: Policy | None = None
    modes: dict[str, Mode] = {}
    mode_authors: dict[str, str] = {}
    limits: dict[str, Limit] = {}
    versions: dict[UUID, int] = {}
    quotes: dict[UUID, OpenQuote] = {}
    used_quotes: dict[UUID, UsedQuote] = {}
    quote_ends: list[tuple[int, UUID]] = []
    nonces: dict[str, dict[int, int]] = {}
    requests: dict[UUID, OpenRequest] = {}
    hedges: dict[UUID, OpenHedge] = {}
    orders: dict[UUID, OpenOrder] = {}
    client_orders: dict[str, UUID] = {}
    venue_orders: dict[str, UUID] = {}
    settlements: dict[UUID, OpenSettlement] = {}
    reserved: dict[str, int] = {}  # atoms of issued dollars of open requests that no block settled, by side and asset
    positions: dict[str, Position] = {}
    backing: dict[str, int] = {}
    issued: int = 0
    carry: dict[str, Num] = {}
    dependencies: dict[str, str] = {}
    control_refused_us: dict[str, int] = {}
    alerts: dict[UUID, OpenAlert] = {}
    wakes: dict[str, Wake] = {}
    outside: Outside = msgspec.field(default_factory=Outside)
    onchain: OnChain = msgspec.field(default_factory=OnChain)
    treasury: Treasury = msgspec.field(default_factory=Treasury)

    def pair(self, name: str) -> Pair | None:
        """Return the pair of that name, in any case."""
        wanted = name.upper()
        pairs = self.policy.pairs if self.policy else ()
        return next((pair for pair in pairs if pair.name.upper() == wanted), None)

    def asset(self, symbol: str) -> Asset:
        """Return a known asset; raise KeyError."""
        for asset in self.policy.assets if self.policy else ():
            if asset.symbol == symbol:
                return asset
        raise KeyError(symbol)

    def instrument(self, venue: str, symbol: str) -> Instrument:
        """Return a known instrument; raise KeyError."""
        for instrument in self.policy.instruments if self.policy else ():
            if instrument.venue == venue and instrument.symbol == symbol:
                return instrument
        raise KeyError(f"{venue} {symbol}")

    def mode(self, *scopes: str) -> Mode:
        """Return the strictest mode of the global scope and these."""
        return strictest(self.modes, GLOBAL, *scopes)

    def limit(self, control: str, scope: str = GLOBAL) -> Limit | None:
        """Return a limit in force."""
        return self.limits.get(limit_key(control, scope))

    def nonce_used(self, benefactor: str, nonce: int) -> bool:
        """Say whether the contract would see this nonce as used: only its low 64 bits matter."""
        low = nonce & NONCE_MASK
        bits = self.nonces.get(benefactor, {}).get(low >> NONCE_SLOT_BITS, 0)
        return bool(bits >> (low & 0xFF) & 1)

    def available(self, asset: str) -> int:
        """Return the atoms of collateral that are there for certain and owed to nobody."""
        owed = sum(
            request.accepted.collateral.atoms
            for request in self.requests.values()
            if request.accepted.side is Side.REDEEM and request.accepted.collateral.asset == asset
        )
        return self.backing.get(asset, 0) - owed

    def reserve(self, side: Side, asset: str = "") -> int:
        """Return the atoms of issued dollars that may yet share a block: of an asset, or of all."""
        if asset:
            return self.reserved.get(f"{side}|{asset}", 0)
        return sum(atoms for key, atoms in self.reserved.items() if key.startswith(f"{side}|"))

    def arm(self, wake: Wake) -> None:
        """Keep a wake until it is fired or its subject is over."""
        self.wakes[wake.key] = wake

    def disarm(self, subject: UUID) -> None:
        """Drop the wakes of a subject that is over."""
        for key in [key for key, wake in self.wakes.items() if wake.subject == subject]:
            del self.wakes[key]

    def next_version(self, event: Event) -> int:
        """Return the version that this event takes in its stream."""
        return self.versions.get(event.originator, 0) + 1


def underlying_exposure(book: Book, accepted: RequestAccepted) -> Num:
    """Return the signed change of backing (whole units) that a request brings when it settles."""
    units = to_units(accepted.collateral.atoms, book.asset(accepted.collateral.asset).decimals)
    return units if accepted.side is Side.MINT else Num(-units)


def position_key(venue: str, account: str, symbol: str) -> str:
    """Return the key of a position."""
    return f"{venue}|{account}|{symbol}"


def evolve(book: Book, event: Event, at_us: int) -> None:
    """Fold one event that was recorded at `at_us`; its stream's version counts up."""
    book.at_us = max(book.at_us, at_us)
    if not isinstance(event, FillRecorded | FundingPaid):  # a stream of one, never continued
        originator = event.originator
        book.versions[originator] = book.versions.get(originator, 0) + 1
    apply = _APPLY.get(type(event))
    if apply is None:
        raise TypeError(f"the Book does not know {type(event).__name__}")
    apply(book, event, at_us)


def _policy_adopted(book: Book, event: PolicyAdopted, _at_us: int) -> None:
    book.policy = event.policy


def _quote_issued(book: Book, event: QuoteIssued, at_us: int) -> None:
    ends = book.quote_ends
    while ends and ends[0][0] + QUOTE_RETENTION_US < at_us:
        _, quote_id = heapq.heappop(ends)
        book.quotes.pop(quote_id, None)
        book.used_quotes.pop(quote_id, None)
        book.versions.pop(quote_id, None)
    book.quotes[event.quote_id] = OpenQuote(event)
    heapq.heappush(ends, (event.expires_at_us, event.quote_id))


def _quote_used(book: Book, event: QuoteUsed, _at_us: int) -> None:
    quote = book.quotes.pop(event.quote_id).quote
    book.used_quotes[event.quote_id] = UsedQuote(event.quote_id, event.request_id, quote.expires_at_us)


def _request_accepted(book: Book, event: RequestAccepted, _at_us: int) -> None:
    low = event.nonce & NONCE_MASK
    slots = book.nonces.setdefault(event.benefactor, {})
    slots[low >> NONCE_SLOT_BITS] = slots.get(low >> NONCE_SLOT_BITS, 0) | 1 << (low & 0xFF)
    book.requests[event.request_id] = OpenRequest(event, Stage.HEDGING)
    _reserve(book, event, 1)


def _reserve(book: Book, accepted: RequestAccepted, sign: int) -> None:
    key = f"{accepted.side}|{accepted.collateral.asset}"
    book.reserved[key] = book.reserved.get(key, 0) + sign * accepted.issued.atoms


def _request_closed(book: Book, request_id: UUID, *, settled: bool) -> None:
    request = book.requests.pop(request_id)
    if request.stage is not Stage.SETTLED:
        _reserve(book, request.accepted, -1)
    book.versions.pop(request_id, None)
    book.disarm(request_id)
    if not settled and request.hedge_id is not None:
        underlying = book.asset(request.accepted.collateral.asset).underlying
        _carry(book, underlying, underlying_exposure(book, request.accepted))


def _request_completed(book: Book, event: RequestCompleted, _at_us: int) -> None:
    _request_closed(book, event.request_id, settled=True)


def _request_failed(book: Book, event: RequestSettlementFailed, _at_us: int) -> None:
    _request_closed(book, event.request_id, settled=False)


def _request_cancelled(book: Book, event: RequestCancelled, _at_us: int) -> None:
    asked = book.requests[event.request_id].settlement_id
    if asked is not None:  # asked for, but nothing was permitted to be sent
        _end_settlement(book, asked)
    _request_closed(book, event.request_id, settled=False)


def _carry(book: Book, underlying: str, by: Decimal) -> None:
    book.carry[underlying] = add(book.carry.get(underlying, ZERO), by)


def _hedge_planned(book: Book, event: HedgePlanned, _at_us: int) -> None:
    book.hedges[event.hedge_id] = OpenHedge(event, 0, ZERO, ZERO)
    _carry(book, event.underlying, -add(event.exposure, event.quantity))
    request = book.requests.get(event.request_id)
    if request is not None:
        book.requests[event.request_id] = msgspec.structs.replace(request, hedge_id=event.hedge_id)


def _hedge_completed(book: Book, event: HedgeCompleted, _at_us: int) -> None:
    planned = book.hedges[event.hedge_id].planned
    _carry(book, planned.underlying, subtract(planned.quantity, event.filled))  # zero unless a venue overfilled
    _end_hedge(book, event.hedge_id)


def _hedge_abandoned(book: Book, event: HedgeAbandoned, _at_us: int) -> None:
    _carry(book, book.hedges[event.hedge_id].planned.underlying, event.residual)
    _end_hedge(book, event.hedge_id)


def _end_hedge(book: Book, hedge_id: UUID) -> None:
    del book.hedges[hedge_id]
    book.versions.pop(hedge_id, None)
    book.disarm(hedge_id)


def _nothing(_book: Book, _event: Event, _at_us: int) -> None:
    """Change nothing: the fact is told for its readers, the Book follows its neighbours."""


def _order_requested(book: Book, event: OrderSubmissionRequested, _at_us: int) -> None:
    order = event.order
    book.orders[order.order_id] = OpenOrder(order=order, hedge_id=event.hedge_id)
    hedge = book.hedges[event.hedge_id]
    book.hedges[event.hedge_id] = msgspec.structs.replace(hedge, orders=hedge.orders + 1, working=order.order_id)


def _order_attempted(book: Book, event: OrderAttempted, _at_us: int) -> None:
    order = book.orders[event.order_id]
    book.client_orders[event.client_order_id] = event.order_id
    book.orders[event.order_id] = msgspec.structs.replace(
        order, attempt=event.attempt, client_order_id=event.client_order_id, send_before_us=event.send_before_us
    )


def _order_acknowledged(book: Book, event: OrderAcknowledged, _at_us: int) -> None:
    order = book.orders[event.order_id]
    book.venue_orders[venue_order_key(order, event.venue_order_id)] = event.order_id
    book.orders[event.order_id] = msgspec.structs.replace(
        order,
        venue_order_id=event.venue_order_id,
        reported=event.filled if event.terminal else order.reported,
        accepted=event.accepted_quantity,
        unknown=False,
    )


def venue_order_key(order: OpenOrder, venue_order_id: str) -> str:
    """Return the key under which a venue's own order id is known."""
    return f"{order.order.venue}|{order.order.account}|{order.order.symbol}|{venue_order_id}"


def _order_unknown(book: Book, event: OrderOutcomeUnknown, _at_us: int) -> None:
    book.orders[event.order_id] = msgspec.structs.replace(book.orders[event.order_id], unknown=True)


def _order_closed(book: Book, event: OrderClosed, _at_us: int) -> None:
    order = book.orders.pop(event.order_id)
    book.client_orders.pop(order.client_order_id, None)
    book.venue_orders.pop(venue_order_key(order, order.venue_order_id), None)
    book.versions.pop(event.order_id, None)
    hedge = book.hedges[event.hedge_id]
    book.hedges[event.hedge_id] = msgspec.structs.replace(
        hedge,
        filled=add(hedge.filled, order.filled * order.direction),
        quote_value=add(hedge.quote_value, order.quote_value),
        working=None,
    )


def _fill_recorded(book: Book, event: FillRecorded, _at_us: int) -> None:
    key = position_key(event.venue, event.account, event.symbol)
    before = book.positions.get(key) or Position(event.venue, event.account, event.symbol)
    book.positions[key] = fills.after_fill(before, event)
    order = book.orders.get(event.order_id) if event.order_id else None
    if order is not None:
        book.orders[order.order.order_id] = msgspec.structs.replace(
            order,
            filled=add(order.filled, event.quantity),
            quote_value=add(order.quote_value, multiply(event.quantity, event.price)),
        )


def _settlement_requested(book: Book, event: SettlementSubmissionRequested, _at_us: int) -> None:
    book.settlements[event.settlement_id] = OpenSettlement(event)
    request = book.requests[event.request_id]
    book.requests[event.request_id] = msgspec.structs.replace(
        request, stage=Stage.SETTLING, settlement_id=event.settlement_id
    )


def _settlement_moved(book: Book, event: Moved, _at_us: int) -> None:
    before = book.settlements[event.settlement_id]
    after = settlements.FOLDS[type(event)](before, event)
    book.settlements[event.settlement_id] = after
    # What stands in a block shares no later one with others.
    freed = (after.settled is not None) - (before.settled is not None)
    _reserve(book, book.requests[event.request_id].accepted, -freed)
    if isinstance(event, SettlementSubmitted):
        book.onchain.nonces[event.transaction.sender] = event.transaction.nonce + 1


def _settlement_confirmed(book: Book, event: SettlementConfirmed, _at_us: int) -> None:
    sign = 1 if event.side is Side.MINT else -1
    asset = event.collateral.asset
    book.backing[asset] = book.backing.get(asset, 0) + sign * event.collateral.atoms
    book.issued += sign * event.issued.atoms
    settlement, request = book.settlements[event.settlement_id], book.requests[event.request_id]
    asked = settlement.requested
    if settlement.settled is None:  # final without a block told: a chain that is only simulated
        _reserve(book, request.accepted, -1)
    chains.put_in_custody(book.onchain, asset, event.collateral.atoms, (asked.custodians, asked.ratios))
    book.requests[event.request_id] = msgspec.structs.replace(request, stage=Stage.SETTLED)
    pair = book.pair(request.accepted.pair)
    if request.hedge_id is None and pair is not None and pair.hedging is Hedging.PERPETUAL:
        # It settled before its hedge could be planned: what arrived is carried until it is traded.
        underlying = book.asset(asset).underlying
        _carry(book, underlying, -underlying_exposure(book, request.accepted))
    _end_settlement(book, event.settlement_id)


def _settlement_reverted(book: Book, event: SettlementReverted, _at_us: int) -> None:
    _end_settlement(book, event.settlement_id)


def _end_settlement(book: Book, settlement_id: UUID) -> None:
    del book.settlements[settlement_id]
    book.versions.pop(settlement_id, None)


def _limit_set(book: Book, event: LimitSet, _at_us: int) -> None:
    limit = Limit(event.control, event.scope, event.value, event.unit)
    book.limits[limit_key(event.control, event.scope)] = limit


def _limit_removed(book: Book, event: LimitRemoved, _at_us: int) -> None:
    book.limits.pop(limit_key(event.control, event.scope), None)


def _mode_changed(book: Book, event: ModeChanged, _at_us: int) -> None:
    book.modes[event.scope] = event.mode
    book.mode_authors[event.scope] = event.author


def _control_refused(book: Book, event: ControlRefused, at_us: int) -> None:
    book.control_refused_us[limit_key(event.control, event.scope)] = at_us


def _dependency_degraded(book: Book, event: DependencyDegraded, _at_us: int) -> None:
    book.dependencies[event.dependency] = event.text


def _dependency_restored(book: Book, event: DependencyRestored, _at_us: int) -> None:
    book.dependencies.pop(event.dependency, None)


def _alert_raised(book: Book, event: AlertRaised, _at_us: int) -> None:
    book.alerts[event.alert_id] = OpenAlert(event)
    if len(book.alerts) > ALERTS_MAX:
        oldest = min(book.alerts.values(), key=lambda alert: (alert.raised.cause_position, alert.raised.alert_id.int))
        _drop_alert(book, oldest.raised.alert_id)


def _alert_acknowledged(book: Book, event: AlertAcknowledged, _at_us: int) -> None:
    book.alerts[event.alert_id] = msgspec.structs.replace(book.alerts[event.alert_id], acknowledged_by=event.author)


def _alert_resolved(book: Book, event: AlertResolved, _at_us: int) -> None:
    _drop_alert(book, event.alert_id)


def _drop_alert(book: Book, alert_id: UUID) -> None:
    del book.alerts[alert_id]
    book.versions.pop(alert_id, None)


def _told(book: Book, event: Event, _at_us: int) -> None:
    outsides.FOLDS[type(event)](book.outside, event)


def _mirrored(book: Book, event: Event, _at_us: int) -> None:
    chains.FOLDS[type(event)](book.onchain, event)


_APPLY: dict[type[Event], Callable[[Book, Any, int], None]] = {
    PolicyAdopted: _policy_adopted,
    QuoteIssued: _quote_issued,
    QuoteUsed: _quote_used,
    RequestAccepted: _request_accepted,
    RequestCompleted: _request_completed,
    RequestSettlementFailed: _request_failed,
    RequestCancelled: _request_cancelled,
    HedgePlanned: _hedge_planned,
    HedgeLegCompleted: _nothing,
    HedgeCompleted: _hedge_completed,
    HedgeAbandoned: _hedge_abandoned,
    OrderSubmissionRequested: _order_requested,
    OrderAttempted: _order_attempted,
    OrderAcknowledged: _order_acknowledged,
    OrderRejected: _nothing,
    OrderOutcomeUnknown: _order_unknown,
    OrderCancelRequested: _nothing,
    OrderClosed: _order_closed,
    FillRecorded: _fill_recorded,
    SettlementSubmissionRequested: _settlement_requested,
    **dict.fromkeys(settlements.FOLDS, _settlement_moved),
    SettlementConfirmed: _settlement_confirmed,
    SettlementReverted: _settlement_reverted,
    LimitSet: _limit_set,
    LimitRemoved: _limit_removed,
    ModeChanged: _mode_changed,
    ControlRefused: _control_refused,
    DependencyDegraded: _dependency_degraded,
    DependencyRestored: _dependency_restored,
    AlertRaised: _alert_raised,
    AlertAcknowledged: _alert_acknowledged,
    AlertResolved: _alert_resolved,
    **dict.fromkeys(outsides.FOLDS, _told),
    **dict.fromkeys(treasuries.FOLDS, lambda book, event, _: treasuries.fold(book.treasury, event, book.onchain)),
    **dict.fromkeys(chains.FOLDS, _mirrored),
}


def remaining(order: OpenOrder) -> Num:
    """Return the signed quantity that an open order may still trade; never less than none, though it was overfilled.

    Until the venue is done with it, that is what is left of what was asked or of what the venue wrote down, if more.
    """
    quantity = order.reported
    if quantity is None:
        quantity = max(order.order.quantity, order.accepted or ZERO)
    return max(subtract(quantity, order.filled), ZERO) * order.direction
