"""Sessions with the oracles' hosts over TLS, or with a simulator on loopback under the same names."""

import socket
import ssl

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.oracle.settings import Loopback

CONNECTIONS_MAX = 4
READ_BYTES = 1 << 18
"""How much of a body is buffered; one line of a stream must fit."""


class LoopbackResolver(AbstractResolver):
    """Answer one loopback port for one host, whatever port is asked, and nothing else."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002 - aiohttp's signature; the answer is one port for all
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - same
    ) -> list[ResolveResult]:
        """Return the simulator's address; refuse every other host."""
        if host != self._host:
            raise OSError(None, f"{host} is not simulated, and loopback settings speak to nobody else")
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None:
        """Hold nothing, close nothing."""


def open_session(host: str, loopback: Loopback | None, timeout_ms: int) -> aiohttp.ClientSession:
    """Return a session; its owner closes it. A whole answer must come within the timeout."""
    timeout = aiohttp.ClientTimeout(total=timeout_ms / 1_000)
    if loopback is None:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX)
    else:
        context = ssl.create_default_context(cafile=str(loopback.ca_file))
        connector = aiohttp.TCPConnector(
            resolver=LoopbackResolver(host, loopback.port), ssl=context, use_dns_cache=False, limit=CONNECTIONS_MAX
        )
    return aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=READ_BYTES)


def stream_timeout(timeout_ms: int) -> aiohttp.ClientTimeout:
    """Return the timeout of an answer that does not end: only until it begins."""
    return aiohttp.ClientTimeout(total=None, connect=timeout_ms / 1_000, sock_connect=timeout_ms / 1_000)
