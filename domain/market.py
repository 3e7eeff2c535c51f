"""The integrity of market data: what every source says of an asset, and the rules by which it may be believed."""

from enum import StrEnum

import msgspec

from domain.quantity import Num


class SourceKind(StrEnum):
    """Say what kind of source speaks: a venue's instrument, or an oracle."""

    LINEAR = "linear"
    INVERSE = "inverse"
    SPOT = "spot"
    ORACLE = "oracle"


class Witness(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold one source's word on one asset, as it stood when it was asked for.

    `bid` and `ask` are a venue's best prices, or an oracle's price less and plus its confidence, in `quote` per `base`
    (`USD` or a stable such as `USDT`); both are zero when `lost` says why there is nothing to believe (a gap, a lost
    connection). `age_ms` counts since it was received, or, for an oracle, since it was published. `drift_ms` is how far
    the source's clock was measured to be from ours: it lengthens the look-back.
    """

    source: str
    kind: SourceKind
    symbol: str
    base: str
    quote: str
    bid: Num
    ask: Num
    sequence: int
    age_ms: int
    drift_ms: int = 0
    lost: str = ""


class SourceAge(msgspec.Struct, frozen=True, kw_only=True):
    """Set how old one source's word may be, drift included; venues and oracles differ."""

    source: str
    age_ms_max: int


class Integrity(msgspec.Struct, frozen=True, kw_only=True):
    """Set the rules by which market data is believed; part of the policy. Distances in bps, times in milliseconds.

    A price needs `quorum_venues` venues within `venue_deviation_bps` of their median and `quorum_oracles` oracles
    within `oracle_deviation_bps` of it; a stable, which no venue need trade, only its oracles. What failed returns
    after `resume_after_ms` within `resume_share` of the distance that it failed on.
    """

    quorum_venues: int = 2
    quorum_oracles: int = 1
    age_ms_max: int = 2_000
    ages: tuple[SourceAge, ...] = ()
    drift_ms_max: int = 1_000
    venue_deviation_bps: Num = Num(50)
    oracle_deviation_bps: Num = Num(100)
    oracle_disagreement_bps: Num = Num(100)
    confidence_bps_max: Num = Num(50)
    jump_bps: Num = Num(200)
    jump_within_ms: int = 1_000
    depeg_bps: Num = Num(200)
    resume_after_ms: int = 3_000
    resume_share: Num = Num("0.5")


class Law(StrEnum):
    """Name what market data must obey; ids are stable, they stand in the log."""

    CONNECTION = "connection"  # the source is up
    EMPTY = "empty"  # both sides are there, above zero
    CROSSED = "crossed"  # the best bid is below the best ask
    GAP = "gap"  # updates follow each other
    STALE = "stale"  # no older than the source's age, its drift added
    CLOCK_DRIFT = "clock_drift"  # the source's clock is near ours
    JUMP = "jump"  # no leap from one look to the next
    VENUE_DEVIATION = "venue_deviation"  # near the median of the venues
    ORACLE_DEVIATION = "oracle_deviation"  # near the oracles
    ORACLE_DISAGREEMENT = "oracle_disagreement"  # the oracles are near each other
    CONFIDENCE = "confidence"  # an oracle is sure enough
    DEPEG = "depeg"  # a stable is worth about a dollar
    REFERENCE_DATA = "reference_data"  # the venue lists what the policy trades


USD = "USD"
