"""Carry that nobody works on: what surprises, hedges that were given up and fallen requests leave is traded again.

Whatever an underlying carries beyond its internalisation band is asked for by a wake, and stays asked for until it is
planned: refused as long as it must be, later each time up to a bound, and told. By the hedging law the carry is what
brings the book's expected delta to zero, so that trading no more of it only ever lowers delta.
"""

from uuid import UUID

import msgspec

from commands.context import Context
from commands.control import check_delta, need_limit
from commands.envelope import Command, command
from commands.hedging_rest import home_pair, tradable_somewhere
from commands.hedging_slices import retry_ms
from commands.planning import Planned, Wanted, plan, style_of
from commands.process import Arm, Message, Record
from domain.book import Book
from domain.event import Event
from domain.exposure import exposure, with_request
from domain.fill import FillRecorded
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgePlanned, Purpose
from domain.ids import derive_id
from domain.instant import MILLISECOND_US
from domain.internalisation import outside_band
from domain.limit import Control
from domain.policy import PolicyAdopted
from domain.quantity import ZERO, Num
from domain.refusal import Refusal
from domain.surprise import SurpriseClassified, SurpriseKind, classify, rehedging
from domain.wake import Wake

# Carry that was traded without success is tried again after this long: a person was told meanwhile.
GIVEN_UP_MS = 5_000


@command("hedge.rehedge")
class Rehedge(Command, frozen=True, kw_only=True):
    """Trade what an underlying carries beyond its band; `cause` is what left it there."""

    underlying: str
    cause: UUID


@command("hedge.unwind")
class UnwindHedge(Command, frozen=True, kw_only=True):
    """Trade what a request left open: one that fell, or settled before it was hedged."""

    request_id: UUID
    pair: str


def outside(book: Book, underlying: str) -> Num:
    """Return what an underlying carries beyond its band, signed base units: what is to be traded."""
    carry = book.carry.get(underlying, ZERO)
    return outside_band(book.policy, underlying, carry) if book.policy is not None else ZERO


def react_surprise(book: Book, event: FillRecorded, _at_us: int) -> tuple[Message, ...]:
    """Say of a fill that no open order accounts for what it is."""
    order = book.orders.get(event.order_id) if event.order_id is not None else None
    surprise = classify(event, order, book.underlying_of(event.venue, event.symbol) or "")
    return (Record(surprise),) if surprise is not None else ()


def react_classified(book: Book, event: SurpriseClassified, at_us: int) -> tuple[Message, ...]:
    """Trade what a surprise changed at once; what overfilled is carried when its hedge is over."""
    if event.kind is SurpriseKind.OVERFILL:
        return ()
    return _asked(book, event.underlying, event.fill_id, at_us)


def react_left(book: Book, event: HedgePlanned | HedgeCompleted, at_us: int) -> tuple[Message, ...]:
    """Trade what a plan could not route, or a hedge overtraded; in a while, when the books had time to fill."""
    return _all_asked(book, event.hedge_id, at_us, retry_ms(book))


def react_abandoned(book: Book, event: HedgeAbandoned, at_us: int) -> tuple[Message, ...]:
    """Trade what a hedge left all the same, unless its request falls: that gives back what was traded instead.

    Soon where a request is being settled, later where carry was traded without success already.
    """
    request = book.requests.get(event.request_id)
    if request is not None and request.settlement_id is None:
        return ()
    return _all_asked(book, event.hedge_id, at_us, GIVEN_UP_MS if request is None else retry_ms(book))


def react_policy(book: Book, event: PolicyAdopted, at_us: int) -> tuple[Message, ...]:
    """Trade what lies outside a band that was tightened."""
    return _all_asked(book, event.originator, at_us, 0)


def _all_asked(book: Book, cause: UUID, at_us: int, wait_ms: int) -> tuple[Message, ...]:
    """Ask for what any underlying carries, in a while; who is to be asked anyway by then sees this too."""
    after_us = at_us + wait_ms * MILLISECOND_US
    waiting = {wake.subject: wake for wake in book.wakes.values() if at_us < wake.at_us}
    asked: list[Message] = []
    for underlying in book.carry:
        before = waiting.get(rehedging(underlying))
        if before is None:
            asked += _asked(book, underlying, cause, after_us)
        elif before.at_us > after_us:
            asked.append(Arm(msgspec.structs.replace(before, at_us=after_us, tries=0)))
    return tuple(asked)


def _asked(book: Book, underlying: str, cause: UUID, at_us: int) -> tuple[Message, ...]:
    """Ask for what an underlying carries, unless that is within its band, or too little for any venue."""
    wanted = outside(book, underlying)
    unpriced = underlying not in book.references  # nothing was hedged yet: the decision tells
    if wanted == 0 or not (unpriced or tradable_somewhere(book, underlying, wanted)):
        return ()
    wake = Wake(
        key=f"hedge.rehedge|{underlying}|{cause}",
        subject=rehedging(underlying),
        at_us=at_us,
        kind="hedge.rehedge",
        body=f'{{"underlying":"{underlying}","cause":"{cause}"}}',
    )
    return (Arm(wake),)


def rehedge(book: Book, command: Rehedge, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `Rehedge`: two causes at once are one hedge, and what is planned already is not carried any more."""
    hedge_id = derive_id(context.command_id, "rehedge")
    wanted = Wanted(
        underlying=command.underlying,
        quantity=book.carry.get(command.underlying, ZERO),
        purpose=Purpose.REHEDGE,
        pair=home_pair(book, command.underlying),
    )
    return _trade(book, wanted, hedge_id, hedge_id, context)


def unwind_hedge(book: Book, command: UnwindHedge, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `UnwindHedge`: trade what the underlying carries, whoever left it there."""
    pair = book.pair(command.pair)
    if pair is None or book.policy is None:
        return ()
    underlying = book.asset(pair.collateral).underlying
    wanted = Wanted(
        underlying=underlying,
        quantity=book.carry.get(underlying, ZERO),
        purpose=Purpose.UNWIND,
        pair=pair,
    )
    return _trade(book, wanted, derive_id(context.command_id, "unwind"), command.request_id, context)


def _trade(
    book: Book, wanted: Wanted, hedge_id: UUID, request_id: UUID, context: Context
) -> tuple[Event, ...] | Refusal:
    """Plan what is carried; nothing inside the band, nor below what any venue takes."""
    if outside(book, wanted.underlying) == 0:
        return ()
    limit = need_limit(book, Control.ORDER_NOTIONAL)
    planned = _elsewhere(book, wanted, context)
    if isinstance(planned, Refusal):
        return planned
    if isinstance(limit, Refusal):
        return limit
    if not planned.legs:
        return ()
    worse = _check_delta(book, wanted.underlying, planned.quantity)
    if worse is not None:
        return worse
    hedge = HedgePlanned(
        hedge_id=hedge_id,
        request_id=request_id,
        purpose=wanted.purpose,
        underlying=wanted.underlying,
        exposure=ZERO,
        quantity=planned.quantity,
        reference=planned.reference,
        legs=planned.legs,
        sources=planned.sources,
        internalised=planned.internalised,
        style=style_of(book, wanted.purpose),
        certificate=planned.certificate,
    )
    return (hedge,)


def _elsewhere(book: Book, wanted: Wanted, context: Context) -> Planned | Refusal:
    """Plan without the venues that closed a position by themselves, unless there is no other way: delta is worse."""
    shunned = frozenset(book.shunned.get(wanted.underlying, ()))
    planned = plan(book, msgspec.structs.replace(wanted, without=shunned), context)
    return plan(book, wanted, context) if isinstance(planned, Refusal) and shunned else planned


def _check_delta(book: Book, underlying: str, quantity: Num) -> Refusal | None:
    """Refuse what would bring the worst corner of the exposure out of its limit; one that is out is not made worse."""
    interval = exposure(book, underlying).interval
    if with_request(interval, ZERO, quantity).worst <= interval.worst:
        return None
    return check_delta(book, underlying, ZERO, quantity)
