"""The private stream: each fill under one key, and no silence that is not owned up to."""

import time
from decimal import Decimal
from typing import Any

import pytest

from adapters.exchange import account_stream
from adapters.exchange.binance_usdm import BinanceUsdm
from adapters.simulators.faults import Fault
from adapters.simulators.server import BinanceSimulator
from domain.venue import Connected, Disconnected, FillReport, OrderReport
from tests.support.exchange import ETH, listening, order, venue_settings

D = Decimal


def arm(simulator: BinanceSimulator, kind: Any, **fields: Any) -> None:
    simulator.venue.faults.arm(Fault(kind=kind, **fields), time.time_ns() // 1_000_000)


async def test_the_stream_tells_the_life_of_an_order(venue: BinanceUsdm) -> None:
    approved = order(quantity=D(7), time_in_force="gtc")
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        await venue.submit(approved)
        await account.until(OrderReport, lambda report: report.status == "partially_filled")
        await venue.cancel(ETH, approved.value.client_order_id)
        last = await account.until(OrderReport, lambda report: report.status == "canceled")
    assert [report.status for report in account.of(OrderReport)] == ["new", "partially_filled", "canceled"]
    (fill,) = account.of(FillReport)
    assert (fill.quantity, fill.price, fill.liquidity, fill.kind) == (D(5), D(2000), "taker", "trade")
    assert (fill.fee_asset, fill.fee_quantity) == ("USDT", D(5))
    assert fill.client_order_id == approved.value.client_order_id == last.client_order_id
    assert (last.filled, last.average_price) == (D(5), D(2000))


async def test_a_resting_order_is_filled_as_maker(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        await venue.submit(order(limit_price=D("2000.01"), time_in_force="gtx"))
        simulator.venue.set_levels([(200_005, 4_400)], [], clear=False)
        fill = await account.until(FillReport)
        assert (fill.liquidity, fill.price, fill.quantity) == ("maker", D("2000.01"), D("0.4"))


async def test_a_fill_told_twice_is_one(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    began_us = time.time_ns() // 1_000
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        arm(simulator, "duplicate_user_events", on="ORDER_TRADE_UPDATE", times=10)
        await venue.submit(order())
        await account.until(OrderReport, lambda report: report.status == "filled")
        second = await account.until(FillReport, after=account.heard.index(account.of(FillReport)[0]) + 1)
        assert len(account.of(FillReport)) == 2
        (swept,) = await venue.fills_since(ETH, began_us)
    assert {fill.fill_key for fill in account.of(FillReport)} == {second.fill_key} == {swept.fill_key}


async def test_a_dropped_event_is_found_by_the_sweep(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    began_us = time.time_ns() // 1_000
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        arm(simulator, "drop_user_events", for_ms=60_000)
        approved = order()
        await venue.submit(approved)
        (swept,) = await venue.fills_since(ETH, began_us)
        assert swept.client_order_id == approved.value.client_order_id
        assert account.of(FillReport) == []


async def test_a_late_event_still_comes(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        arm(simulator, "delay_user_events", on="ORDER_TRADE_UPDATE", times=3, delay_ms=300)
        acknowledged = await venue.submit(order())
        assert account.of(FillReport) == []
        fill = await account.until(FillReport)
        assert fill.venue_order_id == acknowledged.venue_order_id


async def test_what_happened_while_disconnected_is_found_after_connecting(
    simulator: BinanceSimulator, venue: BinanceUsdm
) -> None:
    began_us = time.time_ns() // 1_000
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        await venue.submit(order(limit_price=D("2000.01"), time_in_force="gtx"))
        simulator.venue.sockets.drop_all()
        await account.until(Disconnected)
        simulator.venue.set_levels([(200_005, 5_000)], [], clear=False)
        again = len(account.heard)
        await account.until(Connected, after=1)
        assert not [event for event in account.heard[:again] if isinstance(event, FillReport)]
        (swept,) = await venue.fills_since(ETH, began_us)
        assert (swept.quantity, swept.liquidity) == (D(1), "maker")
        await venue.submit(order(quantity=D(2)))
        fill = await account.until(FillReport)
        assert fill.quantity == D(2), "old fills do not come back as new"


async def test_a_reader_that_comes_late_is_told_to_sweep(venue: BinanceUsdm) -> None:
    for _ in range(2):
        async with listening(venue.account_events()) as account:
            await account.until(Connected)
            assert isinstance(account.heard[0], Connected)


async def test_the_listen_key_is_renewed_by_ourselves(simulator: BinanceSimulator) -> None:
    settings = venue_settings(simulator.port, simulator.ca_file, listen_key_renewal_ms=100)
    async with BinanceUsdm(settings) as venue, listening(venue.account_events()) as account:
        await account.until(Connected)
        while simulator.venue.sockets.renewals < 3:
            await venue.mark(ETH)
        assert account.of(Disconnected) == []


async def test_an_expired_listen_key_is_replaced(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    sockets = simulator.venue.sockets
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        sockets.expire_listen_key(time.time_ns() // 1_000_000 + sockets.listen_key_ttl_ms + 1)
        await account.until(Disconnected, lambda event: "expired" in event.reason)
        await account.until(Connected, after=1)
        await venue.submit(order())
        await account.until(FillReport)


async def test_a_listen_key_that_is_gone_is_replaced(simulator: BinanceSimulator) -> None:
    settings = venue_settings(simulator.port, simulator.ca_file, listen_key_renewal_ms=200)
    async with BinanceUsdm(settings) as venue, listening(venue.account_events()) as account:
        await account.until(Connected)
        simulator.venue.close_listen_key()
        await account.until(Disconnected)
        await account.until(Connected, after=1)
        await venue.submit(order())
        await account.until(FillReport)


async def test_an_event_we_cannot_read_makes_us_sweep(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        simulator.venue.sockets.tell_account([{"e": "ORDER_TRADE_UPDATE", "E": 1, "T": 1, "o": {"s": "ETHUSDT"}}])
        await account.until(Disconnected, lambda event: "unreadable" in event.reason)
        await account.until(Connected, after=1)


async def test_a_reader_that_falls_too_far_behind_is_told_to_sweep(
    simulator: BinanceSimulator, venue: BinanceUsdm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_stream, "QUEUE_MAX", 4)
    events = venue.account_events()
    first = await anext(events)
    assert isinstance(first, Connected)
    for _ in range(3):
        await venue.submit(order())
    await venue.mark(ETH)
    heard = [await anext(events) for _ in range(2)]
    assert isinstance(heard[0], Disconnected)
    assert isinstance(heard[1], Connected)
    await events.aclose()


@pytest.mark.parametrize("kind", ["liquidation", "adl"])
async def test_what_the_venues_engine_closes_is_not_called_a_trade(
    simulator: BinanceSimulator, venue: BinanceUsdm, kind: Any
) -> None:
    began_us = time.time_ns() // 1_000
    ours = await venue.submit(order(quantity=D(2)))
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        simulator.venue.exchange.force_close("ETHUSDT", 1_000, kind, time.time_ns() // 1_000_000)
        simulator.venue.commit()
        told = await account.until(FillReport, lambda fill: fill.venue_order_id != ours.venue_order_id)
    swept = (await venue.fills_since(ETH, began_us))[-1]
    assert told.kind == swept.kind == kind
    assert told.fill_key == swept.fill_key
