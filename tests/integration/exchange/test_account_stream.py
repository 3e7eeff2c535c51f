"""The private stream: each fill under one key, and no silence that is not owned up to."""

import time
from decimal import Decimal
from typing import Any

import pytest

from adapters.exchange import account_stream
from adapters.exchange.account import VenueAccount
from adapters.exchange.venues import open_account
from adapters.simulators.faults import Fault
from adapters.simulators.server import BinanceSimulator
from domain.venue import Connected, Disconnected, FillReport
from tests.support.exchange import ETH, listening, order, venue_settings

D = Decimal


def arm(simulator: BinanceSimulator, kind: Any, **fields: Any) -> None:
    simulator.venue.faults.arm(Fault(kind=kind, **fields), time.time_ns() // 1_000_000)


async def test_a_resting_order_is_filled_as_maker(simulator: BinanceSimulator, venue: VenueAccount) -> None:
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        await venue.submit(order(limit_price=D("2000.01"), time_in_force="gtx"))
        simulator.venue.set_levels([(200_005, 4_400)], [], clear=False)
        fill = await account.until(FillReport)
        assert (fill.liquidity, fill.price, fill.quantity) == ("maker", D("2000.01"), D("0.4"))


async def test_a_late_event_still_comes(simulator: BinanceSimulator, venue: VenueAccount) -> None:
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        arm(simulator, "delay_user_events", on="ORDER_TRADE_UPDATE", times=3, delay_ms=300)
        acknowledged = await venue.submit(order())
        assert account.of(FillReport) == []
        fill = await account.until(FillReport)
        assert fill.venue_order_id == acknowledged.venue_order_id


async def test_the_listen_key_is_renewed_by_ourselves(simulator: BinanceSimulator) -> None:
    settings = venue_settings(simulator.port, simulator.ca_file, listen_key_renewal_ms=100)
    async with open_account(settings) as venue, listening(venue.account_events()) as account:
        await account.until(Connected)
        while simulator.venue.sockets.renewals < 3:
            await venue.mark(ETH)
        assert account.of(Disconnected) == []


async def test_an_expired_listen_key_is_replaced(simulator: BinanceSimulator, venue: VenueAccount) -> None:
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
    async with open_account(settings) as venue, listening(venue.account_events()) as account:
        await account.until(Connected)
        simulator.venue.close_listen_key()
        await account.until(Disconnected)
        await account.until(Connected, after=1)
        await venue.submit(order())
        await account.until(FillReport)


async def test_an_event_we_cannot_read_makes_us_sweep(simulator: BinanceSimulator, venue: VenueAccount) -> None:
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        simulator.venue.sockets.tell_account([{"e": "ORDER_TRADE_UPDATE", "E": 1, "T": 1, "o": {"s": "ETHUSDT"}}])
        await account.until(Disconnected, lambda event: "unreadable" in event.reason)
        await account.until(Connected, after=1)


async def test_a_reader_that_falls_too_far_behind_is_told_to_sweep(
    simulator: BinanceSimulator, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
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


async def test_a_message_that_ccxt_cannot_handle_costs_the_connection_at_once(
    simulator: BinanceSimulator, venue: VenueAccount
) -> None:
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        listen_key = simulator.venue.sockets.open_listen_key(simulator.venue.clock_ms())
        simulator.venue.hub.publish(listen_key, [{}])
        down = await account.until(Disconnected, lambda event: "could not handle" in event.reason)
        await account.until(Connected, after=account.heard.index(down))
        await venue.submit(order())
        await account.until(FillReport)


async def test_an_event_that_does_not_tell_its_position_side_is_read(
    simulator: BinanceSimulator, venue: VenueAccount
) -> None:
    """ccxt takes such an event for one of spot."""
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        row = {"s": "ETHUSDT", "c": "t1", "S": "SELL", "q": "1", "p": "2000", "ap": "2000", "x": "TRADE", "X": "FILLED"}
        row |= {"i": 7, "l": "1", "z": "1", "L": "2000", "n": "1", "N": "USDT", "T": 1, "t": 8, "m": False, "R": False}
        simulator.venue.sockets.tell_account([{"e": "ORDER_TRADE_UPDATE", "E": 1, "T": 1, "o": row}])
        fill = await account.until(FillReport)
        assert fill.fill_key == ("binanceusdm", "main", ETH, "8", "7", "sell")
