"""Everything is tried at once, nothing waits for what fails, and silence is claimed only where it is."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from api.killing.kill import Asked, Killing
from api.killing.report import KillReport, Sender, Senders, VenueEnd, text_of
from domain.refusal import Unavailable
from domain.sweep import Untold
from tests.spec.kill.fakes import Lines, MemoryVenue, silence, until

ASKED = Asked(by="rita", at="2026-01-01T00:00:00Z", reason="a stolen key", dry_run=False, fence_s=0.2, chain_s=0.2)
GONE = Senders(folder="/data", killed=(Sender(role="execution", pid=7),))
EMPTY = KillReport(
    at="",
    by="rita",
    reason="r",
    dry_run=False,
    senders=None,
    halted=None,
    leases=None,
    venues=(),
    chain=None,
    silence_ms=5,
    start_ms=None,
    load_ms=None,
    journal="",
    silent=True,
)
STRANGER = VenueEnd(venue="deribit", account="main", silent=False, error="kill.venues has no key to it")


class Part:
    """Be any part: answer, fail or hang; remember what was asked of it."""

    def __init__(self, answer: str | Exception | None = "done") -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def halt(self, reason: str) -> str:
        return await self._answer(f"halt {reason}")

    async def shut(self, reason: str) -> str:
        return await self._answer(f"shut {reason}")

    async def take(self) -> Sequence[str]:
        return [await self._answer("take")]

    async def look(self) -> str:
        return await self._answer("look")

    async def _answer(self, what: str) -> str:
        self.asked.append(what)
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return str(self.answer)


class Leases(Part):
    async def look(self) -> Sequence[str]:  # pyright: ignore[reportIncompatibleMethodOverride] - names, as leases have
        return [await self._answer("look")]


async def killed(
    *venues: MemoryVenue,
    halts: Part | None = None,
    leases: Leases | None = None,
    gate: Part | None = None,
    uncovered: Sequence[VenueEnd] = (),
    senders: Senders | None = GONE,
    dry_run: bool = False,
) -> KillReport:
    journal = Lines()
    killing = Killing(
        msgspec.structs.replace(ASKED, dry_run=dry_run),
        [silence(venue, journal=journal) for venue in venues],
        uncovered,
        halts=halts or Part(),
        fence=leases or Leases(),
        gate=gate or Part(),
        journal=journal,
    )
    return await killing.run(senders, asyncio.get_running_loop().time())


async def test_all_is_done_and_silence_is_as_late_as_the_latest_venue() -> None:
    venues = [MemoryVenue("1", name="okx"), MemoryVenue("2", "3", name="bybit")]
    report = await killed(*venues)
    assert report.silent
    assert [venue.open for venue in venues] == [[], []]
    assert report.silence_ms == max(end.silent_ms or 0 for end in report.venues)
    assert (report.halted, report.leases, report.chain) != (None, None, None)


@pytest.mark.parametrize("trouble", [Unavailable("it is dead"), RuntimeError("a defect"), None])
async def test_neither_the_mode_nor_the_leases_are_a_precondition(trouble: Exception | None) -> None:
    venue = MemoryVenue("1")
    report = await killed(venue, halts=Part(trouble), leases=Leases(trouble))
    assert report.silent
    assert venue.open == []
    assert report.halted is not None
    assert report.leases is not None
    assert (report.halted.done, report.leases.done) == (False, False)


async def test_a_venue_counts_as_silent_by_sweeps_after_everything_that_stops_senders_was_tried() -> None:
    venue, halts = MemoryVenue(), Part(None)  # hangs until its bound
    asked = asyncio.create_task(killed(venue, halts=halts))
    await until(lambda: venue.calls.count("look") >= 4)
    venue.open.append("sent before the halt")
    report = await asked
    assert report.silent
    assert venue.open == []


async def test_one_venue_that_hangs_holds_no_other_and_no_chain() -> None:
    deaf, well, gate = MemoryVenue("1", name="okx"), MemoryVenue("2", name="bybit"), Part()
    deaf.troubles = {"look": [Unavailable("away")] * 100_000}
    report = asyncio.create_task(killed(deaf, well, gate=gate))
    await until(lambda: not well.open and "positions" in well.calls and gate.asked)
    assert not report.done()
    deaf.troubles = {}
    assert (await report).silent


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"uncovered": [STRANGER]}, "deribit/main: NOT SILENT"),
        ({"gate": Part(Unavailable("no endpoint"))}, "chain:   NOT DONE: Unavailable: no endpoint"),
        ({"gate": Part(None)}, "no answer within 0.2 s"),
        ({"senders": msgspec.structs.replace(GONE, living=(Sender(role="chain", pid=9),))}, "STILL LIVING: chain 9"),
        ({"senders": msgspec.structs.replace(GONE, error="the disk does not answer")}, "the disk does not answer"),
    ],
)
async def test_what_may_still_trade_is_said_and_is_no_silence(changes: dict[str, Any], told: str) -> None:
    report = await killed(MemoryVenue("1"), **changes)
    assert not report.silent
    assert told in text_of(report)
    assert "NOT SILENT: what is named above may still trade" in text_of(report)


async def test_positions_are_told_to_be_left_open() -> None:
    report = await killed(MemoryVenue("1"))
    assert "okx/main: NOT CLOSED -3 base of ETH" in text_of(report)
    assert "Positions are left as they are." in text_of(report)


async def test_a_dry_run_tries_every_part_and_changes_nothing() -> None:
    venue, halts, leases, gate = MemoryVenue("1"), Part(), Leases(), Part()
    report = await killed(venue, halts=halts, leases=leases, gate=gate, dry_run=True)
    assert report.silent
    assert venue.open == ["1"]
    assert [part.asked for part in (halts, leases, gate)] == [["look"]] * 3
    assert "okx/main: answers; 1 orders stand" in text_of(report)
    assert "senders: living: execution 7" in text_of(report)


async def test_orders_that_wait_for_a_price_are_told_apart() -> None:
    report = await killed(MemoryVenue("1", "2", stops=("3",)))
    assert report.silent
    assert "3 orders (1 of them conditional) cancelled" in text_of(report)


async def test_a_part_of_an_account_that_is_not_told_is_no_silence() -> None:
    venue = MemoryVenue("1", stops=("3",))
    venue.untold = Untold(part="algo trigger", why="Rejected: the key may not", refused=True)
    report = await killed(venue)
    assert (report.silent, report.silence_ms) == (False, None)
    assert "okx/main: NOT KNOWN what stands in algo trigger: Rejected: the key may not" in text_of(report)
    assert "NOT SILENT: what is named above may still trade" in text_of(report)


def test_what_the_settings_leave_out_and_a_clock_that_differs_are_told() -> None:
    end = VenueEnd(venue="okx", account="main", silent=True, silent_ms=5, without=("spread",), ahead_ms=-7_000)
    told = text_of(msgspec.structs.replace(EMPTY, venues=(end,)))
    assert "okx/main: not asked for, since the settings say that it has none: spread" in told
    assert "okx/main: its clock is -7000 ms ahead of this machine's" in told
