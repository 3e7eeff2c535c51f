"""What Binance USD-M adds to the contract of a venue account: its refusals, its pages, its reused names."""

import asyncio
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.exchange.account import VenueAccount
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.venues import open_account
from adapters.simulators.server import BinanceSimulator
from domain.quantity import num
from domain.venue import HOUR_MS, Rejected, VenueFailure
from tests.support.exchange import ETH, order, running, simulator_settings, venue_settings

D = Decimal


async def test_exact_numbers_of_the_core_are_sent_as_they_are(venue: VenueAccount) -> None:
    acknowledged = await venue.submit(order(quantity=num(D("0.500")), limit_price=num(D("2E+3"))))
    assert (acknowledged.status, acknowledged.accepted_quantity) == ("filled", D("0.5"))


VENUE_REFUSES: list[tuple[dict[str, Any], str]] = [
    ({"time_in_force": "gtx"}, "post_only_would_take"),
    ({"quantity": D(9999), "limit_price": D("2000.01"), "time_in_force": "gtc"}, "insufficient_margin"),
    ({"quantity": D("0.005")}, "min_notional"),
    ({"quantity": D(10001)}, "size_or_price_step"),
    ({"limit_price": D(1500)}, "price_band"),
    ({"reduce_only": True}, "reduce_only"),
]


async def test_what_the_venue_refuses_is_rejected_with_its_reason(tmp_path: Path) -> None:
    settings = simulator_settings(tmp_path, deposit_usdt=D(1_000_000))
    async with running(settings) as simulator, open_account(venue_settings(simulator.port, simulator.ca_file)) as venue:
        for changes, reason in VENUE_REFUSES:
            approved = order(**changes)
            with pytest.raises(Rejected) as caught:
                await venue.submit(approved)
            assert caught.value.reason == reason
            assert await venue.order_state(ETH, approved.value.client_order_id) is None


async def test_fills_are_paged_to_the_last(simulator: BinanceSimulator) -> None:
    began_us = time.time_ns() // 1_000
    bids = [(200_000 - i, 1) for i in range(2_300)]
    simulator.venue.set_levels(bids, [(200_001, 5)])
    approved = order(quantity=D("2.3"), limit_price=D(1950))
    # So many fills of one order take the simulator longer than an account waits for one.
    async with open_account(venue_settings(simulator.port, simulator.ca_file, timeout_ms=30_000)) as venue:
        assert (await venue.submit(approved)).status == "filled"
        fills = await venue.fills_since(ETH, began_us)
        assert await venue.fills_since(ETH, fills[-1].at_us) == [
            fill for fill in fills if fill.at_us == fills[-1].at_us
        ]
        assert await venue.fills_since(ETH, time.time_ns() // 1_000 + 1_000_000) == []
    assert len(fills) == 2_300
    assert len({fill.fill_key for fill in fills}) == 2_300
    assert sum(fill.quantity for fill in fills) == D("2.3")
    assert {fill.client_order_id for fill in fills} == {approved.value.client_order_id}


@pytest.mark.parametrize("changes", [{"api_key": "x" * 64}, {"api_secret": "x" * 64}])
async def test_wrong_credentials_do_not_open(simulator: BinanceSimulator, changes: dict[str, Any]) -> None:
    with pytest.raises(VenueFailure):
        await open_account(venue_settings(simulator.port, simulator.ca_file, **changes)).open()


async def test_a_name_is_free_again_once_its_order_is_over_and_means_the_newest(venue: VenueAccount) -> None:
    approved = order()
    first = await venue.submit(approved)
    second = await venue.submit(approved)
    assert second.venue_order_id != first.venue_order_id
    state = await venue.order_state(ETH, approved.value.client_order_id)
    assert state is not None
    assert state.venue_order_id == second.venue_order_id


async def test_an_order_never_waits_behind_queries(venue: VenueAccount) -> None:
    asked = [asyncio.create_task(venue.positions()) for _ in range(60)]
    await asyncio.sleep(0)
    await venue.submit(order())
    assert not asked[-1].done(), "the queue of queries is still being worked off"
    await asyncio.gather(*asked)


async def test_a_market_that_pays_more_often_says_so(simulator: BinanceSimulator) -> None:
    listed = simulator.venue.exchange.instruments
    listed["ETHUSDT"] = msgspec.structs.replace(listed["ETHUSDT"], funding_interval_ms=4 * HOUR_MS)
    settings = venue_settings(simulator.port, simulator.ca_file, symbols=(ETH, "BTC/USDT:USDT"))
    async with open_account(settings) as venue:
        assert [found.funding_interval_ms for found in venue.instruments] == [4 * HOUR_MS, 8 * HOUR_MS]
        assert (await venue.mark(ETH)).funding_interval_ms == 4 * HOUR_MS
        listed["ETHUSDT"] = msgspec.structs.replace(listed["ETHUSDT"], funding_interval_ms=HOUR_MS, tick=D("0.05"))
        eth, _ = await venue.relist()
        assert (eth.funding_interval_ms, eth.tick, len(eth.margin_tiers)) == (HOUR_MS, D("0.05"), 2)
        with pytest.raises(Rejected, match=r"multiple of 0\.05"):
            await venue.submit(order(limit_price=D("2000.01")))


async def test_a_market_that_is_gone_is_told_at_the_next_listing(simulator: BinanceSimulator) -> None:
    settings = venue_settings(simulator.port, simulator.ca_file, symbols=("BTC/USDT:USDT",))
    async with open_account(settings) as venue:
        listed = simulator.venue.exchange.instruments
        listed["BTCUSDT"] = msgspec.structs.replace(listed["BTCUSDT"], base="OLD")
        with pytest.raises(VenueUnsuitable, match="BTC/USDT:USDT is not listed"):
            await venue.relist()


async def test_a_spot_symbol_is_not_taken_for_the_perpetual(simulator: BinanceSimulator) -> None:
    """ccxt's `market()` would find the perpetual under it."""
    with pytest.raises(VenueUnsuitable, match="ETH/USDT is not listed"):
        await open_account(venue_settings(simulator.port, simulator.ca_file, symbols=("ETH/USDT",))).open()
