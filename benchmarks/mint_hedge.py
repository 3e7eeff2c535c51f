"""The hedge of a made-up request: its plan and certificate, one order, its fills, what it cost."""

import random
from collections.abc import Generator
from decimal import Decimal
from uuid import UUID

from domain.cost import CostRealised, whole
from domain.event import Event
from domain.fill import FillKind, FillRecorded, FillSource, fill_id
from domain.hedge import HedgeCompleted, HedgeLegCompleted, HedgePlanned, PlannedLeg, Purpose
from domain.ids import client_order_id, derive_id
from domain.instant import rfc3339
from domain.order import (
    Ending,
    Order,
    OrderAcknowledged,
    OrderAttempted,
    OrderClosed,
    OrderSide,
    OrderSubmissionRequested,
    TimeInForce,
)
from domain.policy import Policy
from domain.quantity import Num, multiply
from domain.quote import Side
from domain.routing.certificate import Certificate, CostSplit, RoutedLeg
from domain.tally import Tallies, fold, leg_costs

VENUE, ACCOUNT, SYMBOL = "binanceusdm", "main", "ETH/USDT:USDT"
DATE_DIGITS = 10


def hedge(
    request_id: UUID, flow: tuple[Side, Num, Num], policy: Policy, chance: random.Random
) -> Generator[Event, int, None]:
    """Yield the events of the hedge of a flow (side, base units, price); send when each was decided."""
    planned, order = _planned(request_id, *flow)
    _, base, price = flow
    signed, hedge_id, order_id = planned.quantity, planned.hedge_id, order.order_id
    at_us = yield planned
    tallies = Tallies()
    fold(tallies, planned, policy)
    requested = OrderSubmissionRequested(order=order, hedge_id=hedge_id)
    at_us = yield requested
    fold(tallies, requested, policy)
    at_us = yield OrderAttempted(
        order_id=order_id,
        attempt=1,
        client_order_id=client_order_id(order_id, 1),
        send_before_us=at_us + 5_000_000,
    )
    venue_order_id = str(order_id.int % 10**11)
    at_us = yield OrderAcknowledged(
        order_id=order_id,
        attempt=1,
        venue_order_id=venue_order_id,
        accepted_quantity=base,
        filled=base,
        terminal=True,
    )
    first = Num(Decimal(chance.randint(1, int(base * 1000))) / 1000)
    for quantity in (first, Num(base - first)):
        if quantity > 0:
            fill = _fill(order, venue_order_id, quantity, price, at_us)
            at_us = yield fill
            fold(tallies, fill, policy)
    yield OrderClosed(order_id=order_id, hedge_id=hedge_id, ending=Ending.FILLED, filled=base)
    yield HedgeLegCompleted(hedge_id=hedge_id, order_id=order_id, filled=signed)
    at_us = yield HedgeCompleted(hedge_id=hedge_id, request_id=request_id, filled=signed, average_price=price)
    yield _realised(planned, tallies, rfc3339(at_us)[:DATE_DIGITS])


def _planned(request_id: UUID, side: Side, base: Num, price: Num) -> tuple[HedgePlanned, Order]:
    """Return the plan of a hedge and the one order that it comes to."""
    mints = side is Side.MINT
    signed = Num(-base) if mints else base
    hedge_id = derive_id(request_id, "hedge")
    leg = PlannedLeg(venue=VENUE, account=ACCOUNT, symbol=SYMBOL, quantity=signed, limit_price=price, reference=price)
    planned = HedgePlanned(
        hedge_id=hedge_id,
        request_id=request_id,
        purpose=Purpose.OPEN if mints else Purpose.CLOSE,
        underlying="ETH",
        exposure=Num(-signed),
        quantity=signed,
        reference=price,
        legs=(leg,),
        certificate=_certificate(signed, price),
    )
    order = Order(
        order_id=derive_id(hedge_id, "order:1"),
        venue=VENUE,
        account=ACCOUNT,
        symbol=SYMBOL,
        side=OrderSide.SELL if mints else OrderSide.BUY,
        quantity=base,
        limit_price=price,
        time_in_force=TimeInForce.IOC,
        reduce_only=not mints,
    )
    return planned, order


def _realised(planned: HedgePlanned, tallies: Tallies, day: str) -> CostRealised:
    """Return what a hedge that traded whole has cost."""
    tally = tallies.open[planned.hedge_id]
    legs = leg_costs(tally)
    return CostRealised(
        hedge_id=planned.hedge_id,
        request_id=planned.request_id,
        purpose=planned.purpose,
        underlying=planned.underlying,
        day=day,
        completed=True,
        filled=planned.quantity,
        legs=legs,
        total=whole(legs),
        certificates=tally.certificates,
    )


def _certificate(base: Num, price: Num) -> Certificate:
    """Return the certificate of one leg, whose price turns out as expected."""
    notional = abs(base) * price
    fee = notional * Num("0.0004")
    leg = RoutedLeg(
        venue=VENUE,
        account=ACCOUNT,
        symbol=SYMBOL,
        underlying="ETH",
        quantity=base,
        base=base,
        average_price=price,
        worst_price=price,
        middle=price,
        usd_per_quote=Num(1),
        notional_usd=notional,
        cost=CostSplit(fee=fee),
    )
    return Certificate(
        inputs_sha256="5a" * 32,
        horizon_ms=28_800_000,
        candidates=1,
        legs=(leg,),
        cost_usd=fee,
        bound_usd=fee,
        gap_usd=Num(0),
        lot_usd=Num("0.0012"),
    )


def _fill(order: Order, venue_order_id: str, quantity: Num, price: Num, at_us: int) -> FillRecorded:
    trade_id = f"{venue_order_id}{at_us % 10**6}{quantity}".replace(".", "")
    return FillRecorded(
        fill_id=fill_id(VENUE, ACCOUNT, SYMBOL, trade_id, venue_order_id, order.side),
        venue=VENUE,
        account=ACCOUNT,
        symbol=SYMBOL,
        trade_id=trade_id,
        venue_order_id=venue_order_id,
        order_id=order.order_id,
        side=order.side,
        price=price,
        quantity=quantity,
        fee_asset="USDT",
        fee=Num((multiply(quantity, price) * Decimal("0.0004")).quantize(Decimal("0.00000001"))),
        kind=FillKind.TRADE,
        source=FillSource.STREAM,
        traded_at_us=at_us - 20_000,
    )
