"""The check: every control of a stage, held against what the Book holds; the gravest that says no is told.

A limit binds in every scope that it is set for, and the strictest wins. There is no way around it: no flag, no role, no
setting. What only brings back what is beyond a limit passes it.
"""

from collections.abc import Callable

import msgspec

from domain.controls import accounts, collars, orders, positions, requests, rules, shares
from domain.controls.meter import Meter
from domain.controls.probe import Probe
from domain.limits import Stage
from domain.mode import GLOBAL
from domain.refusal import Refusal
from domain.state import Book


def check(book: Book, probe: Probe) -> Refusal | None:
    """Return the gravest refusal of all controls of the probe's stage, None where none says no."""
    refusal = rules.invalid(probe)
    if refusal is None:
        meter = Meter(book, probe)
        _STAGES[probe.stage](meter)
        refusal = meter.found
    if refusal is None or not refusal.control:
        return refusal
    return msgspec.structs.replace(refusal, policy_version=book.policy_version)


def _quote(meter: Meter) -> None:
    probe = meter.probe
    rules.hold_latches(meter, GLOBAL, f"asset:{probe.underlying}")
    rules.hold_own_token(meter, probe.asset, probe.underlying)
    if probe.mint:
        rules.hold_peg(meter, probe.underlying)
        collars.hold_moved_price(meter)
    rules.hold_references(meter)
    requests.hold_request(meter)


def _request(meter: Meter) -> None:
    _quote(meter)
    requests.hold_slippage(meter)
    positions.hold_delta(meter)
    grown = positions.grown_by_legs(meter.book, meter.probe.legs)
    if grown:
        positions.hold_positions(meter, grown)
        accounts.hold_accounts(meter, grown)
        accounts.hold_unsettled(meter, grown)
    shares.hold_shares(meter, grown)


def _order(meter: Meter) -> None:
    probe, book = meter.probe, meter.book
    order = probe.order
    line = positions.line_of(book, order) if order is not None else None
    if order is None or line is None:
        meter.refuse(rules.untraded(order))
        return
    rules.hold_latches(meter, *line.scopes)
    rules.hold_own_token(meter, line.base, line.quote)
    if rules.begins(probe):
        rules.hold_peg(meter, line.quote)
    rules.hold_references(meter)
    positions.hold_delta(meter)
    grown = positions.grown_by_orders(book, (order, *probe.ahead))
    positions.hold_positions(meter, grown)
    accounts.hold_accounts(meter, grown)
    orders.hold_order(meter, order, line)


def _transfer(meter: Meter) -> None:
    probe = meter.probe
    rules.hold_own_token(meter, probe.asset)
    rules.hold_destination(meter)
    requests.hold_transfer(meter)
    shares.hold_moved(meter)


def _nothing(_meter: Meter) -> None:
    """Hold nothing: a cancel is never refused, and a state is decided by nobody."""


_STAGES: dict[Stage, Callable[[Meter], None]] = {
    Stage.QUOTE: _quote,
    Stage.REQUEST: _request,
    Stage.ORDER: _order,
    Stage.CANCEL: _nothing,
    Stage.TRANSFER: _transfer,
    Stage.STATE: _nothing,
}
