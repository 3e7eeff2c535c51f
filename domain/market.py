"""The integrity of market data: what every source says of an asset, and the rules by which it may be believed.

`judge` looks at one source's word alone. How the sources stand to each other is judged in `domain.reference`, what
failed and may come back is remembered in `domain.surveillance`.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from domain.quantity import BPS, EXACT, ZERO, Num, Rounding, add, divide, multiply, round_to, subtract

# Distances are told to this step.
BPS_STEP = Decimal("0.0001")


class SourceKind(StrEnum):
    """Say what kind of source speaks: a venue's instrument, or an oracle."""

    LINEAR = "linear"
    INVERSE = "inverse"
    SPOT = "spot"
    ORACLE = "oracle"


class Witness(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Hold one source's word on one asset, as it stood when it was asked for.

    `bid` and `ask` are a venue's best prices, or an oracle's price less and plus its confidence, in `quote` per `base`
    (`USD` or a stable such as `USDT`); both are zero when `lost` says why there is nothing to believe: its first word
    is the id of the law that was broken (`gap: 5 after 3`), anything else is a lost connection. `age_ms` counts since
    it was received, or, for an oracle, since it was published. `drift_ms` is how far the source's clock was measured to
    be from ours: it lengthens the look-back.
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

    @property
    def mid(self) -> Num:
        """Return the middle of what it says."""
        return divide(add(self.bid, self.ask), Decimal(2))


class SourceAge(msgspec.Struct, frozen=True, kw_only=True):
    """Set how old one source's word may be, drift included; venues and oracles differ."""

    source: str
    age_ms_max: int


class Integrity(msgspec.Struct, frozen=True, kw_only=True):
    """Set the rules by which market data is believed; part of the policy. Distances in bps, times in milliseconds.

    A price needs `quorum_venues` venues within `venue_deviation_bps` of their median and `quorum_oracles` oracles
    within `oracle_deviation_bps` of it; one of `stables`, which no venue need trade, only its oracles. What failed
    returns after `resume_after_ms` within `resume_share` of the distance that it failed on.
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
    stables: tuple[str, ...] = ("USDT", "USDC", "USDe", "USDtb", "DAI", "PYUSD")

    def age_ms_of(self, source: str) -> int:
        """Return how old a source's word may be."""
        for age in self.ages:
            if age.source == source:
                return age.age_ms_max
        return self.age_ms_max


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
    QUORUM = "quorum"  # enough sources vouch for an asset


USD = "USD"
_LAWS = frozenset(law.value for law in Law)


class Fault(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say which law a source breaks, in words and numbers; `value` and `limit` are zero where nothing is measured."""

    law: Law
    text: str
    value: Num = ZERO
    limit: Num = ZERO


def instrument_scope(venue: str, symbol: str) -> str:
    """Return the scope of one instrument of a venue."""
    return f"instrument:{venue}|{symbol}"


def witness_scopes(witness: Witness) -> tuple[str, ...]:
    """Return the scopes under which a witness may be suspended, its own first."""
    if witness.kind is SourceKind.ORACLE:
        return (f"oracle:{witness.source}",)
    where = f"{witness.source}|{witness.symbol}"
    return (f"instrument:{where}", f"venue:{witness.source}", f"listing:{where}")


def distance_bps(value: Decimal, middle: Decimal) -> Num:
    """Return how far a value lies from a middle above zero, in bps of it."""
    return divide(multiply(abs(subtract(value, middle)), BPS), middle)


def told(distance: Decimal) -> Num:
    """Round a distance for people and the log."""
    return round_to(distance, BPS_STEP, Rounding.NEAREST)


def judge(witness: Witness, rules: Integrity) -> Fault | None:
    """Return the first law that a source's word breaks by itself, None when it may be heard."""
    if witness.lost:
        return _lost(witness)
    return _shape(witness) or _time(witness, rules) or _confidence(witness, rules)


def _lost(witness: Witness) -> Fault:
    word = witness.lost.replace(":", " ").split(" ", 1)[0]
    return Fault(law=Law(word) if word in _LAWS else Law.CONNECTION, text=witness.lost)


def _shape(witness: Witness) -> Fault | None:
    bid, ask = witness.bid, witness.ask
    if bid <= 0 or ask <= 0:
        return Fault(law=Law.EMPTY, text=f"no price above zero on both sides: {bid} and {ask}")
    # An oracle that is certain says one price.
    if bid > ask or (bid == ask and witness.kind is not SourceKind.ORACLE):
        return Fault(law=Law.CROSSED, text=f"the bid {bid} is not below the ask {ask}", value=bid, limit=ask)
    return None


def _time(witness: Witness, rules: Integrity) -> Fault | None:
    drift = max(abs(witness.drift_ms), -witness.age_ms)  # what is not published yet has another clock
    if drift > rules.drift_ms_max:
        text = f"its clock is {drift} ms from ours"
        return Fault(law=Law.CLOCK_DRIFT, text=text, value=Num(drift), limit=Num(rules.drift_ms_max))
    age, allowed = max(witness.age_ms, 0) + abs(witness.drift_ms), rules.age_ms_of(witness.source)
    if age > allowed:
        return Fault(law=Law.STALE, text=f"{age} ms old", value=Num(age), limit=Num(allowed))
    return None


def _confidence(witness: Witness, rules: Integrity) -> Fault | None:
    bid, ask = witness.bid, witness.ask
    if witness.kind is not SourceKind.ORACLE or bid == ask:
        return None
    # Without a division: every decision asks this of every oracle.
    wide = EXACT.multiply(EXACT.subtract(ask, bid), BPS)
    if wide <= EXACT.multiply(EXACT.add(bid, ask), rules.confidence_bps_max):
        return None
    width = distance_bps(ask, witness.mid)
    if width <= rules.confidence_bps_max:
        return None
    text = f"it is sure of its price to {told(width)} bps only"
    return Fault(law=Law.CONFIDENCE, text=text, value=told(width), limit=rules.confidence_bps_max)
