"""A process's connection to the simulated venue: what an adapter shows of it, with every way it can fail.

Each call ends like a real adapter's: a result, `Rejected` (surely not done), `Unavailable` (provably not sent) or
`Unknown` (may be done). The account stream loses what happens while it is down; only a sweep finds that again.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from domain.venue import (
    AccountEvent,
    Acknowledgement,
    Connected,
    Disconnected,
    FillReport,
    OrderReport,
    Rejected,
    Unavailable,
    Unknown,
    VenueOrder,
)
from tests.simulation.loop import Process, SimFuture
from tests.simulation.sim import Sim
from tests.simulation.venue import Placed, VenueServer

HOP_US = (2_000, 60_000)
LATE_US = (500_000, 9_000_000)
RECONNECT_US = (50_000, 4_000_000)
CALL_TIMEOUT_S = 6.0
AWAY_RETRY_S = 0.5
SWEEP_PAGE = 5
"""Fills a page: small, so that paging is exercised."""
STREAM_QUEUE_MAX = 10_000

SITES = (
    "venue.unavailable",
    "venue.request_lost",
    "venue.request_late",
    "venue.response_lost",
    "venue.query_failed",
    "venue.cancel_lost",
    "venue.cancel_unanswered",
    "venue.fill_doubled",
    "venue.stream_late",
    "venue.disconnect",
)


class SimVenue:
    """One process's session with the venue."""

    def __init__(self, server: VenueServer, process: Process, account: str) -> None:
        self._server = server
        self._sim: Sim = server.sim
        self._process = process
        self._account = account

    async def submit(self, order: VenueOrder) -> Acknowledgement:
        """Send an order. Raise `Rejected`, `Unavailable` or `Unknown`."""
        sim, faults = self._sim, self._sim.faults
        self._process.point("venue.submit")
        unavailable, lost, late, silent = (
            faults.hit(site)
            for site in ("venue.unavailable", "venue.request_lost", "venue.request_late", "venue.response_lost")
        )
        if unavailable:
            await sim.travel(self._process, "venue.refused_connection", *HOP_US)
            raise Unavailable("no connection")
        future = sim.loop.create_future()
        if not lost:
            site, delay_us = ("venue.late", LATE_US) if late else ("venue.hop", HOP_US)
            sim.later(site, *delay_us, self._arrive, order, sim.loop.now_us, None if silent else future)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                answer = await future
        except TimeoutError:
            raise Unknown("no answer in time") from None
        self._process.fence()
        return answer

    def _arrive(self, order: VenueOrder, sent_us: int, future: SimFuture | None) -> None:
        if self._server.is_away:
            return
        placed = self._server.place(order, sent_us)
        self._sim.strike(self._process, "venue.placed")
        if future is None or self._server.is_away:
            return
        if isinstance(placed, Rejected | Unknown):
            self._sim.settle(future, error=placed)
        else:
            answer = Acknowledgement(
                venue_order_id=placed.venue_order_id,
                client_order_id=order.client_order_id,
                status=placed.status,
                filled=placed.filled,
                accepted_quantity=order.quantity,
                at_us=self._server.wall_us(),
            )
            self._sim.later("venue.hop", *HOP_US, self._sim.settle, future, answer)

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for an order; None when the venue knows none of that id, which proves nothing until it settled."""
        await self._query("venue.order_state")
        placed = self._server.find(client_order_id)
        found = placed if placed is not None and placed.order.symbol == symbol else None
        report = self._server.report(found) if found is not None else None
        await self._sim.travel(self._process, "venue.order_state.answer", *HOP_US)
        return report

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order. Raise `Rejected` when it is not known or over, `Unavailable` or `Unknown`."""
        lost, silent = (self._sim.faults.hit(site) for site in ("venue.cancel_lost", "venue.cancel_unanswered"))
        await self._query("venue.cancel")
        placed: Placed | None = self._server.find(client_order_id)
        open_ = placed is not None and placed.order.symbol == symbol and placed.open
        if placed is not None and open_ and not lost:
            self._server.cancel(placed)
        report = self._server.report(placed) if placed is not None else None
        await self._sim.travel(self._process, "venue.cancel.answer", *HOP_US)
        if lost or silent:
            await asyncio.sleep(CALL_TIMEOUT_S)
            raise Unknown("no answer in time")
        if report is None or not open_:
            raise Rejected("unknown_order", client_order_id)
        return report

    async def fills_after(self, symbol: str, cursor: str) -> tuple[Sequence[FillReport], str]:
        """Return one page of fills after a cursor (empty: from the start), and the cursor after it."""
        await self._query("venue.fills")
        page, index = self._server.fills_after(symbol, int(cursor or 0), SWEEP_PAGE)
        await self._sim.travel(self._process, "venue.fills.answer", *HOP_US)
        return page, str(index)

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill from an instant of the venue's clock on, page by page; one failed page fails all."""
        cursor = str(self._server.first_fill_since(since_us))
        found: list[FillReport] = []
        while True:
            page, cursor = await self.fills_after(symbol, cursor)
            found.extend(page)
            if len(page) < SWEEP_PAGE:
                return found

    async def _query(self, site: str) -> None:
        failed = self._sim.faults.hit("venue.query_failed")
        await self._sim.travel(self._process, site, *HOP_US)
        if failed or self._server.is_away:
            raise Unavailable("no connection")

    async def account_events(self) -> AsyncGenerator[AccountEvent]:
        """Follow the account, reconnecting for ever; close the generator with `aclosing`."""
        server, account = self._server, self._account
        while True:
            self._process.fence()
            if server.is_away:
                await asyncio.sleep(AWAY_RETRY_S)
                continue
            queue: asyncio.Queue[AccountEvent] = asyncio.Queue(STREAM_QUEUE_MAX)
            heard = _Heard(self._sim, self._process, queue)
            server.listeners.append(heard)
            try:
                yield Connected(venue=server.name, account=account, at_us=server.wall_us())
                while not isinstance(event := await queue.get(), Disconnected):
                    self._process.fence()
                    yield event
                yield event
            finally:
                heard.deaf = True
                if heard in server.listeners:
                    server.listeners.remove(heard)
            pause_us = self._sim.faults.between("venue.reconnect", *RECONNECT_US)
            await asyncio.sleep(pause_us / 1e6)


class _Heard:
    """One connection's ear: hears in order, sometimes twice, until it breaks."""

    def __init__(self, sim: Sim, process: Process, queue: "asyncio.Queue[AccountEvent]") -> None:
        self._sim = sim
        self._queue = queue
        self._last_us = 0
        self._broken = False
        self.deaf = False
        process.on_death.append(self._stop)

    def _stop(self) -> None:
        self.deaf = True

    def __call__(self, event: AccountEvent) -> None:
        faults = self._sim.faults
        broken, late, doubled = (
            faults.hit(site) for site in ("venue.disconnect", "venue.stream_late", "venue.fill_doubled")
        )
        delay_us = faults.between("venue.stream", *HOP_US)
        if late:
            delay_us += faults.between("venue.stream_delay", *RECONNECT_US)
        if self._broken or self.deaf:
            return
        if isinstance(event, Disconnected):
            self._broken = True
        elif broken and isinstance(event, FillReport | OrderReport):
            self._broken = True
            event = Disconnected(venue=event.venue, account=event.account, reason="fault", at_us=event.at_us)
        # One connection keeps its order: nothing overtakes what was sent before.
        self._last_us = max(self._last_us, self._sim.loop.now_us + delay_us)
        for _ in range(2 if doubled and not self._broken else 1):
            self._sim.loop.after_us(self._last_us - self._sim.loop.now_us, self._hear, event)

    def _hear(self, event: AccountEvent) -> None:
        if not self.deaf:
            self._queue.put_nowait(event)
