"""Whoever acts outside stands in a list while it does, so that it can be stopped; once killed, none of them starts.

Each sender's process holds the lock of a file of its own in `DIR/run/senders`, named by its role and process id: the
kernel lets go when it dies, so an id is believed exactly as long as it is true. A process enters the list before it
looks at the mark, and whoever kills sets the mark before he looks at the list: one of the two sees the other.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from api.starting import CannotStart

# The roles that act outside: at venues, and on chain.
SENDERS = frozenset({"execution", "chain"})
LOOK_S = 0.01


def mark_of(data_dir: Path) -> Path:
    """Return the file that keeps senders from starting while it is there."""
    return data_dir / "run" / "killed.json"


def require_unkilled(data_dir: Path) -> None:
    """Raise `CannotStart` while the mark of a kill is there: only a person takes it away."""
    mark = mark_of(data_dir)
    if mark.exists():
        raise CannotStart(f"everything was killed: {_why(mark)}. When trading may go on, remove {mark.absolute()}")


@contextmanager
def standing(data_dir: Path, role: str) -> Generator[None]:
    """Stand in the list of senders for as long as this process acts; raise `CannotStart` after a kill."""
    folder = data_dir / "run" / "senders"
    place = folder / f"{role}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.pwrite(descriptor, _world().encode(), 0)
    except OSError as error:
        raise CannotStart(f"{role} cannot be listed in {folder}, and would not be stopped: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # nobody holds it but who looks whether we live, for an instant
        require_unkilled(data_dir)
        yield
    finally:
        place.unlink(missing_ok=True)
        os.close(descriptor)


def set_mark(data_dir: Path, content: dict[str, str]) -> str:
    """Keep senders from starting from here on; return what went wrong, empty when nothing did."""
    mark = mark_of(data_dir)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not mark.exists():
            with mark.open("w") as file:
                file.write(json.dumps(content))
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        return f"{mark}: {error.strerror}"
    return ""


def senders_in(data_dir: Path) -> Sequence[tuple[str, int]]:
    """Return the roles and process ids of the senders that live now; forget the dead ones."""
    found: list[tuple[str, int]] = []
    for place in sorted((data_dir / "run" / "senders").glob("*.*")):
        role, _, pid = place.name.rpartition(".")
        if not pid.isdigit():
            continue
        if _is_held(place):
            found.append((role, int(pid)))
        elif not _is_there(int(pid)):
            place.unlink(missing_ok=True)
    return found


def stop_senders(data_dir: Path, within_s: float) -> tuple[Sequence[tuple[str, int]], Sequence[tuple[str, int]]]:
    """Kill every sender at once, with SIGKILL: what drains still sends. Return who lived, and who lives after a bound.

    One that starts meanwhile is killed too.
    """
    struck: dict[tuple[str, int], None] = {}
    give_up_at = time.monotonic() + within_s
    while living := senders_in(data_dir):
        if time.monotonic() >= give_up_at:
            return tuple(struck), living
        for sender in living:
            struck[sender] = None
            if _is_of_our_world(data_dir, sender):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(sender[1], signal.SIGKILL)
        time.sleep(LOOK_S)
    return tuple(struck), ()


def _is_held(place: Path) -> bool:
    """Say whether the process of a file lives and stands there."""
    try:
        descriptor = os.open(place, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _world() -> str:
    """Name what our process ids count in: in another container the same number is somebody else."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _is_of_our_world(data_dir: Path, sender: tuple[str, int]) -> bool:
    try:
        return (data_dir / "run" / "senders" / f"{sender[0]}.{sender[1]}").read_text() == _world()
    except OSError:
        return False


def _why(mark: Path) -> str:
    try:
        told = json.loads(mark.read_bytes())
        return f"at {told['at']} by {told['by']}: {told['reason']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its mark cannot be read"
