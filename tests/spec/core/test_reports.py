"""What the venue says of an order: in any order, twice, late or against itself, it ends once and with every fill."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from commands.order import cancel_wake
from domain.book import remaining
from domain.exposure import exposure, imbalance
from domain.folds.orders import ENDED_MAX
from domain.ids import client_order_id
from domain.order import Order, TimeInForce
from tests.support.desk import Desk, reason, tags
from tests.support.given import START_US

CLOSED = ["order.closed", "hedge.leg_completed", "hedge.completed", "settlement.submission_requested", "cost.realised"]


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.accept(desk.quote("1.5"))
    return desk


def corners(desk: Desk) -> tuple[str, str]:
    interval = exposure(desk.book, "ETH").interval
    return str(interval.low), str(interval.high)


class TestTheOrdinary:
    def test_acknowledged_then_filled(self, desk: Desk):
        order = desk.order()
        assert tags(desk.acknowledge(order, filled="1.5").events) == ["order.acknowledged"]
        assert tags(desk.fill(order, "1.5").events) == ["fill.recorded", *CLOSED]
        assert imbalance(desk.book, "ETH") == 0

    def test_filled_then_acknowledged(self, desk: Desk):
        order = desk.order()
        assert tags(desk.fill(order, "1.5").events) == ["fill.recorded"]
        closed = desk.acknowledge(order, filled="1.5")
        assert tags(closed.events) == ["order.acknowledged", *CLOSED]
        ended: Any = closed.events[1]
        assert (ended.ending, str(ended.filled)) == ("filled", "1.5")

    def test_partial_fills_before_between_and_after(self, desk: Desk):
        order = desk.order()
        assert tags(desk.fill(order, "0.5", trade="a").events) == ["fill.recorded"]
        assert tags(desk.acknowledge(order, filled="0.5", terminal=False).events) == ["order.acknowledged"]
        assert tags(desk.fill(order, "0.4", trade="b").events) == ["fill.recorded"]
        assert tags(desk.acknowledge(order, filled="1.5").events) == ["order.acknowledged"]
        assert corners(desk) == ("-1.5", "0.6")
        assert tags(desk.fill(order, "0.6", trade="c").events) == ["fill.recorded", *CLOSED]
        hedged: Any = desk.events[-3]
        assert (str(hedged.filled), str(hedged.average_price)) == ("-1.5", "2000")

    def test_an_ioc_that_filled_in_part_expires_for_the_rest(self, desk: Desk):
        order = desk.order()
        desk.acknowledge(order, filled="1")
        closed = desk.fill(order, "1").events
        assert tags(closed) == ["fill.recorded", "order.closed", "hedge.leg_completed"]
        ended: Any = closed[1]
        assert (ended.ending, str(ended.filled)) == ("expired", "1")

    def test_a_rejection_ends_the_attempt(self, desk: Desk):
        rejected = desk.reject(desk.order()).events
        assert tags(rejected) == ["order.rejected", "order.closed", "hedge.leg_completed"]
        ended: Any = rejected[1]
        assert (ended.ending, ended.filled) == ("rejected", 0)

    def test_an_absence_ends_the_attempt(self, desk: Desk):
        absent = desk.absent(desk.order()).events
        assert tags(absent) == ["order.closed", "hedge.leg_completed"]
        ended: Any = absent[0]
        assert ended.ending == "absent"


class TestUnknown:
    def test_it_stays_in_exposure_and_is_told_once(self, desk: Desk):
        before = corners(desk)
        assert tags(desk.unknown(desk.order()).events) == ["order.outcome_unknown"]
        assert desk.unknown(desk.order()).events == ()
        assert corners(desk) == before
        assert next(iter(desk.book.orders.values())).unknown

    def test_it_is_found(self, desk: Desk):
        order = desk.order()
        desk.unknown(order)
        desk.acknowledge(order, filled="1.5")
        assert not next(iter(desk.book.orders.values())).unknown
        assert tags(desk.fill(order, "1.5").events) == ["fill.recorded", *CLOSED]

    def test_it_was_never_there(self, desk: Desk):
        order = desk.order()
        desk.unknown(order)
        assert "order.closed" in tags(desk.absent(order).events)

    def test_it_was_refused_after_all(self, desk: Desk):
        order = desk.order()
        desk.unknown(order)
        assert "order.rejected" in tags(desk.reject(order).events)

    def test_what_was_acknowledged_is_not_unknown(self, desk: Desk):
        order = desk.order()
        desk.acknowledge(order, filled="0", terminal=False)
        assert desk.unknown(order).events == ()


class TestContradictions:
    @pytest.mark.parametrize("first", ["acknowledged", "filled"])
    @pytest.mark.parametrize("then", ["rejected", "absent"])
    def test_what_the_venue_had_is_neither_rejected_nor_absent(self, desk: Desk, first: str, then: str):
        order = desk.order()
        if first == "acknowledged":
            desk.acknowledge(order, filled="0", terminal=False)
        else:
            desk.fill(order, "0.1")
        late = desk.reject(order) if then == "rejected" else desk.absent(order)
        assert (late.outcome.status, late.events) == ("accepted", ())
        assert order.order_id in desk.book.orders

    def test_acknowledged_twice(self, desk: Desk):
        order = desk.order()
        desk.acknowledge(order, filled="0.5")
        assert desk.acknowledge(order, filled="0.5").events == ()
        assert desk.acknowledge(order, filled="0", terminal=False).events == ()

    def test_a_lesser_final_report_does_not_take_back_a_greater(self, desk: Desk):
        order = desk.order()
        desk.acknowledge(order, filled="1.5")
        desk.fill(order, "0.5", trade="a")
        assert desk.acknowledge(order, filled="0.5").events == ()
        assert order.order_id in desk.book.orders
        assert corners(desk) == ("-1.5", "1")

    def test_a_greater_final_report_is_news(self, desk: Desk):
        order = desk.order()
        desk.acknowledge(order, filled="0.5")
        assert tags(desk.acknowledge(order, filled="1.5").events) == ["order.acknowledged"]
        assert tags(desk.fill(order, "0.5", trade="a").events) == ["fill.recorded"]
        assert "order.closed" in tags(desk.fill(order, "1", trade="b").events)

    def test_reports_of_another_attempt_change_nothing(self, desk: Desk):
        order = desk.order()
        for late in (
            desk.acknowledge(order, filled="1.5", attempt=2),
            desk.reject(order, attempt=2),
            desk.unknown(order, attempt=0),
            desk.absent(order, attempt=2),
        ):
            assert (late.outcome.status, late.events) == ("accepted", ())

    def test_reports_after_the_end_change_nothing(self, desk: Desk):
        order = desk.order()
        desk.trade(order, "1.5")
        for late in (
            desk.acknowledge(order, filled="1.5"),
            desk.reject(order),
            desk.unknown(order),
            desk.absent(order),
        ):
            assert (late.outcome.status, late.events) == ("accepted", ())

    def test_an_order_nobody_knows(self, desk: Desk):
        stranger = Order(
            order_id=UUID(int=1), **{name: getattr(desk.order(), name) for name in Order.__struct_fields__[1:]}
        )
        assert desk.acknowledge(stranger, filled="1").events == ()


class TestOverfills:
    def test_more_than_was_asked_is_counted_and_carried(self, desk: Desk):
        order = desk.order()
        desk.fill(order, "1.7")
        assert remaining(desk.book.orders[order.order_id]) == 0
        # Backing arrives or not, and surely -1.7 was traded: an overfilled order may not fill back.
        assert corners(desk) == ("-1.7", "-0.2")
        desk.acknowledge(order, filled="1.7")
        assert str(desk.book.carry["ETH"]) == "0.2"
        assert imbalance(desk.book, "ETH") == 0
        planned: Any = desk.accept(desk.quote("1"), nonce=2).events[2]
        assert str(planned.quantity) == "-0.8"

    def test_a_venue_that_wrote_down_more_than_was_asked_may_fill_it(self, desk: Desk):
        body = {
            "order_id": desk.order().order_id,
            "attempt": 1,
            "venue_order_id": "v1",
            "accepted_quantity": "15",
            "filled": "0",
            "terminal": False,
        }
        desk.do("order.acknowledged", body)
        assert corners(desk) == ("-15", "1.5")

    @pytest.mark.parametrize(("first", "then", "corner"), [("0.5", "0.4", "-1.5"), ("1", "3", "-3"), ("3", "1", "-3")])
    def test_until_it_is_over_the_greatest_size_counts(self, desk: Desk, first: str, then: str, corner: str):
        order = desk.order()
        body = {"order_id": order.order_id, "attempt": 1, "venue_order_id": "v1", "filled": "0", "terminal": False}
        told = [desk.do("order.acknowledged", body | {"accepted_quantity": size}).events for size in (first, then)]
        assert [tags(events) for events in told] == [
            ["order.acknowledged"],
            ["order.acknowledged"] if then == "3" else [],
        ]
        assert corners(desk) == (corner, "1.5")


class TestTheEnd:
    def test_a_late_fill_is_known_by_either_id_for_a_while(self, desk: Desk):
        order = desk.order()
        desk.trade(order, "1.5")
        for trade, ids in (
            ("a", {"client_order_id": client_order_id(order.order_id, 1), "venue_order_id": "?"}),
            ("b", {"client_order_id": ""}),
        ):
            late: Any = desk.fill(order, "0.1", trade=trade, **ids).events[0]
            assert late.order_id == order.order_id
        stranger: Any = desk.fill(order, "0.1", trade="c", client_order_id="", venue_order_id="?").events[0]
        assert stranger.order_id is None

    def test_what_the_venue_does_by_itself_is_no_order_of_ours(self, desk: Desk):
        forced: Any = desk.fill(desk.order(), "0.1", kind="liquidation").events[0]
        assert forced.order_id is None

    def test_only_the_latest_ends_are_remembered(self, desk: Desk):
        order = desk.order()
        desk.book.ended_orders.update({f"{number}": order.order_id for number in range(ENDED_MAX)})
        desk.reject(order)
        assert len(desk.book.ended_orders) == ENDED_MAX
        assert "0" not in desk.book.ended_orders

    def test_its_wakes_go_with_it(self, desk: Desk):
        order = desk.order()
        resting = msgspec.structs.replace(order, time_in_force=TimeInForce.POST_ONLY)
        held = desk.book.orders[order.order_id]
        desk.book.orders[order.order_id] = msgspec.structs.replace(held, order=resting)
        desk.book.arm(cancel_wake(order.order_id, START_US, "rested long enough"))
        assert [decision.outcome.status for decision in desk.wake()] == ["accepted"]
        assert desk.book.orders[order.order_id].cancelling
        desk.book.arm(cancel_wake(order.order_id, START_US, "rested long enough"))
        ended: Any = desk.trade(order, "0.5").events[1]
        assert ended.ending == "cancelled"
        assert not [wake for wake in desk.book.wakes.values() if wake.subject == order.order_id]


class TestFills:
    def test_a_fill_without_our_id_is_found_by_the_venues(self, desk: Desk):
        order = desk.order()
        desk.acknowledge(order, filled="1.5")
        filled: Any = desk.fill(order, "1.5", client_order_id="").events[0]
        assert filled.order_id == order.order_id

    @pytest.mark.parametrize(
        "change",
        [
            {"client_order_id": "not ours", "venue_order_id": "x"},
            {"side": "buy"},
            {"symbol": "BTC/USDT:USDT"},
            {"account": "other"},
            {"venue": "other"},
        ],
        ids=["stranger", "side", "symbol", "account", "venue"],
    )
    def test_a_fill_of_something_else_is_a_surprise_that_counts_as_position_only(
        self, desk: Desk, change: dict[str, str]
    ):
        order = desk.order()
        filled: Any = desk.fill(order, "0.3", **change).events[0]
        assert filled.order_id is None
        assert desk.book.orders[order.order_id].filled == 0
        assert sum(position.fills for position in desk.book.positions.values()) == 1

    def test_a_fill_after_the_end_is_a_surprise(self, desk: Desk):
        order = desk.order()
        desk.reject(order)
        filled: Any = desk.fill(order, "0.3", client_order_id=client_order_id(order.order_id, 1)).events[0]
        assert filled.order_id == order.order_id, "known as ours, and as late"
        assert order.order_id not in desk.book.orders
        late: Any = desk.fill(order, "0.1", trade="without-our-id").events[0]
        assert late.order_id is None, "a rejected order has no id of the venue's"
        assert str(exposure(desk.book, "ETH").position) == "-0.4"

    @pytest.mark.parametrize(("quantity", "price"), [("0", "2000"), ("-1", "2000"), ("1", "0"), ("1", "-2000")])
    def test_a_fill_of_nothing_or_for_nothing_is_refused(self, desk: Desk, quantity: str, price: str):
        refused = desk.fill(desk.order(), quantity, price=price)
        assert (reason(refused), refused.events) == ("VALUE_INVALID", ())

    @pytest.mark.parametrize("change", [{"filled": "-1"}, {"accepted_quantity": "-1"}, {"venue_order_id": ""}], ids=str)
    def test_an_acknowledgement_of_nothing_is_refused(self, desk: Desk, change: dict[str, str]):
        body = {
            "order_id": desk.order().order_id,
            "attempt": 1,
            "venue_order_id": "v",
            "accepted_quantity": "1.5",
            "filled": "0",
            "terminal": True,
        }
        assert reason(desk.do("order.acknowledged", body | change)) == "VALUE_INVALID"
