"""The read models' process: every projection, and the watch that turns events into alerts."""

import asyncio
from contextlib import AsyncExitStack

import msgspec

from adapters.nats.tail import Tail
from adapters.postgres.views import PostgresViews
from adapters.postgres.views_log import PostgresLog
from adapters.postgres.views_reach import reading_pool
from api.http.metrics import Registry
from api.projecting import Projector
from api.wiring.process import WORKER_INBOX, Process, beat
from commands.envelope import Reply
from projections.catalogue import VIEWS

HEARTBEAT_AGE_S_MAX = 5.0
CHECK_S_MAX = 2.0
COMMAND_TIMEOUT_S = 8.0

_REPLY = msgspec.json.Decoder(Reply)


async def run_projections(process: Process) -> None:
    """Keep every read model moving."""
    services = process.settings.services
    dsn = process.secret(services.postgres_service)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(process.bus(services.nats_worker, "projections", WORKER_INBOX))
        log = await stack.enter_async_context(process.log())
        pool = await stack.enter_async_context(await reading_pool(dsn))
        store = PostgresViews(pool, dsn)
        stack.push_async_callback(store.close)

        def tail(after: int) -> Tail:
            return Tail(bus, process.prefix, log, after=after)

        projector = Projector(tuple(VIEWS.values()), PostgresLog(pool), store, tail)
        registry = Registry()
        lag = registry.gauge("ballast_projection_position", "Position the read models are folded up to.")

        def gather() -> int:
            position = projector.progress.position
            lag.set(position)
            return position

        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(projector.run(process.stop))
            beating = tasks.create_task(beat(process, bus, "projections", registry, gather))
            process.ready()
            await running
            beating.cancel()
