"""Pyth through Hermes: the latest price at once, then the stream; every update verified before it is believed.

The host closes a stream after a day: then, and after every failure, it is asked again, less and less often. Only the
signed binary is read; what Hermes parsed for us is not asked for.
"""

import asyncio
import base64
import binascii
import contextlib
from typing import Any

import aiohttp

from adapters.oracle.asking import (
    NOT_FOUND,
    STREAM_TYPE,
    Backoff,
    OracleUnavailable,
    ask,
    checked,
    parse_json,
    unavailable,
)
from adapters.oracle.connection import open_session, stream_timeout
from adapters.oracle.following import Following
from adapters.oracle.outbox import now_us
from adapters.oracle.pyth import PythUpdate, verify_update
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.settings import HermesSettings
from adapters.oracle.sse import EventLines
from domain.market import USD
from domain.oracle import OraclePrice

LATEST, STREAM = "/v2/updates/price/latest", "/v2/updates/price/stream"
FUTURE_S_MAX = 10
UPDATES_MAX = 8
LASTED_S = 10.0
"""A stream that lasted so long was a success: the next attempt follows at once."""

US = 1_000_000


def parse_updates(body: bytes | str) -> list[bytes]:
    """Return the binary updates of an answer or an event; refuse everything else."""
    told = parse_json(body)
    binary = told.get("binary") if isinstance(told, dict) else None
    data = binary.get("data") if isinstance(binary, dict) else None
    if not isinstance(data, list) or not 0 < len(data) <= UPDATES_MAX:
        raise OracleRejected("malformed", "an answer without binary updates")
    return [_decoded(each, binary.get("encoding")) for each in data]  # pyright: ignore[reportOptionalMemberAccess] - data came out of it


def _decoded(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in {"hex", "base64"}:
        raise OracleRejected("malformed", "a binary update that is neither hex nor base64")
    try:
        return binascii.unhexlify(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise OracleRejected("malformed", f"a binary update that is not {encoding}") from None


def _not_ahead(published_s: int, received_us: int) -> None:
    if published_s * US > received_us + FUTURE_S_MAX * US:
        raise OracleRejected("from_the_future", f"published at second {published_s}")


class Hermes(Following):
    """Follow Pyth's prices of some dollar feeds."""

    def __init__(self, settings: HermesSettings) -> None:
        super().__init__(dict.fromkeys(settings.feeds.values(), settings.name))
        self._settings = settings
        self._bases = {feed: base for base, feed in settings.feeds.items()}
        self._headers = {"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
        self._heard_s: dict[str, float] = {}
        self._session: aiohttp.ClientSession

    async def _prepare(self, resources: contextlib.AsyncExitStack) -> None:
        settings = self._settings
        self._session = await resources.enter_async_context(
            open_session(settings.host, settings.loopback, settings.timeout_ms)
        )

    async def _run(self) -> None:
        backoff, loop = Backoff(), asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            asked_s = 0.0
            try:
                await self._follow()
            except (OracleUnavailable, OracleRejected) as error:
                asked_s = error.retry_after_s if isinstance(error, OracleUnavailable) else 0.0
                self._outbox.lose(str(error))
            if loop.time() - began_s >= LASTED_S:
                backoff.succeeded()
            await asyncio.sleep(backoff.wait_s(asked_s))

    async def _follow(self) -> None:
        """Take the latest prices, then the stream until it ends by itself; raise what went wrong."""
        feeds = await self._latest()
        try:
            async with self._session.get(
                self._url(STREAM),
                params=self._query(feeds),
                headers=self._headers,
                allow_redirects=False,
                timeout=stream_timeout(self._settings.timeout_ms),
            ) as response:
                checked(response, STREAM_TYPE)
                await self._read(response.content, feeds)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unavailable(error) from None

    async def _latest(self) -> list[str]:
        """Take the latest prices; return the feeds that Hermes knows."""
        feeds = list(self._bases)
        try:
            body = await self._ask(feeds)
        except OracleUnavailable as error:
            if error.status != NOT_FOUND:
                raise
            feeds = await self._known(feeds)
            body = await self._ask(feeds)
        told = self._take(body)
        self._outbox.lose("feed_missing: it is not in the answer", [feed for feed in feeds if feed not in told])
        return feeds

    async def _known(self, feeds: list[str]) -> list[str]:
        """Ask for each feed by itself, since one that is unknown spoils the answer for all; give up those."""
        known: list[str] = []
        for feed in feeds:
            try:
                await self._ask([feed])
                known.append(feed)
            except OracleUnavailable as error:
                if error.status != NOT_FOUND:
                    raise
                self._outbox.lose("feed_unknown: Hermes knows no such feed", [feed])
        if not known:
            raise OracleRejected("feed_unknown", "Hermes knows none of the feeds")
        return known

    async def _read(self, content: aiohttp.StreamReader, feeds: list[str]) -> None:
        loop, silence_s = asyncio.get_running_loop(), self._settings.silence_ms / 1_000
        self._heard_s = dict.fromkeys(feeds, loop.time())
        events = EventLines()
        while True:
            wait_s = min(self._heard_s.values()) + silence_s - loop.time()
            try:
                async with asyncio.timeout(max(wait_s, 0.0)):
                    chunk = await content.readany()
            except TimeoutError:
                chunk = None
            if chunk == b"":
                return  # it ended by itself, as it does once a day
            for event in events.feed(chunk or b""):
                for feed in self._take(event):
                    self._heard_s[feed] = loop.time()
            self._give_up_silent(loop.time() - silence_s)

    def _give_up_silent(self, since_s: float) -> None:
        silent = [feed for feed, heard_s in self._heard_s.items() if heard_s <= since_s]
        reason = f"silent: nothing was heard for {self._settings.silence_ms} ms"
        self._outbox.lose(reason, silent)
        for feed in silent:
            if len(self._heard_s) == 1:
                raise OracleUnavailable(reason)
            del self._heard_s[feed]

    async def _ask(self, feeds: list[str]) -> bytes:
        return await ask(self._session, self._url(LATEST), self._query(feeds), self._headers)

    def _url(self, path: str) -> str:
        return f"https://{self._settings.host}{path}"

    def _query(self, feeds: list[str]) -> list[tuple[str, str]]:
        return [*(("ids[]", feed) for feed in feeds), ("encoding", "base64"), ("parsed", "false")]

    def _take(self, body: bytes) -> set[str]:
        """Verify and tell the prices of an answer or an event; return the feeds it was about."""
        told: set[str] = set()
        for data in parse_updates(body):
            update = verify_update(data, self._settings.signers)
            told.update(self._tell(update))
        return told

    def _tell(self, update: PythUpdate) -> set[str]:
        received_us = now_us()
        told: set[str] = set()
        for message in update.prices:
            base = self._bases.get(message.feed_id)
            if base is None:
                continue
            told.add(message.feed_id)
            try:
                price, confidence = message.priced()
                _not_ahead(message.publish_time, received_us)
            except OracleRejected as error:
                self._outbox.lose(str(error), [message.feed_id])
                continue
            self._outbox.tell(
                OraclePrice(
                    oracle=self._settings.name,
                    feed=message.feed_id,
                    base=base,
                    quote=USD,
                    price=price,
                    confidence=confidence,
                    published_at_us=message.publish_time * US,
                    received_at_us=received_us,
                    sequence=update.slot,
                    signers=tuple(update.vaa.signers.values()),
                )
            )
        return told
