"""RedStone through its gateway: asked every few seconds, every package's signer recovered, the median of enough.

The gateway is a relay that need not be trusted: a package that does not stand is left out, and a feed with too few of
them is lost. A price that it told before is not told again.
"""

import asyncio
import contextlib
from typing import Any

import aiohttp

from adapters.oracle.asking import Backoff, OracleUnavailable, ask
from adapters.oracle.connection import open_session
from adapters.oracle.following import Following
from adapters.oracle.median import MedianPrice, newest
from adapters.oracle.outbox import now_us
from adapters.oracle.redstone import Package, feed_bytes, parse_gateway, verify_package
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.settings import RedstoneSettings
from domain.market import USD
from domain.oracle import OraclePrice

LATEST = "/v2/data-packages/latest-by-data-feeds/"
FUTURE_MS_MAX = 60_000
"""As on chain: a minute ahead is a clock, more is a mistake."""


class Redstone(Following):
    """Follow RedStone's prices of some dollar feeds."""

    def __init__(self, settings: RedstoneSettings) -> None:
        super().__init__(dict.fromkeys(settings.feeds.values(), settings.name))
        self._settings = settings
        self._bases = {feed: base for base, feed in settings.feeds.items()}
        self._headers = {"x-api-key": settings.api_key} if settings.api_key else {}
        self._url = f"https://{settings.host}{LATEST}{settings.service}"
        # The gateway answers from a cache by the query's text: sorted, it is the same for everybody.
        self._query = [("dataFeedIds", ",".join(sorted(self._bases)))]
        self._session: aiohttp.ClientSession

    async def _prepare(self, resources: contextlib.AsyncExitStack) -> None:
        settings = self._settings
        self._session = await resources.enter_async_context(
            open_session(settings.host, settings.loopback, settings.timeout_ms)
        )

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            wait_s = self._settings.poll_ms / 1_000
            try:
                self._take(parse_gateway(await ask(self._session, self._url, self._query, self._headers)))
                backoff.succeeded()
            except (OracleUnavailable, OracleRejected) as error:
                self._outbox.lose(str(error))
                wait_s = backoff.wait_s(error.retry_after_s if isinstance(error, OracleUnavailable) else 0.0)
            await asyncio.sleep(wait_s)

    def _take(self, told: dict[str, list[Any]]) -> None:
        for feed, base in self._bases.items():
            if feed not in told:
                self._outbox.lose("feed_missing: it is not in the answer", [feed])
                continue
            packages, refused = _verified(told[feed], feed)
            try:
                self._tell(newest(packages, feed_bytes(feed), self._settings.signers), feed, base)
            except OracleRejected as error:
                because = "" if refused is None else f" ({refused})"
                self._outbox.lose(f"{error}{because}", [feed])

    def _tell(self, median: MedianPrice, feed: str, base: str) -> None:
        received_us = now_us()
        age_ms = received_us // 1_000 - median.timestamp_ms
        if age_ms < -FUTURE_MS_MAX:
            raise OracleRejected("from_the_future", f"signed {-age_ms} ms ahead of our clock")
        if age_ms > self._settings.age_ms_max:
            raise OracleRejected("too_old", f"signed {age_ms} ms ago")
        self._outbox.tell(
            OraclePrice(
                oracle=self._settings.name,
                feed=feed,
                base=base,
                quote=USD,
                price=median.price,
                confidence=median.confidence,
                published_at_us=median.timestamp_ms * 1_000,
                received_at_us=received_us,
                sequence=median.timestamp_ms,
                signers=median.signers,
            )
        )


def _verified(told: list[Any], feed: str) -> tuple[list[Package], OracleRejected | None]:
    """Return the packages that stand, and why the last that does not was refused."""
    packages: list[Package] = []
    refused: OracleRejected | None = None
    for each in told:
        try:
            packages.append(verify_package(each, feed))
        except OracleRejected as error:
            refused = error
    return packages, refused
