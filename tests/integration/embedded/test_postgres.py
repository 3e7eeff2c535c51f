"""Postgres as a child: it comes back on its data and port, whoever we are and however it died."""

import asyncio
import getpass
import json
import os
import shutil
import signal
import stat
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from adapters.embedded import account
from adapters.embedded.account import (
    CAP_DAC_OVERRIDE,
    CAP_DAC_READ_SEARCH,
    Account,
    AccountUnusable,
    server_account,
    with_reach,
)
from adapters.embedded.child import shim_command
from adapters.embedded.cluster import ClusterUnusable
from adapters.embedded.postgres import EmbeddedPostgres
from tests.support.demo import slowness
from tests.support.supervised import Heard, is_alive, standing_in, until_gone

RECOVERED_WITHIN_S = 5.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@asynccontextmanager
async def connected(dsn: str) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


@pytest.fixture
def closed_folder() -> Generator[Path]:
    """Give a folder only we may enter, as `mktemp -d` makes it."""
    folder = Path(tempfile.mkdtemp(prefix="ballast-closed-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def status_of(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


async def test_promises_of_a_commit_are_on_and_the_owner_is_no_superuser(postgres_root: Path) -> None:
    postgres = EmbeddedPostgres(postgres_root)
    async with Heard().supervisor() as supervisor:
        await supervisor.launch(await postgres.prepare())
        async with connected(postgres.dsn()) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
                assert await connection.fetchval(f"SHOW {setting}") == "on"
            assert (await connection.fetchval("SHOW server_version")).startswith("18.")
            assert await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
            assert (
                await connection.fetchval("SELECT 'a' < 'B'") is False
            )  # by code point, whatever the machine's locale
            await connection.execute("CREATE ROLE reader LOGIN; SET ROLE reader; RESET ROLE; DROP ROLE reader")
            await connection.execute("CHECKPOINT")


async def test_nobody_enters_without_the_password(postgres_root: Path) -> None:
    postgres = EmbeddedPostgres(postgres_root)
    async with Heard().supervisor() as supervisor:
        await supervisor.launch(await postgres.prepare())
        address = postgres.dsn().rpartition("@")[2]
        for attempt in (f"postgresql://ballast:wrong@{address}", f"postgresql://postgres:wrong@{address}"):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(attempt)
    kept = postgres_root / "cluster" / "passwords.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    password = json.loads(kept.read_text())["ballast"]
    assert password in postgres.dsn()
    assert password not in (postgres_root / "postgres.log").read_text()


async def test_restarts_on_the_same_data_and_port(postgres_root: Path) -> None:
    dsns: list[str] = []
    for run in range(2):
        postgres = EmbeddedPostgres(postgres_root)
        async with Heard().supervisor() as supervisor:
            pid = await supervisor.launch(await postgres.prepare())
            dsns.append(postgres.dsn())
            async with connected(postgres.dsn()) as connection:
                await connection.execute("CREATE TABLE IF NOT EXISTS kept (run int); INSERT INTO kept VALUES (1)")
                assert await connection.fetchval("SELECT count(*) FROM kept") == run + 1
        assert not is_alive(pid)
        assert standing_in(postgres_root / "cluster" / "pgdata") == []
    assert dsns[0] == dsns[1]
    assert "not properly shut down" not in (postgres_root / "postgres.log").read_text()


async def test_kill_9_is_healed_within_five_seconds_even_under_a_long_statement(postgres_root: Path) -> None:
    postgres, heard = EmbeddedPostgres(postgres_root), Heard()
    async with heard.supervisor() as supervisor:
        first = await supervisor.launch(await postgres.prepare())
        await heard.until("started", "postgres")
        async with connected(postgres.dsn()) as connection:
            await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        busy = await asyncpg.connect(postgres.dsn())
        backend = await busy.fetchval("SELECT pg_backend_pid()")
        async with connected(postgres.dsn()) as watcher:
            long = asyncio.create_task(busy.execute("SELECT count(*) FROM generate_series(1, 100000000000)"))
            running = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1"
            while not await watcher.fetchval(running, backend):
                pass
            killed_at = time.monotonic()
            os.kill(first, signal.SIGKILL)
            assert await heard.until("died", "postgres") == -signal.SIGKILL
            second = await heard.until("started", "postgres")
            assert time.monotonic() - killed_at < RECOVERED_WITHIN_S * slowness()
            with pytest.raises((asyncpg.PostgresConnectionError, ConnectionError)):
                await long
        busy.terminate()
        assert not is_alive(backend)
        assert supervisor.pids == {"postgres": second}
        assert second != first
        async with connected(postgres.dsn()) as connection:
            assert await connection.fetchval("SELECT n FROM kept") == 7


async def test_a_stale_pid_file_that_names_another_living_server_is_no_obstacle(
    new_postgres_root: Callable[[str], Path],
) -> None:
    postgres, other = EmbeddedPostgres(new_postgres_root("one")), EmbeddedPostgres(new_postgres_root("other"))
    child = await postgres.prepare()
    async with Heard().supervisor() as supervisor, Heard().supervisor() as others:
        # Process ids are given anew after a crash. Postgres would take the other server for its own and refuse.
        stranger = await others.launch(await other.prepare())
        assert child.lock is not None
        assert child.lock.leader is not None
        child.lock.leader.write_text(f"{stranger}\n{child.lock.leader.parent}\n1\n1\n\n127.0.0.1\n0 0\nready\n")
        await supervisor.launch(child)
        assert is_alive(stranger)


async def test_another_server_on_the_same_data_is_refused_and_the_first_lives(
    postgres_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.embedded.postgres.LOCK_WITHIN_S", 0.2)
    postgres = EmbeddedPostgres(postgres_root)
    async with Heard().supervisor() as supervisor, Heard().supervisor() as other:
        pid = await supervisor.launch(await postgres.prepare())
        with pytest.raises(Exception, match="another process uses this data directory"):
            await other.launch(await EmbeddedPostgres(postgres_root).prepare())
        assert is_alive(pid)
        assert supervisor.pids == {"postgres": pid}


async def test_data_that_cannot_be_used_is_refused(postgres_root: Path) -> None:
    await EmbeddedPostgres(postgres_root).prepare()
    version = postgres_root / "cluster" / "pgdata" / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(ClusterUnusable, match="Postgres 16"):
        await EmbeddedPostgres(postgres_root).prepare()
    shutil.rmtree(postgres_root / "cluster")
    with pytest.raises(ClusterUnusable, match="is gone: restore it"):
        await EmbeddedPostgres(postgres_root).prepare()


async def test_a_cluster_half_made_is_made_again(tmp_path: Path) -> None:
    root = tmp_path / "postgres"
    half = root / "cluster.new" / "pgdata"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    await EmbeddedPostgres(root).prepare()
    assert (root / "cluster" / "pgdata" / "global" / "pg_control").exists()
    assert not (root / "cluster.new").exists()


@as_root
async def test_root_may_keep_its_data_where_only_root_may_go(closed_folder: Path) -> None:
    postgres = EmbeddedPostgres(closed_folder / "data")
    async with Heard().supervisor() as supervisor:
        pid = await supervisor.launch(await postgres.prepare())
        status = status_of(pid)
        assert "\nUid:\t0\t" not in status
        assert "\nCapEff:\t0000000000000004\n" in status  # may search and read past the closed folder; nothing else
        async with connected(postgres.dsn()) as connection:
            assert await connection.fetchval("SELECT 1") == 1


@as_root
def test_capabilities_are_kept_only_for_what_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    file, program, closed = tmp_path / "file", tmp_path / "program", tmp_path / "closed"
    for path, mode in ((file, 0o644), (program, 0o755)):
        path.write_text("")
        path.chmod(mode)
    stranger = Account(name="stranger", uid=2**20, gid=2**20)
    outside = {parent for parent in tmp_path.parents if not parent.stat().st_mode & 0o1}
    for parent in outside:
        if parent.owner() == getpass.getuser():
            parent.chmod(0o711)
    assert with_reach(stranger, programs=(program,), files=(file,)).capabilities == ()
    closed.mkdir(mode=0o700)
    (closed / "file").write_text("")
    assert with_reach(stranger, programs=(program,), files=(closed / "file",)).capabilities == (CAP_DAC_READ_SEARCH,)
    program.chmod(0o700)
    both = (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE)
    assert with_reach(stranger, programs=(program,), files=(file,)).capabilities == both
    monkeypatch.setattr(account, "_held_capabilities", lambda: {CAP_DAC_OVERRIDE})  # as a container's root
    assert with_reach(stranger, programs=(program,), files=(file,)).capabilities == (CAP_DAC_OVERRIDE,)
    monkeypatch.setattr(account, "_held_capabilities", set)
    with pytest.raises(AccountUnusable, match=r"stranger cannot reach .*program"):
        with_reach(stranger, programs=(program,), files=(file,))


@as_root
async def test_data_of_root_itself_is_refused(postgres_root: Path) -> None:
    os.chown(postgres_root / "cluster" / "pgdata", 0, 0)
    with pytest.raises(AccountUnusable, match="belongs to root"):
        await EmbeddedPostgres(postgres_root).prepare()


@as_root
async def test_works_without_root(closed_folder: Path) -> None:
    """Run a whole supervisor as somebody else, who keeps reading rights only to find this very repository."""
    somebody = server_account(closed_folder / "none")
    assert somebody is not None
    place = closed_folder / "theirs"
    place.mkdir()
    os.chown(place, somebody.uid, somebody.gid)
    them = Account(name=somebody.name, uid=somebody.uid, gid=somebody.gid, capabilities=(CAP_DAC_READ_SEARCH,))
    code = (
        "import asyncio, os, pathlib, asyncpg\n"
        "from adapters.embedded.postgres import EmbeddedPostgres\n"
        "from adapters.embedded.nats import EmbeddedNats\n"
        "from adapters.embedded.supervisor import Supervisor\n"
        "async def main():\n"
        f"    here = pathlib.Path({str(place)!r})\n"
        "    assert os.geteuid() != 0\n"
        "    postgres = EmbeddedPostgres(here / 'postgres')\n"
        "    async with Supervisor() as supervisor:\n"
        "        pid = await supervisor.launch(await postgres.prepare())\n"
        "        await supervisor.launch(await EmbeddedNats(here / 'nats').prepare())\n"
        "        connection = await asyncpg.connect(postgres.dsn())\n"
        "        print(await connection.fetchval('SELECT 40 + 2'))\n"
        "        await connection.close()\n"
        "asyncio.run(main())\n"
    )
    argv = (sys.executable, "-W", "error", "-c", code)
    process = await asyncio.create_subprocess_exec(
        *shim_command(argv, death_signal=signal.SIGKILL, account=them, lock=None),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, said) == (0, b"42\n")
    await until_gone(process.pid)
