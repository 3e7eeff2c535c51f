"""What every venue account does with orders, refusals and answers that get lost."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.exchange.account import VenueAccount
from adapters.exchange.settings import OrderRate
from domain.approval import approve
from domain.venue import TERMINAL, Connected, FillReport, Rejected, Unavailable, Unknown
from tests.contract.venue_rig import ASK, BID, WORSE_ASK, WORSE_BID, Bench, Rig, rigged
from tests.support.exchange import listening

D = Decimal
MINUTE_US = 60_000_000
QUESTIONS = 60


class RiggedContract:
    """Give each test a running venue and an open account on it."""

    @pytest.fixture
    def bench(self) -> Bench:
        raise NotImplementedError("say what is tried")

    @pytest.fixture
    async def rig(self, bench: Bench, tmp_path: Path) -> AsyncIterator[Rig]:
        async with rigged(bench, tmp_path) as made:
            yield made

    @pytest.fixture
    async def venue(self, rig: Rig) -> AsyncIterator[VenueAccount]:
        async with rig.account() as made:
            yield made


class OrdersContract(RiggedContract):
    @pytest.mark.parametrize(("units", "price", "filled"), [(5, BID, 5), (9, BID, 5), (1, ASK, 0)])
    async def test_ioc_fills_what_it_can_and_is_over(
        self, rig: Rig, venue: VenueAccount, units: int, price: Decimal, filled: int
    ) -> None:
        approved = rig.order(quantity=rig.unit * units, limit_price=price)
        acknowledged = await venue.submit(approved)
        assert acknowledged.accepted_quantity == rig.unit * units
        assert acknowledged.client_order_id == approved.value.client_order_id
        state = await venue.order_state(rig.symbol, approved.value.client_order_id)
        assert state is not None
        assert state.status in TERMINAL
        assert (state.status == "filled") == (units == filled)
        assert (state.filled, state.quantity) == (rig.unit * filled, rig.unit * units)
        assert state.venue_order_id == acknowledged.venue_order_id
        assert (state.symbol, state.side, state.limit_price) == (rig.symbol, "sell", price)
        assert state.average_price == (BID if filled else None)

    async def test_a_market_order_walks_the_book(self, rig: Rig, venue: VenueAccount) -> None:
        began_us = time.time_ns() // 1_000 - MINUTE_US
        approved = rig.order(side="buy", quantity=rig.unit * 6, limit_price=None)
        await venue.submit(approved)
        state = await venue.order_state(rig.symbol, approved.value.client_order_id)
        assert state is not None
        assert (state.status, state.filled, state.limit_price) == ("filled", rig.unit * 6, None)
        fills = await venue.fills_since(rig.symbol, began_us)
        assert [(fill.price, fill.quantity) for fill in fills] == [(ASK, rig.unit * 4), (WORSE_ASK, rig.unit * 2)]
        assert {fill.venue_order_id for fill in fills} == {state.venue_order_id}

    async def test_a_resting_order_is_partly_filled_and_cancelled_once(self, rig: Rig, venue: VenueAccount) -> None:
        approved = rig.order(quantity=rig.unit * 7, time_in_force="gtc")
        name = approved.value.client_order_id
        assert (await venue.submit(approved)).accepted_quantity == rig.unit * 7
        state = await venue.order_state(rig.symbol, name)
        assert state is not None
        assert (state.status, state.filled) == ("partially_filled", rig.unit * 5)
        assert [found.client_order_id for found in await venue.open_orders(rig.symbol)] == [name]
        cancelled = await venue.cancel(rig.symbol, name)
        assert (cancelled.client_order_id, cancelled.status, cancelled.filled) == (name, "canceled", rig.unit * 5)
        with pytest.raises(Rejected) as caught:
            await venue.cancel(rig.symbol, name)
        assert caught.value.reason == "unknown_order"
        assert await venue.open_orders(rig.symbol) == []
        with pytest.raises(Rejected) as caught:
            await venue.cancel(rig.symbol, f"t{uuid4().hex[:20]}")
        assert caught.value.reason == "unknown_order"

    async def test_a_cancel_of_what_is_filled_changes_nothing(self, rig: Rig, venue: VenueAccount) -> None:
        approved = rig.order(time_in_force="gtc")
        await venue.submit(approved)
        with pytest.raises(Rejected) as caught:
            await venue.cancel(rig.symbol, approved.value.client_order_id)
        assert caught.value.reason == "unknown_order"
        state = await venue.order_state(rig.symbol, approved.value.client_order_id)
        assert state is not None
        assert (state.status, state.filled) == ("filled", rig.unit)

    @pytest.mark.parametrize("kind", ["timeout", "reset", "bad_gateway", "truncate", "html"])
    async def test_a_cancel_that_was_done_but_unanswered_is_unknown_and_found_by_our_id(
        self, rig: Rig, venue: VenueAccount, kind: str
    ) -> None:
        approved = rig.order(quantity=rig.unit * 7, time_in_force="gtc")
        name = approved.value.client_order_id
        await venue.submit(approved)
        rig.arm(kind, "cancel")
        with pytest.raises(Unknown):
            await venue.cancel(rig.symbol, name)
        state = await venue.order_state(rig.symbol, name)
        assert state is not None
        assert (state.status, state.filled) == ("canceled", rig.unit * 5)
        with pytest.raises(Rejected) as caught:
            await venue.cancel(rig.symbol, name)
        assert caught.value.reason == "unknown_order"

    @pytest.mark.parametrize("kind", ["lost", "maintenance", "rate_limited"])
    async def test_a_cancel_that_was_not_done_is_unknown_and_may_be_sent_again(
        self, rig: Rig, venue: VenueAccount, kind: str
    ) -> None:
        approved = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
        name = approved.value.client_order_id
        await venue.submit(approved)
        rig.arm(kind, "cancel")
        with pytest.raises(Unknown):
            await venue.cancel(rig.symbol, name)
        state = await venue.order_state(rig.symbol, name)
        assert state is not None
        assert state.status == "new"
        assert (await venue.cancel(rig.symbol, name)).status == "canceled"

    async def test_orders_and_cancels_do_not_wait_behind_questions(self, rig: Rig, venue: VenueAccount) -> None:
        approved = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
        began_us = time.time_ns() // 1_000 - MINUTE_US
        asking: list[asyncio.Task[Any]] = []
        for _ in range(QUESTIONS):
            asking.append(asyncio.create_task(venue.fills_since(rig.symbol, began_us)))
            asking.append(asyncio.create_task(venue.open_orders(rig.symbol)))
        await asyncio.sleep(0)
        await venue.submit(approved)
        await venue.cancel(rig.symbol, approved.value.client_order_id)
        waiting = sum(not task.done() for task in asking)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert waiting > QUESTIONS, "in one line with them, all would have been answered first"

    async def test_post_only_rests_or_is_refused_aloud(self, rig: Rig, venue: VenueAccount) -> None:
        resting = rig.order(limit_price=WORSE_ASK, time_in_force="gtx")
        assert (await venue.submit(resting)).filled == 0
        state = await venue.order_state(rig.symbol, resting.value.client_order_id)
        assert state is not None
        assert state.status == "new"
        taking = rig.order(limit_price=WORSE_BID, time_in_force="gtx")
        with pytest.raises(Rejected) as caught:
            await venue.submit(taking)
        assert caught.value.reason == "post_only_would_take"
        state = await venue.order_state(rig.symbol, taking.value.client_order_id)
        assert state is None or (state.status in TERMINAL and not state.filled)

    async def test_reduce_only_reduces_or_is_refused(self, rig: Rig, venue: VenueAccount) -> None:
        with pytest.raises(Rejected) as caught:
            await venue.submit(rig.order(reduce_only=True))
        assert caught.value.reason == "reduce_only"
        if rig.is_spot:
            assert rig.orders_kept == 0
            return
        await venue.submit(rig.order(quantity=rig.unit * 2))
        back = rig.order(side="buy", quantity=rig.unit * 2, limit_price=ASK, reduce_only=True)
        await venue.submit(back)
        state = await venue.order_state(rig.symbol, back.value.client_order_id)
        assert state is not None
        assert (state.status, state.reduce_only) == ("filled", True)
        assert await venue.positions() == []

    async def test_too_much_for_the_account_is_refused(self, bench: Bench, tmp_path: Path) -> None:
        poor = {"deposit_usdt": D(1), "deposits": {"ETH": D("0.001")}}
        async with rigged(bench, tmp_path, **poor) as rig, rig.account() as venue:
            for approved in (rig.order(), rig.order(side="buy", limit_price=ASK)):
                with pytest.raises(Rejected) as caught:
                    await venue.submit(approved)
                assert caught.value.reason == "insufficient_margin"
                state = await venue.order_state(rig.symbol, approved.value.client_order_id)
                assert state is None or (state.status in TERMINAL and not state.filled)

    async def test_what_ccxt_would_round_or_misread_is_refused_before_sending(
        self, rig: Rig, venue: VenueAccount
    ) -> None:
        (listed,) = venue.instruments
        refused: list[tuple[dict[str, Any], str]] = [
            ({"quantity": rig.unit + listed.step / 2}, "size_or_price_step"),
            ({"quantity": D(0)}, "size_or_price_step"),
            ({"quantity": -rig.unit}, "size_or_price_step"),
            ({"quantity": D("NaN")}, "size_or_price_step"),
            ({"quantity": D("1E+40")}, "size_or_price_step"),
            ({"limit_price": BID + listed.tick / 2}, "size_or_price_step"),
            ({"limit_price": None, "time_in_force": "gtc"}, "malformed"),
            ({"client_order_id": "x" * 70}, "malformed"),
            ({"client_order_id": "a b"}, "malformed"),
            ({"symbol": "DOGE/USDT:USDT"}, "unknown_symbol"),
            ({"symbol": "ETH/USDT:USDT" if rig.is_spot else "ETH/USDT"}, "unknown_symbol"),
            ({"account": "other"}, "malformed"),
            ({"venue": "elsewhere"}, "malformed"),
        ]
        for changes, reason in refused:
            with pytest.raises(Rejected) as caught:
                await venue.submit(rig.order(**changes))
            assert caught.value.reason == reason, changes
        assert rig.orders_kept == 0

    async def test_a_client_order_id_that_is_taken_may_be_ours(self, rig: Rig, venue: VenueAccount) -> None:
        approved = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
        first = await venue.submit(approved)
        if rig.bench.repeats:
            second = await venue.submit(approved)
            assert second.venue_order_id != first.venue_order_id
        else:
            with pytest.raises(Unknown):
                await venue.submit(approved)
            assert rig.orders_kept == 1
        state = await venue.order_state(rig.symbol, approved.value.client_order_id)
        assert state is not None
        assert state.status == "new"

    async def test_an_order_whose_time_has_passed_or_passes_in_the_queue_is_not_sent(self, rig: Rig) -> None:
        async with rig.account(order_rate=OrderRate(per_s=2, burst=1)) as venue:
            with pytest.raises(Unavailable):
                await venue.submit(approve(rig.order().value, uuid4(), time.time_ns() // 1_000 - 1))
            until_us = time.time_ns() // 1_000 + 700_000
            attempts = [approve(rig.order().value, uuid4(), until_us) for _ in range(5)]
            outcomes = await asyncio.gather(*map(venue.submit, attempts), return_exceptions=True)
        sent = [outcome for outcome in outcomes if not isinstance(outcome, Unavailable)]
        assert 1 <= len(sent) <= 3
        assert rig.orders_kept == len(sent)

    @pytest.mark.parametrize("kind", ["timeout", "reset", "bad_gateway", "truncate", "html"])
    async def test_done_but_unanswered_is_unknown_and_found_by_our_id(
        self, rig: Rig, venue: VenueAccount, kind: str
    ) -> None:
        began_us = time.time_ns() // 1_000 - MINUTE_US
        approved = rig.order()
        async with listening(venue.account_events()) as account:
            await account.until(Connected)
            rig.arm(kind, "create")
            with pytest.raises(Unknown):
                await venue.submit(approved)
            state = await venue.order_state(rig.symbol, approved.value.client_order_id)
            assert state is not None
            assert (state.status, state.filled) == ("filled", rig.unit)
            told = await account.until(FillReport)
        (swept,) = await venue.fills_since(rig.symbol, began_us)
        assert told.fill_key == swept.fill_key
        assert (told.source, swept.source) == ("stream", "sweep")
        assert rig.simulated.faults.counts == {kind: 1}
        assert rig.orders_kept == 1, "sent once"

    @pytest.mark.parametrize("kind", ["lost", "maintenance", "rate_limited"])
    async def test_not_done_but_we_cannot_know_is_unknown_and_absent(
        self, rig: Rig, venue: VenueAccount, kind: str
    ) -> None:
        approved = rig.order()
        rig.arm(kind, "create")
        with pytest.raises(Unknown):
            await venue.submit(approved)
        assert await venue.order_state(rig.symbol, approved.value.client_order_id) is None
        assert venue.absence_after_ms > rig.settings().recv_window_ms
        assert rig.orders_kept == 0

    async def test_a_query_that_fails_proves_no_absence(self, rig: Rig, venue: VenueAccount) -> None:
        approved = rig.order()
        await venue.submit(approved)
        for kind in ("bad_gateway", "html", "truncate"):
            rig.arm(kind, "order")
            with pytest.raises(Unknown):
                await venue.order_state(rig.symbol, approved.value.client_order_id)
        rig.arm("html", "fills")
        with pytest.raises(Unknown):
            await venue.fills_since(rig.symbol, time.time_ns() // 1_000 - MINUTE_US)
        if not rig.is_spot:
            rig.arm("html", "positions")
            with pytest.raises(Unknown):
                await venue.positions()

    async def test_a_refused_connection_sent_nothing(self, rig: Rig, venue: VenueAccount) -> None:
        await rig.stop()
        with pytest.raises(Unavailable):
            await venue.submit(rig.order())
