"""Become another program: hold its data directory's lock, drop root, and die with the parent.

Run by path with `python -I -S` and one JSON argument (see `Plan`). Only the standard library is at hand: the
interpreter runs without site-packages, so that a child costs some twenty milliseconds more and no more memory. The
program that is executed keeps this process's id, so the parent supervises the program itself and not a wrapper.
"""

import ctypes
import fcntl
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypedDict

CONFIGURATION_ERROR = 78  # EX_CONFIG of sysexits.h: trying again won't help
LOCK_BUSY = 75  # EX_TEMPFAIL: somebody else uses the data directory

# Numbers of the Linux interface, which ctypes cannot read from headers.
PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522


class AccountPlan(TypedDict):
    """Say whom to become: ids, and the capabilities (Linux numbers) to keep as ambient ones."""

    name: str
    uid: int
    gid: int
    capabilities: list[int]


class LockPlan(TypedDict):
    """Say which file's lock to hold for the program's whole life, its children's included.

    `leader` is a file whose first line is the id of the program that last used the directory `orphans_in`: processes
    that still stand in that directory when the leader is dead are its orphans and are killed, and the file is removed.
    """

    path: str
    within_s: float
    leader: str | None
    orphans_in: str | None


class Plan(TypedDict):
    """Say what to become. `parent` is the process whose death must be ours, by `death_signal`."""

    parent: int
    death_signal: int
    argv: list[str]
    account: AccountPlan | None
    lock: LockPlan | None


def refuse(why: str, code: int) -> NoReturn:
    """Say why on standard error, which is the child's log, and end."""
    sys.stderr.write(f"ballast: {why}\n")
    sys.exit(code)


def die_with_parent(parent: int, death_signal: int) -> None:
    """Ask the kernel to signal us when the parent's thread ends; end now if it already has."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        refuse("the parent died before its child began", LOCK_BUSY)


def hold(plan: LockPlan) -> None:
    """Take the lock and leave its descriptor to the program: it is free again when the last process of it is gone."""
    descriptor = os.open(plan["path"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - positional-only
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _wait_for(descriptor, plan)
    if plan["leader"] is not None:
        # Everything that used the directory is gone, so the file is stale, even if its process id lives again as
        # another program (which Postgres could not tell apart and would refuse to start for).
        Path(plan["leader"]).unlink(missing_ok=True)


def _wait_for(descriptor: int, plan: LockPlan) -> None:
    """Wait for the lock within its bound, killing orphans of a dead leader first."""

    def give_up(_signal: int, _frame: FrameType | None) -> NoReturn:
        refuse(f"another process uses this data directory: {plan['path']} stayed locked", LOCK_BUSY)

    if plan["orphans_in"] is not None and plan["leader"] is not None:
        _kill_orphans(Path(plan["orphans_in"]), Path(plan["leader"]))
    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, plan["within_s"])
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _kill_orphans(directory: Path, leader: Path) -> None:
    """Kill the processes standing in `directory` if their leader no longer does (Linux; elsewhere they are awaited).

    A backend in the middle of a long statement notices its dead postmaster only afterwards, which may be minutes.
    """
    if sys.platform != "linux":
        return
    standing = {pid for pid in _process_ids() if _stands_in(pid, directory)}
    try:
        first = leader.read_text().split("\n", 1)[0]
    except FileNotFoundError:
        first = ""
    if first.isdigit() and int(first) in standing:
        return  # a living server: not ours to end
    for pid in standing:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _process_ids() -> list[int]:
    return [int(each) for each in os.listdir("/proc") if each.isdigit()]  # noqa: PTH208 - names only, no objects


def _stands_in(pid: int, directory: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(directory)
    except OSError:
        return False  # gone meanwhile, a kernel thread, or not ours to look at


def become(account: AccountPlan) -> None:
    """Drop root for good, keeping only the named capabilities, as ambient ones that survive the exec."""
    kept = account["capabilities"]
    try:
        if kept:
            # Without this bit access(2) forgets the capabilities of a non-root user, and Postgres asks access(2).
            _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
        os.setgroups([])
        os.setgid(account["gid"])  # being root, this sets the real, effective and saved ids at once
        os.setuid(account["uid"])
        if kept:
            _keep_only(kept)
    except OSError as error:
        reason = f"cannot run as {account['name']} (uid {account['uid']}): {error}."
        if kept:
            reason += " That account cannot reach the files by itself: let others search their parent directories."
        refuse(reason, CONFIGURATION_ERROR)


def _keep_only(capabilities: list[int]) -> None:
    mask = sum(1 << each for each in capabilities)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; low word, high word
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(ctypes.byref(header), ctypes.byref(sets)) != 0:
        raise OSError(ctypes.get_errno(), "capset: " + os.strerror(ctypes.get_errno()))
    for each in capabilities:
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, each)


def _prctl(option: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *padded) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}): " + os.strerror(ctypes.get_errno()))


def main(text: str) -> NoReturn:
    """Carry out a plan; this function does not return."""
    plan: Plan = json.loads(text)
    die_with_parent(plan["parent"], signal.SIGKILL)
    if plan["lock"] is not None:
        hold(plan["lock"])
    if plan["account"] is not None:
        become(plan["account"])
    die_with_parent(plan["parent"], plan["death_signal"])  # a change of user cleared it
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    os.umask(0o077)
    try:
        os.execv(plan["argv"][0], plan["argv"])  # noqa: S606 - no shell is the point
    except OSError as error:
        refuse(f"cannot run {plan['argv'][0]}: {error.strerror}", CONFIGURATION_ERROR)


if __name__ == "__main__":
    main(sys.argv[1])
