"""A simulated chain: settles each request at most once by its id, late, and is not always heard.

`ChainServer` holds the truth: what custody holds and how many dollars are out. A settlement is included after a while,
or surely reverted; asking again about the same one never does it twice.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from domain.quote import Side
from domain.refusal import Rejected, Unavailable, Unknown
from domain.settlement import SettlementSubmissionRequested
from tests.simulation.loop import Process, SimFuture
from tests.simulation.sim import Sim

HOP_US = (5_000, 80_000)
INCLUSION_US = (200_000, 2_500_000)
SLOW_INCLUSION_US = (5_000_000, 25_000_000)
CALL_TIMEOUT_S = 8.0

SITES = (
    "chain.unavailable",
    "chain.request_lost",
    "chain.response_lost",
    "chain.slow",
    "chain.reverted",
)


class ChainServer:
    """The chain itself: balances of custody, supply of the dollar, and every settlement's end."""

    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self.custody: dict[str, int] = {}
        self.supply = 0
        self.seen: dict[UUID, SettlementSubmissionRequested] = {}
        self.ends: dict[UUID, str | Rejected] = {}
        self.on_seen: list[Callable[[SettlementSubmissionRequested], None]] = []
        self.on_moved: list[Callable[[], None]] = []
        self._waiting: dict[UUID, list[SimFuture]] = {}

    def submit(self, requested: SettlementSubmissionRequested, future: SimFuture | None) -> None:
        """Take a settlement that has arrived; one that is known already is only waited for."""
        key = requested.settlement_id
        if key not in self.seen:
            self.seen[key] = requested
            for told in self.on_seen:
                told(requested)
            reverts, slow = self.sim.faults.hit("chain.reverted"), self.sim.faults.hit("chain.slow")
            self.sim.note("chain", "settlement seen", key)
            delay_us = SLOW_INCLUSION_US if slow else INCLUSION_US
            self.sim.later("chain.inclusion", *delay_us, self._include, requested, reverts)
        if future is not None:
            if key in self.ends:
                self._answer(future, self.ends[key])
            else:
                self._waiting.setdefault(key, []).append(future)

    def _include(self, requested: SettlementSubmissionRequested, reverts: bool) -> None:
        key, asset = requested.settlement_id, requested.collateral.asset
        mint = requested.side is Side.MINT
        held = self.custody.get(asset, 0)
        if reverts or (not mint and (held < requested.collateral.atoms or self.supply < requested.issued.atoms)):
            self.ends[key] = Rejected("reverted", "the transaction reverted")
            self.sim.note("chain", "reverted", key)
        else:
            sign = 1 if mint else -1
            self.custody[asset] = held + sign * requested.collateral.atoms
            self.supply += sign * requested.issued.atoms
            self.ends[key] = "0x" + key.hex
            self.sim.note("chain", "settled", key)
            for told in self.on_moved:
                told()
        for future in self._waiting.pop(key, []):
            self._answer(future, self.ends[key])

    def _answer(self, future: SimFuture, end: str | Rejected) -> None:
        if self.sim.faults.hit("chain.response_lost"):
            return
        delay_us = self.sim.faults.between("chain.hop", *HOP_US)
        if isinstance(end, Rejected):
            self.sim.loop.after_us(delay_us, lambda: self.sim.settle(future, error=Rejected(end.code, end.text)))
        else:
            self.sim.loop.after_us(delay_us, self.sim.settle, future, end)


class SimSettlements:
    """The `Settlements` port of one process."""

    def __init__(self, server: ChainServer, process: Process) -> None:
        self._server = server
        self._process = process

    async def settle(self, requested: SettlementSubmissionRequested) -> str:
        """See `Settlements.settle`."""
        sim, process = self._server.sim, self._process
        process.point("chain.submit")
        unavailable, lost = sim.faults.hit("chain.unavailable"), sim.faults.hit("chain.request_lost")
        if unavailable:
            await sim.travel(process, "chain.refused_connection", *HOP_US)
            raise Unavailable("no connection")
        future: asyncio.Future[Any] = sim.loop.create_future()
        if not lost:
            sim.later("chain.hop", *HOP_US, self._server.submit, requested, future)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                reference: str = await future
        except TimeoutError:
            raise Unknown("not final in time") from None
        process.point("chain.final")
        return reference
