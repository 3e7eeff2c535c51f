"""Every trap of Bybit that is known, by name: what its answers hide, and what ccxt makes of them."""

import time
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.exchange.account import VenueAccount
from adapters.exchange.bybit.dialect import BybitDialect
from adapters.exchange.dialect import Dropped, Listening
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.naming import Account
from adapters.simulators.bybit.endpoints import ENDPOINTS, Endpoint
from adapters.simulators.bybit.errors import BybitError
from adapters.simulators.bybit.gate import Gate
from adapters.simulators.faults import Fault
from domain.venue import TERMINAL, Connected, FillReport, OrderReport, Rejected, Unknown
from tests.contract.venue_orders import MINUTE_US
from tests.contract.venue_rig import ASK, BID, WORSE_ASK, Rig, rigged
from tests.integration.exchange.test_bybit_account import INVERSE, LINEAR
from tests.payloads.test_bybit import EXECUTION, OF, ORDER, bent
from tests.support.exchange import listening

D = Decimal
CREATE, CANCEL, REALTIME = "POST /v5/order/create", "POST /v5/order/cancel", "GET /v5/order/realtime"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(LINEAR, tmp_path) as made:
        yield made


@pytest.fixture
async def venue(rig: Rig) -> AsyncIterator[VenueAccount]:
    async with rig.account() as made:
        yield made


@contextmanager
def answering(monkeypatch: pytest.MonkeyPatch, name: str, change: Any) -> Generator[None]:
    """Let an endpoint's answer be something else: `change` gets the true one."""
    true = ENDPOINTS[name]

    def answer(desk: Any, parameters: Any, now_ms: int) -> Any:
        return change(true.answer(desk, parameters, now_ms))

    with monkeypatch.context() as patched:
        patched.setitem(ENDPOINTS, name, Endpoint(true.security, answer))  # pyright: ignore[reportArgumentType] - a dict
        yield


def since_us() -> int:
    return time.time_ns() // 1_000 - MINUTE_US


async def test_a_post_only_refusal_is_invisible_in_the_answer_and_told_all_the_same(
    rig: Rig, venue: VenueAccount
) -> None:
    taking = rig.order(limit_price=BID, time_in_force="gtx")
    with pytest.raises(Rejected) as caught:
        await venue.submit(taking)
    assert caught.value.reason == "post_only_would_take"
    assert rig.orders_kept == 1, "the venue had taken it"


async def test_an_ioc_that_found_nobody_is_over_and_not_refused(rig: Rig, venue: VenueAccount) -> None:
    acknowledged = await venue.submit(rig.order(limit_price=WORSE_ASK))
    assert (acknowledged.status, acknowledged.filled) == ("expired", 0)
    half = await venue.submit(rig.order(quantity=rig.unit * 7, limit_price=BID))
    assert (half.status, half.filled) == ("expired", rig.unit * 5)


async def test_a_fill_or_kill_that_was_killed_traded_nothing(rig: Rig, venue: VenueAccount) -> None:
    killed = await venue.submit(rig.order(quantity=rig.unit * 7, time_in_force="fok"))
    assert (killed.status, killed.filled) == ("expired", 0)


async def test_a_taken_order_that_cannot_be_read_back_is_unknown(rig: Rig, venue: VenueAccount) -> None:
    for kind in ("html", "bad_gateway", "truncate"):
        approved = rig.order()
        rig.arm(kind, REALTIME)
        with pytest.raises(Unknown):
            await venue.submit(approved)
        state = await venue.order_state(rig.symbol, approved.value.client_order_id)
        assert state is not None
        assert state.status in TERMINAL


async def test_an_order_that_shows_up_late_is_waited_for(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [3]

    def nothing_yet(answer: Any) -> Any:
        late[0] -= 1
        return {**answer, "list": []} if late[0] > 0 else answer

    with (
        answering(monkeypatch, REALTIME, nothing_yet),
        answering(monkeypatch, "GET /v5/order/history", lambda answer: {**answer, "list": []}),
    ):
        assert (await venue.submit(rig.order())).status == "filled"


async def test_an_answer_about_another_order_is_unknown(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        answering(monkeypatch, CREATE, lambda answer: {**answer, "orderLinkId": "somebody-else"}),
        pytest.raises(Unknown),
    ):
        await venue.submit(rig.order())


async def test_an_order_that_left_the_short_list_is_found_in_the_history(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved = rig.order()
    await venue.submit(approved)
    with answering(monkeypatch, REALTIME, lambda answer: {**answer, "list": []}):
        state = await venue.order_state(rig.symbol, approved.value.client_order_id)
    assert state is not None
    assert state.status == "filled"


async def test_a_cancel_that_is_heard_and_not_done_is_unknown(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
    name = approved.value.client_order_id
    await venue.submit(approved)
    deaf = Endpoint("signed", lambda _desk, _parameters, _now_ms: {"orderId": "x", "orderLinkId": name})
    with monkeypatch.context() as patched:
        patched.setitem(ENDPOINTS, CANCEL, deaf)  # pyright: ignore[reportArgumentType] - a dict
        with pytest.raises(Unknown):
            await venue.cancel(rig.symbol, name)
    assert (await venue.cancel(rig.symbol, name)).status == "canceled"


@pytest.mark.parametrize("code", [10000, 10016, 110079])
async def test_a_bare_exchange_error_is_unknown_and_the_order_is_looked_for(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def broken(_answer: Any) -> Any:
        raise BybitError(code, "System error. Please try again later.")

    approved = rig.order()
    with answering(monkeypatch, CREATE, broken), pytest.raises(Unknown):
        await venue.submit(approved)
    state = await venue.order_state(rig.symbol, approved.value.client_order_id)
    assert state is not None
    assert state.filled == rig.unit, "it had been done"


@pytest.mark.parametrize(
    "change",
    [{"unifiedMarginStatus": 1}, {"unifiedMarginStatus": 4}, {"marginMode": "PORTFOLIO_MARGIN"}, {"marginMode": None}],
)
async def test_an_account_in_another_mode_is_not_opened(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    with (
        answering(monkeypatch, "GET /v5/account/info", lambda answer: {**answer, **change}),
        pytest.raises(VenueUnsuitable, match="the account must be"),
    ):
        await rig.account().open()


async def test_hedge_mode_is_read_off_the_positions_and_not_opened(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def hedged(answer: Any) -> Any:
        return {**answer, "list": [{**row, "positionIdx": 1} for row in answer["list"]]}

    with (
        answering(monkeypatch, "GET /v5/position/list", hedged),
        pytest.raises(VenueUnsuitable, match="one-way"),
    ):
        await rig.account().open()


async def test_positions_of_both_categories_are_told(tmp_path: Path) -> None:
    async with rigged(LINEAR, tmp_path) as rig:
        rig.simulated.set_levels([(200_000, 900)], [(200_100, 900)], "ETHUSD")
        async with rig.account(symbols=(LINEAR.symbol, INVERSE.symbol)) as venue:
            await venue.submit(rig.order())
            await venue.submit(rig.order(symbol=INVERSE.symbol, quantity=D(300)))
            found = {position.symbol: position for position in await venue.positions()}
            (fill,) = await venue.fills_since(INVERSE.symbol, since_us())
    assert {symbol: position.quantity for symbol, position in found.items()} == {
        LINEAR.symbol: D(-1),
        INVERSE.symbol: D(-300),
    }
    assert (fill.fee_asset, fill.quantity) == ("ETH", 300)


async def test_funding_told_on_the_stream_is_no_fill(rig: Rig, venue: VenueAccount) -> None:
    began_us = since_us()
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        await venue.submit(rig.order())
        first = await account.until(FillReport)
        rig.pay_funding()
        await venue.submit(rig.order())
        await account.until(FillReport, after=account.heard.index(first) + 1)
        assert rig.simulated.hub.sent["execution"] == 3, "two fills and the funding between them"
        assert len(account.of(FillReport)) == 2
    (paid,) = await venue.fundings_since(began_us)
    assert paid.amount > 0


async def test_more_fills_than_a_page_holds_are_all_there(rig: Rig, venue: VenueAccount) -> None:
    prices = [ASK + D(n) / 100 for n in range(230)]
    rig.book([], [(price, 1) for price in prices])
    await venue.submit(rig.order(side="buy", quantity=rig.unit * 230, limit_price=prices[-1]))
    month_us = 30 * 24 * 3_600_000_000
    found = await venue.fills_since(rig.symbol, time.time_ns() // 1_000 - month_us)
    assert [fill.price for fill in found] == prices, "every one once, oldest first"


async def test_what_the_venue_no_longer_keeps_is_not_asked_for(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    true = ENDPOINTS["GET /v5/execution/list"]

    def answer(desk: Any, parameters: Any, now_ms: int) -> Any:
        asked.append(int(parameters["startTime"]))
        return true.answer(desk, parameters, now_ms)

    await venue.submit(rig.order())
    with monkeypatch.context() as patched:
        patched.setitem(ENDPOINTS, "GET /v5/execution/list", Endpoint("signed", answer))  # pyright: ignore[reportArgumentType] - a dict
        assert len(await venue.fills_since(rig.symbol, 0)) == 1
    assert time.time_ns() // 1_000_000 - min(asked) < 730 * 24 * 3_600_000


async def test_a_refused_log_on_names_no_request_and_is_tried_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    true, refused = Gate.opens_stream, [2]

    def first_refuse(gate: Gate, key: str, expires: str, signature: str, now_ms: int) -> bool:
        refused[0] -= 1
        return refused[0] < 0 and true(gate, key, expires, signature, now_ms)

    monkeypatch.setattr(Gate, "opens_stream", first_refuse)
    began = time.monotonic()
    async with rig.account() as venue, listening(venue.account_events()) as account:
        await account.until(Connected)
    assert refused[0] < 0
    assert time.monotonic() - began < 8, "not by waiting until ccxt's silence was noticed"


async def test_nothing_is_believed_before_both_topics_are_confirmed() -> None:
    dialect = made()
    ack = {"success": True, "ret_msg": "", "op": "subscribe", "conn_id": "c"}
    assert list(dialect.hear({"op": "auth", "success": True})) == []
    assert list(dialect.hear({**ack, "req_id": "1"})) == []
    assert list(dialect.hear({**ack, "req_id": "1"})) == [], "the same one twice is one"
    assert list(dialect.hear({**ack, "req_id": "2", "success": False})) == []
    assert list(dialect.hear({**ack, "req_id": "2"})) == [Listening()]
    dialect.forget()
    assert list(dialect.hear({**ack, "req_id": "3"})) == []
    assert [type(each) for each in dialect.hear({"op": "auth", "success": False})] == [Dropped]


async def test_a_spot_fill_of_the_same_name_is_not_the_perpetuals() -> None:
    rows = [bent(EXECUTION, category=category) for category in ("spot", "option", "linear")]
    heard = list(made().hear({"topic": "execution", "data": rows}))
    assert [type(each) for each in heard] == [FillReport]


async def test_a_conditional_order_that_waits_is_no_order() -> None:
    rows = [bent(ORDER, orderStatus=status) for status in ("Untriggered", "Triggered", "Deactivated", "Filled")]
    heard = list(made().hear({"topic": "order", "data": rows}))
    assert [type(each) for each in heard] == [OrderReport]


async def test_a_taken_order_id_may_be_our_own_and_is_unknown(rig: Rig, venue: VenueAccount) -> None:
    approved = rig.order()
    rig.simulated.faults.arm(Fault(kind="reset", on=CREATE), time.time_ns() // 1_000_000)
    with pytest.raises(Unknown):
        await venue.submit(approved)
    with pytest.raises(Unknown, match="110072"):
        await venue.submit(approved)
    assert rig.orders_kept == 1


def made(of: Account = OF) -> BybitDialect:
    lines: Any = type("Lines", (), dict.fromkeys(("orders", "queries", "private", "settings")) | {"of": of})
    return BybitDialect(lines)
