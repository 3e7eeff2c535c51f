"""Usages: how much of every limit is used, measured between decisions at the marks of the Book."""

from domain.controls.gauges import EACH, GAUGES, SINGLE
from domain.controls.probe import Usage
from domain.controls.reading import Look, Reading
from domain.limit import Control, Limit
from domain.limits import CONTROLS, Bound, ControlSpec
from domain.mode import GLOBAL
from domain.quantity import BPS, ZERO, Num, Rounding, divide, multiply, round_to
from domain.state import Book

PAR = Num(1)
SHARE_BPS_MAX = 1_000_000
"""What a share is told as at most: a hundred times the limit, or of nothing allowed."""


def usages(book: Book, at_us: int, *, standing: bool = False) -> tuple[Usage, ...]:
    """Return how much of each limit is used, in the order of the catalogue and of scopes.

    Of what is measured by venue account (margin, distance to liquidation) there is one for each venue, the nearest to
    its limit first; of the rest one, of the subject that is nearest, and one of each that is beyond the limit too.
    With `standing` what is only of single decisions is left out.
    """
    look = Look(book, at_us)
    found: list[Usage] = []
    for limit in sorted(book.limits.values(), key=_place):
        if standing and limit.control in SINGLE:
            continue
        gauge = GAUGES.get(limit.control)
        found += _usages(limit, None if gauge is None else list(gauge(look, limit.scope)))
    return tuple(found)


_PLACES = {control: place for place, control in enumerate(CONTROLS)}


def _place(limit: Limit) -> tuple[int, bool, str]:
    return _PLACES[limit.control], limit.scope != GLOBAL, limit.scope


def _usages(limit: Limit, readings: list[Reading] | None) -> list[Usage]:
    spec = CONTROLS[limit.control]
    if readings is None:
        return [_usage(spec, limit, Reading(limit.scope, None), None)]
    if not readings:  # there is nothing that could use it
        value = ZERO if spec.bound is Bound.MAXIMUM else None
        return [_usage(spec, limit, Reading(limit.scope, value), 0)]
    found = [_usage(spec, limit, each, _share(spec, each, limit)) for each in readings]
    # What nobody can tell comes first: it may be anything.
    found.sort(key=lambda usage: SHARE_BPS_MAX + 1 if usage.share_bps is None else usage.share_bps, reverse=True)
    if limit.control in EACH:
        return found
    return found[:1] + [each for each in found[1:] if each.used is not None and spec.breached(each.used, limit.value)]


def _share(spec: ControlSpec, reading: Reading, limit: Limit) -> int | None:
    return None if reading.value is None else share_bps(spec, reading.value, limit.value)


def _usage(spec: ControlSpec, limit: Limit, reading: Reading, share: int | None) -> Usage:
    return Usage(
        control=spec.control,
        scope=limit.scope,
        subject=reading.subject,
        limit=limit.value,
        unit=spec.unit,
        bound=spec.bound,
        used=reading.value,
        share_bps=share,
        standing=spec.control not in SINGLE,
    )


def share_bps(spec: ControlSpec, used: Num, limit: Num) -> int:
    """Return which part of its limit a value is, bps, rounded up; of the backing what is missing of par."""
    if spec.control is Control.BACKING_RATIO:
        return _part(PAR - used, PAR - limit)
    return _part(used, limit) if spec.bound is Bound.MAXIMUM else _part(limit, used)


def _part(used: Num, limit: Num) -> int:
    if used <= 0:
        return 0
    if limit <= 0:
        return SHARE_BPS_MAX
    return min(int(round_to(divide(multiply(used, BPS), limit), Num(1), Rounding.UP)), SHARE_BPS_MAX)
