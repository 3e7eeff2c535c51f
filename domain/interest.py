"""Open interest: how much of an instrument all of a venue's traders hold, of which our share is bounded."""

from uuid import UUID

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.quantity import Num


@catalogued
class InterestObserved(Event, frozen=True, kw_only=True, tag="instrument.interest_observed.v1"):
    """A venue told its open interest in an instrument: base units, in quote units on inverse contracts."""

    venue: str
    symbol: str
    quantity: Num
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of this instrument's interest."""
        return natural_id("interest", self.venue, self.symbol)
