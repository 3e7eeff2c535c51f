"""The laws of market data with a memory: what fails is suspended at once, and returns only when it stays sound.

A scope (an instrument, a venue, an oracle, an asset) is suspended in the look in which it breaks a law. It returns
after `resume_after_ms` of looks in which it breaks none, and in which it lies within `resume_share` of the distance
that it failed on: so nothing comes and goes faster than that. What is not there any more stays suspended.

The memory is bounded: so many sources, so many looks of each, and only as far back as a jump is judged.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from domain.blame import MEASURED, Faults, asset_faults, narrowed, source_faults
from domain.instant import MILLISECOND_US, SECOND_US
from domain.market import Fault, Integrity, Law, SourceKind, Witness, judge, told, witness_scopes
from domain.quantity import BPS, ZERO, Num, add, divide, multiply, subtract
from domain.suspension import Suspension

# Sources beyond this many are not watched; in the order of their names, so that it is always the same ones.
WATCHED_MAX = 1_024
# Looks kept of one source: what jumps is seen against each of them.
LOOKS_MAX = 32
# A longer pause between two looks breaks the time in which something was sound without a break.
PAUSE_MAX_US = SECOND_US
# For so long after a start, what was never sound yet is not held against anybody: feeds are still connecting.
WARM_UP_US = 10 * SECOND_US

NEVER = -1

FaultsUnder = Callable[[Integrity, tuple[Law, ...]], Faults]
"""Judges everything under some rules; laws say that it is asked who may come back after breaking these."""


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Hold a suspended scope: the law it was suspended by, and every law it broke until now, in the order of names.

    `sound_since_us` is since when it is sound again (`NEVER`: it is not).
    """

    law: Law
    since_us: int
    text: str
    broken: tuple[Law, ...]
    sound_since_us: int = NEVER


class Look(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Remember a source's middle price."""

    at_us: int
    mid: Num


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what surveillance remembers between looks; `begin` makes the first."""

    begun_us: int = 0
    at_us: int = 0
    standings: dict[str, Standing] = {}
    met: tuple[str, ...] = ()  # scopes that are there, or suspended, and were sound at least once
    looks: dict[str, tuple[Look, ...]] = {}


class Transition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say that a scope was suspended or came back, by which law; it is the body of `market.suspend` or `.resume`."""

    scope: str
    suspended: bool
    law: Law
    text: str
    at_us: int

    @property
    def kind(self) -> str:
        """Return the command that reports it."""
        return "market.suspend" if self.suspended else "market.resume"

    @property
    def natural_key(self) -> str:
        """Return the key under which it counts once: printable, without spaces."""
        return f"{self.scope.replace(' ', '')}/{self.at_us}"


def begin(suspended: Mapping[str, Suspension], now_us: int) -> Watch:
    """Return the watch of a surveillance that starts now, seeded with what the Book holds to be suspended.

    What a venue's listing suspends is not the watch's to resume.
    """
    standings = {
        scope: Standing(held.law, held.since_us, held.text, (held.law,))
        for scope, held in sorted(suspended.items())
        if held.law is not Law.REFERENCE_DATA
    }
    return Watch(begun_us=now_us, at_us=now_us, standings=standings)


def survey(
    watch: Watch, witnesses: Iterable[Witness], rules: Integrity, now_us: int, assets: Iterable[str] = ()
) -> tuple[Watch, tuple[Transition, ...]]:
    """Take one look at everything that is said; return the watch after it, and what was suspended or came back.

    `assets` must have a price: the policy's `valued`. Neither their order nor that of the witnesses matters.
    """
    seen = tuple(sorted(witnesses, key=_order)[:WATCHED_MAX])
    now_us = max(now_us, watch.at_us)
    looks = _looked(watch, seen, rules, now_us)
    look = _Look(watch, rules, now_us)

    def of_sources(under: Integrity, broken: tuple[Law, ...]) -> Faults:
        jumps = _jumps(seen, looks, under)
        return source_faults(seen, under, jumps, in_company=not MEASURED.isdisjoint(broken))

    present = {scope for each in seen for scope in witness_scopes(each)[:2]}
    look.step(present, of_sources)
    wanted = tuple(sorted(set(assets)))
    held_out = frozenset(look.standings)

    def of_assets(under: Integrity, _broken: tuple[Law, ...]) -> Faults:
        return asset_faults(wanted, seen, under, held_out)

    priced = {f"asset:{asset}" for asset in wanted}
    look.step(priced, of_assets)
    look.forget_soundness(present | priced)
    after = Watch(
        begun_us=watch.begun_us,
        at_us=now_us,
        standings=_bounded(look.standings),
        met=tuple(sorted(look.met & (present | priced | look.standings.keys()))),
        looks=looks,
    )
    return after, tuple(look.transitions)


class _Look:
    """Move the standings of scopes through one look."""

    def __init__(self, watch: Watch, rules: Integrity, now_us: int) -> None:
        self.standings = dict(watch.standings)
        self.met = set(watch.met)
        self.transitions: list[Transition] = []
        self._rules = rules
        self._now_us = now_us
        self._paused = now_us - watch.at_us > PAUSE_MAX_US
        self._warming = now_us < watch.begun_us + WARM_UP_US

    def step(self, present: set[str], faults_under: FaultsUnder) -> None:
        """Judge the scopes that are present, and suspend or resume them."""
        faults = faults_under(self._rules, ())
        narrow: dict[tuple[Law, ...], Faults] = {}
        self.met |= present - faults.keys()
        for scope in sorted(present):
            fault, standing = faults.get(scope), self.standings.get(scope)
            if fault is not None:
                self._fail(scope, fault, standing)
            elif standing is not None:
                broken = standing.broken
                if broken not in narrow:
                    narrow[broken] = faults_under(narrowed(self._rules, broken), broken)
                self._mend(scope, standing, sound=scope not in narrow[broken])

    def forget_soundness(self, present: set[str]) -> None:
        """Break the time of being sound for what is suspended and not there."""
        for scope in self.standings.keys() - present:
            self.standings[scope] = msgspec.structs.replace(self.standings[scope], sound_since_us=NEVER)

    def _fail(self, scope: str, fault: Fault, standing: Standing | None) -> None:
        if standing is not None:
            broken = tuple(sorted({*standing.broken, fault.law}))
            self.standings[scope] = msgspec.structs.replace(standing, broken=broken, sound_since_us=NEVER)
        elif scope in self.met or not self._warming:
            self.standings[scope] = Standing(fault.law, self._now_us, fault.text, (fault.law,))
            self._tell(scope, fault.law, fault.text, suspended=True)

    def _mend(self, scope: str, standing: Standing, *, sound: bool) -> None:
        since_us = standing.sound_since_us
        if not sound:
            since_us = NEVER
        elif since_us == NEVER or self._paused:
            since_us = self._now_us
        if since_us != NEVER and self._now_us - since_us >= self._rules.resume_after_ms * MILLISECOND_US:
            del self.standings[scope]
            text = f"sound for {(self._now_us - since_us) // MILLISECOND_US} ms"
            self._tell(scope, standing.law, text, suspended=False)
        else:
            self.standings[scope] = msgspec.structs.replace(standing, sound_since_us=since_us)

    def _tell(self, scope: str, law: Law, text: str, *, suspended: bool) -> None:
        self.transitions.append(Transition(scope=scope, suspended=suspended, law=law, text=text, at_us=self._now_us))


def _order(witness: Witness) -> tuple[str, ...]:
    return (witness.source, witness.symbol, *map(str, msgspec.structs.astuple(witness)))


def _bounded(standings: dict[str, Standing]) -> dict[str, Standing]:
    """Forget the oldest beyond the bound; the Book holds them suspended, and nobody resumes them but people."""
    kept = sorted(standings.items(), key=lambda item: (-item[1].since_us, item[0]))[:WATCHED_MAX]
    return dict(sorted(kept))


def _looked(watch: Watch, seen: tuple[Witness, ...], rules: Integrity, now_us: int) -> dict[str, tuple[Look, ...]]:
    """Remember the middle of every sound instrument, as far back as a jump is judged.

    Looks that come faster than the bound on their number allows take the place of the latest.
    """
    window_us = rules.jump_within_ms * MILLISECOND_US
    spacing_us = window_us // LOOKS_MAX
    looks: dict[str, tuple[Look, ...]] = {}
    for witness in seen:
        if witness.kind is SourceKind.ORACLE or judge(witness, rules) is not None:
            continue
        scope = witness_scopes(witness)[0]
        before = [look for look in watch.looks.get(scope, ()) if look.at_us >= now_us - window_us]
        if len(before) > 1 and before[-1].at_us - before[-2].at_us < spacing_us:
            before.pop()
        looks[scope] = (*before, Look(now_us, witness.mid))
    return looks


def _jumps(seen: tuple[Witness, ...], looks: Mapping[str, tuple[Look, ...]], rules: Integrity) -> Faults:
    """Return the instruments that leapt while the others of their asset did not."""
    moves: dict[str, dict[str, Num]] = {}
    for witness in seen:
        scope = witness_scopes(witness)[0]
        if scope in looks:
            moves.setdefault(witness.base, {})[scope] = _move(looks[scope])
    faults: Faults = {}
    for own in moves.values():
        for scope, move in own.items():
            others = sorted(each for name, each in own.items() if name != scope)
            usual = (
                divide(add(others[(len(others) - 1) // 2], others[len(others) // 2]), Decimal(2)) if others else ZERO
            )
            leap = abs(subtract(move, usual))
            if leap > rules.jump_bps:
                text = f"it moved {told(move)} bps within {rules.jump_within_ms} ms, others {told(usual)}"
                faults[scope] = Fault(law=Law.JUMP, text=text, value=told(leap), limit=rules.jump_bps)
    return faults


def _move(looks: tuple[Look, ...]) -> Num:
    """Return the largest change from a look to the last, signed, in bps."""
    last = looks[-1].mid
    moves = [divide(multiply(subtract(last, look.mid), BPS), look.mid) for look in looks]
    return max(moves, key=lambda move: (abs(move), move))


def untold(watch: Watch, suspended: Mapping[str, Suspension]) -> tuple[Transition, ...]:
    """Return what the Book does not say as the watch does: a report was lost on its way, and is to be sent again."""
    found: list[Transition] = []
    for scope, standing in sorted(watch.standings.items()):
        if scope not in suspended:
            found.append(
                Transition(scope=scope, suspended=True, law=standing.law, text=standing.text, at_us=watch.at_us)
            )
    for scope, held in sorted(suspended.items()):
        if scope not in watch.standings and scope in watch.met and held.law is not Law.REFERENCE_DATA:
            found.append(Transition(scope=scope, suspended=False, law=held.law, text="it is sound", at_us=watch.at_us))
    return tuple(found)
