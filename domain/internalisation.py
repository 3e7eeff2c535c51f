"""Internalisation: opposite flows net inside a band before anything is sent, and what that saved is told."""

from decimal import Decimal
from uuid import UUID

from domain.event import Event, catalogued
from domain.policy import BackTo, Policy
from domain.quantity import ZERO, Num, add, subtract


@catalogued
class FlowInternalised(Event, frozen=True, kw_only=True, tag="flow.internalised.v1"):
    """A hedge trades less than its request's own flow, since the rest nets against others inside the band.

    `quantity` is the signed base quantity of the request's own hedge that is not traded; negative of it, where what
    rested before is traded along. `saved_usd` is what routing the request's flow by itself would have cost, less what
    the hedge is expected to cost; below zero where an earlier rest is paid for now.
    """

    hedge_id: UUID
    request_id: UUID
    underlying: str
    quantity: Num
    saved_usd: Num

    @property
    def originator(self) -> UUID:
        """Return the hedge's id."""
        return self.hedge_id


def outside_band(policy: Policy, underlying: str, wanted: Decimal) -> Num:
    """Return what of a signed base quantity must be traded: nothing inside the band, all of it without one.

    Outside it, what lies beyond its edge, or everything where the band is brought back to zero.
    """
    band = policy.band(underlying)
    if band is None:
        return Num(wanted)
    if abs(wanted) <= band.width:
        return ZERO
    if band.back_to is BackTo.ZERO:
        return Num(wanted)
    return subtract(wanted, band.width) if wanted > 0 else add(wanted, band.width)
