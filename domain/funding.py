"""Funding: what perpetuals paid us or took, each payment once."""

from uuid import UUID

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.quantity import Num


@catalogued
class FundingPaid(Event, frozen=True, kw_only=True, tag="funding.paid.v1"):
    """A venue settled funding on one of our positions; `amount` is positive when received."""

    venue: str
    account: str
    symbol: str
    payment_id: str
    asset: str
    amount: Num
    paid_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the payment's own id: a stream of one event, so the log's key forbids a second."""
        return natural_id("funding", self.venue, self.account, self.symbol, self.payment_id)


def funding_key(venue: str, account: str, symbol: str, asset: str) -> str:
    """Return the key of an instrument's funding in the book."""
    return f"{venue}|{account}|{symbol}|{asset}"
