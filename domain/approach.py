"""How near limits are: which band of warning each is in, and when one is left again.

A band is entered at once, and left only when the use stayed some way below it for a while: what hovers at an edge is
told once. What is beyond its limit is in the band `BREACHED`.
"""

from collections.abc import Iterable

from domain.book import Book
from domain.controls import Usage
from domain.limit import Control, limit_key
from domain.quantity import BPS
from domain.risk_terms import Band
from domain.soft_action import band_of
from domain.triggers import beyond
from domain.warning import BREACHED, LimitApproached

LEAVES_BELOW_BPS = 300
"""A band is left this far below where it begins, bps of the limit."""

_SHARES = frozenset({Control.VENUE_CONCENTRATION, Control.CUSTODIAN_CONCENTRATION, Control.STABLE_CONCENTRATION})


def nearest(usages: Iterable[Usage]) -> dict[str, Usage]:
    """Return of each limit, by its key, the usage that is nearest to it; not what is unknown or cannot be passed."""
    found: dict[str, Usage] = {}
    for usage in usages:
        if not usage.standing or usage.share_bps is None or usage.used is None or _allows_all(usage):
            continue
        key = limit_key(usage.control, usage.scope)
        other = found.get(key)
        if other is None or other.share_bps is None or usage.share_bps > other.share_bps:
            found[key] = usage
    return found


def _allows_all(usage: Usage) -> bool:
    """Say whether a limit is no bound: nothing is more than the whole."""
    return usage.control in _SHARES and usage.limit >= BPS


def band_at(usage: Usage, bands: tuple[Band, ...]) -> int:
    """Return the band that a usage is in, bps of its limit; 0 below all."""
    if beyond(usage):
        return BREACHED
    found = band_of(bands, min(usage.share_bps or 0, BREACHED - 1))
    return 0 if found is None else found.at_bps


def entered(book: Book, usages: Iterable[Usage], bands: tuple[Band, ...]) -> tuple[LimitApproached, ...]:
    """Return the limits that are in a higher band than the Book knows, the nearest first."""
    found = [
        _moved(usage, band, book.approached.get(key, 0))
        for key, usage in nearest(usages).items()
        if (band := band_at(usage, bands)) > book.approached.get(key, 0)
    ]
    return tuple(sorted(found, key=lambda event: -event.band))


def receding_key(control: str, scope: str) -> str:
    """Return the key under which it is remembered since when a limit is less near than the Book knows."""
    return f"near|{limit_key(control, scope)}"


def receding(book: Book, usages: Iterable[Usage], bands: tuple[Band, ...]) -> tuple[LimitApproached, ...]:
    """Return the limits that are in a lower band than the Book knows, and well below where that one begins."""
    found = nearest(usages)
    return tuple(
        _moved(usage, band, before)
        for key, before in book.approached.items()
        if (usage := found.get(key)) is not None
        and (band := band_at(usage, bands)) < before
        and (usage.share_bps or 0) < before - LEAVES_BELOW_BPS
    )


def _moved(usage: Usage, band: int, before: int) -> LimitApproached:
    return LimitApproached(
        control=usage.control,
        scope=usage.scope,
        subject=usage.subject,
        band=band,
        before=before,
        used=usage.told if usage.told is not None else usage.limit,
        limit=usage.limit,
        unit=usage.unit,
    )
