"""The whole loop in one simulated world: benefactors, the core, its workers, the log, the bus, the venues, the chain.

What runs is the product's own code (`api`, `commands`, `domain`); what is simulated stands behind its ports. A world is
made of a plan, runs until its benefactors are done, is healed, must come to rest, and is then judged.
"""

import asyncio
import contextlib
from collections.abc import Generator
from unittest.mock import patch

import msgspec

import api.core
import api.replica
import api.risk_watch
from api.boot import begin
from api.chain.contract_watch import ContractWatch
from api.chain.settling import Chain, ChainSettling
from api.chain.watched import Watched
from api.core import Core, restore
from api.doors import CommandDoor, InboxDoor
from api.execution.accounts import Accounts
from api.execution.worker import Execution
from api.replica import Replica, restore_replica
from api.risk_watch import RiskWatch
from api.settings import LimitSettings, PolicySettings, Settings
from commands.ports import AppendFailed, Fenced
from domain.mode import Mode
from domain.policy import CustodianTarget, Policy, SettlementOrder
from domain.quantity import num
from tests.simulation import readers
from tests.simulation.auditor import UNDERLYING, Auditor
from tests.simulation.benefactors import BENEFACTORS, Benefactors
from tests.simulation.bus import Requests
from tests.simulation.chain_ports import SimMinting, SimReader
from tests.simulation.chaos import Chaos
from tests.simulation.doors import InboxReader, RequestServer
from tests.simulation.faults import Plan
from tests.simulation.log import LogStore, SimEventLog
from tests.simulation.loop import Process, ProcessDead
from tests.simulation.market import Market
from tests.simulation.model_chain import CUSTODIANS, FINALITY, ModelChain
from tests.simulation.people import LIMITS, People, loosen
from tests.simulation.ports import Feed, SimClock, SimFacts, SimLease, VenuePort, machine_clock
from tests.simulation.relay import SimFollower, SimRelay
from tests.simulation.sim import Sim
from tests.simulation.stream import Stream
from tests.simulation.supervisor import Supervisor
from tests.simulation.venue import VenueServer
from tests.simulation.venue_client import SimVenue
from tests.support.given import a_policy

ACCOUNT, SYMBOL = "main", "ETH/USDT:USDT"
VENUES = {"binanceusdm": 0, "bybit": 4, "okx": -3}
"""The venues, and by how many ticks each is dearer than the first."""
FEES_BPS = {"binanceusdm": num(5), "bybit": num("5.5"), "okx": num(5)}
CARRIED_MAX = num("0.011")
"""What may rest untraded: less than every venue's minimum and a lot, at any price of the world."""
REST_S_MAX = 420.0
"""How long a healed world may take to come to rest: more than the memory of the inbox for message ids."""
LAST_S = 10.0
"""How long a world must stay at rest: longer than the latest message can be on its way."""

LOOK_EVERY_S = 0.4
"""How often risk is looked at: as seldom as a busy machine would, so that a world is over sooner."""

SECOND_US = (500_000, 6_000_000)
"""How long a second core stays."""
STOP_S_MAX = 5.0
STOPS_MAX = 5
STILL_S_MAX = 60
"""How long everybody may take to have the last event, before the core is asked to stop."""


class WorldSettings(Settings, frozen=True, kw_only=True):
    """Settings whose policy is given as it is."""

    adopted: Policy

    def book_policy(self) -> Policy:
        """See `Settings.book_policy`."""
        return self.adopted


def settings(plan: Plan) -> Settings:
    """Return the settings of a world: the desk's policy, three benefactors, two custodians, limits that can be met."""
    names = tuple(VENUES)[: plan.venues]
    (listed,) = a_policy().instruments
    instruments = tuple(msgspec.structs.replace(listed, venue=name, taker_fee_bps=FEES_BPS[name]) for name in names)
    policy = a_policy(
        instruments=instruments,
        benefactors=BENEFACTORS,
        chain_required=True,
        custodians=(
            CustodianTarget(address=CUSTODIANS[0], ratio_bps=7_000),
            CustodianTarget(address=CUSTODIANS[1], ratio_bps=3_000),
        ),
        settlement_order=SettlementOrder.ON_INCLUSION if plan.on_inclusion else SettlementOrder.HEDGE_FIRST,
    )
    wanted = {field: getattr(policy, field) for field in PolicySettings.__struct_fields__ if hasattr(policy, field)}
    return WorldSettings(
        adopted=policy,
        policy=PolicySettings(**wanted),
        limits=tuple(LimitSettings(control=control, scope=scope, value=num(value)) for control, scope, value in LIMITS),
    )


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Name the parts that a planted bug may replace."""

    core: type[Core] = Core
    execution: type[Execution] = Execution
    settling: type[ChainSettling] = ChainSettling
    minting: type[SimMinting] = SimMinting
    relay: type[SimRelay] = SimRelay
    log: type[SimEventLog] = SimEventLog


@contextlib.contextmanager
def small_bounds() -> Generator[None]:
    """Bring the product's bounds down, so that a small world meets them: pages, snapshots, the memory of outcomes."""
    with (
        patch.multiple(api.core, ARRIVED_MAX=16, PAGE=16, RECENT_MAX=6, GROUP_MAX=3, SNAPSHOT_EVERY_EVENTS=40),
        patch.multiple(api.replica, PAGE=16),
        patch.multiple(api.risk_watch, LOOK_EVERY_S=LOOK_EVERY_S),
    ):
        yield


class World:
    """One world of one plan."""

    def __init__(self, plan: Plan, parts: Parts | None = None) -> None:
        self.plan = plan
        self.parts = parts or Parts()
        self.sim = sim = Sim(plan)
        self.clock = SimClock(sim.loop)
        self.supervisor = Supervisor(sim)
        self.store = LogStore(sim)
        self.requests = Requests(sim)
        self.events = Stream(sim, "EVENTS")
        self.inbox = Stream(sim, "INBOX")
        self.venues = self._found_venues()
        self.chain = ModelChain(sim, BENEFACTORS)
        self.auditor = Auditor(sim, self.store, self.venues, self.chain)
        self.settings = settings(plan)
        self.alerts = Stream(sim, "ALERTS")
        self.tables = readers.Tables()
        self.core: Core | None = None
        self._looking: asyncio.Task[None] | None = None
        self.replicas: dict[str, Replica] = {}
        self.mains = {"core": self._run_core, "execution": self._run_execution, "chain": self._run_chain}
        if plan.readers:
            self.mains["readers"] = self._run_readers
        self._stopped = asyncio.Event()
        self._seconds: list[Process] = []
        self._over = asyncio.Event()
        self.auditor.on_violation = self._over.set

    def _found_venues(self) -> dict[str, VenueServer]:
        """Return as many venues as the plan wants, whose prices follow the first one's."""
        names = tuple(VENUES)[: self.plan.venues]
        first = Market(self.sim, names[0], SYMBOL, num(2_000))
        markets = [first, *(Market(self.sim, name, SYMBOL, num(0), first, VENUES[name]) for name in names[1:])]
        return {
            name: VenueServer(self.sim, name, market, self.clock.now_us)
            for name, market in zip(names, markets, strict=True)
        }

    # The processes

    async def _run_core(self, process: Process) -> None:
        sim, auditor, clock = self.sim, self.auditor, machine_clock(self.sim)
        log = self.parts.log(self.store, process)
        log.evicts = True
        head = await log.take_over()
        handler = await restore(log, head)
        relay = self.parts.relay(sim, process, self.events, log, head.position)
        feed = Feed(sim, self.venues)
        core = self.parts.core(handler, log, clock, feed, relay)
        commands, facts = CommandDoor(core.offer), InboxDoor(core.offer)
        server = RequestServer(self.requests, process, commands, auditor)
        inbox = InboxReader(sim, process, self.inbox, facts, auditor)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(core.run())
            relaying = tasks.create_task(relay.run())
            await begin(core, self.settings)
            server.start()
            reading = tasks.create_task(inbox.run())
            looking = tasks.create_task(RiskWatch(core, feed, clock).run())
            if process.name == "core":
                self.core, self._looking = core, looking
            await running
            for task in (reading, relaying, looking):
                task.cancel()
        self._stopped.set()
        await log.close()
        await asyncio.Event().wait()

    async def _run_execution(self, process: Process) -> None:
        log = SimEventLog(self.store, process)
        replica = self.replicas["execution"] = await restore_replica(log)
        accounts = Accounts(replica, SimFollower(process, self.events, log, replica.position))
        facts, clock, lease = SimFacts(process, self.inbox), machine_clock(self.sim), SimLease(process)
        with contextlib.ExitStack() as shown:
            async with asyncio.TaskGroup() as tasks:
                for name, server in self.venues.items():
                    port = VenuePort(SimVenue(server, process, ACCOUNT), name, ACCOUNT, clock)
                    execution = self.parts.execution(replica, None, port, facts, clock, lease)
                    shown.enter_context(accounts.showing(execution))
                    tasks.create_task(execution.run())
                tasks.create_task(accounts.run())

    async def _run_chain(self, process: Process) -> None:
        log = SimEventLog(self.store, process)
        replica = self.replicas["chain"] = await restore_replica(log)
        facts, clock, reader = SimFacts(process, self.inbox), machine_clock(self.sim), SimReader(self.chain, process)
        chain = Chain(reader=reader, minting=self.parts.minting(self.chain, process), finality_blocks=FINALITY)
        follower = SimFollower(process, self.events, log, replica.position)
        settling = self.parts.settling(replica, follower, chain, facts, clock, SimLease(process))
        watched = Watched(reader=reader, finality_blocks=FINALITY, first_block=0, terms_blocks=2)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(settling.run())
            tasks.create_task(ContractWatch(replica, watched, facts, clock).run())

    async def _run_readers(self, process: Process) -> None:
        streams = readers.Streams(self.events, self.inbox, self.alerts)
        await readers.run_readers(self.sim, process, SimEventLog(self.store, process), self.tables, streams)

    def _start_second_core(self) -> None:
        """Start another writer beside the core, as a mistaken deployment does; it ends after a while."""
        loop = self.sim.loop
        second = loop.spawn("second", len(self._seconds), self._run_core)
        self._seconds.append(second)
        second.tasks[0].add_done_callback(lambda task: self._second_ended(second, task), context=loop.outside_context)
        self.sim.later("chaos.second_for", *SECOND_US, loop.kill, second)

    def _second_ended(self, second: Process, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        self.auditor.check(expected(error), "a second core ends only for a known reason", repr(error))
        self.sim.loop.kill(second)

    # Its course

    async def run(self) -> None:
        """Live: work under faults, be healed, come to rest, stop."""
        loop = self.sim.loop
        self.chain.start()
        for name, main in self.mains.items():
            self.supervisor.start(name, main)
        outside = loop.spawn("clients", 0, _idle)
        clients = Benefactors(self.sim, outside, self.requests, self.clock.now_us, self.plan.commands, self.plan.seed)
        clients.block_number = lambda: self.chain.head.block.number
        desk = People(self.sim, clients, self.plan.seed)
        streams = (self.events, self.inbox, self.alerts)
        venues = tuple(self.venues.values())
        chaos_ = Chaos(self.sim, self.supervisor, self.store, streams, venues, self._start_second_core)
        course = loop.create_task(self._course(clients, desk, chaos_))
        over = loop.create_task(self._over.wait())
        await asyncio.wait([course, over], return_when=asyncio.FIRST_COMPLETED)
        if course.done() and course.exception() is not None:
            raise course.exception() or AssertionError
        course.cancel()
        over.cancel()
        self.supervisor.stop()

    async def _course(self, clients: Benefactors, desk: People, chaos_: Chaos) -> None:
        loop = self.sim.loop
        trouble = [loop.create_task(desk.run()), loop.create_task(chaos_.run())]
        await clients.run()
        for task in trouble:
            task.cancel()
        await asyncio.wait(trouble)
        self.sim.faults.heal()
        for second in self._seconds:
            self.sim.loop.kill(second)
        self.sim.note("world", "healed")
        await self._rest(desk)
        await self._graceful_stop()

    async def _rest(self, desk: People) -> None:
        stamp, ticks, quiet = 0, 0, 0
        busy = ""
        while quiet < LAST_S and ticks < REST_S_MAX:
            busy = self.unrest()
            ticks, quiet = ticks + 1, 0 if busy else quiet + 1
            if "core" in self.supervisor.running and self.core is not None and "tightened" in busy:
                stamp += 1
                self.sim.loop.run_in(self.supervisor.running["core"], loosen, self.core, stamp)
            if "modes" in busy or "superseded" in busy:
                await desk.calm()
            await asyncio.sleep(1.0)
        self.auditor.check(not busy, "a healed world comes to rest", busy)
        self.sim.note("world", "at rest")

    def unrest(self) -> str:
        """Say what is still open, unequal or behind; empty when nothing is."""
        return ", ".join((*self._open(), *self._unequal(), *self._behind()))

    def _open(self) -> Generator[str]:
        book = self.auditor.book
        for name in ("requests", "hedges", "orders", "settlements", "dependencies"):
            if getattr(book, name):
                yield f"{name} {len(getattr(book, name))}"
        if abs(book.carry.get(UNDERLYING, num(0))) > CARRIED_MAX:
            yield f"carry {book.carry[UNDERLYING]}"
        if any(mode is not Mode.ACTIVE for mode in book.modes.values()):
            yield "modes"
        for control, scope, value in LIMITS:
            limit = book.limit(control, scope)
            if limit is None:  # nobody here removes one
                yield f"no limit {control}"
            elif str(limit.value) != value:
                yield f"tightened {control}"

    def _unequal(self) -> Generator[str]:
        held = {each.venue: each.quantity for each in self.auditor.book.positions.values()}
        for name, server in self.venues.items():
            at_venue = server.positions.get(SYMBOL, num(0))
            if held.get(name, num(0)) != at_venue:
                yield f"position {held.get(name)}, {name} says {at_venue}"
        if self.core is not None and self.core.handler.epoch != self.store.epoch:
            yield "superseded core"  # a second one wrote meanwhile: it learns of it when it next appends

    def _behind(self) -> Generator[str]:
        head = self.store.head().position
        if len(self.supervisor.running) < len(self.mains):
            yield "a process is down"
        if self.events.last != head:
            yield f"EVENTS at {self.events.last} of {head}"
        if self.inbox.outstanding:
            yield f"INBOX {self.inbox.outstanding}"
        for name, replica in self.replicas.items():
            if replica.position != head:
                yield f"{name} behind"
        if self.plan.readers and readers.behind(self.tables, head):
            yield "a read model is behind"
        if self.plan.readers and readers.untold(self.store.events, self.alerts):
            yield "an alert is untold"

    async def _still(self) -> None:
        """Have risk looked at no more, and wait until everybody has what the last look recorded."""
        looking, process = self._looking, self.supervisor.running.get("core")
        if looking is not None and process is not None:
            self.sim.loop.run_in(process, looking.cancel)
        for _ in range(STILL_S_MAX):
            await asyncio.sleep(1.0)
            if not any(self._behind()):
                return

    async def _graceful_stop(self) -> None:
        """Ask the core to stop, again if it was killed meanwhile."""
        for _ in range(STOPS_MAX):
            await self._still()
            core, process = self.core, self.supervisor.running.get("core")
            if core is not None and process is not None:
                self.sim.loop.run_in(process, core.stop)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S_MAX):
                    await self._stopped.wait()
                    return
        self.auditor.check(False, "the core stops when asked")


async def _idle(_process: Process) -> None:
    await asyncio.Event().wait()


def expected(error: BaseException | None) -> bool:
    """Say whether a process may end so: fenced, a failed append, or killed; everything else is a defect."""
    if isinstance(error, BaseExceptionGroup):
        return all(expected(each) for each in error.exceptions)
    return isinstance(error, Fenced | AppendFailed | ProcessDead)
