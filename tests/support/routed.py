"""A hedge on two venues, as its events tell it: planned with a certificate, traded, rerouted, over."""

from uuid import UUID

from benchmarks.mint_log import START_US
from domain.fill import FillKind, FillRecorded, FillSource
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgePlanned, HedgeRerouted, PlannedLeg, Purpose
from domain.order import Ending, Order, OrderClosed, OrderSide, OrderSubmissionRequested, TimeInForce
from domain.policy import Instrument
from domain.quantity import Num
from domain.routing.certificate import Certificate, CostSplit, Excluded, RoutedLeg

HEDGE, REQUEST = UUID(int=50), UUID(int=20)
SYMBOLS = {"binanceusdm": "ETH/USDT:USDT", "bybit": "ETH/USDC:USDC", "deribit": "ETH/USD:ETH"}


def uid(number: int) -> UUID:
    return UUID(int=number)


def instrument(venue: str, quote: str, kind: str = "linear") -> Instrument:
    return Instrument(
        venue=venue,
        account="main",
        symbol=SYMBOLS[venue],
        base="ETH",
        quote=quote,
        lot=Num("0.001"),
        tick=Num("0.01"),
        minimum_quantity=Num("0.001"),
        minimum_notional=Num(20),
        taker_fee_bps=Num(5),
        kind=kind,
    )


INSTRUMENTS = (instrument("binanceusdm", "USDT"), instrument("bybit", "USDC"), instrument("deribit", "USD", "inverse"))


def routed(venue: str, base: str, average: str, usd: str = "1", cost: CostSplit | None = None) -> RoutedLeg:
    return RoutedLeg(
        venue=venue,
        account="main",
        symbol=SYMBOLS[venue],
        underlying="ETH",
        quantity=Num(base),
        base=Num(base),
        average_price=Num(average),
        worst_price=Num(average),
        middle=Num(3000),
        usd_per_quote=Num(usd),
        notional_usd=abs(Num(base)) * Num(average) * Num(usd),
        cost=cost or CostSplit(spread=Num("0.2"), depth=Num("0.1"), fee=Num("1.5"), basis=Num("0.4")),
    )


def certificate(*legs: RoutedLeg, inputs: str = "aa") -> Certificate:
    return Certificate(
        inputs_sha256=inputs * 32,
        horizon_ms=28_800_000,
        candidates=3,
        legs=legs,
        cost_usd=Num("4.4"),
        bound_usd=Num("4.39"),
        gap_usd=Num("0.01"),
        lot_usd=Num("0.02"),
        excluded=(Excluded(venue="okx", symbol="ETH/USDT:USDT", reason="no sound book"),),
    )


def leg(venue: str, quantity: str, reference: str = "3000") -> PlannedLeg:
    return PlannedLeg(
        venue=venue,
        account="main",
        symbol=SYMBOLS[venue],
        quantity=Num(quantity),
        limit_price=Num(2990),
        reference=Num(reference),
    )


def planned(
    *legs: PlannedLeg, proof: Certificate | None = None, quantity: str = "-2", hedge: UUID = HEDGE
) -> HedgePlanned:
    return HedgePlanned(
        hedge_id=hedge,
        request_id=REQUEST,
        purpose=Purpose.OPEN,
        underlying="ETH",
        exposure=-Num(quantity),
        quantity=Num(quantity),
        reference=Num(3000),
        legs=legs,
        certificate=proof,
    )


def rerouted(*legs: PlannedLeg, quantity: str, proof: Certificate | None = None) -> HedgeRerouted:
    return HedgeRerouted(
        hedge_id=HEDGE,
        quantity=Num(quantity),
        reference=Num(3000),
        legs=legs,
        failed=(f"bybit|main|{SYMBOLS['bybit']}",),
        text="bybit does not answer",
        certificate=proof,
    )


def ordered(number: int, venue: str, quantity: str, hedge: UUID = HEDGE) -> OrderSubmissionRequested:
    order = Order(
        order_id=uid(number),
        venue=venue,
        account="main",
        symbol=SYMBOLS[venue],
        side=OrderSide.BUY if Num(quantity) > 0 else OrderSide.SELL,
        quantity=abs(Num(quantity)),
        limit_price=Num(2990),
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
    )
    return OrderSubmissionRequested(order=order, hedge_id=hedge)


def filled(
    number: int,
    venue: str,
    quantity: str,
    price: str,
    order: int | None,
    *,
    fee: tuple[str, str] = ("USDT", "0"),
    kind: FillKind = FillKind.TRADE,
    traded_at_us: int = START_US,
) -> FillRecorded:
    return FillRecorded(
        fill_id=uid(1000 + number),
        venue=venue,
        account="main",
        symbol=SYMBOLS[venue],
        trade_id=str(number),
        venue_order_id=str(order),
        order_id=None if order is None else uid(order),
        side=OrderSide.BUY if Num(quantity) > 0 else OrderSide.SELL,
        price=Num(price),
        quantity=abs(Num(quantity)),
        fee_asset=fee[0],
        fee=Num(fee[1]),
        kind=kind,
        source=FillSource.STREAM,
        traded_at_us=traded_at_us,
    )


def closed(number: int, traded: str, ending: Ending = Ending.FILLED) -> OrderClosed:
    return OrderClosed(order_id=uid(number), hedge_id=HEDGE, ending=ending, filled=Num(traded))


def completed(traded: str = "-2", hedge: UUID = HEDGE) -> HedgeCompleted:
    return HedgeCompleted(hedge_id=hedge, request_id=REQUEST, filled=Num(traded), average_price=Num(3000))


def abandoned(traded: str, residual: str) -> HedgeAbandoned:
    return HedgeAbandoned(
        hedge_id=HEDGE, request_id=REQUEST, filled=Num(traded), residual=Num(residual), text="no depth"
    )
