"""One socket of a feed, kept up: what comes goes to its dialect, what the dialect asks for is done.

A lost book is told at once and then renewed, at a bounded pace; a silent one costs the socket its life, as does a
message that cannot be placed. Reconnecting is paced too, and waits as long as the venue asks.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from adapters.exchange.feeds.backoff import Backoff
from adapters.exchange.feeds.connection import Reach, Socket
from adapters.exchange.feeds.counters import Counters
from adapters.exchange.feeds.dialect import Acts, Changed, Dialect, Fetch, HangUp, Lost, Say, Unread
from adapters.exchange.feeds.mailbox import Mailbox
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.feeds.trouble import Unreachable, Unreadable
from domain.venue import BookLost, MarkReport, TradePrint

LOOK_S_MIN, LOOK_S_MAX = 0.02, 0.5
_log = logging.getLogger(__name__)


class Line:
    """Keep one socket up. `run` is its task and ends only by breaking."""

    def __init__(
        self, dialect: Dialect, settings: FeedSettings, reach: Reach, mailbox: Mailbox, counters: Counters
    ) -> None:
        self.dialect = dialect
        self.is_up = False
        self._settings = settings
        self._reach = reach
        self._mailbox = mailbox
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._reconnecting = Backoff()
        self._renewing = {symbol: Backoff(free=1) for symbol in dialect.books}
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._asked_s: dict[str, float] = {}
        self._heard_s: dict[str, float] = {}
        self._lost_s: dict[str, float] = {}
        self._socket: Socket | None = None
        self._ended: asyncio.Future[str] = self._loop.create_future()

    async def run(self) -> None:
        """Connect, converse, and connect again, until cancelled."""
        dialect = self.dialect
        while True:
            asked_s = 0.0
            # A fresh future for each connection: what an old one still has to say ends nothing.
            ended = self._ended = self._loop.create_future()
            try:
                socket = await self._reach.connect(
                    dialect.stream_host,
                    dialect.stream_port,
                    dialect.stream_path,
                    heard=self._hear,
                    ended=lambda reason, ended=ended: _end(ended, f"disconnected: {reason}"),
                )
            except Unreachable as error:
                reason, asked_s = f"disconnected: {error}", error.retry_after_s
            else:
                reason = await self._converse(socket, ended)
            self._counters.reconnects += 1
            self._lose_all(reason)
            dialect.closed()
            await asyncio.sleep(self._reconnecting.pause_s(self._loop.time(), asked_s))

    async def _converse(self, socket: Socket, ended: "asyncio.Future[str]") -> str:
        """Use a connection until it ends, and return why it did."""
        self._socket, self.is_up = socket, True
        now_s = self._loop.time()
        self._lost_s = dict.fromkeys(self.dialect.books, now_s)
        self._do(self.dialect.hello())
        self._job("keep", self._keep())
        try:
            return await ended
        finally:
            self._socket, self.is_up = None, False
            for task in self._jobs.values():
                task.cancel()
            await asyncio.gather(*self._jobs.values(), return_exceptions=True)
            self._jobs.clear()
            socket.close()

    def _hear(self, payload: bytes) -> None:
        """Take one message: called by the socket, so nothing may be raised from here but through `_ended`."""
        if self._ended.done():
            return
        self._counters.messages += 1
        try:
            self._do(self.dialect.receive(payload, time.time_ns() // 1_000))
        except Unreadable as error:
            self._counters.unread += 1
            _end(self._ended, f"unreadable: {error}")
        except Exception as error:  # noqa: BLE001 - a callback of the socket: the task that waits gets it
            if not self._ended.done():
                self._ended.set_exception(error)

    def _do(self, acts: Acts) -> None:
        mailbox = self._mailbox
        for act in acts:
            match act:
                case Changed(symbol=symbol):
                    self._heard_s[symbol] = self._loop.time()
                    mailbox.changed(symbol)
                case TradePrint():
                    mailbox.trade(act)
                case MarkReport():
                    mailbox.mark(act)
                case _:
                    self._attend(act)

    def _attend(self, act: Lost | Say | Fetch | HangUp | Unread) -> None:
        match act:
            case Lost(symbol=symbol, reason=reason):
                self._lose(symbol, reason)
                pause_s = self._renewing[symbol].pause_s(self._loop.time(), self._asked_s.pop(symbol, 0.0))
                self._job(symbol, self._renew(symbol, pause_s))
            case Say(text=text):
                if self._socket is not None:
                    self._socket.send(text)
            case Fetch(symbol=symbol):
                self._job(symbol, self._renew(symbol, 0.0))
            case HangUp(reason=reason):
                _end(self._ended, reason)
            case Unread(text=text):
                self._counters.unread += 1
                _log.warning("%s: %s", self.dialect.venue, text)

    def _job(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start a task of this connection, unless it is under way; one that breaks ends the line."""
        if name in self._jobs or self._socket is None:
            work.close()
            return
        task = self._jobs[name] = self._loop.create_task(work)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self._ended.done():
            self._ended.set_exception(error)

    async def _renew(self, symbol: str, pause_s: float) -> None:
        """Get a book a new snapshot after a pause. By the time it is there, another loss may be told again."""
        dialect = self.dialect
        await asyncio.sleep(pause_s)
        acts = dialect.renew(symbol)
        for act in acts:
            if isinstance(act, Fetch):
                try:
                    body = await self._reach.get(dialect.rest_host, act.path)
                except Unreachable as error:
                    self._asked_s[symbol] = error.retry_after_s
                    again = dialect.lose(symbol, f"disconnected: no snapshot: {error}")
                else:
                    again = dialect.fetched(symbol, body, time.time_ns() // 1_000)
                del self._jobs[symbol]
                self._do(again)
                return
        del self._jobs[symbol]
        self._lost_s[symbol] = self._loop.time()
        self._do(acts)

    async def _keep(self) -> None:
        """Send the venue's pings; end the connection when a book is silent, or does not come at all."""
        dialect, settings = self.dialect, self._settings
        look_s = min(LOOK_S_MAX, max(LOOK_S_MIN, settings.silence_ms / 4_000))
        pinged_s = self._loop.time()
        while True:
            await asyncio.sleep(look_s)
            now_s = self._loop.time()
            if dialect.ping_text and now_s - pinged_s >= dialect.ping_every_s and self._socket is not None:
                self._socket.send(dialect.ping_text)
                pinged_s = now_s
            for symbol in dialect.books:
                if dialect.is_believed(symbol):
                    if now_s - self._heard_s[symbol] > settings.silence_ms / 1_000:
                        _end(self._ended, f"silence: nothing of {symbol} for {settings.silence_ms} ms")
                elif symbol not in self._jobs and now_s - self._lost_s[symbol] > settings.snapshot_ms / 1_000:
                    _end(self._ended, f"silence: no book of {symbol} for {settings.snapshot_ms} ms")

    def _lose_all(self, reason: str) -> None:
        for symbol in self.dialect.books:
            self.dialect.lose(symbol, reason)
            self._lose(symbol, reason)

    def _lose(self, symbol: str, reason: str) -> None:
        self._counters.lost(reason)
        self._lost_s[symbol] = self._loop.time()
        _log.info("%s: book of %s lost: %s", self.dialect.venue, symbol, reason)
        self._mailbox.lost(
            BookLost(venue=self.dialect.venue, symbol=symbol, reason=reason, at_us=time.time_ns() // 1_000)
        )


def _end(ended: "asyncio.Future[str]", reason: str) -> None:
    if not ended.done():
        ended.set_result(reason)


def lines(
    made: Sequence[Dialect], settings: FeedSettings, reach: Reach, mailbox: Mailbox, counters: Counters
) -> list[Line]:
    """Return a line for each dialect, all into one mailbox."""
    return [Line(dialect, settings, reach, mailbox, counters) for dialect in made]
