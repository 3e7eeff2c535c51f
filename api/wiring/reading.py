"""The read models' process: every projection, and the watch that turns events into alerts."""

import asyncio
from contextlib import AsyncExitStack

from adapters.nats.alerts import AlertPublisher
from adapters.nats.inbox import InboxPublisher
from adapters.nats.tail import Tail
from adapters.postgres.views import PostgresViews
from adapters.postgres.views_bookmarks import PostgresBookmarks
from adapters.postgres.views_log import PostgresLog
from adapters.postgres.views_reach import reading_pool
from api.alerting import AlertWatch
from api.http.metrics import Registry
from api.projecting import Projector
from api.wiring.process import WORKER_INBOX, Numbers, Process, beat
from projections.catalogue import VIEWS


async def run_projections(process: Process) -> None:
    """Keep every read model moving, and tell people what the log says they should know."""
    services = process.settings.services
    dsn = process.secret(services.postgres_service)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(process.bus(services.nats_worker, "projections", WORKER_INBOX))
        log = await stack.enter_async_context(process.followed_log())
        pool = await stack.enter_async_context(await reading_pool(dsn))
        store, reader = PostgresViews(pool, dsn), PostgresLog(pool)
        stack.push_async_callback(store.close)

        def tail(after: int) -> Tail:
            return Tail(bus, process.prefix, log, after=after)

        projector = Projector(tuple(VIEWS.values()), reader, store, tail)
        watch = AlertWatch(
            reader=reader,
            store=store,
            tail=tail,
            bookmarks=PostgresBookmarks(pool),
            facts=InboxPublisher(bus, process.prefix),
            bus=AlertPublisher(bus, process.prefix),
        )
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(projector.run(process.stop)), tasks.create_task(watch.run(process.stop))]
            beating = [
                tasks.create_task(beat(process, bus, "projections", *_projector_numbers(projector))),
                tasks.create_task(beat(process, bus, "watch", *_watch_numbers(watch))),
            ]
            process.ready()
            await asyncio.gather(*running)
            for task in beating:
                task.cancel()


def _projector_numbers(projector: Projector) -> tuple[Registry, Numbers]:
    registry = Registry()
    rows = registry.gauge("ballast_projection_rows", "Rows written since the start.")
    restarts = registry.gauge("ballast_projection_restarts", "Times the projector began again since the start.")

    def gather() -> int:
        progress = projector.progress
        rows.set(progress.rows)
        restarts.set(progress.restarts)
        return progress.position

    return registry, gather


def _watch_numbers(watch: AlertWatch) -> tuple[Registry, Numbers]:
    registry = Registry()
    pending = registry.gauge("ballast_watch_pending", "Alerts sent to the core and not yet in the log.")
    told = registry.gauge("ballast_watch_told", "Alerts published since the start.")

    def gather() -> int:
        progress = watch.progress
        pending.set(progress.pending)
        told.set(progress.told)
        return progress.position

    return registry, gather
