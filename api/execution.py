"""The execution worker: sends what was intended, once, and finds out what became of it.

It keeps no state of its own: what is open is in its replica of the Book, what happened is at the venue. An attempt that
it sees fresh it sends; any other it only asks about. A patrol goes round whatever stayed open.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any
from uuid import UUID

from api.replica import Recorded, Replica
from api.sweeping import SOURCE, Sweeps
from api.telling import readable, tell
from commands.order import (
    RecordAbsent,
    RecordAcknowledged,
    RecordOutcomeUnknown,
    RecordRejected,
    sendable,
)
from commands.ports import Clock, Facts, Follower, Lease, Venue
from domain.approval import Approved, approve
from domain.order import Order, OrderAttempted, OrderSide, OrderSubmissionRequested, TimeInForce
from domain.order_state import OpenOrder
from domain.quantity import num
from domain.venue import (
    TERMINAL,
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

ASK_PAUSE_S = 0.1
ASK_PAUSE_S_MAX = 5.0
PATROL_S = 1.0
# Who asks may not be who sent: after a restart it may be another machine, whose clock differs by up to this.
CLOCK_SKEW_MS_MAX = 1_000
# What the book has wrong about the account's stream for so long is told again: its fact was lost with a wiped inbox.
TOLD_S = 5.0


def venue_order(order: Order, client_order_id: str) -> VenueOrder:
    """Return an order as the venue is told it."""
    return VenueOrder(
        venue=order.venue,
        account=order.account,
        symbol=order.symbol,
        side="buy" if order.side is OrderSide.BUY else "sell",
        quantity=order.quantity,
        limit_price=order.limit_price,
        time_in_force=_TIME_IN_FORCE[order.time_in_force],
        reduce_only=order.reduce_only,
        client_order_id=client_order_id,
    )


_TIME_IN_FORCE: dict[TimeInForce, Any] = {
    TimeInForce.IOC: "ioc",
    TimeInForce.GTC: "gtc",
    TimeInForce.POST_ONLY: "gtx",
}


class Execution:
    """Act on one venue account, as its only lease-holder.

    Several accounts may share a replica: then somebody else follows the log for all of them and lets each `see`.
    """

    def __init__(
        self, replica: Replica, follower: Follower | None, venue: Venue, facts: Facts, clock: Clock, lease: Lease
    ) -> None:
        self._replica = replica
        self._follower = follower
        self._venue = venue
        self._facts = facts
        self._clock = clock
        self._lease = lease
        self._requested: dict[UUID, OrderSubmissionRequested] = {}
        self._busy: set[UUID] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._sweeps = Sweeps(replica, venue, facts, clock)
        self._heard: Connected | Disconnected | None = None
        self._wrong_since_s: float | None = None

    async def run(self) -> None:
        """Follow, listen and patrol until cancelled; raise what broke."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._patrol_once()
            if self._follower is not None:
                tasks.create_task(self._follow(self._follower))
            tasks.create_task(self._listen())
            tasks.create_task(self._patrol())
            tasks.create_task(self._sweeps.run())

    def _spawn(self, order_id: UUID, work: Coroutine[Any, Any, None]) -> None:
        """Let at most one task at a time work for an order."""
        if self._tasks is None or order_id in self._busy:
            work.close()
            return
        self._busy.add(order_id)
        task = self._tasks.create_task(work)
        task.add_done_callback(lambda _done: self._busy.discard(order_id))

    async def _follow(self, follower: Follower) -> None:
        while True:
            for recorded in await self._replica.follow(follower):
                self.see(recorded)

    def see(self, recorded: Recorded) -> None:
        """Take up what an event just folded asks of this account."""
        event = recorded.event
        if isinstance(event, OrderSubmissionRequested) and self._mine(event.order):
            self._requested[event.order.order_id] = event
        elif isinstance(event, OrderAttempted):
            requested = self._requested.pop(event.order_id, None)
            if requested is None:
                return
            if self._clock.now_us() < event.send_before_us:
                self._spawn(event.order_id, self._send(sendable(requested, event), event))
            else:
                self._spawn(event.order_id, self._resolve(event.order_id))

    def _mine(self, order: Order) -> bool:
        return order.venue == self._venue.name and order.account == self._venue.account

    async def _send(self, intent: Approved[Order], attempted: OrderAttempted) -> None:
        """Send an attempt, once; what cannot be known is told as unknown and then asked about."""
        self._lease.check()
        order = approve(
            venue_order(intent.value, attempted.client_order_id), intent.intent_id, attempted.send_before_us
        )
        try:
            acknowledged = await self._venue.submit(order)
        except Rejected as error:
            await self._tell_rejected(attempted, error.reason, error.text)
        except Unavailable as error:
            await self._tell_rejected(attempted, "unavailable", str(error))
        except Unknown as error:
            unknown = RecordOutcomeUnknown(
                order_id=attempted.order_id, attempt=attempted.attempt, text=readable(str(error))
            )
            await self._tell("order.outcome_unknown", f"unknown|{attempted.client_order_id}", unknown)
            await self._resolve(attempted.order_id)
        else:
            await self._tell_acknowledged(attempted.order_id, attempted.attempt, acknowledged)
            if acknowledged.status not in TERMINAL:
                await self._resolve(attempted.order_id)

    async def _tell_rejected(self, attempted: OrderAttempted, code: str, text: str) -> None:
        rejected = RecordRejected(
            order_id=attempted.order_id, attempt=attempted.attempt, code=code, text=readable(text)
        )
        await self._tell("order.rejected", f"rejected|{attempted.client_order_id}", rejected)

    async def _tell_acknowledged(self, order_id: UUID, attempt: int, seen: Acknowledgement | OrderReport) -> None:
        quantity = seen.accepted_quantity if isinstance(seen, Acknowledgement) else seen.quantity
        terminal = seen.status in TERMINAL
        command = RecordAcknowledged(
            order_id=order_id,
            attempt=attempt,
            venue_order_id=seen.venue_order_id,
            accepted_quantity=num(quantity),
            filled=num(seen.filled),
            terminal=terminal,
        )
        key = f"acknowledged|{seen.client_order_id}|{command.filled}|{terminal}"
        await self._tell("order.acknowledged", key, command)

    async def _tell(self, kind: str, key: str, command: object) -> None:
        await tell(self._facts, SOURCE, kind, key, command)

    async def _resolve(self, order_id: UUID) -> None:
        """Ask the venue about an order until it is done with it, or surely never had it."""
        pause = ASK_PAUSE_S
        while (order := self._replica.book.orders.get(order_id)) is not None:
            if order.reported is not None:
                await self._sweeps.sweep(order.order.symbol)
                return
            try:
                seen = await self._venue.order_state(order.order.symbol, order.client_order_id)
            except (Rejected, Unavailable, Unknown):
                seen = order  # not an answer: ask again
            if isinstance(seen, OrderReport):
                await self._tell_acknowledged(order_id, order.attempt, seen)
                if seen.status in TERMINAL:
                    await self._sweeps.sweep(order.order.symbol)
                    return
            elif seen is None and self._absent(order):
                await self._tell_absent(order)
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, ASK_PAUSE_S_MAX)

    def _absent(self, order: OpenOrder) -> bool:
        """Say whether "no such order" may be believed: no request for it can still arrive."""
        settled_us = order.send_before_us + (self._venue.absence_after_ms + CLOCK_SKEW_MS_MAX) * 1_000
        return not order.venue_order_id and self._clock.now_us() > settled_us

    async def _tell_absent(self, order: OpenOrder) -> None:
        absent = RecordAbsent(
            order_id=order.order.order_id,
            attempt=order.attempt,
            text=f"{self._venue.name} does not know {order.client_order_id} after its validity",
        )
        await self._tell("order.absent", f"absent|{order.client_order_id}", absent)

    async def _listen(self) -> None:
        async with aclosing(self._venue.account_events()) as events:
            async for event in events:
                match event:
                    case FillReport():
                        await self._sweeps.tell(event)
                    case OrderReport():
                        await self._tell_report(event)
                    case Connected():
                        await self._sweeps.sweep_all()
                        await self._tell_stream(event, event.at_us)
                    case Disconnected():
                        await self._tell_stream(event, event.at_us)

    async def _tell_stream(self, event: Connected | Disconnected, at_us: int) -> None:
        self._heard = event
        up = isinstance(event, Connected)
        kind, text = ("dependency.restored", "connected") if up else ("dependency.degraded", readable(event.reason))
        body = {"dependency": self._venue.name, "text": text}
        await self._tell(kind, f"{kind}|{self._venue.name}|{at_us}", body)

    async def _mind_stream(self) -> None:
        """Tell again whether the account's stream is up, when the book has had it wrong for a while."""
        heard = self._heard
        known_down = self._venue.name in self._replica.book.dependencies
        now_s = asyncio.get_running_loop().time()
        if heard is None or known_down is isinstance(heard, Disconnected):
            self._wrong_since_s = None
        elif self._wrong_since_s is None:
            self._wrong_since_s = now_s
        elif now_s - self._wrong_since_s >= TOLD_S:
            self._wrong_since_s = None
            await self._tell_stream(heard, self._clock.now_us())

    async def _tell_report(self, report: OrderReport) -> None:
        order_id = self._replica.book.client_orders.get(report.client_order_id)
        order = self._replica.book.orders.get(order_id) if order_id is not None else None
        if order is not None and report.status in TERMINAL:
            await self._tell_acknowledged(order.order.order_id, order.attempt, report)

    async def _patrol(self) -> None:
        while True:
            await asyncio.sleep(PATROL_S)
            self._patrol_once()
            await self._mind_stream()

    def _patrol_once(self) -> None:
        """Take up every order that stayed open: after a restart, after a lost fact, after a wiped inbox."""
        for order_id, order in self._replica.book.orders.items():
            if order.attempt and self._mine(order.order) and order_id not in self._requested:
                self._spawn(order_id, self._resolve(order_id))
