"""Carry: what holding a position is expected to earn or cost, from funding and from basis.

Funding is paid at instants, not continuously: a forecast counts the payments that fall inside its horizon. The next one
counts at the rate that the venue shows for it. Later ones fade towards a long-run anchor,

    rate(k) = anchor + (shown - anchor) x persistence ** hours(k),     anchor = anchor_per_hour x interval,

where `hours(k)` are the whole hours from the payment that is shown to the k-th after it: an autoregression of first
order, the usual discrete form of mean reversion. The anchor is the interest term of the formula that perpetual venues
publish, F = P + clamp(I - P, -0.05 %, 0.05 %) with I = 0.01 % per 8 hours: F is exactly I while the premium P is small.
The formula's other constant, 0.05 % per 8 hours, is the adverse default where no rate can be believed.
Rates are parts of the notional; positive ones are paid by longs to shorts.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from domain.instant import MILLISECOND_US
from domain.quantity import BPS, EXACT, ZERO, Num, add, divide, multiply, subtract
from domain.venue import HOUR_MS

# A venue that claims to pay more often than this, or more seldom, is not believed.
INTERVAL_MS_MIN = 60_000
INTERVAL_MS_MAX = 7 * 24 * HOUR_MS
_HOUR_US = HOUR_MS * MILLISECOND_US
_YEAR_MS = Decimal(365 * 24 * HOUR_MS)


class MarkEvidence(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Show a perpetual's mark and funding as the core saw them.

    `funding_rate` is for one interval of `interval_ms` and due at `next_funding_us`; `age_ms` counts from the venue's
    own date, ahead of us or behind.
    """

    venue: str
    symbol: str
    mark: Num
    index: Num
    funding_rate: Num
    interval_ms: int
    next_funding_us: int
    age_ms: int


class FundingTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Set how funding is forecast; rates are per hour, parts of the notional.

    A mark older than `mark_age_ms_max`, or a rate beyond `per_hour_max`, is not believed: `adverse_per_hour` counts
    against us instead.
    """

    anchor_per_hour: Num = Num("0.0000125")
    persistence_per_hour: Num = Num("0.97")
    adverse_per_hour: Num = Num("0.0000625")
    per_hour_max: Num = Num("0.005")
    mark_age_ms_max: int = 120_000


class Forecast(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a forecast: the rate per hour, which times the horizon's hours is what all payments within it make.

    `doubt` says why the adverse default stands here instead, "" where the venue's own rate was believed.
    """

    per_hour: Num
    payments: int = 0
    doubt: str = ""


def find_mark(marks: tuple[MarkEvidence, ...], venue: str, symbol: str) -> MarkEvidence | None:
    """Return the mark of an instrument."""
    return next((mark for mark in marks if mark.venue == venue and mark.symbol == symbol), None)


def doubt(mark: MarkEvidence | None, terms: FundingTerms) -> str:
    """Say why a mark's funding cannot be believed, "" when it can."""
    if mark is None:
        return "no mark"
    if mark.age_ms > terms.mark_age_ms_max:
        return f"its mark is {mark.age_ms} ms old"
    if mark.mark <= 0 or mark.index <= 0:
        return "its mark or its index is not above zero"
    if not INTERVAL_MS_MIN <= mark.interval_ms <= INTERVAL_MS_MAX or mark.next_funding_us <= 0:
        return f"its funding interval of {mark.interval_ms} ms cannot be"
    if abs(mark.funding_rate) * HOUR_MS > terms.per_hour_max * mark.interval_ms:
        return f"its funding rate of {mark.funding_rate} is beyond what is believed"
    return ""


def funding_forecast(
    mark: MarkEvidence | None, terms: FundingTerms, *, now_us: int, horizon_ms: int, sell: bool
) -> Forecast:
    """Forecast the funding of a perpetual over a horizon (> 0 ms) from now.

    Where no rate can be believed the default is against whoever trades in that direction: shorts pay when we sell,
    longs pay when we buy. It is never zero.
    """
    why = doubt(mark, terms)
    if mark is None or why:
        return Forecast(per_hour=-terms.adverse_per_hour if sell else terms.adverse_per_hour, doubt=why)
    rates = tuple(_rates(mark, terms, now_us, now_us + horizon_ms * MILLISECOND_US))
    total = ZERO
    for rate in rates:
        total = add(total, rate)
    return Forecast(per_hour=divide(multiply(total, Decimal(HOUR_MS)), Decimal(horizon_ms)), payments=len(rates))


def _rates(mark: MarkEvidence, terms: FundingTerms, after_us: int, until_us: int) -> Iterator[Num]:
    """Return the rate of every payment after one instant and up to another.

    A payment that is past by now was shown before it: what follows is counted from it, as it would have been then.
    """
    interval_us = mark.interval_ms * MILLISECOND_US
    anchor = divide(multiply(terms.anchor_per_hour, Decimal(mark.interval_ms)), Decimal(HOUR_MS))
    above = subtract(mark.funding_rate, anchor)
    passed = max(after_us - mark.next_funding_us, -1) // interval_us + 1
    for later_us in range(passed * interval_us, until_us - mark.next_funding_us + 1, interval_us):
        hours = later_us // _HOUR_US
        yield add(anchor, multiply(above, EXACT.power(terms.persistence_per_hour, hours)) if hours else above)


def basis_bps(price: Decimal, reference: Decimal) -> Num:
    """Return how far a price lies above what it should follow, bps: a mark above its index, a middle above the rest."""
    return divide(multiply(subtract(price, reference), BPS), reference)


def annual_bps(basis: Decimal, left_ms: int) -> Num:
    """Return the basis of a dated future (bps) as a rate per year of 365 days, with `left_ms` (> 0) to its expiry.

    Whoever sells it against the underlying and holds both to expiry earns that: the two prices are one on that day.
    """
    return divide(multiply(basis, _YEAR_MS), Decimal(left_ms))


def funding_usd(notional: Num, per_hour: Decimal, horizon_ms: int) -> Num:
    """Return what a position of signed notional (USD, negative when short) is expected to be paid over a horizon."""
    return divide(multiply(multiply(-notional, per_hour), Decimal(horizon_ms)), Decimal(HOUR_MS))


def convergence_usd(notional: Num, basis: Decimal, left_ms: int, horizon_ms: int) -> Num:
    """Return what a dated future of signed notional (USD) earns as its basis (bps) shrinks evenly towards expiry."""
    whole = divide(multiply(-notional, basis), BPS)
    return whole if horizon_ms >= left_ms else divide(multiply(whole, Decimal(horizon_ms)), Decimal(left_ms))
