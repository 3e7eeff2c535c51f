"""Bugs on purpose: if the seeds stop finding one of them, the simulation has rotted, not the product become safe."""

from collections.abc import Awaitable

import msgspec

from api.core import Core
from api.execution import Execution
from api.replica import Replica
from commands.handler import Handler
from commands.ports import Clock, EventLog, Evidence, Facts, Follower, Lease, Publisher, Venue
from domain.approval import Approved, approve
from domain.depth import BookEvidence
from domain.log import Batch, NewEvent, StoredEvent
from domain.market import Witness
from domain.venue import Acknowledgement, Unknown, VenueOrder
from tests.simulation.log import SimEventLog
from tests.simulation.ports import VenuePort
from tests.simulation.relay import SimRelay
from tests.simulation.stream import HOP_US
from tests.simulation.world import Parts
from tests.support.desk import agreeing


class EagerLog(SimEventLog):
    """Acknowledge before the commit: an append is called durable as soon as it is queued."""

    def append(self, batch: Batch) -> Awaitable[None]:
        """See `EventLog.append`; not as it says."""
        queued = super().append(batch)
        told = self._sim.loop.create_future()
        told.set_result(None)
        return queued if self._failure is not None else told


class ResendingVenue(VenuePort):
    """Retry without idempotency: an order whose outcome is unknown is sent again under another id."""

    async def submit(self, approved: Approved[VenueOrder]) -> Acknowledgement:
        """Send an order, and again."""
        try:
            return await super().submit(approved)
        except Unknown:
            again = msgspec.structs.replace(approved.value, client_order_id=approved.value.client_order_id[:-1] + "r")
            return await self._venue.submit(approve(again, approved.intent_id, approved.send_before_us).value)


class ResendingExecution(Execution):
    """Act through a venue port that resends."""

    def __init__(
        self, replica: Replica, follower: Follower, venue: Venue, facts: Facts, clock: Clock, lease: Lease
    ) -> None:
        assert isinstance(venue, VenuePort)
        venue.__class__ = ResendingVenue
        super().__init__(replica, follower, venue, facts, clock, lease)


class HastyVenue(VenuePort):
    """Believe "no such order" at once: a request that is late still arrives, after its order was given up."""

    absence_after_ms = -3_000


class HastyExecution(Execution):
    """Act through a venue port whose absences are believed at once."""

    def __init__(
        self, replica: Replica, follower: Follower, venue: Venue, facts: Facts, clock: Clock, lease: Lease
    ) -> None:
        assert isinstance(venue, VenuePort)
        venue.__class__ = HastyVenue
        super().__init__(replica, follower, venue, facts, clock, lease)


class HastyRelay(SimRelay):
    """Advance the cursor before publishing: what was not published when it died, or went unheard, never is."""

    CURSOR = "relay"

    async def resync(self) -> None:
        """Go on where the cursor stands."""
        await self.sim.travel(self.process, "relay.resync", *HOP_US)
        if not self.stream.exists:
            self.stream.create(self.head + 1)
            self.log.checkpoints[self.CURSOR] = self.head
        self.published = self.log.checkpoints.get(self.CURSOR, 0)

    async def publish(self, position: int, event: NewEvent | StoredEvent) -> None:
        """Move the cursor, then publish."""
        self.log.checkpoints[self.CURSOR] = position
        await self.send(position, event, None)
        self.published = position


class Credulous:
    """Let the hedge venue vouch for itself: whatever its book says, everyone is made to agree."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._seen: tuple[BookEvidence, ...] = ()

    def look(self, now_us: int) -> tuple[BookEvidence, ...]:
        """See `Evidence.look`."""
        self._seen = self._evidence.look(now_us)
        return self._seen

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        """See `Evidence.witnesses`; not as it says."""
        del now_us
        return tuple(each for book in self._seen for each in agreeing(book))


class CredulousCore(Core):
    """Price without a quorum."""

    def __init__(self, handler: Handler, log: EventLog, clock: Clock, evidence: Evidence, publisher: Publisher) -> None:
        super().__init__(handler, log, clock, Credulous(evidence), publisher)


PLANTED: dict[str, Parts] = {
    "ack before commit": Parts(log=EagerLog),
    "retry without idempotency": Parts(execution=ResendingExecution),
    "cursor before publish": Parts(relay=HastyRelay),
    "absence believed at once": Parts(execution=HastyExecution),
    "pricing without a quorum": Parts(core=CredulousCore),
}
