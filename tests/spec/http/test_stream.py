"""Live news: ladders, alerts and lags as server-sent events; slow readers are let go, many are refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.http.stream import QUEUE_MAX, SUBSCRIBERS_MAX, Broadcast, TooManySubscribers, frame, frames
from tests.support.shop import Shop


def broadcast() -> Broadcast:
    return Broadcast(lambda: 0.0, lambda: 0)


def lags() -> bytes:
    return b"{}"


async def first(stream: AsyncIterator[bytes], count: int) -> list[bytes]:
    return [await anext(stream) for _ in range(count)]


async def test_news_arrives_in_order_after_the_lags() -> None:
    hub = broadcast()
    stream = frames(hub, lags)
    assert await anext(stream) == b"event: lags\ndata: {}\n\n"
    hub.publish_indicative("A/B", b'{"n":1}')
    hub.publish("alert", b'{"n":2}')
    assert await first(stream, 2) == [b'event: indicative\ndata: {"n":1}\n\n', b'event: alert\ndata: {"n":2}\n\n']
    assert len(hub) == 1
    hub.close()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert len(hub) == 0


async def test_silence_is_filled_with_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.stream.TICK_S", 0.01)
    hub = broadcast()
    stream = frames(hub, lags)
    assert await first(stream, 3) == [frame("lags", b"{}")] * 3
    hub.close()
    assert [event async for event in stream] == []


async def test_a_slow_reader_is_told_and_let_go() -> None:
    hub = broadcast()
    slow, quick = frames(hub, lags), frames(hub, lags)
    await first(slow, 1)
    await first(quick, 1)
    for number in range(QUEUE_MAX + 1):
        hub.publish("alert", str(number).encode())
        assert await anext(quick) == frame("alert", str(number).encode())
    rest = [event async for event in slow]
    assert len(rest) == 1
    assert rest[0].startswith(b"event: dropped")
    hub.close()
    assert [event async for event in quick] == []


async def test_streams_are_bounded_and_none_opens_after_the_end() -> None:
    hub = broadcast()
    streams = [frames(hub, lags) for _ in range(SUBSCRIBERS_MAX)]
    for stream in streams:
        await anext(stream)
    with pytest.raises(TooManySubscribers):
        await anext(frames(hub, lags))
    hub.close()
    for stream in streams:
        assert [event async for event in stream] == []
    late = frames(hub, lags)
    assert len([event async for event in late]) == 1


def test_a_line_break_cannot_end_an_event() -> None:
    assert frame("alert", b"a\n\nevent: fake") == b"event: alert\ndata: a\ndata: \ndata: event: fake\n\n"


async def test_a_reader_that_leaves_is_forgotten() -> None:
    hub = broadcast()
    stream = frames(hub, lags)
    await first(stream, 1)
    reading = asyncio.create_task(first(stream, 1))
    await asyncio.sleep(0)
    assert len(hub) == 1
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await stream.aclose()  # pyright: ignore[reportAttributeAccessIssue] # an async generator
    assert len(hub) == 0


async def test_the_route_is_refused_when_every_place_is_taken() -> None:
    shop = Shop()
    streams = [frames(shop.broadcast, lags) for _ in range(SUBSCRIBERS_MAX)]
    for stream in streams:
        await anext(stream)
    async with shop.client() as client:
        answer = await client.get("/v1/stream", headers=shop.bearer("viewer"))
        assert answer.status_code == 503
        assert (await client.get("/v1/stream")).status_code == 401
    shop.broadcast.close()
    for stream in streams:
        assert [event async for event in stream] == []
