"""Terms of risk: what the policy says of reserve, stress, marks, warnings, soft actions, triggers and windows."""

import msgspec

from domain.quantity import BPS, ZERO, Num
from domain.supply import SupplyFrom


class StableDiscount(msgspec.Struct, frozen=True, kw_only=True):
    """Take a stable to fall by so much under stress, bps."""

    asset: str
    bps: Num


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Set a band of warning that begins at `at_bps` of a limit, and what is done in it before anything harder.

    Quotes are `wider_bps` worse for who asks, ladders and quotes reach only `size_share` of what they would.
    """

    at_bps: int
    wider_bps: Num = ZERO
    size_share: Num = Num(1)
    rebalances: bool = False


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """Set over which time the controls that count look back, ms."""

    duplicate_ms: int = 1_000
    repeated_ms: int = 60_000
    order_rate_ms: int = 60_000
    message_rate_ms: int = 1_000
    order_to_trade_ms: int = 600_000
    collar_ms: int = 60_000


class Triggers(msgspec.Struct, frozen=True, kw_only=True):
    """Set when a mode returns by itself: after so long (ms) within `resume_share` of what tripped it; ratios of one.

    What latched, broke a reconciliation or fell below the backing's bound returns only by people.
    """

    resume_after_ms: int = 10_000
    resume_share: Num = Num("0.9")


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """Set the terms of risk. Money in USD.

    `supply` says whose count of issued dollars is to be backed. `reserve` stands beside the backing and is what stress
    is held against. Shares of concentration are counted of at least `concentration_floor`, so that the first dollar
    does not concentrate everything. `own_tokens` are never collateral. Marks are recorded when one moved by
    `mark_move_bps`, and every `mark_every_ms`.
    """

    supply: SupplyFrom = SupplyFrom.CHAIN
    reserve: Num = ZERO
    concentration_floor: Num = Num(1_000_000)
    own_tokens: tuple[str, ...] = ("USDe", "sUSDe", "ENA", "sENA")
    mark_every_ms: int = 5_000
    mark_move_bps: Num = Num(5)
    mark_age_ms_max: int = 15_000
    price_shock_bps: Num = Num(2_500)
    funding_worst_per_year: Num = Num("0.25")
    venue_recovery: Num = ZERO
    stable_discounts: tuple[StableDiscount, ...] = ()
    stable_discount_bps: Num = Num(1_000)
    backing_resume: Num = Num("0.002")
    bands: tuple[Band, ...] = (
        Band(at_bps=7_000),
        Band(at_bps=8_500, wider_bps=Num(5), size_share=Num("0.5"), rebalances=True),
        Band(at_bps=9_500, wider_bps=Num(15), size_share=Num("0.25"), rebalances=True),
    )
    windows: Windows = Windows()
    triggers: Triggers = Triggers()
    approval_ms: int = 24 * 3_600_000


def faults(terms: Risk) -> str:
    """Say what is wrong with terms, "" when they can be followed."""
    money = (terms.reserve, terms.concentration_floor, terms.price_shock_bps, terms.funding_worst_per_year)
    if min(*money, terms.mark_move_bps, terms.backing_resume) < ZERO:
        return "amounts of risk are not negative"
    if not ZERO <= terms.venue_recovery <= 1 or not ZERO < terms.triggers.resume_share <= 1:
        return "what a venue gives back, and within what a mode returns, are parts of one"
    discounts = (terms.stable_discount_bps, *(each.bps for each in terms.stable_discounts))
    if min(discounts) < ZERO or max(discounts) > BPS:
        return "a stable falls by no less than nothing, and by no more than all"
    if min(terms.mark_every_ms, terms.mark_age_ms_max, terms.approval_ms, terms.triggers.resume_after_ms) <= 0:
        return "times of risk are above zero"
    if min(getattr(terms.windows, name) for name in terms.windows.__struct_fields__) <= 0:
        return "a control that counts looks back for some time"
    return _band_faults(terms.bands)


def _band_faults(bands: tuple[Band, ...]) -> str:
    before = 0
    for band in bands:
        if not before < band.at_bps <= BPS or band.wider_bps < ZERO or not ZERO < band.size_share <= 1:
            return "bands of warning rise up to their limit; quotes grow wider in them, and no larger"
        before = band.at_bps
    return ""
