"""How the legs of an open hedge go on by its events: which goes on, which is over, and whose instrument failed.

An instrument fails in a hedge when an order there was rejected, was absent, or traded nothing, or twice only a part:
what it left is planned anew without it, as long as there is another way.
"""

from uuid import UUID

import msgspec

from domain.execution import Style, StyleKind
from domain.hedge import HedgePlanned, HedgeRerouted, OpenHedge, OpenLeg, PlannedLeg
from domain.ids import position_key
from domain.order import Ending, OrderSubmissionRequested, TimeInForce
from domain.order_state import OpenOrder, Rejected
from domain.quantity import add

# The codes of rejections that speak of the order's own flags, not of its venue.
REDUCE_ONLY, WOULD_TAKE = "reduce_only", "post_only_would_take"


def begun(event: HedgePlanned, failed: tuple[str, ...], at_us: int) -> OpenHedge:
    """Return the hedge that a plan begins; `failed` is left out from the start, unless there was no other way."""
    used = {leg.key for leg in event.legs}
    out = tuple(key for key in failed if key not in used)
    return OpenHedge(planned=event, legs=_legs(event.legs, event.style, at_us), failed=out)


def rerouted(hedge: OpenHedge, event: HedgeRerouted, at_us: int) -> OpenHedge:
    """Return a hedge after a part of it was planned anew: the new legs are swept, whatever the style was."""
    gone = {*event.failed, *(leg.key for leg in event.legs)}
    kept = tuple(
        each for each in hedge.legs if each.order_id in hedge.working or not (each.over or each.leg.key in gone)
    )
    return msgspec.structs.replace(
        hedge,
        legs=(*kept, *_legs(event.legs, Style(), at_us)),
        rounds=hedge.rounds + 1,
        failed=event.failed,
    )


def _legs(legs: tuple[PlannedLeg, ...], style: Style, at_us: int) -> tuple[OpenLeg, ...]:
    return tuple(OpenLeg(leg=leg, style=style, began_us=at_us) for leg in legs)


def requested(hedge: OpenHedge, event: OrderSubmissionRequested) -> OpenHedge:
    """Return a hedge for which an order begins: it works for the leg on its instrument."""
    order = event.order
    key = position_key(order.venue, order.account, order.symbol)
    legs = tuple(
        msgspec.structs.replace(each, orders=each.orders + 1, order_id=order.order_id)
        if each.leg.key == key and not each.over
        else each
        for each in hedge.legs
    )
    working = (*hedge.working, order.order_id)
    return msgspec.structs.replace(hedge, legs=legs, orders=hedge.orders + 1, working=working)


def closed(hedge: OpenHedge, order: OpenOrder, ending: Ending, at_us: int) -> OpenHedge:
    """Return a hedge after one of its orders is over."""
    order_id = order.order.order_id
    filled = order.filled * order.direction
    hedge = msgspec.structs.replace(
        hedge,
        filled=add(hedge.filled, filled),
        quote_value=add(hedge.quote_value, order.quote_value),
        working=tuple(each for each in hedge.working if each != order_id),
        closed_us=at_us,
    )
    leg = leg_of(hedge, order_id)
    if leg is None:
        return hedge
    after = msgspec.structs.replace(leg, filled=add(leg.filled, filled))
    after, hedge = _judged(hedge, after, order, ending)
    return msgspec.structs.replace(hedge, legs=tuple(after if each is leg else each for each in hedge.legs))


def leg_of(hedge: OpenHedge, order_id: UUID) -> OpenLeg | None:
    """Return the leg that an order works for, or worked for last."""
    return next((each for each in hedge.legs if each.order_id == order_id), None)


def _judged(hedge: OpenHedge, leg: OpenLeg, order: OpenOrder, ending: Ending) -> tuple[OpenLeg, OpenHedge]:
    """Say whether a leg goes on, and of its instrument whether it failed."""
    code = order.state.code if isinstance(order.state, Rejected) else ""
    rested = order.order.time_in_force is not TimeInForce.IOC
    if ending is Ending.FILLED:
        # The next slice of an iceberg is offered again; what once had to cross otherwise goes on so.
        return msgspec.structs.replace(leg, crossing=leg.crossing and leg.style.kind is not StyleKind.ICEBERG), hedge
    if rested and (ending in {Ending.CANCELLED, Ending.EXPIRED} or code == WOULD_TAKE):
        return msgspec.structs.replace(leg, crossing=True), hedge
    if ending is Ending.EXPIRED and leg.style.kind is StyleKind.TWAP and leg.orders < leg.style.slices:
        return leg, hedge
    over = msgspec.structs.replace(leg, over=True)
    key = leg.leg.key
    if code == REDUCE_ONLY:
        return over, msgspec.structs.replace(hedge, unflagged=_with(hedge.unflagged, key))
    if order.filled > 0 and key not in hedge.faltered:
        return over, msgspec.structs.replace(hedge, faltered=_with(hedge.faltered, key))
    return over, msgspec.structs.replace(hedge, failed=_with(hedge.failed, key))


def _with(keys: tuple[str, ...], key: str) -> tuple[str, ...]:
    return keys if key in keys else (*keys, key)
