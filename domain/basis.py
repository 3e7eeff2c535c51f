"""What a price of a pair rests on: the hedge venue's book, what the underlying and the stable are worth, who says so.

Every decision judges the evidence it was given by itself; and what surveillance suspended stands in its way.
"""

import msgspec

from domain.blame import depegged
from domain.book import Book
from domain.depth import BookEvidence
from domain.market import USD, Integrity, Law, Witness, instrument_scope
from domain.policy import Hedging, Pair
from domain.quantity import Num
from domain.quote import Side, Source
from domain.reference import PAR, Reference, believed, needed, together, valued
from domain.refusal import Reason, Refusal


class Basis(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold judged evidence: the hedge venue's book (None where the collateral is held) and two references.

    `base` is the underlying's; `stable` is that of what the hedge is paid in, or of the stable that is held.
    """

    seen: BookEvidence | None
    base: Reference
    stable: Reference

    @property
    def mid(self) -> Num:
        """Return the middle of the hedge venue's book, or what is held is worth."""
        return self.seen.mid if self.seen is not None else self.base.mid

    @property
    def sources(self) -> tuple[Source, ...]:
        """Return everyone who vouches, once."""
        return together(self.base.sources, self.stable.sources)


def rules(book: Book) -> Integrity:
    """Return the rules by which market data is believed."""
    return book.policy.integrity if book.policy is not None else Integrity()


def find_evidence(pair: Pair, evidence: tuple[BookEvidence, ...]) -> BookEvidence | None:
    """Return the evidence of the pair's hedge instrument."""
    for item in evidence:
        if item.venue == pair.venue and item.symbol == pair.symbol:
            return item
    return None


def check_evidence(book: Book, pair: Pair, evidence: tuple[BookEvidence, ...]) -> BookEvidence | Refusal:
    """Return a book that a decision may rest on: there, sound, and younger than the limit on quote age."""
    found = find_evidence(pair, evidence)
    if found is None or not found.sound:
        text = f"no sound book of {pair.symbol} on {pair.venue}: no price without a source"
        scope = instrument_scope(pair.venue, pair.symbol)
        return Refusal(reason=Reason.REFERENCE_MISSING, text=text, scope=scope)
    limit = book.limit("quote_age")
    if limit is None:
        return Refusal(
            reason=Reason.LIMIT_MISSING, text="no quote_age limit is set", control="quote_age", scope="global"
        )
    if found.age_ms > limit.value:
        return Refusal(
            reason=Reason.REFERENCE_STALE,
            text=f"the book of {pair.symbol} on {pair.venue} is {found.age_ms} ms old",
            control="quote_age",
            scope="global",
            limit=str(limit.value),
            value=str(found.age_ms),
        )
    return found


def check_suspended(book: Book, pair: Pair, side: Side) -> Refusal | None:
    """Refuse what surveillance suspended: the venue, the instrument, an asset without a price, a depegged stable.

    A depegged stable is not taken for a mint, nor is a hedge begun that is paid in one; what is owed goes on.
    """
    if book.policy is None:
        return Refusal(reason=Reason.POLICY_MISSING, text="the book has no policy yet")
    suspended, assets = book.outside.suspended, [book.asset(pair.collateral).underlying]
    if pair.hedging is Hedging.PERPETUAL:
        where = f"{pair.venue}|{pair.symbol}"
        for reason, scope in (
            (Reason.VENUE_SUSPENDED, f"venue:{pair.venue}"),
            (Reason.INSTRUMENT_SUSPENDED, instrument_scope(pair.venue, pair.symbol)),
            (Reason.INSTRUMENT_SUSPENDED, f"listing:{where}"),
        ):
            if scope in suspended:
                return _suspended(book, reason, scope)
        assets.append(book.instrument(pair.venue, pair.symbol).quote)
    held = [scope for asset in assets if (scope := f"asset:{asset}") in suspended]
    for scope in held:
        if suspended[scope].law is not Law.DEPEG:
            return _suspended(book, Reason.ASSET_SUSPENDED, scope)
    return _suspended(book, Reason.ASSET_DEPEGGED, held[0]) if held and side is Side.MINT else None


def _suspended(book: Book, reason: Reason, scope: str) -> Refusal:
    held = book.outside.suspended[scope]
    return Refusal(reason=reason, text=f"{scope} is suspended ({held.law}): {held.text}", scope=scope)


def rest_on(
    book: Book, pair: Pair, evidence: tuple[BookEvidence, ...], witnesses: tuple[Witness, ...]
) -> Basis | Refusal:
    """Judge the evidence of a pair: a quorum for its price, the hedge venue among it, and the hedge venue's book."""
    if book.policy is None:
        return Refusal(reason=Reason.POLICY_MISSING, text="the book has no policy yet")
    underlying = book.asset(pair.collateral).underlying
    under, suspended = book.policy.integrity, book.outside.suspended
    seen = check_evidence(book, pair, evidence) if pair.hedging is Hedging.PERPETUAL else None
    if isinstance(seen, Refusal):
        return seen
    sound = believed(needed(underlying, witnesses, under), under, suspended)
    base = valued(underlying, sound, under)
    if seen is None:
        return base if isinstance(base, Refusal) else Basis(seen=None, base=base, stable=base)
    if isinstance(base, Refusal):
        return base
    if not base.vouches(pair.venue, pair.symbol):
        text = f"{pair.symbol} on {pair.venue} is not among those who vouch for {underlying}: nothing is hedged there"
        scope = instrument_scope(pair.venue, pair.symbol)
        return Refusal(reason=Reason.HEDGE_UNVOUCHED, text=text, scope=scope)
    quote = book.instrument(pair.venue, pair.symbol).quote
    stable = PAR if quote == USD else valued(quote, sound, under)
    return stable if isinstance(stable, Refusal) else Basis(seen=seen, base=base, stable=stable)


def check_peg(book: Book, basis: Basis, side: Side) -> Refusal | None:
    """Refuse to mint against a stable that is not worth about a dollar by this very evidence."""
    stable, under = basis.stable, rules(book)
    if side is Side.REDEEM or stable.base not in under.stables:
        return None
    fault = depegged(stable.base, stable.mid, under)
    return (
        None if fault is None else Refusal(reason=Reason.ASSET_DEPEGGED, text=fault.text, scope=f"asset:{stable.base}")
    )
