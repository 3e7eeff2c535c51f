"""A small house around the settlement worker: a book that answers its facts, and a chain that does as it is told.

Facts can be lost, the log be slow to show, the lease be taken away, and the worker be killed and begun anew.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

import msgspec

from api.chain.contract_watch import ContractWatch
from api.chain.settling import Chain, ChainSettling
from api.chain.watched import Watched
from api.replica import Replica
from commands.chain_ports import MintingOrder, Route
from commands.ports import Fenced, LoggedEvent
from domain.book import Book
from domain.event import Event
from domain.log import NewEvent
from domain.policy import CustodianTarget
from domain.refusal import Rejected
from domain.request import RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.settlement import OpenSettlement, SettlementReplaced, SettlementSubmitted
from domain.transaction import Errand, Fees, Transaction
from tests.simulation.chain_ports import SimMinting, SimReader
from tests.simulation.faults import Plan
from tests.simulation.loop import Process
from tests.simulation.model_chain import CUSTODIANS, FINALITY, ModelChain
from tests.simulation.ports import SimClock
from tests.simulation.sim import Sim
from tests.support.desk import Desk
from tests.support.given import BENEFACTOR, a_policy, a_wallet

BLOCK_S = 1.5
LOOK_S = 0.05
UNTIL_S = 200.0
ENDS = (RequestCompleted, RequestCancelled, RequestSettlementFailed)


class Logged(msgspec.Struct, frozen=True):
    position: int
    topic: str
    state: bytes
    metadata: bytes


class Follower:
    """Follow the desk's log, as far as it is shown."""

    def __init__(self, house: "House", after: int) -> None:
        self._house = house
        self._position = after

    async def next_batch(self, limit: int = 100) -> Sequence[LoggedEvent]:
        while not (events := self._house.stored[self._position : self._house.shown][:limit]):  # noqa: ASYNC110 - virtual
            await asyncio.sleep(LOOK_S)
        first = self._position + 1
        self._position += len(events)
        return [Logged(at, each.topic, each.state, each.metadata) for at, each in enumerate(events, first)]


class Lease:
    def __init__(self) -> None:
        self.lost = False

    def check(self) -> None:
        if self.lost:
            raise Fenced("another holds the lease")


class Minting(SimMinting):
    """The model's, except for what the house wants said."""

    def __init__(self, house: "House", process: Process) -> None:
        super().__init__(house.chain, process)
        self._house = house

    async def preflight(self, order: MintingOrder, route: Route) -> int:
        if self._house.preflight_error:
            self._house.tried_out += 1
            raise Rejected(self._house.preflight_error, "execution reverted")
        return await super().preflight(order, route)

    async def sign(
        self, errand: Errand, order: MintingOrder, route: Route, nonce: int, gas_limit: int, fees: Fees
    ) -> Transaction:
        if self._house.signer_error:
            raise Rejected(self._house.signer_error, "no")
        self._house.signed += 1
        return await super().sign(errand, order, route, nonce, gas_limit, fees)

    async def broadcast(self, transaction: Transaction) -> None:
        if self._house.node_error:
            raise Rejected(self._house.node_error, "no")
        await super().broadcast(transaction)


class House:
    """Hold the book, the chain, and the worker between them."""

    def __init__(self, **policy: Any) -> None:
        self.sim = Sim(Plan(seed=1))
        self.chain = ModelChain(self.sim, (BENEFACTOR,))
        self.clock = SimClock(self.sim.loop)
        wanted: dict[str, Any] = {
            "chain_required": True,
            "custodians": (CustodianTarget(address=CUSTODIANS[0], ratio_bps=10_000),),
        }
        self.desk = Desk(policy=a_policy(**wanted | policy))
        self.lease = Lease()
        self.lose: Callable[[str], bool] = lambda _kind: False
        self.slow_log = False
        self.preflight_error = self.signer_error = self.node_error = ""
        self.tried_out = self.signed = 0
        self.told: list[str] = []
        self.sent: list[Transaction] = []
        self.ended: BaseException | None = None
        self._keys: set[tuple[str, str]] = set()
        self._process: Process | None = None
        self._lives = 0
        self._frozen = 0
        self.chain.on_broadcast.append(self.sent.append)

    # What the worker sees

    @property
    def stored(self) -> list[NewEvent]:
        return self.desk.stored

    @property
    def shown(self) -> int:
        return self._frozen if self.slow_log else len(self.stored)

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        """Take a fact, once under its key, and decide it."""
        await asyncio.sleep(LOOK_S)
        self.told.append(kind)
        if (kind, natural_key) in self._keys or self.lose(kind):
            return None
        self._keys.add((kind, natural_key))
        self.decide(kind, msgspec.Raw(body))
        return None

    def decide(self, kind: str, body: object) -> None:
        """Let the book decide something now, and what it owes itself by now."""
        self.desk.now_us = max(self.desk.now_us, self.clock.now_us())
        self.desk.do(kind, body)
        self.desk.wake()

    def slow_down(self) -> None:
        """Show the worker nothing of the log from here on."""
        self._frozen, self.slow_log = len(self.stored), True

    # Its life

    def start(self) -> None:
        """Begin the worker, again if it was killed."""
        self._process = self.sim.loop.spawn("chain", self._lives, self._work)
        self._lives += 1

    def kill(self) -> None:
        """Kill the worker as `kill -9` does."""
        assert self._process is not None
        self.sim.loop.kill(self._process)

    async def _work(self, process: Process) -> None:
        replica, reader = Replica(Book(), 0), SimReader(self.chain, process)
        chain = Chain(reader=reader, minting=Minting(self, process), finality_blocks=FINALITY, stuck_blocks=3)
        watched = Watched(reader=reader, finality_blocks=FINALITY, first_block=0, terms_blocks=1)
        for at, event in enumerate(self.stored[: self.shown], 1):
            replica.fold(Logged(at, event.topic, event.state, event.metadata))
        follower = Follower(self, replica.position)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ChainSettling(replica, follower, chain, self, self.clock, self.lease).run())
                tasks.create_task(ContractWatch(replica, watched, self, self.clock).run())
        except BaseException as error:
            self.ended = error
            raise

    def play(self, story: Callable[["House"], Coroutine[Any, Any, None]]) -> "House":
        """Play a story in virtual time, with the contract seen by the book before it begins."""

        async def main() -> None:
            self.chain.start()
            self.start()
            await self.until(lambda: self.desk.book.onchain.terms is not None)
            await story(self)

        try:
            self.sim.loop.run_until_complete(main())
        finally:
            self.sim.loop.close()
        return self

    async def until(self, shown: Callable[[], object], seconds: float = UNTIL_S) -> None:
        """Wait until something holds; fail when it does not in time."""
        async with asyncio.timeout(seconds):
            while not shown():  # noqa: ASYNC110 - time is virtual, and what is waited for is anything at all
                await asyncio.sleep(LOOK_S)

    async def blocks(self, count: int) -> None:
        """Let so many blocks pass, and what follows from the last one."""
        await asyncio.sleep(count * BLOCK_S)

    # What it is about

    def accept(self, size: str = "100", side: str = "MINT", *, nonce: int = 1, **changes: object) -> UUID:
        """Accept an order of a stable, which is settled at once; return its request."""
        self.desk.now_us = self.clock.now_us()
        quote = self.desk.quote(size, pair="USDT/USDe", side=side)
        decision = self.desk.accept(quote, nonce=nonce, **{"wallet": a_wallet(), **changes})
        assert decision.outcome.status == "accepted", decision.outcome
        return next(iter(reversed(self.desk.book.requests)))

    def end_of(self, request_id: UUID) -> str:
        """Return the tag of a request's end, without its version; empty while it is open."""
        ends = [event for event in self.desk.events if isinstance(event, ENDS) and event.request_id == request_id]
        assert len(ends) <= 1
        return ends[0].TOPIC.rsplit(".", 1)[0] if ends else ""

    @property
    def settlement(self) -> OpenSettlement:
        """Return the one open settlement."""
        (found,) = self.desk.book.settlements.values()
        return found

    def submitted(self) -> list[Transaction]:
        """Return every first transaction of an attempt that the book recorded."""
        return [event.transaction for event in self.desk.events if isinstance(event, SettlementSubmitted)]

    def replaced(self, errand: Errand) -> list[Transaction]:
        """Return every replacement that the book recorded."""
        found = [event.transaction for event in self.desk.events if isinstance(event, SettlementReplaced)]
        return [each for each in found if each.errand is errand]

    def hot_balance(self, asset: str) -> int:
        """Return what the book believes the contract to hold of a collateral."""
        terms = self.desk.book.onchain.asset(self.desk.book.asset(asset).address)
        return terms.hot_balance if terms is not None else 0

    def happened(self, kind: type[Event]) -> int:
        """Say how often something was recorded."""
        return sum(isinstance(event, kind) for event in self.desk.events)

    def check(self) -> None:
        """Hold what holds after every story: all that was sent was recorded, and the book has what the chain has."""
        known = [*self.submitted(), *self.replaced(Errand.SETTLE), *self.replaced(Errand.CANCEL)]
        recorded = {each.tx_hash for each in known}
        assert {each.tx_hash for each in self.sent} <= recorded
        book = self.desk.book
        assert book.backing.get("USDT", 0) == self.chain.custody.get("USDT", 0)
        assert book.issued == self.chain.supply
