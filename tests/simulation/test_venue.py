"""The simulated venue tells the truth when it tells anything, and never tells all of it at once."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.venue import (
    AccountEvent,
    Connected,
    Disconnected,
    FillReport,
    Rejected,
    Unavailable,
    Unknown,
    VenueOrder,
)
from tests.simulation.faults import Plan
from tests.simulation.loop import Process
from tests.simulation.market import Market
from tests.simulation.sim import Sim
from tests.simulation.venue import VenueServer
from tests.simulation.venue_client import SimVenue

SYMBOL = "ETH/USDT:USDT"
ORDER = VenueOrder(
    venue="binance",
    account="main",
    symbol=SYMBOL,
    side="sell",
    quantity=Decimal("1.5"),
    limit_price=Decimal(1000),
    time_in_force="ioc",
    reduce_only=False,
    client_order_id="bl1",
)


def simulate(main: Callable[[VenueServer, SimVenue], Coroutine[Any, Any, None]], **plan: Any) -> VenueServer:
    sim = Sim(Plan(seed=1, **plan))
    server = VenueServer(sim, "binance", Market(sim, "binance", SYMBOL, Decimal(3000)), lambda: sim.loop.now_us)

    async def idle(_: Process) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        await main(server, SimVenue(server, sim.loop.spawn("execution", 0, idle), "main"))

    sim.loop.run_until_complete(run())
    assert sim.loop.unhandled == []
    sim.loop.close()
    assert server.positions.get(SYMBOL, Decimal(0)) == sum(
        (fill.quantity if fill.side == "buy" else -fill.quantity for fill in server.fills), Decimal(0)
    )
    return server


async def swept(venue: SimVenue) -> list[FillReport]:
    found: list[FillReport] = []
    cursor = ""
    while True:
        page, cursor = await venue.fills_after(SYMBOL, cursor)
        if not page:
            return found
        found.extend(page)


def test_an_order_fills_and_is_found_after_a_while() -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        assert (await venue.submit(ORDER)).status == "new"
        assert await venue.order_state(SYMBOL, "bl1") is None
        await asyncio.sleep(2)
        state = await venue.order_state(SYMBOL, "bl1")
        assert state is not None
        assert (state.status, state.filled) == ("filled", Decimal("1.5"))
        assert sum(fill.quantity for fill in await swept(venue)) == Decimal("1.5")

    assert simulate(main).positions == {SYMBOL: Decimal("-1.5")}


@pytest.mark.parametrize(
    ("fault", "failure", "placed"),
    [
        ("venue.unavailable#1", Unavailable, 0),
        ("venue.request_lost#1", Unknown, 0),
        ("venue.response_lost#1", Unknown, 1),
        ("venue.rejected#1", Rejected, 0),
    ],
)
def test_every_failure_is_told_as_what_it_is(fault: str, failure: type[Exception], placed: int) -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        with pytest.raises(failure):
            await venue.submit(ORDER)
        await asyncio.sleep(20)

    assert len(simulate(main, forced=frozenset({fault})).orders) == placed


def test_a_late_request_is_refused_after_its_validity() -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        assert isinstance(server.place(ORDER, -5_000_001), Rejected)
        assert not isinstance(server.place(ORDER, -5_000_000), Rejected)

    simulate(main)


def test_the_same_client_order_id_trades_again_once_the_first_is_over() -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        await venue.submit(ORDER)
        assert isinstance(server.place(ORDER, 0), Unknown)
        await asyncio.sleep(2)
        await venue.submit(ORDER)
        await asyncio.sleep(2)

    assert simulate(main).positions == {SYMBOL: Decimal(-3)}


def test_a_limit_that_is_not_met_and_a_partial_fill_expire() -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        await venue.submit(msgspec.structs.replace(ORDER, limit_price=Decimal(9000)))
        await venue.submit(msgspec.structs.replace(ORDER, client_order_id="bl2"))
        await asyncio.sleep(2)
        assert [order.status for order in server.orders] == ["expired", "expired"]
        assert [order.filled > 0 for order in server.orders] == [False, True]

    simulate(main, forced=frozenset({"venue.partial#2"}))


def test_a_broken_stream_loses_fills_that_a_sweep_finds_and_a_doubled_fill_has_one_key() -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        heard: list[AccountEvent] = []

        async def follow() -> None:
            async with aclosing(venue.account_events()) as events:
                async for event in events:
                    heard.append(event)  # noqa: PERF401 - a comprehension would hand over nothing when cancelled

        task = asyncio.create_task(follow())
        await asyncio.sleep(0.1)
        for number in range(4):
            await venue.submit(msgspec.structs.replace(ORDER, client_order_id=f"bl{number}"))
        await asyncio.sleep(10)
        task.cancel()
        await asyncio.wait([task])
        fills = [event for event in heard if isinstance(event, FillReport)]
        told = {fill.fill_key for fill in fills}
        known = {fill.fill_key for fill in await swept(venue)}
        assert any(isinstance(event, Disconnected) for event in heard)
        assert len(fills) > len(told)
        assert told < known == {fill.fill_key for fill in server.fills}

    simulate(main, forced=frozenset({"venue.fill_doubled#1", "venue.disconnect#3"}))


def test_a_venue_that_vanishes_does_the_order_and_is_not_heard_until_it_is_back() -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        heard: list[AccountEvent] = []

        async def follow() -> None:
            async with aclosing(venue.account_events()) as events:
                async for event in events:
                    heard.append(event)  # noqa: PERF401 - a comprehension would hand over nothing when cancelled

        task = asyncio.create_task(follow())
        await asyncio.sleep(0.1)
        with pytest.raises(Unknown):
            await venue.submit(ORDER)
        assert isinstance(heard[1], Disconnected)
        assert [event for event in heard if isinstance(event, FillReport)] == []
        await asyncio.sleep(10)
        assert not server.is_away
        assert isinstance(heard[2], Connected)
        assert sum(fill.quantity for fill in await swept(venue)) == Decimal("1.5")
        task.cancel()
        await asyncio.wait([task])

    assert simulate(main, forced=frozenset({"venue.vanished#1"})).positions == {SYMBOL: Decimal("-1.5")}


def test_nothing_arrives_at_a_venue_that_is_away() -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        server.vanish()
        with pytest.raises(Unavailable):
            await venue.order_state(SYMBOL, "bl1")
        with pytest.raises(Unknown):
            await venue.submit(ORDER)

    assert simulate(main).orders == []


def test_a_fill_may_come_after_its_order_was_said_to_be_over() -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        await venue.submit(ORDER)
        await asyncio.sleep(0.6)
        (placed,) = server.orders
        early = placed.filled
        assert (placed.status, placed.late) == ("expired", 0)
        assert 0 < early < ORDER.quantity
        await asyncio.sleep(10)
        assert (placed.filled, placed.late) == (ORDER.quantity, ORDER.quantity - early)
        assert server.late == {server.fills[-1].trade_id}

    simulate(main, forced=frozenset({"venue.filled_late#1"}))


def test_only_a_short_that_there_is_is_closed_by_force() -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        server.force("main", SYMBOL, Decimal(1), "adl")
        assert server.fills == []
        await venue.submit(ORDER)
        await asyncio.sleep(2)
        server.force("main", SYMBOL, Decimal(1), "adl")
        server.force("main", SYMBOL, Decimal(1), "liquidation")
        forced = [fill for fill in server.fills if fill.kind != "trade"]
        assert [(fill.kind, fill.quantity) for fill in forced] == [("adl", 1), ("liquidation", Decimal("0.5"))]

    assert simulate(main).positions == {SYMBOL: Decimal(0)}


def test_a_reduce_only_order_never_opens_a_position() -> None:
    async def main(server: VenueServer, venue: SimVenue) -> None:
        back = msgspec.structs.replace(
            ORDER, side="buy", limit_price=Decimal(9000), reduce_only=True, client_order_id="bl2"
        )
        with pytest.raises(Rejected):
            await venue.submit(back)
        await venue.submit(ORDER)
        await asyncio.sleep(2)
        await venue.submit(msgspec.structs.replace(back, quantity=Decimal(4)))
        await asyncio.sleep(2)

    assert simulate(main).positions == {SYMBOL: Decimal(0)}
