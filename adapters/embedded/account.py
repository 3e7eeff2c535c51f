"""Choose the account a server runs as when we are root, and see that it can reach its files.

Postgres refuses to run as root. We use the owner of the existing data, else an account named `ballast` if the machine
has one, else `nobody`; no account is created and no one else's directory is opened to others. Where parents of the data
or of the program may be searched by root only (a mkdtemp, /root), the account keeps the one Linux capability that reads
past them, and nothing more.
"""

import os
import pwd
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ACCOUNTS = ("ballast", "nobody")  # in order of preference
CAP_DAC_OVERRIDE = 1  # executes what others may not, too
CAP_DAC_READ_SEARCH = 2  # searches and reads only
READ, SEARCH = 0o4, 0o1


class AccountUnusable(Exception):
    """Say that no account can run the server on this data, and what to change."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account to become before a server is executed; `capabilities` are Linux numbers it keeps."""

    name: str
    uid: int
    gid: int
    capabilities: tuple[int, ...] = ()


def server_account(data: Path) -> Account | None:
    """Return the account to run a server of `data` as, or None if it runs as ourselves, not being root."""
    owner = data.stat().st_uid if data.exists() else None
    ourselves = os.geteuid()
    if ourselves != 0:
        if owner not in {None, ourselves}:
            raise AccountUnusable(
                f"{data} belongs to uid {owner}: run as that user or as root, or choose another place"
            )
        return None
    if owner is not None:
        return _owner(data, owner)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise AccountUnusable(f"a server needs an account that is not root: create one named {ACCOUNTS[0]}")


def _owner(data: Path, owner: int) -> Account:
    if owner == 0:
        raise AccountUnusable(f"{data} belongs to root, whom Postgres refuses: chown it to the account that made it")
    try:
        entry = pwd.getpwuid(owner)
    except KeyError:
        raise AccountUnusable(f"{data} belongs to uid {owner}, which has no account here") from None
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def with_reach(account: Account, *, programs: Sequence[Path], files: Sequence[Path]) -> Account:
    """Return the account with the capabilities it needs to execute these programs and read these files.

    Access lists are not read: a capability too many is harmless, and one too few shows in the server's own error.
    """
    blocked = next((path for path in (*programs, *files) if not _reaches(account, path)), None)
    not_executable = next((path for path in programs if not _has(account, path, SEARCH)), None)
    if blocked is None and not_executable is None:
        return account
    wanted = (CAP_DAC_READ_SEARCH,) if not_executable is None else (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE)
    held = _held_capabilities()
    if CAP_DAC_READ_SEARCH not in held:
        wanted = (CAP_DAC_OVERRIDE,)  # as in most containers: more than needed, but there is no less
    if not held.issuperset(wanted):
        raise AccountUnusable(
            f"{account.name} cannot reach {blocked or not_executable}: open the way, or don't be root"
        )
    return Account(name=account.name, uid=account.uid, gid=account.gid, capabilities=wanted)


def _held_capabilities() -> set[int]:
    """Return the effective capabilities of this process; none where there is no such thing."""
    status = Path("/proc/self/status")
    if sys.platform != "linux" or not status.exists():
        return set()
    line = next((each for each in status.read_text().splitlines() if each.startswith("CapEff:")), "CapEff: 0")
    mask = int(line.split()[1], 16)
    return {number for number in range(mask.bit_length()) if mask >> number & 1}


def _reaches(account: Account, path: Path) -> bool:
    """Say whether the account may search every parent, as named and as resolved, and read the file itself."""
    parents: Iterable[Path] = {*path.absolute().parents, *path.resolve().parents}
    return all(_has(account, parent, SEARCH) for parent in parents) and _has(account, path, READ)


def _has(account: Account, path: Path, permission: int) -> bool:
    found = path.stat()
    if found.st_uid == account.uid:
        place = 6
    elif found.st_gid == account.gid:
        place = 3
    else:
        place = 0
    return stat.S_IMODE(found.st_mode) >> place & permission == permission
