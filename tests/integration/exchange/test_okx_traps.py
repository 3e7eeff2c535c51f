"""OKX's own traps, each tried through the account against the simulated venue over TLS."""

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.settings import OrderRate
from adapters.simulators.admission import OrderRequest
from domain.ids import client_order_id
from domain.venue import Connected, Disconnected, FillReport, OrderReport, Rejected, Unknown
from tests.contract.venue_orders import MINUTE_US
from tests.contract.venue_rig import WORSE_ASK, Bench, Rig, rigged
from tests.integration.exchange.test_okx_account import LINEAR
from tests.support.exchange import listening

D = Decimal
BETWEEN = D("2000.5")
OLD_US = 20 * 24 * 3_600_000_000


@pytest.fixture
def bench() -> Bench:
    return LINEAR


@pytest.fixture
async def rig(bench: Bench, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(bench, tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ({"posMode": "long_short_mode"}, "net position mode"),
        ({"acctLv": "1"}, "futures mode"),
        ({"acctLv": "3"}, "futures mode"),
        ({"acctLv": "4"}, "futures mode"),
    ],
)
async def test_an_account_whose_mode_we_would_misread_is_not_opened(rig: Rig, mode: dict[str, str], said: str) -> None:
    modes: dict[str, str] = rig.simulated.modes  # pyright: ignore[reportAttributeAccessIssue] - OKX's own
    modes.update(mode)
    with pytest.raises(VenueUnsuitable, match=said):
        await rig.account().open()


async def test_a_wrong_passphrase_is_refused_at_start(rig: Rig) -> None:
    with pytest.raises(Rejected) as caught:
        await rig.account(passphrase="sesame").open()
    assert caught.value.reason == "not_authorised"


async def test_the_houses_own_order_ids_fit(rig: Rig) -> None:
    name = client_order_id(uuid4(), 1)
    async with rig.account() as venue:
        assert (await venue.submit(rig.order(client_order_id=name))).client_order_id == name
        for bad in ("t-1", "x" * 33, "ümlaut"):
            with pytest.raises(Rejected) as caught:
                await venue.submit(rig.order(client_order_id=bad))
            assert caught.value.reason == "malformed"


async def test_units_are_sent_as_contracts_and_the_accepted_size_is_read_back(rig: Rig) -> None:
    async with rig.account() as venue:
        acknowledged = await venue.submit(rig.order(quantity=D("1.234"), limit_price=WORSE_ASK, time_in_force="gtc"))
        (order,) = rig.simulated.exchange.open_orders("ETH-USDT-SWAP")
        assert rig.listed.quantity(order.quantity) == D("12.34"), "contracts of a tenth"
        assert acknowledged.accepted_quantity == D("1.234")
        with pytest.raises(Rejected) as caught:
            await venue.submit(rig.order(quantity=D("1.2345")))
        assert caught.value.reason == "size_or_price_step", "no whole lots, and nothing sent"
        assert rig.orders_kept == 1


async def test_a_post_only_order_that_would_take_is_a_refusal_though_it_was_accepted(rig: Rig) -> None:
    async with rig.account() as venue, listening(venue.account_events()) as account:
        await account.until(Connected)
        taking = rig.order(time_in_force="gtx")
        with pytest.raises(Rejected) as caught:
            await venue.submit(taking)
        assert caught.value.reason == "post_only_would_take"
        last = await account.until(OrderReport, lambda report: report.status == "canceled")
        assert (last.client_order_id, last.filled) == (taking.value.client_order_id, 0)


async def test_an_order_that_is_held_up_on_its_way_is_never_taken(rig: Rig) -> None:
    async with rig.account(recv_window_ms=2_000) as venue:
        rig.shift_clock(3_000)
        approved = rig.order()
        with pytest.raises(Unknown, match="50036"):
            await venue.submit(approved)
        assert rig.orders_kept == 0
        assert await venue.order_state(rig.symbol, approved.value.client_order_id) is None
        assert venue.absence_after_ms == 4_000, "the venue would take a signed request for thirty seconds"


async def test_queries_and_cancels_carry_no_expiry(rig: Rig) -> None:
    async with rig.account(recv_window_ms=2_000) as venue:
        resting = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
        await venue.submit(resting)
        rig.shift_clock(3_000)
        cancelled = await venue.cancel(rig.symbol, resting.value.client_order_id)
        assert cancelled.status == "canceled"


async def test_a_cancel_whose_end_cannot_be_seen_is_unknown_and_found_later(rig: Rig) -> None:
    async with rig.account() as venue:
        resting = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
        await venue.submit(resting)
        rig.arm("bad_gateway", "order")
        with pytest.raises(Unknown):
            await venue.cancel(rig.symbol, resting.value.client_order_id)
        state = await venue.order_state(rig.symbol, resting.value.client_order_id)
        assert state is not None
        assert state.status == "canceled"


@pytest.mark.parametrize("back_us", [MINUTE_US, OLD_US])
async def test_more_fills_than_a_page_are_all_found_once(rig: Rig, back_us: int) -> None:
    since_us = time.time_ns() // 1_000 - back_us
    async with rig.account() as venue:
        await venue.submit(rig.order(side="buy", quantity=D("0.25"), limit_price=BETWEEN, time_in_force="gtc"))
        for _ in range(250):
            rig.simulated.exchange.market_trade("ETH-USDT-SWAP", "SELL", 200_050, 1, rig.simulated.clock_ms())
        rig.simulated.commit()
        fills = await venue.fills_since(rig.symbol, since_us)
        told = rig.simulated.exchange.ledger.trades
        assert len(told) == 250
        assert [fill.trade_id for fill in fills] == [str(trade.trade_id) for trade in told]
        assert await venue.fills_since(rig.symbol, fills[-1].at_us + 1_000) == []


async def test_more_open_orders_than_a_page_are_all_found(rig: Rig) -> None:
    async with rig.account(order_rate=OrderRate(per_s=1_000, burst=200)) as venue:
        names = set[str]()
        for tick in range(120):
            approved = rig.order(quantity=D("0.001"), limit_price=WORSE_ASK + tick, time_in_force="gtc")
            if tick < 2:
                await venue.submit(approved)
            else:
                _rest(rig, approved.value.client_order_id, int((WORSE_ASK + tick) * 100))
            names.add(approved.value.client_order_id)
        found = await venue.open_orders(rig.symbol)
        assert {report.client_order_id for report in found} == names


async def test_funding_over_more_than_a_page_is_all_found_once(rig: Rig) -> None:
    async with rig.account() as venue:
        await venue.submit(rig.order())
        for _ in range(150):
            rig.pay_funding()
        paid = await venue.fundings_since(time.time_ns() // 1_000 - MINUTE_US)
        assert len({report.payment_id for report in paid}) == len(paid) == 150


async def test_a_price_that_moves_is_no_change_of_a_listing(rig: Rig) -> None:
    async with rig.account() as venue:
        before = venue.instruments
        assert [tier.notional_from for tier in before[0].margin_tiers] == [0, 2_000_000]
        rig.book([(D(3100), 5)], [(D(3101), 5)])
        assert await venue.relist() == before


async def test_a_closing_socket_is_left_before_it_is_closed(rig: Rig) -> None:
    async with rig.account() as venue, listening(venue.account_events()) as account:
        first = await account.until(Connected)
        rig.simulated.sockets.warn_of_closing()  # pyright: ignore[reportAttributeAccessIssue] - OKX's own
        down = await account.until(Disconnected, after=account.heard.index(first))
        assert "64008" in down.reason
        await account.until(Connected, after=account.heard.index(down))
        await venue.submit(rig.order())
        await account.until(FillReport)


async def test_a_refused_log_on_is_tried_again(rig: Rig) -> None:
    async with rig.account() as venue, listening(venue.account_events()) as account:
        await account.until(Connected)
        rig.arm("clock_skew", skew_ms=60_000, for_ms=1_500)
        rig.drop_sockets()
        down = await account.until(Disconnected)
        await account.until(Connected, after=account.heard.index(down))
        assert venue.is_listening


async def test_liquidations_and_adl_have_negative_trade_ids_and_say_no_side_of_the_book(rig: Rig) -> None:
    async with rig.account() as venue:
        await venue.submit(rig.order(quantity=D(2)))
        rig.close_by_force(D(1), "liquidation")
        rig.close_by_force(D(1), "adl")
        fills = await venue.fills_since(rig.symbol, time.time_ns() // 1_000 - MINUTE_US)
        assert [fill.kind for fill in fills] == ["trade", "liquidation", "adl"]
        assert [fill.trade_id.startswith("-") for fill in fills] == [False, True, True]
        assert {fill.liquidity for fill in fills} == {"taker"}


def _rest(rig: Rig, name: str, ticks: int) -> None:
    request = OrderRequest(
        symbol="ETH-USDT-SWAP",
        side="SELL",
        type="LIMIT",
        quantity=D("0.01"),
        price=D(ticks) / 100,
        client_id=name,
    )
    rig.simulated.exchange.place(request, rig.simulated.clock_ms())
