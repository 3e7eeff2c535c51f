"""Differences: what a venue says that an account holds, beside what its fills in the log come to.

While orders trade, an observation and the log are never of the same moment, so that one difference says nothing. One
that is the same in several observations running is not on its way: the venue holds what the log does not explain.
"""

from collections.abc import Mapping

import msgspec

from domain.account import AccountObserved
from domain.fill import Position
from domain.ids import position_key
from domain.policy import Instrument
from domain.quantity import ZERO, Num, subtract

BREAKS_AFTER = 3
"""So many observations running that show the same difference are a break."""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """Hold by how much a venue's word exceeds the log, base units, and how many observations running said so."""

    amount: Num
    times: int
    since_us: int


Differences = dict[str, Difference]
"""The differences that stand, by `domain.ids.position_key`. Bounded by the policy's instruments."""


def compare(
    found: Differences, event: AccountObserved, instruments: tuple[Instrument, ...], positions: Mapping[str, Position]
) -> None:
    """Hold an observation of an account against the positions that the log comes to; linear contracts only."""
    told = {held.symbol: held.quantity for held in event.positions}
    for item in instruments:
        if (item.venue, item.account, item.kind) != (event.venue, event.account, "linear"):
            continue
        key = position_key(item.venue, item.account, item.symbol)
        known = positions.get(key)
        amount = subtract(told.get(item.symbol, ZERO), ZERO if known is None else known.quantity)
        before = found.get(key)
        if not amount:
            found.pop(key, None)
        elif before is not None and before.amount == amount:
            found[key] = Difference(amount, before.times + 1, before.since_us)
        else:
            found[key] = Difference(amount, 1, event.observed_at_us)


def broken(found: Differences, event: AccountObserved) -> tuple[tuple[str, Difference], ...]:
    """Return the differences of an account that just became breaks, by symbol: each is told once."""
    return tuple(
        (symbol, each)
        for key, each in found.items()
        if each.times == BREAKS_AFTER and (symbol := _symbol(key, event)) is not None
    )


def _symbol(key: str, event: AccountObserved) -> str | None:
    own = position_key(event.venue, event.account, "")
    return key.removeprefix(own) if key.startswith(own) else None
