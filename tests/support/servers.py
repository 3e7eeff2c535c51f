"""Start one real Postgres and one real NATS server for a test session, and hand out fresh databases on them."""

import asyncio
import secrets
import shutil
import tempfile
import threading
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.supervisor import Supervisor

START_WITHIN_S = 120
STOP_WITHIN_S = 60

Server = TypeVar("Server")


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A running Postgres 18, fsync on; `dsn` is the owner's, who is no superuser; `root` is its data directory."""

    dsn: str
    superuser_dsn: str
    pid: int
    root: Path


@dataclass(frozen=True, kw_only=True)
class NatsServer:
    """A running NATS server with JetStream; `url` names a user who may do everything."""

    url: str
    pid: int


@asynccontextmanager
async def _postgres(root: Path) -> AsyncGenerator[PostgresServer]:
    postgres = EmbeddedPostgres(root)
    async with Supervisor() as supervisor:
        pid = await supervisor.launch(await postgres.prepare())
        yield PostgresServer(dsn=postgres.dsn(), superuser_dsn=postgres.superuser_dsn(), pid=pid, root=root)


@asynccontextmanager
async def _nats(root: Path) -> AsyncGenerator[NatsServer]:
    nats = EmbeddedNats(root)
    async with Supervisor() as supervisor:
        pid = await supervisor.launch(await nats.prepare())
        yield NatsServer(url=nats.url("core"), pid=pid)


@contextmanager
def running_postgres() -> Generator[PostgresServer]:
    """Run a Postgres in a temporary directory, from a thread of its own."""
    with _temporary("ballast-postgres-") as root, _in_thread(_postgres(root)) as server:
        yield server


@contextmanager
def running_nats() -> Generator[NatsServer]:
    """Run a NATS server with JetStream in a temporary directory, from a thread of its own."""
    with _temporary("ballast-nats-") as root, _in_thread(_nats(root)) as server:
        yield server


@contextmanager
def _temporary(prefix: str) -> Generator[Path]:
    root = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield root / "data"
    finally:
        shutil.rmtree(root)


@contextmanager
def _in_thread(context: AbstractAsyncContextManager[Server]) -> Generator[Server]:
    """Keep an asynchronous context open in a thread with its own event loop: a session outlives each test's loop.

    The servers are children of this thread, and by the kernel's rule would end with it.
    """
    entered: Future[tuple[Server, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        leave = asyncio.Event()
        async with context as server:
            entered.set_result((server, asyncio.get_running_loop(), leave))
            await leave.wait()

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:  # it belongs to the thread that asked
            if entered.done():
                raise
            entered.set_exception(error)

    thread = threading.Thread(target=run, name="servers")
    thread.start()
    try:
        server, loop, leave = entered.result(START_WITHIN_S)
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(leave.set)
    finally:
        thread.join(STOP_WITHIN_S)


@contextmanager
def fresh_database(dsn: str) -> Generator[str]:
    """Create an empty database on the server of `dsn`, yield its owner's DSN, and drop it with its sessions."""
    name = f"t{secrets.token_hex(5)}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield f"{dsn.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
