"""The workers' processes: what acts at the venue and on the chain, and what hears the market."""

import asyncio
from contextlib import AsyncExitStack

from adapters.nats.inbox import InboxPublisher
from adapters.nats.signals import Signals
from adapters.nats.tail import Tail
from api.execution import Execution
from api.feeding import Feeding
from api.http.metrics import Registry
from api.replica import restore_replica
from api.settling import Settling
from api.wiring.process import WORKER_INBOX, Process, beat, until
from api.wiring.venues import open_venue
from domain.ids import derive_id
from domain.settlement import SettlementSubmissionRequested


class SimulatedSettlements:
    """Stand in for the chain until it comes: every settlement is final at once, under a hash of its own id."""

    async def settle(self, requested: SettlementSubmissionRequested) -> str:
        """Return the hash that the same settlement always gets."""
        first, second = (derive_id(requested.settlement_id, label) for label in ("tx:1", "tx:2"))
        return "0x" + first.hex + second.hex


async def run_execution(process: Process) -> None:
    """Act on the venue's account and on the chain, as their only lease-holder."""
    settings = process.settings
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(process.bus(settings.services.nats_worker, "execution", WORKER_INBOX))
        log = await stack.enter_async_context(process.log())
        lease = await stack.enter_async_context(process.lease(f"{settings.venue.name}:{settings.venue.account}"))
        venue = await stack.enter_async_context(open_venue(process))
        facts = InboxPublisher(bus, process.prefix)
        orders, settlements = await restore_replica(log), await restore_replica(log)
        order_tail = await stack.enter_async_context(Tail(bus, process.prefix, log, after=orders.position))
        chain_tail = await stack.enter_async_context(Tail(bus, process.prefix, log, after=settlements.position))
        execution = Execution(orders, order_tail, venue, facts, process.clock, lease)
        settling = Settling(settlements, chain_tail, SimulatedSettlements(), facts, lease)

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(execution.run())
                tasks.create_task(settling.run())
                tasks.create_task(venue.failed())
                tasks.create_task(beat(process, bus, "execution", Registry(), lambda: orders.position))
                tasks.create_task(beat(process, bus, "chain", Registry(), lambda: settlements.position))
                process.ready()

        await until(process.stop, work())


async def run_market(process: Process) -> None:
    """Hear the venue's books, publish them and the ladders priced on them."""
    settings = process.settings
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(process.bus(settings.services.nats_worker, "market", WORKER_INBOX))
        log = await stack.enter_async_context(process.followed_log())
        venue = await stack.enter_async_context(open_venue(process))
        replica = await restore_replica(log)
        tail = await stack.enter_async_context(Tail(bus, process.prefix, log, after=replica.position))
        feeding = Feeding(replica, tail, venue, Signals(bus, process.prefix), process.clock)

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(feeding.run())
                tasks.create_task(venue.failed())
                tasks.create_task(beat(process, bus, "market", Registry(), lambda: replica.position))
                process.ready()

        await until(process.stop, work())
