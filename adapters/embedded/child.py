"""Describe a child process, and run it once: start, readiness, output, orderly end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from adapters.embedded import shim
from adapters.embedded.account import Account
from adapters.embedded.boundedlog import BoundedLog
from adapters.embedded.guardian import Guardian
from adapters.embedded.readiness import READY_FD, READY_LINE

READY_WITHIN_S = 90.0  # several start at once, on a machine that may be slow and busy
STOP_WITHIN_S = 10.0
KILLED_WITHIN_S = 5.0  # a killed process is gone in milliseconds, unless its disk hangs
LAST_OUTPUT_WITHIN_S = 1.0  # a grandchild may hold the pipe open after its parent's end
CHUNK_BYTES = 64 * 1024


class ChildFailed(Exception):
    """Say that a child did not become ready; the text ends with the tail of its log."""


@dataclass(frozen=True, kw_only=True)
class StopStep:
    """One step of an orderly stop: this signal, then this long to obey. SIGKILL follows the last."""

    signal: signal.Signals
    within_s: float = STOP_WITHIN_S


@dataclass(frozen=True, kw_only=True)
class DataLock:
    """A lock file the program and its children hold for life; see `shim.LockPlan`."""

    path: Path
    within_s: float
    leader: Path | None = None
    orphans_in: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Child:
    """What to run under a role's name.

    `env` is the whole environment. `ready_line`: the child is ready once it prints this text; without one it is ready
    once it calls `readiness.announce_ready()`. `before_start` is awaited before each start. `foundation`: children
    launched later are restarted only while this one is up.
    """

    role: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    ready_line: str | None = None
    ready_within_s: float = READY_WITHIN_S
    stop: tuple[StopStep, ...] = (StopStep(signal=signal.SIGTERM),)
    death_signal: signal.Signals = signal.SIGKILL
    account: Account | None = None
    lock: DataLock | None = None
    foundation: bool = False
    before_start: Callable[[], Awaitable[None]] | None = None


def shim_command(
    argv: tuple[str, ...], *, death_signal: signal.Signals, account: Account | None, lock: DataLock | None
) -> list[str]:
    """Return the command line that becomes `argv` by way of the shim, as a child of this process."""
    account_plan: shim.AccountPlan | None = None
    if account is not None:
        capabilities = list(account.capabilities)
        account_plan = {"name": account.name, "uid": account.uid, "gid": account.gid, "capabilities": capabilities}
    lock_plan: shim.LockPlan | None = None
    if lock is not None:
        leader = None if lock.leader is None else str(lock.leader)
        orphans_in = None if lock.orphans_in is None else str(lock.orphans_in)
        lock_plan = {"path": str(lock.path), "within_s": lock.within_s, "leader": leader, "orphans_in": orphans_in}
    plan: shim.Plan = {
        "parent": os.getpid(),
        "death_signal": int(death_signal),
        "argv": list(argv),
        "account": account_plan,
        "lock": lock_plan,
    }
    return [sys.executable, "-I", "-S", shim.__file__, json.dumps(plan)]


class Process:
    """One run of a child. Make it with `spawn`; it must be ended with `stop`, which is also right after it died.

    The kernel's parent-death signal is tied to the thread that spawns: keep the event loop in a thread that lives as
    long as the children shall.
    """

    def __init__(self, child: Child, process: asyncio.subprocess.Process, log: BoundedLog, guardian: Guardian) -> None:
        self.child = child
        self.pid = process.pid
        self._process = process
        self._log = log
        self._guardian = guardian
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []
        self._transports: list[asyncio.ReadTransport] = []

    @classmethod
    async def spawn(cls, child: Child, guardian: Guardian) -> "Process":
        """Start the child; it is not ready yet."""
        if child.before_start is not None:
            await child.before_start()
        log = BoundedLog(child.log)
        output, output_end = os.pipe()
        ready, ready_end = os.pipe()
        pipes = (os.fdopen(output, "rb", 0), os.fdopen(ready, "rb", 0))
        env = dict(child.env)
        kept: tuple[int, ...] = ()
        if child.ready_line is None:
            env[READY_FD] = str(ready_end)
            kept = (ready_end,)
        try:
            process = await asyncio.create_subprocess_exec(
                *shim_command(child.argv, death_signal=child.death_signal, account=child.account, lock=child.lock),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output_end,
                stderr=output_end,
                env=env,
                pass_fds=kept,
                start_new_session=True,
            )
        except BaseException:
            for opened in (*pipes, log):
                opened.close()
            raise
        finally:
            os.close(output_end)
            os.close(ready_end)
        run = cls(child, process, log, guardian)
        try:
            guardian.watch(process.pid, child.death_signal)
            await run._listen(*pipes)
        except BaseException:
            await run.stop()
            for pipe in pipes[len(run._transports) :]:
                pipe.close()
            raise
        return run

    async def _listen(self, output: FileIO, ready: FileIO) -> None:
        loop = asyncio.get_running_loop()
        for pipe, listen in ((output, self._keep_output), (ready, self._hear_ready)):
            reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await loop.connect_read_pipe(lambda protocol=protocol: protocol, pipe)
            self._transports.append(transport)
            self._tasks.append(asyncio.create_task(listen(reader), name=f"{self.child.role}: {listen.__name__}"))

    async def _keep_output(self, reader: asyncio.StreamReader) -> None:
        """Log what the child prints, and look for its ready line, which may be split over two chunks."""
        line = None if self.child.ready_line is None else self.child.ready_line.encode()
        window = b""
        while chunk := await reader.read(CHUNK_BYTES):
            self._log.write(chunk)
            if line is not None and not self._ready.done():
                window += chunk
                if line in window:
                    self._ready.set_result(None)
                window = window[-len(line) :]

    async def _hear_ready(self, reader: asyncio.StreamReader) -> None:
        heard = await reader.read(len(READY_LINE))
        if heard and not self._ready.done():
            self._ready.set_result(None)

    async def until_ready(self) -> None:
        """Wait for readiness; raise `ChildFailed` if the child ends first or takes longer than its bound."""
        ended = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait(
                (self._ready, ended), timeout=self.child.ready_within_s, return_when=asyncio.FIRST_COMPLETED
            )
            if self._ready.done() and not ended.done():
                return
            if ended.done():
                await self._last_output()
                why = f"ended with code {ended.result()} before it was ready"
            else:
                why = f"was not ready within {self.child.ready_within_s:g} s"
            raise ChildFailed(f"{self.child.role} {why}; the end of {self._log.path}:\n{self._log.tail()}")
        finally:
            ended.cancel()
            with suppress(asyncio.CancelledError):
                await ended

    async def wait(self) -> int:
        """Wait for the child's end and return its code, negative for a signal."""
        return await self._process.wait()

    async def stop(self) -> int:
        """End the child step by step, and its whole process group at last; return its code. Idempotent."""
        for step in self.child.stop:
            if self._process.returncode is not None:
                break
            self._signal(step.signal)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), step.within_s)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # the child itself if it did not obey, and whatever it started
        code = await asyncio.wait_for(self._process.wait(), KILLED_WITHIN_S)
        self._guardian.forget(self.pid)
        await self._last_output()
        for transport in self._transports:
            transport.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._log.close()
        return code

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _last_output(self) -> None:
        """Wait for the end of the output: what a dying child printed last is what explains its death."""
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=LAST_OUTPUT_WITHIN_S)
