"""The ways to hedge an underlying now: which instruments of the policy may be traded, and why the others not.

Nothing is traded on a venue or an instrument that is halted, lost or suspended, on a book that is missing, unsound or
too old, or where the sources that agree on a price do not vouch for it. Every decision judges that by its own evidence,
whatever surveillance has found.
"""

from collections.abc import Collection

import msgspec

from domain.blame import depegged
from domain.book import Book
from domain.depth import BookEvidence
from domain.market import USD, Integrity, Law, Witness, instrument_scope
from domain.mode import Mode
from domain.policy import Instrument, Pair, Policy
from domain.quantity import Num
from domain.quote import Source
from domain.reference import PAR, Reference, believed, needed, together, valued, worth
from domain.refusal import Reason, Refusal
from domain.routing.certificate import Excluded


class Way(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold an instrument that may be traded now, its book, and what it is paid in.

    `begun` says why no mint's hedge is begun there, None where it is; a venue that only reduces says so, and so does a
    stable that lost its peg: what is owed is traded in it all the same.
    """

    instrument: Instrument
    seen: BookEvidence
    stable: Reference
    begun: Refusal | None = None
    reduces: bool = False


class Closed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold an instrument that may not be traded now, and why."""

    instrument: Instrument
    refusal: Refusal


class Ways(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold the instruments of an underlying that may be traded now, at least one, and those that may not.

    The home instrument of a pair stands first where it may be traded: its book gives the reference.
    """

    underlying: str
    base: Reference
    open: tuple[Way, ...]
    closed: tuple[Closed, ...] = ()

    @property
    def first(self) -> Way:
        """Return the way whose book gives the reference."""
        return self.open[0]

    @property
    def reference(self) -> Num:
        """Return the middle of the first book, in what is paid there."""
        return self.open[0].seen.mid

    @property
    def reference_usd(self) -> Num:
        """Return the middle of the first book in dollars."""
        return self.first.seen.mid * self.first.stable.mid

    @property
    def sources(self) -> tuple[Source, ...]:
        """Return everyone who vouches for the underlying and what it is traded in, once."""
        stables = {way.stable.base: way.stable.sources for way in self.open}
        return together(self.base.sources, *stables.values())

    @property
    def excluded(self) -> tuple[Excluded, ...]:
        """Return the instruments that may not be traded as a certificate names them."""
        return tuple(
            Excluded(
                venue=each.instrument.venue,
                symbol=each.instrument.symbol,
                reason=f"{each.refusal.reason.name}: {each.refusal.text}",
            )
            for each in self.closed
        )

    def to_begin(self) -> "Ways | Refusal":
        """Return the ways on which a mint's hedge may be begun, or why there is none."""
        barred = [Closed(instrument=way.instrument, refusal=way.begun) for way in self.open if way.begun is not None]
        if not barred:
            return self
        left = tuple(way for way in self.open if way.begun is None)
        if not left:
            return barred[0].refusal
        return msgspec.structs.replace(self, open=left, closed=(*self.closed, *barred))


def home_first(policy: Policy, underlying: str, home: Pair | None) -> tuple[Instrument, ...]:
    """Return the instruments of an underlying: a pair's home, then the others in the policy's order."""
    found = policy.traded(underlying)
    if home is None or len(found) == 1:
        return found
    return tuple(sorted(found, key=lambda each: (each.venue, each.symbol) != (home.venue, home.symbol)))


def shut(book: Book, instrument: Instrument) -> Refusal | None:
    """Say why nothing may be traded in an instrument now, whatever the evidence: halted, lost or suspended."""
    venue = instrument.venue
    if _mode(book, venue) is Mode.HALTED:
        return Refusal(reason=Reason.HALTED, text=f"{venue} is halted", scope=f"venue:{venue}")
    if venue in book.dependencies:
        return Refusal(reason=Reason.DEPENDENCY_LOST, text=f"{venue} is degraded: {book.dependencies[venue]}")
    suspended = book.outside.suspended
    if not suspended:
        return None
    for reason, scope in (
        (Reason.VENUE_SUSPENDED, f"venue:{venue}"),
        (Reason.INSTRUMENT_SUSPENDED, instrument_scope(venue, instrument.symbol)),
        (Reason.INSTRUMENT_SUSPENDED, f"listing:{venue}|{instrument.symbol}"),
    ):
        if scope in suspended:
            return suspension(book, reason, scope)
    return asset_suspended(book, instrument.quote)


def _mode(book: Book, venue: str) -> Mode:
    return book.modes.get(f"venue:{venue}", Mode.ACTIVE) if book.modes else Mode.ACTIVE


def asset_suspended(book: Book, asset: str) -> Refusal | None:
    """Say that nobody can tell what an asset is worth; one that only lost its peg has a price."""
    held = book.outside.suspended.get(f"asset:{asset}")
    return None if held is None or held.law is Law.DEPEG else suspension(book, Reason.ASSET_SUSPENDED, held.scope)


def suspension(book: Book, reason: Reason, scope: str) -> Refusal:
    """Return the refusal that a suspension is."""
    held = book.outside.suspended[scope]
    return Refusal(reason=reason, text=f"{scope} is suspended ({held.law}): {held.text}", scope=scope)


def barred(book: Book, instrument: Instrument) -> Refusal | None:
    """Say why no mint's hedge may be begun in an instrument, though what is owed may be traded there."""
    venue = instrument.venue
    if _mode(book, venue) is Mode.REDUCE_ONLY:
        return Refusal(reason=Reason.REDUCE_ONLY, text=f"{venue} only reduces", scope=f"venue:{venue}")
    suspended = book.outside.suspended
    held = suspended.get(f"asset:{instrument.quote}") if suspended else None
    if held is not None and held.law is Law.DEPEG:
        return suspension(book, Reason.ASSET_DEPEGGED, held.scope)
    return None


def check_book(book: Book, venue: str, symbol: str, evidence: tuple[BookEvidence, ...]) -> BookEvidence | Refusal:
    """Return a book that a decision may rest on: there, sound, and younger than the limit on quote age."""
    found = None
    for item in evidence:
        if item.venue == venue and item.symbol == symbol:
            found = item
            break
    if found is None or not found.sound:
        text = f"no sound book of {symbol} on {venue}: no price without a source"
        return Refusal(reason=Reason.REFERENCE_MISSING, text=text, scope=instrument_scope(venue, symbol))
    limit = book.limit("quote_age")
    if limit is None:
        return Refusal(
            reason=Reason.LIMIT_MISSING, text="no quote_age limit is set", control="quote_age", scope="global"
        )
    if found.age_ms > limit.value:
        return Refusal(
            reason=Reason.REFERENCE_STALE,
            text=f"the book of {symbol} on {venue} is {found.age_ms} ms old",
            control="quote_age",
            scope="global",
            limit=str(limit.value),
            value=str(found.age_ms),
        )
    return found


def peg_lost(stable: Reference, under: Integrity) -> Refusal | None:
    """Say that a stable is not worth about a dollar by this very evidence."""
    if stable.base not in under.stables:
        return None
    fault = depegged(stable.base, stable.mid, under)
    if fault is None:
        return None
    return Refusal(reason=Reason.ASSET_DEPEGGED, text=fault.text, scope=f"asset:{stable.base}")


class _Judged:
    """Judge the instruments of one underlying by one set of evidence, what they share once."""

    def __init__(
        self, book: Book, policy: Policy, base: Reference, seen: tuple[tuple[Witness, ...], dict[str, Reference]]
    ) -> None:
        self._book = book
        self._under = policy.integrity
        self._base = base
        self._sound, self._stables = seen

    def way(self, instrument: Instrument, seen: BookEvidence) -> Way | Refusal:
        """Return an instrument's way, or why its book may not be traded on."""
        venue, symbol, quote = instrument.venue, instrument.symbol, instrument.quote
        if not self._base.vouches(venue, symbol):
            text = f"{symbol} on {venue} is not among those who vouch for {self._base.base}: nothing is hedged there"
            return Refusal(reason=Reason.HEDGE_UNVOUCHED, text=text, scope=instrument_scope(venue, symbol))
        stable = PAR if quote == USD else self._stables.get(quote) or valued(quote, self._sound, self._under)
        if isinstance(stable, Refusal):
            return stable
        return Way(
            instrument=instrument,
            seen=seen,
            stable=stable,
            begun=barred(self._book, instrument) or peg_lost(stable, self._under),
            reduces=_mode(self._book, venue) is Mode.REDUCE_ONLY,
        )


def ways(
    book: Book,
    underlying: str,
    evidence: tuple[BookEvidence, ...],
    witnesses: tuple[Witness, ...],
    *,
    home: Pair | None = None,
    without: Collection[str] = (),
) -> Ways | Refusal:
    """Return the instruments of an underlying that may be traded now, or why there is none.

    `without` names instruments (`Instrument.key`) that failed in this hedge. Where none is left, what stands in the way
    of the first of them is told: of the home of a pair.
    """
    policy = book.policy
    if policy is None:
        return Refusal(reason=Reason.POLICY_MISSING, text="the book has no policy yet")
    instruments = home_first(policy, underlying, home)
    closed: list[Closed] = []
    seen: list[tuple[Instrument, BookEvidence]] = []
    for instrument in instruments:
        found = _failed(instrument, without) or shut(book, instrument)
        judged = found or check_book(book, instrument.venue, instrument.symbol, evidence)
        if isinstance(judged, Refusal):
            closed.append(Closed(instrument=instrument, refusal=judged))
        else:
            seen.append((instrument, judged))
    if not seen:
        return closed[0].refusal if closed else _untraded(underlying)
    worthless = asset_suspended(book, underlying)
    if worthless is not None:
        return worthless
    under = policy.integrity
    sound = believed(needed(underlying, witnesses, under), under, book.outside.suspended)
    stables = worth({each.quote for each in sound}, sound, under)
    base = valued(underlying, sound, under)
    if isinstance(base, Refusal):
        return base
    judge, found_open = _Judged(book, policy, base, (sound, stables)), list[Way]()
    for instrument, item in seen:
        way = judge.way(instrument, item)
        if isinstance(way, Refusal):
            closed.append(Closed(instrument=instrument, refusal=way))
        else:
            found_open.append(way)
    if not found_open:
        order = {each.key: place for place, each in enumerate(instruments)}
        return min(closed, key=lambda each: order[each.instrument.key]).refusal
    return Ways(underlying=underlying, base=base, open=tuple(found_open), closed=tuple(closed))


def _failed(instrument: Instrument, without: Collection[str]) -> Refusal | None:
    if instrument.key not in without:
        return None
    text = f"{instrument.symbol} on {instrument.venue} did not do its part of this hedge"
    return Refusal(reason=Reason.DEPENDENCY_LOST, text=text)


def _untraded(underlying: str) -> Refusal:
    text = f"the policy has no instrument of {underlying} to trade"
    return Refusal(reason=Reason.REFERENCE_MISSING, text=text, scope=f"asset:{underlying}")
