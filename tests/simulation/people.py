"""The people of the desk: one stops, another releases, one tightens limits; and at the end they put all in order."""

import asyncio
from random import Random
from uuid import UUID

from api.core import Asked, Core
from domain.approvals import approval_id
from domain.codec import encode
from domain.ids import natural_id
from tests.simulation.benefactors import Benefactors
from tests.simulation.doors import Own
from tests.simulation.sim import Sim

TICK_S = 1.0
HELD_S = (1.0, 8.0)
SCOPES = ("global", "venue:binanceusdm", "asset:ETH", "pair:WETH/USDe")
OTHERS = ("venue:bybit", "venue:okx", "asset:USDT")
"""What only triggers stop."""
TIGHTER = (
    ("order_notional", "global", ("0", "15", "900", "4000", "20000")),
    ("net_delta", "asset:ETH", ("0", "2", "6")),
    ("quote_age", "global", ("100", "250")),
)
LIMITS = (
    ("order_notional", "global", "100000"),
    ("net_delta", "asset:ETH", "20"),
    ("price_collar", "global", "100"),
    ("quote_age", "global", "500"),
)

SITES = ("people.halt", "people.reduce", "people.tighten")


class People:
    """Operate the desk through the same requests as everyone."""

    def __init__(self, sim: Sim, door: Benefactors, seed: int) -> None:
        self._sim = sim
        self._door = door
        self._chance = Random(f"{seed}/people")
        self._count = 0
        self._held: set[str] = set()

    async def run(self) -> None:
        """Operate until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(TICK_S)
                faults, chance = self._sim.faults, self._chance
                scope, held_s = chance.choice(SCOPES), chance.uniform(*HELD_S)
                control, where, values = chance.choice(TIGHTER)
                value = chance.choice(values)
                for site, mode in (("people.halt", "HALTED"), ("people.reduce", "REDUCE_ONLY")):
                    if faults.hit(site) and scope not in self._held:
                        tasks.create_task(self._stop_a_while(scope, mode, held_s))
                if faults.hit("people.tighten"):
                    tasks.create_task(self._tighten_a_while(control, where, value, held_s))

    async def _stop_a_while(self, scope: str, mode: str, held_s: float) -> None:
        self._held.add(scope)
        await self._ask("mode.change", {"scope": scope, "mode": mode, "reason": "nervous"}, "risk")
        await asyncio.sleep(held_s)
        await self.release(scope)
        self._held.discard(scope)

    async def _tighten_a_while(self, control: str, scope: str, value: str, held_s: float) -> None:
        """Tighten a limit; some time later ask for it back, try to grant that alone, and let the other do it."""
        limit = {"control": control, "scope": scope, "reason": "nervous"}
        await self._ask("limit.set", limit | {"value": value}, "risk")
        await asyncio.sleep(held_s)
        before = next(each for of, where, each in LIMITS if (of, where) == (control, scope))
        asked = approval_id(await self._ask("limit.set", limit | {"value": before}, "risk"))
        for person in ("risk", "risk2"):
            await self._ask("approval.decide", {"approval_id": asked, "decision": "grant"}, person)

    async def release(self, scope: str) -> None:
        """Release a scope as the second person."""
        await self._ask("mode.change", {"scope": scope, "mode": "ACTIVE", "reason": "calm"}, "risk2")

    async def _ask(self, kind: str, body: object, actor: str) -> UUID:
        self._count += 1
        command_id = natural_id("people", str(self._count))
        await self._door.ask(kind, body, command_id, actor)
        return command_id

    async def calm(self) -> None:
        """Release every scope; what a trigger holds is granted by the first person, where it is asked for."""
        for scope in (*SCOPES, *OTHERS):
            body = {"scope": scope, "mode": "ACTIVE", "reason": "calm"}
            asked = approval_id(await self._ask("mode.change", body, "risk2"))
            await self._ask("approval.decide", {"approval_id": asked, "decision": "grant"}, "risk")


def loosen(core: Core, stamp: int) -> None:
    """Set every limit back: one person asks for all of them, another grants what waits."""
    wanted = [{"control": control, "scope": scope, "value": value} for control, scope, value in LIMITS]
    asked = natural_id("loosen", str(stamp))
    _offer(core, asked, "limit.apply", {"limits": wanted, "reason": "calm"}, "risk")
    granted = {"approval_id": approval_id(asked), "decision": "grant"}
    _offer(core, natural_id("grant", str(stamp)), "approval.decide", granted, "risk2")


def _offer(core: Core, command_id: UUID, kind: str, body: object, actor: str) -> None:
    core.offer(Asked(command_id, kind, actor, encode(body), "api", "", Own(), None))
