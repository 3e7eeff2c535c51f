"""Who breaks the laws of market data now: every source judged alone, then against the others of its asset.

Venues that agree judge the oracles; where they do not agree, oracles that do judge the venues; where neither do, each
who is not near both middles of its group is at fault.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

import msgspec

from domain.market import (
    USD,
    Fault,
    Integrity,
    Law,
    SourceAge,
    SourceKind,
    Witness,
    distance_bps,
    judge,
    told,
    witness_scopes,
)
from domain.quantity import Num, Rounding, multiply, round_to
from domain.reference import Heard, distance_from, heard, median, middles, near, reference, sources, worth
from domain.refusal import Refusal

Faults = dict[str, Fault]
"""The fault of each scope that has one."""


MEASURED = frozenset({Law.JUMP, Law.VENUE_DEVIATION, Law.ORACLE_DEVIATION, Law.ORACLE_DISAGREEMENT})
"""Laws of standing near others: kept only where there are others."""


def source_faults(
    witnesses: tuple[Witness, ...], rules: Integrity, jumps: Mapping[str, Fault], *, in_company: bool = False
) -> Faults:
    """Return the faults of instruments, oracles and venues; `jumps` are those that only a memory knows of.

    `in_company` counts it as a fault that nobody is there to compare a source with.
    """
    faults: Faults = {}
    sound: list[Witness] = []
    for witness in witnesses:
        fault = judge(witness, rules)
        if fault is None:
            sound.append(witness)
        else:
            faults.setdefault(witness_scopes(witness)[0], fault)
    heard_now = tuple(sound)
    for base in sorted({each.base for each in heard_now}):
        compared = _group(base, heard_now, rules)
        blame = _of_stable if base in rules.stables else _of_asset
        for scope, fault in blame(compared, rules):
            faults.setdefault(scope, fault)
        if in_company:
            known = {_own(each) for each in compared} if len(compared) > 1 else set[str]()
            for scope in sorted({witness_scopes(each)[0] for each in heard_now if each.base == base} - known):
                faults.setdefault(scope, Fault(law=Law.QUORUM, text="nobody is there to compare it with"))
    for scope in sorted(jumps):
        faults.setdefault(scope, jumps[scope])
    return faults | _venues(witnesses, faults)


def _group(base: str, sound: tuple[Witness, ...], rules: Integrity) -> list[Heard]:
    """Return the sound sources of an asset that can be told in dollars."""
    if base in rules.stables:
        return [heard(each) for each in sound if each.base == base and each.quote == USD]
    quotes = worth({each.quote for each in sound if each.base == base}, sound, rules)
    return [heard(each, quotes[each.quote]) for each in sound if each.base == base and each.quote in quotes]


def _own(one: Heard) -> str:
    return witness_scopes(one.witness)[0]


def _far(group: list[Heard], within_bps: Num, law: Law) -> Iterable[tuple[str, Fault]]:
    """Name those of a group who are not near both of its middles."""
    if not group:
        return
    low, high = middles(group)
    for one in group:
        distance = distance_from(one, low, high)
        if distance > within_bps:
            yield _own(one), _deviates(law, distance, within_bps, "the middle of its group")


def _away(group: list[Heard], middle: Num, within_bps: Num, whose: str) -> Iterable[tuple[str, Fault]]:
    """Name those of a group who are not near what another group agrees on."""
    for one in group:
        distance = distance_bps(one.mid, middle)
        if distance > within_bps:
            yield _own(one), _deviates(Law.ORACLE_DEVIATION, distance, within_bps, whose)


def _deviates(law: Law, distance: Decimal, within_bps: Num, whose: str) -> Fault:
    return Fault(law=law, text=f"{told(distance)} bps from {whose}", value=told(distance), limit=within_bps)


def _of_stable(group: list[Heard], rules: Integrity) -> Iterable[tuple[str, Fault]]:
    return _far(group, rules.oracle_disagreement_bps, Law.ORACLE_DISAGREEMENT)


def _of_asset(group: list[Heard], rules: Integrity) -> Iterable[tuple[str, Fault]]:
    venues = [each for each in group if each.witness.kind is not SourceKind.ORACLE]
    oracles = [each for each in group if each.witness.kind is SourceKind.ORACLE]
    venue_core = near(venues, rules.venue_deviation_bps)
    if sources(venue_core) >= max(rules.quorum_venues, 1):
        yield from _far(venues, rules.venue_deviation_bps, Law.VENUE_DEVIATION)
        yield from _away(oracles, median(venue_core), rules.oracle_deviation_bps, "what the venues agree on")
        return
    oracle_core = near(oracles, rules.oracle_disagreement_bps)
    yield from _far(oracles, rules.oracle_disagreement_bps, Law.ORACLE_DISAGREEMENT)
    if oracle_core:
        yield from _away(venues, median(oracle_core), rules.oracle_deviation_bps, "what the oracles agree on")
    else:
        yield from _far(venues, rules.venue_deviation_bps, Law.VENUE_DEVIATION)


def _venues(witnesses: tuple[Witness, ...], faults: Faults) -> Faults:
    """Return the faults of whole venues: none of its instruments is sound, or its clock is wrong."""
    found: Faults = {}
    by_venue: dict[str, list[str]] = {}
    for witness in witnesses:
        if witness.kind is not SourceKind.ORACLE:
            by_venue.setdefault(f"venue:{witness.source}", []).append(witness_scopes(witness)[0])
    for venue, instruments in by_venue.items():
        failing = [faults[each] for each in instruments if each in faults]
        drifting = next((fault for fault in failing if fault.law is Law.CLOCK_DRIFT), None)
        if drifting is not None:
            found[venue] = drifting
        elif len(failing) == len(instruments):
            first = next((fault for fault in failing if fault.law is Law.CONNECTION), failing[0])
            text = f"none of its {len(instruments)} instruments is sound: {first.text}"
            found[venue] = msgspec.structs.replace(first, text=text)
    return found


def asset_faults(
    assets: Iterable[str], witnesses: tuple[Witness, ...], rules: Integrity, suspended: Collection[str]
) -> Faults:
    """Return the faults of assets: nobody can say what it is worth, or a stable is not worth about a dollar."""
    faults: Faults = {}
    for asset in assets:
        found = reference(asset, witnesses, rules, suspended)
        if isinstance(found, Refusal):
            faults[f"asset:{asset}"] = Fault(law=Law.QUORUM, text=found.text)
        elif asset in rules.stables and (fault := depegged(asset, found.mid, rules)) is not None:
            faults[f"asset:{asset}"] = fault
    return faults


def depegged(stable: str, mid: Num, rules: Integrity) -> Fault | None:
    """Return the fault of a stable that is not worth about a dollar."""
    distance = distance_bps(mid, Decimal(1))
    if distance <= rules.depeg_bps:
        return None
    text = f"{stable} is worth {told(mid)} dollars, {told(distance)} bps from one"
    return Fault(law=Law.DEPEG, text=text, value=told(distance), limit=rules.depeg_bps)


_DISTANCES = {
    Law.CONFIDENCE: "confidence_bps_max",
    Law.JUMP: "jump_bps",
    Law.VENUE_DEVIATION: "venue_deviation_bps",
    Law.ORACLE_DEVIATION: "oracle_deviation_bps",
    Law.ORACLE_DISAGREEMENT: "oracle_disagreement_bps",
    Law.DEPEG: "depeg_bps",
}


def narrowed(rules: Integrity, broken: Iterable[Law]) -> Integrity:
    """Return the rules by which what broke laws may come back: within a share of their distances, the rest as it is."""
    for law in broken:
        if law is Law.STALE:
            ages = tuple(SourceAge(source=one.source, age_ms_max=_share(one.age_ms_max, rules)) for one in rules.ages)
            rules = msgspec.structs.replace(rules, age_ms_max=_share(rules.age_ms_max, rules), ages=ages)
        elif law is Law.CLOCK_DRIFT:
            rules = msgspec.structs.replace(rules, drift_ms_max=_share(rules.drift_ms_max, rules))
        elif law in _DISTANCES:
            name = _DISTANCES[law]
            rules = msgspec.structs.replace(rules, **{name: multiply(getattr(rules, name), rules.resume_share)})
    return rules


def _share(ms: int, rules: Integrity) -> int:
    return int(round_to(multiply(Decimal(ms), rules.resume_share), Decimal(1), Rounding.FLOOR))
