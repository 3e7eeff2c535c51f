"""Counting what open hedges trade: folded from the events alone, so that the Book and a read model count the same."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from domain.cost import PRICE_STEP, AssetSum, Cost, CostRealised, LegCost, split, summed
from domain.event import Event
from domain.fill import FillKind, FillRecorded
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgePlanned, HedgeRerouted, PlannedLeg, Purpose
from domain.market import USD
from domain.order import OrderClosed, OrderSubmissionRequested
from domain.policy import Instrument, Policy
from domain.quantity import ZERO, Num, Rounding, divide, multiply, round_to
from domain.routing.certificate import RoutedLeg

INVERSE = "inverse"
PAR = Num(1)


class TallyLeg(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Count one instrument in one round: signed base units, what was paid in quote, fees by asset.

    `fee_quote` is what of the fees is paid in the quote, or in the base at its fill's price; `unconverted` the rest.
    """

    round: int
    venue: str
    account: str
    symbol: str
    middle: Num | None
    routed: RoutedLeg | None
    instrument: Instrument | None
    base: Num = ZERO
    quote_value: Num = ZERO
    fee_quote: Num = ZERO
    fees: tuple[AssetSum, ...] = ()
    unconverted: tuple[AssetSum, ...] = ()


class Tally(msgspec.Struct, kw_only=True):
    """Count an open hedge; `rounds` is one more than it was rerouted."""

    hedge_id: UUID
    request_id: UUID
    purpose: Purpose
    underlying: str
    rounds: int = 1
    legs: tuple[TallyLeg, ...] = ()
    certificates: tuple[str, ...] = ()


class Place(msgspec.Struct, frozen=True, gc=False):
    """Say for which leg of which hedge an order works."""

    hedge_id: UUID
    leg: int


class Tallies(msgspec.Struct, kw_only=True):
    """Count the open hedges; `ended` is the one that ended last, until its cost is recorded.

    Bounded by the open hedges and their open orders.
    """

    open: dict[UUID, Tally] = {}
    orders: dict[UUID, Place] = {}
    ended: Tally | None = None


def _planned(tallies: Tallies, event: HedgePlanned, policy: Policy | None) -> None:
    tally = Tally(
        hedge_id=event.hedge_id, request_id=event.request_id, purpose=event.purpose, underlying=event.underlying
    )
    _begin(tally, event, policy)
    tallies.open[event.hedge_id] = tally


def _rerouted(tallies: Tallies, event: HedgeRerouted, policy: Policy | None) -> None:
    tally = tallies.open.get(event.hedge_id)
    if tally is not None:
        tally.rounds += 1
        _begin(tally, event, policy)


def _begin(tally: Tally, event: HedgePlanned | HedgeRerouted, policy: Policy | None) -> None:
    """Begin a round: its legs, each with what its certificate expects of it."""
    certificate = event.certificate
    chosen = certificate.legs if certificate is not None else ()
    routed = {(leg.venue, leg.account, leg.symbol): leg for leg in chosen if leg.base != 0}  # of nothing, no share
    if certificate is not None:
        tally.certificates += (certificate.inputs_sha256,)
    tally.legs += tuple(
        TallyLeg(
            round=tally.rounds,
            venue=leg.venue,
            account=leg.account,
            symbol=leg.symbol,
            middle=leg.reference,
            routed=routed.get(_where(leg)),
            instrument=_instrument(policy, leg.venue, leg.symbol),
        )
        for leg in event.legs
    )


def _where(leg: PlannedLeg | TallyLeg) -> tuple[str, str, str]:
    return leg.venue, leg.account, leg.symbol


def _instrument(policy: Policy | None, venue: str, symbol: str) -> Instrument | None:
    known = policy.instruments if policy is not None else ()
    return next((each for each in known if (each.venue, each.symbol) == (venue, symbol)), None)


def _ordered(tallies: Tallies, event: OrderSubmissionRequested, policy: Policy | None) -> None:
    """Give an order to the newest leg of its instrument."""
    tally, order = tallies.open.get(event.hedge_id), event.order
    if tally is None:
        return
    where = (order.venue, order.account, order.symbol)
    place = next((index for index in range(len(tally.legs) - 1, -1, -1) if _where(tally.legs[index]) == where), None)
    if place is None:  # of no plan: counted, and worth nothing that is known
        place = len(tally.legs)
        unplanned = TallyLeg(
            round=tally.rounds,
            venue=order.venue,
            account=order.account,
            symbol=order.symbol,
            middle=None,
            routed=None,
            instrument=_instrument(policy, order.venue, order.symbol),
        )
        tally.legs += (unplanned,)
    tallies.orders[order.order_id] = Place(event.hedge_id, place)


def _filled(tallies: Tallies, event: FillRecorded, _policy: Policy | None) -> None:
    asked = event.order_id if event.kind is FillKind.TRADE else None  # what a venue forces is no hedge's trade
    place = tallies.orders.get(asked) if asked is not None else None
    tally = tallies.open.get(place.hedge_id) if place is not None else None
    if place is not None and tally is not None:
        leg = _after(tally.legs[place.leg], event)
        tally.legs = (*tally.legs[: place.leg], leg, *tally.legs[place.leg + 1 :])


def _after(leg: TallyLeg, fill: FillRecorded) -> TallyLeg:
    instrument, signed = leg.instrument, fill.signed
    inverse = instrument is not None and instrument.kind == INVERSE
    # Orders and fills of an inverse contract are in its quote.
    base = divide(signed, fill.price) if inverse else signed
    quote_value = fill.quantity if inverse else multiply(fill.quantity, fill.price)
    paid, unconverted = ZERO, leg.unconverted
    if instrument is not None and fill.fee_asset == instrument.quote:
        paid = fill.fee
    elif instrument is not None and fill.fee_asset == instrument.base:
        paid = multiply(fill.fee, fill.price)
    else:
        unconverted = summed((*unconverted, AssetSum(fill.fee_asset, fill.fee)))
    return msgspec.structs.replace(
        leg,
        base=leg.base + base,
        quote_value=leg.quote_value + quote_value,
        fee_quote=leg.fee_quote + paid,
        fees=summed((*leg.fees, AssetSum(fill.fee_asset, fill.fee))),
        unconverted=unconverted,
    )


def _closed(tallies: Tallies, event: OrderClosed, _policy: Policy | None) -> None:
    tallies.orders.pop(event.order_id, None)


def _ended(tallies: Tallies, event: HedgeCompleted | HedgeAbandoned, _policy: Policy | None) -> None:
    tallies.ended = tallies.open.pop(event.hedge_id, None)
    for order_id in [key for key, place in tallies.orders.items() if place.hedge_id == event.hedge_id]:
        del tallies.orders[order_id]


def _recorded(tallies: Tallies, event: CostRealised, _policy: Policy | None) -> None:
    if tallies.ended is not None and tallies.ended.hedge_id == event.hedge_id:
        tallies.ended = None


FOLDS: dict[type[Event], Callable[[Tallies, Any, Policy | None], None]] = {
    HedgePlanned: _planned,
    HedgeRerouted: _rerouted,
    OrderSubmissionRequested: _ordered,
    FillRecorded: _filled,
    OrderClosed: _closed,
    HedgeCompleted: _ended,
    HedgeAbandoned: _ended,
    CostRealised: _recorded,
}
"""How each of these events is counted; the policy tells what an instrument is quoted in."""


def fold(tallies: Tallies, event: Event, policy: Policy | None) -> None:
    """Count one of these events."""
    FOLDS[type(event)](tallies, event, policy)


def leg_costs(tally: Tally) -> tuple[LegCost, ...]:
    """Return what every leg that traded has cost until now."""
    return tuple(_leg_cost(leg) for leg in tally.legs if leg.base != 0 or leg.fees)


def _leg_cost(leg: TallyLeg) -> LegCost:
    average = ZERO if leg.base == 0 else round_to(divide(leg.quote_value, abs(leg.base)), PRICE_STEP, Rounding.NEAREST)
    return LegCost(
        round=leg.round,
        venue=leg.venue,
        account=leg.account,
        symbol=leg.symbol,
        base=leg.base,
        average_price=average,
        middle=leg.middle,
        expected_price=None if leg.routed is None else leg.routed.average_price,
        usd_per_quote=_usd_per_quote(leg),
        cost=_cost(leg),
        fees=leg.fees,
        unconverted=leg.unconverted,
    )


def _usd_per_quote(leg: TallyLeg) -> Num | None:
    if leg.routed is not None:
        return leg.routed.usd_per_quote
    return PAR if leg.instrument is not None and leg.instrument.quote == USD else None


def _cost(leg: TallyLeg) -> Cost | None:
    usd = _usd_per_quote(leg)
    at = leg.middle if leg.routed is None else leg.routed.average_price
    if usd is None or at is None:
        return None
    # Positive when more was paid, or less received, than the expected price says.
    paid = leg.quote_value if leg.base > 0 else -leg.quote_value
    slippage = (paid - leg.base * at) * usd
    fee, notional = leg.fee_quote * usd, leg.quote_value * usd
    if leg.routed is None:
        return split(notional, (ZERO, ZERO, ZERO), slippage, fee, ZERO)
    share = divide(abs(leg.base), abs(leg.routed.base))
    told = leg.routed.cost
    parts = (told.spread * share, told.depth * share, told.basis * share)
    return split(notional, parts, slippage, fee, (told.spread + told.depth + told.fee + told.basis) * share)
