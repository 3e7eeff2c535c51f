"""Planning: from a quantity that should be traded to the legs of a hedge, whatever it is for, on fresh evidence."""

import msgspec

from commands.context import Context
from commands.control import Sending, check_collar, check_order, in_usd, order_max
from commands.order import order_of
from domain.book import Book, underlying_exposure
from domain.consolidated import reach, way_limit
from domain.execution import SWEEP, Style
from domain.hedge import HedgePlanned, PlannedLeg, Purpose
from domain.ids import derive_id, position_key
from domain.internalisation import FlowInternalised, outside_band
from domain.mode import Action, forbid
from domain.order import Order
from domain.policy import Pair
from domain.quantity import ZERO, Num, Rounding, add, divide, round_to, subtract
from domain.quote import Side, Source
from domain.refusal import Reason, Refusal, least
from domain.request import RequestAccepted
from domain.room import holding
from domain.routing.certificate import Certificate, RoutedLeg
from domain.routing.inputs import Asked, problem
from domain.routing.router import route
from domain.ways import Way, Ways, ways

# These only give back what is there: a leg that closes may not open.
CLOSING = frozenset({Purpose.CLOSE, Purpose.UNWIND})
# These complete what was accepted; every other hedge brings delta back.
ACCEPTED = frozenset({Purpose.OPEN, Purpose.CLOSE})


class Wanted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Want `quantity` signed base units of an underlying traded.

    `pair` names the home, whose book gives the reference; `without` instruments that failed in this hedge
    (`Instrument.key`). `cut` lets the internalisation band keep its part. `whole` refuses what cannot all be routed,
    else what can is planned. `begins` leaves out where no hedge is begun; what is owed goes on there.
    """

    underlying: str
    quantity: Num
    purpose: Purpose
    pair: Pair | None = None
    without: frozenset[str] = frozenset()
    cut: bool = True
    whole: bool = False
    begins: bool = False


class Planned(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a plan: the legs and their signed sum, what the band lets rest, and what no venue could take.

    There are no legs, and no certificate, where nothing need be traded, or less than any venue takes.
    """

    quantity: Num
    reference: Num
    legs: tuple[PlannedLeg, ...]
    sources: tuple[Source, ...]
    internalised: Num = ZERO
    unrouted: Num = ZERO
    certificate: Certificate | None = None

    @property
    def cost_usd(self) -> Num:
        """Return what the plan is expected to cost."""
        return self.certificate.cost_usd if self.certificate is not None else ZERO


def plan(book: Book, wanted: Wanted, context: Context) -> Planned | Refusal:
    """Plan legs for what is wanted, over all that may be traded now; refuse while halted, and without any way.

    A plan within the band has no legs; where something must be traded and nothing can be, that is refused.
    """
    found = open_ways(book, wanted, context)
    planned = found if isinstance(found, Refusal) else routed(book, wanted, found, context)
    if isinstance(planned, Refusal):
        return planned
    return check_legs(book, wanted.underlying, planned) or planned


def open_ways(book: Book, wanted: Wanted, context: Context, judged: Ways | None = None) -> Ways | Refusal:
    """Return the ways on which what is wanted may be traded now, or why there is none; those judged are not again."""
    pair = wanted.pair
    scopes = (f"asset:{wanted.underlying}", *((f"pair:{pair.name}",) if pair is not None else ()))
    action = Action.COMPLETE if wanted.purpose in ACCEPTED else Action.REDUCE
    stopped = forbid(book.mode(*scopes), action, f"halted: {wanted.underlying} stays open")
    if stopped is not None:
        return stopped
    found = judged or ways(
        book, wanted.underlying, context.evidence, context.witnesses, home=pair, without=wanted.without
    )
    return found.to_begin() if wanted.begins and isinstance(found, Ways) else found


def check_legs(book: Book, underlying: str, planned: Planned) -> Refusal | None:
    """Refuse legs whose limit price lies outside the collar."""
    return least(*(check_collar(book, leg, underlying) for leg in planned.legs))


def check_first_orders(book: Book, planned: HedgePlanned, at_us: int) -> Refusal | None:
    """Refuse a plan whose first orders could not be sent now: nothing is accepted whose hedge would wait."""
    sending, ahead = Sending(underlying=planned.underlying, purpose=planned.purpose, at_us=at_us), list[Order]()
    for leg in planned.legs:
        instrument = book.instrument(leg.venue, leg.symbol)
        limit, usd = order_max(book, planned.underlying, leg.venue), in_usd(book, instrument.quote, leg.reference)
        if isinstance(limit, Refusal):
            return limit
        most = round_to(divide(limit.value, usd), instrument.lot, Rounding.DOWN)
        quantity = min(abs(leg.quantity), most)
        if quantity == 0:  # asked for again, aloud, until the limit allows the least order
            continue
        signed = quantity if leg.quantity > 0 else -quantity
        order = order_of(planned.hedge_id, leg, len(ahead) + 1, quantity=signed)
        refusal = check_order(book, order, sending, (leg.reference, usd), tuple(ahead))
        if refusal is not None:
            return refusal
        ahead.append(order)
    return None


def routed(book: Book, wanted: Wanted, found: Ways, context: Context) -> Planned | Refusal:
    """Route what is wanted over these ways; the collar is not looked at."""
    policy, traded = book.policy, wanted.quantity
    if wanted.cut and policy is not None:
        traded = outside_band(policy, wanted.underlying, wanted.quantity)
    rests = subtract(wanted.quantity, traded)
    if traded == 0:
        return Planned(quantity=ZERO, reference=found.reference, legs=(), sources=found.sources, internalised=rests)
    answer = route(problem(book, (Asked(found, traded),), context.marks, context.at_us))
    left = answer.left(wanted.underlying)
    if (wanted.whole or not answer.legs) and abs(left) >= _least_traded(found):
        return _unroutable(book, found, traded)
    quantity = ZERO
    for leg in answer.legs:
        quantity = add(quantity, leg.base)
    by_key = {way.instrument.key: way for way in found.open}
    return Planned(
        quantity=quantity,
        reference=found.reference,
        legs=tuple(_leg(book, wanted, by_key[_key(leg)], leg) for leg in answer.legs),
        sources=found.sources,
        internalised=rests,
        unrouted=left,
        certificate=answer.certificate if answer.legs else None,
    )


def _key(leg: RoutedLeg) -> str:
    return position_key(leg.venue, leg.account, leg.symbol)


def _leg(book: Book, wanted: Wanted, way: Way, leg: RoutedLeg) -> PlannedLeg:
    sell = leg.base < 0
    closes = wanted.purpose in CLOSING and way.instrument.kind != "spot"
    return PlannedLeg(
        venue=leg.venue,
        account=leg.account,
        symbol=leg.symbol,
        quantity=leg.base,
        limit_price=way_limit(book, way, sell=sell),
        reference=way.seen.mid,
        reduce_only=closes and abs(leg.base) <= holding(book, way.instrument).reducible(sell=sell),
    )


def _least_traded(found: Ways) -> Num:
    """Return the least base quantity that any of these ways takes."""
    return min(
        max(
            way.instrument.lot,
            way.instrument.minimum_quantity,
            divide(way.instrument.minimum_notional, way.seen.mid),
        )
        for way in found.open
    )


def _unroutable(book: Book, found: Ways, traded: Num) -> Refusal:
    """Say whether the books are too shallow for a quantity, or our own bounds too tight."""
    deep = ZERO
    for way in found.open:
        for level in reach(book, way, sell=traded < 0):
            deep = add(deep, level.quantity)
    text = f"{abs(traded)} {found.underlying} cannot be hedged whole on what is open now"
    return Refusal(
        reason=Reason.DEPTH_INSUFFICIENT if deep < abs(traded) else Reason.ROOM_INSUFFICIENT,
        text=f"{text}: {deep} are offered within the slippage",
        value=str(abs(traded)),
    )


def style_of(book: Book, purpose: Purpose) -> Style:
    """Return how the legs of a hedge are brought to their venues."""
    return getattr(book.policy.styles, purpose.value) if book.policy is not None else SWEEP


def plan_hedge(
    book: Book, pair: Pair, accepted: RequestAccepted, context: Context, judged: Ways | None = None
) -> tuple[HedgePlanned, *tuple[FlowInternalised, ...]] | Refusal:
    """Plan the trade that keeps the book flat: a request's delta and what is carried, less what the band lets rest.

    Return the plan, and what it internalised. At acceptance the request's price was `judged` on these ways already:
    then all of it must be routed, on those where a hedge may be begun, and its first orders must pass every control,
    the collar among them: of several that say no, the gravest is told.
    """
    underlying, change = book.asset(pair.collateral).underlying, underlying_exposure(book, accepted)
    wanted = Wanted(
        underlying=underlying,
        quantity=subtract(book.carry.get(underlying, ZERO), change),
        purpose=Purpose.OPEN if accepted.side is Side.MINT else Purpose.CLOSE,
        pair=pair,
        whole=judged is not None,
        begins=judged is not None and accepted.side is Side.MINT,
    )
    found = open_ways(book, wanted, context, judged)
    if isinstance(found, Refusal):
        return found
    planned = routed(book, wanted, found, context)
    if isinstance(planned, Refusal):
        return planned
    refusal = check_legs(book, underlying, planned) if judged is None else None
    if refusal is not None:
        return refusal
    hedge = HedgePlanned(
        hedge_id=derive_id(accepted.request_id, "hedge"),
        request_id=accepted.request_id,
        purpose=wanted.purpose,
        underlying=underlying,
        exposure=change,
        quantity=planned.quantity,
        reference=planned.reference,
        legs=planned.legs,
        sources=planned.sources,
        internalised=planned.internalised,
        style=style_of(book, wanted.purpose),
        certificate=planned.certificate,
    )
    refusal = check_first_orders(book, hedge, context.at_us) if judged is not None else None
    if refusal is not None:
        return refusal
    return (hedge, *_internalised(book, wanted, planned, (hedge, found), context))


def _internalised(
    book: Book, wanted: Wanted, planned: Planned, hedged: tuple[HedgePlanned, Ways], context: Context
) -> tuple[FlowInternalised, ...]:
    """Tell what the band kept of a request's own flow, and what sending that by itself would have cost more."""
    hedge, found = hedged
    if book.policy is None or book.policy.band(wanted.underlying) is None:
        return ()
    own = -hedge.exposure
    kept = subtract(own, subtract(wanted.quantity, planned.internalised))
    if kept == 0:
        return ()
    alone = routed(book, msgspec.structs.replace(wanted, quantity=own, cut=False, whole=False), found, context)
    cost = alone.cost_usd if isinstance(alone, Planned) else ZERO
    return (
        FlowInternalised(
            hedge_id=hedge.hedge_id,
            request_id=hedge.request_id,
            underlying=wanted.underlying,
            quantity=kept,
            saved_usd=subtract(cost, planned.cost_usd),
        ),
    )
