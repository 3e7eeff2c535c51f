"""What only Deribit does to an account, against the simulated venue over TLS: one test for each trap."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.exchange.account import VenueAccount
from adapters.exchange.deribit import dialect as deribit
from adapters.exchange.deribit import history as deribit_history
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.sending import SendingOnce
from adapters.simulators.admission import OrderRequest
from adapters.simulators.deribit import order_endpoints, streams
from adapters.simulators.deribit import venue as simulated
from adapters.simulators.sockets import Json
from domain.venue import Connected, Disconnected, FillReport, Rejected, Unknown
from tests.contract.venue_orders import MINUTE_US
from tests.contract.venue_rig import ASK, BID, WORSE_ASK, Rig, rigged
from tests.integration.exchange.test_deribit_account import INVERSE, LINEAR
from tests.support.exchange import SOON_S, listening

D = Decimal
HOUR_MS = 3_600_000
NAME = "ETH-PERPETUAL"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(INVERSE, tmp_path) as made:
        yield made


@pytest.fixture
async def venue(rig: Rig) -> AsyncIterator[VenueAccount]:
    async with rig.account() as made:
        yield made


def now_us() -> int:
    return time.time_ns() // 1_000


async def test_an_error_frame_is_a_lost_connection_and_not_a_dead_one(rig: Rig, venue: VenueAccount) -> None:
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        for socket in rig.simulated.hub.sockets:
            rig.simulated.hub.send(socket, {"jsonrpc": "2.0", "error": {"code": 11029, "message": "invalid_arguments"}})
        down = await account.until(Disconnected)
        assert "11029" in down.reason
        await account.until(Connected, after=account.heard.index(down))
        await venue.submit(rig.order())
        await account.until(FillReport)


async def test_an_answer_lost_on_a_connection_used_before_is_one_order(rig: Rig, venue: VenueAccount) -> None:
    await venue.submit(rig.order(quantity=rig.unit))
    for kind in ("reset", "lost"):
        before = rig.orders_kept
        approved = rig.order(quantity=rig.unit)
        rig.arm(kind, "create")
        with pytest.raises(Unknown):
            await venue.submit(approved)
        assert rig.orders_kept == before + (kind == "reset")


async def test_only_orders_are_sent_once_and_the_session_is_closed_as_ever(rig: Rig) -> None:
    async with rig.account() as venue:
        dialect: Any = venue._dialect  # pyright: ignore[reportPrivateUsage] - what it did to its clients
        assert isinstance(dialect.orders.session, SendingOnce)
        assert not isinstance(dialect.queries.session, SendingOnce)
        rig.arm("reset", "order")
        assert await venue.order_state(rig.symbol, "nobody") is None, "a question may be asked again"
    assert dialect.orders.session is None


async def test_every_order_under_a_label_is_cancelled(
    rig: Rig, venue: VenueAccount, caplog: pytest.LogCaptureFixture
) -> None:
    approved = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
    first = await venue.submit(approved)
    second = await venue.submit(approved)
    name = approved.value.client_order_id
    state = await venue.order_state(rig.symbol, name)
    assert state is not None
    assert state.venue_order_id == second.venue_order_id != first.venue_order_id
    assert "2 orders of ours under the label" in caplog.text
    cancelled = await venue.cancel(rig.symbol, name)
    assert (cancelled.venue_order_id, cancelled.status) == (second.venue_order_id, "canceled")
    assert rig.simulated.exchange.open_orders(None) == []


async def test_a_label_that_a_person_used_is_not_ours(rig: Rig, venue: VenueAccount) -> None:
    approved = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
    name = approved.value.client_order_id
    mine = await venue.submit(approved)
    by_hand(rig, name)
    state = await venue.order_state(rig.symbol, name)
    assert state is not None
    assert state.venue_order_id == mine.venue_order_id
    await venue.cancel(rig.symbol, name)
    (left,) = rig.simulated.exchange.open_orders(None)
    by_hand(rig, "theirs")
    with pytest.raises(Unknown, match="none of them placed by us"):
        await venue.order_state(rig.symbol, "theirs")
    assert left.is_open


def by_hand(rig: Rig, label: str) -> None:
    """Let a person place an order in the web pages."""
    venue = rig.simulated
    assert isinstance(venue, simulated.DeribitVenue)
    asked = OrderRequest(symbol=NAME, side="SELL", type="LIMIT", quantity=D(1_000), price=D(2_500), client_id=label)
    order = venue.exchange.place(asked, venue.clock_ms())
    venue.by_hand.add(order.order_id)
    venue.commit()


async def test_an_order_closed_long_ago_is_found_in_history(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved = rig.order()
    await venue.submit(approved)
    monkeypatch.setattr(order_endpoints, "ORDERS_RECENT_MS", -HOUR_MS)
    state = await venue.order_state(rig.symbol, approved.value.client_order_id)
    assert state is not None
    assert (state.status, state.filled) == ("filled", rig.unit)
    assert await venue.order_state(rig.symbol, "never") is None


async def test_fills_older_than_a_day_are_on_another_shelf(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    await venue.submit(rig.order())
    monkeypatch.setattr(order_endpoints, "FILLS_RECENT_MS", -HOUR_MS)
    assert await venue.fills_since(rig.symbol, now_us() - MINUTE_US) == []
    (fill,) = await venue.fills_since(rig.symbol, now_us() - 13 * HOUR_MS * 1_000)
    assert fill.quantity == rig.unit


async def test_more_fills_in_a_millisecond_than_a_page_holds(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    began_us = now_us() - MINUTE_US
    monkeypatch.setattr(deribit_history, "PAGE", 2)
    rig.book([(BID - D(number) / 20, 1) for number in range(7)], [(ASK, 1)])
    await venue.submit(rig.order(quantity=rig.unit * 7, limit_price=None))
    fills = await venue.fills_since(rig.symbol, began_us)
    assert len({fill.at_us for fill in fills}) == 1
    assert [fill.price for fill in fills] == [BID - D(number) / 20 for number in range(7)]


async def test_funding_is_paged_and_counted_once(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    began_us = now_us() - MINUTE_US
    await venue.submit(rig.order(quantity=rig.unit * 2))
    for _ in range(5):
        rig.pay_funding()
    monkeypatch.setattr(deribit_history, "LOG_PAGE", 2)
    paid = await venue.fundings_since(began_us)
    assert len({payment.payment_id for payment in paid}) == 5
    assert all(payment.amount > 0 for payment in paid)


async def test_a_pool_of_all_currencies_is_not_traded_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    true = order_endpoints.summary_row

    def pooled(*asked: Any) -> Json:
        return true(*asked) | {"cross_collateral_enabled": True}

    monkeypatch.setattr(order_endpoints, "summary_row", pooled)
    with pytest.raises(VenueUnsuitable, match="cross collateral"):
        await rig.account().open()


async def test_nothing_is_subscribed_to_before_the_log_on_is_answered(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ccxt takes a log-on that another watch has under way for one that is done."""
    happened: list[tuple[Any, str]] = []
    hub: Any = rig.simulated.hub
    methods: Any = rig.simulated._streams._methods  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue] - what it hears
    subscribe, send = methods["private/subscribe"], hub.send

    def hear(*asked: Any) -> Any:
        happened.append((asked[0], "subscribed"))
        return subscribe(*asked)

    def answer_late(socket: Any, message: Any) -> None:
        if "access_token" not in str(message.get("result")):
            send(socket, message)
            return

        def answer() -> None:
            happened.append((socket, "answered"))
            send(socket, message)

        happened.append((socket, "logged on"))
        asyncio.get_running_loop().call_later(0.3, answer)

    monkeypatch.setitem(methods, "private/subscribe", hear)
    monkeypatch.setattr(hub, "send", answer_late)
    async with rig.account() as venue, listening(venue.account_events()) as account:
        await account.until(Connected)
    # The connection on which orders are made logs on by itself.
    (stream,) = {socket for socket, what in happened if what == "subscribed"}
    assert [what for socket, what in happened if socket is stream] == [
        "logged on",
        "answered",
        "subscribed",
        "subscribed",
    ]


async def test_a_log_on_is_renewed_before_its_token_ends(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "TOKEN_S", 1)
    monkeypatch.setattr(deribit, "LOOK_S", 0.05)
    renewed = asyncio.Event()
    gate: Any = rig.simulated._gate  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue] - its door
    check, made = gate.check_session, list[int]()

    def count(*asked: Any) -> None:
        made.append(1)
        check(*asked)
        if len(made) > 2:
            renewed.set()

    monkeypatch.setattr(gate, "check_session", count)
    async with rig.account() as venue, listening(venue.account_events()) as account:
        await account.until(Connected)
        async with asyncio.timeout(SOON_S):
            await renewed.wait()
        await venue.submit(rig.order())
        await account.until(FillReport)
        assert account.of(Disconnected) == []


async def test_both_kinds_on_one_account_are_kept_apart(tmp_path: Path) -> None:
    """One account trades inverse in dollars and linear in coins: each under its own symbol and fee."""
    async with rigged(INVERSE, tmp_path) as rig:
        rig.simulated.set_levels([(40_000, 5_000)], [(40_020, 5_000)], LINEAR.market)
        async with rig.account(symbols=(INVERSE.symbol, LINEAR.symbol)) as venue:
            began_us = now_us() - MINUTE_US
            await asyncio.gather(
                venue.submit(rig.order(quantity=D(1_000))), venue.submit(rig.order(symbol=LINEAR.symbol, quantity=D(1)))
            )
            (inverse,) = await venue.fills_since(INVERSE.symbol, began_us)
            (linear,) = await venue.fills_since(LINEAR.symbol, began_us)
            assert (inverse.quantity, inverse.fee_asset) == (D(1_000), "ETH")
            assert (linear.quantity, linear.fee_asset) == (D(1), "USDC")
            held = {each.symbol: each.quantity for each in await venue.positions()}
            assert held == {INVERSE.symbol: D(-1_000), LINEAR.symbol: D(-1)}


async def test_a_refusal_is_told_for_what_it_is(rig: Rig, venue: VenueAccount) -> None:
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"limit_price": D(1_000)}, "price_band"),
        ({"reduce_only": True, "side": "buy", "limit_price": ASK}, "reduce_only"),
    )
    for changes, reason in refused:
        with pytest.raises(Rejected) as caught:
            await venue.submit(rig.order(**changes))
        assert caught.value.reason == reason
