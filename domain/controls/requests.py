"""Gauges of what is asked for: value, what may share a block, what was accepted or moved today, what hedges slipped."""

from domain.controls.meter import Meter
from domain.folds.flow import transfer_scopes
from domain.limit import Control
from domain.mode import GLOBAL
from domain.quantity import EXACT, ZERO, Num
from domain.quote import Side
from domain.state import Book

ISSUED_DECIMALS = 18

_CAPACITY = {
    Side.MINT: (Control.MINT_PER_BLOCK, Control.MINT_PER_DAY),
    Side.REDEEM: (Control.REDEEM_PER_BLOCK, Control.REDEEM_PER_DAY),
}


def hold_request(meter: Meter) -> None:
    """Hold a quote or request by itself, and beside what was promised."""
    probe = meter.probe
    pair = f"pair:{probe.pair}"
    scopes = (GLOBAL, f"asset:{probe.underlying}", pair)
    meter.hold(Control.ORDER_NOTIONAL, scopes, probe.notional)
    side = Side.MINT if probe.mint else Side.REDEEM
    block, day = _CAPACITY[side]
    for limit in meter.limits(block, (GLOBAL, pair)):
        shared = meter.book.reserve(side, "" if limit.scope == GLOBAL else probe.asset)
        meter.test(limit, EXACT.scaleb(EXACT.create_decimal(shared + probe.issued), -ISSUED_DECIMALS))
    for limit in meter.limits(day, (GLOBAL, pair)):
        today = accepted_today(meter.book, side, limit.scope, meter.at_us)
        meter.test(limit, EXACT.scaleb(EXACT.create_decimal(today + probe.issued), -ISSUED_DECIMALS))


def accepted_today(book: Book, side: Side, scope: str, at_us: int) -> int:
    """Return the atoms of issued dollars that were accepted on the UTC day of an instant."""
    return book.flow.accepted.get(f"{side.value}|{scope}", 0) if book.flow.today(at_us) else 0


def hold_slippage(meter: Meter) -> None:
    """Hold what hedges of the day slipped: once that is used up no mint is taken; a redeem only gives back."""
    underlying = meter.probe.underlying
    scopes = (GLOBAL, f"asset:{underlying}") if underlying else (GLOBAL,)
    for limit in meter.limits(Control.SLIPPAGE_PER_DAY, scopes):
        slipped = slippage_today(meter.book, limit.scope, meter.at_us)
        meter.test(limit, slipped, None if meter.probe.mint else lambda slipped=slipped: slipped)


def slippage_today(book: Book, scope: str, at_us: int) -> Num:
    """Return what hedges slipped on the UTC day of an instant, USD."""
    return book.flow.slippage.get(scope, ZERO) if book.flow.today(at_us) else ZERO


def hold_transfer(meter: Meter) -> None:
    """Hold a transfer by itself, and beside what was moved on the day."""
    probe, flow = meter.probe, meter.book.flow
    scopes = transfer_scopes(probe.source, probe.destination)
    meter.hold(Control.TRANSFER_NOTIONAL, scopes, probe.notional)
    for limit in meter.limits(Control.TRANSFER_PER_DAY, scopes):
        moved = flow.moved.get(limit.scope, ZERO) if flow.today(meter.at_us) else ZERO
        meter.test(limit, moved + probe.notional)
