"""What a price rests on: where its hedge may trade, what the underlying and the stable are worth, and who says so.

Every decision judges the evidence it was given by itself; and what surveillance suspended stands in its way.
"""

import msgspec

from domain.book import Book
from domain.depth import BookEvidence
from domain.market import Integrity, Witness
from domain.policy import Hedging, Pair
from domain.quantity import Num
from domain.quote import Side, Source
from domain.reference import Reference, believed, needed, together, valued
from domain.refusal import Reason, Refusal, least
from domain.ways import Ways, asset_suspended, barred, home_first, peg_lost, shut, suspension, ways


class Basis(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold judged evidence: where a hedge may trade (None where the collateral is held) and two references.

    `base` is the underlying's; `stable` is that of what the reference book is paid in, or of the stable that is held.
    """

    ways: Ways | None
    base: Reference
    stable: Reference

    @property
    def mid_usd(self) -> Num:
        """Return the middle of the reference book, or what is held is worth, in dollars."""
        return self.ways.reference_usd if self.ways is not None else self.base.mid

    @property
    def sources(self) -> tuple[Source, ...]:
        """Return everyone who vouches, once."""
        return self.ways.sources if self.ways is not None else together(self.base.sources, self.stable.sources)


def rules(book: Book) -> Integrity:
    """Return the rules by which market data is believed."""
    return book.policy.integrity if book.policy is not None else Integrity()


def check_suspended(book: Book, pair: Pair, side: Side) -> Refusal | None:
    """Refuse what leaves a pair no way: all its instruments halted, lost or suspended, or an asset without a price.

    A depegged stable is not taken for a mint, nor is a hedge begun that is paid in one; what is owed goes on.
    """
    if book.policy is None:
        return Refusal(reason=Reason.POLICY_MISSING, text="the book has no policy yet")
    underlying = book.asset(pair.collateral).underlying
    worthless = asset_suspended(book, underlying)
    if pair.hedging is Hedging.PERPETUAL:
        return least(_without_way(book, pair, underlying, side), worthless)
    if worthless is not None or side is Side.REDEEM:
        return worthless
    held = book.outside.suspended.get(f"asset:{underlying}")
    return None if held is None else suspension(book, Reason.ASSET_DEPEGGED, held.scope)


def _without_way(book: Book, pair: Pair, underlying: str, side: Side) -> Refusal | None:
    """Return what stands in the way of a pair's home, where something does in that of every instrument."""
    first: Refusal | None = None
    for instrument in home_first(book.policy, underlying, pair) if book.policy is not None else ():
        found = shut(book, instrument) or (barred(book, instrument) if side is Side.MINT else None)
        if found is None:
            return None
        first = first or found
    return first


def rest_on(
    book: Book, pair: Pair, evidence: tuple[BookEvidence, ...], witnesses: tuple[Witness, ...]
) -> Basis | Refusal:
    """Judge the evidence of a pair: a quorum for its price, and a book to hedge on that is vouched for."""
    if book.policy is None:
        return Refusal(reason=Reason.POLICY_MISSING, text="the book has no policy yet")
    underlying = book.asset(pair.collateral).underlying
    if pair.hedging is Hedging.PERPETUAL:
        found = ways(book, underlying, evidence, witnesses, home=pair)
        return found if isinstance(found, Refusal) else Basis(ways=found, base=found.base, stable=found.first.stable)
    under, suspended = book.policy.integrity, book.outside.suspended
    base = valued(underlying, believed(needed(underlying, witnesses, under), under, suspended), under)
    return base if isinstance(base, Refusal) else Basis(ways=None, base=base, stable=base)


def check_peg(book: Book, basis: Basis, side: Side) -> Refusal | None:
    """Refuse to mint against a stable that is held and not worth about a dollar by this very evidence."""
    return None if side is Side.REDEEM else peg_lost(basis.stable, rules(book))
