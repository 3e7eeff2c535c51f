"""Choose a loopback port once per data directory, and keep it, so that the addresses clients hold stay valid."""

import secrets
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below every system's range of ephemeral ports: a client retrying against a dead port inside that range can be given
# the very port as its source, connect to itself, and so keep the server from coming back.
PORT_FIRST, PORT_LAST = 15_000, 29_999
TRIES_MAX = 200


class NoFreePort(Exception):
    """Say that no loopback port was found within the tries allowed."""


def remembered_port(memory: Path) -> int:
    """Return the port that `memory` names if it is free, else a free one, which `memory` names from now on."""
    if memory.exists():
        text = memory.read_text().strip()
        if text.isdigit() and is_free(int(text)):
            return int(text)
    for _ in range(TRIES_MAX):
        port = PORT_FIRST + secrets.randbelow(PORT_LAST - PORT_FIRST + 1)
        if is_free(port):
            memory.write_text(f"{port}\n")
            return port
    raise NoFreePort(f"no free port on {LOOPBACK} between {PORT_FIRST} and {PORT_LAST} in {TRIES_MAX} tries")


def is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
