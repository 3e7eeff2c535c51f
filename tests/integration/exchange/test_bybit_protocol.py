"""The simulated Bybit's own manners, asked without ccxt: its door, its words, its sockets, its memory."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.exchange.connection import loopback_session
from adapters.exchange.settings import Loopback
from adapters.simulators.bybit.errors import UNSAID, WORDS
from adapters.simulators.bybit.venue import BybitVenue
from adapters.simulators.listener import Listener as Port
from adapters.simulators.refusals import Refusal
from tests.support.exchange import KEY, SECRET, alone

D = Decimal
BIDS, ASKS = [(200_000, 500), (199_990, 900)], [(200_100, 400), (200_200, 800)]
REST, STREAM = "https://api.bybit.com", "wss://stream.bybit.com"
HOSTS = frozenset({"api.bybit.com", "stream.bybit.com"})
DAY_MS = 24 * 3_600_000


class Asker:
    """Ask the venue in its own words."""

    def __init__(self, venue: BybitVenue, session: aiohttp.ClientSession) -> None:
        self.venue = venue
        self.session = session

    def headers(self, said: str, **changes: str) -> dict[str, str]:
        at, window = changes.pop("at", str(time.time_ns() // 1_000_000)), changes.pop("window", "5000")
        key, secret = changes.pop("key", KEY), changes.pop("secret", SECRET)
        sign = hmac.new(secret.encode(), f"{at}{key}{window}{said}".encode(), hashlib.sha256).hexdigest()
        return {
            "X-BAPI-API-KEY": key,
            "X-BAPI-TIMESTAMP": at,
            "X-BAPI-SIGN": sign,
            "X-BAPI-RECV-WINDOW": window,
        }

    async def get(self, path: str, query: str = "", **changes: str) -> Any:
        async with self.session.get(f"{REST}{path}?{query}", headers=self.headers(query, **changes)) as answer:
            return await answer.json()

    async def post(self, path: str, **fields: Any) -> Any:
        body = json.dumps(fields)
        async with self.session.post(f"{REST}{path}", data=body, headers=self.headers(body)) as answer:
            return await answer.json()

    async def order(self, **changes: Any) -> Any:
        fields = {
            "category": "linear",
            "symbol": "ETHUSDT",
            "side": "Sell",
            "orderType": "Limit",
            "qty": "1",
            "price": "2000",
            "timeInForce": "IOC",
        }
        return await self.post("/v5/order/create", **(fields | changes))


async def said(socket: aiohttp.ClientWebSocketResponse, message: Any) -> Any:
    await socket.send_str(message if isinstance(message, str) else json.dumps(message))
    return await socket.receive_json(timeout=30)


@pytest.fixture
async def asker(tmp_path: Path) -> AsyncIterator[Asker]:
    async with alone(BybitVenue, tmp_path, deposits={"ETH": D(100)}) as (venue, port):
        for symbol in ("ETHUSDT", "ETHUSD"):
            venue.set_levels(BIDS, ASKS, symbol)
        async with session(port) as made:
            yield Asker(venue, made)


def session(port: Port) -> aiohttp.ClientSession:
    return loopback_session(Loopback(port=port.port, ca_file=port.ca_file), HOSTS)


def test_every_refusal_has_its_words_or_is_never_said() -> None:
    assert set(WORDS) | UNSAID == set(Refusal)
    assert not set(WORDS) & UNSAID


async def test_a_request_is_let_in_only_with_key_signature_and_time(asker: Asker) -> None:
    now_ms = time.time_ns() // 1_000_000
    path = "/v5/account/info"
    assert (await asker.get(path))["retCode"] == 0
    refused: list[tuple[int, dict[str, str]]] = [
        (10003, {"key": "x" * 64}),
        (10004, {"secret": "x" * 64}),
        (10002, {"at": str(now_ms - 6_000)}),
        (10002, {"at": str(now_ms + 5_000)}),
        (10002, {"at": "yesterday"}),
        (10002, {"window": "-1"}),
        (10001, {"key": ""}),
    ]
    for code, changes in refused:
        assert (await asker.get(path, **changes))["retCode"] == code, changes
    assert (await asker.get(path, at=str(now_ms - 6_000), window="60000"))["retCode"] == 0
    async with asker.session.get(f"{REST}{path}") as answer:
        assert (await answer.json())["retCode"] == 10001
    async with asker.session.get(f"{REST}/v5/nowhere") as answer:
        assert (answer.status, (await answer.json())["retCode"]) == (404, 10017)


async def test_a_signature_is_over_what_was_said(asker: Asker) -> None:
    headers = asker.headers("category=linear&symbol=ETHUSDT")
    async with asker.session.get(f"{REST}/v5/position/list?category=linear&symbol=BTCUSDT", headers=headers) as answer:
        assert (await answer.json())["retCode"] == 10004


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (10001, {"category": "linear", "symbol": "ETHUSD"}),
        (10001, {"category": "nonsense"}),
        (10001, {"symbol": "DOGEUSDT"}),
        (10001, {"side": "sell"}),
        (10001, {"orderType": "Stop"}),
        (10001, {"timeInForce": "GTX"}),
        (10001, {"price": ""}),
        (10001, {"price": "2000.001"}),
        (10001, {"qty": "0.001"}),
        (10001, {"qty": "one"}),
        (10001, {"qty": "1.005"}),
        (10001, {"orderLinkId": "x" * 37}),
        (110094, {"qty": "0.01", "price": "100", "side": "Buy"}),
        (110017, {"reduceOnly": True}),
        (110003, {"price": "1000"}),
        (110007, {"qty": "7000", "price": "9000"}),
    ],
)
async def test_what_is_refused_never_was_an_order(asker: Asker, code: int, changes: dict[str, Any]) -> None:
    answer = await asker.order(**changes)
    assert (answer["retCode"], answer["result"]) == (code, {})
    assert not asker.venue.exchange.orders


async def test_an_answer_to_an_order_tells_ids_and_how_many_more_may_come(asker: Asker) -> None:
    answer = await asker.order(orderLinkId="a", timeInForce="FOK", qty="100")
    assert set(answer["result"]) == {"orderId", "orderLinkId"}
    (row,) = (await asker.get("/v5/order/realtime", "category=linear&orderLinkId=a&symbol=ETHUSDT"))["result"]["list"]
    assert (row["orderStatus"], row["rejectReason"]) == ("Cancelled", "EC_CancelForNoFullFill")
    assert (row["orderId"], row["avgPrice"], row["cumFeeDetail"]) == (answer["result"]["orderId"], "", {})
    assert (await asker.order(orderLinkId="a"))["retCode"] == 110072, "over, and still taken"


async def test_pages_follow_on_while_more_happens(asker: Asker) -> None:
    for number in range(5):
        await asker.order(orderLinkId=f"p{number}", qty="0.1")
    query = "category=linear&limit=2"
    first = (await asker.get("/v5/execution/list", query))["result"]
    await asker.order(qty="0.1")
    second = (await asker.get("/v5/execution/list", f"{query}&cursor={first['nextPageCursor']}"))["result"]
    third = (await asker.get("/v5/execution/list", f"{query}&cursor={second['nextPageCursor']}"))["result"]
    links = [row["orderLinkId"] for page in (first, second, third) for row in page["list"]]
    assert links == ["p4", "p3", "p2", "p1", "p0"]
    assert third["nextPageCursor"] == ""
    closed = (await asker.get("/v5/order/realtime", "category=linear&symbol=ETHUSDT&openOnly=1&limit=3"))["result"]
    assert len(closed["list"]) == 3
    wide = await asker.get("/v5/execution/list", f"category=linear&startTime=1&endTime={8 * DAY_MS}")
    assert wide["retCode"] == 10001
    assert (await asker.get("/v5/position/list", "category=linear"))["retCode"] == 10001
    assert (await asker.get("/v5/order/realtime", "category=linear"))["retCode"] == 10001


async def test_liquidations_and_deleveraging_are_called_by_their_names(asker: Asker) -> None:
    await asker.order(qty="3")
    venue = asker.venue
    for kind in ("liquidation", "adl"):
        venue.exchange.force_close("ETHUSDT", 100, kind, venue.clock_ms())
    venue.commit()
    rows = (await asker.get("/v5/execution/list", "category=linear"))["result"]["list"]
    assert [(row["execType"], row["orderLinkId"], row["side"]) for row in rows] == [
        ("AdlTrade", "", "Buy"),
        ("BustTrade", "", "Buy"),
        ("Trade", "", "Sell"),
    ]


async def test_a_public_socket_knows_its_category_and_answers_everything(asker: Asker) -> None:
    async with asker.session.ws_connect(f"{STREAM}/v5/public/linear") as socket:
        pong = await said(socket, {"op": "ping", "req_id": "7"})
        assert (pong["ret_msg"], pong["op"], pong["req_id"]) == ("pong", "ping", "7")
        strange = await said(socket, {"op": "subscribe", "args": ["orderbook.50.ETHUSD"]})
        assert (strange["success"], "handler not found" in strange["ret_msg"]) == (False, True)
        assert (await said(socket, {"op": "subscribe", "args": ["order"]}))["success"] is False
        assert (await said(socket, "{"))["success"] is False
        assert (await said(socket, {"op": "dance"}))["success"] is False
        wanted = {"op": "subscribe", "args": ["orderbook.1.ETHUSDT"], "req_id": 1}
        assert (await said(socket, wanted))["req_id"] == "1"
        top = await socket.receive_json(timeout=30)
        assert (top["type"], top["data"]["b"], top["data"]["a"]) == ("snapshot", [["2000", "5"]], [["2001", "4"]])
        assert "already subscribed" in (await said(socket, wanted))["ret_msg"]


async def test_a_ticker_begins_whole_and_goes_on_with_what_changed(asker: Asker) -> None:
    async with asker.session.ws_connect(f"{STREAM}/v5/public/inverse") as socket:
        assert (await said(socket, {"op": "subscribe", "args": ["tickers.ETHUSD"]}))["success"] is True
        whole = await socket.receive_json(timeout=30)
        assert (whole["type"], whole["data"]["fundingIntervalHour"]) == ("snapshot", "8")
        asker.venue.set_levels([(200_010, 700)], [], "ETHUSD", clear=False)
        changed: dict[str, Any] = {}
        while changed.get("bid1Price") != "2000.1":
            message = await socket.receive_json(timeout=30)
            assert message["type"] == "delta"
            changed = message["data"]
        assert "fundingRate" not in changed


async def test_a_private_socket_says_nothing_before_the_log_on(asker: Asker) -> None:
    async with asker.session.ws_connect(f"{STREAM}/v5/private") as socket:
        early = await said(socket, {"op": "subscribe", "args": ["order"], "req_id": 1})
        assert early["success"] is False
        expires = str(time.time_ns() // 1_000_000 + 10_000)
        nack = await said(socket, {"op": "auth", "args": [KEY, expires, "wrong"]})
        assert (nack["success"], nack["op"]) == (False, "auth")
        assert not {"request", "retCode", "req_id"} & set(nack), "as the true venue leaves it out"
        sign = hmac.new(SECRET.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        assert (await said(socket, {"op": "auth", "args": [KEY, expires, sign]}))["success"] is True
        past = hmac.new(SECRET.encode(), b"GET/realtime1000", hashlib.sha256).hexdigest()
        assert (await said(socket, {"op": "auth", "args": [KEY, "1000", past]}))["success"] is False
        pong = await said(socket, {"op": "ping"})
        assert (pong["op"], len(pong["args"])) == ("pong", 1)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await asker.session.ws_connect(f"{STREAM}/v5/trade")


async def test_orders_executions_and_ids_outlive_a_restart(tmp_path: Path) -> None:
    async def told(asker: Asker) -> list[Any]:
        queries = ("/v5/order/history", "/v5/execution/list", "/v5/position/list")
        return [(await asker.get(path, "category=linear&symbol=ETHUSDT"))["result"]["list"] for path in queries]

    async with alone(BybitVenue, tmp_path) as (venue, port), session(port) as made:
        venue.set_levels(BIDS, ASKS, "ETHUSDT")
        asker = Asker(venue, made)
        await asker.order(orderLinkId="kept", qty="2")
        venue.exchange.funded_until_ms["ETHUSDT"] = 0
        venue.set_levels([], [], "ETHUSDT", clear=False)
        before = await told(asker)
    async with alone(BybitVenue, tmp_path) as (venue, port), session(port) as made:
        venue.set_levels(BIDS, ASKS, "ETHUSDT")
        asker = Asker(venue, made)
        assert await told(asker) == before
        assert [row["execType"] for row in before[1]] == ["Funding", "Trade"]
        assert (await asker.order(orderLinkId="kept"))["retCode"] == 110072
