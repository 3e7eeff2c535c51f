"""What a feed's memory does over an hour of market: the recordings again and again, their ids moved on, in one process.

Each round is a new snapshot and the diffs after it, as after a reconnect; after every message the book is handed out,
as to a reader who keeps up. Resident memory is taken after warming up and at the end.
"""

import asyncio
import gc
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from adapters.exchange.feeds.dialect import Dialect
from benchmarks.feeds_recorded import AT_US, Recording, recording

ROUND_S = 345
HOUR_S = 3_600
WARM_ROUNDS = 3
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_IDS = re.compile(rb'"(U|u|pu|lastUpdateId)":(\d+)')


class Growth(msgspec.Struct, frozen=True):
    """Hold resident megabytes before and after the hour, and how many messages it was."""

    before_mb: float
    after_mb: float
    messages: int

    @property
    def percent(self) -> float:
        """Return the growth in percent."""
        return (self.after_mb / self.before_mb - 1) * 100


async def hour_of_market(paths: list[Path]) -> Growth:
    """Replay an hour in a process of its own, whose memory holds nothing else."""
    command = [sys.executable, "-m", "benchmarks.feeds_memory", *map(str, paths)]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    told, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"the replay ended with {child.returncode}")
    return msgspec.json.decode(told, type=Growth)


def main() -> None:
    """Replay and print the growth."""
    recorded = [recording(Path(name)) for name in sys.argv[1:]]
    for one in recorded:
        one.tickers.clear()
        one.ticker_ids.clear()
    dialects = [one.dialect() for one in recorded]
    messages = 0
    rounds = WARM_ROUNDS + -(-HOUR_S // ROUND_S)
    before = 0.0
    for number in range(rounds):
        if number == WARM_ROUNDS:
            before, messages = _resident_mb(), 0
        for one, dialect in zip(recorded, dialects, strict=True):
            messages += _replay(one, dialect, number)
    growth = Growth(before, _resident_mb(), messages)
    sys.stdout.write(msgspec.json.encode(growth).decode())


def _replay(recorded: Recording, dialect: Dialect, number: int) -> int:
    symbol = recorded.listing.symbol
    dialect.closed()
    joined = False
    told = 0
    for body in _moved(recorded.diffs, number):
        dialect.receive(body, AT_US)
        told += 1
        if not joined and _last_id(body) > _last_id(snapshot := _move(recorded.snapshot, number)):
            dialect.fetched(symbol, snapshot, AT_US)
            joined = True
        if joined:
            dialect.book(symbol)
    return told


def _moved(bodies: list[bytes], number: int) -> Iterator[bytes]:
    for body in bodies:
        yield _move(body, number)


def _move(body: bytes, number: int) -> bytes:
    """Return a message with its ids moved on by so many rounds."""
    by = number * 10**10
    return _IDS.sub(lambda found: b'"%s":%d' % (found[1], int(found[2]) + by), body)


def _last_id(body: bytes) -> int:
    return max(int(number) for name, number in _IDS.findall(body) if name != b"pu")


def _resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * PAGE_BYTES / 1e6


if __name__ == "__main__":
    main()
