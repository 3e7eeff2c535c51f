"""Before a limit refuses anything, quotes and ladders grow wider and smaller: in bands, by the policy's terms."""

from typing import Any

import msgspec
import pytest

from domain.ladder import ladder
from domain.limit import Control
from domain.quantity import Num
from domain.quote import Side
from domain.soft_action import SoftAction, band_of, check_reach, reach, soft_action
from domain.warning import LimitApproached
from tests.support.desk import Desk


def near(desk: Desk, control: Control, band: int, scope: str = "global") -> None:
    """Let the Book know that a limit is in a band."""
    event = LimitApproached(
        control=control, scope=scope, subject="", band=band, before=0, used=Num(1), limit=Num(1), unit="USD"
    )
    desk.book.approached[f"{event.control}|{event.scope}"] = event.band


def soft(desk: Desk, side: Side, pair: str = "WETH/USDe") -> SoftAction:
    found = desk.book.pair(pair)
    assert found is not None
    return soft_action(desk.book, found, side)


class TestWhatIsDoneInABand:
    @pytest.mark.parametrize(
        ("band", "done"),
        [
            (7_000, SoftAction(Num(0), Num(1))),
            (8_500, SoftAction(Num(5), Num("0.5"))),
            (9_500, SoftAction(Num(15), Num("0.25"))),
            (10_000, SoftAction(Num(15), Num("0.25"))),
        ],
    )
    def test_it_stands_in_the_policy(self, band: int, done: SoftAction):
        desk = Desk()
        near(desk, Control.GROSS_NOTIONAL, band)
        assert soft(desk, Side.MINT) == done

    def test_nothing_is_done_below_all_bands(self):
        assert soft(Desk(), Side.MINT) == SoftAction()
        policy = Desk().book.policy
        assert policy is not None
        assert band_of(policy.risk.bands, 6_999) is None

    def test_the_nearest_of_all_limits_counts(self):
        desk = Desk()
        near(desk, Control.GROSS_NOTIONAL, 8_500)
        near(desk, Control.NET_DELTA, 9_500, "asset:ETH")
        assert soft(desk, Side.MINT).wider_bps == 15

    def test_redeems_are_not_made_dearer_by_what_only_mints_add_to(self):
        desk = Desk()
        near(desk, Control.GROSS_NOTIONAL, 9_500)
        assert soft(desk, Side.REDEEM) == SoftAction()
        near(desk, Control.REDEEM_PER_DAY, 8_500)
        assert soft(desk, Side.REDEEM).wider_bps == 5

    @pytest.mark.parametrize(("scope", "wider"), [("asset:ETH", 15), ("pair:WETH/USDe", 15), ("asset:BTC", 0)])
    def test_only_limits_of_its_own_scopes_matter_to_a_pair(self, scope: str, wider: int):
        desk = Desk()
        near(desk, Control.NET_DELTA, 9_500, scope)
        assert soft(desk, Side.MINT).wider_bps == wider

    def test_the_cap_on_a_stable_softens_the_pairs_of_that_stable(self):
        desk = Desk()
        near(desk, Control.STABLE_CONCENTRATION, 8_500, "stable:USDT")
        assert soft(desk, Side.MINT, "USDT/USDe").wider_bps == 5
        assert soft(desk, Side.MINT).wider_bps == 0


class TestLadders:
    def shown(self, desk: Desk) -> Any:
        pair = desk.book.pair("WETH/USDe")
        assert pair is not None
        return ladder(desk.book, pair, desk.evidence, desk.witnesses, desk.now_us)

    def test_a_ladder_is_smaller_and_wider(self):
        desk = Desk()
        usual = self.shown(desk)
        near(desk, Control.POSITION_NOTIONAL, 8_500)
        soft = self.shown(desk)
        assert soft.max_mint == usual.max_mint * Num("0.5")
        assert soft.max_redeem == usual.max_redeem
        assert len(soft.mint) == len(usual.mint) - 1
        assert soft.mint[0].decomposition.buffer_bps == usual.mint[0].decomposition.buffer_bps + 5
        assert soft.mint[0].price < usual.mint[0].price
        assert soft.redeem == usual.redeem

    def test_a_redeem_gives_less_collateral_where_it_is_wider(self):
        desk = Desk()
        desk.book.backing["WETH"] = 10**21
        usual = self.shown(desk)
        near(desk, Control.REDEEM_PER_DAY, 9_500)
        assert self.shown(desk).redeem[0].price > usual.redeem[0].price


class TestReach:
    def test_what_is_above_the_reach_is_not_quoted_and_says_why(self):
        desk = Desk()
        pair, limit = desk.book.pair("WETH/USDe"), desk.book.limit("order_notional")
        assert pair is not None
        assert limit is not None
        assert check_reach(desk.book, pair, Side.MINT, limit.value) is None
        near(desk, Control.GROSS_NOTIONAL, 9_500)
        assert reach(desk.book, pair, Side.MINT, limit.value) == limit.value * Num("0.25")
        assert check_reach(desk.book, pair, Side.MINT, limit.value * Num("0.25")) is None
        refusal = check_reach(desk.book, pair, Side.MINT, limit.value * Num("0.3"))
        assert refusal is not None
        assert (refusal.reason.name, refusal.control) == ("ORDER_NOTIONAL", "order_notional")
        assert refusal.policy_version == 1
        assert check_reach(desk.book, pair, Side.REDEEM, limit.value) is None

    def test_a_policy_without_soft_actions_has_none(self):
        desk = Desk()
        policy = desk.book.policy
        assert policy is not None
        desk.book.policy = msgspec.structs.replace(policy, risk=msgspec.structs.replace(policy.risk, bands=()))
        near(desk, Control.GROSS_NOTIONAL, 9_500)
        assert soft(desk, Side.MINT) == SoftAction()
