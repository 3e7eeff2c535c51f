"""Ratios: how many units of its underlying a token stands for, such as a liquid staking token, as it was last observed.

The policy tells the first; what is observed since counts until the policy itself changes it.
"""

from uuid import UUID

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.instant import SECOND_US
from domain.quantity import Num

# A ratio grows by some bps a day, and falls by slashing: what moves more at once a person puts in the policy.
STEP_BPS_MAX = Num(100)
EVERY_US = 3_600 * SECOND_US


@catalogued
class RatioObserved(Event, frozen=True, kw_only=True, tag="ratio.observed.v1"):
    """One unit of an asset stands for `ratio` units of its underlying from here on; `source` is who said so."""

    asset: str
    ratio: Num
    source: str
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the stream of this asset's ratio."""
        return natural_id("ratio", self.asset)
