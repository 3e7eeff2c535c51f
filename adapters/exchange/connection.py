"""Sessions that send a venue's real host names to a simulator on loopback, over TLS it can prove.

ccxt stays as it is and sees real URLs: it picks error classes by host, so plain URL overrides would change its answers.
"""

import socket
import ssl

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.exchange.settings import Loopback


class LoopbackResolver(AbstractResolver):
    """Answer one loopback port for a venue's hosts, whatever port is asked, and nothing else."""

    def __init__(self, port: int, hosts: frozenset[str]) -> None:
        self._port = port
        self._hosts = hosts

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002 - aiohttp's signature; the answer is one port for all
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - same
    ) -> list[ResolveResult]:
        """Return the simulator's address; refuse a host that is not on the list."""
        if host not in self._hosts:
            raise OSError(None, f"{host} is not simulated, and loopback settings speak to nobody else")
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None:
        """Hold nothing, close nothing."""


def loopback_session(loopback: Loopback, hosts: frozenset[str]) -> aiohttp.ClientSession:
    """Return a session that reaches only these hosts of the simulator. Its owner closes it: ccxt does not."""
    context = ssl.create_default_context(cafile=str(loopback.ca_file))
    connector = aiohttp.TCPConnector(resolver=LoopbackResolver(loopback.port, hosts), ssl=context, use_dns_cache=False)
    return aiohttp.ClientSession(connector=connector)
