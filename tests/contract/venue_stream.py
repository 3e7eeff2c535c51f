"""What every venue account's stream does: each fill under one key, and no silence that is not owned up to."""

import time
from decimal import Decimal
from typing import Any

import pytest

from adapters.exchange.account import VenueAccount
from domain.venue import Connected, Disconnected, FillReport, OrderReport
from tests.contract.venue_orders import MINUTE_US, RiggedContract
from tests.contract.venue_rig import ASK, BID, WORSE_ASK, Rig
from tests.support.exchange import listening

D = Decimal


class StreamContract(RiggedContract):
    async def test_the_stream_tells_the_life_of_an_order(self, rig: Rig, venue: VenueAccount) -> None:
        began_us = time.time_ns() // 1_000 - MINUTE_US
        approved = rig.order(quantity=rig.unit * 7, time_in_force="gtc")
        async with listening(venue.account_events()) as account:
            await account.until(Connected)
            acknowledged = await venue.submit(approved)
            await account.until(OrderReport, lambda report: report.status == "partially_filled")
            fill = await account.until(FillReport)
            await venue.cancel(rig.symbol, approved.value.client_order_id)
            last = await account.until(OrderReport, lambda report: report.status == "canceled")
        assert (fill.quantity, fill.price, fill.side) == (rig.unit * 5, BID, "sell")
        assert (fill.liquidity, fill.kind) == ("taker", "trade")
        assert fill.client_order_id in {approved.value.client_order_id, None}
        assert last.client_order_id == approved.value.client_order_id
        assert last.venue_order_id == fill.venue_order_id == acknowledged.venue_order_id
        assert (last.quantity, last.filled, last.average_price) == (rig.unit * 7, rig.unit * 5, BID)
        (swept,) = await venue.fills_since(rig.symbol, began_us)
        assert swept.fill_key == fill.fill_key
        assert (swept.price, swept.quantity, swept.fee_asset, swept.fee_quantity, swept.kind, swept.liquidity) == (
            fill.price,
            fill.quantity,
            fill.fee_asset,
            fill.fee_quantity,
            fill.kind,
            fill.liquidity,
        )

    async def test_a_fee_is_positive_when_paid_whoever_tells_it(self, rig: Rig, venue: VenueAccount) -> None:
        began_us = time.time_ns() // 1_000 - MINUTE_US
        rates = await venue.fee_rates(rig.symbol)
        async with listening(venue.account_events()) as account:
            await account.until(Connected)
            await venue.submit(rig.order(side="buy", quantity=rig.unit * 2, limit_price=ASK))
            taken = await account.until(FillReport)
            await venue.submit(rig.order(limit_price=ASK, time_in_force="gtx"))
            rig.book([(ASK, 3)], [], clear=False)
            made = await account.until(FillReport, lambda fill: fill.side == "sell")
        for fill, rate in ((taken, rates.taker), (made, rates.maker)):
            received_base = rig.is_spot and fill.side == "buy"
            value = fill.quantity if received_base else rig.value(fill.quantity, fill.price)
            assert round(fill.fee_quantity, 8) == round(value * rate, 8)
            assert fill.fee_asset == (rig.listed.base if received_base else rig.listed.settle)
        assert (taken.liquidity, made.liquidity) == ("taker", "maker")
        swept = await venue.fills_since(rig.symbol, began_us)
        assert [(fill.fill_key, fill.fee_quantity) for fill in swept] == [
            (fill.fill_key, fill.fee_quantity) for fill in (taken, made)
        ]

    async def test_a_fill_told_twice_is_one(self, rig: Rig, venue: VenueAccount) -> None:
        began_us = time.time_ns() // 1_000 - MINUTE_US
        async with listening(venue.account_events()) as account:
            await account.until(Connected)
            rig.arm_events("duplicate_user_events", times=10)
            await venue.submit(rig.order())
            first = await account.until(FillReport)
            await account.until(FillReport, after=account.heard.index(first) + 1)
            (swept,) = await venue.fills_since(rig.symbol, began_us)
        assert len(account.of(FillReport)) == 2
        assert {fill.fill_key for fill in account.of(FillReport)} == {swept.fill_key}

    async def test_a_dropped_event_is_found_by_the_sweep(self, rig: Rig, venue: VenueAccount) -> None:
        began_us = time.time_ns() // 1_000 - MINUTE_US
        async with listening(venue.account_events()) as account:
            await account.until(Connected)
            rig.arm_events("drop_user_events", for_ms=60_000)
            acknowledged = await venue.submit(rig.order())
            (swept,) = await venue.fills_since(rig.symbol, began_us)
            assert swept.venue_order_id == acknowledged.venue_order_id
            assert account.of(FillReport) == []

    async def test_what_happened_while_disconnected_is_found_after_connecting(
        self, rig: Rig, venue: VenueAccount
    ) -> None:
        began_us = time.time_ns() // 1_000 - MINUTE_US
        async with listening(venue.account_events()) as account:
            await account.until(Connected)
            await venue.submit(rig.order(limit_price=ASK, time_in_force="gtx"))
            rig.drop_sockets()
            down = await account.until(Disconnected)
            rig.book([(ASK, 5)], [], clear=False)
            up = await account.until(Connected, after=account.heard.index(down))
            gap = account.heard[: account.heard.index(up)]
            assert not [event for event in gap if isinstance(event, FillReport)]
            (swept,) = await venue.fills_since(rig.symbol, began_us)
            assert (swept.quantity, swept.liquidity) == (rig.unit, "maker")
            await venue.submit(rig.order(quantity=rig.unit * 2))
            fill = await account.until(FillReport)
            assert fill.quantity == rig.unit * 2, "old fills do not come back as new"

    async def test_it_reconnects_again_and_again(self, rig: Rig, venue: VenueAccount) -> None:
        async with listening(venue.account_events()) as account:
            last: Any = await account.until(Connected)
            for _ in range(3):
                rig.drop_sockets()
                down = await account.until(Disconnected, after=account.heard.index(last))
                last = await account.until(Connected, after=account.heard.index(down))
            await venue.submit(rig.order())
            await account.until(FillReport)

    async def test_a_reader_that_comes_late_is_told_to_sweep(self, venue: VenueAccount) -> None:
        for _ in range(2):
            async with listening(venue.account_events()) as account:
                await account.until(Connected)
                assert isinstance(account.heard[0], Connected)

    @pytest.mark.parametrize("kind", ["liquidation", "adl"])
    async def test_what_the_venues_engine_closes_is_not_called_a_trade(
        self, rig: Rig, venue: VenueAccount, kind: Any
    ) -> None:
        if rig.is_spot:
            assert await venue.positions() == [], "nothing on spot can be liquidated"
            return
        began_us = time.time_ns() // 1_000 - MINUTE_US
        ours = await venue.submit(rig.order(quantity=rig.unit * 2))
        async with listening(venue.account_events()) as account:
            await account.until(Connected)
            rig.book([], [(WORSE_ASK, 8)], clear=False)
            rig.close_by_force(rig.unit, kind)
            told = await account.until(FillReport, lambda fill: fill.venue_order_id != ours.venue_order_id)
        swept = (await venue.fills_since(rig.symbol, began_us))[-1]
        assert told.kind == swept.kind == kind
        assert told.fill_key == swept.fill_key
        assert (told.side, told.quantity) == ("buy", rig.unit)
