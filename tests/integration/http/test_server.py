"""The server on a real socket: an integrator's script, live news, draining, and a port that is taken."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from api.http.server import serve
from tests.support.shop import PRIVATE_KEY, Shop

ROOT = Path(__file__).parents[3]
WITHIN_S = 30


@asynccontextmanager
async def served(shop: Shop) -> AsyncGenerator[tuple[str, asyncio.Event, asyncio.Task[None]]]:
    stop = asyncio.Event()
    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(shop.app, "127.0.0.1", 0, ready=bound.set_result, stop=stop))
    try:
        async with asyncio.timeout(WITHIN_S):
            port = await bound
        yield f"http://127.0.0.1:{port}", stop, task
    finally:
        stop.set()
        async with asyncio.timeout(WITHIN_S):
            await task


async def settle(shop: Shop) -> None:
    """Confirm each settlement as it is asked for, as the settlement's worker would."""
    count = 0
    while True:
        for settlement in list(shop.core.desk.book.settlements.values()):
            asked = settlement.requested
            count += 1
            body = {
                "settlement_id": str(asked.settlement_id),
                "request_id": str(asked.request_id),
                "reference": f"0x{count:064x}",
            }
            await shop.core.request("settlement.confirmed", json.dumps(body).encode(), UUID(int=count), "chain", "")
        await asyncio.sleep(0.02)


async def run_script(url: str, *flags: str) -> tuple[int | None, bytes, bytes]:
    script = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples" / "mint.py"),
        *("--url", url, "--private-key", "-", *flags),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WITHIN_S):
        out, errors = await script.communicate(PRIVATE_KEY.encode() + b"\n")
    assert PRIVATE_KEY.encode() not in out + errors
    return script.returncode, out, errors


async def test_the_integrators_script_mints_and_redeems_and_says_why_it_fails() -> None:
    shop = Shop()
    async with served(shop) as (url, _, _):
        settling = asyncio.create_task(settle(shop))
        try:
            for flags in (["--size", "1000"], ["--size", "400", "--redeem"]):
                status, out, errors = await run_script(url, "--pair", "USDT/USDe", *flags)
                assert status == 0, errors
                assert b"completed" in out
            status, _, errors = await run_script(url, "--pair", "DOGE/USDe")
            assert status == 1
            assert b"error_code: 3" in errors
        finally:
            settling.cancel()
            await asyncio.gather(settling, return_exceptions=True)
    assert not shop.core.desk.book.requests


async def test_live_news_reach_a_reader_and_end_when_the_server_stops() -> None:
    shop = Shop()
    async with served(shop) as (url, stop, task), httpx.AsyncClient(base_url=url) as client:
        async with client.stream("GET", "/v1/stream", headers=shop.bearer("viewer")) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            assert await anext(lines) == "event: lags"
            shop.broadcast.publish_indicative("WETH/USDe", b'{"n":1}')
            assert [await anext(lines) for _ in range(4)][2:] == ["event: indicative", 'data: {"n":1}']
            stop.set()
            assert [line async for line in lines if line] == []
        async with asyncio.timeout(WITHIN_S):
            await task


@pytest.mark.parametrize(
    ("path", "accept"),
    [("WETH-USDe/stream", "*/*"), ("weth/usde/stream", "*/*"), ("WETH/USDe", "text/event-stream")],
)
async def test_a_pairs_ladders_reach_who_follows_it(path: str, accept: str) -> None:
    shop = Shop()
    async with served(shop) as (url, stop, task), httpx.AsyncClient(base_url=url) as client:
        headers = shop.bearer("viewer") | {"Accept": accept}
        shop.broadcast.publish_indicative("WETH/USDe", b'{"n":1}')
        async with client.stream("GET", f"/v1/indicative/{path}", headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            assert [await anext(lines) for _ in range(3)] == ["event: indicative", 'data: {"n":1}', ""]
            shop.broadcast.publish_indicative("USDT/USDe", b"{}")
            shop.broadcast.publish_indicative("WETH/USDe", b'{"n":2}')
            assert [await anext(lines) for _ in range(2)] == ["event: indicative", 'data: {"n":2}']
            stop.set()
            assert [line async for line in lines if line] == []
        async with asyncio.timeout(WITHIN_S):
            await task


async def test_who_does_not_read_gets_the_newest_ladder_and_costs_little() -> None:
    shop = Shop()
    async with served(shop) as (url, _, _), httpx.AsyncClient(base_url=url) as client:
        async with client.stream("GET", "/v1/indicative/WETH-USDe/stream", headers=shop.bearer("viewer")) as answer:
            lines = answer.aiter_lines()
            shop.broadcast.publish_indicative("WETH/USDe", b"{}")
            assert await anext(lines) == "event: indicative"
            # More than the sockets between hold: the reader does not read meanwhile.
            sent = 400
            for number in range(sent):
                shop.broadcast.publish_indicative("WETH/USDe", json.dumps({"n": number, "pad": "x" * 65_536}).encode())
                await asyncio.sleep(0)
            (_, watching) = next(iter(shop.broadcast._watching))
            assert watching.skipped > 0
            seen: list[int] = []
            async with asyncio.timeout(WITHIN_S):
                while not seen or seen[-1] != sent - 1:
                    line = await anext(lines)
                    if line.startswith('data: {"n"'):
                        seen.append(json.loads(line.removeprefix("data: "))["n"])
        assert seen == sorted(seen)
        assert len(seen) < sent


async def test_what_is_under_way_is_finished_before_the_end() -> None:
    shop = Shop()
    asked, go = asyncio.Event(), asyncio.Event()
    decide = shop.core.request

    async def slowly(kind: str, body: bytes, command_id: UUID, actor: str, trace: str) -> object:
        asked.set()
        await go.wait()
        return await decide(kind, body, command_id, actor, trace)

    shop.core.request = slowly  # pyright: ignore[reportAttributeAccessIssue] # the same port, held back
    async with served(shop) as (url, stop, task), httpx.AsyncClient(base_url=url) as client:
        quote = asyncio.create_task(client.get("/rfq", params=shop.rfq()))
        await asked.wait()
        stop.set()
        await asyncio.sleep(0.2)
        assert not task.done()
        go.set()
        assert (await quote).status_code == 200
        async with asyncio.timeout(WITHIN_S):
            await task
        with pytest.raises(httpx.ConnectError):
            await client.get("/health/live")


async def test_a_taken_port_is_an_error_not_an_exit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            await serve(Shop().app, "127.0.0.1", port, ready=lambda _: None, stop=asyncio.Event())


async def test_a_body_that_never_ends_is_cut_off() -> None:
    shop = Shop()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 16_384

    async with served(shop) as (url, _, _), httpx.AsyncClient(base_url=url) as client:
        answer = await client.post("/order", params={"signature": "0x"}, content=endless())
        assert (answer.status_code, answer.json()["error"]["error_code"]) == (400, "29")
        assert (await client.get("/health/live")).status_code == 200


async def test_many_at_once_are_all_answered() -> None:
    shop = Shop()
    async with served(shop) as (url, _, _), httpx.AsyncClient(base_url=url) as client:
        answers = await asyncio.gather(*(client.get("/rfq", params=shop.rfq()) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["rfq_id"] for answer in answers}) == 100
