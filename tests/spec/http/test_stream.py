"""Live news: ladders, alerts and lags as server-sent events; slow readers are let go, many are refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.http.live import EVENT_STREAM
from api.http.stream import (
    LADDER_AGE_S_MAX,
    QUEUE_MAX,
    SUBSCRIBERS_MAX,
    Broadcast,
    TooManySubscribers,
    frame,
    frames,
    ladder_frames,
)
from tests.support.shop import Shop, code


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


def ladder(number: int) -> bytes:
    return f'{{"pair":"WETH/USDe","max-mint":"{number}"}}'.encode()


class Now:
    """Tell monotonic seconds that the test sets."""

    def __init__(self) -> None:
        self.s = 100.0


async def test_who_watches_a_pair_gets_its_ladders_as_published_and_no_other() -> None:
    hub = broadcast()
    hub.publish_indicative("WETH/USDe", ladder(0))
    watch = ladder_frames(hub, "weth/usde")
    assert await anext(watch) == frame("indicative", ladder(0))
    for number in range(1, 4):
        hub.publish_indicative("USDT/USDe", b"{}")
        hub.publish("alert", b"{}")
        hub.publish_indicative("WETH/USDe", ladder(number))
        assert await anext(watch) == frame("indicative", ladder(number))
    hub.close()
    assert [event async for event in watch] == []
    assert len(hub) == 0


async def test_a_slow_reader_of_a_pair_gets_the_newest_and_holds_no_memory() -> None:
    hub = broadcast()
    with hub.watched("WETH/USDe") as watching:
        for number in range(10_000):
            hub.publish_indicative("WETH/USDe", ladder(number))
        newest = await watching.next(1)
        assert newest is not None
        assert newest.body == ladder(9_999)
        assert watching.skipped == 9_999
        assert await watching.next(0.001) is None


async def test_a_silent_pair_is_told_as_stale_and_an_old_ladder_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.stream.TICK_S", 0.01)
    now = Now()
    hub = Broadcast(lambda: now.s, lambda: 0)
    unheard = ladder_frames(hub, "WETH/USDe")
    assert await anext(unheard) == frame("stale", b'{"age_ms":null}')
    hub.publish_indicative("WETH/USDe", ladder(1))
    assert await anext(unheard) == frame("indicative", ladder(1))
    now.s += LADDER_AGE_S_MAX + 0.5
    late = ladder_frames(hub, "WETH/USDe")
    assert await anext(late) == frame("stale", b'{"age_ms":3500}')
    hub.close()
    assert [event async for event in late] == []
    assert [event async for event in unheard] == []


async def test_watches_share_the_bound_of_streams_and_none_opens_after_the_end() -> None:
    shop = Shop()
    watches = [ladder_frames(shop.broadcast, "WETH/USDe") for _ in range(SUBSCRIBERS_MAX - 1)]
    shop.broadcast.publish_indicative("WETH/USDe", ladder(1))
    for watch in watches:
        await anext(watch)
    other = frames(shop.broadcast, lags)
    await anext(other)
    with pytest.raises(TooManySubscribers):
        await anext(ladder_frames(shop.broadcast, "WETH/USDe"))
    with pytest.raises(TooManySubscribers):
        await anext(frames(shop.broadcast, lags))
    async with shop.client() as client:
        for path, accept in (("/v1/indicative/WETH-USDe/stream", "*/*"), ("/v1/indicative/WETH/USDe", EVENT_STREAM)):
            answer = await client.get(path, headers=shop.bearer("viewer") | {"Accept": accept})
            assert (answer.status_code, code(answer)) == (503, "too_many_streams")
            assert (await client.get(path, headers={"Accept": accept})).status_code == 401
    shop.broadcast.close()
    for stream in (*watches, other, ladder_frames(shop.broadcast, "WETH/USDe")):
        assert [event async for event in stream] == []
