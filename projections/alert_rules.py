"""What a person should be told, from the events alone: which alert each event is a cause of.

An alert's id derives from its cause, so that folding the same events again names the same alerts.
"""

from collections.abc import Callable
from typing import Any

from domain.backing import ISSUED_DECIMALS
from domain.book import Book
from domain.event import Event
from domain.exposure import exposure
from domain.fill import FillRecorded
from domain.hedge import HedgeRerouted
from domain.limit import Control, LimitRemoved, LimitSet
from domain.onchain import ContractChanged, PartyChange, PartyKind, PartyRemoved, SenderSkipped
from domain.order import OrderAcknowledged, OrderClosed, OrderSubmissionRequested
from domain.policy import PolicyAdopted
from domain.quantity import ZERO, to_units
from domain.request import RequestAccepted, RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.settlement import SettlementCancelRequested, SettlementReorged, SettlementReplaced
from domain.supply import SupplyObserved
from domain.suspension import AssetSuspended, InstrumentSuspended, OracleSuspended, Suspended, VenueSuspended
from domain.treasury import CustodyFailed, TopupProposed
from domain.watch import (
    MARKET_DATA,
    SUPPLY_AREA,
    SUSPENSION_AREA,
    UNHEDGED,
    ControlRefused,
    DependencyDegraded,
    DependencyRestored,
    Severity,
)
from projections import alert_hedges, alert_limits
from projections.alert_causes import Candidate, caused
from projections.contract import changes
from projections.exposure import EXPOSURE, Exposures, line, underlyings


def _control_refused(event: ControlRefused, position: int) -> Candidate:
    subject = f"{event.control} {event.scope}"
    if event.control == MARKET_DATA:
        text = f"a hedge that is owed waits for market data that can be believed: {event.text}"
        return caused(position, Severity.CRITICAL, "hedge", subject, text)
    if event.control == UNHEDGED:
        text = f"delta that is owed to be traded stays open: {event.text}"
        return caused(position, Severity.CRITICAL, "hedge", subject, text)
    text = f"{event.command_kind} of {event.actor} was refused: {event.text}"
    return caused(position, Severity.WARNING, "control", subject, text)


def _degraded(event: DependencyDegraded, position: int) -> Candidate:
    return caused(position, Severity.CRITICAL, "dependency", event.dependency, event.text)


def _restored(event: DependencyRestored, position: int) -> Candidate:
    return caused(position, Severity.INFO, "dependency", event.dependency, event.text)


def _suspended(event: Suspended, position: int) -> Candidate:
    """Page for what stops more than one instrument or source: a venue, an asset."""
    severity = Severity.CRITICAL if isinstance(event, VenueSuspended | AssetSuspended) else Severity.WARNING
    return caused(position, severity, SUSPENSION_AREA, event.scope, f"suspended ({event.law}): {event.text}")


def _settlement_failed(event: RequestSettlementFailed, position: int) -> Candidate:
    return caused(position, Severity.CRITICAL, "settlement", str(event.request_id), event.text)


def _contract_changed(event: ContractChanged, position: int) -> Candidate:
    """Page a person: setters of the contract tell nobody, and what we price on is not what was checked."""
    text = f"parameters changed: {'; '.join(changes(event.before, event.terms))}"
    return caused(position, Severity.CRITICAL, "contract", "minting", text)


def _supply_observed(event: SupplyObserved, position: int) -> Candidate | None:
    """Page for issued dollars that no settlement explains, each time there are more or fewer of them."""
    if not event.difference or event.difference == event.before:
        return None
    total, settled, apart = (
        to_units(each, ISSUED_DECIMALS) for each in (event.total, event.settled, abs(event.difference))
    )
    what = "minted" if event.difference > 0 else "burned"
    text = (
        f"block {event.block_number} shows {total} issued dollars, settlements came to {settled}: {apart} were {what} "
        "by others"
    )
    return caused(position, Severity.CRITICAL, SUPPLY_AREA, "issued", text)


def _sender_skipped(event: SenderSkipped, position: int) -> Candidate:
    text = f"nonces {event.expected} to {event.nonce - 1} were used by somebody else: its key is not ours alone"
    return caused(position, Severity.CRITICAL, "settlement", event.sender, text)


def _cancel_requested(event: SettlementCancelRequested, position: int) -> Candidate:
    text = f"its transaction is under way and is to be cancelled: {event.text}"
    return caused(position, Severity.WARNING, "settlement", str(event.request_id), text)


def _settlement_reorged(event: SettlementReorged, position: int) -> Candidate:
    text = f"block {event.block_number}, which held {event.tx_hash}, was given up: it is sent again"
    return caused(position, Severity.WARNING, "settlement", str(event.request_id), text)


def _topup_proposed(event: TopupProposed, position: int) -> Candidate:
    return caused(position, Severity.WARNING, "treasury", event.amount.asset, f"top up the contract: {event.text}")


def _custody_failed(event: CustodyFailed, position: int) -> Candidate:
    text = f"{event.amount.atoms} atoms did not reach {event.custodian}, its proposal is left to people: {event.text}"
    return caused(position, Severity.CRITICAL, "treasury", event.amount.asset, text)


_RULES: dict[type[Event], Callable[[Any, int], Candidate | None]] = {
    **alert_hedges.RULES,
    **alert_limits.RULES,
    ControlRefused: _control_refused,
    DependencyDegraded: _degraded,
    DependencyRestored: _restored,
    RequestSettlementFailed: _settlement_failed,
    VenueSuspended: _suspended,
    InstrumentSuspended: _suspended,
    OracleSuspended: _suspended,
    AssetSuspended: _suspended,
    ContractChanged: _contract_changed,
    SenderSkipped: _sender_skipped,
    SupplyObserved: _supply_observed,
    SettlementCancelRequested: _cancel_requested,
    SettlementReorged: _settlement_reorged,
    TopupProposed: _topup_proposed,
    CustodyFailed: _custody_failed,
}


def candidate(event: Event, position: int) -> Candidate | None:
    """Return the alert that an event is by itself the cause of, if it is."""
    rule = _RULES.get(type(event))
    return None if rule is None else rule(event, position)


# After these an interval or its limit may be worse than before. A confirmed settlement is looked at when its request is
# completed, in the same decision: between the two its collateral counts as arrived and as still to come.
_MAY_WORSEN = frozenset[type[Event]](
    {
        PolicyAdopted,
        LimitSet,
        RequestAccepted,
        RequestCompleted,
        OrderSubmissionRequested,
        OrderAcknowledged,
        FillRecorded,
    }
)
_MAY_MEND = frozenset[type[Event]]({LimitRemoved, RequestSettlementFailed, RequestCancelled, OrderClosed})


REPLACED_OFTEN = 4
"""A call that was replaced this often is told of: fees run away, or no node takes it."""


def _replaced_often(book: Book, event: SettlementReplaced, position: int) -> tuple[Candidate, ...]:
    replacements = len(book.settlements[event.settlement_id].live) - 1
    if replacements != REPLACED_OFTEN:
        return ()
    text = f"its transaction was replaced {replacements} times and is in no block, at nonce {event.transaction.nonce}"
    return (caused(position, Severity.WARNING, "settlement", str(event.request_id), text),)


def _rests(change: PartyChange, accepted: RequestAccepted) -> bool:
    """Say whether a request needs the right that this change is about."""
    match change.kind:
        case PartyKind.BENEFACTOR:
            return accepted.benefactor == change.party
        case PartyKind.BENEFICIARY:
            return (accepted.benefactor, accepted.beneficiary) == (change.owner, change.party)
        case PartyKind.DELEGATE:
            return (accepted.benefactor, accepted.signer) == (change.owner, change.party)
        case PartyKind.CUSTODIAN | PartyKind.ASSET:
            return False


def _removed(book: Book, event: PartyRemoved, position: int) -> tuple[Candidate, ...]:
    """Tell of a right that the chain took away while requests rest on it."""
    change = event.change
    count = sum(_rests(change, request.accepted) for request in book.requests.values())
    if change.kind in {PartyKind.CUSTODIAN, PartyKind.ASSET}:
        text = f"the contract admits this {change.kind} no more"
    elif count:
        text = f"is no {change.kind} any more, and {count} open requests rest on it"
    else:
        return ()
    return (caused(position, Severity.WARNING, "party", change.party, text),)


class ExposureWatch:
    """Watch the invariant that exposure lies inside its limits: tell each time it leaves them, not while it is out.

    With the Book at hand, it tells as well of what only the open requests and settlements give a meaning.
    """

    def __init__(self, state: Exposures) -> None:
        self._state = state
        self._outside = {name for name in underlyings(state.book) if line(state.book, name, 0).within is False}

    def step(self, event: Event, position: int, at_us: int) -> tuple[Candidate, ...]:
        """Fold an event; return an alert for each underlying whose worst case it took out of its limit."""
        EXPOSURE.fold(self._state, event, position, at_us)
        if isinstance(event, HedgeRerouted):
            return alert_hedges.rerouted(self._state.book, event, position)
        if isinstance(event, SettlementReplaced):
            return _replaced_often(self._state.book, event, position)
        if isinstance(event, PartyRemoved):
            return _removed(self._state.book, event, position)
        if not (type(event) in _MAY_WORSEN or (self._outside and type(event) in _MAY_MEND)):
            return ()
        book = self._state.book
        told: list[Candidate] = []
        for name in underlyings(book):
            limit = book.limit(Control.NET_DELTA, f"asset:{name}")
            worst = ZERO if limit is None else exposure(book, name).interval.worst
            if limit is None or worst <= limit.value:
                self._outside.discard(name)
            elif name not in self._outside:
                self._outside.add(name)
                text = f"worst-case exposure of {worst!s} {name} is outside its limit of {limit.value!s}"
                told.append(caused(position, Severity.CRITICAL, "exposure", name, text))
        return tuple(told)


WATCHED_TOPICS = frozenset(event_type.TOPIC for event_type in _RULES) | EXPOSURE.topics | {PartyRemoved.TOPIC}
"""The tags of the events that can be causes."""
