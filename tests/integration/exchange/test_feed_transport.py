"""A feed's sockets against a small scripted venue: refusals, nonsense, parts, pings, and the pace of trying again."""

import asyncio
import datetime as dt
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from picows import WSMsgType
from picows.picows import _make_test_ws_frame

from adapters.exchange.feeds.backoff import FIRST_S, MOST_S, RETRY_AFTER_S_MAX, STEADY_S, Backoff
from adapters.exchange.feeds.connection import MESSAGE_BYTES_MAX, Socket
from adapters.exchange.feeds.feed import VenueFeed
from adapters.exchange.feeds.mailbox import Mailbox
from adapters.exchange.feeds.okx import Okx
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.settings import Loopback
from adapters.simulators.certificates import ensure_certificates
from domain.venue import BookLost, BookUpdate, TradePrint
from tests.support.exchange import listening
from tests.support.feed_payloads import book_messages, side_messages, speak
from tests.support.feeds import listing

HOSTS = ("ws.okx.com", "www.okx.com")
LISTED = listing("okx", "ETH/USDT:USDT", "ETH-USDT-SWAP")
SNAPSHOT = book_messages("okx")[0].decode()
Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Scripted:
    """Speak as the next act says; the last act is played again and again."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.dialled_s: list[float] = []
        self.said: asyncio.Queue[str] = asyncio.Queue()

    async def route(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.json_response({"code": "0", "data": [{"ts": str(time.time_ns() // 1_000_000)}]})
        self.dialled_s.append(time.monotonic())
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        return await act(request)

    def telling(self, *texts: str, then_close: bool = False) -> Act:
        async def act(request: web.Request) -> web.StreamResponse:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            self.said.put_nowait((await socket.receive()).data)
            for text in texts:
                await socket.send_str(text)
            if then_close:
                await socket.close(code=1012, message=b"restarting")
                return socket
            async for message in socket:
                self.said.put_nowait(str(message.data))
            return socket

        return act


def refusing(status: int, retry_after: str) -> Act:
    async def act(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Retry-After": retry_after})

    return act


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[tuple[Scripted, FeedSettings]]:
    scripted = Scripted()
    certificates = ensure_certificates(tmp_path, HOSTS, now=dt.datetime.now(dt.UTC))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scripted.route)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context()).start()
    loopback = Loopback(port=runner.addresses[0][1], ca_file=certificates.ca_file)
    yield scripted, FeedSettings(venue="okx", loopback=loopback, silence_ms=60_000, timeout_ms=2_000)
    await runner.cleanup()


Venue = tuple[Scripted, FeedSettings]


async def lost_then_whole(settings: FeedSettings, reason: str) -> VenueFeed:
    async with VenueFeed(settings, [LISTED]) as feed, listening(feed.events()) as events:
        lost = await events.until(BookLost)
        assert lost.reason.startswith(f"{reason}: "), lost.reason
        await events.until(BookUpdate, after=events.heard.index(lost))
        return feed


async def test_nonsense_costs_the_socket_its_life(venue: Venue) -> None:
    scripted, settings = venue
    scripted.acts = [scripted.telling(SNAPSHOT, "<html>"), scripted.telling(SNAPSHOT)]
    feed = await lost_then_whole(settings, "unreadable")
    assert len(scripted.dialled_s) == 2
    assert feed.counters.losses["unreadable"] == 1


async def test_a_close_is_told_with_its_reason(venue: Venue) -> None:
    scripted, settings = venue
    scripted.acts = [scripted.telling(SNAPSHOT, then_close=True), scripted.telling(SNAPSHOT)]
    async with VenueFeed(settings, [LISTED]) as feed, listening(feed.events()) as events:
        lost = await events.until(BookLost)
        assert lost.reason.startswith("disconnected: ")
        assert "restarting" in lost.reason


@pytest.mark.parametrize("status", [418, 429, 503])
async def test_retry_after_is_waited_for(venue: Venue, status: int) -> None:
    scripted, settings = venue
    scripted.acts = [refusing(status, "1"), scripted.telling(SNAPSHOT)]
    await lost_then_whole(settings, "disconnected")
    first, second = scripted.dialled_s
    assert second - first >= 1.0


async def test_a_refused_channel_is_told_and_asked_for_again(venue: Venue) -> None:
    scripted, settings = venue
    refusal = next(body for body in side_messages("okx") if b"60018" in body).decode()
    scripted.acts = [scripted.telling(refusal, SNAPSHOT)]
    feed = await lost_then_whole(settings, "refused")
    said = [json.loads(scripted.said.get_nowait()) for _ in range(3)]
    assert [row["op"] for row in said] == ["subscribe", "unsubscribe", "subscribe"]
    assert feed.counters.reconnects == 0


async def test_a_book_that_never_comes_is_silence(venue: Venue) -> None:
    scripted, settings = venue
    scripted.acts = [scripted.telling(), scripted.telling(SNAPSHOT)]
    changed = FeedSettings(venue="okx", loopback=settings.loopback, snapshot_ms=200, silence_ms=60_000)
    await lost_then_whole(changed, "silence")


async def test_the_venue_is_asked_whether_it_is_there(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Okx, "ping_every_s", 0.05)
    scripted, settings = venue
    scripted.acts = [scripted.telling(SNAPSHOT)]
    async with VenueFeed(settings, [LISTED]):
        await scripted.said.get()
        assert await asyncio.wait_for(scripted.said.get(), 10) == "ping"


async def test_a_task_that_breaks_is_told(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any) -> Any:
        raise ZeroDivisionError

    scripted, settings = venue
    scripted.acts = [scripted.telling(SNAPSHOT)]
    monkeypatch.setattr(Okx, "receive", broken)
    async with VenueFeed(settings, [LISTED]) as feed:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(feed.failed(), 10)


class Transport:
    """Stand in for a transport: remember that it was dropped."""

    dropped = False

    def disconnect(self, *, graceful: bool = True) -> None:
        del graceful
        self.dropped = True


def test_a_message_in_parts_is_put_together() -> None:
    heard: list[bytes] = []
    transport: Any = Transport()
    socket = Socket(heard.append, lambda _: None)
    for kind, part, last in ((WSMsgType.TEXT, b"a", False), (WSMsgType.CONTINUATION, b"b", True)):
        socket.on_ws_frame(transport, _make_test_ws_frame(kind, part, last, False))
    socket.on_ws_frame(transport, _make_test_ws_frame(WSMsgType.TEXT, b"c", True, False))
    assert heard == [b"ab", b"c"]


def test_a_message_in_endless_parts_ends_the_connection() -> None:
    reasons: list[str] = []
    transport: Any = Transport()
    socket = Socket(lambda _: None, reasons.append)
    part = bytes(MESSAGE_BYTES_MAX // 2 + 1)
    for kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
        socket.on_ws_frame(transport, _make_test_ws_frame(kind, part, False, False))
    assert transport.dropped
    socket.on_ws_disconnected(transport)
    assert "more than" in reasons[0]


def test_the_pause_doubles_is_bounded_and_forgets() -> None:
    backoff = Backoff()
    now_s = 100.0
    pauses: list[float] = []
    for _ in range(12):
        pauses.append(backoff.pause_s(now_s))
        now_s += pauses[-1]
    assert pauses[:3] == [FIRST_S, FIRST_S * 2, FIRST_S * 4]
    assert pauses[-1] == MOST_S
    assert backoff.pause_s(now_s, asked_s=90.0) == 90.0
    assert backoff.pause_s(now_s, asked_s=1e9) == RETRY_AFTER_S_MAX
    assert backoff.pause_s(now_s + RETRY_AFTER_S_MAX + STEADY_S + 1) == FIRST_S
    assert Backoff(free=1).pause_s(0.0) == 0.0


def loss(reason: str) -> BookLost:
    return BookLost(venue="okx", symbol="ETH/USDT:USDT", reason=reason, at_us=1)


def test_a_loss_comes_before_the_next_book_and_once() -> None:
    dialect = speak("okx")
    dialect.receive(SNAPSHOT.encode(), 1)
    box = Mailbox(dialect.book, trades_max=2)
    box.changed("ETH/USDT:USDT")
    box.lost(loss("gap: 1"))
    box.lost(loss("disconnected: 2"))
    box.changed("ETH/USDT:USDT")
    first, second = box.take(), box.take()
    assert isinstance(first, BookLost)
    assert first.reason == "gap: 1"
    assert isinstance(second, BookUpdate)
    assert box.take() is None
    box.lost(loss("gap: 3"))
    assert isinstance(box.take(), BookLost)


def test_trades_are_bounded_and_what_is_dropped_is_counted() -> None:
    box = Mailbox(lambda _: None, trades_max=2)
    dialect = speak("okx")
    for _ in range(5):
        (made,) = dialect.receive(side_messages("okx")[0], 1)
        assert isinstance(made, TradePrint)
        box.trade(made)
    assert isinstance(box.take(), TradePrint)
    assert isinstance(box.take(), TradePrint)
    assert box.take() is None
    assert box.trades_dropped == 3
