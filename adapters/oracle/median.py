"""One price out of what several nodes signed: authorised and unique signers, one timestamp, the median of enough."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from adapters.oracle.recovery import checksummed
from adapters.oracle.redstone import Package, feed_name, price_of
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.signers import SignerSet
from domain.quantity import EXACT

Said = dict[bytes, Decimal]
"""The prices of one feed, by who signed them."""


class MedianPrice(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a feed's median, who it was taken of, and the band around it within which a quorum of them stands."""

    feed: str
    price: Decimal
    confidence: Decimal
    timestamp_ms: int
    signers: tuple[str, ...]


def medians(packages: Iterable[Package], signers: SignerSet) -> tuple[MedianPrice, ...]:
    """Return the price of every feed; refuse the whole if any package or feed does not stand: `OracleRejected`.

    A package may be repeated, and counts once; a signer who says two things of one feed is refused.
    """
    known = frozenset(signers.addresses.values())
    said: dict[bytes, Said] = {}
    times: dict[bytes, int] = {}
    for package in packages:
        if package.signer not in known:
            raise OracleRejected("signer_unknown", f"{checksummed(package.signer)} is no authorised signer")
        for point in package.points:
            if times.setdefault(point.feed, package.timestamp_ms) != package.timestamp_ms:
                raise OracleRejected("timestamps_differ", f"packages of {feed_name(point.feed)} of different times")
            of_feed, price = said.setdefault(point.feed, {}), price_of(point)
            if of_feed.setdefault(package.signer, price) != price:
                raise OracleRejected(
                    "signer_contradicts", f"{checksummed(package.signer)} says two prices of {feed_name(point.feed)}"
                )
    return tuple(median_of(feed, prices, times[feed], signers) for feed, prices in said.items())


def newest(packages: Iterable[Package], feed: bytes, signers: SignerSet) -> MedianPrice:
    """Return the newest price of one feed that enough authorised signers agree in time on, whatever the others say.

    A signer who is unknown, says two things at once or a price that cannot be meant is not counted.
    """
    known = frozenset(signers.addresses.values())
    by_time: dict[int, Said] = {}
    liars: set[tuple[int, bytes]] = set()
    for package in packages:
        for point in package.points:
            if point.feed != feed or package.signer not in known:
                continue
            try:
                price = price_of(point)
            except OracleRejected:
                liars.add((package.timestamp_ms, package.signer))
                continue
            if by_time.setdefault(package.timestamp_ms, {}).setdefault(package.signer, price) != price:
                liars.add((package.timestamp_ms, package.signer))
    for time_ms in sorted(by_time, reverse=True):
        prices = {who: price for who, price in by_time[time_ms].items() if (time_ms, who) not in liars}
        if len(prices) >= signers.quorum:
            return median_of(feed, prices, time_ms, signers)
    most = max((len(prices) for prices in by_time.values()), default=0)
    raise OracleRejected("quorum_missing", f"{feed_name(feed)} has {most} signers of one time, not {signers.quorum}")


def median_of(feed: bytes, prices: Said, timestamp_ms: int, signers: SignerSet) -> MedianPrice:
    """Return the median of one feed's prices; refuse fewer than the quorum."""
    if len(prices) < signers.quorum:
        raise OracleRejected(
            "quorum_missing", f"{feed_name(feed)} has {len(prices)} authorised signers, and {signers.quorum} are needed"
        )
    ordered = sorted(prices.values())
    middle = len(ordered) // 2
    if len(ordered) % 2:
        price = ordered[middle]
    else:
        price = EXACT.divide(EXACT.add(ordered[middle - 1], ordered[middle]), Decimal(2))
    distances = sorted(EXACT.abs(EXACT.subtract(each, price)) for each in ordered)
    return MedianPrice(
        feed=feed_name(feed),
        price=price,
        confidence=distances[signers.quorum - 1],
        timestamp_ms=timestamp_ms,
        signers=tuple(checksummed(who) for who in sorted(prices)),
    )
