"""Quotes: a price promised to one benefactor for a short while, used at most once."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.market import SourceKind
from domain.quantity import Amount, Num


class Side(StrEnum):
    """Say which way: mint gives collateral and takes the dollar, redeem the other way round."""

    MINT = "MINT"
    REDEEM = "REDEEM"


class HedgeShare(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show what one instrument takes of a hedge: base units, their average price in its quote, and its taker fee."""

    venue: str
    symbol: str
    quantity: Num
    price: Num
    fee_bps: Num


class Decomposition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show what a price is made of: the reference, and every cost on top, in issued dollars per collateral unit or bps.

    A hedge is paid in a stable, and a stable that is held is one: it counts at `stable_price` dollars, the worse end
    for the taker of what its sources say, `stable_cost_bps` from their middle. `hedges` is how the size was spread over
    instruments; where there are several the fee and the stable are their averages, by value.
    """

    reference: Num  # middle of the reference book at the middle price of its stable
    hedge_price: Num  # volume-weighted price of the hedge on the evidence, in the same dollars
    hedge_cost_bps: Num  # how much worse the hedge price is than the reference; below zero: another book is better
    venue_fee_bps: Num
    fee_bps: Num
    buffer_bps: Num
    gas: Amount
    stable_price: Num = Num(1)
    stable_cost_bps: Num = Num(0)
    hedges: tuple[HedgeShare, ...] = ()


class Source(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Name a source that vouches for a price, and what it said: a venue, or an oracle by its name.

    `bid` and `ask` are in the quote of its symbol; an oracle's are its price less and plus its confidence.
    """

    venue: str
    symbol: str
    sequence: int
    age_ms: int
    bid: Num
    ask: Num
    kind: SourceKind = SourceKind.LINEAR


@catalogued
class QuoteIssued(Event, frozen=True, kw_only=True, tag="quote.issued.v3"):
    """A price was promised: this collateral against this many issued dollars, until `expires_at_us`."""

    quote_id: UUID
    pair: str
    side: Side
    kind: str  # ALGO or UI, as asked
    size: Num
    benefactor: str
    collateral: Amount
    issued: Amount
    price: Num  # issued dollars per collateral unit, all costs in
    decomposition: Decomposition
    sources: tuple[Source, ...]
    issued_at_us: int
    expires_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the quote's id."""
        return self.quote_id


@catalogued
class QuoteUsed(Event, frozen=True, kw_only=True, tag="quote.used.v1"):
    """A quote was accepted by a request; it cannot be used again."""

    quote_id: UUID
    request_id: UUID

    @property
    def originator(self) -> UUID:
        """Return the quote's id."""
        return self.quote_id


class OpenQuote(msgspec.Struct, frozen=True, gc=False):
    """Hold a quote that can be accepted until it expires."""

    quote: QuoteIssued


class UsedQuote(msgspec.Struct, frozen=True, gc=False):
    """Remember a used quote until its retention ends, so that a second use is told apart from an unknown one."""

    quote_id: UUID
    request_id: UUID
    expires_at_us: int
