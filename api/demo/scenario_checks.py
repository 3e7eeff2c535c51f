"""What a scenario is judged on, beside what every demonstration is: each a sentence with its verdict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from api.demo.checks import Verdict, underlyings
from api.demo.door import KeptOrder
from api.demo.risk_checks import judge_risk
from api.demo.risk_scenarios import RISK_SCENARIOS
from api.demo.scenarios import LOST_ACKS, Act
from api.replica import Recorded
from domain.book import Book
from domain.exposure import exposure
from domain.fill import FillKind, FillRecorded
from domain.hedge import HedgeCompleted, HedgePlanned, Purpose
from domain.order import OrderClosed, OrderOutcomeUnknown, OrderSubmissionRequested
from domain.quantity import ZERO, add
from domain.surprise import SurpriseClassified, SurpriseKind
from domain.watch import AlertRaised
from projections.fills import is_surprise

ALERTED_WITHIN_US = AT_ONCE_US = 1_000_000
CLIENT = "client"

Orders = Mapping[str, Sequence[KeptOrder]]
Counts = Mapping[str, Mapping[str, int]]


def judge_scenario(name: str, book: Book, log: Sequence[Recorded], orders: Orders) -> list[Verdict]:
    """Return every verdict about what the house did: `orders` are the venues' own.

    Where controls had to act, delta may be left open by them, within its limit.
    """
    if name in RISK_SCENARIOS:
        return [*judge_risk(name, book, log), _alerted(log), _resolved(log), _sent_once(log, orders)]
    return [
        _delta(book, log),
        _rehedged(book, log),
        _alerted(log),
        _resolved(log),
        _sent_once(log, orders),
    ]


def judge_befell(name: str, log: Sequence[Recorded], acts: Sequence[Act], counts: Counts) -> Verdict:
    """Judge by the venues' own counts whether it happened at all: a scenario that befell nobody proves nothing."""
    told = "; ".join(act.what for act in acts) or "nothing was done"
    fills = Counter(each.event.kind for each in log if isinstance(each.event, FillRecorded))
    unknown = sum(isinstance(each.event, OrderOutcomeUnknown) for each in log)
    happened = Counter[str]()
    for at_venue in counts.values():
        happened.update(at_venue)
    match name:
        case "venue_outage":
            there, found = happened["lost"] > 0, f"{happened['lost']} requests found nobody"
        case "adl":
            there = fills[FillKind.ADL] > 0 and fills[FillKind.LIQUIDATION] > 0
            found = f"{fills[FillKind.ADL]} fills by ADL, {fills[FillKind.LIQUIDATION]} by liquidation"
        case "partial_fills":
            count = _filled_in_part(log)
            there, found = count > 0, f"{count} orders filled in part, {happened['thin']} met a thin book"
        case "breach":
            there, found = len(acts) > 0, "the market of every venue and oracle"
        case "depeg_10_10":
            there = happened["dislocate"] > 0 and fills[FillKind.ADL] > 0
            found = f"{happened['dislocate']} steps of a dislocated book, {fills[FillKind.ADL]} fills by ADL"
        case "bybit_outage":
            there, found = happened["lost"] > 0, f"{happened['lost']} requests found nobody"
        case "runaway_algo":
            count = sum(isinstance(each.event, OrderSubmissionRequested) for each in log)
            there, found = count > 0, f"{count} orders"
        case _:
            lost = {kind: happened[kind] for kind in LOST_ACKS if happened[kind]}
            there, found = bool(lost) and unknown > 0, f"{lost or 'nothing'} lost, {unknown} outcomes unknown"
    return Verdict(there and bool(acts), f"{name} befell the house", f"{told}: {found}")


def _filled_in_part(log: Sequence[Recorded]) -> int:
    asked = {
        each.event.order.order_id: each.event.order.quantity
        for each in log
        if isinstance(each.event, OrderSubmissionRequested)
    }
    closed = [each.event for each in log if isinstance(each.event, OrderClosed)]
    return sum(ZERO < event.filled < asked[event.order_id] for event in closed)


def band(book: Book, log: Sequence[Recorded], underlying: str) -> Decimal:
    """Return how far from flat an underlying may rest: its band, and what is too small for every venue to trade."""
    policy = book.policy
    if policy is None:
        return ZERO
    references = [
        each.event.reference
        for each in log
        if isinstance(each.event, HedgePlanned) and each.event.underlying == underlying
    ]
    wide = policy.band(underlying)
    least = [
        max(item.minimum_quantity, item.minimum_notional / references[-1] if references else ZERO) + item.lot
        for item in policy.traded(underlying)
    ]
    return (wide.width if wide else ZERO) + min(least, default=ZERO)


def _delta(book: Book, log: Sequence[Recorded]) -> Verdict:
    wrong: list[str] = []
    found: list[str] = []
    for underlying in underlyings(book):
        here, allowed = exposure(book, underlying), band(book, log, underlying)
        told = f"{underlying} {here.certain} within {allowed:.6f}"
        found.append(told)
        if here.interval.worst > allowed:
            wrong.append(f"{underlying} in [{here.interval.low}, {here.interval.high}], not within {allowed:.6f}")
    return Verdict(not wrong, "delta ends inside its band", "; ".join(wrong or found))


def _rehedged(book: Book, log: Sequence[Recorded]) -> Verdict:
    """Judge whether each surprise was traded again: by a hedge planned after it that is complete."""
    plans = [(each, each.event) for each in log if isinstance(each.event, HedgePlanned)]
    completed = {each.event.hedge_id: each.at_us for each in log if isinstance(each.event, HedgeCompleted)}
    wrong: list[str] = []
    took_ms: list[int] = []
    for each in log:
        # What a venue filled beyond an order is netted inside its hedge.
        if not isinstance(each.event, SurpriseClassified) or each.event.kind is SurpriseKind.OVERFILL:
            continue
        surprise = each.event
        allowed = band(book, log, surprise.underlying)
        ended = [
            completed[plan.hedge_id]
            for recorded, plan in plans
            if recorded.position > each.position
            and plan.underlying == surprise.underlying
            and plan.hedge_id in completed
            and _answers(plan, surprise, recorded.at_us - each.at_us, allowed)
        ]
        if ended:
            took_ms.append((ended[0] - each.at_us) // 1_000)
        elif abs(surprise.quantity) > allowed:
            told = f"{surprise.kind} of {surprise.quantity} {surprise.symbol} on {surprise.venue}"
            wrong.append(f"{told} was never traded again")
    found = f"{len(took_ms)} surprises traded again"
    found += f", the slowest complete after {max(took_ms)} ms" if took_ms else ""
    return Verdict(not wrong, "every surprise is re-hedged", "; ".join(wrong) or found)


def _answers(plan: HedgePlanned, surprise: SurpriseClassified, after_us: int, allowed: Decimal) -> bool:
    """Say whether a hedge trades a surprise again.

    It was planned for it; or a request that came in the same second took it along: what it trades beside its own.
    """
    if plan.purpose is Purpose.REHEDGE:
        return True
    beside = add(plan.quantity, plan.exposure)
    takes = beside * surprise.quantity < 0 and abs(beside) >= abs(surprise.quantity) - allowed
    return takes and after_us <= AT_ONCE_US


def _alerted(log: Sequence[Recorded]) -> Verdict:
    """Judge whether a person was told within a second, by the times of the two events."""
    told: dict[int, int] = {}
    for each in log:
        if isinstance(each.event, AlertRaised):
            told.setdefault(each.event.cause_position, each.at_us)
    wrong: list[str] = []
    after_ms: list[int] = []
    classified = {each.event.fill_id: each for each in log if isinstance(each.event, SurpriseClassified)}
    for each in log:
        if not isinstance(each.event, FillRecorded) or not (
            is_surprise(each.event) or each.event.fill_id in classified
        ):
            continue
        named = classified.get(each.event.fill_id)
        at_us = None if named is None else told.get(named.position)
        if at_us is None or at_us - each.at_us > ALERTED_WITHIN_US:
            after = "never" if at_us is None else f"after {(at_us - each.at_us) // 1_000} ms"
            wrong.append(f"of {each.event.kind} at position {each.position}: {after}")
        else:
            after_ms.append((at_us - each.at_us) // 1_000)
    found = f"{len(after_ms)} alerts" + (f", at most {max(after_ms)} ms after the fill" if after_ms else "")
    return Verdict(not wrong, "an alert tells of every surprise within a second", "; ".join(wrong) or found)


def _resolved(log: Sequence[Recorded]) -> Verdict:
    unknown = {each.event.order_id for each in log if isinstance(each.event, OrderOutcomeUnknown)}
    closed: set[UUID] = {each.event.order_id for each in log if isinstance(each.event, OrderClosed)}
    left = unknown - closed
    found = f"{len(unknown)} orders were unknown, {len(left)} still are"
    return Verdict(not left, "every unknown order is resolved", found)


def _sent_once(log: Sequence[Recorded], orders: Orders) -> Verdict:
    """Judge by the venues' own journals whether any order was taken twice, anywhere."""
    named = Counter(order.client_id for kept in orders.values() for order in kept if order.origin == CLIENT)
    twice = sorted(name for name, count in named.items() if count > 1)
    closed = {each.event.order_id: each.event.filled for each in log if isinstance(each.event, OrderClosed)}
    traded = sum(filled > ZERO for filled in closed.values())
    found = f"{named.total()} orders at {len(orders)} venues, {len(closed)} in the log, {traded} of them traded"
    if twice:
        found = f"{len(twice)} client order ids were taken more than once: {', '.join(twice[:3])}"
    return Verdict(not twice, "no order is sent twice", found)
