"""Given events, these rows."""

from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from benchmarks.mint_log import START_US, policy
from domain.event import Event
from domain.fill import FillKind, FillRecorded, FillSource
from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgePlanned, PlannedLeg, Purpose
from domain.limit import Control, LimitRemoved, LimitSet
from domain.mode import Mode, ModeChanged
from domain.order import (
    Ending,
    Order,
    OrderAcknowledged,
    OrderAttempted,
    OrderCancelRequested,
    OrderClosed,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSide,
    OrderSubmissionRequested,
    TimeInForce,
)
from domain.policy import PolicyAdopted
from domain.quantity import Amount, Num
from domain.quote import Side
from domain.request import RequestAccepted, RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.settlement import SettlementConfirmed, SettlementReverted, SettlementSubmissionRequested
from domain.watch import (
    AlertAcknowledged,
    AlertRaised,
    AlertResolved,
    DependencyDegraded,
    DependencyRestored,
    Severity,
)
from projections import alerts
from projections.alerts import ALERTS
from projections.dependencies import DEPENDENCIES
from projections.exposure import EXPOSURE
from projections.fills import FILLS
from projections.limits import LIMITS
from projections.modes import MODES
from projections.orders import ORDERS
from projections.portfolio import PORTFOLIO
from projections.positions import POSITIONS
from projections.requests import REQUESTS
from tests.support.told import folded, lines, logged, table

SECOND_US = 1_000_000
ZERO = "2026-09-21T14:13:20.000000Z"
ONE = "2026-09-21T14:13:21.000000Z"
TWO = "2026-09-21T14:13:22.000000Z"


def uid(number: int) -> UUID:
    return UUID(int=number)


def fill(number: int, side: OrderSide, quantity: str, price: str, order: int | None = 1, **more) -> FillRecorded:
    return FillRecorded(
        fill_id=uid(1000 + number),
        venue="binanceusdm",
        account="main",
        symbol="ETH/USDT:USDT",
        trade_id=str(number),
        venue_order_id="55",
        order_id=None if order is None else uid(order),
        side=side,
        price=Num(price),
        quantity=Num(quantity),
        fee_asset="USDT",
        fee=Num("0.5"),
        kind=more.get("kind", FillKind.TRADE),
        source=FillSource.STREAM,
        traded_at_us=START_US,
    )


def order(number: int = 1, side: OrderSide = OrderSide.SELL, quantity: str = "2") -> OrderSubmissionRequested:
    return OrderSubmissionRequested(
        order=Order(
            order_id=uid(number),
            venue="binanceusdm",
            account="main",
            symbol="ETH/USDT:USDT",
            side=side,
            quantity=Num(quantity),
            limit_price=Num("2990.50"),
            time_in_force=TimeInForce.IOC,
            reduce_only=False,
        ),
        hedge_id=uid(50),
    )


def settlement(side: Side, asset: str, atoms: int, issued: int) -> SettlementConfirmed:
    return SettlementConfirmed(
        settlement_id=uid(30),
        request_id=uid(20),
        side=side,
        collateral=Amount(asset, atoms),
        issued=Amount("USDe", issued),
        reference="0xfeed",
    )


def accepted(number: int = 20) -> RequestAccepted:
    return RequestAccepted(
        request_id=uid(number),
        order_id="RFQ-1",
        quote_id=uid(1),
        pair="WETH/USDe",
        side=Side.MINT,
        benefactor="0xabc",
        beneficiary="0xabc",
        signer="0xabc",
        nonce=2**70,
        expiry_us=START_US + 60 * SECOND_US,
        collateral=Amount("WETH", 2 * 10**18),
        issued=Amount("USDe", 6_000 * 10**18),
        order_hash="0xhash",
        signature="0xsignature",
        accepted_at_us=START_US,
    )


def planned(request: int = 20, purpose: Purpose = Purpose.OPEN) -> HedgePlanned:
    return HedgePlanned(
        hedge_id=uid(50),
        request_id=uid(request),
        purpose=purpose,
        underlying="ETH",
        exposure=Num(2),
        quantity=Num(-2),
        reference=Num(3000),
        legs=(
            PlannedLeg(
                venue="binanceusdm",
                account="main",
                symbol="ETH/USDT:USDT",
                quantity=Num(-2),
                limit_price=Num(2990),
                reference=Num(3000),
            ),
        ),
    )


SETTLING = SettlementSubmissionRequested(
    settlement_id=uid(30),
    request_id=uid(20),
    side=Side.MINT,
    collateral=Amount("WETH", 2 * 10**18),
    issued=Amount("USDe", 6_000 * 10**18),
)


def test_a_position_is_the_sum_of_its_fills():
    (line,) = lines(
        POSITIONS,
        fill(1, OrderSide.SELL, "2", "3000"),
        fill(2, OrderSide.SELL, "2", "3100"),
        fill(3, OrderSide.BUY, "1", "3000"),
    )
    assert line == {
        "venue": "binanceusdm",
        "account": "main",
        "symbol": "ETH/USDT:USDT",
        "quantity": "-3",
        "entry_price": "3050",
        "realised": "50",
        "fees": "1.5",
        "fills": 3,
        "updated_at": TWO,
    }


def test_a_row_written_once_a_run_takes_its_place_at_its_first_event():
    fold = folded(POSITIONS, logged(fill(1, OrderSide.SELL, "2", "3000"), fill(2, OrderSide.BUY, "2", "3000")))
    (row,) = fold.changed.values()
    assert (row.sort, row.position, row.open) == (1, 2, True)


def test_the_portfolio_shows_backing_issued_dollars_and_positions():
    found = table(
        PORTFOLIO,
        PolicyAdopted(policy=policy()),
        settlement(Side.MINT, "WETH", 3 * 10**18, 9_000 * 10**18),
        settlement(Side.REDEEM, "WETH", 10**18, 3_000 * 10**18),
        fill(1, OrderSide.SELL, "2", "3000"),
    )
    assert found["backing|WETH"] == (
        True,
        {
            "kind": "backing",
            "asset": "WETH",
            "atoms": "2000000000000000000",
            "units": "2",
            "settlements": 2,
            "updated_at": TWO,
        },
    )
    issued = found["issued|USDe"][1]
    assert (issued["kind"], issued["atoms"], issued["units"]) == ("issued", "6000000000000000000000", "6000")
    held = found["binanceusdm|main|ETH/USDT:USDT"][1]
    assert (held["kind"], held["position"]["quantity"]) == ("position", "-2")


def test_without_a_policy_the_portfolio_shows_atoms_and_no_units():
    found = table(PORTFOLIO, settlement(Side.MINT, "WETH", 3, 9))
    assert found["backing|WETH"][1]["units"] is None
    assert found["backing|WETH"][1]["atoms"] == "3"


@pytest.mark.parametrize(
    ("event", "surprise"),
    [
        (fill(1, OrderSide.SELL, "2", "3000"), False),
        (fill(1, OrderSide.SELL, "2.001", "3000"), True),
        (fill(1, OrderSide.SELL, "2", "3000", 5), True),
        (fill(1, OrderSide.SELL, "2", "3000", None), True),
        (fill(1, OrderSide.SELL, "2", "3000", kind=FillKind.LIQUIDATION), True),
        (fill(1, OrderSide.SELL, "2", "3000", kind=FillKind.ADL), True),
    ],
)
def test_a_fill_is_told_once_and_says_whether_it_is_a_surprise(event: FillRecorded, surprise: bool):
    ((is_open, line),) = table(FILLS, order(), (event, 0)).values()
    assert not is_open
    assert line["surprise"] is surprise
    assert (line["fee"], line["traded_at"], line["recorded_at"]) == ("0.5", ZERO, ZERO)


def test_a_fill_of_an_order_that_is_over_or_full_is_a_surprise():
    told = [fill(number, OrderSide.SELL, "1", "3000") for number in (1, 2, 3, 4)]
    over = OrderClosed(order_id=uid(1), hedge_id=uid(50), ending=Ending.FILLED, filled=Num(2))
    found = lines(FILLS, order(), *told[:3], over, told[3])
    assert [line["surprise"] for line in found] == [False, False, True, True]
    assert folded(FILLS, logged(order(), *told[:3], over)).state.left == {}


ATTEMPT = OrderAttempted(order_id=uid(1), attempt=1, client_order_id="bl1", send_before_us=0)
ACKNOWLEDGED = OrderAcknowledged(
    order_id=uid(1), attempt=1, venue_order_id="55", accepted_quantity=Num(2), filled=Num(0), terminal=False
)


def test_an_order_shows_what_it_traded_and_at_what_average():
    events = [
        order(),
        ATTEMPT,
        ACKNOWLEDGED,
        fill(1, OrderSide.SELL, "0.5", "3000"),
        fill(2, OrderSide.SELL, "1", "3001"),
    ]
    ((is_open, line),) = table(ORDERS, *events).values()
    assert is_open
    assert (line["state"], line["client_order_id"], line["venue_order_id"]) == ("partially_filled", "bl1", "55")
    assert (line["hedge_id"], line["leg"]) == (str(uid(50)), f"{line['venue']}|{line['account']}|{line['symbol']}")
    assert (line["filled"], line["quote_value"], line["average_price"]) == ("1.5", "4501", "3000.666666666667")
    closed = OrderClosed(order_id=uid(1), hedge_id=uid(50), ending=Ending.EXPIRED, filled=Num("1.5"))
    ((is_open, line),) = table(ORDERS, *events, closed).values()
    assert (is_open, line["state"], line["ending"], line["requested_at"]) == (False, "closed", "expired", ZERO)


@pytest.mark.parametrize(
    ("event", "state", "text"),
    [
        (OrderRejected(order_id=uid(1), attempt=1, code="-2019", text="margin"), "rejected", "-2019: margin"),
        (OrderOutcomeUnknown(order_id=uid(1), attempt=1, text="timed out"), "unknown", "timed out"),
        (OrderCancelRequested(order_id=uid(1), text="too old"), "cancelling", "too old"),
    ],
)
def test_an_order_shows_the_last_word_about_it(event: Event, state: str, text: str):
    (line,) = lines(ORDERS, order(), ATTEMPT, event)
    assert (line["state"], line["text"]) == (state, text)


LOST = OrderOutcomeUnknown(order_id=uid(1), attempt=1, text="timed out")
CANCEL = OrderCancelRequested(order_id=uid(1), text="rested long enough")
PART = fill(1, OrderSide.SELL, "0.5", "3000")
OVER = msgspec.structs.replace(ACKNOWLEDGED, filled=Num(1), terminal=True)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((ACKNOWLEDGED,), "acknowledged"),
        ((PART,), "partially_filled"),
        ((PART, ACKNOWLEDGED), "partially_filled"),
        ((LOST, PART), "partially_filled"),
        ((CANCEL, LOST, PART, ACKNOWLEDGED), "cancelling"),
        ((ACKNOWLEDGED, OVER), "awaiting_fills"),
        ((CANCEL, OVER, PART), "awaiting_fills"),
    ],
)
def test_an_order_shows_how_far_it_is(events: tuple[Event, ...], state: str):
    (line,) = lines(ORDERS, order(), ATTEMPT, *events)
    assert line["state"] == state


def test_what_is_told_of_an_order_that_is_over_writes_nothing():
    closed = OrderClosed(order_id=uid(1), hedge_id=uid(50), ending=Ending.ABSENT, filled=Num(0))
    assert table(ORDERS, fill(1, OrderSide.SELL, "1", "1"), closed) == {}
    assert table(ORDERS, fill(1, OrderSide.SELL, "1", "1", None)) == {}


def test_a_request_is_followed_to_its_end():
    events: list[Event] = [accepted()]
    states = [lines(REQUESTS, *events)[0]["state"]]
    for event in (
        planned(),
        HedgeCompleted(hedge_id=uid(50), request_id=uid(20), filled=Num(-2), average_price=Num(3000)),
        SETTLING,
        settlement(Side.MINT, "WETH", 2 * 10**18, 6_000 * 10**18),
        RequestCompleted(request_id=uid(20), settlement_id=uid(30)),
    ):
        events.append(event)
        states.append(lines(REQUESTS, *events)[0]["state"])
    assert states == ["accepted", "hedging", "hedged", "settling", "confirmed", "completed"]
    ((is_open, line),) = table(REQUESTS, *events).values()
    assert not is_open
    assert (line["nonce"], line["hedge_filled"], line["tx"]) == (str(2**70), "-2", "0xfeed")
    assert line["collateral_atoms"] == "2000000000000000000"
    assert table(REQUESTS, *events, planned(purpose=Purpose.UNWIND)) == table(REQUESTS, *events)


def test_a_request_whose_settlement_failed_or_that_was_cancelled_is_over():
    reverted = SettlementReverted(settlement_id=uid(30), request_id=uid(20), text="reverted: nonce")
    (line,) = lines(REQUESTS, accepted(), SETTLING, reverted)
    assert (line["state"], line["text"]) == ("reverted", "reverted: nonce")
    failed = RequestSettlementFailed(
        request_id=uid(20), settlement_id=uid(30), pair="WETH/USDe", text="it did not happen"
    )
    ((is_open, line),) = table(REQUESTS, accepted(), SETTLING, reverted, failed).values()
    assert (is_open, line["state"], line["text"]) == (False, "settlement_failed", "it did not happen")
    cancelled = RequestCancelled(request_id=uid(20), pair="WETH/USDe", text="expired")
    ((is_open, line),) = table(REQUESTS, accepted(), cancelled).values()
    assert (is_open, line["state"], line["text"]) == (False, "cancelled", "expired")


def test_an_abandoned_hedge_shows_its_residual():
    abandoned = HedgeAbandoned(
        hedge_id=uid(50), request_id=uid(20), filled=Num("-1.5"), residual=Num("-0.5"), text="no depth"
    )
    (line,) = lines(REQUESTS, accepted(), planned(), abandoned)
    assert (line["state"], line["hedge_residual"], line["text"]) == ("hedge_abandoned", "-0.5", "no depth")


def test_a_limit_that_was_removed_is_shown_out_of_force_and_can_be_set_again():
    put = LimitSet(
        control=Control.NET_DELTA, scope="asset:ETH", value=Num("25.0"), unit="base", author="ada", reason="opening"
    )
    removed = LimitRemoved(control=Control.NET_DELTA, scope="asset:ETH", author="bob", reason="review")
    (line,) = lines(LIMITS, put)
    assert (line["value"], line["in_force"], line["author"], line["since"]) == ("25", True, "ada", ZERO)
    (line,) = lines(LIMITS, put, removed)
    assert (line["value"], line["in_force"], line["unit"], line["author"]) == (None, False, "base", "bob")
    (line,) = lines(LIMITS, put, removed, put)
    assert (line["value"], line["in_force"], line["since"]) == ("25", True, TWO)


def test_a_mode_is_shown_by_scope():
    halted = ModeChanged(scope="global", mode=Mode.HALTED, previous=Mode.ACTIVE, author="ada", reason="drill")
    active = ModeChanged(scope="global", mode=Mode.ACTIVE, previous=Mode.HALTED, author="ada", reason="done")
    venue = ModeChanged(scope="venue:x", mode=Mode.REDUCE_ONLY, previous=Mode.ACTIVE, author="bob", reason="odd")
    found = lines(MODES, halted, venue, active)
    assert [(line["scope"], line["mode"], line["since"]) for line in found] == [
        ("global", "ACTIVE", TWO),
        ("venue:x", "REDUCE_ONLY", ONE),
    ]


def test_a_dependency_shows_since_when_it_is_down():
    down = DependencyDegraded(dependency="binanceusdm", text="no book")
    worse = DependencyDegraded(dependency="binanceusdm", text="no answer")
    up = DependencyRestored(dependency="binanceusdm", text="answers")
    (line,) = lines(DEPENDENCIES, down, worse)
    assert line == {"dependency": "binanceusdm", "degraded": True, "text": "no answer", "since": ZERO}
    (line,) = lines(DEPENDENCIES, down, worse, up)
    assert (line["degraded"], line["since"]) == (False, TWO)


def raised(number: int) -> AlertRaised:
    return AlertRaised(
        alert_id=uid(number),
        severity=Severity.CRITICAL,
        area="orders",
        subject="order 1",
        text="unknown",
        cause_position=number,
    )


def test_an_alert_is_raised_taken_up_and_over():
    acknowledged = AlertAcknowledged(alert_id=uid(1), author="ada", text="looking")
    resolved = AlertResolved(alert_id=uid(1), text="it was filled")
    ((is_open, line),) = table(ALERTS, raised(1)).values()
    assert (is_open, line["state"], line["severity"], line["raised_at"]) == (True, "raised", "critical", ZERO)
    ((is_open, line),) = table(ALERTS, raised(1), acknowledged).values()
    assert (is_open, line["state"], line["acknowledged_by"], line["answer"]) == (True, "acknowledged", "ada", "looking")
    ((is_open, line),) = table(ALERTS, raised(1), acknowledged, resolved).values()
    assert (is_open, line["state"], line["updated_at"]) == (False, "resolved", TWO)
    assert table(ALERTS, acknowledged) == {} == table(ALERTS, resolved)


def test_the_oldest_open_alert_lapses_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(alerts, "OPEN_ALERTS_MAX", 2)
    found = table(ALERTS, raised(1), raised(2), raised(3))
    assert [(is_open, line["state"]) for is_open, line in found.values()] == [
        (False, "lapsed"),
        (True, "raised"),
        (True, "raised"),
    ]


NET_DELTA = LimitSet(
    control=Control.NET_DELTA, scope="asset:ETH", value=Num(3), unit="base", author="ada", reason="opening"
)


def test_exposure_spans_what_may_happen_beside_its_limit():
    (eth, usdt, *_) = lines(EXPOSURE, PolicyAdopted(policy=policy()), NET_DELTA, accepted(), planned(), order())
    assert (eth["underlying"], usdt["underlying"]) == ("ETH", "USDT")
    assert (eth["low"], eth["high"], eth["worst"], eth["certain"]) == ("-2", "2", "2", "0")
    assert (eth["limit"], eth["within"]) == ("3", True)
    assert (usdt["limit"], usdt["within"]) == (None, None)


def test_exposure_outside_its_limit_says_so():
    sold = fill(1, OrderSide.SELL, "3.5", "3000", None)
    (eth, *_) = lines(EXPOSURE, PolicyAdopted(policy=policy()), NET_DELTA, sold)
    assert (eth["position"], eth["worst"], eth["within"], eth["updated_at"]) == ("-3.5", "3.5", False, TWO)


def test_exposure_before_a_policy_has_no_lines_and_keeps_no_nonces():
    assert lines(EXPOSURE, NET_DELTA) == []
    fold = folded(EXPOSURE, logged(PolicyAdopted(policy=policy()), accepted()))
    assert fold.state.book.nonces == {}


def test_a_view_leaves_events_it_does_not_need_alone():
    assert MODES.fold(MODES.initial(), NET_DELTA, 1, START_US) == ()
    state = LIMITS.initial()
    (row,) = LIMITS.fold(state, NET_DELTA, 1, START_US)
    assert state.rows == {row.key: row}


def test_a_state_survives_being_frozen():
    fold = folded(ORDERS, logged(order(9), order(2), ACKNOWLEDGED))
    thawed = ORDERS.thaw(ORDERS.freeze(fold.state))
    assert thawed == fold.state
    assert list(thawed.rows) == list(fold.state.rows) == [str(uid(9)), str(uid(2))]


def test_a_state_with_something_inexact_cannot_be_frozen():
    state = ORDERS.initial()
    state.rows = {"x": object()}
    with pytest.raises(NotImplementedError, match="no exact form for object"):
        ORDERS.freeze(state)


def test_decimals_stay_exact_through_freezing():
    fold = folded(POSITIONS, logged(fill(1, OrderSide.SELL, "3", "3000"), fill(2, OrderSide.SELL, "4", "3001")))
    thawed = POSITIONS.thaw(POSITIONS.freeze(fold.state))
    assert thawed.held == fold.state.held
    assert isinstance(next(iter(thawed.held.values())).entry_price, Num)
    assert Decimal(next(iter(thawed.held.values())).entry_price) == next(iter(fold.state.held.values())).entry_price
