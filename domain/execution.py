"""Execution styles: how a leg of a hedge is brought to its venue."""

from enum import StrEnum

import msgspec

from domain.quantity import ZERO, Num


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
