"""Watch over the children from outside the parent: when it dies, however it dies, end whatever it left.

On Linux the kernel ends each child by its parent-death signal. The guardian is the portable second line, and ends what
children started themselves: it holds the reading end of a pipe whose only writer is the parent, so the parent's death
is the pipe's end. The lower half of this file is the guardian's own program, run by path with the standard library
only.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO

GRACE_S = 5.0  # for children that are asked (Postgres: SIGQUIT) before they are killed
LOOK_EVERY_S = 0.05
CLOSE_WITHIN_S = 10.0


class Guardian:
    """Keep a guardian process and tell it which process groups to end if we die. Not for concurrent use."""

    def __init__(self) -> None:
        self._watched: dict[int, int] = {}
        self._process, self._orders = _start()

    def watch(self, group: int, death_signal: int) -> None:
        """End this process group by `death_signal`, and by SIGKILL after a grace, should we die."""
        self._watched[group] = death_signal
        self._tell(f"+{group} {death_signal}\n")

    def forget(self, group: int) -> None:
        """Leave this process group alone from now on: its leader ended and was waited for."""
        self._watched.pop(group, None)
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the guardian, and with it any group that is still watched. Block until it is gone, within a bound."""
        with suppress(BrokenPipeError):
            self._orders.close()
        try:
            self._process.wait(CLOSE_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, line: str) -> None:
        try:
            self._write(line)
        except BrokenPipeError:
            # Somebody killed the guardian. A new one hears of every group, this line's included.
            self.close()
            self._process, self._orders = _start()
            for group, death_signal in self._watched.items():
                self._write(f"+{group} {death_signal}\n")

    def _write(self, line: str) -> None:
        self._orders.write(line.encode())


def _start() -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    try:
        # A session of its own: neither Ctrl-C at the terminal nor a signal to the parent's group reaches the guardian.
        process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - this very file
            [sys.executable, "-I", "-S", __file__],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    return process, os.fdopen(writing, "wb", 0)


def guard(orders: IO[bytes]) -> None:
    """Read orders until the parent is gone, then end every group that is still watched."""
    watched: dict[int, int] = {}
    for line in orders:
        order, text = line[:1], line[1:].split()
        if order == b"+":
            watched[int(text[0])] = int(text[1])
        else:
            watched.pop(int(text[0]), None)
    for group, death_signal in watched.items():
        _signal(group, death_signal)
    give_up_at = time.monotonic() + GRACE_S
    while watched and time.monotonic() < give_up_at:
        watched = {group: number for group, number in watched.items() if _signal(group, 0)}
        time.sleep(LOOK_EVERY_S)  # there is nothing to wait on: they are not our children
    for group in watched:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False  # gone, or only zombies of it left (some systems say the latter of them)
    return True


if __name__ == "__main__":
    for unwanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwanted, signal.SIG_IGN)
    guard(sys.stdin.buffer)
