"""What tests of supervised processes share: hearing reports, waiting for the end of processes that are not ours."""

import asyncio
import os
import sys
import textwrap
from pathlib import Path
from typing import Any

from adapters.embedded.child import Child
from adapters.embedded.supervisor import Supervisor

GONE_WITHIN_S = 30.0
HEARD_WITHIN_S = 40.0


class Heard:
    """Collect what a supervisor reports, so that a test can wait for it."""

    def __init__(self) -> None:
        self.reports: asyncio.Queue[tuple[str, str, int | str]] = asyncio.Queue()

    def supervisor(self) -> Supervisor:
        return Supervisor(
            on_started=lambda role, pid: self.reports.put_nowait(("started", role, pid)),
            on_died=lambda role, code: self.reports.put_nowait(("died", role, code)),
            on_failed=lambda role, why: self.reports.put_nowait(("failed", role, why)),
        )

    async def until(self, kind: str, role: str, within_s: float = HEARD_WITHIN_S) -> Any:
        """Skip reports up to the one asked for and return its third part."""
        async with asyncio.timeout(within_s):
            while True:
                got_kind, got_role, value = await self.reports.get()
                if (got_kind, got_role) == (kind, role):
                    return value


def python_child(role: str, code: str, log: Path, **options: Any) -> Child:
    """Describe a child that runs this Python code with the repository's packages at hand."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    argv = (sys.executable, "-u", "-c", textwrap.dedent(code))
    return Child(role=role, argv=argv, env=env, log=log / f"{role}.log", **options)


def is_alive(pid: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


async def until_gone(pid: int, within_s: float = GONE_WITHIN_S) -> None:
    """Wait for the end of a process, whoever's child it is."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(watched, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), within_s)
    finally:
        loop.remove_reader(watched)
        os.close(watched)


def standing_in(folder: Path) -> list[int]:
    """Return the processes whose working directory is this folder: a Postgres server's, if it is its data."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").samefile(folder):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
