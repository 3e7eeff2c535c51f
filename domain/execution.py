"""Execution styles: how a leg of a hedge is brought to its venue, slice by slice.

All of a style follows from what is in the log: slices, instants and their jitter are the same in every replay.
"""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.ids import derive_id
from domain.instant import MILLISECOND_US
from domain.quantity import BPS, ZERO, Num, divide


class StyleKind(StrEnum):
    """Say how a leg trades."""

    SWEEP = "sweep"  # at once, IOC at the capped price
    POST_THEN_CROSS = "post_then_cross"  # rest as maker for a while, then sweep what is left
    TWAP = "twap"  # equal slices over a time, their instants jittered
    ICEBERG = "iceberg"  # slices of at most what may be seen, each after the last


class Style(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Set a style: `rest_ms` as maker, `slices` over `over_ms` with `jitter_bps` of an interval, `shown` base units."""

    kind: StyleKind = StyleKind.SWEEP
    rest_ms: int = 0
    slices: int = 1
    over_ms: int = 0
    jitter_bps: int = 0
    shown: Num = ZERO


SWEEP = Style()


class Progress(msgspec.Struct, frozen=True, gc=False):
    """Say how far a leg is: base units left (positive), orders begun, since when, whether what is left must cross."""

    left: Num
    orders: int
    began_us: int
    crossing: bool = False


class Slice(msgspec.Struct, frozen=True, gc=False):
    """Ask for an order of `quantity` base units (positive) from `not_before_us` on.

    One that `rests` is offered at the best price of our own side and never takes; after `rest_ms` it is cancelled.
    """

    quantity: Num
    not_before_us: int
    rests: bool = False
    rest_ms: int = 0


def next_slice(style: Style, progress: Progress, hedge_id: UUID) -> Slice:
    """Return the next slice of a leg; before venue and limits cut it, the last of a style is all that is left."""
    left, began_us = progress.left, progress.began_us
    rests = style.rest_ms > 0 and not progress.crossing
    rest_ms = style.rest_ms if rests else 0
    if style.kind is StyleKind.SWEEP:
        return Slice(left, began_us)
    if style.kind is StyleKind.POST_THEN_CROSS:
        return Slice(left, began_us, rests, rest_ms)
    if style.kind is StyleKind.ICEBERG:
        return Slice(min(left, style.shown) if style.shown > 0 else left, began_us, rests, rest_ms)
    number = progress.orders
    if number >= style.slices:
        return Slice(left, began_us + style.over_ms * MILLISECOND_US)
    return Slice(divide(left, Num(style.slices - number)), began_us + _offset_us(style, number, hedge_id))


def _offset_us(style: Style, number: int, hedge_id: UUID) -> int:
    """Return when a slice of a TWAP is due after its beginning: jitter only delays, and never by a whole interval."""
    if number == 0:
        return 0
    interval_us = style.over_ms * MILLISECOND_US // style.slices
    span_us = interval_us * min(style.jitter_bps, int(BPS) - 1) // int(BPS)
    jitter_us = derive_id(hedge_id, f"slice:{number}").int % (span_us + 1)
    return interval_us * number + jitter_us
