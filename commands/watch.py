"""What watching reports: dependencies lost and restored, alerts raised and answered; and the book's policy."""

from collections.abc import Callable
from uuid import UUID

from commands.context import Context
from commands.envelope import Command, command
from commands.process import Message, Record
from domain.approvals import ApprovalDenied, ApprovalExpired, ApprovalGranted
from domain.book import Book
from domain.event import Event
from domain.latch import ControlReleased
from domain.limit import limit_key
from domain.mode import Mode, ModeChanged
from domain.policy import Policy, PolicyAdopted
from domain.policy_faults import policy_faults
from domain.rebalancing.rebalance import RebalanceHeld, RebalanceProposed, RebalanceStarted
from domain.refusal import Reason, Refusal
from domain.stable import StableHeld, StableProposed, stable_key
from domain.suspension import Resumed
from domain.warning import LimitApproached
from domain.watch import (
    APPROVAL_AREA,
    DEPENDENCY_AREA,
    LATCH_AREA,
    LIMIT_AREA,
    MODE_AREA,
    REBALANCING_AREA,
    STABLE_AREA,
    SUPPLY_AREA,
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
    stands, text = _STANDS.get(command.area, (_always, ""))
    return (raised,) if stands(book, command.subject) else (raised, AlertResolved(alert_id=command.alert_id, text=text))


def _always(_book: Book, _subject: str) -> bool:
    return True


_STANDS: dict[str, tuple[Callable[[Book, str], bool], str]] = {
    SUSPENSION_AREA: (lambda book, scope: scope in book.outside.suspended, "it came back meanwhile"),
    REBALANCING_AREA: (lambda book, name: name in book.rebalancing.proposals, "it is not proposed any more"),
    STABLE_AREA: (lambda book, name: name in book.stables, "it is not proposed any more"),
    MODE_AREA: (lambda book, scope: book.modes.get(scope, Mode.ACTIVE) is not Mode.ACTIVE, "it is ACTIVE again"),
    LIMIT_AREA: (lambda book, subject: _key(subject) in book.approached, "its limit is not near now"),
    LATCH_AREA: (lambda book, subject: _key(subject) in book.latches, "it is enabled"),
    SUPPLY_AREA: (lambda book, _: bool(book.supply.difference), "the chain and the settlements agree"),
    DEPENDENCY_AREA: (lambda book, name: name in book.dependencies, "it answers again"),
    APPROVAL_AREA: (lambda book, name: any(str(each) == name for each in book.approvals), "it is over"),
}
"""What the alerts of an area tell of, by subject, and what to say when it is over before the alert is raised."""


def _key(subject: str) -> str:
    """Return the key of a limit or latch that an alert is about."""
    return limit_key(*subject.split(" ", 1)) if " " in subject else subject


def react_resumed(book: Book, event: Resumed, _at_us: int) -> tuple[Message, ...]:
    """Resolve the alerts that told of a suspension."""
    return _resolve(book, SUSPENSION_AREA, event.scope, event.text)


def react_restored(book: Book, event: DependencyRestored, _at_us: int) -> tuple[Message, ...]:
    """Resolve the alerts that told of a dependency which did not answer."""
    return _resolve(book, DEPENDENCY_AREA, event.dependency, event.text)


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


def react_mode(book: Book, event: ModeChanged, _at_us: int) -> tuple[Message, ...]:
    """Resolve the alerts that told of a scope which was stopped, once nothing holds it any more."""
    if book.modes.get(event.scope, Mode.ACTIVE) is not Mode.ACTIVE:
        return ()
    return _resolve(book, MODE_AREA, event.scope, f"ACTIVE again: {event.reason}")


def react_approached(book: Book, event: LimitApproached, _at_us: int) -> tuple[Message, ...]:
    """Resolve the alerts that told of another band of a limit than it is in now."""
    text = "another band is told of" if event.band > event.before else f"{event.used} of {event.limit} {event.unit}"
    return _resolve(book, LIMIT_AREA, f"{event.control} {event.scope}", text)


def react_unlatched(book: Book, event: ControlReleased, _at_us: int) -> tuple[Message, ...]:
    """Resolve the alerts that told of a latch."""
    return _resolve(book, LATCH_AREA, f"{event.control} {event.scope}", f"enabled by {event.author}")


def react_decided(
    book: Book, event: ApprovalGranted | ApprovalDenied | ApprovalExpired, _at_us: int
) -> tuple[Message, ...]:
    """Resolve the alerts that asked for a second person."""
    return _resolve(book, APPROVAL_AREA, str(event.approval_id), "it is over")


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
