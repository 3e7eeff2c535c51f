"""Trouble from outside: servers killed, streams wiped, processes killed, venues that are away or trade for nobody."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from tests.simulation.log import LogStore
from tests.simulation.sim import Sim
from tests.simulation.stream import Stream
from tests.simulation.supervisor import Supervisor
from tests.simulation.venue import VenueServer

TICK_S = 0.5
DOWN_US = (100_000, 4_000_000)
PAUSED_US = (50_000, 9_000_000)
AFTER_US = (0, 499_999)
SYMBOL, FORCED = "ETH/USDT:USDT", Decimal("0.25")

SITES = (
    "chaos.postgres_killed",
    "chaos.events_wiped",
    "chaos.inbox_wiped",
    "chaos.alerts_wiped",
    "chaos.readers_killed",
    "chaos.nats_wiped",
    "chaos.core_killed",
    "chaos.execution_killed",
    "chaos.chain_killed",
    "chaos.core_paused",
    "chaos.execution_paused",
    "chaos.chain_paused",
    "chaos.bus_down",
    "chaos.second_core",
    "chaos.liquidated",
    "chaos.deleveraged",
    "chaos.venue_away",
)


class Chaos:
    """Do each kind of trouble as often as the plan says, at a drawn moment of each half second."""

    def __init__(
        self,
        sim: Sim,
        supervisor: Supervisor,
        store: LogStore,
        streams: tuple[Stream, Stream, Stream],
        venues: Sequence[VenueServer],
        second_core: Callable[[], None],
    ) -> None:
        self._second_core = second_core
        self._sim = sim
        self._supervisor = supervisor
        self._store = store
        self._streams = streams
        self._events, self._inbox, self._alerts = streams
        self._venues = venues

    async def run(self) -> None:
        """Make trouble until cancelled."""
        sim = self._sim
        acts = {
            "chaos.postgres_killed": lambda: self._store.crash(sim.faults.between("chaos.down", *DOWN_US)),
            "chaos.events_wiped": self._events.wipe,
            "chaos.inbox_wiped": self._inbox.wipe,
            "chaos.alerts_wiped": self._alerts.wipe,
            "chaos.readers_killed": lambda: self._supervisor.crash("readers"),
            "chaos.nats_wiped": self._wipe_all,
            "chaos.core_killed": lambda: self._supervisor.crash("core"),
            "chaos.execution_killed": lambda: self._supervisor.crash("execution"),
            "chaos.chain_killed": lambda: self._supervisor.crash("chain"),
            "chaos.core_paused": lambda: self._pause("core"),
            "chaos.execution_paused": lambda: self._pause("execution"),
            "chaos.chain_paused": lambda: self._pause("chain"),
            "chaos.bus_down": self._take_bus_down,
            "chaos.second_core": self._second_core,
            "chaos.liquidated": lambda: self._one("chaos.liquidated").force("main", SYMBOL, FORCED, "liquidation"),
            "chaos.deleveraged": lambda: self._one("chaos.deleveraged").force("main", SYMBOL, FORCED, "adl"),
            "chaos.venue_away": lambda: self._one("chaos.venue_away").vanish(),
        }
        while True:
            await asyncio.sleep(TICK_S)
            for site, act in acts.items():
                after_us = sim.faults.between(f"{site}.after", *AFTER_US)
                if sim.faults.hit(site):
                    sim.loop.after_us(after_us, self._act, site, act)

    def _act(self, site: str, act: object) -> None:
        if not self._sim.faults.healed and callable(act):
            self._sim.note("chaos", site)
            act()

    def _one(self, site: str) -> VenueServer:
        return self._venues[self._sim.faults.between(f"{site}.where", 0, len(self._venues) - 1)]

    def _pause(self, name: str) -> None:
        self._supervisor.pause(name, self._sim.faults.between("chaos.paused", *PAUSED_US))

    def _take_bus_down(self) -> None:
        self._sim.bus_down = True
        self._sim.loop.after_us(self._sim.faults.between("chaos.bus_down_for", *DOWN_US), self._bring_bus_up)

    def _bring_bus_up(self) -> None:
        self._sim.bus_down = False

    def _wipe_all(self) -> None:
        for stream in self._streams:
            stream.wipe()
