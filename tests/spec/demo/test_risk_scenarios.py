"""The judge of the scenarios in which controls must act: it holds what stopped in time, and finds what did not."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from api.demo.checks import halted, owed
from api.demo.risk_checks import ENDS_IN, judge_risk
from api.demo.risk_scenarios import RISK_SCENARIOS, prepared
from api.replica import Recorded
from api.settings import Settings, read_settings
from domain.event import Event
from domain.fill import FillKind, FillRecorded, FillSource
from domain.mode import Mode, ModeChanged
from domain.order import Order, OrderSide, OrderSubmissionRequested, TimeInForce
from domain.quantity import Amount, num
from domain.quote import Side
from domain.request import RequestAccepted
from domain.watch import AlertRaised, Severity
from tests.support.desk import Desk
from tests.support.given import START_US
from tests.support.staged import Acting

ID = UUID(int=1)
VENUE, SYMBOL = "binanceusdm", "ETH/USDT:USDT"
ENDS, TOLD, OBEYED, WHOLE, TRAIL = (
    "it ends halted or reduced",
    "people are told of every stop within a second",
    "nothing is done that a stop forbids",
    "collateral is intact",
    "the log says why",
)


def stop(scope: str = "asset:ETH", mode: Mode = Mode.HALTED) -> ModeChanged:
    return ModeChanged(
        scope=scope, mode=mode, previous=Mode.ACTIVE, author="ballast", reason="61 orders in 10 s", trigger="latch"
    )


def alert(position: int) -> AlertRaised:
    return AlertRaised(
        alert_id=ID, severity=Severity.CRITICAL, area="mode", subject="asset:ETH", text="", cause_position=position
    )


def order(side: OrderSide = OrderSide.SELL, venue: str = VENUE) -> OrderSubmissionRequested:
    return OrderSubmissionRequested(
        order=Order(
            order_id=ID,
            venue=venue,
            account="main",
            symbol=SYMBOL,
            side=side,
            quantity=num(1),
            limit_price=num(2000),
            time_in_force=TimeInForce.IOC,
            reduce_only=False,
        ),
        hedge_id=ID,
    )


def fill(side: OrderSide, quantity: str = "3") -> FillRecorded:
    return FillRecorded(
        fill_id=ID,
        venue=VENUE,
        account="main",
        symbol=SYMBOL,
        trade_id="9",
        venue_order_id="1",
        order_id=ID,
        side=side,
        price=num(2000),
        quantity=num(quantity),
        fee_asset="USDT",
        fee=num(0),
        kind=FillKind.TRADE,
        source=FillSource.STREAM,
        traded_at_us=START_US,
    )


def accepted(side: Side = Side.MINT) -> RequestAccepted:
    return RequestAccepted(
        request_id=ID,
        order_id="RFQ-1",
        quote_id=ID,
        pair="WETH/USDe",
        side=side,
        benefactor="0x1",
        beneficiary="0x1",
        signer="0x1",
        nonce=1,
        expiry_us=START_US,
        collateral=Amount("WETH", 10**18),
        issued=Amount("USDe", 10**18),
        order_hash="0x2",
        signature="0x3",
        accepted_at_us=START_US,
    )


def log(*events: Event, apart_us: int = 100_000) -> list[Recorded]:
    return [Recorded(event, place, START_US + place * apart_us) for place, event in enumerate(events, 1)]


def stopped_desk(scope: str = "asset:ETH", mode: Mode = Mode.HALTED) -> Desk:
    desk = Desk()
    desk.book.modes[scope] = mode
    desk.book.mode_causes[scope] = {"latch": mode}
    return desk


def broken(name: str, desk: Desk, recorded: list[Recorded]) -> set[str]:
    return {verdict.invariant for verdict in judge_risk(name, desk.book, recorded) if not verdict.held}


def test_a_house_that_stopped_and_said_so_holds_everything() -> None:
    recorded = log(order(), stop(), alert(2))
    assert broken("runaway_algo", stopped_desk(), recorded) == set()
    verdicts = {
        verdict.invariant: verdict.found for verdict in judge_risk("runaway_algo", stopped_desk().book, recorded)
    }
    assert verdicts[ENDS] == "asset:ETH HALTED by latch"
    assert "61 orders in 10 s" in verdicts[TRAIL]


def test_a_house_that_went_on_is_found() -> None:
    assert {ENDS, TOLD, TRAIL} <= broken("runaway_algo", Desk(), log(order()))
    released = stopped_desk(mode=Mode.ACTIVE)
    assert ENDS in broken("runaway_algo", released, log(stop(), alert(1)))
    assert ENDS in broken("bybit_outage", stopped_desk(), log(stop(), alert(1))), "another scope stopped"


def test_a_stop_that_nobody_was_told_of_in_time_is_found() -> None:
    assert TOLD in broken("runaway_algo", stopped_desk(), log(stop(), alert(7)))
    assert TOLD in broken("runaway_algo", stopped_desk(), log(stop(), alert(1), apart_us=1_000_001))
    assert TOLD not in broken("runaway_algo", stopped_desk(), log(stop(), alert(1), apart_us=1_000_000))


@pytest.mark.parametrize("after", [order(), accepted()])
def test_what_is_done_after_a_halt_is_found(after: Event) -> None:
    assert OBEYED not in broken("runaway_algo", stopped_desk(), log(after, stop(), alert(2)))
    assert OBEYED in broken("runaway_algo", stopped_desk(), log(stop(), alert(1), after))


def test_a_reduced_venue_may_only_be_closed_at() -> None:
    reduced, desk = stop(f"venue:{VENUE}", Mode.REDUCE_ONLY), stopped_desk(f"venue:{VENUE}", Mode.REDUCE_ONLY)
    closing = log(fill(OrderSide.SELL), reduced, alert(2), order(OrderSide.BUY), accepted(Side.REDEEM))
    assert OBEYED not in broken("breach", desk, closing)
    assert OBEYED in broken("breach", desk, log(fill(OrderSide.SELL), reduced, alert(2), order(OrderSide.SELL)))
    assert OBEYED in broken("breach", desk, log(reduced, alert(1), order(OrderSide.BUY))), "nothing to close"
    assert OBEYED not in broken("breach", desk, log(reduced, alert(1), order(venue="okx")))


def test_collateral_that_is_owed_twice_is_found() -> None:
    desk = stopped_desk()
    desk.book.backing["WETH"] = -1
    assert WHOLE in broken("runaway_algo", desk, log(stop(), alert(1)))


def defaults() -> Settings:
    return read_settings(Path(__file__).parents[3] / "ballast.toml")


@pytest.mark.parametrize("name", sorted(RISK_SCENARIOS))
def test_each_plays_in_a_house_that_is_tightened_for_it_and_valid(name: str) -> None:
    before, after = defaults(), prepared(name, defaults())
    assert after.policy.risk.triggers.resume_after_ms > before.policy.risk.triggers.resume_after_ms
    assert name in ENDS_IN
    scopes = [(limit.control, limit.scope) for limit in after.limits]
    assert len(set(scopes)) == len(scopes)
    assert after.book_policy().instruments == before.book_policy().instruments


def test_another_scenario_plays_in_the_house_as_it_is() -> None:
    assert prepared("adl", defaults()) == defaults()


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("breach", [("ETH", True), ("BTC", True)]),
        ("depeg_10_10", [(VENUE, "dislocate"), (VENUE, "adl", "ETH"), ("USDT", True)]),
        ("bybit_outage", [("bybit", "lost")]),
        ("runaway_algo", [("mad", True)]),
    ],
)
def test_what_a_scenario_does(name: str, asked: list[Any]) -> None:
    desk = Desk()
    desk.held()
    stage = Acting(desk)
    asyncio.run(_played(name, stage))
    assert stage.door.asked == asked
    assert stage.notes


async def _played(name: str, stage: Acting) -> None:
    await RISK_SCENARIOS[name](stage)


def test_the_halted_wait_and_nothing_else_does() -> None:
    desk = Desk()
    assert not owed(desk.book)
    desk.accept(desk.quote())
    assert owed(desk.book)
    desk.book.modes["asset:ETH"] = Mode.HALTED
    assert halted(desk.book, "WETH/USDe")
    assert owed(desk.book), "an order still works"
    for key, hedge in desk.book.hedges.items():
        desk.book.hedges[key] = msgspec.structs.replace(hedge, working=())
    assert not owed(desk.book)
