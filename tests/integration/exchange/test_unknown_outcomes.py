"""Orders whose answer got lost: never resent, always found by our own id, counted once."""

import time
from decimal import Decimal
from typing import Any

import pytest

from adapters.exchange.binance_usdm import BinanceUsdm
from adapters.simulators.faults import Fault
from adapters.simulators.server import BinanceSimulator
from domain.venue import Connected, FillReport, Unavailable, Unknown
from tests.support.exchange import ETH, listening, order

NEW_ORDER = "POST /fapi/v1/order"


def arm(simulator: BinanceSimulator, kind: Any, **fields: Any) -> None:
    fields.setdefault("on", NEW_ORDER)
    simulator.venue.faults.arm(Fault(kind=kind, **fields), time.time_ns() // 1_000_000)


@pytest.mark.parametrize("kind", ["timeout", "reset", "bad_gateway", "truncate", "html"])
async def test_done_but_unanswered_is_unknown_and_found_by_our_id(
    simulator: BinanceSimulator, venue: BinanceUsdm, kind: str
) -> None:
    began_us = time.time_ns() // 1_000
    approved = order()
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        arm(simulator, kind)
        with pytest.raises(Unknown):
            await venue.submit(approved)
        state = await venue.order_state(ETH, approved.value.client_order_id)
        assert state is not None
        assert state.status == "filled"
        told = await account.until(FillReport)
    (swept,) = await venue.fills_since(ETH, began_us)
    assert told.fill_key == swept.fill_key
    assert (told.source, swept.source) == ("stream", "sweep")
    assert simulator.venue.faults.counts == {kind: 1}
    assert len(simulator.venue.exchange.orders) == 1, "sent once"
    (position,) = await venue.positions()
    assert position.quantity == Decimal(-1)


@pytest.mark.parametrize("kind", ["lost", "maintenance", "rate_limited"])
async def test_not_done_but_we_cannot_know_is_unknown_and_absent(
    simulator: BinanceSimulator, venue: BinanceUsdm, kind: str
) -> None:
    approved = order()
    arm(simulator, kind)
    with pytest.raises(Unknown):
        await venue.submit(approved)
    assert await venue.order_state(ETH, approved.value.client_order_id) is None
    assert venue.absence_after_ms == 7_000
    assert simulator.venue.exchange.orders == {}


async def test_a_query_that_fails_proves_no_absence(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    approved = order()
    await venue.submit(approved)
    arm(simulator, "bad_gateway", on="GET /fapi/v1/order")
    with pytest.raises(Unknown):
        await venue.order_state(ETH, approved.value.client_order_id)
    arm(simulator, "html", on="GET /fapi/v1/order")
    with pytest.raises(Unknown):
        await venue.order_state(ETH, approved.value.client_order_id)
    arm(simulator, "html", on="GET /fapi/v1/userTrades")
    with pytest.raises(Unknown):
        await venue.fills_since(ETH, time.time_ns() // 1_000 - 60_000_000)
    arm(simulator, "html", on="GET /fapi/v3/positionRisk")
    with pytest.raises(Unknown):
        await venue.positions()


async def test_a_refused_connection_sent_nothing(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    await simulator.stop()
    with pytest.raises(Unavailable):
        await venue.submit(order())
