"""The law of what is remembered between decisions: it says what a Book that remembers nothing would say."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.book import Book
from domain.codec import decoder, encode_state
from domain.controls import Probe, check
from domain.controls.meter import Meter
from domain.exposure import exposure
from domain.fill import FillKind, FillRecorded, FillSource
from domain.folds.flow import recounted
from domain.hedge import PlannedLeg, Purpose
from domain.ids import natural_id
from domain.interest import InterestObserved
from domain.limit import Control
from domain.limits import CONTROLS, Stage
from domain.mark import Mark, RiskMarked
from domain.order import Order, OrderSide
from domain.policy import Asset, CustodianTarget, PolicyAdopted
from domain.quantity import EXACT, Num
from domain.refusal import Refusal
from domain.routing.terms import Routing
from domain.vault import CustodyBalanceObserved, CustodySettlementObserved, Holding
from tests.property.numbers import decimals
from tests.support.accounts import told_account
from tests.support.given import START_US
from tests.support.limited import House
from tests.support.venues import SYMBOL, VENUES

SCOPES = ("global", "venue:okx", "venue:bybit", "asset:ETH", "pair:WETH/USDe", "custodian:0xc1", "stable:USDT")
MAXIMA = tuple(spec for spec in CONTROLS.values() if spec.valued and spec.looser(Num(1), Num(2)))
SHARES = ("0", "0.0001", "0.01", "0.1", "1", "100")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *["ask"] * 8,
                *["open", "fill", "account", "mark", "limit"] * 2,
                *["lose", "remove", "interest", "custody", "settled", "arrive", "ratio", "foreign"],
            ]
        ),
        st.integers(0, 1_000),
        st.integers(1, 400).map(lambda tenths: str(Num(tenths) * Num("0.1"))),
    ),
    min_size=10,
    max_size=40,
)


class Busy(House):
    """Let things happen to a house in any order, and ask it in between; keep each Book that was asked, as bytes."""

    def __init__(self) -> None:
        super().__init__(
            custodians=(CustodianTarget(address="0xc1", ratio_bps=10_000),), routing=Routing(margin_rate=Num("0.01"))
        )
        self.asked: list[tuple[bytes, Probe, Refusal | None]] = []
        self.orders: list[Order] = []

    def happen(self, what: str, number: int, size: str) -> None:
        venue, sign = VENUES[number % 3], "-" if number % 2 else ""
        match what:
            case "ask":
                self.ask(number, size)
            case "open":
                self.orders.append(self.open(sign + size, str(1_900 + number % 200), venue))
            case "fill" if self.orders:
                self.fill(self.orders.pop(number % len(self.orders)), size)
            case "foreign":
                self.fill(self.order(sign + size, "2000", venue), size, ours=False)
            case "account":
                self.tell(told_account(sign + size, str(1_900 + number % 200), venue=venue, margin=str(number * 100)))
            case "mark":
                self.tell(self.marks(number))
            case "limit":
                spec = MAXIMA[number % len(MAXIMA)]
                value = (spec.default or Num(100)) * Num(SHARES[number % len(SHARES)])
                self.limit(spec.control, str(value), SCOPES[number % len(SCOPES)])
            case "remove":
                limit = list(self.book.limits.values())[number % len(self.book.limits)]
                self.remove(limit.control, limit.scope)
            case _:
                self.outside(what, number, size)

    def outside(self, what: str, number: int, size: str) -> None:
        venue = VENUES[number % 3]
        match what:
            case "lose":
                self.tell(RiskMarked(assets=(), lost=(("ETH", "USDT")[number % 2],)))
            case "interest":
                self.tell(InterestObserved(venue=venue, symbol=SYMBOL, quantity=Num(number), observed_at_us=START_US))
            case "custody":
                held = (Holding(asset="WETH", quantity=Num(size)),)
                self.tell(CustodyBalanceObserved(custodian="0xc1", holdings=held, observed_at_us=START_US))
            case "settled":
                self.count += 1
                self.tell(
                    CustodySettlementObserved(
                        settlement_id=str(self.count),
                        custodian="0xc1",
                        venue=venue,
                        account="main",
                        asset="USDT",
                        profit=Num(size),
                        settled_at_us=START_US,
                    )
                )
            case "arrive":
                self.book.backing["WETH"] = number * 10**17
            case "ratio" if self.book.policy is not None:
                assets = tuple(self.at_ratio(each, number) for each in self.book.policy.assets)
                self.tell(PolicyAdopted(policy=msgspec.structs.replace(self.book.policy, assets=assets)))
            case _:
                pass

    def at_ratio(self, asset: Asset, number: int) -> Asset:
        ratio = Num(1 + number % 3) if asset.symbol == "WETH" else asset.ratio
        return msgspec.structs.replace(asset, ratio=ratio)

    def marks(self, number: int) -> RiskMarked:
        prices = {"ETH": Num(1_900 + number % 200), "USDT": Num(1) - Num(number % 7) * Num("0.001")}
        assets = tuple(Mark(asset=asset, low=price, mid=price, high=price) for asset, price in prices.items())
        return RiskMarked(assets=assets[: 1 + number % 2], marked_at_us=START_US)

    def fill(self, order: Order, size: str, *, ours: bool = True) -> None:
        self.count += 1
        self.tell(
            FillRecorded(
                fill_id=natural_id("fill", str(self.count)),
                venue=order.venue,
                account=order.account,
                symbol=order.symbol if len(size) < 4 else "SOL/USDT:USDT",
                trade_id=str(self.count),
                venue_order_id="",
                order_id=order.order_id if ours and len(size) < 4 else None,
                side=order.side,
                price=order.limit_price,
                quantity=min(Num(size), order.quantity),
                fee_asset="USDT",
                fee=Num("0.1"),
                kind=FillKind.TRADE,
                source=FillSource.STREAM,
                traded_at_us=START_US,
            )
        )

    def ask(self, number: int, size: str) -> None:
        probe = self.order_probe(number, size) if number % 3 == 0 else self.request_probe(number, size)
        book = encode_state(self.book)
        self.asked.append((book, probe, check(self.book, probe)))

    def order_probe(self, number: int, size: str) -> Probe:
        price = Num(1_950 + number % 100)
        order, sell = self.order("-" + size, str(price), VENUES[number % 3]), self.order("-1", str(price))
        side = OrderSide.BUY if number % 2 else OrderSide.SELL
        return Probe(
            stage=Stage.ORDER,
            at_us=self.book.at_us,
            underlying="ETH",
            order=msgspec.structs.replace(order, side=side),
            ahead=(sell,) * (number % 2),
            purpose=(Purpose.OPEN, Purpose.REBALANCE)[number % 2],
            reference=Num(2_000),
            reference_usd=(None, Num(2_000), price)[number % 5 % 3],
        )

    def request_probe(self, number: int, size: str) -> Probe:
        sign, units = (1 if number % 4 else -1), Num(size)
        asset, underlying = (("WETH", "ETH"), ("USDT", "USDT"))[number % 7 == 0]
        legs = tuple(self.leg(venue, units * -sign) for venue in VENUES[: number % 4] if asset == "WETH")
        return Probe(
            stage=Stage.REQUEST,
            at_us=self.book.at_us,
            underlying=underlying,
            pair=f"{asset}/USDe",
            asset=asset,
            mint=sign > 0,
            change=units * sign,
            quantity=units * -sign if legs else Num(0),
            notional=units * 2_000,
            issued=int(units * 2_000 * 10**18),
            legs=legs,
            reference_usd=(None, Num(1 if asset == "USDT" else 1_900 + number % 200))[number % 5 > 0],
        )

    def leg(self, venue: str, quantity: Num) -> PlannedLeg:
        price = Num(2_000)
        return PlannedLeg(
            venue=venue, account="main", symbol=SYMBOL, quantity=quantity, limit_price=price, reference=price
        )


def counted(book: Book) -> Any:
    """Return what open orders and fills make by the Book's own tallies, what came to nothing left out."""
    flow = book.flow
    return [_held(msgspec.json.decode(encode_state(each))) for each in (flow.lines, flow.sums, flow.accounts)]


def _held(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    return {name: _held(each) for name, each in found.items() if each not in ("0", {})}


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_in_between_what_is_remembered_decides_nothing_otherwise(
    steps: Sequence[tuple[str, int, str]],
):
    house = Busy()
    for step in steps:
        house.happen(*step)
    assert counted(house.book) == counted(_with(house.book))
    for held, probe, told in house.asked:
        anew = decoder(Book).decode(held)
        assert check(anew, probe) == told
    here = exposure(house.book, "ETH")
    assert exposure(decoder(Book).decode(encode_state(house.book)), "ETH") == here


def _with(book: Book) -> Book:
    return msgspec.structs.replace(book, flow=recounted(book))


@given(
    decimals("0", "1000000", 6), decimals("-1", "1000", 9), st.one_of(st.none(), decimals("0", "20", 4)), st.booleans()
)
def test_what_is_within_without_dividing_is_within_when_divided(part: Num, whole: Num, limit: Num | None, narrow: bool):
    house = House()
    house.remove(Control.LEVERAGE)
    if limit is not None:
        house.limit(Control.LEVERAGE, str(limit))
    if narrow:
        house.limit(Control.LEVERAGE, "3", "venue:okx")
    meter = Meter(house.book, Probe(stage=Stage.STATE, at_us=START_US))
    within = meter.within(Control.LEVERAGE, ("global", "venue:okx"), part, whole)
    if within:
        assert limit is not None
        strictest = min(limit, Num(3)) if narrow else limit
        assert EXACT.divide(part, whole) <= strictest
        assert Context(prec=60, rounding=ROUND_CEILING).divide(part, whole) <= strictest
    elif limit is not None and whole > 0:
        strictest = min(limit, Num(3)) if narrow else limit
        assert Context(prec=60, rounding=ROUND_FLOOR).divide(part, whole) >= strictest
