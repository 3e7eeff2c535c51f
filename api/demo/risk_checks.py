"""What a scenario of risk is judged on: it ends halted or reduced, obeyed, whole, and with a trail that says why."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from api.demo.checks import Verdict, underlyings
from api.replica import Recorded
from domain.book import Book
from domain.event import Event
from domain.exposure import exposure
from domain.fill import FillRecorded
from domain.latch import ControlLatched
from domain.limit import Control
from domain.mode import SEVERITY, Mode, ModeChanged
from domain.order import OrderSide, OrderSubmissionRequested
from domain.quantity import ZERO, add, to_units
from domain.quote import Side
from domain.request import RequestAccepted
from domain.suspension import AssetSuspended, InstrumentSuspended, VenueSuspended
from domain.warning import LimitApproached
from domain.watch import AlertRaised

# What each scenario must end in: a scope, or every scope of a kind.
ENDS_IN: Mapping[str, str] = {
    "breach": "venue:",
    "depeg_10_10": "asset:USDT",
    "bybit_outage": "venue:bybit",
    "runaway_algo": "asset:ETH",
}
ALERTED_WITHIN_US = 1_000_000
TRAIL_MAX = 12


def judge_risk(name: str, book: Book, log: Sequence[Recorded]) -> list[Verdict]:
    """Return every verdict about what the controls did."""
    stopped = [
        each for each in log if isinstance(each.event, ModeChanged) and each.event.scope.startswith(ENDS_IN[name])
    ]
    return [_ended(name, book), _told(stopped, log), _obeyed(stopped, log, book), _whole(book), _trail(log)]


def _ended(name: str, book: Book) -> Verdict:
    """Judge whether what had to stop is stopped still, with nobody having released it."""
    found = {
        scope: mode
        for scope, mode in book.modes.items()
        if scope.startswith(ENDS_IN[name]) and SEVERITY[mode] > SEVERITY[Mode.ACTIVE]
    }
    told = ", ".join(f"{scope} {mode} by {'; '.join(book.mode_causes[scope])}" for scope, mode in found.items())
    return Verdict(bool(found), "it ends halted or reduced", told or f"nothing of {ENDS_IN[name]} was stopped")


def _told(stopped: Sequence[Recorded], log: Sequence[Recorded]) -> Verdict:
    """Judge whether a person was told of each stop within a second."""
    alerted = {each.event.cause_position: each.at_us for each in log if isinstance(each.event, AlertRaised)}
    late: list[str] = []
    after_ms: list[int] = []
    for each in stopped:
        at_us = alerted.get(each.position)
        if at_us is None or at_us - each.at_us > ALERTED_WITHIN_US:
            late.append(f"position {each.position}")
        else:
            after_ms.append((at_us - each.at_us) // 1_000)
    found = f"{len(after_ms)} alerts" + (f", at most {max(after_ms)} ms after" if after_ms else "")
    wrong = f"nobody was told in time of {', '.join(late)}" if late else ""
    return Verdict(bool(after_ms) and not late, "people are told of every stop within a second", wrong or found)


def _obeyed(stopped: Sequence[Recorded], log: Sequence[Recorded], book: Book) -> Verdict:
    """Judge whether nothing was done after a stop that it forbids."""
    modes: dict[str, Mode] = {}
    held: dict[tuple[str, str], Decimal] = {}
    stops = {each.position for each in stopped}
    wrong: list[str] = []
    judged = 0
    for each in log:
        event = each.event
        if each.position in stops and isinstance(event, ModeChanged):
            modes[event.scope] = event.mode
        elif isinstance(event, FillRecorded):
            key = (event.venue, event.symbol)
            held[key] = add(held.get(key, ZERO), event.signed)
        elif isinstance(event, OrderSubmissionRequested | RequestAccepted):
            judged += 1
            broken = _forbidden(event, modes, held, book)
            wrong += [f"position {each.position}: {broken}"] if broken else []
    return Verdict(not wrong, "nothing is done that a stop forbids", "; ".join(wrong[:3]) or f"{judged} decisions")


def _forbidden(
    event: OrderSubmissionRequested | RequestAccepted,
    modes: Mapping[str, Mode],
    held: Mapping[tuple[str, str], Decimal],
    book: Book,
) -> str:
    if isinstance(event, RequestAccepted):
        scope = f"asset:{book.asset(event.collateral.asset).underlying}"
        stopped = modes.get(scope, Mode.ACTIVE) is not Mode.ACTIVE and event.side is Side.MINT
        return f"a mint was accepted while {scope} was stopped" if stopped else ""
    order = event.order
    underlying = book.underlying_of(order.venue, order.symbol)
    if modes.get(f"asset:{underlying}") is Mode.HALTED or modes.get(f"venue:{order.venue}") is Mode.HALTED:
        return f"an order for {underlying} on {order.venue} while it was halted"
    position = held.get((order.venue, order.symbol), ZERO)
    closes = position < 0 if order.side is OrderSide.BUY else position > 0
    if modes.get(f"venue:{order.venue}") is Mode.REDUCE_ONLY and not closes:
        return f"an order that opens on {order.venue} while it was only to be reduced"
    return ""


def _whole(book: Book) -> Verdict:
    """Judge whether collateral is intact: nothing owed that is not there, worst-case delta inside its limits."""
    wrong = [f"{asset} is owed beyond what is there" for asset in book.backing if book.available(asset) < 0]
    for underlying in underlyings(book):
        limit, worst = book.limit(Control.NET_DELTA, f"asset:{underlying}"), exposure(book, underlying).interval.worst
        if limit is None or worst > limit.value:
            wrong.append(f"{underlying} may be off by {worst}")
    held = ", ".join(
        f"{to_units(atoms, book.asset(asset).decimals)} {asset}" for asset, atoms in sorted(book.backing.items())
    )
    return Verdict(not wrong, "collateral is intact", "; ".join(wrong) or held or "none was taken")


def _line(event: Event) -> str:
    """Return what an event says of why something was stopped, "" if it says nothing of that."""
    match event:
        case LimitApproached() if event.band > event.before:
            return f"{event.control} of {event.subject or event.scope}: {event.used} {event.unit}, band {event.band}"
        case ModeChanged():
            return f"{event.scope} {event.previous} → {event.mode}: {event.reason}"
        case ControlLatched():
            return f"{event.control} of {event.scope} latched: {event.text}"
        case VenueSuspended() | InstrumentSuspended() | AssetSuspended():
            return f"{event.scope} suspended ({event.law})"
        case _:
            return ""


def _trail(log: Sequence[Recorded]) -> Verdict:
    """Tell why, in the order in which it came; a stop that nothing led to has no trail."""
    lines = [f"{each.position}: {line}" for each in log if (line := _line(each.event))]
    shown = lines if len(lines) <= TRAIL_MAX else [*lines[: TRAIL_MAX - 1], f"and {len(lines) - TRAIL_MAX + 1} more"]
    reasons = all(each.event.reason for each in log if isinstance(each.event, ModeChanged))
    return Verdict(bool(lines) and reasons, "the log says why", "\n".join(shown))
