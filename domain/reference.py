"""What an asset is worth in dollars, and who vouches for it: the laws that sources obey together, without a memory.

Stables first: their oracles, and the venues that trade them against dollars. Then everything else: its venues, each
converted by what its quote is worth at market, never at par, and its oracles. A source vouches when it lies near both
middles of its group: one of three or four that lies elsewhere is left out, and of two that disagree neither vouches.
"""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

import msgspec

from domain.market import USD, Integrity, SourceKind, Witness, distance_bps, judge, told, witness_scopes
from domain.quantity import BPS, EXACT, Num, add, divide, multiply
from domain.quote import Source
from domain.refusal import Reason, Refusal


class Reference(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold the price of `base` in dollars: the middle, the lowest bid and highest ask of all who vouch, and these."""

    base: str
    mid: Num
    lower: Num
    upper: Num
    sources: tuple[Source, ...]

    def vouches(self, venue: str, symbol: str) -> bool:
        """Say whether a venue's instrument is among those who vouch."""
        return any(source.venue == venue and source.symbol == symbol for source in self.sources)


PAR = Reference(base=USD, mid=Num(1), lower=Num(1), upper=Num(1), sources=())
"""A dollar is worth a dollar."""


class Heard(msgspec.Struct, frozen=True, gc=False):
    """Hold a sound witness with its prices in dollars, and who vouches for the stable it is quoted in."""

    witness: Witness
    bid: Num
    ask: Num
    mid: Num
    behind: tuple[Source, ...] = ()


def heard(witness: Witness, quote: Reference = PAR) -> Heard:
    """Convert a sound witness into dollars by what its quote is worth."""
    if quote is PAR:
        return Heard(witness, witness.bid, witness.ask, witness.mid)
    return Heard(
        witness,
        multiply(witness.bid, quote.lower),
        multiply(witness.ask, quote.upper),
        multiply(witness.mid, quote.mid),
        quote.sources,
    )


def median(group: Sequence[Heard]) -> Num:
    """Return the middle of a group that is not empty."""
    low, high = middles(group)
    return divide(add(low, high), Decimal(2))


def middles(group: Sequence[Heard]) -> tuple[Num, Num]:
    """Return the two middle prices of a group that is not empty; an odd one has the same twice."""
    prices = sorted(each.mid for each in group)
    return prices[(len(prices) - 1) // 2], prices[len(prices) // 2]


def near(group: Sequence[Heard], within_bps: Decimal) -> tuple[Heard, ...]:
    """Return those who agree: near both middles of their group, and more than half of it; else nobody."""
    if not group:
        return ()
    low, high = middles(group)
    # Without a division: every decision asks this of everybody.
    most, least = _edge(low, within_bps), _edge(high, -within_bps)
    core = tuple(each for each in group if least <= EXACT.multiply(each.mid, BPS) <= most)
    return core if 2 * len(core) > len(group) else ()


def _edge(middle: Num, bps: Decimal) -> Decimal:
    return EXACT.multiply(middle, EXACT.add(BPS, bps))


def distance_from(one: Heard, low: Num, high: Num) -> Num:
    """Return how far a price lies from the farther of two middles, in bps."""
    return max(distance_bps(one.mid, low), distance_bps(one.mid, high))


def sources(group: Iterable[Heard]) -> int:
    """Return how many sources a group has; a venue with several instruments is one."""
    return len({each.witness.source for each in group})


def source(witness: Witness) -> Source:
    """Return a witness as it stands in a decision."""
    return Source(
        venue=witness.source,
        symbol=witness.symbol,
        sequence=witness.sequence,
        age_ms=witness.age_ms,
        bid=witness.bid,
        ask=witness.ask,
        kind=witness.kind,
    )


def needed(base: str, witnesses: Iterable[Witness], rules: Integrity) -> tuple[Witness, ...]:
    """Return the witnesses on which a price of `base` may rest, in their order: the rest need not be kept."""
    known = tuple(witnesses)
    if base in rules.stables:
        return tuple(each for each in known if each.base == base and each.quote == USD)
    quotes = {each.quote for each in known if each.base == base and each.quote in rules.stables}
    return tuple(
        each
        for each in known
        if (each.base == base and (each.quote == USD or each.quote in quotes))
        or (each.base in quotes and each.quote == USD)
    )


def believed(witnesses: Iterable[Witness], rules: Integrity, suspended: Collection[str]) -> tuple[Witness, ...]:
    """Return the witnesses that are sound by themselves and not suspended."""
    sound = [each for each in witnesses if judge(each, rules) is None]
    if suspended:
        sound = [each for each in sound if not any(scope in suspended for scope in witness_scopes(each))]
    return tuple(sound)


def reference(
    base: str, witnesses: Iterable[Witness], rules: Integrity, suspended: Collection[str] = ()
) -> Reference | Refusal:
    """Return what `base` is worth by the sources that may be believed now, or why nobody can say."""
    return valued(base, believed(needed(base, witnesses, rules), rules, suspended), rules)


def valued(base: str, sound: tuple[Witness, ...], rules: Integrity) -> Reference | Refusal:
    """Return what `base` is worth by witnesses that are believed; what was agreed before is found again."""
    if base in rules.stables:
        sound = tuple([each for each in sound if each.base == base and each.quote == USD])
    agreed = AGREED.get(base)
    if agreed is not None and agreed.rules is rules and _say_the_same(agreed.words, sound):
        return agreed.told(sound)
    found = of_stable(base, sound, rules) if base in rules.stables else _of_asset(base, sound, rules)
    if isinstance(found, Reference):
        _remember(found, sound, rules)
    return found


# Of so many assets is remembered what was agreed on them last, then all is forgotten.
AGREED_MAX = 64


class _Agreed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what words came to under some rules, and which of them vouch: it is so as long as the same is said.

    How old a word is and its number are no part of that: it was believed, and is told as it stands now.
    """

    words: tuple[Witness, ...]
    rules: Integrity
    found: Reference
    vouching: tuple[int, ...]

    def told(self, sound: tuple[Witness, ...]) -> Reference:
        """Return the reference with those who say the same now as its sources."""
        found = self.found
        sources = tuple([source(sound[place]) for place in self.vouching])
        return Reference(base=found.base, mid=found.mid, lower=found.lower, upper=found.upper, sources=sources)


AGREED: dict[str, _Agreed] = {}


def _say_the_same(before: tuple[Witness, ...], now: tuple[Witness, ...]) -> bool:
    """Say whether witnesses say the same of the same, whatever their age."""
    if len(before) != len(now):
        return False
    for one, other in zip(before, now, strict=True):
        if one is not other and not (
            one.bid == other.bid
            and one.ask == other.ask
            and one.source == other.source
            and one.symbol == other.symbol
            and one.base == other.base
            and one.quote == other.quote
            and one.kind is other.kind
        ):
            return False
    return True


def _remember(found: Reference, sound: tuple[Witness, ...], rules: Integrity) -> None:
    places = {(each.source, each.symbol): place for place, each in enumerate(sound)}
    if len(places) < len(sound):  # two words of one name: which of them vouches is not known by its name
        return
    if len(AGREED) >= AGREED_MAX:
        AGREED.clear()
    vouching = tuple(places[each.venue, each.symbol] for each in found.sources)
    AGREED[found.base] = _Agreed(words=sound, rules=rules, found=found, vouching=vouching)


def of_stable(base: str, sound: Iterable[Witness], rules: Integrity) -> Reference | Refusal:
    """Return what a stable is worth: its oracles must agree, with each other and with who trades it for dollars."""
    group = [heard(each) for each in sound if each.base == base and each.quote == USD]
    core = near(group, rules.oracle_disagreement_bps)
    count = sources(each for each in core if each.witness.kind is SourceKind.ORACLE)
    if not core or count < rules.quorum_oracles:
        return _missing(base, f"{count} of {rules.quorum_oracles} oracles vouch, {len(group)} sources were heard")
    return _agreed(base, median(core), core)


def _of_asset(base: str, sound: tuple[Witness, ...], rules: Integrity) -> Reference | Refusal:
    quotes = worth({each.quote for each in sound}, sound, rules)
    own = [heard(each, quotes[each.quote]) for each in sound if each.base == base and each.quote in quotes]
    venues = [each for each in own if each.witness.kind is not SourceKind.ORACLE]
    oracles = [each for each in own if each.witness.kind is SourceKind.ORACLE]
    venue_core = near(venues, rules.venue_deviation_bps)
    oracle_core = near(oracles, rules.oracle_disagreement_bps)
    count = sources(venue_core)
    if count < rules.quorum_venues:
        return _missing(base, f"{count} of {rules.quorum_venues} venues vouch, {sources(venues)} were heard")
    count = sources(oracle_core)
    if count < rules.quorum_oracles:
        return _missing(base, f"{count} of {rules.quorum_oracles} oracles vouch, {len(oracles)} were heard")
    core = venue_core + oracle_core
    if not core:
        return _missing(base, "nobody was heard")
    if venue_core and oracle_core:
        apart = distance_bps(median(venue_core), median(oracle_core))
        if apart > rules.oracle_deviation_bps:
            return _missing(base, f"venues and oracles lie {told(apart)} bps apart")
    return _agreed(base, median(venue_core or oracle_core), core)


def worth(quotes: Iterable[str], sound: tuple[Witness, ...], rules: Integrity) -> dict[str, Reference]:
    """Return what each quote is worth, by the sound witnesses; one that nobody vouches for is left out."""
    found: dict[str, Reference] = {}
    for quote in sorted(quotes):
        if quote == USD:
            found[quote] = PAR
        elif quote in rules.stables:
            stable = valued(quote, sound, rules)
            if isinstance(stable, Reference):
                found[quote] = stable
    return found


def _missing(base: str, text: str) -> Refusal:
    return Refusal(
        reason=Reason.QUORUM_MISSING, text=f"no quorum for the price of {base}: {text}", scope=f"asset:{base}"
    )


def _agreed(base: str, mid: Num, core: tuple[Heard, ...]) -> Reference:
    return Reference(
        base=base,
        mid=mid,
        lower=min(each.bid for each in core),
        upper=max(each.ask for each in core),
        sources=together(*((source(each.witness), *each.behind) for each in core)),
    )


def together(*groups: Iterable[Source]) -> tuple[Source, ...]:
    """Return every source of these groups once, by name."""
    found = {(each.venue, each.symbol): each for group in groups for each in group}
    return tuple(each for _, each in sorted(found.items()))
