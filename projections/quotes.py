"""Quotes: every price that was promised, what it was made of, and whether it was used."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.instant import rfc3339
from domain.quantity import Num
from domain.quote import Decomposition, QuoteIssued, QuoteUsed, Side, Source
from projections.view import Row, Rows, View


class QuoteState(StrEnum):
    """Say what became of a quote; one past `expires_at` cannot be used, whether that is written yet or not."""

    ISSUED = "issued"
    USED = "used"
    EXPIRED = "expired"


class Costs(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show what a price is made of, in the terms of `domain.quote.Decomposition`; gas in atoms of the issued dollar."""

    reference: Num
    hedge_price: Num
    hedge_cost_bps: Num
    venue_fee_bps: Num
    fee_bps: Num
    buffer_bps: Num
    gas_atoms: str
    stable_price: Num
    stable_cost_bps: Num


class QuoteLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a quote: amounts in atoms, as text; `price` in issued dollars per collateral unit, all costs in."""

    quote_id: UUID
    pair: str
    side: Side
    kind: str
    size: Num
    benefactor: str
    collateral_asset: str
    collateral_atoms: str
    issued_asset: str
    issued_atoms: str
    price: Num
    decomposition: Costs
    sources: tuple[Source, ...]
    state: QuoteState
    request_id: UUID | None
    issued_at: str
    expires_at: str


class Quotes(Rows[QuoteLine]):
    """Hold the quotes that can still be used, and when each ends."""

    ends: dict[str, int] = msgspec.field(default_factory=dict[str, int])


def _costs(parts: Decomposition) -> Costs:
    return Costs(
        reference=parts.reference,
        hedge_price=parts.hedge_price,
        hedge_cost_bps=parts.hedge_cost_bps,
        venue_fee_bps=parts.venue_fee_bps,
        fee_bps=parts.fee_bps,
        buffer_bps=parts.buffer_bps,
        gas_atoms=str(parts.gas.atoms),
        stable_price=parts.stable_price,
        stable_cost_bps=parts.stable_cost_bps,
    )


def _expire(state: Quotes, position: int, at_us: int) -> tuple[Row[QuoteLine], ...]:
    """Close what has ended at `at_us`: the oldest first, until one is found that has not."""
    ended: list[str] = []
    for key in state.rows:
        if state.ends[key] > at_us:
            break
        ended.append(key)
    rows: tuple[Row[QuoteLine], ...] = ()
    for key in ended:
        del state.ends[key]
        line = state.rows[key].document
        rows += state.close(key, position, msgspec.structs.replace(line, state=QuoteState.EXPIRED))
    return rows


def _issued(state: Quotes, event: QuoteIssued, position: int, at_us: int) -> tuple[Row[QuoteLine], ...]:
    rows = _expire(state, position, at_us)
    key = str(event.quote_id)
    state.ends[key] = event.expires_at_us
    line = QuoteLine(
        quote_id=event.quote_id,
        pair=event.pair,
        side=event.side,
        kind=event.kind,
        size=event.size,
        benefactor=event.benefactor,
        collateral_asset=event.collateral.asset,
        collateral_atoms=str(event.collateral.atoms),
        issued_asset=event.issued.asset,
        issued_atoms=str(event.issued.atoms),
        price=event.price,
        decomposition=_costs(event.decomposition),
        sources=event.sources,
        state=QuoteState.ISSUED,
        request_id=None,
        issued_at=rfc3339(event.issued_at_us),
        expires_at=rfc3339(event.expires_at_us),
    )
    return rows + state.keep(key, position, line)


def _used(state: Quotes, event: QuoteUsed, position: int, at_us: int) -> tuple[Row[QuoteLine], ...]:
    key = str(event.quote_id)
    line = state.find(key)
    rows: tuple[Row[QuoteLine], ...] = ()
    if line is not None:
        used = msgspec.structs.replace(line, state=QuoteState.USED, request_id=event.request_id)
        del state.ends[key]
        rows = state.close(key, position, used)
    return rows + _expire(state, position, at_us)


QUOTES = View(
    name="quotes",
    document=QuoteLine,
    state=Quotes,
    steps={QuoteIssued: _issued, QuoteUsed: _used},
    lookups=frozenset({"benefactor", "pair"}),
)
