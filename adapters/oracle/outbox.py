"""What a client has yet to tell: the newest price of each feed, and every loss before it."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable, Mapping

from domain.oracle import OracleEvent, OracleLost, OraclePrice

REASON_MAX = 200
_log = logging.getLogger(__name__)


def now_us() -> int:
    """Return the time."""
    return time.time_ns() // 1_000


class Outbox:
    """Hold at most one loss and one later price of each feed, for one reader that may be slow.

    `feeds` names each feed's oracle; what is not among them is a mistake of the caller's.
    """

    def __init__(self, feeds: Mapping[str, str]) -> None:
        self._oracles = feeds
        self._lost: dict[str, OracleLost] = {}
        self._prices: dict[str, OraclePrice] = {}
        self._order: dict[str, tuple[int, int]] = {}
        self._believed: dict[str, bool | None] = dict.fromkeys(feeds)
        self._kinds: dict[str, str] = {}
        self._heard = asyncio.Event()
        self.overlooked = 0

    @property
    def believed(self) -> frozenset[str]:
        """Return the feeds whose last word was a price."""
        return frozenset(feed for feed, believed in self._believed.items() if believed)

    def tell(self, price: OraclePrice) -> None:
        """Take a price. An older one than the last is left out; the last again is told only if it had been lost."""
        order = (price.published_at_us, price.sequence)
        before = self._order.get(price.feed)
        if before is not None and (order < before or (order == before and self._believed[price.feed])):
            self.overlooked += 1
            return
        self._order[price.feed] = order
        self._believed[price.feed] = True
        self._prices[price.feed] = price
        self._heard.set()

    def lose(self, reason: str, feeds: Iterable[str] | None = None) -> None:
        """Say that feeds (by default all) can no longer be believed; once for each kind of reason.

        The kind is what stands before the colon: what follows, an age perhaps, differs each time.
        """
        at_us, kind = now_us(), reason.partition(":")[0]
        for feed in tuple(self._believed if feeds is None else feeds):
            if self._believed[feed] is False and self._kinds.get(feed) == kind:
                continue
            self._believed[feed] = False
            self._kinds[feed] = kind
            self._prices.pop(feed, None)
            self._lost[feed] = OracleLost(
                oracle=self._oracles[feed], feed=feed, reason=reason[:REASON_MAX], at_us=at_us
            )
            _log.info("%s feed %s lost: %s", self._oracles[feed], feed, reason[:REASON_MAX])
        self._heard.set()

    async def events(self) -> AsyncGenerator[OracleEvent, None]:
        """Yield losses and the newest prices, in the order of each feed."""
        while True:
            while self._lost or self._prices:
                while self._lost:
                    yield self._lost.pop(next(iter(self._lost)))
                if self._prices:
                    yield self._prices.pop(next(iter(self._prices)))
            self._heard.clear()
            await self._heard.wait()
