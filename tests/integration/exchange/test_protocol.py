"""The simulated venue's own manners, asked without ccxt: signatures, clocks, limits, streams, faults."""

import asyncio
import hashlib
import hmac
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.exchange.connection import LoopbackResolver, loopback_session
from adapters.exchange.settings import Loopback
from adapters.simulators.limits import Limits
from adapters.simulators.server import BinanceSimulator
from tests.support.exchange import KEY, SECRET, running, simulator_settings

REST = "https://fapi.binance.com"
WS = "wss://fstream.binance.com"
HOSTS = frozenset({"fapi.binance.com", "fstream.binance.com"})


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def signed(secret: str = SECRET, **parameters: Any) -> str:
    query = "&".join(f"{name}={value}" for name, value in ({"timestamp": now_ms()} | parameters).items())
    return f"{query}&signature={hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()}"


@pytest.fixture
async def session(simulator: BinanceSimulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with loopback_session(Loopback(port=simulator.port, ca_file=simulator.ca_file), HOSTS) as made:
        yield made


async def ask(session: aiohttp.ClientSession, method: str, path: str, key: str | None = KEY) -> tuple[int, Any]:
    headers = {} if key is None else {"X-MBX-APIKEY": key}
    async with session.request(method, f"{REST}{path}", headers=headers) as response:
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize(
    ("query", "key", "status", "code"),
    [
        (signed, None, 401, -2014),
        (signed, "x" * 64, 401, -2015),
        (lambda: signed(secret="wrong"), KEY, 400, -1022),
        (lambda: signed().replace("timestamp=1", "timestamp=2"), KEY, 400, -1022),
        (lambda: f"timestamp={now_ms()}", KEY, 400, -1102),
        (lambda: signed(timestamp=now_ms() - 6_000), KEY, 400, -1021),
        (lambda: signed(timestamp=now_ms() + 5_000), KEY, 400, -1021),
        (lambda: signed(recvWindow=70_000), KEY, 400, -1131),
        (lambda: signed(timestamp="soon"), KEY, 400, -1102),
    ],
)
async def test_the_door(session: aiohttp.ClientSession, query: Any, key: str | None, status: int, code: int) -> None:
    got_status, answer = await ask(session, "GET", f"/fapi/v3/account?{query()}", key)
    assert (got_status, answer["code"]) == (status, code)


async def test_an_old_request_is_within_a_wider_window(session: aiohttp.ClientSession) -> None:
    query = signed(timestamp=now_ms() - 6_000, recvWindow=10_000)
    assert (await ask(session, "GET", f"/fapi/v3/account?{query}"))[0] == 200


async def test_unknown_paths_and_hosts(session: aiohttp.ClientSession) -> None:
    assert (await ask(session, "GET", "/fapi/v1/nothing"))[0] == 404
    with pytest.raises(aiohttp.ClientConnectorError, match="not simulated"):
        await session.get("https://api.binance.com/api/v3/time")
    with pytest.raises(OSError, match="not simulated"):
        await LoopbackResolver(1, HOSTS).resolve("example.com")


async def test_weights_and_order_counts_are_limited(tmp_path: Path) -> None:
    limits = Limits(weight_per_minute=45, orders_per_ten_seconds=1)
    async with (
        running(simulator_settings(tmp_path, limits=limits)) as simulator,
        loopback_session(Loopback(port=simulator.port, ca_file=simulator.ca_file), HOSTS) as session,
    ):
        fields: dict[str, Any] = {"symbol": "ETHUSDT", "side": "SELL", "type": "MARKET", "quantity": 1}
        sent = [await ask(session, "POST", f"/fapi/v1/order?{signed(**fields)}") for _ in range(2)]
        assert [status for status, _ in sent] == [200, 429]
        assert sent[1][1]["code"] == -1015
        asked = [await ask(session, "GET", "/fapi/v1/depth?symbol=ETHUSDT&limit=5") for _ in range(3)]
        assert [status for status, _ in asked] == [200, 200, 429]
        assert asked[2][1]["code"] == -1003


async def test_diffs_chain_from_the_snapshot(simulator: BinanceSimulator, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(f"{WS}/public/ws/0") as socket:
        await socket.send_json({"method": "SUBSCRIBE", "params": ["ethusdt@depth@100ms"], "id": 1})
        assert await socket.receive_json() == {"result": None, "id": 1}
        _, snapshot = await ask(session, "GET", "/fapi/v1/depth?symbol=ETHUSDT&limit=5")
        book = {side: dict(snapshot[side]) for side in ("bids", "asks")}
        previous = None
        for i in range(5):
            simulator.venue.set_levels([(200_000 - i, 0), (199_980 - i, 1_000 + i)], [(200_020 + i, 500)], clear=False)
            diff = await socket.receive_json()
            if previous is None:
                assert diff["U"] <= snapshot["lastUpdateId"] + 1 <= diff["u"] + 1
            else:
                assert diff["pu"] == previous
            previous = diff["u"]
            for side, rows in (("bids", diff["b"]), ("asks", diff["a"])):
                book[side].update(dict(rows))
        _, after = await ask(session, "GET", "/fapi/v1/depth?symbol=ETHUSDT&limit=1000")
        for side in ("bids", "asks"):
            assert {price: size for price, size in book[side].items() if size != "0"} == dict(after[side])


async def test_public_streams_and_refusals(simulator: BinanceSimulator, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(f"{WS}/public/ws/0") as socket:
        await socket.send_json({"method": "SUBSCRIBE", "params": ["ethusdt@nonsense"], "id": 1})
        assert (await socket.receive_json())["error"]["code"] == 2
        await socket.send_str("not json")
        assert (await socket.receive_json())["error"]["code"] == 3
        streams = ["ethusdt@trade", "ethusdt@bookTicker", "ethusdt@markPrice@1s"]
        await socket.send_json({"method": "SUBSCRIBE", "params": streams, "id": 2})
        assert (await socket.receive_json()) == {"result": None, "id": 2}
        simulator.venue.exchange.market_trade("ETHUSDT", "BUY", 200_001, 1_000, now_ms())
        simulator.venue.commit()
        heard: dict[str, Any] = {}
        async with asyncio.timeout(20):
            while len(heard) < 3:
                message = await socket.receive_json()
                heard[message["e"]] = message
        assert (heard["trade"]["p"], heard["trade"]["q"], heard["trade"]["m"]) == ("2000.01", "1", False)
        assert heard["bookTicker"]["a"] == "2000.01"
        assert heard["markPriceUpdate"]["p"] == "2000.005"
        await socket.send_json({"method": "UNSUBSCRIBE", "params": streams, "id": 3})
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 4})
        async with asyncio.timeout(20):
            while (message := await socket.receive_json()).get("id") != 4:
                pass
        assert message["result"] == []
        await socket.ping(b"alive")


async def test_listen_keys(session: aiohttp.ClientSession) -> None:
    assert (await ask(session, "PUT", "/fapi/v1/listenKey"))[1]["code"] == -1125
    assert (await ask(session, "POST", "/fapi/v1/listenKey", None))[1]["code"] == -2014
    first = (await ask(session, "POST", "/fapi/v1/listenKey"))[1]["listenKey"]
    assert (await ask(session, "POST", "/fapi/v1/listenKey"))[1]["listenKey"] == first
    assert (await ask(session, "PUT", "/fapi/v1/listenKey"))[1]["listenKey"] == first
    assert (await ask(session, "DELETE", "/fapi/v1/listenKey"))[0] == 200
    assert (await ask(session, "POST", "/fapi/v1/listenKey"))[1]["listenKey"] != first


async def test_faults_are_armed_over_the_admin_door(tmp_path: Path) -> None:
    async with running(simulator_settings(tmp_path, admin_token="let me in")) as simulator:
        context = ssl.create_default_context(cafile=str(simulator.ca_file))
        base = f"https://localhost:{simulator.port}/admin/faults"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            async with session.get(base) as refused:
                assert refused.status == 401
            bearer = {"Authorization": "Bearer let me in"}
            async with session.post(base, headers=bearer, json={"kind": "maintenance", "times": 1}) as armed:
                assert armed.status == 200
            async with session.post(base, headers=bearer, json={"kind": "earthquake"}) as unknown:
                assert unknown.status == 400
            async with session.get(f"https://localhost:{simulator.port}/other", headers=bearer) as missing:
                assert missing.status == 404
            loopback = Loopback(port=simulator.port, ca_file=simulator.ca_file)
            async with loopback_session(loopback, HOSTS) as venue:
                async with venue.get(f"{REST}/fapi/v1/ping") as down:
                    assert down.status == 503
                async with venue.get(f"{REST}/fapi/v1/ping") as up:
                    assert up.status == 200
            async with session.get(base, headers=bearer) as counted:
                assert await counted.json() == {"maintenance": 1}


async def test_the_certificates_are_what_strict_clients_ask_for(simulator: BinanceSimulator) -> None:
    context = ssl.create_default_context(cafile=str(simulator.ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    _, writer = await asyncio.open_connection(
        "127.0.0.1", simulator.port, ssl=context, server_hostname="fstream.binance.com"
    )
    writer.close()
    await writer.wait_closed()
    assert (simulator.ca_file.parent / "leaf.key").stat().st_mode & 0o077 == 0
