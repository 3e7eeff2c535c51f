"""The execution worker on a whole desk, in virtual time: the gate, cancels, our own rate, and what survives a crash."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from api.execution.worker import CLOCK_SKEW_MS_MAX, Execution
from api.replica import Recorded, Replica
from commands.order import ATTEMPT_VALIDITY_MS
from commands.ports import Fenced
from domain.event import Event
from domain.order import Order, OrderClosed, OrderRejected
from tests.simulation.loop import SimLoop
from tests.support.desk import Desk
from tests.support.given import START_US, a_policy
from tests.support.model_venue import How, ModelVenue

VENUE = "binanceusdm"
SETTLED_S = (ATTEMPT_VALIDITY_MS + CLOCK_SKEW_MS_MAX) / 1_000
ABSENT_S = SETTLED_S + ModelVenue.absence_after_ms / 1_000
LATE_S = 30.0


class Lease:
    """Hold the right to act until it is lost."""

    lost = False

    def check(self) -> None:
        """See `Lease.check`."""
        if self.lost:
            raise Fenced("lost")


class Office:
    """Let a desk, a venue and a worker work together; facts enter once and are followed at once."""

    def __init__(self, loop: SimLoop, venue: ModelVenue) -> None:
        self.loop = loop
        self.venue = venue
        self.desk = Desk(policy=a_policy(hedge_orders_max=1))
        self.lease = Lease()
        self.worker: Execution | None = None
        self._running: asyncio.Task[None] | None = None
        self._known: set[str] = set()
        self._nonce = 0

    def now_us(self) -> int:
        """Tell the date."""
        return START_US + self.loop.now_us

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        """Decide a fact, once."""
        del source
        if natural_key not in self._known:
            self._known.add(natural_key)
            self.do(kind, msgspec.Raw(body))
        return None

    def do(self, kind: str, body: object) -> tuple[Event, ...]:
        """Decide a command, and let the worker see what came of it."""
        self.desk.now_us = self.now_us()
        return self._show(self.desk.do(kind, body).events)

    def _show(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        for event in events:
            if self.worker is not None:
                self.worker.see(Recorded(event, 0, self.now_us()))
        return events

    def open(self) -> Order:
        """Let a request be accepted, and return its order, which the worker sees now."""
        self._nonce += 1
        self.desk.now_us = self.now_us()
        before = set(self.desk.book.orders)
        self._show(self.desk.accept(self.desk.quote("1.5"), nonce=self._nonce).events)
        (order_id,) = set(self.desk.book.orders) - before
        return self.desk.book.orders[order_id].order

    def cancel(self, order: Order) -> tuple[Event, ...]:
        """Let the book ask for the cancel of an order."""
        return self.do("order.cancel", {"order_id": str(order.order_id), "text": "for this test"})

    async def start(self) -> Execution:
        """Start a worker, the first or another."""
        self.worker = Execution(Replica(self.desk.book, 1), None, self.venue, self, self, self.lease)
        self._running = asyncio.create_task(self.worker.run())
        await asyncio.sleep(0)
        return self.worker

    async def kill(self) -> None:
        """Let the worker be gone from one moment to the next."""
        running, self.worker, self._running = self._running, None, None
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def name(self, order: Order) -> str:
        """Return an open order's id at the venue."""
        return self.desk.book.orders[order.order_id].client_order_id

    def of(self, kind: type[Any], order: Order) -> list[Any]:
        """Return the events of an order."""
        found: list[Any] = [event for event in self.desk.events if isinstance(event, kind)]
        return [event for event in found if event.order_id == order.order_id]

    def closed(self, order: Order) -> tuple[str, str] | None:
        """Return how an order ended and what was filled of it."""
        ends = self.of(OrderClosed, order)
        assert len(ends) <= 1
        return (ends[0].ending.value, str(ends[0].filled)) if ends else None

    def code(self, order: Order) -> str:
        """Return the code of an order's rejection."""
        (rejected,) = self.of(OrderRejected, order)
        return rejected.code


def in_office(venue: ModelVenue) -> Callable[[Callable[[Office], Awaitable[None]]], None]:
    """Run a test's body in virtual time."""

    def run(body: Callable[[Office], Awaitable[None]]) -> None:
        loop = SimLoop()

        async def main() -> None:
            office = Office(loop, venue)
            try:
                await body(office)
            finally:
                await office.kill()

        try:
            loop.run_until_complete(main())
        finally:
            loop.close()

    return run


class TestTheGate:
    def test_what_was_open_is_asked_about_and_never_sent(self) -> None:
        @in_office(ModelVenue(VENUE))
        async def _(office: Office) -> None:
            order = office.open()
            await office.start()
            await asyncio.sleep(ABSENT_S + 10)
            assert office.venue.sent == []
            assert office.closed(order) == ("absent", "0")

    def test_nothing_new_is_sent_until_the_venue_answered_for_what_was_open(self) -> None:
        @in_office(ModelVenue(VENUE))
        async def _(office: Office) -> None:
            before, venue = office.open(), office.venue
            venue.is_down = True
            worker = await office.start()
            await asyncio.sleep(0.1)
            late = office.open()
            name = office.name(late)
            await asyncio.sleep(SETTLED_S - 0.2)
            assert (worker.gate.is_open, worker.gate.unanswered, office.closed(late)) == (False, 1, None)
            await asyncio.sleep(0.3)
            assert (office.closed(late), office.code(late)) == (("rejected", "0"), "not_sent")
            venue.is_down = False
            await asyncio.sleep(LATE_S)
            assert worker.gate.is_open
            fresh = office.open()
            await asyncio.sleep(2)
            assert office.closed(fresh) == ("filled", "1.5")
            assert name not in venue.sent
            assert office.closed(before) == ("absent", "0")

    def test_an_answer_in_time_lets_those_pass_that_wait(self) -> None:
        @in_office(ModelVenue(VENUE))
        async def _(office: Office) -> None:
            office.open()
            office.venue.is_down = True
            await office.start()
            order = office.open()
            await asyncio.sleep(1)
            office.venue.is_down = False
            await asyncio.sleep(LATE_S)
            assert office.closed(order) == ("filled", "1.5")

    def test_an_order_that_is_over_is_not_waited_for(self) -> None:
        @in_office(ModelVenue(VENUE))
        async def _(office: Office) -> None:
            before = office.open()
            office.venue.is_down = True
            worker = await office.start()
            office.desk.reject(before)
            await asyncio.sleep(1.5)
            assert worker.gate.is_open

    def test_an_attempt_that_came_too_late_is_told_as_not_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("commands.order.ATTEMPT_VALIDITY_MS", 100)

        @in_office(ModelVenue(VENUE))
        async def _(office: Office) -> None:
            worker = await office.start()
            office.worker = None
            order, seen = office.open(), office.desk.events
            await asyncio.sleep(0.2)
            for event in seen:
                worker.see(Recorded(event, 0, office.now_us()))
            await asyncio.sleep(CLOCK_SKEW_MS_MAX / 1_000 - 0.15)
            assert office.closed(order) is None, "a clock may be wrong: somebody may send it yet"
            await asyncio.sleep(0.1)
            assert (office.closed(order), office.code(order)) == (("rejected", "0"), "not_sent")
            assert office.venue.sent == []

    def test_who_lost_the_lease_assumes_nothing(self) -> None:
        @in_office(ModelVenue(VENUE))
        async def _(office: Office) -> None:
            office.open()
            office.venue.is_down = True
            await office.start()
            order = office.open()
            await asyncio.sleep(SETTLED_S - 0.1)
            office.lease.lost = True
            await asyncio.sleep(LATE_S)
            assert office.closed(order) is None


class TestACrash:
    @pytest.mark.parametrize("how", ["lost", "unanswered"])
    def test_in_the_middle_of_sending_nothing_is_sent_twice_and_nothing_forgotten(self, how: Any) -> None:
        @in_office(ModelVenue(VENUE, fills="0.4"))
        async def _(office: Office) -> None:
            await office.start()
            office.venue.script["submit"].append(how)
            order = office.open()
            await asyncio.sleep(0.5)
            await office.kill()
            await office.start()
            await asyncio.sleep(LATE_S)
            assert len(office.venue.sent) == 1
            assert office.closed(order) == (("absent", "0") if how == "lost" else ("expired", "0.6"))

    def test_a_cancel_that_was_asked_for_is_carried_out_by_the_next(self) -> None:
        @in_office(ModelVenue(VENUE, rests=True, fills="0.4"))
        async def _(office: Office) -> None:
            await office.start()
            order = office.open()
            await asyncio.sleep(1)
            await office.kill()
            assert office.cancel(order)
            await office.start()
            await asyncio.sleep(2)
            assert office.closed(order) == ("cancelled", "0.6")


class TestCancelling:
    def test_a_resting_order_is_cancelled_at_once_and_closes_with_its_fills(self) -> None:
        @in_office(ModelVenue(VENUE, rests=True, fills="0.4"))
        async def _(office: Office) -> None:
            await office.start()
            order = office.open()
            await asyncio.sleep(LATE_S)
            assert office.closed(order) is None
            assert office.cancel(order)
            assert office.cancel(order) == (), "once"
            await asyncio.sleep(1)
            assert office.closed(order) == ("cancelled", "0.6")
            assert len(office.venue.cancels) == 1
            assert office.cancel(order) == (), "it is gone"

    @pytest.mark.parametrize("how", ["down", "lost", "unanswered", "rate"])
    def test_whatever_becomes_of_the_wish_the_order_ends(self, how: Any) -> None:
        @in_office(ModelVenue(VENUE, rests=True, fills="0.4"))
        async def _(office: Office) -> None:
            await office.start()
            order = office.open()
            await asyncio.sleep(1)
            office.venue.script["cancel"].extend([how, how])
            office.cancel(order)
            await asyncio.sleep(LATE_S)
            assert office.closed(order) == ("cancelled", "0.6")

    def test_a_cancel_that_fails_is_tried_again_soon_however_long_the_order_rested(self) -> None:
        @in_office(ModelVenue(VENUE, rests=True, fills="0"))
        async def _(office: Office) -> None:
            await office.start()
            order = office.open()
            await asyncio.sleep(LATE_S)
            office.venue.script["cancel"].append("down")
            office.cancel(order)
            await asyncio.sleep(1)
            assert office.closed(order) == ("cancelled", "0")

    def test_what_was_filled_first_is_filled(self) -> None:
        @in_office(ModelVenue(VENUE, rests=True, fills="0.4"))
        async def _(office: Office) -> None:
            await office.start()
            order = office.open()
            await asyncio.sleep(1)
            office.venue.fill(office.name(order), Decimal("0.9"))
            office.cancel(order)
            await asyncio.sleep(1)
            assert office.closed(order) == ("filled", "1.5")

    def test_an_order_on_its_way_is_cancelled_once_it_was_sent(self) -> None:
        @in_office(ModelVenue(VENUE, rests=True, fills="0.4"))
        async def _(office: Office) -> None:
            await office.start()
            office.venue.script["submit"].append("unanswered")
            order = office.open()
            await asyncio.sleep(0.1)
            office.cancel(order)
            await asyncio.sleep(LATE_S)
            assert (office.closed(order), len(office.venue.sent)) == (("cancelled", "0.6"), 1)

    def test_an_unknown_order_that_never_arrived_is_absent(self) -> None:
        @in_office(ModelVenue(VENUE, rests=True))
        async def _(office: Office) -> None:
            await office.start()
            office.venue.script["submit"].append("lost")
            order = office.open()
            await asyncio.sleep(2)
            office.cancel(order)
            await asyncio.sleep(1)
            assert office.closed(order) is None, "it may still arrive"
            await asyncio.sleep(LATE_S)
            assert office.closed(order) == ("absent", "0")

    def test_what_was_not_sent_yet_is_not_sent_any_more(self) -> None:
        @in_office(ModelVenue(VENUE, rests=True))
        async def _(office: Office) -> None:
            office.open()
            office.venue.is_down = True
            await office.start()
            order = office.open()
            name = office.name(order)
            office.cancel(order)
            await asyncio.sleep(0.5)
            office.venue.is_down = False
            await asyncio.sleep(LATE_S)
            assert (office.closed(order), office.code(order)) == (("rejected", "0"), "not_sent")
            assert name not in office.venue.sent


class TestWhatWasNotSent:
    @pytest.mark.parametrize(
        ("how", "code"), [("rate", "order_rate"), ("down", "unavailable"), ("refused", "insufficient_margin")]
    )
    def test_is_told_at_once_and_why(self, how: Any, code: str) -> None:
        @in_office(ModelVenue(VENUE))
        async def _(office: Office) -> None:
            worker = await office.start()
            await asyncio.sleep(0.1)
            office.venue.script["submit"].append(how)
            order = office.open()
            await asyncio.sleep(0.2)
            assert (office.closed(order), office.code(order)) == (("rejected", "0"), code)
            assert worker.reports.counts[f"rejected.{code}"] == 1


class TestTheStream:
    def test_an_unknown_order_that_shows_itself_is_acknowledged(self) -> None:
        @in_office(ModelVenue(VENUE, rests=True, fills="0"))
        async def _(office: Office) -> None:
            await office.start()
            office.venue.script["submit"].append("unanswered")
            silent: list[How] = ["lost"] * 9
            office.venue.script["order_state"].extend(silent)
            order = office.open()
            await asyncio.sleep(1.5)
            placed = office.venue.placed[office.name(order)]
            assert office.desk.book.orders[order.order_id].unknown
            office.venue.events.put_nowait(office.venue.report(placed))
            await asyncio.sleep(0.1)
            held = office.desk.book.orders[order.order_id]
            assert (held.unknown, held.venue_order_id) == (False, placed.venue_order_id)

    def test_a_refusal_that_shows_only_when_asked_is_a_refusal(self) -> None:
        @in_office(ModelVenue(VENUE, rests=True, fills="0"))
        async def _(office: Office) -> None:
            await office.start()
            office.venue.script["submit"].append("unanswered")
            order = office.open()
            await asyncio.sleep(0.5)
            office.venue.placed[office.name(order)].status = "rejected"
            await asyncio.sleep(2)
            assert (office.closed(order), office.code(order)) == (("rejected", "0"), "rejected")


def test_an_order_of_another_account_is_left_alone() -> None:
    @in_office(ModelVenue("okx"))
    async def _(office: Office) -> None:
        worker = await office.start()
        order = office.open()
        office.cancel(order)
        await asyncio.sleep(2)
        assert (office.venue.sent, office.venue.cancels, office.venue.asked) == ([], [], [])
        assert worker.gate.is_open
        assert isinstance(order.order_id, UUID)
