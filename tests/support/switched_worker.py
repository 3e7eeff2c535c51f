"""A worker's part that acts at venues, as a process to be killed: it arms each switch, and leaves an order resting.

It is told the venues' port, authority and names, says `resting` on its output once all stand, and goes on for ever.
"""

import asyncio
import sys
import time
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from adapters.exchange.settings import Loopback, VenueSettings
from adapters.exchange.venues import open_account
from api.execution.switch import Switch
from api.replica import Replica
from domain.approval import approve
from domain.venue import VenueOrder
from tests.support.desk import Desk
from tests.support.exchange import KEY, SECRET, SOON_S

PASSPHRASE = "open-sesame"
SYMBOLS = {
    "binanceusdm": "ETH/USDT:USDT",
    "bybit": "ETH/USDT:USDT",
    "okx": "ETH/USDT:USDT",
    "deribit": "ETH/USD:ETH",
}
SIZES = {"deribit": Decimal(1_000)}


class Outside:
    """Say the date, hold the lease, and take what is told."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def check(self) -> None:
        return

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        return source, kind, natural_key, body


async def work(venue: str, where: Loopback, resting: asyncio.Semaphore) -> None:
    """Keep one venue's switch armed, and let one order rest there."""
    settings = VenueSettings(
        venue=venue,
        account="main",
        api_key=KEY,
        api_secret=SECRET,
        passphrase=PASSPHRASE,
        symbols=(SYMBOLS[venue],),
        loopback=where,
    )
    outside = Outside()
    async with open_account(settings) as account, asyncio.TaskGroup() as tasks:
        switch = Switch(account, Replica(Desk().book, 1), outside, outside, outside)
        tasks.create_task(switch.run())
        if not await switch.holding(SOON_S):
            raise RuntimeError(f"{venue}: the switch could not be armed")
        (listed,) = account.instruments
        mark = (await account.mark(listed.symbol)).mark_price
        order = VenueOrder(
            venue=venue,
            account="main",
            symbol=listed.symbol,
            side="sell",
            quantity=SIZES.get(venue, Decimal(1)),
            limit_price=(mark * Decimal("1.02") / listed.tick).to_integral_value() * listed.tick,
            time_in_force="gtx",
            reduce_only=False,
            client_order_id=f"k{uuid4().hex[:20]}",
        )
        await account.submit(approve(order, uuid4(), outside.now_us() + 60_000_000))
        resting.release()


async def main(port: int, ca_file: str, venues: list[str]) -> None:
    """Work at every venue, and say when an order rests at each."""
    where, resting = Loopback(port=port, ca_file=Path(ca_file)), asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as tasks:
        for venue in venues:
            tasks.create_task(work(venue, where, resting))
        for _ in venues:
            await resting.acquire()
        sys.stdout.write("resting\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
