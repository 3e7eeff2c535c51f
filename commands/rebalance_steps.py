"""Steps of a rebalancing move: how large, at which limit prices, and what they cost at worst."""

from collections.abc import Iterator

import msgspec

from commands.control import Sending, check_order, need_limit, order_max
from commands.order import order_of
from domain.account import account_key
from domain.book import Book
from domain.consolidated import limit_price
from domain.exposure import exposure
from domain.hedge import PlannedLeg, Purpose
from domain.ids import natural_id
from domain.limit import Control
from domain.order import Order
from domain.policy import Policy
from domain.quantity import BPS, ZERO, Num, Rounding, add, divide, multiply, round_to, subtract
from domain.rebalancing.ideal import Desk, Standing
from domain.rebalancing.moves import USD_STEP, Assessment, assess
from domain.rebalancing.rebalance import Move, day_of
from domain.rebalancing.terms import Rebalancing
from domain.refusal import Refusal
from domain.routing.certificate import Certificate, RoutedLeg
from domain.ways import Ways


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a step that may be made: its legs, what they cost if each trades at its limit, USD, and their proof."""

    move: Move
    legs: tuple[PlannedLeg, ...]
    worst: Num
    proof: Certificate | None


def step_max(book: Book, terms: Rebalancing, found: Ways) -> Num | str:
    """Return how many base units one leg may be: one order, and within the limit on delta if it trades alone."""
    largest: list[Num] = []
    for venue in sorted({way.instrument.venue for way in found.open}):
        limit = order_max(book, found.underlying, venue)
        if isinstance(limit, Refusal):
            return limit.text
        largest.append(limit.value)
    delta = need_limit(book, Control.NET_DELTA, f"asset:{found.underlying}")
    if isinstance(delta, Refusal):
        return delta.text
    room = subtract(delta.value, exposure(book, found.underlying).interval.worst)
    if room <= 0:
        return f"the exposure of {found.underlying} is at its limit: no leg may trade alone"
    asked = (way.seen.asks[0].price for way in found.open)
    dearest = multiply(max(asked), max(Num(1), *(way.stable.mid for way in found.open)))
    return min(room, divide(min(*largest, terms.step_notional_max), dearest))


def standings(book: Book, policy: Policy, found: Ways) -> Iterator[Standing]:
    """Return what binds each account that may trade the underlying now, as it was last seen."""
    worth = {way.instrument.quote: way.stable.mid for way in found.open}
    quotes = {(each.venue, each.account, each.symbol): each.quote for each in policy.instruments}
    for venue, account in sorted({(way.instrument.venue, way.instrument.account) for way in found.open}):
        seen = book.outside.accounts.get(account_key(venue, account))
        unsettled = ZERO
        for held in seen.positions if seen is not None else ():
            quote = quotes.get((venue, account, held.symbol), "")
            unsettled = add(unsettled, multiply(held.unrealised, worth.get(quote, Num(1))))
        yield Standing(
            venue=venue,
            account=account,
            unsettled=max(unsettled, ZERO),
            unsettled_cap=policy.rebalancing.unsettled_cap(venue, account),
            notional_cap=policy.routing.cap(venue, account),
        )


def first_step(book: Book, policy: Policy, desk: Desk, assessment: Assessment, most: Num) -> Step | str:
    """Return the first step of what was found, smaller where the day's budget asks for it; or why there is none."""
    terms = policy.rebalancing
    left = subtract(terms.cost_budget_per_day, book.rebalancing.spent_on(day_of(desk.now_us)))
    step = _step(book, terms, assessment, desk.now_us)
    if isinstance(step, Refusal):
        return step.text
    if step.worst <= left:
        return step
    spent = f"a step may cost {step.worst} USD, and of the day's {terms.cost_budget_per_day} there are {left} left"
    if left <= 0:
        return spent
    smaller = assess(desk, terms, min(most, divide(multiply(step.move.step, left), step.worst)))
    if smaller is None or not smaller.moves:
        return spent
    step = _step(book, terms, smaller, desk.now_us)
    if isinstance(step, Refusal):
        return step.text
    return step if step.worst <= left else spent


def _step(book: Book, terms: Rebalancing, assessment: Assessment, at_us: int) -> Step | Refusal:
    move, legs, worst = assessment.moves[0], list[PlannedLeg](), ZERO
    ahead: list[Order] = []
    for routed in (move.leave, move.enter):
        leg = _leg(book, routed, terms.slack_bps, reduce_only=routed is move.leave)
        instrument = book.instrument(routed.venue, routed.symbol)
        order = order_of(natural_id("rebalance"), leg, len(ahead) + 1, quantity=leg.quantity)
        sending = Sending(underlying=instrument.base, purpose=Purpose.REBALANCE, at_us=at_us)
        prices = (leg.reference, multiply(leg.reference, routed.usd_per_quote))
        refused = check_order(book, order, sending, prices, tuple(ahead))
        if refused is not None:
            return refused
        legs.append(leg)
        ahead.append(order)
        worst = add(worst, multiply(_at_limit(leg, instrument.taker_fee_bps), routed.usd_per_quote))
    return Step(move=move, legs=tuple(legs), worst=round_to(worst, USD_STEP, Rounding.UP), proof=assessment.proof)


def _leg(book: Book, routed: RoutedLeg, slack_bps: Num, *, reduce_only: bool) -> PlannedLeg:
    instrument = book.instrument(routed.venue, routed.symbol)
    sell = routed.base < 0
    return PlannedLeg(
        venue=routed.venue,
        account=routed.account,
        symbol=routed.symbol,
        quantity=routed.base,
        limit_price=limit_price(instrument, sell=sell, reference=routed.worst_price, slippage_bps=slack_bps),
        reference=routed.middle,
        reduce_only=reduce_only,
    )


def _at_limit(leg: PlannedLeg, fee_bps: Num) -> Num:
    """Return what a leg costs against its own middle if all of it trades at its limit price, its fee with it, quote."""
    away = subtract(leg.limit_price, leg.reference) if leg.quantity > 0 else subtract(leg.reference, leg.limit_price)
    fee = divide(multiply(leg.limit_price, fee_bps), BPS)
    return multiply(add(max(away, ZERO), max(fee, ZERO)), abs(leg.quantity))
