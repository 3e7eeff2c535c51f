"""What is shown of looks, proposals and steps."""

from typing import Any

from domain.hedge import HedgeAbandoned
from domain.quantity import Num
from domain.stable import StableHeld, StableProposed
from projections.rebalancing import REBALANCING
from tests.support.desk import Desk
from tests.support.rebalancing import LOOK, MOVING, TERMS, a_desk, funded
from tests.support.told import folded, lines, logged


def looked(desk: Desk) -> None:
    desk.now_us = max(desk.now_us, desk.book.wakes[LOOK].at_us)
    desk.wake()


def shown(desk: Desk, kind: str) -> list[dict[str, Any]]:
    return [line for line in lines(REBALANCING, *desk.events) if line["kind"] == kind]


def test_a_look_that_finds_nothing_to_move_says_so() -> None:
    desk = a_desk(rates=("0.0001", "0.0001"))
    looked(desk)
    (look,) = shown(desk, "look")
    assert (look["underlying"], look["state"]) == ("ETH", "held")
    assert look["text"] == "the hedges stand where the router would place them"
    looked(desk)
    assert len(shown(desk, "look")) == 1


def test_a_proposal_is_shown_with_its_moves_until_it_is_replaced_or_withdrawn() -> None:
    desk = a_desk()
    looked(desk)
    (line,) = shown(desk, "proposal")
    assert line["state"] == "open"
    (move,) = line["moves"]
    assert (move["cause"], move["quantity"], move["from_venue"], move["to_venue"]) == (
        "carry",
        "10",
        "binanceusdm",
        "deribit",
    )
    assert (line["cost"], line["saving"]) == (move["cost"], move["saving"])
    looked(desk)  # stands
    assert [each["state"] for each in shown(desk, "proposal")] == ["open"]
    funded(desk, "-0.002", "0.0035")
    looked(desk)
    assert [each["state"] for each in shown(desk, "proposal")] == ["replaced", "open"]
    funded(desk, "0.0001", "0.0001")
    looked(desk)
    assert [each["state"] for each in shown(desk, "proposal")] == ["replaced", "withdrawn"]


def test_a_step_is_shown_with_what_it_may_cost_and_what_it_did() -> None:
    desk = a_desk(TERMS)
    looked(desk)
    desk.do("policy.adopt", {"policy": a_desk(MOVING).book.policy}, actor="system")
    looked(desk)
    assert [each["state"] for each in shown(desk, "proposal")] == ["followed"]
    (step,) = shown(desk, "step")
    assert (step["state"], step["spent"], step["budget"], step["realised"]) == ("working", step["worst"], "1000", None)
    assert shown(desk, "look")[0]["state"] == "moving"
    for each in tuple(desk.book.orders.values()):
        desk.trade(each.order, "3.999", trade=each.order.venue)
    (step,) = shown(desk, "step")
    assert step["state"] == "completed"
    assert step["realised"]["notional"] != "0"


def test_only_what_may_change_is_kept() -> None:
    desk = a_desk(MOVING)
    for number in range(3):
        looked(desk)
        for each in tuple(desk.book.orders.values()):
            size = str(each.order.quantity)
            desk.trade(each.order, size, trade=f"{number}{each.order.venue}")
    looked(desk)
    fold = folded(REBALANCING, logged(*desk.events))
    assert list(fold.state.rows) == ["look|ETH"]
    assert (fold.state.steps, fold.state.proposals) == ({}, {})
    assert [each["state"] for each in shown(desk, "step")] == ["completed"] * 3


def test_a_step_that_is_given_up_says_what_it_left() -> None:
    desk = a_desk(MOVING)
    looked(desk)
    hedge_id = desk.book.rebalancing.working["ETH"]
    left = HedgeAbandoned(
        hedge_id=hedge_id, request_id=hedge_id, filled=Num(-1), residual=Num(1), text="1 ETH stays open"
    )
    told = lines(REBALANCING, *desk.events, left)
    assert [(line["state"], line["text"]) for line in told if line["kind"] == "step"] == [
        ("abandoned", "1 ETH stays open")
    ]


def test_what_is_proposed_for_a_stable_is_one_line_that_comes_and_goes() -> None:
    proposed = StableProposed(
        asset="USDT",
        units=Num(5),
        underlying="ETH",
        legs=(),
        cost=Num(1),
        earned=Num(3),
        horizon_ms=7,
        text="put 5 USDT into ETH",
    )
    held = StableHeld(asset="USDT", underlying="ETH", text="better held")
    (line,) = lines(REBALANCING, proposed)
    assert (line["kind"], line["state"], line["cost"], line["saving"]) == ("stable", "open", "1", "3")
    (line,) = lines(REBALANCING, proposed, held)
    assert (line["state"], line["text"]) == ("withdrawn", "better held")
    (line,) = lines(REBALANCING, proposed, held, proposed)
    assert (line["state"], line["at"] < line["updated_at"]) == ("open", True)
