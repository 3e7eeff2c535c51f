"""What must be so before a house starts: its directory is its own, its port is free. Else it says so in a sentence."""

import errno
import fcntl
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

HOLD_FILE = "held"


class CannotStart(Exception):
    """Say why a house did not start, in words for whoever started it."""


@contextmanager
def held(data_dir: Path) -> Generator[None]:
    """Make a data directory and hold it for this process alone; the kernel lets go when we die, however we die.

    Raise `CannotStart` when another house runs in it.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data_dir / HOLD_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(f"the data directory {data_dir} cannot be used: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotStart(f"another Ballast runs in {data_dir}: stop it, or give another directory") from error
        yield
    finally:
        os.close(descriptor)


def require_port(host: str, port: int) -> None:
    """Raise `CannotStart` unless the HTTP API can listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there; give another port" if taken else error.strerror
        raise CannotStart(f"the HTTP API cannot listen on {host}:{port}: {why}") from error
