"""Rebalancing: a process that looks, every so often, whether the hedges of an underlying stand where they should.

What it finds is proposed, or made in steps: two legs of opposite sign sent at once, each so small that the exposure
stays within its limit whichever of them trades alone. A step's hedge is worked off like any other: what one leg leaves
untraded is routed anew. The next look follows when the step is over.
"""

from collections.abc import Iterator

from commands.context import Context
from commands.envelope import Command, command
from commands.process import Arm, Message
from commands.rebalance_steps import Step, first_step, standings, step_max
from commands.stable import weigh_stables
from domain.account import AccountObserved
from domain.book import Book
from domain.event import Event
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgePlanned, Purpose
from domain.ids import derive_id
from domain.instant import MILLISECOND_US
from domain.mode import Action, permits
from domain.policy import Policy, PolicyAdopted
from domain.quantity import ZERO, Num, add, multiply, subtract
from domain.rebalancing.ideal import Desk
from domain.rebalancing.moves import Assessment, assess
from domain.rebalancing.rebalance import RebalanceHeld, RebalanceProposed, RebalanceStarted, day_of, rebalancing_id
from domain.refusal import Refusal
from domain.routing.inputs import Asked, problem
from domain.wake import Wake
from domain.ways import Ways, ways

# A proposal for the same places is made anew when it saves more or less than it did by more than this part of it.
RENEWED = Num("0.25")


@command("rebalance.look")
class LookAtHedges(Command, frozen=True, kw_only=True):
    """Hold the hedges of an underlying against the router's ideal, and propose moves or make the first step."""

    underlying: str


def look_at_hedges(book: Book, command: LookAtHedges, context: Context) -> tuple[Event, ...]:
    """Decide `LookAtHedges`: what stands in the way is told, never refused, and looked at again in its time."""
    policy, underlying = book.policy, command.underlying
    if policy is None or policy.rebalancing.every_ms == 0 or not policy.traded(underlying):
        return ()
    if book.rebalancing.working.get(underlying) in book.hedges:
        return ()  # its end brings the next look
    found = _ways(book, policy, underlying, context)
    most = found if isinstance(found, str) else step_max(book, policy.rebalancing, found)
    if isinstance(found, str) or isinstance(most, str):
        stands = underlying in book.rebalancing.proposals
        return (RebalanceHeld(underlying=underlying, text=str(most), proposed=stands),)
    desk = Desk(
        problem=problem(book, (Asked(found, ZERO),), context.marks, context.at_us),
        marks=context.marks,
        funding=policy.routing.funding,
        standings=tuple(standings(book, policy, found)),
        now_us=context.at_us,
    )
    return (*weigh_stables(book, policy, found, desk), *_judged(book, policy, found, desk, most, context))


def _judged(book: Book, policy: Policy, found: Ways, desk: Desk, most: Num, context: Context) -> tuple[Event, ...]:
    """Return what the look comes to: nothing to move, a proposal, or a step."""
    underlying = found.underlying
    assessment = assess(desk, policy.rebalancing, most)
    if assessment is None or not assessment.moves:
        text = "nothing is held that may be traded now" if assessment is None else assessment.text
        return (RebalanceHeld(underlying=underlying, text=text),)
    if not policy.rebalancing.execute:
        return (_proposed(book, policy, underlying, assessment, context),)
    step = first_step(book, policy, desk, assessment, most)
    if isinstance(step, str):
        return (RebalanceHeld(underlying=underlying, text=step),)
    return _started(book, policy, found, step, context)


def _ways(book: Book, policy: Policy, underlying: str, context: Context) -> Ways | str:
    """Return what may be traded now, or what stands in the way: nothing is moved unless everything else may be."""
    scopes = [f"asset:{underlying}"]
    scopes += [f"pair:{pair.name}" for pair in policy.pairs if book.asset(pair.collateral).underlying == underlying]
    mode = book.mode(*scopes)
    if not permits(mode, Action.MOVE):
        return f"{underlying} is {mode.value}: nothing is moved"
    found = ways(book, underlying, context.evidence, context.witnesses)
    return f"{found.reason.name}: {found.text}" if isinstance(found, Refusal) else found


def _proposed(book: Book, policy: Policy, underlying: str, assessment: Assessment, context: Context) -> Event:
    """Propose what was found, unless as good as the same was proposed before."""
    cost = saving = ZERO
    for move in assessment.moves:
        cost, saving = add(cost, move.cost), add(saving, move.saving)
    before = book.rebalancing.proposals.get(underlying)
    if before is not None:
        same = {move.places for move in before.moves} == {move.places for move in assessment.moves}
        if same and abs(subtract(saving, before.saving)) <= multiply(abs(before.saving), RENEWED):
            return RebalanceHeld(underlying=underlying, text="what was proposed still stands", proposed=True)
    parts = (
        f"{move.quantity} from {move.leave.symbol} on {move.leave.venue} to {move.enter.symbol} on {move.enter.venue}"
        f" ({move.cause.value})"
        for move in assessment.moves
    )
    return RebalanceProposed(
        rebalance_id=derive_id(context.command_id, "rebalance"),
        underlying=underlying,
        moves=assessment.moves,
        cost=cost,
        saving=saving,
        horizon_ms=policy.rebalancing.horizon_ms,
        ideal=assessment.ideal,
        text=f"move {underlying}: {'; '.join(parts)}: costs about {cost} USD, saves {saving}",
    )


def _started(book: Book, policy: Policy, found: Ways, step: Step, context: Context) -> tuple[Event, ...]:
    day = day_of(context.at_us)
    started = RebalanceStarted(
        rebalance_id=derive_id(context.command_id, "rebalance"),
        hedge_id=derive_id(context.command_id, "hedge"),
        underlying=found.underlying,
        move=step.move,
        worst=step.worst,
        day=day,
        spent=add(book.rebalancing.spent_on(day), step.worst),
        budget=policy.rebalancing.cost_budget_per_day,
        horizon_ms=policy.rebalancing.horizon_ms,
    )
    quantity = ZERO
    for leg in step.legs:
        quantity = add(quantity, leg.quantity)
    planned = HedgePlanned(
        hedge_id=started.hedge_id,
        request_id=started.rebalance_id,
        purpose=Purpose.REBALANCE,
        underlying=found.underlying,
        exposure=ZERO,
        quantity=quantity,
        reference=found.reference,
        legs=step.legs,
        sources=found.sources,
        style=policy.styles.rebalance,
        certificate=step.proof,
    )
    return started, planned


def react_policy(_book: Book, event: PolicyAdopted, at_us: int) -> tuple[Message, ...]:
    """Begin to look at every underlying that the policy trades, or go on at its pace."""
    every_ms = event.policy.rebalancing.every_ms
    if every_ms == 0:
        return ()
    traded = sorted({instrument.base for instrument in event.policy.instruments})
    return tuple(Arm(_look(underlying, at_us + every_ms * MILLISECOND_US)) for underlying in traded)


def react_looked(book: Book, event: RebalanceHeld | RebalanceProposed, at_us: int) -> tuple[Message, ...]:
    """Look again in its time."""
    every_ms = book.policy.rebalancing.every_ms if book.policy is not None else 0
    return (Arm(_look(event.underlying, at_us + every_ms * MILLISECOND_US)),) if every_ms else ()


def react_ended(book: Book, event: HedgeCompleted | HedgeAbandoned, at_us: int) -> tuple[Message, ...]:
    """Look again soon after a step, or in its time after one that was given up."""
    terms = book.policy.rebalancing if book.policy is not None else None
    for underlying, hedge_id in book.rebalancing.working.items():
        if hedge_id == event.hedge_id and terms is not None and terms.every_ms:
            after_ms = terms.pause_ms if isinstance(event, HedgeCompleted) else terms.every_ms
            return (Arm(_look(underlying, at_us + after_ms * MILLISECOND_US)),)
    return ()


def react_observed(book: Book, event: AccountObserved, at_us: int) -> tuple[Message, ...]:
    """Look at once at what is held on an account on which more unrealised profit stands than may."""
    terms = book.policy.rebalancing if book.policy is not None else None
    cap = terms.unsettled_cap(event.venue, event.account) if terms is not None else None
    if terms is None or not terms.every_ms or cap is None:
        return ()
    unsettled = ZERO
    for held in event.positions:
        unsettled = add(unsettled, held.unrealised)
    return tuple(_sooner(book, event, at_us, terms.pause_ms)) if unsettled > cap else ()


def _sooner(book: Book, event: AccountObserved, at_us: int, pause_ms: int) -> Iterator[Message]:
    instruments = book.policy.instruments if book.policy is not None else ()
    own = {each.base for each in instruments if (each.venue, each.account) == (event.venue, event.account)}
    for underlying in sorted(own):
        yield from (Arm(wake) for wake in look_sooner(book, underlying, at_us, pause_ms))


def look_sooner(book: Book, underlying: str, at_us: int, pause_ms: int | None = None) -> Iterator[Wake]:
    """Bring the next look at an underlying forward, no nearer to the last one than `pause_ms` (the policy's)."""
    if pause_ms is None:
        pause_ms = book.policy.rebalancing.pause_ms if book.policy is not None else 0
    looked_us = book.rebalancing.looked_us.get(underlying)
    soonest = at_us if looked_us is None else max(at_us, looked_us + pause_ms * MILLISECOND_US)
    waiting = book.wakes.get(_key(underlying))
    if waiting is not None and waiting.at_us > soonest:
        yield _look(underlying, soonest)


def _key(underlying: str) -> str:
    return f"rebalance.look|{underlying}"


def _look(underlying: str, at_us: int) -> Wake:
    return Wake(
        key=_key(underlying),
        subject=rebalancing_id(underlying),
        at_us=at_us,
        kind="rebalance.look",
        body=f'{{"underlying":"{underlying}"}}',
    )
