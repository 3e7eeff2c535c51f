"""The desk under any sequence of requests, reports, faults and people: the hedging law and its neighbours hold."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from commands.handler import Decision
from domain.book import remaining
from domain.execution import SWEEP, Style, StyleKind
from domain.exposure import imbalance
from domain.order import OrderAttempted, OrderClosed, OrderSubmissionRequested
from domain.policy import Band, Styles
from domain.quantity import Num, Rounding, add, multiply, round_to, subtract
from tests.property.calm_machine import LOT, CalmMachine
from tests.support.desk import Desk
from tests.support.given import START_US, pegged
from tests.support.venues import VENUES, WideDesk, a_venue_book, wide_policy

STYLES = [
    SWEEP,
    SWEEP,
    Style(kind=StyleKind.POST_THEN_CROSS, rest_ms=1_000),
    Style(kind=StyleKind.TWAP, slices=3, over_ms=3_000, jitter_bps=5_000),
    Style(kind=StyleKind.ICEBERG, shown=Num("0.3"), rest_ms=500),
]
MODES = st.sampled_from(["REDUCE_ONLY", "HALTED"])
WATCHED = ["venue:binanceusdm", "instrument:binanceusdm|ETH/USDT:USDT", "oracle:pyth", "asset:ETH", "asset:USDT"]
SCOPES = st.sampled_from(["global", "venue:binanceusdm", "asset:ETH", "pair:WETH/USDe"])


class DeskMachine(CalmMachine):
    """Drive a desk on three venues with what the world may do to it: lies, suspensions, people, trades not ours."""

    @initialize(style=st.sampled_from(STYLES), width=st.sampled_from(["0", "0", "0", "0.5"]))
    def open_wide(self, style: Style, width: str) -> None:
        styles = Styles(open=style, close=style, unwind=style, rehedge=style)
        bands = (Band(underlying="ETH", width=Num(width)),)
        self.desk = WideDesk(policy=wide_policy(hedge_orders_max=3, styles=styles, bands=bands))
        self.depths = ("0.5", "0.5", "0.5")
        self.show(2_000, 0)
        self.nonce = 0
        self.trades = 0

    @initialize()
    def open(self) -> None:
        """Begin with nothing held: another beginning is chosen."""

    def show(self, bid: int, age_ms: int) -> None:
        """Move all venues together; each stands a little aside of the others, and is as deep as it was."""
        offsets = {"binanceusdm": Num(0), "okx": Num("-0.5"), "bybit": Num("0.4")}
        self.desk.evidence = tuple(
            a_venue_book(venue, str(Num(bid) + offset), age_ms=age_ms, depth=depth)
            for (venue, offset), depth in zip(offsets.items(), self.depths, strict=True)
        )

    @rule(depths=st.tuples(*[st.sampled_from(["0.2", "0.5", "2", "50"])] * 3))
    def deepen(self, depths: tuple[str, str, str]) -> None:
        """Let the venues show more or less than before."""
        self.depths = depths
        self.show(2_000, 0)

    @rule(
        answers=st.lists(st.sampled_from(["all", "all", "part", "nothing", "reject", "absent"]), min_size=3, max_size=3)
    )
    def answer(self, answers: list[str]) -> None:
        """Let every venue be done with its orders, each in its way, and what was waiting go on."""
        for number, order in enumerate(list(self.desk.book.orders.values())):
            answer = answers[number % len(answers)]
            if answer in {"reject", "absent"}:
                report: Callable[..., Decision] = getattr(self.desk, answer)
                report(order.order)
                continue
            left = abs(remaining(order))
            share = {"all": Decimal(1), "part": Decimal("0.4"), "nothing": Decimal(0)}[answer]
            quantity = round_to(multiply(left, share), LOT, Rounding.DOWN)
            if quantity > 0:
                self.trades += 1
                self.desk.fill(order.order, str(quantity), trade=f"a{self.trades}")
            self.desk.acknowledge(order.order, filled=str(add(order.filled, quantity)))
        self.desk.wake(250)

    @precondition(lambda self: self.desk.book.orders)
    @rule(
        number=st.integers(0, 20), code=st.sampled_from(["reduce_only", "post_only_would_take", "order_rate", "margin"])
    )
    def refuse(self, number: int, code: str) -> None:
        """Let a venue refuse an order for a reason of its own."""
        body = {"order_id": self.pick(number).order.order_id, "attempt": 1, "code": code, "text": ""}
        self.desk.do("order.rejected", body)

    @rule(
        quantity=st.integers(1, 900),
        side=st.sampled_from(["buy", "sell"]),
        venue=st.sampled_from(VENUES),
        kind=st.sampled_from(["adl", "liquidation", "trade"]),
    )
    def surprise(self, quantity: int, side: str, venue: str, kind: str) -> None:
        """Let an account trade something that no order of ours asked for."""
        self.trades += 1
        signed = Num(Decimal(quantity if side == "buy" else -quantity).scaleb(-3))
        self.desk.surprise(venue, str(signed), kind=kind, trade=f"s{self.trades}")

    @precondition(lambda self: self.events(OrderClosed))
    @rule(number=st.integers(0, 20), quantity=st.integers(1, 900))
    def fill_late(self, number: int, quantity: int) -> None:
        """Let a fill come of an order that is over."""
        attempts = [each for each in self.events(OrderAttempted) if each.order_id not in self.desk.book.orders]
        attempt = attempts[number % len(attempts)]
        requests = {each.order.order_id: each.order for each in self.events(OrderSubmissionRequested)}
        self.trades += 1
        self.desk.fill(
            requests[attempt.order_id],
            str(Num(Decimal(quantity).scaleb(-3))),
            trade=f"l{self.trades}",
            client_order_id=attempt.client_order_id,
        )

    @rule(
        lie=st.sampled_from([None] * 4 + ["hedge", "peer", "pyth", "nobody", "peg"]),
    )
    def hear(self, lie: str | None) -> None:
        """Let the sources agree with the venue's book, or one of them not, or nobody say anything."""
        self.desk.heard = None
        agree = self.desk.witnesses
        off = {"hedge": "binanceusdm", "peer": "okx", "pyth": "pyth"}.get(lie or "")
        if lie == "nobody":
            self.desk.heard = ()
        elif lie == "peg":
            self.desk.heard = (*(each for each in agree if each.base == "ETH"), *pegged("0.97"))
        elif off is not None:
            self.desk.heard = tuple(
                msgspec.structs.replace(each, bid=multiply(each.bid, Num("1.1")), ask=multiply(each.ask, Num("1.1")))
                if each.source == off and each.base == "ETH"
                else each
                for each in agree
            )

    @rule(scope=st.sampled_from(WATCHED), law=st.sampled_from(["stale", "quorum", "depeg"]))
    def suspend(self, scope: str, law: str) -> None:
        self.desk.do("market.suspend", {"scope": scope, "law": law, "text": "", "at_us": self.desk.now_us})

    @precondition(lambda self: self.desk.book.outside.suspended)
    @rule()
    def resume(self) -> None:
        for scope in list(self.desk.book.outside.suspended):
            self.desk.do("market.resume", {"scope": scope, "law": "stale", "text": "", "at_us": self.desk.now_us})

    @precondition(lambda self: all(mode == "ACTIVE" for mode in self.desk.book.modes.values()))
    @rule(mode=MODES, scope=SCOPES)
    def stop(self, mode: str, scope: str) -> None:
        self.desk.change_mode(mode, scope=scope)

    @precondition(lambda self: any(mode != "ACTIVE" for mode in self.desk.book.modes.values()))
    @rule()
    def release(self) -> None:
        for scope in list(self.desk.book.modes):
            self.desk.change_mode("ACTIVE", scope=scope, actor="bob")

    @rule(value=st.sampled_from(["1", "15", "100", "1000", *["100000"] * 6]))
    def set_limit(self, value: str) -> None:
        self.desk.set_limit("order_notional", value)

    def teardown(self) -> None:
        """Let everything that stood in the way pass: all that is open ends, and all that can be traded is."""
        super().teardown()
        if hasattr(self, "desk"):
            self.it_ends_when_the_venues_answer()

    def it_ends_when_the_venues_answer(self) -> None:
        self.release()
        self.resume()
        self.desk.set_limit("order_notional", "100000")
        self.desk.heard = None
        self.depths = ("50", "50", "50")
        for _ in range(60):
            self.show(2_000, 0)
            for order in list(self.desk.book.orders.values()):
                self.trades += 1
                left = abs(remaining(order))
                if left > 0:
                    self.desk.fill(order.order, str(left), trade=f"e{self.trades}")
                self.desk.acknowledge(order.order, filled=str(add(order.filled, left)))
            self.desk.wake(30_000)
            if not self.desk.book.hedges and not self.desk.book.wakes:
                break
        assert (self.desk.book.hedges, self.desk.book.orders) == ({}, {})
        assert not {wake.kind for wake in self.desk.book.wakes.values()} & {"hedge.rehedge", "hedge.unwind"}
        self.the_hedging_law()


TestDesk = DeskMachine.TestCase
TestDesk.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_machine_can_lose() -> None:
    """Break the law by hand: a fill that is counted as ours but trades the other way shows at once."""
    desk = Desk()
    desk.accept(desk.quote("1"))
    assert imbalance(desk.book, "ETH") == 0
    desk.book.carry["ETH"] = subtract(desk.book.carry["ETH"], Num("0.001"))
    assert imbalance(desk.book, "ETH") != 0
    assert desk.now_us == START_US
