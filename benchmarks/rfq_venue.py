"""The venue of the RFQ benchmark: the product's execution worker before a door that notes when an order reaches it.

`python -m benchmarks.rfq_venue SETTINGS` runs until terminated. Every order is filled at its limit at once; a request
on `<prefix>.bench.venue` is answered with {order_id: nanoseconds of the machine's monotonic clock} of each hedge.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop
from nats.aio.msg import Msg

from adapters.nats.inbox import InboxPublisher
from adapters.nats.tail import Tail
from api.collecting import calm_collector
from api.execution.accounts import Accounts
from api.execution.worker import Execution
from api.replica import Replica, restore_replica
from api.settings import read_settings
from api.wiring.process import WORKER_INBOX, Process
from domain.approval import Approved
from domain.venue import Acknowledgement, FillReport, OrderReport, OrderStatus, Rejected, VenueOrder

VENUE_SUBJECT = "bench.venue"
VENUE, ACCOUNT = "binanceusdm", "main"
FILLED: OrderStatus = "filled"


class Door:
    """Be a venue that fills everything at once, and note when each order came."""

    def __init__(self, replica: Replica) -> None:
        self.came_ns: dict[str, int] = {}
        self._replica = replica
        self._fills: list[FillReport] = []

    @property
    def name(self) -> str:
        """Return the venue's id."""
        return VENUE

    @property
    def account(self) -> str:
        """Return the account's name."""
        return ACCOUNT

    @property
    def absence_after_ms(self) -> int:
        """Return how long "no such order" is not believed; every order is known here at once."""
        return 1_000

    async def submit(self, approved: Approved[VenueOrder]) -> Acknowledgement:
        """Fill an order at its limit."""
        came_ns, order = time.monotonic_ns(), approved.value
        book = self._replica.book
        held = book.orders[book.client_orders[order.client_order_id]]
        request = book.requests.get(book.hedges[held.hedge_id].planned.request_id)
        if request is not None:
            self.came_ns[request.accepted.order_id] = came_ns
        number, at_us = f"{len(self._fills) + 1}", time.time_ns() // 1_000
        self._fills.append(
            FillReport(
                venue=VENUE,
                account=ACCOUNT,
                symbol=order.symbol,
                trade_id=number,
                venue_order_id=number,
                client_order_id=order.client_order_id,
                side=order.side,
                price=order.limit_price or Decimal(1),
                quantity=order.quantity,
                fee_asset="USDT",
                fee_quantity=Decimal(0),
                liquidity="taker",
                kind="trade",
                source="sweep",
                at_us=at_us,
            )
        )
        return Acknowledgement(
            venue_order_id=number,
            client_order_id=order.client_order_id,
            status=FILLED,
            filled=order.quantity,
            accepted_quantity=order.quantity,
            at_us=at_us,
        )

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Have nothing to cancel: all were filled."""
        del symbol
        raise Rejected("unknown_order", client_order_id)

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Know no open order: all were filled."""
        del symbol, client_order_id  # nothing stays open here
        return None

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return the fills of a symbol."""
        return [fill for fill in self._fills if fill.symbol == symbol and fill.at_us >= since_us]

    async def account_events(self) -> AsyncGenerator[FillReport, None]:
        """Tell each fill as it happens."""
        told = 0
        while True:
            while told < len(self._fills):
                told += 1
                yield self._fills[told - 1]
            await asyncio.sleep(0.005)


class _Held:
    """Hold the right to act without asking: nobody else is there."""

    def check(self) -> None:
        """Agree."""


async def run(path: Path) -> None:
    """Act on the account until told to stop."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = read_settings(path)
    process = Process(settings, path.parent, lambda: None, stop)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(process.bus(settings.services.nats_worker, "execution", WORKER_INBOX))
        window = await stack.enter_async_context(process.bus(settings.services.nats_core, "window"))
        log = await stack.enter_async_context(process.log())
        replica = await restore_replica(log)
        tail = await stack.enter_async_context(Tail(bus, process.prefix, log, after=replica.position))
        door = Door(replica)
        execution = Execution(replica, None, door, InboxPublisher(bus, process.prefix), process.clock, _Held())
        accounts = Accounts(replica, tail)

        async def answer(msg: Msg) -> None:
            await msg.respond(json.dumps(door.came_ns).encode())

        await window.client.subscribe(f"{process.prefix}.{VENUE_SUBJECT}", cb=answer)
        await window.client.flush()
        calm_collector()
        print("READY", flush=True)
        with accounts.showing(execution):
            tasks: list[asyncio.Task[Any]] = [
                asyncio.create_task(accounts.run()),
                asyncio.create_task(execution.run()),
                asyncio.create_task(stop.wait()),
            ]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in done:
                task.result()


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1])))
