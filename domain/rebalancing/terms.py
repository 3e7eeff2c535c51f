"""Terms of rebalancing: when the book of hedges is held against the router's ideal, and what moving it may cost."""

import msgspec

from domain.quantity import ZERO, Num
from domain.venue import HOUR_MS


class UnsettledCap(msgspec.Struct, frozen=True, kw_only=True):
    """Bound the unrealised profit that may stand at a venue account, USD: what a failing venue would owe us."""

    venue: str
    account: str
    profit: Num


class Rebalancing(msgspec.Struct, frozen=True, kw_only=True):
    """Set how the book of hedges is rebalanced; money in USD.

    It is looked at every `every_ms`, never at zero, and soon again (`pause_ms`) after a move. What a move saves is
    counted over `horizon_ms`, and must be `saving_to_cost_min` times what it costs. `execute` makes moves, else they
    are only proposed: steps of at most `step_notional_max` a leg, at most `slack_bps` worse than the books that they
    were decided on, and no more of them than `cost_budget_per_day` (UTC) pays for at those worst prices.
    """

    every_ms: int = 0
    pause_ms: int = 5_000
    horizon_ms: int = 7 * 24 * HOUR_MS
    cost_budget_per_day: Num = ZERO
    saving_to_cost_min: Num = Num(2)
    step_notional_max: Num = Num(10_000)
    slack_bps: Num = Num(2)
    unsettled: tuple[UnsettledCap, ...] = ()
    execute: bool = False

    def unsettled_cap(self, venue: str, account: str) -> Num | None:
        """Return the bound on an account's unrealised profit; None where there is none."""
        return next((each.profit for each in self.unsettled if (each.venue, each.account) == (venue, account)), None)


DAY_US = 24 * HOUR_MS * 1_000


def faults(terms: Rebalancing) -> str:
    """Say what is wrong with terms, "" when they can be followed."""
    if terms.every_ms < 0 or terms.pause_ms <= 0 or terms.horizon_ms <= 0:
        return "rebalancing needs a pause and a horizon above zero, and no negative interval"
    if terms.saving_to_cost_min < 1:
        return "a rebalancing move must save at least what it costs"
    amounts = (
        terms.cost_budget_per_day,
        terms.step_notional_max,
        terms.slack_bps,
        *(x.profit for x in terms.unsettled),
    )
    return "rebalancing amounts must not be negative" if min(amounts) < 0 else ""
