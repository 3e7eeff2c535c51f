"""A desk that is short on one of two venues, for tests of what moves from one to the other."""

from typing import Any

import msgspec

from domain.policy import Policy
from domain.quantity import Num
from domain.rebalancing.terms import DAY_US, Rebalancing, UnsettledCap
from tests.support.desk import Desk
from tests.support.given import START_US, a_book, a_mark, a_policy

MINUTE_MS = 60_000
TERMS = Rebalancing(
    every_ms=MINUTE_MS,
    cost_budget_per_day=Num(1000),
    step_notional_max=Num(8000),
    unsettled=(UnsettledCap(venue="binanceusdm", account="main", profit=Num(500)),),
)
MOVING = msgspec.structs.replace(TERMS, execute=True)
HOME, OTHER = a_book(), msgspec.structs.replace(a_book(), venue="deribit")
LOOK = "rebalance.look|ETH"


def policy(terms: Rebalancing = TERMS, **changes: Any) -> Policy:
    """Return a policy that hedges ETH on two venues."""
    (home,) = a_policy().instruments
    both = (home, msgspec.structs.replace(home, venue="deribit"))
    return a_policy(instruments=both, rebalancing=terms, **changes)


def a_desk(terms: Rebalancing = TERMS, *, rates: tuple[str, str] = ("-0.002", "0.002"), **changes: Any) -> Desk:
    """Return a desk that is short 10 ETH on its home venue, on a day that begins."""
    desk = Desk(policy=policy(terms, **changes))
    desk.now_us = START_US - START_US % DAY_US + DAY_US
    desk.held()
    desk.evidence = (HOME, OTHER)
    funded(desk, *rates)
    return desk


def funded(desk: Desk, home: str, other: str) -> None:
    """Let the venues show these rates."""
    desk.marks = (a_mark(rate=home), a_mark(rate=other, venue="deribit"))
