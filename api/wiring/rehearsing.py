"""The dry run of a change of limits, over the log of a database that it only selects from."""

import asyncio
import sys
from collections.abc import Sequence

from adapters.postgres.event_log import PostgresEventLog
from api.limits.file import LimitsWanted, differences
from api.limits.rehearsing import Rehearsal, Rehearsed
from api.wiring.tools import Progress, reached
from commands.context import Context
from commands.limit import ApplyLimits, apply_limits
from domain.approvals import ApprovalRequested
from domain.book import Book
from domain.event import Event
from domain.ids import natural_id
from domain.instant import SECOND_US, rfc3339
from domain.refusal import Refusal

HOUR_US = 3_600 * SECOND_US


def run_rehearsal(dsn: str, wanted: LimitsWanted, hours: int) -> int:
    """Print how a change differs from what is in force and what of the last hours would have come out otherwise.

    Return 1 when the change itself would be refused.
    """
    with reached():
        book, found = asyncio.run(_rehearse(dsn, wanted, hours))
    result = apply_limits(
        book, ApplyLimits(limits=wanted.limits, reason=wanted.reason), Context(natural_id("dry run"), "", book.at_us)
    )
    lines = differences(wanted.limits, book.limits)
    sys.stdout.write("".join(f"{line}\n" for line in lines) or "nothing would change\n")
    if isinstance(result, Refusal):
        sys.stdout.write(f"it would be refused: {result.reason.name}: {result.text}\n")
        return 1
    sys.stdout.write(_how(result))
    sys.stdout.write(_report(found, hours))
    return 0


async def _rehearse(dsn: str, wanted: LimitsWanted, hours: int) -> tuple[Book, Rehearsed]:
    log = PostgresEventLog(dsn)
    try:
        rehearsal = Rehearsal(log, Progress("followed"), Progress("decided again", "commands"))
        found = await rehearsal.run(wanted.limits, hours * HOUR_US)
    finally:
        await log.close()
    return rehearsal.book, found


def _how(events: Sequence[Event]) -> str:
    if not events:
        return ""
    if any(isinstance(event, ApprovalRequested) for event in events):
        return "it would wait for another person\n"
    return "it would count at once\n"


def _report(found: Rehearsed, hours: int) -> str:
    different = sum(found.counted.values())
    looked = f"{found.commands:,} commands, {found.decided:,} of them bounded by limits"
    lines = [f"of the last {hours} hours: {looked}; {different:,} would have come out otherwise"]
    lines += [
        f"  {count:,} {kind}: {before} -> {after}" for (kind, before, after), count in found.counted.most_common()
    ]
    if found.shown:
        lines.append("the first of them:")
    lines += [
        f"  {rfc3339(each.at_us)} #{each.sequence} {each.kind} of {each.actor}: {each.before} -> {each.after}"
        + (f": {each.told}" if each.told else "")
        for each in found.shown
    ]
    return "".join(f"{line}\n" for line in lines)
