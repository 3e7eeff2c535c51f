"""`ballast kill`: a process of its own, with keys of its own, that needs nothing of the house.

Local senders are killed before anything heavy is loaded. The contract is shut by a child, so that loading what speaks
with the chain costs the venues no time.
"""

import asyncio
import datetime as dt
import getpass
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec

from api.killing.journal import KillJournal
from api.killing.kill import Asked, Killing
from api.killing.ports import Gate
from api.killing.report import KillReport, Sender, Senders, Step, VenueEnd, text_of
from api.killing.settings import KillDocument
from api.killing.settings_file import read_document
from api.killing.venues import VenueSilence
from api.settings import SettingsError
from api.standing import senders_in, set_mark, stop_senders
from api.wiring.kill_parts import ChildGate, Parts

PARTS = ("senders", "venues", "chain")
WORD = "KILL"
# A sweep of all of an account is dear at Binance (a thirtieth of a minute's weight): no oftener than this.
HOLD_S = 10.0
TELL_EVERY_S = 1.0
DISK_S = 1.0


class KillAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Say what is asked of a kill; no `parts`: all of them."""

    config: Path
    reason: str
    data_dir: str = ""
    parts: tuple[str, ...] = ()
    yes: bool = False
    dry_run: bool = False
    as_json: bool = False
    hold: bool = False

    def wants(self, part: str) -> bool:
        """Say whether a part is asked for."""
        return not self.parts or part in self.parts


def run_kill(asked: KillAsked) -> int:
    """Stop everything that can be stopped; return 0 when nothing can trade any more (a dry run: when it could be)."""
    document = read_document(asked.config, asked.data_dir)
    if not asked.dry_run and not asked.yes:
        _confirm(document)
    began = time.monotonic()
    at = dt.datetime.now(dt.UTC)
    by = _who()
    start_ms = process_age_ms()
    senders = _stop(asked, document, by, at.isoformat()) if asked.wants("senders") else None
    journal = KillJournal(document.folder / f"{'look' if asked.dry_run else 'kill'}-{at:%Y%m%dT%H%M%S.%fZ}.jsonl")
    journal.note("asked", by=by, asked=asked)
    journal.note("senders", senders=senders)
    terms = Asked(
        by=by,
        at=at.isoformat(),
        reason=asked.reason,
        dry_run=asked.dry_run,
        fence_s=document.kill.fence_ms / 1_000,
        chain_s=document.kill.chain_ms / 1_000,
    )
    try:
        report = asyncio.run(_Kill(asked, document, terms, journal).run(senders, began, start_ms))
    finally:
        journal.close()
        if journal.error:
            sys.stderr.write(f"{journal.error}\n")
    return 0 if report.silent else 1


class _Aloud:
    """Write everything down, and tell what ends on standard error as it ends."""

    def __init__(self, journal: KillJournal) -> None:
        self._journal = journal

    def note(self, what: str, **told: object) -> None:
        self._journal.note(what, **told)
        if what == "venue_empty":
            sys.stderr.write(f"{told['venue']}/{told['account']}: no order stands; one last look follows\n")
        for each in told.values():
            if isinstance(each, VenueEnd):
                found = f"silent after {each.silent_ms} ms" if each.silent else f"NOT SILENT: {each.error}"
                sys.stderr.write(f"{each.venue}/{each.account}: {found}\n")
            elif isinstance(each, Step):
                sys.stderr.write(f"{what}: {'' if each.done else 'NOT DONE: '}{each.text}\n")


class _Kill:
    """One kill from its event loop on."""

    def __init__(self, asked: KillAsked, document: KillDocument, terms: Asked, journal: KillJournal) -> None:
        self._asked = asked
        self._document = document
        self._terms = terms
        self._journal = journal
        self._aloud = _Aloud(journal)
        self._parts = Parts(document, asked.config.parent, self._aloud)
        self._venues: Sequence[VenueSilence] = ()

    async def run(self, senders: Senders | None, began: float, start_ms: int | None) -> KillReport:
        """Do it, tell it, and hold on where that is asked."""
        async with AsyncExitStack() as stack:
            gate = ChildGate(self._asked.config, self._asked.data_dir) if self._asked.wants("chain") else None
            killing = self._killing(stack, gate)
            telling = asyncio.create_task(self._tell_progress())
            try:
                report = await killing.run(senders, began)
            finally:
                telling.cancel()
            loaded_at = self._parts.loaded_at
            load_ms = None if loaded_at is None else round((loaded_at - began) * 1_000)
            path = str(self._journal.path)
            report = msgspec.structs.replace(report, start_ms=start_ms, load_ms=load_ms, journal=path)
            self._journal.note("report", report=report)
            _tell(report, as_json=self._asked.as_json)
            if self._asked.hold and not self._asked.dry_run:
                await self._hold()
        return report

    def _killing(self, stack: AsyncExitStack, gate: Gate | None) -> Killing:
        stops = self._asked.wants("senders")
        self._venues, uncovered = self._parts.venues() if self._asked.wants("venues") else ((), ())
        return Killing(
            self._terms,
            self._venues,
            uncovered,
            halts=self._parts.halts() if stops else None,
            fence=self._parts.fence(stack) if stops else None,
            gate=gate,
            journal=self._aloud,
        )

    async def _tell_progress(self) -> None:
        """Say every second how it stands where it is not over."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            for venue in self._venues:
                if venue.progress is not None:
                    sys.stderr.write(f"{venue.venue}/{venue.account}: {venue.progress}\n")

    async def _hold(self) -> None:
        """Hold the leases and go on sweeping until a signal comes: whoever starts meanwhile finds no lease."""
        stop, stopped = asyncio.Event(), asyncio.Event()
        stopped.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        sys.stderr.write("holding: leases are kept and venues swept until you interrupt\n")
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(HOLD_S):
                    await stop.wait()
            if not stop.is_set():
                venues, _ = self._parts.venues(late=False)
                began = asyncio.get_running_loop().time()
                for end in await asyncio.gather(*(venue.run(stopped, began) for venue in venues)):
                    if end.cancelled or not end.silent:
                        sys.stderr.write(f"{end.venue}/{end.account}: {end.cancelled} cancelled; {end.error}\n")


def _stop(asked: KillAsked, document: KillDocument, by: str, at: str) -> Senders:
    """Stop the local senders; a disk that hangs holds up nothing else."""
    told: list[Senders] = []
    work = threading.Thread(target=lambda: told.append(_senders(asked, document, by, at)), daemon=True)
    work.start()
    work.join(document.kill.senders_ms / 1_000 + DISK_S)
    place = str(document.data_dir.absolute())
    return told[0] if told else Senders(folder=place, error="the disk does not answer: nothing local was stopped")


def _senders(asked: KillAsked, document: KillDocument, by: str, at: str) -> Senders:
    place = document.data_dir.absolute()
    if not place.is_dir():
        return Senders(folder=str(place), error="there is no such folder: give --data-dir, or --only the other parts")
    if asked.dry_run:
        return Senders(folder=str(place), killed=_named(senders_in(place)))
    error = set_mark(place, {"at": at, "by": by, "reason": asked.reason})
    killed, living = stop_senders(place, document.kill.senders_ms / 1_000)
    return Senders(folder=str(place), killed=_named(killed), living=_named(living), error=error)


def _named(senders: Sequence[tuple[str, int]]) -> tuple[Sender, ...]:
    return tuple(Sender(role=role, pid=pid) for role, pid in senders)


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def _confirm(document: KillDocument) -> None:
    accounts = ", ".join(f"{each.name}/{each.account}" for each in document.kill.venues) or "no venue"
    sys.stderr.write(
        f"This kills the senders of {document.data_dir.absolute()}, cancels every order at {accounts}, and shuts the\n"
        f"minting contract {document.chain.minting_contract}. Positions stay. Type {WORD} to do it: "
    )
    sys.stderr.flush()
    if not sys.stdin.isatty() or sys.stdin.readline().strip() != WORD:
        raise SettingsError(f"nothing was done: type {WORD} at a terminal, or give --yes")


def process_age_ms() -> int | None:
    """Return how long ago this process was started, by the kernel's count (in steps of 10 ms); None elsewhere."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
    return round((time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")) * 1_000)


def _tell(report: KillReport, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(report, enc_hook=str).decode() + "\n")
    else:
        sys.stdout.write(text_of(report))
    sys.stdout.flush()
