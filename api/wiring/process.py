"""What the roles of one process share: settings, connections, clock, and the ways to be ready and to stop.

A client of a server is imported where it is opened: a role that must live without a server does not load it.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from api.http.metrics import Registry
from api.settings import Settings, secret

if TYPE_CHECKING:
    from adapters.nats.connection import Connection
    from adapters.postgres.event_log import PostgresEventLog
    from adapters.postgres.lease import PostgresLease
    from adapters.postgres.patient import PatientLog

HEARTBEAT_S = 1.0
# Reply subjects by NATS user, each heard by its own user alone (and by the core).
CORE_INBOX, API_INBOX, WORKER_INBOX = "_INBOX", "_INBOX_api", "_INBOX_worker"

Ready = Callable[[], None]
Numbers = Callable[[], int | None]


class SystemClock:
    """Tell the machine's date."""

    def now_us(self) -> int:
        """Return microseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000


class Process:
    """Hold what every role of one process shares: its settings, its place in the file system, its way to stop."""

    def __init__(self, settings: Settings, folder: Path, ready: Ready, stop: asyncio.Event) -> None:
        self.settings = settings
        self.folder = folder
        self.ready = ready
        self.stop = stop
        self.clock = SystemClock()
        self.prefix = settings.book.prefix

    def secret(self, value: str) -> str:
        """Return a setting's secret."""
        return secret(value, self.folder)

    @asynccontextmanager
    async def bus(self, url: str, name: str, inbox_prefix: str = CORE_INBOX) -> "AsyncGenerator[Connection]":
        """Connect to NATS as one of its users; replies come where no other user but the core can hear them."""
        from adapters.nats.connection import open_connection  # noqa: PLC0415 - only who opens it loads it

        connection = await open_connection(self.secret(url), name=name, inbox_prefix=inbox_prefix)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def log(self) -> "AsyncGenerator[PostgresEventLog]":
        """Open the event log under the service's role."""
        from adapters.postgres.event_log import PostgresEventLog  # noqa: PLC0415 - only who opens it loads it

        log = PostgresEventLog(self.secret(self.settings.services.postgres_service))
        try:
            yield log
        finally:
            await log.close()

    @asynccontextmanager
    async def followed_log(self) -> "AsyncGenerator[PatientLog]":
        """Open the log for one who only follows it: a server that is restarted makes it wait, not fail."""
        from adapters.postgres.patient import PatientLog  # noqa: PLC0415 - only who opens it loads it

        async with self.log() as log:
            yield PatientLog(log)

    @asynccontextmanager
    async def lease(self, name: str) -> "AsyncGenerator[PostgresLease]":
        """Hold the sole right to act on something; wait until whoever held it is gone."""
        from adapters.postgres.lease import PostgresLease  # noqa: PLC0415 - only who opens it loads it

        lease = PostgresLease(self.secret(self.settings.services.postgres_service), f"{self.prefix}:{name}")
        try:
            await lease.take()
            yield lease
        finally:
            await lease.close()


async def until(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Run work until `stop` is set, then cancel it; raise what broke it before."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            raise RuntimeError("a worker ended by itself")
    finally:
        stopped.cancel()
        task.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def beat(process: Process, bus: "Connection", role: str, registry: Registry, gather: Numbers) -> None:
    """Publish a role's heartbeat every second: its numbers, and how far in the log it is."""
    from adapters.nats.signals import Signals  # noqa: PLC0415 - only who opens it loads it

    signals = Signals(bus, process.prefix)
    while True:
        position = gather()
        signals.publish_health(role, registry.heartbeat(role, os.getpid(), process.clock.now_us(), position))
        await asyncio.sleep(HEARTBEAT_S)
