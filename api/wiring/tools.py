"""What the command line does to a database directly: bring the schema up to date, prove the log, rebuild a model."""

import asyncio
import importlib
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from adapters.postgres.migrate import migrate
from adapters.postgres.verify import Expected, verify
from adapters.postgres.views_log import PostgresLog
from adapters.postgres.views_reach import reading_pool
from adapters.postgres.views_rebuild import PostgresShadow
from api.rebuilding import Rebuilt, rebuild
from api.settings import SettingsError
from projections.catalogue import VIEWS
from projections.ports import StoreUnreachable

PROGRESS_S = 1.0


class Progress:
    """Tell how far long work is, at most once a second, to standard error."""

    def __init__(self, what: str, things: str = "events") -> None:
        self._what = what
        self._things = things
        self._started = time.monotonic()
        self._told = 0.0

    def __call__(self, done: int, of: int) -> None:
        """Take the state of the work."""
        now = time.monotonic()
        if now - self._told < PROGRESS_S:
            return
        self._told = now
        rate = done / max(now - self._started, 0.001)
        sys.stderr.write(f"{self._what}: {done:,} of {of:,} {self._things}, {rate:,.0f}/s\n")


@contextmanager
def reached() -> Generator[None]:
    """Say in a sentence that a database does not answer, or does not let this role do it: raise `SettingsError`."""
    try:
        yield
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, StoreUnreachable) as error:
        raise SettingsError(f"the database of the DSN cannot be used: {error}") from error


def run_migrate(dsn: str) -> int:
    """Apply what is missing; print the names."""
    with reached():
        applied = asyncio.run(migrate(dsn))
    sys.stdout.write("".join(f"applied {name}\n" for name in applied) or "the schema is up to date\n")
    return 0


def run_verify(dsn: str, expect: str | None) -> int:
    """Walk the hash chain; return 1, naming the first position that was changed, when it does not hold."""
    try:
        expected = Expected.parse(expect) if expect is not None else None
    except ValueError as error:
        raise SettingsError(f"--expect: {error}") from error
    with reached():
        result = asyncio.run(verify(dsn, expected, Progress("verified")))
    if result.bad_position is not None:
        sys.stdout.write(f"BROKEN at position {result.bad_position}: {result.reason}\n")
        return 1
    sys.stdout.write(f"sound up to position {result.position}\nhead {result.position}:{result.chain_hash.hex()}\n")
    return 0


def run_rebuild(name: str, dsn: str) -> int:
    """Rebuild a read model beside the one in use, then put it in its place."""
    view = VIEWS.get(name)
    if view is None:
        raise SettingsError(f"no read model is called {name!r}: {', '.join(sorted(VIEWS))}")
    with reached():
        done = asyncio.run(_rebuild(name, dsn))
    sys.stdout.write(f"{name} rebuilt up to position {done.position}: {done.rows:,} rows written\n")
    return 0


async def _rebuild(name: str, dsn: str) -> Rebuilt:
    progress = Progress(f"rebuilding {name}")
    async with await reading_pool(dsn) as pool, PostgresShadow(dsn) as shadow:
        return await rebuild(VIEWS[name], PostgresLog(pool), shadow, lambda state: progress(state.position, state.head))


def run_simulate(seeds: int, first: int) -> int:
    """Run the simulated world over seeds; it lives with the tests, so it needs the repository."""
    root = Path(__file__).parents[2]
    if not (root / "tests" / "simulation").is_dir():
        raise SettingsError(f"the simulated world is not under {root}: run this from a checkout of the repository")
    sys.path.insert(0, str(root))
    return importlib.import_module("tests.simulation.run").main(seeds, first)
