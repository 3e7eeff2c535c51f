"""Soft actions: what is done as limits draw near, before anything is refused: quotes grow wider and smaller.

Which band of warning a limit's use is in stands in the Book (`approached`), what is done in a band in the policy
(`risk.bands`). What would bring the book back from a limit is not made dearer by it.
"""

import msgspec

from domain.book import Book
from domain.limit import Control
from domain.limits import CONTROLS
from domain.mode import GLOBAL
from domain.policy import Pair
from domain.quantity import ZERO, Num, Rounding, multiply, round_to
from domain.quote import Side
from domain.refusal import Refusal
from domain.risk_terms import Band

REACH_STEP = Num("0.01")

_BOTH = frozenset(
    {
        Control.NET_DELTA,
        Control.SLIPPAGE_PER_DAY,
        Control.OPEN_ORDER_NOTIONAL,
        Control.OPEN_ORDERS,
        Control.ORDER_RATE,
        Control.ORDER_TO_TRADE,
        Control.REPEATED_EXECUTION,
    }
)
_MINTS = frozenset(
    {
        Control.MINT_PER_BLOCK,
        Control.MINT_PER_DAY,
        Control.BACKING_RATIO,
        Control.STRESS_LOSS,
        Control.GROSS_NOTIONAL,
        Control.POSITION_NOTIONAL,
        Control.OPEN_INTEREST_SHARE,
        Control.MARGIN_RATIO,
        Control.LIQUIDATION_DISTANCE,
        Control.LEVERAGE,
        Control.VENUE_CONCENTRATION,
        Control.CUSTODIAN_CONCENTRATION,
        Control.STABLE_CONCENTRATION,
        Control.UNSETTLED_PROFIT,
    }
)
_REDEEMS = frozenset({Control.REDEEM_PER_BLOCK, Control.REDEEM_PER_DAY})
SOFTENS: dict[Side, frozenset[Control]] = {Side.MINT: _BOTH | _MINTS, Side.REDEEM: _BOTH | _REDEEMS}
"""The controls whose nearness softens a side: what a mint adds to is not eased by making redeems dearer."""


class SoftAction(msgspec.Struct, frozen=True, gc=False):
    """Hold what is done to a side of a pair now: so many bps wider for who asks, and this share of the usual size."""

    wider_bps: Num = ZERO
    size_share: Num = Num(1)


NONE = SoftAction()


def soft_action(book: Book, pair: Pair, side: Side) -> SoftAction:
    """Return what the nearest of the limits that matter to a side of a pair does to it."""
    if not book.approached or book.policy is None:
        return NONE
    near = 0
    scopes = (
        GLOBAL,
        f"pair:{pair.name}",
        f"asset:{book.asset(pair.collateral).underlying}",
        f"stable:{pair.collateral}",
    )
    for key, band in book.approached.items():
        control, _, scope = key.partition("|")
        if band > near and scope in scopes and control in SOFTENS[side]:
            near = band
    found = band_of(book.policy.risk.bands, near)
    return NONE if found is None else SoftAction(found.wider_bps, found.size_share)


def band_of(bands: tuple[Band, ...], used_bps: int) -> Band | None:
    """Return the highest band that begins at or below this part of a limit; None below them all."""
    return max((band for band in bands if band.at_bps <= used_bps), key=lambda band: band.at_bps, default=None)


def reach(book: Book, pair: Pair, side: Side, most: Num) -> Num:
    """Return how much of the usual largest size, USD, a side of a pair reaches now."""
    share = soft_action(book, pair, side).size_share
    return most if share == 1 else round_to(multiply(most, share), REACH_STEP, Rounding.DOWN)


def check_reach(book: Book, pair: Pair, side: Side, notional: Num) -> Refusal | None:
    """Refuse to quote more than a side reaches while limits are near; what was quoted before is kept to."""
    limit = book.limit(Control.ORDER_NOTIONAL)
    most = None if limit is None else reach(book, pair, side, limit.value)
    if limit is None or most is None or most == limit.value or notional <= most:
        return None
    return Refusal(
        reason=CONTROLS[limit.control].reason,
        text=f"limits are near: {pair.name} is quoted up to {most} USD now, not {notional}",
        control=limit.control,
        scope=limit.scope,
        limit=str(most),
        value=str(notional),
        policy_version=book.policy_version,
    )
