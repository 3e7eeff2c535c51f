"""What a token stands for is believed within bounds, and what it changes is left to hedge."""

from typing import Any

import msgspec
import pytest

from domain.policy import PolicyAdopted
from domain.quantity import Num
from domain.ratio import EVERY_US, RatioObserved
from domain.worth import worth
from tests.support.desk import Desk, reason, tags
from tests.support.given import START_US
from tests.support.worlds import STAKED, Worlds, two_venues


def a_desk() -> Desk:
    return Desk(policy=two_venues())


def observe(desk: Desk, ratio: str = "1.201", **changes: Any) -> Any:
    body = {"asset": "wstETH", "ratio": ratio, "source": "lido", "observed_at_us": desk.now_us}
    return desk.do("ratio.observe", body | changes)


def test_a_ratio_that_moved_is_recorded():
    desk = a_desk()
    done = observe(desk)
    assert tags(done.events) == ["ratio.observed"]
    assert desk.book.ratio(STAKED) == Num("1.201")
    assert observe(desk).events == ()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"asset": "DOGE"}, "ASSET_UNSUPPORTED"),
        ({"asset": "WETH"}, "VALUE_INVALID"),
        ({"ratio": "0"}, "VALUE_INVALID"),
        ({"ratio": "-1.2"}, "VALUE_INVALID"),
        ({"ratio": "1.2121"}, "VALUE_INVALID"),
        ({"ratio": "1.1879"}, "VALUE_INVALID"),
        ({"ratio": "1e30"}, "VALUE_INVALID"),
        ({"source": ""}, "VALUE_INVALID"),
        ({"source": "x" * 65}, "VALUE_INVALID"),
        ({"source": "a\nb"}, "VALUE_INVALID"),
        ({"observed_at_us": START_US + 61_000_000}, "VALUE_INVALID"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], why: str):
    desk = a_desk()
    refused = desk.do(
        "ratio.observe", {"asset": "wstETH", "ratio": "1.201", "source": "lido", "observed_at_us": START_US} | wrong
    )
    assert reason(refused) == why
    assert desk.book.outside.ratios == {}


@pytest.mark.parametrize("ratio", ["1.212", "1.188"])
def test_as_far_as_such_tokens_move_at_once_it_is_believed(ratio: str):
    assert tags(observe(a_desk(), ratio).events) == ["ratio.observed"]


@pytest.mark.parametrize("ratio", ["NaN", "Infinity", "1e999"])
def test_what_is_no_number_is_malformed(ratio: str):
    desk = a_desk()
    body = {"asset": "wstETH", "ratio": ratio, "source": "lido", "observed_at_us": desk.now_us}
    assert getattr(desk.ask("ratio.observe", body), "status", "") == "malformed"


def test_it_moves_no_more_often_than_such_tokens_do():
    desk = a_desk()
    observe(desk)
    desk.now_us += EVERY_US - 1
    assert observe(desk, "1.202").events == ()
    desk.now_us += 1
    assert tags(observe(desk, "1.202").events) == ["ratio.observed"]
    assert observe(desk, "1.203", observed_at_us=START_US).events == ()


def test_more_that_a_token_stands_for_is_carried_until_it_is_hedged():
    worlds = Worlds()
    worlds.held(10 * 10**18, 24_000 * 10**18, "wstETH")
    carried = worlds.book.carry["ETH"]
    worlds.tell(RatioObserved(asset="wstETH", ratio=Num("1.21"), source="lido", observed_at_us=1))
    assert worlds.book.carry["ETH"] == carried - Num("0.1")


def test_a_ratio_that_people_put_in_the_policy_counts_whatever_was_observed():
    worlds = Worlds()
    worlds.tell(RatioObserved(asset="wstETH", ratio=Num("1.21"), source="lido", observed_at_us=1))
    worlds.tell(PolicyAdopted(policy=two_venues()))
    assert worlds.book.ratio(STAKED) == Num("1.21")
    cheaper = msgspec.structs.replace(STAKED, ratio=Num("1.1"))
    worlds.tell(PolicyAdopted(policy=two_venues(assets=(*two_venues().assets[:-1], cheaper))))
    assert worlds.book.ratio(cheaper) == Num("1.1")
    assert worlds.book.outside.ratios == {}


def test_without_a_policy_no_token_is_known():
    desk = a_desk()
    desk.book.policy = None
    assert reason(observe(desk)) == "ASSET_UNSUPPORTED"


def test_a_token_is_worth_what_it_stands_for_unless_it_is_marked_itself():
    worlds = Worlds()
    assert worth(worlds.book, "wstETH") is None
    worlds.marked({"ETH": (Num(2_000), Num(2_010))})
    of_ether = worth(worlds.book, "wstETH")
    assert of_ether is not None
    assert (of_ether.low, of_ether.mid, of_ether.high) == (2_400, 2_406, 2_412)
    worlds.marked({"wstETH": (Num(2_300), Num(2_400))})
    own = worth(worlds.book, "wstETH")
    assert own is not None
    assert (own.low, own.high) == (2_300, 2_400)
