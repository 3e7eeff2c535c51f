"""The execution worker: sends what was intended, once, and finds out what became of it.

It keeps no state of its own: what is open is in its replica of the Book, what happened is at the venue. An attempt that
it sees fresh it sends; any other it only asks about. A patrol goes round whatever stayed open: after a crash, after a
lost fact, after a wiped inbox.

What was open when it began may have been sent by whoever acted before it: it is asked about, never assumed, and until
the venue has answered for all of it nothing new is sent (the gate). An attempt that it sees later was recorded while it
held the lease, so nobody else may have sent it, and it knows what it sent itself. So when such an attempt grows too old
at the gate, or came too late, it is told as surely not sent, at an instant when no clock can be so wrong that somebody
may send it yet, and only while the lease is still held. This rests on two rules of its surroundings: the lease is taken
before the replica is read, and each event is shown to one worker only.

A cancel that the book asks for is sent as often as it takes: cancelling is harmless to repeat. What the venue says to
it, even "no such order", is not the last word; the order's own state is.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any, Protocol
from uuid import UUID

from api.execution.gate import Gate
from api.execution.reports import Reports
from api.execution.sweeping import SOURCE, Sweeps
from api.replica import Recorded, Replica
from api.telling import readable, tell
from commands.order import EXPIRED_UNSENT, ORDER_RATE, UNAVAILABLE, sendable
from commands.ports import Clock, Facts, Follower, Lease, Venue
from domain.approval import Approved, approve
from domain.order import (
    Order,
    OrderAttempted,
    OrderCancelRequested,
    OrderSide,
    OrderSubmissionRequested,
    TimeInForce,
)
from domain.order_state import OpenOrder
from domain.venue import (
    TERMINAL,
    Connected,
    Disconnected,
    FillReport,
    OrderReport,
    RateSpent,
    Rejected,
    Unavailable,
    Unknown,
    VenueOrder,
)

ASK_PAUSE_S = 0.1
ASK_PAUSE_S_MAX = 5.0
PATROL_S = 1.0
# An order that may rest waits so long for the venue's dead-man's switch.
GUARD_S = 1.0
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


class Guard(Protocol):
    """Say whether the venue would cancel what rests if we died."""

    async def holding(self, within_s: float) -> bool:
        """Wait until it surely would, at most so long; say whether it does."""
        ...


class Execution:
    """Act on one venue account, as its only lease-holder.

    Several accounts may share a replica: then somebody else follows the log for all of them and lets each `see`. With a
    guard, what may rest is sent only while it holds.
    """

    def __init__(
        self,
        replica: Replica,
        follower: Follower | None,
        venue: Venue,
        facts: Facts,
        clock: Clock,
        lease: Lease,
        guard: Guard | None = None,
    ) -> None:
        self.gate = Gate()
        self.reports = Reports(facts, venue.name)
        self._replica = replica
        self._follower = follower
        self._venue = venue
        self._facts = facts
        self._clock = clock
        self._lease = lease
        self._guard = guard
        self._requested: dict[UUID, OrderSubmissionRequested] = {}
        self._busy: set[UUID] = set()
        self._nudges: dict[UUID, asyncio.Event] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._sweeps = Sweeps(replica, venue, facts, clock)
        self._heard: Connected | Disconnected | None = None
        self._wrong_since_s: float | None = None

    @property
    def name(self) -> str:
        """Return the venue's id."""
        return self._venue.name

    @property
    def busy(self) -> int:
        """Return how many orders are being sent, cancelled or asked about."""
        return len(self._busy)

    async def run(self) -> None:
        """Follow, listen and patrol until cancelled; raise what broke."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.gate.begin(order_id for order_id, _ in self._open_orders())
            self._patrol_once()
            if self._follower is not None:
                tasks.create_task(self._follow(self._follower))
            tasks.create_task(self._listen())
            tasks.create_task(self._patrol())
            tasks.create_task(self._sweeps.run())

    def _open_orders(self) -> list[tuple[UUID, OpenOrder]]:
        """Return the open orders of this account that may have been sent, but for those that it is about to see."""
        return [
            (order_id, order)
            for order_id, order in self._replica.book.orders.items()
            if order.attempt and self._mine(order.order) and order_id not in self._requested
        ]

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
            if requested is not None:
                self._spawn(event.order_id, self._send(sendable(requested, event), event))
        elif isinstance(event, OrderCancelRequested):
            self._cancel_soon(event.order_id)

    def _mine(self, order: Order) -> bool:
        return order.venue == self._venue.name and order.account == self._venue.account

    def _cancel_soon(self, order_id: UUID) -> None:
        """Let who asks about an order cancel it at once; who is sending it does so after that."""
        order = self._replica.book.orders.get(order_id)
        if order is None or not self._mine(order.order):
            return
        if order_id in self._nudges:
            self._nudges[order_id].set()
        else:
            self._spawn(order_id, self._resolve(order_id))

    async def _send(self, intent: Approved[Order], attempted: OrderAttempted) -> None:
        """Send an attempt, once; what cannot be known is told as unknown and then asked about."""
        order_id, told = attempted.order_id, (attempted.order_id, attempted.attempt, attempted.client_order_id)
        if not await self._may_send(attempted):
            await self._tell_not_sent(attempted)
            return
        if not await self._is_guarded(intent.value, attempted):
            await self.reports.rejected(*told, UNAVAILABLE, "not sent: the venue's dead-man's switch is not armed")
            return
        self._lease.check()
        order = approve(
            venue_order(intent.value, attempted.client_order_id), intent.intent_id, attempted.send_before_us
        )
        try:
            acknowledged = await self._venue.submit(order)
        except Rejected as error:
            await self.reports.rejected(*told, error.reason, error.text)
        except RateSpent as error:
            await self.reports.rejected(*told, ORDER_RATE, str(error))
        except Unavailable as error:
            await self.reports.rejected(*told, UNAVAILABLE, str(error))
        except Unknown as error:
            await self.reports.unknown(*told, str(error))
            await self._resolve(order_id)
        else:
            await self.reports.acknowledged(order_id, attempted.attempt, acknowledged)
            if acknowledged.status not in TERMINAL:
                await self._resolve(order_id)

    async def _may_send(self, attempted: OrderAttempted) -> bool:
        """Wait at the gate, and say whether the attempt may be sent: in its time, and not to be cancelled anyway."""
        await self.gate.passes((attempted.send_before_us - self._clock.now_us()) / 1_000_000)
        order = self._replica.book.orders.get(attempted.order_id)
        in_time = self._clock.now_us() < attempted.send_before_us
        return self.gate.is_open and in_time and order is not None and not order.cancelling

    async def _is_guarded(self, order: Order, attempted: OrderAttempted) -> bool:
        """Say whether an order may be left to itself at the venue: it cannot rest, or the venue would end it."""
        if self._guard is None or order.time_in_force is TimeInForce.IOC:
            return True
        left_s = (attempted.send_before_us - self._clock.now_us()) / 1_000_000
        return await self._guard.holding(min(left_s, GUARD_S))

    async def _tell_not_sent(self, attempted: OrderAttempted) -> None:
        """Tell that an attempt was sent by nobody, once nobody may send it any more; see above why that is certain."""
        over_us = attempted.send_before_us + CLOCK_SKEW_MS_MAX * 1_000
        while (left_us := over_us - self._clock.now_us()) > 0:  # noqa: ASYNC110 - nobody tells that a date has come
            await asyncio.sleep(left_us / 1_000_000)
        self._lease.check()
        text = "its time passed before it could be sent"
        await self.reports.rejected(
            attempted.order_id, attempted.attempt, attempted.client_order_id, EXPIRED_UNSENT, text
        )

    async def _resolve(self, order_id: UUID) -> None:
        """Ask the venue about an order, or cancel it, until it is done with it, or surely never had it."""
        pause, nudged = ASK_PAUSE_S, asyncio.Event()
        self._nudges[order_id] = nudged
        try:
            while (order := self._replica.book.orders.get(order_id)) is not None:
                if order.reported is not None or await self._asked(order):
                    self.gate.answered(order_id)
                    await self._sweeps.sweep(order.order.symbol)
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await nudged.wait()
                pause = ASK_PAUSE_S if nudged.is_set() else min(2 * pause, ASK_PAUSE_S_MAX)
                nudged.clear()
            self.gate.answered(order_id)
        finally:
            del self._nudges[order_id]

    async def _asked(self, order: OpenOrder) -> bool:
        """Ask about an order once, and say whether it is over; what is to be cancelled is cancelled first."""
        order_id, symbol = order.order.order_id, order.order.symbol
        seen: OrderReport | None = None
        if order.cancelling:
            self._lease.check()
            # Refused or unknown: it is over, gone, never was there, or nobody knows. Its state says which.
            with contextlib.suppress(Rejected, Unavailable, Unknown):
                seen = await self._venue.cancel(symbol, order.client_order_id)
        if seen is None:
            try:
                seen = await self._venue.order_state(symbol, order.client_order_id)
            except (Rejected, Unavailable, Unknown):
                return False  # no answer: ask again
        self.gate.answered(order_id)
        if seen is not None:
            await self.reports.seen(order, seen)
            return seen.status in TERMINAL
        if self._absent(order):
            await self.reports.absent(order)
            return True
        return False

    def _absent(self, order: OpenOrder) -> bool:
        """Say whether "no such order" may be believed: no request for it can still arrive."""
        settled_us = order.send_before_us + (self._venue.absence_after_ms + CLOCK_SKEW_MS_MAX) * 1_000
        return not order.venue_order_id and self._clock.now_us() > settled_us

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
        await tell(self._facts, SOURCE, kind, f"{kind}|{self._venue.name}|{at_us}", body)

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
        """Tell a state that came by itself, when it says more than is known: that an order is over, or is there."""
        order_id = self._replica.book.client_orders.get(report.client_order_id)
        order = self._replica.book.orders.get(order_id) if order_id is not None else None
        if order is not None and self._mine(order.order) and (report.status in TERMINAL or order.unknown):
            await self.reports.seen(order, report)

    async def _patrol(self) -> None:
        while True:
            await asyncio.sleep(PATROL_S)
            self._patrol_once()
            await self._mind_stream()

    def _patrol_once(self) -> None:
        """Take up every order that stayed open: after a restart, after a lost fact, after a wiped inbox."""
        for order_id, _ in self._open_orders():
            self._spawn(order_id, self._resolve(order_id))
