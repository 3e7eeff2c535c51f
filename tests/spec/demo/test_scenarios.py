"""The demonstration's judge of scenarios: it holds what was put right, and finds each thing that was not."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from api.demo.door import KeptOrder
from api.demo.scenario_checks import judge_befell, judge_scenario
from api.demo.scenarios import SCENARIOS, Act, parse_scenario, round_of
from api.demo.stage import held, venues
from api.replica import Recorded
from api.settings import SettingsError
from domain.event import Event
from domain.fill import FillKind, FillRecorded, FillSource
from domain.hedge import HedgeCompleted, HedgePlanned, Purpose
from domain.order import Ending, OrderClosed, OrderOutcomeUnknown, OrderSide, OrderSubmissionRequested
from domain.quantity import Num, num
from domain.surprise import SurpriseClassified, SurpriseKind
from domain.watch import AlertRaised, Severity
from tests.support.desk import Desk
from tests.support.given import START_US
from tests.support.staged import Acting

VENUE, SYMBOL = "binanceusdm", "ETH/USDT:USDT"
ACTS = [Act(what="binanceusdm deleveraged 0.3 of its ETH", at_us=START_US)]
ID = UUID(int=1)
COUNTS = {VENUE: {"lost": 2, "thin": 1, "timeout": 1}}


def surprise(quantity: str = "3", kind: FillKind = FillKind.ADL) -> FillRecorded:
    return FillRecorded(
        fill_id=UUID(int=7),
        venue=VENUE,
        account="main",
        symbol=SYMBOL,
        trade_id="9",
        venue_order_id="adl-1",
        order_id=None,
        side=OrderSide.BUY,
        price=num(2000),
        quantity=num(quantity),
        fee_asset="USDT",
        fee=num(0),
        kind=kind,
        source=FillSource.STREAM,
        traded_at_us=START_US,
    )


def classified(fill: FillRecorded) -> SurpriseClassified:
    kind = SurpriseKind(fill.kind.value) if fill.kind is not FillKind.TRADE else SurpriseKind.UNKNOWN_ORDER
    return SurpriseClassified(
        fill_id=fill.fill_id,
        kind=kind,
        underlying="ETH",
        venue=fill.venue,
        account=fill.account,
        symbol=fill.symbol,
        quantity=fill.signed,
    )


def planned(quantity: str, exposure: str = "0", purpose: Purpose = Purpose.REHEDGE) -> HedgePlanned:
    return HedgePlanned(
        hedge_id=ID,
        request_id=ID,
        purpose=purpose,
        underlying="ETH",
        exposure=num(exposure),
        quantity=num(quantity),
        reference=num(2000),
        legs=(),
    )


def completed() -> HedgeCompleted:
    return HedgeCompleted(hedge_id=ID, request_id=ID, filled=num(-3), average_price=num(2000))


def alert(position: int) -> AlertRaised:
    return AlertRaised(
        alert_id=ID, severity=Severity.CRITICAL, area="fill", subject="7", text="adl", cause_position=position
    )


def log(*events: Event, apart_us: int = 100_000) -> list[Recorded]:
    return [Recorded(event, place, START_US + place * apart_us) for place, event in enumerate(events, 1)]


def broken(desk: Desk, recorded: list[Recorded], name: str = "adl", **given: Any) -> set[str]:
    """Return the invariants that do not hold."""
    fields: dict[str, Any] = {"acts": ACTS, "orders": {VENUE: []}, "counts": COUNTS} | given
    verdicts = judge_scenario(name, desk.book, recorded, fields["orders"])
    verdicts.append(judge_befell(name, recorded, fields["acts"], fields["counts"]))
    return {verdict.invariant for verdict in verdicts if not verdict.held}


ADL = surprise()
FOUND = (ADL, classified(ADL))
SMALL = msgspec.structs.replace(surprise("0.001", FillKind.LIQUIDATION), fill_id=UUID(int=8))
SOUND = (*FOUND, alert(2), planned("-3"), completed(), SMALL, classified(SMALL), alert(7))
REHEDGED, ALERTED = "every surprise is re-hedged", "an alert tells of every surprise within a second"


def test_a_house_that_put_everything_right_holds_everything() -> None:
    assert broken(Desk(), log(*SOUND)) == set()


def test_a_scenario_that_befell_nobody_proves_nothing() -> None:
    assert "adl befell the house" in broken(Desk(), log(*SOUND[:5]))
    assert "adl befell the house" in broken(Desk(), log(*SOUND), acts=[])
    for name in ("venue_outage", "partial_fills", "lost_ack"):
        assert f"{name} befell the house" in broken(Desk(), log(), name, counts={VENUE: {}})


def test_a_surprise_that_nobody_traded_again_is_found() -> None:
    assert REHEDGED in broken(Desk(), log(*FOUND, alert(2)))
    assert REHEDGED in broken(Desk(), log(*FOUND, alert(2), planned("-3"))), "begun is not complete"
    assert REHEDGED in broken(Desk(), log(planned("-3"), completed(), *FOUND, alert(4))), "before is not after"


@pytest.mark.parametrize(
    ("quantity", "exposure", "apart_us", "found"),
    [
        ("-4", "1", 100_000, False),  # a mint of one that took the three along
        ("-1", "1", 100_000, True),  # a mint of one that did not
        ("-4", "1", 900_000, True),  # it did, but much later
    ],
)
def test_a_request_may_take_a_surprise_along_at_once(
    quantity: str, exposure: str, apart_us: int, *, found: bool
) -> None:
    taken = planned(quantity, exposure, Purpose.OPEN)
    events = log(*FOUND, alert(2), taken, completed(), apart_us=apart_us)
    assert (REHEDGED in broken(Desk(), events)) is found


def test_a_surprise_that_nobody_was_told_of_in_time_is_found() -> None:
    assert ALERTED in broken(Desk(), log(*FOUND, planned("-3"), completed()))
    assert ALERTED in broken(Desk(), log(*FOUND, alert(2), apart_us=500_001))
    assert ALERTED in broken(Desk(), log(ADL, alert(1))), "nobody said what it was"
    assert ALERTED not in broken(Desk(), log(*FOUND, alert(2), apart_us=500_000))


def test_an_unknown_order_that_stayed_so_is_found() -> None:
    unknown = OrderOutcomeUnknown(order_id=ID, attempt=1, text="no answer")
    closed = OrderClosed(order_id=ID, hedge_id=ID, ending=Ending.FILLED, filled=num(1))
    assert "every unknown order is resolved" in broken(Desk(), log(unknown))
    assert "every unknown order is resolved" not in broken(Desk(), log(unknown, closed))


def test_an_order_that_a_venue_took_twice_is_found() -> None:
    one = KeptOrder(
        client_id="bl1", symbol="ETHUSDT", origin="client", status="FILLED", quantity=Decimal(1), filled=Decimal(1)
    )
    forced = msgspec.structs.replace(one, client_id="adl_autoclose", origin="adl")
    twice = "no order is sent twice"
    assert twice not in broken(Desk(), log(), orders={VENUE: [one, forced, forced]})
    assert twice in broken(Desk(), log(), orders={VENUE: [one, one]})
    assert twice in broken(Desk(), log(), orders={VENUE: [one], "bybit": [one]})


def test_delta_outside_its_band_is_found() -> None:
    desk = Desk()
    desk.held()
    inside = "delta ends inside its band"
    assert inside not in broken(desk, log())
    desk.fill(_some_order(desk), "1", trade="late")
    assert inside in broken(desk, log())


def _some_order(desk: Desk) -> Any:
    return next(event.order for event in desk.events if isinstance(event, OrderSubmissionRequested))


def test_a_scenario_goes_by_its_name_and_needs_its_time() -> None:
    assert parse_scenario("venue-outage", None) == "venue_outage"
    with pytest.raises(SettingsError, match="no scenario is called 'flood': adl, breach, bybit_outage"):
        parse_scenario("flood", None)
    with pytest.raises(SettingsError, match="give --for 20 or more"):
        parse_scenario("adl", 19)
    begins, lasts, whole = round_of(30)
    assert begins + lasts <= whole * 0.6, "the rest is to recover in"


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("adl", [(VENUE, "adl", "ETH"), (VENUE, "liquidation", "ETH")]),
        ("partial_fills", [(VENUE, "thin")]),
        ("lost_ack", [(VENUE, kind) for kind in ("timeout", "reset", "truncate", "html", "bad_gateway")]),
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
    await SCENARIOS[name](stage)


def test_the_venue_that_holds_most_is_known() -> None:
    desk = Desk()
    desk.held()
    assert held(desk.book) == [(Num(20_000), VENUE, "ETH")]
    assert venues(desk.book) == (VENUE,)
