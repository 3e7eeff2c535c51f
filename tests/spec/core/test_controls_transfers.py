"""Transfers and custody: collateral goes only where two persons let it go, and no more of it than the limits allow."""

from typing import Any
from uuid import UUID, uuid5

import pytest

from commands.destination import place_of
from commands.handler import Decision
from domain.ids import NAMESPACE
from domain.policy import CustodianTarget
from domain.quantity import num
from domain.risk_terms import Risk
from tests.support.controlled import mark, said
from tests.support.desk import Desk, reason, tags
from tests.support.given import a_policy

DAY_US = 86_400_000_000
HOME, AWAY = "custodian:copper", "venue:binanceusdm|main"


def transfer_id(number: int) -> UUID:
    return uuid5(NAMESPACE, f"transfer {number}")


def admit(desk: Desk, destination: str = AWAY, asset: str = "USDT") -> Decision:
    body = {"destination": destination, "asset": asset, "reason": "collateral of hedges"}
    return desk.granted(desk.do("destination.add", body, actor="ada"))


def plan(desk: Desk, quantity: str = "1000", *, number: int = 1, **changes: str) -> Decision:
    body = {
        "transfer_id": str(transfer_id(number)),
        "asset": "USDT",
        "quantity": quantity,
        "source": HOME,
        "destination": AWAY,
        "reason": "margin is low",
    }
    return desk.do("transfer.plan", body | changes, actor="ada")


def ready() -> Desk:
    desk = Desk()
    mark(desk, USDT="0.999", ETH="2000")
    admit(desk)
    return desk


class TestDestinations:
    @pytest.mark.control("transfer_destination")
    def test_nothing_goes_where_two_persons_did_not_let_it(self):
        desk = Desk()
        mark(desk, USDT="1")
        told = said(plan(desk))
        assert told[:3] == ("DESTINATION_UNKNOWN", "transfer_destination", f"destination:{AWAY}")
        body = {"destination": AWAY, "asset": "USDT", "reason": "collateral of hedges"}
        asked = desk.do("destination.add", body, actor="ada")
        assert tags(asked.events) == ["approval.requested"]
        assert reason(plan(desk)) == "DESTINATION_UNKNOWN"
        granted = desk.granted(asked)
        admitted: Any = granted.events[1]
        assert (admitted.author, admitted.approved_by, admitted.destination) == ("ada", "bob", AWAY)
        assert reason(plan(desk)) == ""
        assert reason(plan(desk, "1", number=2, asset="WETH")) == "DESTINATION_UNKNOWN"

    @pytest.mark.control("transfer_destination")
    def test_one_person_takes_a_destination_back_at_once(self):
        desk = ready()
        body = {"destination": AWAY, "asset": "USDT", "reason": "it was hacked"}
        assert tags(desk.do("destination.remove", body, actor="cleo").events) == ["destination.removed"]
        assert reason(plan(desk)) == "DESTINATION_UNKNOWN"
        assert desk.do("destination.remove", body, actor="cleo").events == ()
        assert reason(desk.do("destination.remove", body | {"reason": ""}, actor="cleo")) == "VALUE_INVALID"

    def test_what_is_admitted_stays_so_and_is_not_asked_for_again(self):
        desk = ready()
        assert admit(desk).events == ()

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"destination": "copper"}, "VALUE_INVALID"),
            ({"destination": "venue:binanceusdm"}, "VALUE_INVALID"),
            ({"destination": "venue:binanceusdm|"}, "VALUE_INVALID"),
            ({"destination": "custodian:a|b"}, "VALUE_INVALID"),
            ({"destination": "custodian:"}, "VALUE_INVALID"),
            ({"destination": "chain:" + "0" * 200}, "VALUE_INVALID"),
            ({"asset": "DOGE"}, "ASSET_UNSUPPORTED"),
            ({"asset": "sUSDe"}, "OWN_TOKEN"),
            ({"reason": "  "}, "VALUE_INVALID"),
        ],
    )
    def test_what_is_no_place_no_asset_or_not_explained_is_refused(self, changes: dict[str, str], told: str):
        desk = Desk()
        body = {"destination": AWAY, "asset": "USDT", "reason": "collateral"} | changes
        assert reason(desk.do("destination.add", body, actor="ada")) == told

    def test_so_many_destinations_are_kept(self):
        desk = Desk()
        for number in range(256):
            desk.book.vault.destinations[f"custodian:c{number}|USDT"] = 1
        assert reason(admit(desk)) == "VALUE_INVALID"

    def test_what_the_policy_forgot_meanwhile_is_not_admitted(self):
        desk = Desk()
        body = {"destination": AWAY, "asset": "USDT", "reason": "collateral of hedges"}
        asked = desk.do("destination.add", body, actor="ada")
        desk.book.policy = a_policy(assets=(), pairs=(), instruments=())
        assert reason(desk.granted(asked)) == "ASSET_UNSUPPORTED"
        assert desk.book.vault.destinations == {}

    def test_a_place_has_a_kind_and_a_name(self):
        assert place_of(AWAY) == ("venue", "binanceusdm|main")
        assert place_of("chain:0xab") == ("chain", "0xab")


class TestTransfers:
    def test_what_is_planned_says_what_it_is_worth_at_its_dearest_mark(self):
        desk = ready()
        (planned,) = plan(desk).events
        told: Any = planned
        assert (str(told.notional), told.author, told.source, told.destination) == ("999", "ada", HOME, AWAY)

    @pytest.mark.control("transfer_notional")
    def test_one_transfer_is_worth_no_more_than_the_strictest_limit(self):
        desk = ready()
        desk.set_limit("transfer_notional", "998.99", scope="venue:binanceusdm")
        told = said(plan(desk))
        assert told == ("TRANSFER_NOTIONAL", "transfer_notional", "venue:binanceusdm", "998.99", "999")
        desk.set_limit("transfer_notional", "999", scope="venue:binanceusdm")
        assert reason(plan(desk)) == ""

    @pytest.mark.control("transfer_per_day")
    def test_what_is_moved_in_a_day_is_bounded(self):
        desk = ready()
        desk.set_limit("transfer_per_day", "1998")
        plan(desk)
        plan(desk, number=2)
        assert said(plan(desk, "1", number=3))[:4] == ("TRANSFER_CAPACITY", "transfer_per_day", "global", "1998")
        desk.now_us += DAY_US
        assert reason(plan(desk, number=4)) == ""

    @pytest.mark.control("own_token")
    def test_our_own_tokens_are_never_moved_as_collateral(self):
        for token in ("USDe", "sUSDe", "ENA"):
            assert said(plan(ready(), asset=token))[:3] == ("OWN_TOKEN", "own_token", f"asset:{token}")

    @pytest.mark.control("custodian_concentration")
    def test_no_custodian_is_brought_more_than_its_share(self):
        target = CustodianTarget(address="0x00000000000000000000000000000000000000c1", ratio_bps=10_000)
        desk = Desk(policy=a_policy(custodians=(target,), risk=Risk(concentration_floor=num(10_000))))
        mark(desk, USDT="1", ETH="2000")
        admit(desk, "custodian:ceffu")
        holdings = [{"asset": "USDT", "quantity": "5000"}]
        desk.do("custody.observe_balance", {"custodian": "ceffu", "holdings": holdings, "observed_at_us": desk.now_us})
        desk.set_limit("custodian_concentration", "6000", scope="custodian:ceffu")
        told = said(plan(desk, "2000", destination="custodian:ceffu"))
        assert told[:4] == ("CUSTODIAN_CONCENTRATION", "custodian_concentration", "custodian:ceffu", "6000")
        assert reason(plan(desk, "900", destination="custodian:ceffu", number=2)) == ""

    @pytest.mark.parametrize("scope", ["global", "asset:USDT", "venue:binanceusdm"])
    def test_nothing_moves_where_all_is_halted(self, scope: str):
        desk = ready()
        desk.change_mode("HALTED", scope=scope)
        assert reason(plan(desk)) == "HALTED"

    def test_what_has_no_price_is_not_moved(self):
        desk = Desk()
        admit(desk, asset="WETH")
        assert said(plan(desk, "1", asset="WETH"))[:2] == ("VALUE_UNKNOWN", "transfer_notional")

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"quantity": "0"}, "SIZE_NOT_POSITIVE"),
            ({"quantity": "-1"}, "SIZE_NOT_POSITIVE"),
            ({"source": AWAY}, "VALUE_INVALID"),
            ({"source": "here"}, "VALUE_INVALID"),
            ({"destination": "there"}, "VALUE_INVALID"),
            ({"asset": "DOGE"}, "ASSET_UNSUPPORTED"),
            ({"reason": ""}, "VALUE_INVALID"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, changes: dict[str, Any], told: str):
        assert reason(plan(ready(), **changes)) == told

    @pytest.mark.parametrize("quantity", ["NaN", "Infinity", "-Infinity", "1e400", "x"])
    def test_what_is_no_number_is_not_read(self, quantity: str):
        desk = ready()
        body = {"transfer_id": str(transfer_id(1)), "asset": "USDT", "quantity": quantity, "source": HOME}
        told: Any = desk.ask("transfer.plan", body | {"destination": AWAY, "reason": "for this test"})
        assert told.status == "malformed"

    def test_a_transfer_is_planned_once(self):
        desk = ready()
        plan(desk)
        assert reason(plan(desk, "2000")) == "VALUE_INVALID"

    def test_without_a_policy_nothing_is_known(self):
        desk = ready()
        desk.book.policy = None
        assert reason(plan(desk)) == "POLICY_MISSING"


class TestCustodians:
    def observe(self, desk: Desk, at_us: int, **changes: object) -> Decision:
        holdings = [{"asset": "WETH", "quantity": "5"}, {"asset": "USDT", "quantity": "10", "mirrored": "4"}]
        body: dict[str, object] = {"custodian": "copper", "holdings": holdings, "observed_at_us": at_us}
        return desk.do("custody.observe_balance", body | changes)

    def test_what_it_keeps_is_what_it_said_last_whatever_comes_late(self):
        desk = Desk()
        (first,) = self.observe(desk, 10).events
        told: Any = first
        assert [each.asset for each in told.holdings] == ["USDT", "WETH"]
        assert self.observe(desk, 10).events == ()
        assert self.observe(desk, 9).events == ()
        assert tags(self.observe(desk, 11, holdings=[]).events) == ["custody.balance_observed"]
        assert desk.book.vault.custody["copper"].holdings == ()

    @pytest.mark.parametrize(
        "changes",
        [
            {"custodian": ""},
            {"custodian": "a|b"},
            {"custodian": "x" * 65},
            {"holdings": [{"asset": "USDT", "quantity": "-1"}]},
            {"holdings": [{"asset": "USDT", "quantity": "1", "mirrored": "2"}]},
            {"holdings": [{"asset": "USDT", "quantity": "1", "mirrored": "-1"}]},
            {"holdings": [{"asset": "USDT", "quantity": "1"}] * 2},
            {"holdings": [{"asset": f"A{number}", "quantity": "1"} for number in range(257)]},
        ],
    )
    def test_what_cannot_be_is_refused(self, changes: dict[str, Any]):
        assert reason(self.observe(Desk(), 10, **changes)) == "VALUE_INVALID"

    def test_so_many_custodians_are_kept(self):
        desk = Desk()
        for number in range(64):
            self.observe(desk, 10, custodian=f"c{number}")
        assert reason(self.observe(desk, 10, custodian="c64")) == "VALUE_INVALID"
        assert reason(self.observe(desk, 11, custodian="c63")) == ""

    def settle(self, desk: Desk, **changes: str) -> Decision:
        body: dict[str, object] = {
            "settlement_id": "s1",
            "custodian": "copper",
            "venue": "binanceusdm",
            "account": "main",
            "asset": "USDT",
            "profit": "-12.5",
            "settled_at_us": 10,
        }
        return desk.do("custody.observe_settlement", body | changes)

    def test_a_settlement_is_told_with_its_sign(self):
        desk = Desk()
        (settled,) = self.settle(desk).events
        told: Any = settled
        assert (str(told.profit), told.custodian, told.venue) == ("-12.5", "copper", "binanceusdm")
        assert reason(self.settle(desk, settlement_id="")) == "VALUE_INVALID"
        assert reason(self.settle(desk, asset="USDT\n")) == "VALUE_INVALID"
