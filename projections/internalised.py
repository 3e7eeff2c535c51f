"""Internalised: flows that were netted against others inside a band instead of being traded, and what that saved."""

from uuid import UUID

import msgspec

from domain.instant import rfc3339
from domain.internalisation import FlowInternalised
from domain.quantity import ZERO, Num, add
from projections.view import Row, Rows, View


class InternalisedLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a flow: signed base units of the request's own hedge that were not traded, USD saved.

    Negative where what rested before was traded along, and paid for. The totals are the underlying's, this one with
    them.
    """

    hedge_id: UUID
    request_id: UUID
    underlying: str
    quantity: Num
    saved_usd: Num
    netted_total: Num
    saved_total_usd: Num
    at: str


class Sum(msgspec.Struct, frozen=True, gc=False):
    """Hold an underlying's sums."""

    quantity: Num = ZERO
    saved_usd: Num = ZERO


class Internalised(Rows[InternalisedLine]):
    """Hold the sums: a flow is over when it is told."""

    totals: dict[str, Sum] = msgspec.field(default_factory=dict[str, Sum])


def _netted(
    state: Internalised, event: FlowInternalised, position: int, at_us: int
) -> tuple[Row[InternalisedLine], ...]:
    before = state.totals.get(event.underlying, Sum())
    total = Sum(add(before.quantity, event.quantity), add(before.saved_usd, event.saved_usd))
    state.totals[event.underlying] = total
    line = InternalisedLine(
        hedge_id=event.hedge_id,
        request_id=event.request_id,
        underlying=event.underlying,
        quantity=event.quantity,
        saved_usd=event.saved_usd,
        netted_total=total.quantity,
        saved_total_usd=total.saved_usd,
        at=rfc3339(at_us),
    )
    return state.close(str(event.hedge_id), position, line)


INTERNALISED = View(
    name="internalised",
    document=InternalisedLine,
    state=Internalised,
    steps={FlowInternalised: _netted},
    lookups=frozenset({"request_id", "underlying"}),
)
