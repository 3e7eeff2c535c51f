"""A venue without a dialect, through ccxt's unified methods: looked at, never traded on. Tried on Binance."""

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.exchange.account import VenueAccount
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.unified.dialect import unified
from adapters.exchange.venues import open_account
from adapters.simulators.binance.venue import BinanceVenue
from domain.venue import Connected, Disconnected, FillReport, OrderReport, Rejected, Unknown
from tests.contract.venue_orders import MINUTE_US
from tests.contract.venue_rig import ASK, BID, WORSE_ASK, Rig, rigged
from tests.integration.exchange.test_binance_usdm_account import USDM
from tests.support.exchange import listening

D = Decimal
OPTIONS: dict[str, Any] = {
    "fetchCurrencies": False,
    "fetchMargins": False,
    "watchPositions": {"fetchPositionsSnapshot": False},
    "fundingIntervalMs": 28_800_000,
}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(USDM, tmp_path) as made:
        yield made


@pytest.fixture
async def hands(rig: Rig) -> AsyncIterator[VenueAccount]:
    """Trade as the proven account does, so that there is something to look at."""
    async with rig.account() as made:
        yield made


@pytest.fixture
async def eyes(rig: Rig) -> AsyncIterator[VenueAccount]:
    settings = rig.settings(ccxt={"options": OPTIONS})
    async with VenueAccount(settings, unified("binanceusdm")) as made:
        yield made


async def test_it_is_unproven_and_refuses_to_trade(rig: Rig, eyes: VenueAccount) -> None:
    assert not eyes.proven
    with pytest.raises(Rejected, match="unproven for hedging until it passes the venue contract tests") as caught:
        await eyes.submit(rig.order())
    assert caught.value.reason == "venue_rule"
    with pytest.raises(Rejected, match="unproven"):
        await eyes.cancel(rig.symbol, "t1")
    assert rig.orders_kept == 0


async def test_it_tells_what_there_is(rig: Rig, hands: VenueAccount, eyes: VenueAccount) -> None:
    began_us = time.time_ns() // 1_000 - MINUTE_US
    resting = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
    await hands.submit(resting)
    await hands.submit(rig.order(quantity=rig.unit * 2))
    (seen,) = await eyes.open_orders(rig.symbol)
    assert (seen.client_order_id, seen.quantity, seen.status) == (resting.value.client_order_id, rig.unit, "new")
    state = await eyes.order_state(rig.symbol, resting.value.client_order_id)
    assert state is not None
    assert state.venue_order_id == seen.venue_order_id
    assert await eyes.order_state(rig.symbol, "nothing") is None
    (fill,) = await eyes.fills_since(rig.symbol, began_us)
    (proven,) = await hands.fills_since(rig.symbol, began_us)
    assert (fill.fill_key, fill.price, fill.quantity, fill.fee_quantity) == (
        proven.fill_key,
        proven.price,
        proven.quantity,
        proven.fee_quantity,
    )
    (position,) = await eyes.positions()
    assert (position.quantity, position.entry_price) == (rig.unit * -2, BID)
    assert {report.asset for report in await eyes.balances()} >= {"USDT"}
    assert BID <= (await eyes.mark(rig.symbol)).mark_price <= ASK
    assert (await eyes.fee_rates(rig.symbol)).taker == rig.listed.taker_rate
    rig.pay_funding()
    (paid,) = await eyes.fundings_since(began_us)
    assert paid.amount > 0
    (listed,) = eyes.instruments
    (whole,) = hands.instruments
    assert (listed.tick, listed.step, listed.kind, listed.market_id) == (
        whole.tick,
        whole.step,
        whole.kind,
        whole.market_id,
    )


async def test_it_streams(rig: Rig, hands: VenueAccount, eyes: VenueAccount) -> None:
    async with listening(eyes.account_events()) as account:
        await account.until(Connected)
        approved = rig.order()
        acknowledged = await hands.submit(approved)
        fill = await account.until(FillReport)
        assert (fill.venue_order_id, fill.quantity, fill.price) == (acknowledged.venue_order_id, rig.unit, BID)
        report = await account.until(OrderReport, lambda report: report.status == "filled")
        assert report.client_order_id == approved.value.client_order_id


async def test_an_event_that_cannot_be_read_makes_the_reader_sweep(rig: Rig, eyes: VenueAccount) -> None:
    async with listening(eyes.account_events()) as account:
        await account.until(Connected)
        row = {"s": "ETHUSDT", "c": "t1", "S": "SELL", "o": "LIMIT", "q": "1", "p": "2000", "ap": "0", "x": "NEW"}
        row |= {
            "X": "STRANGE",
            "i": 7,
            "l": "0",
            "z": "0",
            "L": "0",
            "n": "0",
            "N": "USDT",
            "T": 1,
            "t": 0,
            "ps": "BOTH",
        }
        simulated = rig.simulated
        assert isinstance(simulated, BinanceVenue)
        simulated.sockets.tell_account(
            [{"e": "ORDER_TRADE_UPDATE", "E": 1, "T": 1, "o": row | {"R": False, "ps": "BOTH"}}]
        )
        down = await account.until(Disconnected, lambda event: "unreadable" in event.reason)
        await account.until(Connected, after=account.heard.index(down))


async def test_a_failed_query_is_unknown(rig: Rig, eyes: VenueAccount) -> None:
    for on in ("positions", "fills", "order"):
        rig.arm("bad_gateway", on)
    for work in (
        eyes.positions(),
        eyes.fills_since(rig.symbol, time.time_ns() // 1_000),
        eyes.order_state(rig.symbol, "t1"),
    ):
        with pytest.raises(Unknown):
            await work


async def test_a_web_page_reads_as_no_position_which_is_why_nothing_here_is_proven(
    rig: Rig, hands: VenueAccount, eyes: VenueAccount
) -> None:
    await hands.submit(rig.order())
    rig.arm("html", "positions")
    assert await eyes.positions() == []
    rig.arm("html", "positions")
    with pytest.raises(Unknown):
        await hands.positions()


async def test_a_venue_that_does_not_tell_its_funding_interval_is_not_opened(rig: Rig) -> None:
    settings = rig.settings(ccxt={"options": OPTIONS | {"fundingIntervalMs": None}})
    with pytest.raises(VenueUnsuitable, match="how often"):
        await VenueAccount(settings, unified("binanceusdm")).open()


@pytest.mark.parametrize("venue", ["bitget", "hyperliquid", "gate", "krakenfutures"])
def test_any_venue_of_ccxt_can_be_looked_at(rig: Rig, venue: str) -> None:
    account = open_account(rig.settings(venue=venue))
    assert (account.name, account.proven) == (venue, False)
    assert unified(venue).hosts


@pytest.mark.parametrize("venue", ["bitmex", "nowhere", ""])
def test_a_venue_that_ccxt_does_not_know_is_refused(venue: str) -> None:
    with pytest.raises(ValueError, match="knows no"):
        unified(venue)
