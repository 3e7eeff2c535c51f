"""Sweeping: asking a venue for the fills that nobody told, or that nobody heard.

A stream that was down loses fills, a wiped inbox forgets them, a liquidation belongs to no order that could be asked
about. So fills are asked for on connecting, for every order that waits for one, and again and again in between.
"""

import asyncio
from collections import Counter

from api.replica import Replica
from api.telling import tell
from commands.order import RecordFill
from commands.ports import Clock, Facts, Venue
from domain.book import position_key
from domain.fill import FillKind, FillSource
from domain.order import OrderSide
from domain.quantity import num
from domain.venue import FillReport, Rejected, Unavailable, Unknown

# The venue's clock may lag ours, and a sweep must not miss what fell on its edge: fills are deduplicated anyway.
SWEEP_OVERLAP_US = 60 * 1_000_000
# Well inside the overlap: what a wiped inbox forgot is told again by the next round.
SWEEP_EVERY_S = 20.0
SWEEP_AGAIN_S = 1.0
SOURCE = "execution"


def fill_fact(fill: FillReport) -> tuple[str, RecordFill]:
    """Return a fill's natural key and the command that records it."""
    command = RecordFill(
        venue=fill.venue,
        account=fill.account,
        symbol=fill.symbol,
        trade_id=fill.trade_id,
        venue_order_id=fill.venue_order_id,
        client_order_id=fill.client_order_id or "",
        side=OrderSide(fill.side),
        price=num(fill.price),
        quantity=num(fill.quantity),
        fee_asset=fill.fee_asset,
        fee=num(fill.fee_quantity),
        kind=FillKind(fill.kind),
        source=FillSource(fill.source),
        traded_at_us=fill.at_us,
    )
    return "fill|" + "|".join(fill.fill_key), command


class Sweeps:
    """Find the fills of one venue account; each enters the log once."""

    def __init__(self, replica: Replica, venue: Venue, facts: Facts, clock: Clock) -> None:
        self._replica = replica
        self._venue = venue
        self._facts = facts
        self._clock = clock
        self._asked = Counter[str]()
        self._done_us: dict[str, int] = {}
        self._sweeping = asyncio.Lock()

    async def run(self) -> None:
        """Sweep every contract from time to time, sooner after a failure; until cancelled."""
        while True:
            answered = await self.sweep_all()
            await asyncio.sleep(SWEEP_EVERY_S if answered else SWEEP_AGAIN_S)

    async def sweep_all(self) -> bool:
        """Sweep every contract of the account; say whether the venue answered for each."""
        policy, answered = self._replica.book.policy, True
        for instrument in policy.instruments if policy is not None else ():
            if instrument.venue == self._venue.name and instrument.account == self._venue.account:
                answered = await self.sweep(instrument.symbol) and answered
        return answered

    async def sweep(self, symbol: str) -> bool:
        """Ask for every fill that may be missing and tell it; say whether the venue answered.

        Whoever asks while a sweep is under way waits for one that began after asking, and shares it.
        """
        asked = self._asked[symbol]
        async with self._sweeping:
            if self._asked[symbol] > asked:
                return True
            self._asked[symbol] += 1
            started_us = self._clock.now_us()
            try:
                fills = await self._venue.fills_since(symbol, self._since_us(symbol))
            except (Rejected, Unavailable, Unknown):
                return False
        for fill in fills:
            await self.tell(fill)
        self._done_us[symbol] = started_us
        return True

    async def tell(self, fill: FillReport) -> None:
        """Tell a fill, from whatever source."""
        key, command = fill_fact(fill)
        await tell(self._facts, SOURCE, "fill.recorded", key, command)

    def _since_us(self, symbol: str) -> int:
        """Return from when on a fill may be missing: the earliest of the last sweep, the last fill and the open orders.

        A later fill that was recorded proves nothing about an earlier one.
        """
        book, venue, account = self._replica.book, self._venue.name, self._venue.account
        held = book.positions.get(position_key(venue, account, symbol))
        marks = [
            order.send_before_us
            for order in book.orders.values()
            if order.attempt
            and (order.order.venue, order.order.account, order.order.symbol) == (venue, account, symbol)
        ]
        if held is not None:
            marks.append(held.traded_at_us)
        if symbol in self._done_us:
            marks.append(self._done_us[symbol])
        return max(min(marks, default=self._clock.now_us()) - SWEEP_OVERLAP_US, 0)
