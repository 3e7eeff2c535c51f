"""All pre-trade controls of an order and of a request: 200 limits in force, 1,000 open orders, four venues.

The peer is the same check on tallies that are counted anew from the open orders, as a house without them must do it.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec

from api.collecting import calm_collector
from benchmarks.report import Figure, Group, Line, at_most, percentile
from domain.account import AccountObserved, Balance
from domain.book import Book, evolve
from domain.controls import Probe, check
from domain.event import Event
from domain.fill import FillKind, FillRecorded, FillSource
from domain.folds.flow import recounted
from domain.hedge import HedgePlanned, PlannedLeg, Purpose
from domain.ids import client_order_id, natural_id
from domain.interest import InterestObserved
from domain.limit import LimitSet
from domain.limits import CONTROLS, ControlSpec, Kind, Stage
from domain.mark import InstrumentMark, Mark, RiskMarked
from domain.order import Order, OrderAcknowledged, OrderAttempted, OrderSide, OrderSubmissionRequested, TimeInForce
from domain.policy import Asset, Hedging, Instrument, Pair, Policy, PolicyAdopted
from domain.quantity import Num
from domain.vault import CustodyBalanceObserved, Holding

CONTROLS_P99_US_GOAL = 150.0
RUNS = 3
START_US = 1_700_000_000_000_000
LIMITS, ORDERS = 200, 1_000
VENUES = ("binanceusdm", "bybit", "okx", "deribit")
PRICES = {"ETH": Num(2_000), "BTC": Num(60_000), "SOL": Num(150), "BNB": Num(600)}
COLLATERAL = {"WETH": "ETH", "WBTC": "BTC", "WSOL": "SOL", "WBNB": "BNB", "USDT": "USDT", "USDC": "USDC"}
STABLES = ("USDT", "USDC")
# Far above what is used: what is timed is a check that lets everything pass, which looks at every limit.
ROOM = {"USD": "1e15", "issued": "1e15", "base": "1e9", "bps": "1e9", "count": "1e9", "ratio": "1e9", "ms": "1e9"}


class Much(msgspec.Struct, frozen=True):
    """Say how many orders and requests are checked."""

    probes: int


FULL, QUICK = Much(probes=2_000), Much(probes=50)


def a_policy() -> Policy:
    """Return a policy of four underlyings on four venues."""
    return Policy(
        issued="USDe",
        assets=tuple(
            Asset(symbol=symbol, decimals=18, address=f"0x{number:040x}", underlying=underlying)
            for number, (symbol, underlying) in enumerate(COLLATERAL.items(), 1)
        ),
        pairs=tuple(_pair(symbol, underlying) for symbol, underlying in COLLATERAL.items()),
        instruments=tuple(_instrument(venue, base) for venue in VENUES for base in PRICES),
        benefactors=(),
        chain_id=1,
        minting_contract=f"0x{99:040x}",
        gas=Num(0),
        quote_lifetime_ms=15_000,
        order_expiry_min_ms=30_000,
        last_look_bps=Num(30),
        hedge_slippage_bps=Num(50),
        hedge_orders_max=4,
        hedge_retry_ms=250,
    )


def _pair(symbol: str, underlying: str) -> Pair:
    held = underlying in STABLES
    return Pair(
        name=f"{symbol}/USDe",
        collateral=symbol,
        hedging=Hedging.HOLD if held else Hedging.PERPETUAL,
        venue="" if held else VENUES[0],
        symbol="" if held else f"{underlying}/USDT:USDT",
        fee_bps=Num(5),
        buffer_bps=Num(2),
    )


def _instrument(venue: str, base: str) -> Instrument:
    return Instrument(
        venue=venue,
        account="main",
        symbol=f"{base}/USDT:USDT",
        base=base,
        quote="USDT",
        lot=Num("0.001"),
        tick=Num("0.01"),
        minimum_quantity=Num("0.001"),
        minimum_notional=Num(5),
        taker_fee_bps=Num(5),
    )


_NAMES = {
    Kind.GLOBAL: ("",),
    Kind.ASSET: tuple(PRICES),
    Kind.VENUE: VENUES,
    Kind.PAIR: tuple(f"{symbol}/USDe" for symbol in COLLATERAL),
    Kind.CUSTODIAN: ("copper", "ceffu", "fireblocks", "anchorage", "zodia", "bitgo"),
    Kind.STABLE: STABLES,
    Kind.DESTINATION: tuple(f"venue:{venue}|main" for venue in VENUES),
}


def limits() -> tuple[LimitSet, ...]:
    """Return the limits: every control in its first scope, then in narrower ones until there are enough."""
    valued = [spec for spec in CONTROLS.values() if spec.valued]
    wanted = [(spec, kind) for spec in valued for kind in spec.scopes[:1]]
    wanted += [(spec, kind) for spec in valued for kind in spec.scopes[1:]]
    found = [_limit(spec, kind, name) for spec, kind in wanted for name in _NAMES[kind]]
    return tuple(found[:LIMITS])


def _limit(spec: ControlSpec, kind: Kind, name: str) -> LimitSet:
    room = Num(ROOM[spec.unit]) if spec.looser(Num(1), Num(2)) else Num("-1e9")
    scope = kind.value if kind is Kind.GLOBAL else f"{kind.value}:{name}"
    return LimitSet(control=spec.control, scope=scope, value=room, unit=spec.unit, author="ada", reason="to measure")


def a_book() -> Book:
    """Return a Book with all of it, folded from events as any Book is."""
    book, chance = Book(), random.Random(6)
    _fold(book, (PolicyAdopted(policy=a_policy()), *limits(), _marks(), *_told()), START_US)
    for hedge in range(ORDERS // 10):
        underlying = list(PRICES)[hedge % len(PRICES)]
        legs = tuple(_leg(underlying, venue, Num("-1")) for venue in VENUES)
        planned = HedgePlanned(
            hedge_id=natural_id("hedge", str(hedge)),
            request_id=natural_id("request", str(hedge)),
            purpose=Purpose.OPEN,
            underlying=underlying,
            exposure=Num(4),
            quantity=Num(-4),
            reference=PRICES[underlying],
            legs=legs,
        )
        _fold(book, (planned,), START_US)
        for number in range(10):
            _open(book, planned, number, chance)
    return book


def _open(book: Book, planned: HedgePlanned, number: int, chance: random.Random) -> None:
    """Open an order of a hedge; the venue has taken most of them."""
    order = an_order(planned.underlying, chance, natural_id(str(planned.hedge_id), str(number)))
    told = OrderAttempted(
        order_id=order.order_id,
        attempt=1,
        client_order_id=client_order_id(order.order_id, 1),
        send_before_us=START_US + 2_000_000,
    )
    acknowledged = OrderAcknowledged(
        order_id=order.order_id,
        attempt=1,
        venue_order_id=f"v-{order.order_id}",
        accepted_quantity=order.quantity,
        filled=Num(0),
        terminal=False,
    )
    events = (OrderSubmissionRequested(order=order, hedge_id=planned.hedge_id), told)
    _fold(book, (*events, acknowledged) if number else events, START_US + number)


def an_order(underlying: str, chance: random.Random, order_id: UUID) -> Order:
    """Return an order within a collar of its reference."""
    return Order(
        order_id=order_id,
        venue=chance.choice(VENUES),
        account="main",
        symbol=f"{underlying}/USDT:USDT",
        side=chance.choice(tuple(OrderSide)),
        quantity=Num(chance.randint(1, 5_000)) * Num("0.001"),
        limit_price=PRICES[underlying] * (1 + Num(chance.randint(-50, 50)) * Num("0.0001")),
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
    )


def _leg(underlying: str, venue: str, quantity: Num) -> PlannedLeg:
    price = PRICES[underlying]
    return PlannedLeg(
        venue=venue,
        account="main",
        symbol=f"{underlying}/USDT:USDT",
        quantity=quantity,
        limit_price=price,
        reference=price,
    )


def _marks() -> RiskMarked:
    assets = {**PRICES, "USDT": Num(1), "USDC": Num(1)}
    return RiskMarked(
        assets=tuple(
            Mark(asset=asset, low=price * Num("0.9995"), mid=price, high=price * Num("1.0005"))
            for asset, price in assets.items()
        ),
        instruments=tuple(
            InstrumentMark(venue=venue, symbol=f"{base}/USDT:USDT", price=price)
            for venue in VENUES
            for base, price in PRICES.items()
        ),
        marked_at_us=START_US,
    )


def _told() -> tuple[Event, ...]:
    """Return what venues and custodians said."""
    accounts = tuple(
        AccountObserved(
            venue=venue,
            account="main",
            balances=(
                Balance(
                    asset="USDT",
                    wallet=Num(5_000_000),
                    margin=Num(5_000_000),
                    available=Num(4_000_000),
                    initial_margin=Num(1_000_000),
                    maintenance_margin=Num(500_000),
                ),
            ),
            positions=(),
            observed_at_us=START_US,
        )
        for venue in VENUES
    )
    interest = tuple(
        InterestObserved(venue=venue, symbol=f"{base}/USDT:USDT", quantity=Num(10**6), observed_at_us=START_US)
        for venue in VENUES
        for base in PRICES
    )
    custody = tuple(
        CustodyBalanceObserved(
            custodian=name, holdings=(Holding(asset="WETH", quantity=Num(10_000)),), observed_at_us=START_US
        )
        for name in ("copper", "ceffu")
    )
    return (*accounts, *interest, *custody)


def _fold(book: Book, events: Sequence[Event], at_us: int) -> None:
    for event in events:
        evolve(book, event, at_us)


def order_probe(number: int, chance: random.Random) -> Probe:
    """Return an order that a decider would ask about."""
    underlying = chance.choice(tuple(PRICES))
    order = an_order(underlying, chance, natural_id("probe", str(number)))
    return Probe(
        stage=Stage.ORDER,
        at_us=START_US + 1_000,
        underlying=underlying,
        order=order,
        notional=order.quantity * PRICES[underlying],
        purpose=chance.choice(tuple(Purpose)),
        reference=PRICES[underlying],
        reference_usd=PRICES[underlying],
    )


def request_probe(number: int, chance: random.Random) -> Probe:
    """Return a mint or a redeem that a decider would ask about, hedged on up to four venues."""
    underlying, mint = chance.choice(tuple(PRICES)), number % 2 == 0
    units = Num(chance.randint(1, 5_000)) * Num("0.001")
    venues = chance.sample(VENUES, chance.randint(1, len(VENUES)))
    sign = Num(1) if mint else Num(-1)
    symbol = next(symbol for symbol, under in COLLATERAL.items() if under == underlying)
    return Probe(
        stage=Stage.REQUEST,
        at_us=START_US + 1_000,
        underlying=underlying,
        pair=f"{symbol}/USDe",
        asset=symbol,
        mint=mint,
        change=units * sign,
        quantity=-units * sign,
        notional=units * PRICES[underlying],
        issued=int(units * PRICES[underlying] * 10**18),
        legs=tuple(_leg(underlying, venue, -units * sign * Num("0.25")) for venue in venues),
        purpose=Purpose.OPEN if mint else Purpose.CLOSE,
        reference_usd=PRICES[underlying],
    )


def timed(ask: Callable[[], object]) -> float:
    """Return the median of some runs, microseconds."""
    times: list[float] = []
    for _ in range(RUNS):
        started = time.perf_counter_ns()
        ask()
        times.append((time.perf_counter_ns() - started) / 1_000)
    return statistics.median(times)


def _after(name: str, book: Book, probes: Sequence[Probe], happens: Callable[[int], Event]) -> Line:
    """Time the first check after something happened, which reckons anew what rests on it."""
    times: list[float] = []
    for number, probe in enumerate(probes):
        evolve(book, happens(number), START_US)
        started = time.perf_counter_ns()
        check(book, probe)
        times.append((time.perf_counter_ns() - started) / 1_000)
    times.sort()
    told = (percentile(times, 0.5), percentile(times, 0.99), times[-1])
    return Line(name, tuple(f"{each:,.0f}" for each in told))


def _fill(number: int) -> FillRecorded:
    """Return a fill on one of the venues, of no order of ours: it moves a position and its account."""
    underlying = tuple(PRICES)[number % len(PRICES)]
    return FillRecorded(
        fill_id=natural_id("fill", str(number)),
        venue=VENUES[number // len(PRICES) % len(VENUES)],
        account="main",
        symbol=f"{underlying}/USDT:USDT",
        trade_id=str(number),
        venue_order_id="",
        order_id=None,
        side=tuple(OrderSide)[number % 2],
        price=PRICES[underlying],
        quantity=Num("0.001"),
        fee_asset="USDT",
        fee=Num("0.001"),
        kind=FillKind.TRADE,
        source=FillSource.STREAM,
        traded_at_us=START_US,
    )


def checking(much: Much) -> Group:
    """Time every control of orders and of requests."""
    book, chance = a_book(), random.Random(7)
    if len(book.limits) != LIMITS or len(book.orders) != ORDERS:
        raise RuntimeError(f"{len(book.limits)} limits and {len(book.orders)} open orders")
    loads = {"an order": order_probe, "a request, its plan on one to four venues": request_probe}
    calm_collector()  # as every role does when it is ready
    lines: list[Line] = []
    worst, medians = 0.0, list[float]()
    for name, make in loads.items():
        probes = [make(number, chance) for number in range(much.probes)]
        refused = next((found for probe in probes if (found := check(book, probe)) is not None), None)
        if refused is not None:
            raise RuntimeError(f"a check that should look at every limit ended early: {refused}")
        times = sorted(timed(lambda probe=probe: check(book, probe)) for probe in probes)
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        worst = max(worst, p99)
        medians.append(p50)
        lines.append(Line(name, (f"{p50:,.0f}", f"{p99:,.0f}", f"{times[-1]:,.0f}")))
    probes = [request_probe(number, chance) for number in range(max(much.probes // 4, 5))]
    lines.append(_after("a request, the first after a fill", book, probes, _fill))
    lines.append(_after("a request, the first after marks moved", book, probes, lambda _: _marks()))
    anew = sorted(timed(lambda: recounted(book)) for _ in range(max(much.probes // 50, 5)))
    lines.append(
        Line(
            "counting the open orders anew, which the tallies spare",
            (f"{percentile(anew, 0.5):,.0f}", f"{percentile(anew, 0.99):,.0f}", f"{anew[-1]:,.0f}"),
        )
    )
    return Group(
        title=f"All pre-trade controls: {LIMITS} limits, {ORDERS:,} open orders, {len(VENUES)} venues",
        columns=("p50 us", "p99 us", "most us"),
        lines=tuple(lines),
        figures=(
            Figure("controls_p50_us", round(max(medians), 1), "us", "told", met=True),
            at_most("controls_p99_us", worst, "us", CONTROLS_P99_US_GOAL),
        ),
        peers={"recount_p50_us": round(percentile(anew, 0.5), 1)},
    )
