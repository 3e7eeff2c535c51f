"""What the gatekeeper heard of prices, remembered for a while: a flow is judged by what they were when it happened."""

from collections import deque
from collections.abc import Sequence

import msgspec

from domain.instant import MILLISECOND_US, SECOND_US
from domain.market import SourceKind, Witness
from domain.oracle import OracleEvent, OracleLost, OraclePrice
from domain.quantity import ZERO, Num, add, subtract

# A sample a second, for longer than a transaction waits to be looked at.
SAMPLES_MAX = 1_024
SAMPLE_US = SECOND_US
# Feeds remembered: more than any settings name.
FEEDS_MAX = 256


class _Sample(msgspec.Struct, frozen=True, gc=False):
    published_us: int
    sequence: int
    bid: Num
    ask: Num


class _Feed(msgspec.Struct):
    oracle: str
    name: str
    base: str
    quote: str
    samples: deque[_Sample]
    lost: str = ""
    lost_us: int = 0


class Prices:
    """Remember each source's latest prices and when they were lost."""

    def __init__(self) -> None:
        self._feeds: dict[tuple[str, str], _Feed] = {}

    def take(self, event: OracleEvent) -> None:
        """Take what a source tells."""
        if isinstance(event, OraclePrice):
            self._price(event)
        else:
            self._lost(event)

    def _price(self, event: OraclePrice) -> None:
        key = (event.oracle, event.feed)
        feed = self._feeds.get(key)
        if feed is None:
            if len(self._feeds) >= FEEDS_MAX:
                raise ValueError(f"more than {FEEDS_MAX} feeds of prices")
            samples = deque[_Sample](maxlen=SAMPLES_MAX)
            feed = self._feeds[key] = _Feed(event.oracle, event.feed, event.base, event.quote, samples)
        feed.lost = ""
        bid, ask = subtract(event.price, event.confidence), add(event.price, event.confidence)
        sample = _Sample(event.published_at_us, event.sequence, bid, ask)
        crowded = len(feed.samples) > 1 and sample.published_us - feed.samples[-2].published_us < SAMPLE_US
        if crowded:
            feed.samples[-1] = sample
        else:
            feed.samples.append(sample)

    def _lost(self, event: OracleLost) -> None:
        for (oracle, name), feed in self._feeds.items():
            if oracle == event.oracle and event.feed in {"", name}:
                feed.lost, feed.lost_us = event.reason or "lost", event.at_us

    def look(self, base: str, as_of_us: int) -> Sequence[Witness]:
        """Return each source's word on an asset that was nearest to an instant, with its distance from it as age."""
        return tuple(_witness(feed, as_of_us) for feed in self._feeds.values() if feed.base == base)


def _witness(feed: _Feed, as_of_us: int) -> Witness:
    sample = min(feed.samples, key=lambda each: abs(each.published_us - as_of_us))
    lost = feed.lost if feed.lost and as_of_us >= feed.lost_us else ""
    return Witness(
        source=feed.oracle,
        kind=SourceKind.ORACLE,
        symbol=feed.name,
        base=feed.base,
        quote=feed.quote,
        bid=ZERO if lost else sample.bid,
        ask=ZERO if lost else sample.ask,
        sequence=sample.sequence,
        age_ms=abs(as_of_us - sample.published_us) // MILLISECOND_US,
        lost=lost,
    )
