"""Indicative prices as they are shown: a ladder of sizes per pair and side, and samples of it in the log."""

from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.quantity import Num
from domain.quote import Decomposition, Source


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a price: `size` in issued dollars, `price` in issued dollars per collateral unit, and what it is made of."""

    size: Num
    price: Num
    decomposition: Decomposition


class Ladder(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="kebab"):
    """Show a pair's indicative prices, both sides, and what may still be asked for, in issued dollars.

    A side that cannot be priced has no steps, and its reason (a name of `domain.refusal.Reason`) says why; `reason` is
    the first of the two that there is, `text` explains it.
    """

    pair: str
    at: str
    mint: tuple[Step, ...]
    redeem: tuple[Step, ...]
    gas: Num
    max_mint: Num
    max_redeem: Num
    remaining_mint: Num
    remaining_redeem: Num
    sources: tuple[Source, ...] = ()
    reason: str = ""
    mint_reason: str = ""
    redeem_reason: str = ""
    text: str = ""


@catalogued
class IndicativeSampled(Event, frozen=True, kw_only=True, tag="indicative.sampled.v2"):
    """A pair's ladder stood so at this moment."""

    ladder: Ladder
    sampled_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of the pair's samples."""
        return natural_id("indicative", self.ladder.pair)
