"""Funding: every payment, and what each instrument has paid or cost until then."""

import msgspec

from domain.funding import FundingPaid, funding_key
from domain.instant import rfc3339
from domain.quantity import ZERO, Num, add
from projections.view import Row, Rows, View


class FundingLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a payment, positive when received; `total` is the instrument's sum in that asset with it."""

    venue: str
    account: str
    symbol: str
    payment_id: str
    asset: str
    amount: Num
    total: Num
    paid_at: str
    recorded_at: str


class Fundings(Rows[FundingLine]):
    """Hold the sums: a payment is over when it is told."""

    totals: dict[str, Num] = msgspec.field(default_factory=dict[str, Num])


def _paid(state: Fundings, event: FundingPaid, position: int, at_us: int) -> tuple[Row[FundingLine], ...]:
    key = funding_key(event.venue, event.account, event.symbol, event.asset)
    total = state.totals[key] = add(state.totals.get(key, ZERO), event.amount)
    line = FundingLine(
        venue=event.venue,
        account=event.account,
        symbol=event.symbol,
        payment_id=event.payment_id,
        asset=event.asset,
        amount=event.amount,
        total=total,
        paid_at=rfc3339(event.paid_at_us),
        recorded_at=rfc3339(at_us),
    )
    return state.close(str(event.originator), position, line)


FUNDING = View(
    name="funding",
    document=FundingLine,
    state=Fundings,
    steps={FundingPaid: _paid},
    lookups=frozenset({"venue", "symbol"}),
)
