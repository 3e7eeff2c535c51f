"""The chain's role: it settles what the book permits, and mirrors what the minting contract and its logs say."""

import asyncio
from contextlib import AsyncExitStack

import msgspec

from adapters.nats.inbox import InboxPublisher
from adapters.nats.tail import Tail
from api.chain.contract_watch import ContractWatch
from api.chain.settling import Chain, ChainSettling
from api.chain.treasury import Manager, TreasuryCalls
from api.chain.watched import RatioSource, Watched
from api.http.metrics import Registry
from api.replica import restore_replica
from api.wiring.chain import open_chain, open_manager, open_minting
from api.wiring.process import WORKER_INBOX, Process, beat, until


async def run_chain(process: Process) -> None:
    """Act on the chain as the only lease-holder of the sender, until told to stop."""
    settings = process.settings
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(process.bus(settings.services.nats_worker, "chain", WORKER_INBOX))
        log = await stack.enter_async_context(process.log())
        facts = InboxPublisher(bus, process.prefix)
        reader = await stack.enter_async_context(open_chain(process))
        minting = await stack.enter_async_context(open_minting(process, reader))
        custody = await stack.enter_async_context(open_manager(process, reader, minting.sender))
        replica = await restore_replica(log)
        tail = await stack.enter_async_context(Tail(bus, process.prefix, log, after=replica.position))
        lease = await stack.enter_async_context(process.lease("chain"))
        wanted = settings.chain
        chain = Chain(
            reader=reader,
            minting=minting,
            finality_blocks=wanted.finality_blocks,
            stuck_blocks=wanted.stuck_blocks,
        )
        watched = Watched(
            reader=reader,
            finality_blocks=wanted.finality_blocks,
            first_block=wanted.from_block,
            terms_blocks=wanted.terms_every_blocks,
            ratios=tuple(RatioSource(**msgspec.structs.asdict(each)) for each in wanted.ratios),
        )
        settling = ChainSettling(replica, tail, chain, facts, process.clock, lease)
        watch = ContractWatch(replica, watched, facts, process.clock)
        manager = (
            None
            if custody is None
            else Manager(
                reader=reader,
                custody=custody,
                finality_blocks=wanted.finality_blocks,
                stuck_blocks=wanted.stuck_blocks,
            )
        )

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(settling.run())
                tasks.create_task(watch.run())
                if manager is not None:
                    tasks.create_task(TreasuryCalls(replica, manager, facts, process.clock, lease).run())
                tasks.create_task(beat(process, bus, "chain", Registry(), lambda: replica.position))
                process.ready()

        await until(process.stop, work())
