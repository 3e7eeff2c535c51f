"""Rebalancing: what the last look at the hedges of an underlying found, what was proposed, and the steps made.

A step is told once more after it is over, when what it cost is known.
"""

from uuid import UUID

import msgspec

from domain.cost import Cost, CostRealised
from domain.hedge import HedgeAbandoned, HedgeCompleted
from domain.instant import rfc3339
from domain.quantity import ZERO, Num
from domain.rebalancing.rebalance import Move, RebalanceHeld, RebalanceProposed, RebalanceStarted
from domain.stable import StableHeld, StableProposed
from projections.view import Row, Rows, View


class MoveLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a move: base units in all and in its next step; USD that all of it costs, and saves over the horizon."""

    cause: str
    quantity: Num
    step: Num
    from_venue: str
    from_symbol: str
    to_venue: str
    to_symbol: str
    cost: Num
    saving: Num


class RebalancingLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show one of four kinds, money in USD.

    A look: the last one at an underlying; `state` is held, proposed or moving, `text` what it found. A proposal: open,
    replaced, withdrawn or followed (by a step). A step: working, completed or abandoned; `worst` is what it costs if
    every leg trades at its limit price, `spent` that of the day's steps so far, `realised` what its hedge came to cost.
    `ideal_sha256` is the hash of what the router's ideal rested on. A stable: the last that was proposed for one in an
    underlying, open or withdrawn; `saving` is what it would earn more than held.
    """

    kind: str
    rebalance_id: str
    underlying: str
    state: str
    text: str
    moves: tuple[MoveLine, ...] = ()
    cost: Num = ZERO
    saving: Num = ZERO
    horizon_ms: int = 0
    ideal_sha256: str = ""
    hedge_id: str = ""
    worst: Num = ZERO
    spent: Num = ZERO
    budget: Num = ZERO
    realised: Cost | None = None
    at: str
    updated_at: str


class Rebalancing(Rows[RebalancingLine]):
    """Hold the last looks, the open proposals by underlying, and the steps whose end or cost is not known yet."""

    proposals: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    steps: dict[UUID, str] = msgspec.field(default_factory=dict[UUID, str])


Written = tuple[Row[RebalancingLine], ...]


def _moved(move: Move) -> MoveLine:
    from_venue, from_symbol, to_venue, to_symbol = move.places
    return MoveLine(
        cause=move.cause.value,
        quantity=move.quantity,
        step=move.step,
        from_venue=from_venue,
        from_symbol=from_symbol,
        to_venue=to_venue,
        to_symbol=to_symbol,
        cost=move.cost,
        saving=move.saving,
    )


def _looked(state: Rebalancing, underlying: str, found: tuple[str, str], position: int, at_us: int) -> Written:
    """Write what a look found; what ended before it and came to no cost is over."""
    rows, at = list[Row[RebalancingLine]](), rfc3339(at_us)
    for hedge_id, key in list(state.steps.items()):
        line = state.rows[key].document
        if line.underlying == underlying and line.state != "working":
            del state.steps[hedge_id]
            rows += state.close(key, position, line)
    what, text = found
    look = RebalancingLine(
        kind="look", rebalance_id="", underlying=underlying, state=what, text=text, at=at, updated_at=at
    )
    return (*rows, *state.keep(f"look|{underlying}", position, look))


def _end_proposal(state: Rebalancing, underlying: str, what: str, position: int, at_us: int) -> Written:
    key = state.proposals.pop(underlying, None)
    if key is None:
        return ()
    line = msgspec.structs.replace(state.rows[key].document, state=what, updated_at=rfc3339(at_us))
    return state.close(key, position, line)


def _held(state: Rebalancing, event: RebalanceHeld, position: int, at_us: int) -> Written:
    rows: Written = ()
    if not event.proposed:
        rows = _end_proposal(state, event.underlying, "withdrawn", position, at_us)
    return (*rows, *_looked(state, event.underlying, ("held", event.text), position, at_us))


def _proposed(state: Rebalancing, event: RebalanceProposed, position: int, at_us: int) -> Written:
    rows = _end_proposal(state, event.underlying, "replaced", position, at_us)
    key = str(event.rebalance_id)
    state.proposals[event.underlying] = key
    line = RebalancingLine(
        kind="proposal",
        rebalance_id=key,
        underlying=event.underlying,
        state="open",
        text=event.text,
        moves=tuple(map(_moved, event.moves)),
        cost=event.cost,
        saving=event.saving,
        horizon_ms=event.horizon_ms,
        ideal_sha256=event.ideal.inputs_sha256,
        at=rfc3339(at_us),
        updated_at=rfc3339(at_us),
    )
    looked = _looked(state, event.underlying, ("proposed", event.text), position, at_us)
    return (*rows, *looked, *state.keep(key, position, line))


def _started(state: Rebalancing, event: RebalanceStarted, position: int, at_us: int) -> Written:
    rows = _end_proposal(state, event.underlying, "followed", position, at_us)
    key, move = str(event.rebalance_id), _moved(event.move)
    text = f"{move.step} from {move.from_symbol} on {move.from_venue} to {move.to_symbol} on {move.to_venue}"
    looked = _looked(state, event.underlying, ("moving", text), position, at_us)
    state.steps[event.hedge_id] = key
    line = RebalancingLine(
        kind="step",
        rebalance_id=key,
        underlying=event.underlying,
        state="working",
        text=text,
        moves=(move,),
        cost=move.cost,
        saving=move.saving,
        horizon_ms=event.horizon_ms,
        hedge_id=str(event.hedge_id),
        worst=event.worst,
        spent=event.spent,
        budget=event.budget,
        at=rfc3339(at_us),
        updated_at=rfc3339(at_us),
    )
    return (*rows, *looked, *state.keep(key, position, line))


def _ended(state: Rebalancing, event: HedgeCompleted | HedgeAbandoned, position: int, at_us: int) -> Written:
    key = state.steps.get(event.hedge_id)
    if key is None:
        return ()
    line = msgspec.structs.replace(state.rows[key].document, state="completed", updated_at=rfc3339(at_us))
    if isinstance(event, HedgeAbandoned):
        line = msgspec.structs.replace(line, state="abandoned", text=event.text)
    return state.keep(key, position, line)


def _realised(state: Rebalancing, event: CostRealised, position: int, at_us: int) -> Written:
    key = state.steps.pop(event.hedge_id, None)
    if key is None:
        return ()
    line = msgspec.structs.replace(state.rows[key].document, realised=event.total, updated_at=rfc3339(at_us))
    return state.close(key, position, line)


def _stable_proposed(state: Rebalancing, event: StableProposed, position: int, at_us: int) -> Written:
    key = _stable_key(event.asset, event.underlying)
    before = state.find(key)
    line = RebalancingLine(
        kind="stable",
        rebalance_id="",
        underlying=event.underlying,
        state="open",
        text=event.text,
        cost=event.cost,
        saving=event.earned,
        horizon_ms=event.horizon_ms,
        at=rfc3339(at_us) if before is None else before.at,
        updated_at=rfc3339(at_us),
    )
    return state.keep(key, position, line)


def _stable_held(state: Rebalancing, event: StableHeld, position: int, at_us: int) -> Written:
    key = _stable_key(event.asset, event.underlying)
    line = state.rows[key].document  # a log is folded from its beginning: what is withdrawn was proposed
    held = msgspec.structs.replace(line, state="withdrawn", text=event.text, updated_at=rfc3339(at_us))
    return state.keep(key, position, held)


def _stable_key(asset: str, underlying: str) -> str:
    return f"stable|{asset}|{underlying}"


REBALANCING = View(
    name="rebalancing",
    document=RebalancingLine,
    state=Rebalancing,
    steps={
        RebalanceHeld: _held,
        RebalanceProposed: _proposed,
        RebalanceStarted: _started,
        HedgeCompleted: _ended,
        HedgeAbandoned: _ended,
        CostRealised: _realised,
        StableProposed: _stable_proposed,
        StableHeld: _stable_held,
    },
    lookups=frozenset({"kind", "underlying"}),
)
