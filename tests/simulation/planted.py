"""Bugs on purpose: if the seeds stop finding one of them, the simulation has rotted, not the product become safe."""

import asyncio
import contextlib
from collections.abc import Awaitable

import msgspec

from api.chain.settling import Chain, ChainSettling
from api.core import Core
from api.execution.sweeping import Sweeps
from api.execution.worker import Execution
from api.replica import Replica
from commands.chain_ports import MintingOrder, Route
from commands.handler import Handler
from commands.ports import Clock, EventLog, Evidence, Facts, Follower, Lease, Publisher, Venue
from domain.approval import Approved, approve
from domain.carry import MarkEvidence
from domain.depth import BookEvidence
from domain.log import Batch, NewEvent, StoredEvent
from domain.market import Witness
from domain.refusal import Rejected, Unavailable
from domain.refusal import Unknown as OutcomeUnknown
from domain.transaction import Errand, Fees, Transaction, replacement_fees
from domain.venue import Acknowledgement, FillReport, Unknown, VenueOrder
from tests.simulation.chain_ports import SimMinting
from tests.simulation.log import SimEventLog
from tests.simulation.loop import Process
from tests.simulation.model_chain import ModelChain
from tests.simulation.model_contract import read_raw
from tests.simulation.ports import VenuePort
from tests.simulation.relay import SimRelay
from tests.simulation.stream import HOP_US
from tests.simulation.world import Parts
from tests.support.given import agreeing

HASTE_S = 1.0


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
        self, replica: Replica, follower: Follower | None, venue: Venue, facts: Facts, clock: Clock, lease: Lease
    ) -> None:
        assert isinstance(venue, VenuePort)
        venue.__class__ = ResendingVenue
        super().__init__(replica, follower, venue, facts, clock, lease)


class HastyVenue(VenuePort):
    """Believe "no such order" at once: a request that is late still arrives, after its order was given up."""

    absence_after_ms = -3_000

    async def submit(self, approved: Approved[VenueOrder]) -> Acknowledgement:
        """Send an order, and ask soon."""
        try:
            async with asyncio.timeout(HASTE_S):
                return await super().submit(approved)
        except TimeoutError:
            raise Unknown("no answer yet") from None


class HastyExecution(Execution):
    """Act through a venue port whose absences are believed at once."""

    def __init__(
        self, replica: Replica, follower: Follower | None, venue: Venue, facts: Facts, clock: Clock, lease: Lease
    ) -> None:
        assert isinstance(venue, VenuePort)
        venue.__class__ = HastyVenue
        super().__init__(replica, follower, venue, facts, clock, lease)


class DeafSweeps(Sweeps):
    """Hear of trades only: what the venue closes by force goes by untold, whoever says it."""

    async def tell(self, fill: FillReport) -> None:
        """See `Sweeps.tell`; not as it says."""
        if fill.kind == "trade":
            await super().tell(fill)


class DeafExecution(Execution):
    """Tell only of what somebody here asked for."""

    def __init__(
        self, replica: Replica, follower: Follower | None, venue: Venue, facts: Facts, clock: Clock, lease: Lease
    ) -> None:
        super().__init__(replica, follower, venue, facts, clock, lease)
        self._sweeps.__class__ = DeafSweeps


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

    def marks(self, now_us: int) -> tuple[MarkEvidence, ...]:
        """See `Evidence.marks`."""
        return self._evidence.marks(now_us)


class CredulousCore(Core):
    """Price without a quorum."""

    def __init__(self, handler: Handler, log: EventLog, clock: Clock, evidence: Evidence, publisher: Publisher) -> None:
        super().__init__(handler, log, clock, Credulous(evidence), publisher)


class HastyMinting(SimMinting):
    """Broadcast before recording: what was signed is on its way before the log has it."""

    async def sign(
        self, errand: Errand, order: MintingOrder, route: Route, nonce: int, gas_limit: int, fees: Fees
    ) -> Transaction:
        """Sign, and send."""
        signed = await super().sign(errand, order, route, nonce, gas_limit, fees)
        with contextlib.suppress(Rejected, Unavailable, OutcomeUnknown):
            await super().broadcast(signed)
        return signed


class ForgetfulMinting(SimMinting):
    """Sign again after a crash: what this process did not sign itself is signed anew instead of sent as it is."""

    def __init__(self, chain: ModelChain, process: Process) -> None:
        super().__init__(chain, process)
        self._own: set[str] = set()

    async def sign(
        self, errand: Errand, order: MintingOrder, route: Route, nonce: int, gas_limit: int, fees: Fees
    ) -> Transaction:
        """Sign, and remember it for as long as the process lives."""
        signed = await super().sign(errand, order, route, nonce, gas_limit, fees)
        self._own.add(signed.tx_hash)
        return signed

    async def broadcast(self, transaction: Transaction) -> None:
        """Send what is remembered, else something like it."""
        if transaction.tx_hash not in self._own:
            call, fees = read_raw(transaction), replacement_fees(transaction.fees, transaction.fees)
            transaction = await self.sign(call.errand, call.order, call.route, call.nonce, transaction.gas_limit, fees)
        await super().broadcast(transaction)


class RashSettling(ChainSettling):
    """Take a block for final as soon as it is there."""

    def __init__(
        self, replica: Replica, follower: Follower, chain: Chain, facts: Facts, clock: Clock, lease: Lease
    ) -> None:
        rash = msgspec.structs.replace(chain, finality_blocks=0)
        super().__init__(replica, follower, rash, facts, clock, lease)


PLANTED: dict[str, Parts] = {
    "ack before commit": Parts(log=EagerLog),
    "retry without idempotency": Parts(execution=ResendingExecution),
    "cursor before publish": Parts(relay=HastyRelay),
    "absence believed at once": Parts(execution=HastyExecution),
    "forced fills unheard": Parts(execution=DeafExecution),
    "pricing without a quorum": Parts(core=CredulousCore),
    "broadcast before recording": Parts(minting=HastyMinting),
    "signed again after a crash": Parts(minting=ForgetfulMinting),
    "final at once": Parts(settling=RashSettling),
}
