"""What watching found: refused controls, dependencies lost and restored, alerts raised and answered."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id


@catalogued
class ControlRefused(Event, frozen=True, kw_only=True, tag="control.refused.v2"):
    """A severe control said no. At most one a second is recorded per control and scope; every refusal is kept.

    `policy_version` is that of the policy it was decided under.
    """

    control: str
    scope: str
    limit: str
    value: str
    command_kind: str
    actor: str
    text: str
    policy_version: int = 0

    @property
    def originator(self) -> UUID:
        """Return the stream of this control and scope."""
        return natural_id("control", self.control, self.scope)


@catalogued
class DependencyDegraded(Event, frozen=True, kw_only=True, tag="dependency.degraded.v1"):
    """Something the book depends on does not answer as it should."""

    dependency: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the dependency's stream."""
        return natural_id("dependency", self.dependency)


@catalogued
class DependencyRestored(Event, frozen=True, kw_only=True, tag="dependency.restored.v1"):
    """A dependency answers again."""

    dependency: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the dependency's stream."""
        return natural_id("dependency", self.dependency)


MARKET_DATA = "market_data"
"""The control that lets a hedge wait for market data that can be believed."""
UNHEDGED = "unhedged"
"""The control that lets delta that is owed to be traded wait: all is halted, or there is no depth or room for it."""
SUSPENSION_AREA = "market"
"""The area of alerts that tell of a suspension, their subject being its scope: they are over when it is."""
REBALANCING_AREA = "rebalancing"
"""The area of alerts that tell of a proposal to move hedges, their subject its underlying: over when it is not open."""
STABLE_AREA = "stable"
"""The area of alerts that propose what else to do with a stable, their subject `asset|underlying`: over likewise."""
MODE_AREA = "mode"
"""The area of alerts about modes, their subject a scope: over when it is ACTIVE again."""
LIMIT_AREA = "limit"
"""The area of alerts about limits, their subject `control scope`: over when its use is in no band of warning."""
LATCH_AREA = "latch"
"""The area of alerts about latches, their subject `control scope`: over when a person released it."""
DEPENDENCY_AREA = "dependency"
"""The area of alerts about what does not answer, their subject its name: over when it answers again."""
APPROVAL_AREA = "approval"
"""The area of alerts about approvals, their subject its id: over when it was decided, expired or is void."""
SUPPLY_AREA = "supply"
"""The area of alerts about issued dollars that no settlement explains: over when the chain and the log agree again."""
RATIO_AREA = "ratio"
"""The area of alerts about a token's ratio that is not believed or not read, their subject the asset."""


class Severity(StrEnum):
    """Grade an alert: critical pages a person."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@catalogued
class AlertRaised(Event, frozen=True, kw_only=True, tag="alert.raised.v1"):
    """A person should know. `cause_position` is the event that brought it about, 0 when none did."""

    alert_id: UUID
    severity: Severity
    area: str
    subject: str
    text: str
    cause_position: int

    @property
    def originator(self) -> UUID:
        """Return the alert's id."""
        return self.alert_id


@catalogued
class AlertAcknowledged(Event, frozen=True, kw_only=True, tag="alert.acknowledged.v1"):
    """A person took an alert up."""

    alert_id: UUID
    author: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the alert's id."""
        return self.alert_id


@catalogued
class AlertResolved(Event, frozen=True, kw_only=True, tag="alert.resolved.v1"):
    """What an alert told of is over."""

    alert_id: UUID
    text: str

    @property
    def originator(self) -> UUID:
        """Return the alert's id."""
        return self.alert_id


class OpenAlert(msgspec.Struct, frozen=True, gc=False):
    """Hold an alert that is not resolved."""

    raised: AlertRaised
    acknowledged_by: str = ""
