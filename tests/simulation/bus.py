"""Core NATS in memory: requests and replies that are lost, late or doubled; at most once, nothing kept.

Servers outlive every process; a process only holds subscriptions, and its death ends them.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from tests.simulation.loop import Process, SimFuture
from tests.simulation.sim import Sim

HOP_US = (30, 2_000)
LATE_US = (200_000, 8_000_000)

SITES = (
    "bus.request_lost",
    "bus.request_late",
    "bus.request_doubled",
    "bus.reply_lost",
    "bus.reply_late",
)


class NoResponders(Exception):
    """Say that nobody serves a subject: the request surely reached no one."""


class Request:
    """One request as its server sees it."""

    def __init__(
        self, subject: str, body: bytes, headers: Mapping[str, str], respond: Callable[[bytes], None] | None
    ) -> None:
        self.subject = subject
        self.body = body
        self.headers = headers
        self._respond = respond

    def respond(self, body: bytes) -> None:
        """Send the reply, if somebody asked for one."""
        if self._respond is not None:
            self._respond(body)


class Requests:
    """Request and reply between processes."""

    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self._servers: list[tuple[str, Process, Callable[[Request], None]]] = []

    def serve(self, process: Process, prefix: str, handle: Callable[[Request], None]) -> None:
        """Hand every request whose subject starts with `prefix` to `handle`, in the process that serves."""
        process.fence()
        entry = (prefix, process, handle)
        self._servers.append(entry)
        process.on_death.append(lambda: self._servers.remove(entry) if entry in self._servers else None)

    async def request(
        self, process: Process, subject: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> bytes:
        """Ask and wait. Raise `TimeoutError` (unknown: it may have been done) or `NoResponders`."""
        process.point("bus.request")
        sim = self.sim
        future = sim.loop.create_future()
        faults = sim.faults
        lost, late, doubled = (faults.hit(f"bus.request_{what}") for what in ("lost", "late", "doubled"))
        if not lost and not sim.bus_down:
            site, delay_us = ("bus.late", LATE_US) if late else ("bus.hop", HOP_US)
            sim.later(site, *delay_us, self._deliver, subject, body, headers, future)
            if doubled:
                sim.later("bus.late", *LATE_US, self._deliver, subject, body, headers, future)
        async with asyncio.timeout(timeout_s):
            answer = await future
        process.fence()
        return answer

    def _deliver(self, subject: str, body: bytes, headers: Mapping[str, str], future: SimFuture) -> None:
        """Hand a request to everyone who serves its subject, as a bus without queue groups does."""
        served = [(server, handle) for prefix, server, handle in self._servers if subject.startswith(prefix)]
        for server, handle in served:
            request = Request(subject, body, headers, partial(self._reply, server, future))
            self.sim.loop.run_in(server, handle, request)
        if not served:
            self.sim.settle(future, error=NoResponders(subject))

    def _reply(self, server: Process, future: SimFuture, answer: bytes) -> None:
        server.fence()
        lost, late = self.sim.faults.hit("bus.reply_lost"), self.sim.faults.hit("bus.reply_late")
        if lost or self.sim.bus_down:
            return
        site, delay_us = ("bus.late", LATE_US) if late else ("bus.hop", HOP_US)
        self.sim.later(site, *delay_us, self.sim.settle, future, answer)
