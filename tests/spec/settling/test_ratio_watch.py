"""Ratios mirrored into the book: as often as they may move, and what is not believed or not read reaches people."""

import asyncio
from typing import Any

import msgspec
import pytest

from api.chain.ratio_watch import AGAIN_US, UNREAD_MAX_US, RatioWatch
from api.chain.settings import RatioSettings, ratio_faults
from api.chain.watched import RatioSource, Watched
from api.replica import Replica
from commands.chain_ports import View
from domain.quantity import Num
from domain.ratio import EVERY_US
from domain.refusal import Rejected, Unavailable
from domain.transaction import Block
from tests.support.desk import Desk
from tests.support.given import block_hash
from tests.support.worlds import STAKED, two_venues

CONTRACT = "0x" + "7f" * 20
LIDO = RatioSource(asset="wstETH", contract=CONTRACT, function="stEthPerToken()", source="lido")
VAULT = RatioSource(asset="wstETH", contract=CONTRACT, function="convertToAssets(uint256)", source="vault", decimals=6)


class Stand:
    """A watch, the book that its facts reach, and a contract that answers what a test wants."""

    def __init__(self, *sources: RatioSource) -> None:
        self.desk = Desk(policy=two_venues())
        self.answer: int | Exception = 12 * 10**17
        self.asked: list[tuple[View, int]] = []
        self.told: list[tuple[str, str]] = []
        reader: Any = self
        watched = Watched(reader=reader, finality_blocks=3, first_block=0, ratios=sources or (LIDO,))
        self.watch = RatioWatch(Replica(self.desk.book, 7), watched, self, self)

    def now_us(self) -> int:
        return self.desk.now_us

    async def number_of(self, view: View, number: int) -> int:
        self.asked.append((view, number))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        if (kind, natural_key) not in self.told:
            self.told.append((kind, natural_key))
            self.desk.do(kind, msgspec.Raw(body), actor=source)
        return None

    def look(self, answer: int | Exception | None = None, *, later_us: int = 0) -> None:
        """Look from the next head, later, with another answer if there is one."""
        self.answer = self.answer if answer is None else answer
        self.desk.now_us += later_us
        head = Block(number=50, block_hash=block_hash(50), parent_hash=block_hash(49), timestamp_s=1)
        asyncio.run(self.watch.look(head))

    @property
    def ratio(self) -> Num:
        return self.desk.book.ratio(STAKED)

    @property
    def alerts(self) -> list[str]:
        return [each.raised.text for each in self.desk.book.alerts.values()]


def test_a_ratio_is_read_at_a_final_block_and_told_once_it_moved() -> None:
    stand = Stand()
    stand.look()
    assert stand.asked == [(View(contract=CONTRACT, function="stEthPerToken()"), 47)]
    assert stand.told == []  # it is what the policy says
    stand.look(1_201_000_000_000_000_000, later_us=EVERY_US)
    assert stand.ratio == Num("1.201")
    assert [kind for kind, _ in stand.told] == ["ratio.observe"]


def test_it_is_asked_for_no_more_often_than_it_may_move() -> None:
    stand = Stand()
    stand.look()
    stand.look(later_us=EVERY_US - 1)
    assert len(stand.asked) == 1
    stand.look(later_us=1)
    assert len(stand.asked) == 2


def test_a_vault_is_asked_what_a_whole_share_comes_to() -> None:
    stand = Stand(VAULT)
    stand.look(1_205_000)
    assert stand.asked[0][0] == View(contract=CONTRACT, function="convertToAssets(uint256)", arguments=(10**18,))
    assert stand.ratio == Num("1.205")


def test_what_moved_further_than_such_tokens_do_reaches_a_person_and_not_the_book() -> None:
    stand = Stand()
    stand.look(13 * 10**17)
    assert stand.ratio == Num("1.2")
    (text,) = stand.alerts
    assert text.startswith("lido tells 1.3, which is not believed: wstETH stood for 1.2 ETH")
    (alert,) = stand.desk.book.alerts.values()
    assert (alert.raised.severity, alert.raised.area, alert.raised.subject) == ("critical", "ratio", "wstETH")
    stand.look(14 * 10**17, later_us=EVERY_US)
    assert len(stand.alerts) == 1  # told once while the same ratio is in force
    stand.look(1_202_000_000_000_000_000, later_us=EVERY_US)
    assert (stand.alerts, stand.ratio) == ([], Num("1.202"))
    stand.look(13 * 10**17, later_us=EVERY_US)
    assert len(stand.alerts) == 1


@pytest.mark.parametrize("error", [Rejected("REVERTED", "no"), Unavailable("contract_differs: another")])
def test_what_cannot_be_read_is_asked_for_again_and_told_of_in_the_end(error: Exception) -> None:
    stand = Stand()
    stand.look(error)
    stand.look(later_us=AGAIN_US)
    assert (len(stand.asked), stand.alerts) == (2, [])
    stand.look(later_us=UNREAD_MAX_US)
    (text,) = stand.alerts
    assert "stEthPerToken()" in text
    assert "1.2 goes on counting" in text
    stand.look(1_201_000_000_000_000_000, later_us=AGAIN_US)
    assert (stand.alerts, stand.ratio) == ([], Num("1.201"))


def test_one_that_cannot_be_read_keeps_no_other_from_it() -> None:
    stand = Stand(msgspec.structs.replace(LIDO, asset="gone"), LIDO)
    stand.look(1_201_000_000_000_000_000)
    assert stand.ratio == Num("1.201")


def a_setting(**changes: Any) -> RatioSettings:
    plain: dict[str, Any] = {
        "asset": "wstETH",
        "contract": CONTRACT,
        "function": "stEthPerToken()",
        "source": "lido",
    }
    return RatioSettings(**(plain | changes))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"asset": "DOGE"}, "under policy.assets"),
        ({"asset": "WETH"}, "other than 1"),
        ({"function": "stEthPerToken"}, "needs a function"),
        ({"function": "rate(address)"}, "needs a function"),
        ({"decimals": -1}, "decimals"),
        ({"decimals": 37}, "decimals"),
        ({"source": ""}, "source"),
    ],
)
def test_settings_that_could_not_be_followed_are_named(wrong: dict[str, Any], why: str) -> None:
    assert why in ratio_faults((a_setting(**wrong),), two_venues().assets)


def test_settings_that_can_be_followed_are_not() -> None:
    assets = two_venues().assets
    assert ratio_faults((a_setting(function="convertToAssets(uint256)"),), assets) == ""
    assert "one source" in ratio_faults((a_setting(), a_setting()), assets)
