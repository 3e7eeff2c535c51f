"""A Book under the limits of the catalogue, and what a decider would ask of it."""

from typing import Any

from domain.book import Book, evolve
from domain.controls import Probe, check
from domain.event import Event
from domain.hedge import HedgePlanned, PlannedLeg, Purpose
from domain.ids import natural_id
from domain.limit import Control, LimitRemoved, LimitSet
from domain.limits import CONTROLS, Stage, default_limits
from domain.order import Order, OrderAttempted, OrderSide, OrderSubmissionRequested, TimeInForce
from domain.policy import PolicyAdopted
from domain.quantity import Num
from domain.refusal import Refusal
from domain.vault import DestinationAdmitted
from tests.support.accounts import marked
from tests.support.given import START_US
from tests.support.venues import SYMBOL, wide_policy


class House:
    """Hold a Book with the catalogue's limits; fold into it, and ask."""

    def __init__(self, **changes: Any) -> None:
        self.book = Book()
        self.count = 0
        self.tell(PolicyAdopted(policy=wide_policy(**changes)), marked())
        for control, scope, value in default_limits():
            self.limit(control, str(value), scope)
        self.limit(Control.NET_DELTA, "100", "asset:ETH")

    def tell(self, *events: Event, later_ms: int = 0) -> None:
        for event in events:
            evolve(self.book, event, START_US + later_ms * 1_000)

    def limit(self, control: Control, value: str, scope: str = "global") -> None:
        unit = CONTROLS[control].unit
        self.tell(LimitSet(control=control, scope=scope, value=Num(value), unit=unit, author="ada", reason="to try"))

    def remove(self, control: Control, scope: str = "global") -> None:
        self.tell(LimitRemoved(control=control, scope=scope, author="ada", approved_by="bob", reason="to try"))

    def order(self, quantity: str = "-1", price: str = "2000", venue: str = "okx") -> Order:
        self.count += 1
        return Order(
            order_id=natural_id("order", str(self.count)),
            venue=venue,
            account="main",
            symbol=SYMBOL,
            side=OrderSide.BUY if Num(quantity) > 0 else OrderSide.SELL,
            quantity=abs(Num(quantity)),
            limit_price=Num(price),
            time_in_force=TimeInForce.IOC,
            reduce_only=False,
        )

    def open(self, quantity: str = "-1", price: str = "2000", venue: str = "okx", later_ms: int = 0) -> Order:
        """Let an order of a hedge be open."""
        order = self.order(quantity, price, venue)
        planned = HedgePlanned(
            hedge_id=natural_id("hedge", str(self.count)),
            request_id=natural_id("request", str(self.count)),
            purpose=Purpose.OPEN,
            underlying="ETH",
            exposure=-Num(quantity),
            quantity=Num(quantity),
            reference=Num(price),
            legs=(),
        )
        attempted = OrderAttempted(
            order_id=order.order_id, attempt=1, client_order_id=f"c{self.count}", send_before_us=START_US
        )
        asked = OrderSubmissionRequested(order=order, hedge_id=planned.hedge_id)
        self.tell(planned, asked, attempted, later_ms=later_ms)
        return order

    def ask_order(self, order: Order | None = None, **changes: Any) -> Refusal | None:
        order = order or self.order()
        told: dict[str, Any] = {
            "stage": Stage.ORDER,
            "at_us": self.book.at_us,
            "underlying": "ETH",
            "order": order,
            "purpose": Purpose.OPEN,
            "reference": Num(2_000),
            "reference_usd": Num(2_000),
        }
        return check(self.book, Probe(**(told | changes)))

    def ask_request(self, units: str = "1", *, mint: bool = True, **changes: Any) -> Refusal | None:
        sign = 1 if mint else -1
        leg = PlannedLeg(
            venue="okx",
            account="main",
            symbol=SYMBOL,
            quantity=Num(units) * -sign,
            limit_price=Num(2_000),
            reference=Num(2_000),
        )
        told: dict[str, Any] = {
            "stage": Stage.REQUEST,
            "at_us": self.book.at_us,
            "underlying": "ETH",
            "pair": "WETH/USDe",
            "asset": "WETH",
            "mint": mint,
            "change": Num(units) * sign,
            "quantity": Num(units) * -sign,
            "notional": Num(units) * 2_000,
            "issued": int(Num(units) * 2_000 * 10**18),
            "legs": (leg,),
            "reference_usd": Num(2_000),
        }
        return check(self.book, Probe(**(told | changes)))

    def ask_transfer(self, units: str = "1", destination: str = "venue:okx|main", **changes: Any) -> Refusal | None:
        told: dict[str, Any] = {
            "stage": Stage.TRANSFER,
            "at_us": self.book.at_us,
            "asset": "WETH",
            "underlying": "ETH",
            "quantity": Num(units),
            "notional": Num(units) * 2_000,
            "source": "custodian:copper",
            "destination": destination,
        }
        return check(self.book, Probe(**(told | changes)))

    def admit(self, destination: str) -> None:
        self.tell(DestinationAdmitted(destination=destination, asset="WETH", author="ada", reason="ours"))
