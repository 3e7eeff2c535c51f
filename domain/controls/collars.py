"""Collars: how far a price may be from where the market is, and from where it was in the last while."""

from collections.abc import Iterable
from decimal import Decimal

from domain.controls.meter import Meter
from domain.flow import Reach
from domain.folds.flow import windows
from domain.instant import MILLISECOND_US
from domain.limit import Control
from domain.market import BPS_STEP
from domain.mode import GLOBAL
from domain.quantity import BPS, EXACT, ZERO, Num, Rounding, round_to


def hold_distance(
    meter: Meter, control: Control, scopes: tuple[str, ...], price: Decimal, references: Iterable[Decimal]
) -> None:
    """Hold a price near every reference, bps of that; what is refused is told rounded up to `BPS_STEP`."""
    far: Decimal = ZERO
    for each in references:
        off = EXACT.multiply(EXACT.abs(EXACT.subtract(price, each)), BPS)
        if not meter.within(control, scopes, off, each):
            far = max(far, EXACT.divide(off, each), BPS_STEP)
    if far:
        meter.hold(control, scopes, round_to(far, BPS_STEP, Rounding.UP))


def hold_while(meter: Meter, underlying: str, scopes: tuple[str, ...], price: Decimal, now: Decimal) -> None:
    """Hold a price, USD, near every mark of an underlying in the last while, and near what it is now.

    Nothing lies further off than the least and the greatest mark that is remembered, however old: only where one of
    those does it is looked at which of them are of the while.
    """
    control, marked = Control.PRICE_COLLAR_PERIOD, meter.book.flow.marked.get(underlying)
    if marked is None:
        hold_distance(meter, control, scopes, price, (now,))
        return
    for each in (*_ends(meter, underlying, marked), now):
        if not meter.within(control, scopes, EXACT.multiply(EXACT.abs(EXACT.subtract(price, each)), BPS), each):
            span_us = windows(meter.book).collar_ms * MILLISECOND_US
            hold_distance(meter, control, scopes, price, marked.between(meter.at_us, span_us, Num(now)))
            return


def _ends(meter: Meter, underlying: str, marked: Reach) -> tuple[Num, Num]:
    """Return the least and the greatest mark that is remembered."""
    found = meter.memory.reaches.get(underlying)
    if found is None:
        found = meter.memory.reaches[underlying] = min(marked.lows), max(marked.highs)
    return found


def hold_moved_price(meter: Meter) -> None:
    """Refuse to price a mint while the market has just moved far: it is owed at that price for good.

    What hedges is not held up by it (`spares_reducing`), and a redeem only gives back.
    """
    probe = meter.probe
    now = probe.reference_usd if probe.reference_usd is not None else meter.prices.of(probe.underlying)
    if now is None or not now.is_finite() or now <= 0:
        return  # refused as missing
    hold_while(meter, probe.underlying, (GLOBAL, f"asset:{probe.underlying}"), now, now)
