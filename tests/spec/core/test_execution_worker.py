"""The execution worker, in virtual time: what was lost on its way into the log is found and told again."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal

import pytest

from api.execution.sweeping import SWEEP_EVERY_S, SWEEP_OVERLAP_US
from api.execution.worker import ASK_PAUSE_S_MAX, CLOCK_SKEW_MS_MAX, Execution
from api.replica import Replica
from commands.ports import LoggedEvent
from domain.approval import Approved
from domain.book import position_key
from domain.fill import Position
from domain.venue import (
    AccountEvent,
    Acknowledgement,
    Connected,
    Disconnected,
    FillReport,
    OrderReport,
    Unavailable,
    VenueOrder,
)
from tests.simulation.loop import SimLoop
from tests.support.desk import Desk
from tests.support.given import START_US

VENUE, SYMBOL = "binanceusdm", "ETH/USDT:USDT"
LIQUIDATION = FillReport(
    venue=VENUE,
    account="main",
    symbol=SYMBOL,
    trade_id="9",
    venue_order_id="autoclose-9",
    client_order_id=None,
    side="buy",
    price=Decimal(2_000),
    quantity=Decimal("0.25"),
    fee_asset="USDT",
    fee_quantity=Decimal(1),
    liquidity="taker",
    kind="liquidation",
    source="sweep",
    at_us=START_US,
)


class Silent:
    """A log that brings nothing new: what was told is lost with a wiped inbox."""

    async def next_batch(self, limit: int = 1) -> Sequence[LoggedEvent]:
        await asyncio.Event().wait()
        return ()


class Facts:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        self.told.append((kind, natural_key))
        return None

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told]


class Lease:
    def check(self) -> None:
        return


class Clock:
    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop

    def now_us(self) -> int:
        return START_US + self.loop.now_us


class Venue:
    """An account whose stream tells what it is given, and whose queries fail as often as it is told."""

    name, account, absence_after_ms = VENUE, "main", 5_400

    def __init__(
        self, *events: AccountEvent, fills: Sequence[FillReport] = (), failures: int = 0, knows_orders: bool = True
    ) -> None:
        self.events = events
        self.knows_orders = knows_orders
        self.fills = fills
        self.failures = failures
        self.asked_since_us: list[int] = []

    async def submit(self, approved: Approved[VenueOrder]) -> Acknowledgement:
        raise Unavailable("not here")

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        raise Unavailable("not here")

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        if self.knows_orders:
            raise Unavailable("not here")
        return None

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        self.asked_since_us.append(since_us)
        if len(self.asked_since_us) <= self.failures:
            raise Unavailable("banned for a while")
        return [fill for fill in self.fills if fill.at_us >= since_us]

    async def account_events(self) -> AsyncGenerator[AccountEvent, None]:
        for event in self.events:
            yield event
        await asyncio.Event().wait()


def work(desk: Desk, venue: Venue, seconds: float) -> Facts:
    loop, facts = SimLoop(), Facts()

    async def main() -> None:
        worker = Execution(Replica(desk.book, 1), Silent(), venue, facts, Clock(loop), Lease())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await worker.run()

    loop.run_until_complete(main())
    loop.close()
    return facts


UP = Connected(venue=VENUE, account="main", at_us=START_US)
DOWN = Disconnected(venue=VENUE, account="main", reason="gone", at_us=START_US)


def test_a_stream_that_came_back_is_told_again_while_the_book_thinks_it_down() -> None:
    desk = Desk()
    desk.do("dependency.degraded", {"dependency": VENUE, "text": "gone"})
    told = [key for kind, key in work(desk, Venue(UP), 15).told if kind == "dependency.restored"]
    assert len(told) >= 2
    assert len(set(told)) == len(told)


def test_a_lost_stream_is_told_again_while_the_book_thinks_it_up() -> None:
    assert work(Desk(), Venue(DOWN), 15).kinds().count("dependency.degraded") >= 2


def test_what_the_book_has_right_is_told_once() -> None:
    assert work(Desk(), Venue(UP), 15).kinds().count("dependency.restored") == 1


def test_a_fill_of_no_order_is_told_again_until_it_is_recorded() -> None:
    facts = work(Desk(), Venue(UP, fills=(LIQUIDATION,)), 3 * SWEEP_EVERY_S)
    assert facts.kinds().count("fill.recorded") >= 2


def test_a_sweep_that_failed_is_made_up_for_soon() -> None:
    assert "fill.recorded" in work(Desk(), Venue(UP, fills=(LIQUIDATION,), failures=4), 10).kinds()


def test_a_later_fill_does_not_hide_an_earlier_one_of_an_order_that_is_open() -> None:
    desk = Desk()
    desk.accept(desk.quote("1.5"))
    opened_us = next(iter(desk.book.orders.values())).send_before_us
    later_us = opened_us + 10 * SWEEP_OVERLAP_US
    key = position_key(VENUE, "main", SYMBOL)
    desk.book.positions[key] = Position(VENUE, "main", SYMBOL, traded_at_us=later_us)
    venue = Venue(UP)
    work(desk, venue, 2)
    assert venue.asked_since_us[0] == opened_us - SWEEP_OVERLAP_US


def test_an_absence_is_believed_only_when_no_clock_can_be_so_wrong() -> None:
    desk = Desk()
    desk.accept(desk.quote("1.5"))
    sent_s = (next(iter(desk.book.orders.values())).send_before_us - START_US) / 1_000_000
    believed_s = sent_s + (Venue.absence_after_ms + CLOCK_SKEW_MS_MAX) / 1_000
    early = work(desk, Venue(UP, knows_orders=False), believed_s)
    assert "order.absent" not in early.kinds()
    late = work(desk, Venue(UP, knows_orders=False), believed_s + 2 * ASK_PAUSE_S_MAX)
    assert "order.absent" in late.kinds()
