"""Catch code that reaches past its ports while a simulated world runs: clocks, randomness, sockets, files, threads.

Not caught here, but by lint in the pure rooms: `datetime.now`, `time.sleep`, `secrets`, and names imported before the
guard stood.
"""

import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

FORBIDDEN_EVENTS = frozenset({"socket.__new__", "subprocess.Popen", "os.fork", "os.posix_spawn", "os.system"})
WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT


class OutsideTouched(BaseException):
    """Say which door to the real world was opened: a BaseException, so that no `except Exception` hides it."""


class _Hook:
    """The audit hook: Python can't take one back, so it is set once and switched."""

    def __init__(self) -> None:
        self.armed = False
        self.set = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event in FORBIDDEN_EVENTS:
            raise OutsideTouched(event)
        if event == "open" and isinstance(args[2], int) and args[2] & WRITING:
            raise OutsideTouched(f"open {args[0]!r} for writing")


_HOOK = _Hook()


def _forbidden(name: str) -> Any:
    def refuse(*_args: object, **_kwargs: object) -> object:
        if sys._getframe(1).f_globals.get("__name__") == "logging":
            return 0.0  # a log record's own time stamp; it decides nothing
        raise OutsideTouched(name)

    return refuse


@contextmanager
def guard() -> Generator[None]:
    """Raise `OutsideTouched` at the first reach for the real world within the block."""
    if not _HOOK.set:
        sys.addaudithook(_HOOK)
        _HOOK.set = True
    doors: tuple[tuple[Any, str], ...] = (
        (time, "time"),
        (time, "time_ns"),
        (uuid, "uuid4"),
        (uuid, "uuid1"),
        (os, "urandom"),
        (random, "random"),
        (random, "randrange"),
        (random, "randint"),
        (random, "choice"),
        (threading.Thread, "start"),
    )
    patches = [patch.object(owner, name, _forbidden(f"{owner.__name__}.{name}")) for owner, name in doors]
    for door in patches:
        door.start()
    _HOOK.armed = True
    try:
        yield
    finally:
        _HOOK.armed = False
        for door in patches:
            door.stop()
