"""What watching reports: dependencies lost and restored, alerts raised and answered; and the book's policy."""

from uuid import UUID

from commands.context import Context
from commands.envelope import Command, command
from commands.process import Message, Record
from domain.book import Book
from domain.event import Event
from domain.policy import Policy, PolicyAdopted
from domain.policy_faults import policy_faults
from domain.rebalancing import RebalanceHeld, RebalanceProposed, RebalanceStarted
from domain.refusal import Reason, Refusal
from domain.stable import StableHeld, StableProposed, stable_key
from domain.suspension import Resumed
from domain.watch import (
    REBALANCING_AREA,
    STABLE_AREA,
    SUSPENSION_AREA,
    AlertAcknowledged,
    AlertRaised,
    AlertResolved,
    DependencyDegraded,
    DependencyRestored,
    Severity,
)


@command("dependency.degraded")
class RecordDegraded(Command, frozen=True, kw_only=True):
    """Report that a dependency does not answer as it should."""

    dependency: str
    text: str


@command("dependency.restored")
class RecordRestored(Command, frozen=True, kw_only=True):
    """Report that a dependency answers again."""

    dependency: str
    text: str


@command("alert.raise")
class RaiseAlert(Command, frozen=True, kw_only=True):
    """Report what a person should know."""

    alert_id: UUID
    severity: Severity
    area: str
    subject: str
    text: str
    cause_position: int


@command("alert.acknowledge")
class AcknowledgeAlert(Command, frozen=True, kw_only=True):
    """Take an alert up."""

    alert_id: UUID
    text: str


@command("policy.adopt")
class AdoptPolicy(Command, frozen=True, kw_only=True):
    """Decide by these settings from here on."""

    policy: Policy


def record_degraded(book: Book, command: RecordDegraded, _context: Context) -> tuple[Event, ...]:
    """Decide `RecordDegraded`: once per loss."""
    if command.dependency in book.dependencies:
        return ()
    return (DependencyDegraded(dependency=command.dependency, text=command.text),)


def record_restored(book: Book, command: RecordRestored, _context: Context) -> tuple[Event, ...]:
    """Decide `RecordRestored`: only what was lost is restored."""
    if command.dependency not in book.dependencies:
        return ()
    return (DependencyRestored(dependency=command.dependency, text=command.text),)


def raise_alert(book: Book, command: RaiseAlert, _context: Context) -> tuple[Event, ...]:
    """Decide `RaiseAlert`: an alert is raised once; what came back before its alert did is told and over at once."""
    if command.alert_id in book.alerts:
        return ()
    raised = AlertRaised(
        alert_id=command.alert_id,
        severity=command.severity,
        area=command.area,
        subject=command.subject,
        text=command.text,
        cause_position=command.cause_position,
    )
    if command.area == SUSPENSION_AREA and command.subject not in book.outside.suspended:
        return (raised, AlertResolved(alert_id=command.alert_id, text="it came back meanwhile"))
    proposals = {REBALANCING_AREA: book.rebalancing.proposals, STABLE_AREA: book.stables}.get(command.area)
    if proposals is not None and command.subject not in proposals:
        return (raised, AlertResolved(alert_id=command.alert_id, text="it is not proposed any more"))
    return (raised,)


def react_resumed(book: Book, event: Resumed, _at_us: int) -> tuple[Message, ...]:
    """Resolve the alerts that told of a suspension."""
    return _resolve(book, SUSPENSION_AREA, event.scope, event.text)


def react_moved(
    book: Book, event: RebalanceHeld | RebalanceProposed | RebalanceStarted, _at_us: int
) -> tuple[Message, ...]:
    """Resolve the alerts that told of a proposal which is made, withdrawn, or followed by another."""
    if isinstance(event, RebalanceHeld) and event.proposed:
        return ()
    text = event.text if isinstance(event, RebalanceHeld) else "a step of it is made"
    if isinstance(event, RebalanceProposed):
        text = "another is proposed"
    return _resolve(book, REBALANCING_AREA, event.underlying, text)


def react_stable(book: Book, event: StableProposed | StableHeld, _at_us: int) -> tuple[Message, ...]:
    """Resolve the alerts that told of what else could be done with a stable."""
    text = event.text if isinstance(event, StableHeld) else "another is proposed"
    return _resolve(book, STABLE_AREA, stable_key(event.asset, event.underlying), text)


def _resolve(book: Book, area: str, subject: str, text: str) -> tuple[Message, ...]:
    return tuple(
        Record(AlertResolved(alert_id=alert_id, text=text))
        for alert_id, alert in book.alerts.items()
        if (alert.raised.area, alert.raised.subject) == (area, subject)
    )


def acknowledge_alert(book: Book, command: AcknowledgeAlert, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `AcknowledgeAlert`."""
    alert = book.alerts.get(command.alert_id)
    if alert is None:
        return Refusal(reason=Reason.UNKNOWN_SUBJECT, text=f"no open alert {command.alert_id}")
    if alert.acknowledged_by:
        return ()
    return (AlertAcknowledged(alert_id=command.alert_id, author=context.actor, text=command.text),)


def adopt_policy(book: Book, command: AdoptPolicy, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `AdoptPolicy`: one in force already changes nothing; one that forgets what may be held is refused."""
    before, after = book.policy, command.policy
    if before == after:
        return ()
    lost = _lost(before, after) if before is not None else ""
    wrong = policy_faults(after)
    if wrong:
        return Refusal(reason=Reason.VALUE_INVALID, text=wrong)
    if lost:
        text = f"the new policy drops or redefines {lost}, which the book may hold: keep it, and halt it instead"
        return Refusal(reason=Reason.VALUE_INVALID, text=text)
    return (PolicyAdopted(policy=after),)


def _lost(before: Policy, after: Policy) -> str:
    """Name what the book could no longer value or hedge under the new policy; empty when there is nothing."""
    assets = {asset.symbol: (asset.decimals, asset.underlying) for asset in after.assets}
    gone = [asset.symbol for asset in before.assets if assets.get(asset.symbol) != (asset.decimals, asset.underlying)]
    contracts = {(item.venue, item.account, item.symbol, item.base) for item in after.instruments}
    gone += [
        item.symbol
        for item in before.instruments
        if (item.venue, item.account, item.symbol, item.base) not in contracts
    ]
    pairs = {(pair.name, pair.collateral, pair.hedging, pair.venue, pair.symbol) for pair in after.pairs}
    gone += [
        pair.name
        for pair in before.pairs
        if (pair.name, pair.collateral, pair.hedging, pair.venue, pair.symbol) not in pairs
    ]
    if after.issued != before.issued:
        gone.append(before.issued)
    return ", ".join(gone)
