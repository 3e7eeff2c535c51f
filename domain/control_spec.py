"""What a control is: its bound, its scopes, and when it is tested; `domain.limits` lists all."""

from enum import StrEnum

import msgspec

from domain.limit import Control
from domain.quantity import Num
from domain.refusal import Reason


class Bound(StrEnum):
    """Say which side of a value is refused."""

    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    RULE = "rule"  # no value: it holds or it does not


class Kind(StrEnum):
    """Name the kinds of scopes; every one but `global` is written `<kind>:<id>`."""

    GLOBAL = "global"
    ASSET = "asset"  # an underlying
    VENUE = "venue"
    PAIR = "pair"
    CUSTODIAN = "custodian"
    STABLE = "stable"
    DESTINATION = "destination"


class Stage(StrEnum):
    """Say when a control is tested: before which decision, or (`STATE`) all the time."""

    QUOTE = "quote"
    REQUEST = "request"  # a mint or redeem is accepted
    ORDER = "order"  # the intent of a venue order is recorded
    CANCEL = "cancel"
    TRANSFER = "transfer"
    STATE = "state"


class ControlSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a control.

    `scopes`: the first must have a limit, the others may. `default` is what a new book is given in the scope `global`;
    None where the settings must say, per underlying. `reason` is told on refusal and gives the precedence. What only
    lowers worst-case delta passes where `spares_reducing`. Money is USD, shares and distances are bps, ratios of one.
    """

    control: Control
    unit: str
    bound: Bound
    scopes: tuple[Kind, ...]
    stages: frozenset[Stage]
    reason: Reason
    text: str
    law: tuple[str, ...]
    default: Num | None = None
    spares_reducing: bool = False

    @property
    def valued(self) -> bool:
        """Say whether it has a limit that is a number."""
        return self.bound is not Bound.RULE

    def looser(self, than: Num | None, value: Num | None) -> bool:
        """Say whether `value` allows more than another; no limit at all refuses, and yet removing one is loosening."""
        if value is None or than is None:
            return value is not than
        return value > than if self.bound is Bound.MAXIMUM else value < than

    def breached(self, value: Num, limit: Num) -> bool:
        """Say whether a value lies beyond a limit."""
        return value > limit if self.bound is Bound.MAXIMUM else value < limit
