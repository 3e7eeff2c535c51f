"""The venue adapter's contract: orders, refusals, queries."""

import asyncio
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.exchange.binance_usdm import BinanceUsdm
from adapters.exchange.failures import VenueUnsuitable
from adapters.simulators.server import BinanceSimulator
from domain.approval import approve
from domain.quantity import num
from domain.venue import Rejected, Unavailable, Unknown, VenueFailure
from tests.support.exchange import ETH, order, running, simulator_settings, venue_settings

D = Decimal


@pytest.mark.parametrize(
    ("quantity", "price", "status", "filled"),
    [("5", "2000", "filled", "5"), ("9", "2000", "expired", "5"), ("1", "2000.01", "expired", "0")],
)
async def test_ioc_fills_what_it_can_and_expires(
    venue: BinanceUsdm, quantity: str, price: str, status: str, filled: str
) -> None:
    approved = order(quantity=D(quantity), limit_price=D(price))
    acknowledged = await venue.submit(approved)
    assert (acknowledged.status, acknowledged.filled) == (status, D(filled))
    assert acknowledged.accepted_quantity == D(quantity)
    state = await venue.order_state(ETH, approved.value.client_order_id)
    assert state is not None
    assert (state.status, state.filled, state.venue_order_id) == (status, D(filled), acknowledged.venue_order_id)


async def test_a_market_order_walks_the_book(venue: BinanceUsdm) -> None:
    approved = order(side="buy", quantity=D(6), limit_price=None)
    acknowledged = await venue.submit(approved)
    assert acknowledged.status == "filled"
    fills = await venue.fills_since(ETH, 0 + acknowledged.at_us)
    assert [(fill.price, fill.quantity) for fill in fills] == [(D("2000.01"), D(4)), (D("2000.10"), D(2))]
    assert {fill.client_order_id for fill in fills} == {approved.value.client_order_id}
    assert [fill.fee_quantity for fill in fills] == [fill.price * fill.quantity * D("0.0005") for fill in fills]


async def test_exact_numbers_of_the_core_are_sent_as_they_are(venue: BinanceUsdm) -> None:
    acknowledged = await venue.submit(order(quantity=num(D("0.500")), limit_price=num(D("2E+3"))))
    assert (acknowledged.status, acknowledged.accepted_quantity) == ("filled", D("0.5"))


async def test_a_resting_order_is_cancelled_once(venue: BinanceUsdm) -> None:
    approved = order(limit_price=D("2050"), time_in_force="gtc")
    assert (await venue.submit(approved)).status == "new"
    assert [found.client_order_id for found in await venue.open_orders(ETH)] == [approved.value.client_order_id]
    assert (await venue.cancel(ETH, approved.value.client_order_id)).status == "canceled"
    with pytest.raises(Rejected) as caught:
        await venue.cancel(ETH, approved.value.client_order_id)
    assert caught.value.reason == "unknown_order"
    assert await venue.open_orders(ETH) == []


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
    async with running(settings) as simulator, BinanceUsdm(venue_settings(simulator.port, simulator.ca_file)) as venue:
        for changes, reason in VENUE_REFUSES:
            approved = order(**changes)
            with pytest.raises(Rejected) as caught:
                await venue.submit(approved)
            assert caught.value.reason == reason
            assert await venue.order_state(ETH, approved.value.client_order_id) is None


REFUSED_BEFORE_SENDING: list[tuple[dict[str, Any], str]] = [
    ({"quantity": D("1.0005")}, "size_or_price_step"),
    ({"quantity": D(0)}, "size_or_price_step"),
    ({"quantity": D("NaN")}, "size_or_price_step"),
    ({"quantity": D("1E+40")}, "size_or_price_step"),
    ({"quantity": D("1E-40")}, "size_or_price_step"),
    ({"limit_price": D("2000.005")}, "size_or_price_step"),
    ({"limit_price": D(-1)}, "size_or_price_step"),
    ({"limit_price": None, "time_in_force": "gtc"}, "malformed"),
    ({"client_order_id": "x" * 37}, "malformed"),
    ({"client_order_id": "a b"}, "malformed"),
    ({"symbol": "ETH/USDT"}, "unknown_symbol"),
    ({"symbol": "BTC/USDT:USDT"}, "unknown_symbol"),
    ({"account": "other"}, "malformed"),
    ({"venue": "okx"}, "malformed"),
]


async def test_what_ccxt_would_round_or_misread_is_refused_before_sending(
    simulator: BinanceSimulator, venue: BinanceUsdm
) -> None:
    for changes, reason in REFUSED_BEFORE_SENDING:
        with pytest.raises(Rejected) as caught:
            await venue.submit(order(**changes))
        assert caught.value.reason == reason
    assert simulator.venue.exchange.orders == {}


async def test_an_approval_whose_time_has_passed_is_not_sent(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    late = approve(order().value, uuid4(), time.time_ns() // 1_000 - 1)
    with pytest.raises(Unavailable):
        await venue.submit(late)
    assert simulator.venue.exchange.orders == {}


async def test_an_order_that_waited_too_long_for_its_turn_is_not_sent(simulator: BinanceSimulator) -> None:
    settings = venue_settings(simulator.port, simulator.ca_file, order_interval_ms=500)
    async with BinanceUsdm(settings) as venue:
        until_us = time.time_ns() // 1_000 + 700_000
        attempts = [approve(order().value, uuid4(), until_us) for _ in range(4)]
        outcomes = await asyncio.gather(*(venue.submit(attempt) for attempt in attempts), return_exceptions=True)
    sent = [
        attempt for attempt, outcome in zip(attempts, outcomes, strict=True) if not isinstance(outcome, Unavailable)
    ]
    assert sent == attempts[: len(sent)], "first come, first served"
    assert 1 <= len(sent) <= 2
    names = [kept.client_id for kept in simulator.venue.exchange.orders.values()]
    assert names == [attempt.value.client_order_id for attempt in sent]


async def test_a_client_order_id_that_is_taken_may_be_ours(venue: BinanceUsdm) -> None:
    approved = order(limit_price=D("2050"), time_in_force="gtc")
    await venue.submit(approved)
    with pytest.raises(Unknown):
        await venue.submit(approved)
    state = await venue.order_state(ETH, approved.value.client_order_id)
    assert state is not None
    assert state.status == "new"


async def test_account_queries(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    await venue.submit(order(quantity=D(2)))
    (position,) = await venue.positions()
    assert (position.symbol, position.quantity, position.entry_price) == (ETH, D(-2), D(2000))
    (balance,) = await venue.balances()
    assert balance.wallet == D(10_000_000) - D(4000) * D("0.0005")
    assert balance.margin == balance.wallet + position.unrealised_profit
    assert balance.available == balance.margin - balance.initial_margin
    mark = await venue.mark(ETH)
    assert mark.mark_price == D("2000.005")
    rates = await venue.fee_rates(ETH)
    assert (rates.maker, rates.taker) == (D("0.0002"), D("0.0005"))
    (listed,) = venue.instruments
    assert (listed.tick, listed.step, listed.notional_min) == (D("0.01"), D("0.001"), D(20))
    exchange = simulator.venue.exchange
    exchange.funded_until_ms["ETHUSDT"] = 0
    simulator.venue.set_levels([], [], clear=False)
    (funding,) = await venue.fundings_since(0)
    assert funding.amount == D("0.400001")
    assert await venue.fundings_since(funding.at_us + 1_000_000) == []


async def test_fills_are_paged_to_the_last(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    began_us = time.time_ns() // 1_000
    bids = [(200_000 - i, 1) for i in range(2_300)]
    simulator.venue.set_levels(bids, [(200_001, 5)])
    approved = order(quantity=D("2.3"), limit_price=D(1950))
    assert (await venue.submit(approved)).status == "filled"
    fills = await venue.fills_since(ETH, began_us)
    assert len(fills) == 2_300
    assert len({fill.fill_key for fill in fills}) == 2_300
    assert sum(fill.quantity for fill in fills) == D("2.3")
    assert {fill.client_order_id for fill in fills} == {approved.value.client_order_id}
    assert await venue.fills_since(ETH, fills[-1].at_us) == [fill for fill in fills if fill.at_us == fills[-1].at_us]
    assert await venue.fills_since(ETH, time.time_ns() // 1_000 + 1_000_000) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"symbols": ("ETH/USDT",)}, "under that very name"),
        ({"symbols": ("DOGE/USDT:USDT",)}, "not listed"),
        ({"clock_skew_ms_max": -1}, "clock"),
    ],
)
async def test_an_unsuitable_account_or_market_is_not_opened(
    simulator: BinanceSimulator, changes: dict[str, Any], said: str
) -> None:
    venue = BinanceUsdm(venue_settings(simulator.port, simulator.ca_file, **changes))
    with pytest.raises(VenueUnsuitable, match=said):
        await venue.open()


@pytest.mark.parametrize("changes", [{"api_key": "x" * 64}, {"api_secret": "x" * 64}])
async def test_wrong_credentials_do_not_open(simulator: BinanceSimulator, changes: dict[str, Any]) -> None:
    with pytest.raises(VenueFailure):
        await BinanceUsdm(venue_settings(simulator.port, simulator.ca_file, **changes)).open()


async def test_a_certificate_of_another_authority_is_not_trusted(simulator: BinanceSimulator, tmp_path: Path) -> None:
    async with running(simulator_settings(tmp_path / "other")) as other:
        with pytest.raises(Unavailable):
            await BinanceUsdm(venue_settings(simulator.port, other.ca_file)).open()
