"""The bench on which a venue account is tried: a simulated venue of its dialect over TLS, spoken of in units.

A rig turns units (base; quote on inverse) and prices into the simulator's ticks and lots, and the contract's words for
faults into the venue's endpoints and topics.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import msgspec

from adapters.exchange.account import VenueAccount
from adapters.exchange.settings import Loopback, VenueSettings
from adapters.exchange.venues import open_account
from adapters.simulators.faults import Fault
from adapters.simulators.listener import Listener as Port
from adapters.simulators.venue import SimulatedVenue, SimulatorSettings
from adapters.simulators.world import World
from domain.approval import Approved, approve
from domain.venue import VenueOrder

KEY, SECRET, PASSPHRASE = "k" * 64, "s" * 64, "open-sesame"
BID, ASK = Decimal(2000), Decimal(2001)
WORSE_BID, WORSE_ASK = Decimal(1999), Decimal(2002)
Word = Literal["create", "cancel", "order", "fills", "positions"]


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """Say what is tried: the venue, one of its instruments, and its own words.

    `market` is the simulator's symbol. `unit` is a handy quantity (1 ETH, 1000 USD). `endpoints` are the venue's for
    the contract's words, `events` the topics under which order and fill events can be dropped or doubled. `repeats`
    says that the venue takes a client order id a second time. `secrets` are what nobody may read beside the keys.
    """

    venue: str
    symbol: str
    market: str
    make: Callable[..., SimulatedVenue]
    endpoints: dict[Word, str]
    events: tuple[str, ...]
    unit: Decimal = Decimal(1)
    repeats: bool = False
    secrets: Callable[[Any], list[str]] = lambda _venue: []


class Rig:
    """Hold one running simulator and the settings of an account on it."""

    def __init__(self, bench: Bench, simulated: SimulatedVenue, port: Port, skew: list[int]) -> None:
        self.bench = bench
        self.simulated = simulated
        self._port = port
        self._skew = skew
        self.symbol = bench.symbol
        self.unit = bench.unit
        self.listed = simulated.exchange.instruments[bench.market]
        self.book([(BID, 5), (WORSE_BID, 9)], [(ASK, 4), (WORSE_ASK, 8)])

    def settings(self, **changes: Any) -> VenueSettings:
        fields: dict[str, Any] = {
            "venue": self.bench.venue,
            "account": "main",
            "api_key": KEY,
            "api_secret": SECRET,
            "passphrase": PASSPHRASE,
            "symbols": (self.symbol,),
            "loopback": self.loopback,
            "timeout_ms": 1_500,
        }
        return VenueSettings(**(fields | changes))

    @property
    def loopback(self) -> Loopback:
        return Loopback(port=self._port.port, ca_file=self._port.ca_file)

    def account(self, **changes: Any) -> VenueAccount:
        return open_account(self.settings(**changes))

    def order(self, **changes: Any) -> Approved[VenueOrder]:
        """Approve an order; by default one unit sold at the bid, at once or not."""
        fields: dict[str, Any] = {
            "venue": self.bench.venue,
            "account": "main",
            "symbol": self.symbol,
            "side": "sell",
            "quantity": self.unit,
            "limit_price": BID,
            "time_in_force": "ioc",
            "reduce_only": False,
            "client_order_id": f"t{uuid4().hex[:20]}",
        }
        return approve(VenueOrder(**(fields | changes)), uuid4(), time.time_ns() // 1_000 + 60_000_000)

    def book(self, bids: list[tuple[Decimal, int]], asks: list[tuple[Decimal, int]], *, clear: bool = True) -> None:
        """Set the rest of the market: prices and how many handy quantities stand there."""
        self.simulated.set_levels(
            [self._level(price, units) for price, units in bids],
            [self._level(price, units) for price, units in asks],
            self.bench.market,
            clear=clear,
        )

    def _level(self, price: Decimal, units: int) -> tuple[int, int]:
        return int(price / self.listed.tick), self.lots(self.unit * units)

    def lots(self, quantity: Decimal) -> int:
        return int(quantity / self.listed.contract_size / self.listed.step)

    def arm(self, kind: Any, on: str = "*", **fields: Any) -> None:
        name = self.bench.endpoints.get(on, on)  # pyright: ignore[reportCallIssue, reportArgumentType] - else as it is
        self.simulated.faults.arm(Fault(kind=kind, on=name, **fields), time.time_ns() // 1_000_000)

    def arm_events(self, kind: Any, **fields: Any) -> None:
        for topic in self.bench.events:
            self.arm(kind, topic, **fields)

    def shift_clock(self, by_ms: int) -> None:
        """Let the venue's clock be ahead of ours."""
        self._skew[0] = by_ms

    @property
    def orders_kept(self) -> int:
        return len(self.simulated.exchange.orders)

    def drop_sockets(self) -> None:
        """Drop the streams; a connection whose end cancels orders is left alone: that is another story."""
        for socket in tuple(self.simulated.hub.sockets):
            if not socket.session.get("ends_orders"):
                socket.drop()

    async def stop(self) -> None:
        await self._port.stop()

    def close_by_force(self, quantity: Decimal, kind: Literal["liquidation", "adl"]) -> None:
        now_ms = self.simulated.clock_ms()
        self.simulated.exchange.force_close(self.bench.market, self.lots(quantity), kind, now_ms)
        self.simulated.commit()

    def pay_funding(self) -> None:
        self.simulated.exchange.funded_until_ms[self.bench.market] = 0
        self.simulated.set_levels([], [], self.bench.market, clear=False)

    @property
    def is_spot(self) -> bool:
        return self.listed.kind == "spot"

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what a quantity is worth in the asset that settles it."""
        return quantity / price if self.listed.kind == "inverse" else quantity * price


@asynccontextmanager
async def rigged(bench: Bench, directory: Path, **changes: Any) -> AsyncGenerator[Rig, None]:
    """Run a simulated venue with money in every asset that it may need, its market standing still."""
    skew = [0]
    fields: dict[str, Any] = {
        "data_dir": directory,
        "api_key": KEY,
        "api_secret": SECRET,
        "passphrase": PASSPHRASE,
        "step_ms": 0,
        "deposits": {"ETH": Decimal(10_000), "USDC": Decimal(10_000_000)},
    }
    world = World(7)
    simulated = bench.make(
        SimulatorSettings(**(fields | changes)), world, lambda: time.time_ns() // 1_000_000 + skew[0]
    )
    port = Port(directory, (simulated,), world, step_ms=0, admin_token=simulated.settings.admin_token)
    await port.start()
    try:
        yield Rig(bench, simulated, port, skew)
    finally:
        await port.stop()
