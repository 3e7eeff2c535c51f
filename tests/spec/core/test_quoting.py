"""A price is promised once everything it rests on is there, and refused for the first reason that applies."""

from typing import Any

import msgspec
import pytest

from domain.book import QUOTE_RETENTION_US
from domain.quantity import Num
from domain.refusal import Reason
from tests.support.desk import Desk, reason, tags
from tests.support.given import BENEFACTOR, START_US, a_book, a_policy


def ask(desk: Desk, **changes: object) -> str:
    body: dict[str, object] = {
        "pair": "WETH/USDe",
        "side": "MINT",
        "kind": "ALGO",
        "size": "1.5",
        "benefactor": BENEFACTOR,
    }
    return reason(desk.do("quote.issue", body | changes))


def test_a_quote_says_what_it_is_made_of():
    quote: Any = Desk().quote("1.5").events[0]
    assert (quote.collateral.asset, quote.collateral.atoms) == ("WETH", 1_500_000_000_000_000_000)
    # 1.5 at the bid of 2000 is 3000, less 12 bps (5 venue, 5 fee, 2 buffer), less 0.5 of gas.
    assert quote.issued.atoms == 2_995_900_000_000_000_000_000
    assert str(quote.decomposition.reference) == "2000.05"
    assert str(quote.decomposition.hedge_price) == "2000"
    assert str(quote.decomposition.hedge_cost_bps) == "0.25"
    assert quote.decomposition.gas.atoms == 500_000_000_000_000_000
    assert [(source.venue, source.symbol, source.kind.value, source.sequence) for source in quote.sources] == [
        ("binanceusdm", "ETH/USDT:USDT", "linear", 7),
        ("bybit", "ETH/USDT:USDT", "linear", 1),
        ("okx", "ETH/USDT:USDT", "linear", 1),
        ("pyth", "ETH/USD", "oracle", 1),
        ("pyth", "USDT/USD", "oracle", 1),
        ("redstone", "ETH/USD", "oracle", 1),
        ("redstone", "USDT/USD", "oracle", 1),
    ]
    assert (quote.decomposition.stable_price, quote.decomposition.stable_cost_bps) == (1, 0)
    assert (quote.issued_at_us, quote.expires_at_us) == (START_US, START_US + 15_000_000)


def test_a_redeem_gives_less_collateral_than_its_dollars_buy():
    quote: Any = Desk().quote("3000", side="REDEEM").events[0]
    assert quote.issued.atoms == 3_000 * 10**18
    # (3000 - 0.5) less 12 bps, bought at the ask of 2000.1, rounded down to an atom.
    assert quote.collateral.atoms == int((Num("2999.5") * Num("0.9988") * 10**18 / Num("2000.1")).__floor__())


def test_a_stable_that_is_worth_a_dollar_needs_no_venue():
    desk = Desk()
    desk.evidence = ()
    quote: Any = desk.quote("100", pair="USDT/USDe").events[0]
    assert (quote.collateral.atoms, quote.issued.atoms) == (100_000_000, 99_500_000_000_000_000_000)
    back: Any = desk.quote("100", pair="usdt/usde", side="REDEEM").events[0]
    assert (back.collateral.atoms, back.issued.atoms) == (99_500_000, 100 * 10**18)
    assert [(source.venue, source.symbol) for source in back.sources] == [
        ("pyth", "USDT/USD"),
        ("redstone", "USDT/USD"),
    ]


def test_a_quote_is_reserved_for_who_asked_under_an_id_of_its_command():
    desk = Desk()
    one, two = desk.quote("1"), desk.quote("1")
    assert one.events[0].originator != two.events[0].originator
    assert set(desk.book.quotes) == {one.events[0].originator, two.events[0].originator}


class TestRefusals:
    """Every refusal, each added to those after it: the first one in the order of `Reason` is told."""

    LADDER: tuple[tuple[Reason, dict[str, object]], ...] = (
        (Reason.PAIR_UNSUPPORTED, {"pair": "DOGE/USDe"}),
        (Reason.SIDE_UNSUPPORTED, {"side": "LEND"}),
        (Reason.SIZE_NOT_POSITIVE, {"size": "-1000000"}),
        (Reason.SIZE_TOO_PRECISE, {"size": "1000000.0000000000000000000001"}),
        (Reason.BENEFACTOR_NOT_WHITELISTED, {"benefactor": "0x" + "ff" * 20}),
    )

    @pytest.mark.parametrize("first", range(len(LADDER)))
    def test_what_was_asked_is_judged_before_the_state_of_the_house(self, first: int):
        desk = Desk(limits=False)
        desk.evidence = ()
        desk.change_mode("HALTED")
        wrong: dict[str, object] = {}
        for _, change in self.LADDER[first:]:
            wrong = change | wrong
        assert ask(desk, **wrong) == self.LADDER[first][0].name

    def test_then_the_state_then_the_data_then_the_limits_then_the_price(self):
        desk = Desk(limits=False)
        desk.evidence = ()
        told: list[str] = []
        desk.change_mode("HALTED")
        told.append(ask(desk, size="0.0001"))
        desk.change_mode("REDUCE_ONLY", actor="bob")
        told.append(ask(desk, size="0.0001"))
        desk.change_mode("ACTIVE", actor="cleo")
        desk.do("dependency.degraded", {"dependency": "binanceusdm", "text": "silent"})
        told.append(ask(desk, size="0.0001"))
        desk.do("dependency.restored", {"dependency": "binanceusdm", "text": "back"})
        told.append(ask(desk, size="0.0001"))
        desk.evidence = (a_book(age_ms=501),)
        told.append(ask(desk, size="0.0001"))
        desk.set_limit("quote_age", "500")
        told.append(ask(desk, size="0.0001"))
        desk.evidence = (a_book(age_ms=500, depth="0.00005"),)
        told.append(ask(desk, size="0.00011"))
        desk.evidence = (a_book(age_ms=500),)
        told.append(ask(desk, size="0.0001"))
        told.append(ask(desk, size="1.5"))
        for control in ("mint_per_block", "mint_per_day"):
            desk.set_limit(control, "1000000")
        desk.set_limit("price_collar_period", "500")
        desk.set_limit("order_notional", "2999.99")
        told.append(ask(desk, size="1.5"))
        desk.set_limit("order_notional", "3000")
        told.append(ask(desk, size="1.5"))
        assert told == [
            "HALTED",
            "REDUCE_ONLY",
            "DEPENDENCY_LOST",
            "REFERENCE_MISSING",
            "LIMIT_MISSING",
            "REFERENCE_STALE",
            "DEPTH_INSUFFICIENT",
            "SIZE_BELOW_GAS",
            "LIMIT_MISSING",
            "ORDER_NOTIONAL",
            "",
        ]

    def test_without_a_policy_nothing_can_be_judged(self):
        desk = Desk(limits=False)
        desk.book.policy = None
        assert ask(desk, pair="DOGE/USDe") == "POLICY_MISSING"

    def test_a_redeem_below_gas_or_beyond_the_book(self):
        desk = Desk()
        assert ask(desk, side="REDEEM", size="0.5") == "SIZE_BELOW_GAS"
        assert ask(desk, side="REDEEM", size="0.500000000000000001") == "SIZE_BELOW_GAS"
        assert ask(desk, side="REDEEM", size="250000") == "DEPTH_INSUFFICIENT"

    def test_a_stable_that_does_not_cover_gas(self):
        desk = Desk()
        assert ask(desk, pair="USDT/USDe", size="0.5") == "SIZE_BELOW_GAS"
        assert ask(desk, pair="USDT/USDe", size="0.5000001", side="REDEEM") == "SIZE_BELOW_GAS"

    @pytest.mark.parametrize(
        "book",
        [
            a_book("2000.1", "2000.1"),
            a_book("2001", "2000"),
            a_book("0", "0.1"),
            a_book("-2", "-1"),
            msgspec.structs.replace(a_book(), bids=()),
        ],
        ids=["locked", "crossed", "no bid", "below zero", "one-sided"],
    )
    def test_an_unsound_book_is_no_reference(self, book: Any):
        desk = Desk()
        desk.evidence = (book,)
        assert ask(desk) == "REFERENCE_MISSING"

    def test_the_size_is_counted_exactly_however_many_figures_it_has(self):
        # Decimal.normalize rounds at 28 figures: this one would have counted as the single figure 1.
        assert ask(Desk(), size="1." + "0" * 35 + "1") == "SIZE_TOO_PRECISE"
        assert ask(Desk(), size="1.00000000000000001") == ""
        assert ask(Desk(), size="1.000000000000000010000") == ""

    def test_an_empty_whitelist_admits_everyone(self):
        assert ask(Desk(policy=a_policy(benefactors=())), benefactor="") == ""
        assert ask(Desk(), benefactor="") == "BENEFACTOR_NOT_WHITELISTED"


@pytest.mark.parametrize(
    ("scope", "mode", "mint", "redeem"),
    [
        ("global", "REDUCE_ONLY", "REDUCE_ONLY", ""),
        ("global", "HALTED", "HALTED", "HALTED"),
        ("venue:binanceusdm", "REDUCE_ONLY", "REDUCE_ONLY", ""),
        ("venue:binanceusdm", "HALTED", "HALTED", "HALTED"),
        ("asset:ETH", "HALTED", "HALTED", "HALTED"),
        ("pair:WETH/USDe", "REDUCE_ONLY", "REDUCE_ONLY", ""),
        ("pair:USDT/USDe", "HALTED", "", ""),
        ("asset:USDT", "HALTED", "", ""),
    ],
)
def test_what_each_mode_of_each_scope_permits(scope: str, mode: str, mint: str, redeem: str):
    desk = Desk()
    desk.held()
    assert tags(desk.change_mode(mode, scope=scope).events) == ["mode.changed"]
    assert ask(desk) == mint
    assert ask(desk, side="REDEEM", size="3000") == redeem


def test_a_venue_that_only_reduces_has_room_for_no_more_than_is_there():
    desk = Desk()
    desk.change_mode("REDUCE_ONLY", scope="venue:binanceusdm")
    assert ask(desk, side="REDEEM", size="3000") == "ROOM_INSUFFICIENT"
    desk = Desk()
    desk.held()  # ten
    desk.change_mode("REDUCE_ONLY", scope="venue:binanceusdm")
    assert ask(desk, side="REDEEM", size="20000") == ""
    assert ask(desk, side="REDEEM", size="20100") == "ROOM_INSUFFICIENT"


def test_a_halted_venue_does_not_stop_a_stable_that_is_held():
    desk = Desk()
    desk.change_mode("HALTED", scope="venue:binanceusdm")
    desk.do("dependency.degraded", {"dependency": "binanceusdm", "text": "silent"})
    assert ask(desk, pair="USDT/USDe", size="100") == ""


def test_quotes_are_forgotten_after_their_retention():
    desk = Desk()
    first = desk.quote("1").events[0].originator
    desk.now_us += 15_000_000 + QUOTE_RETENTION_US
    desk.evidence = (a_book(),)
    desk.quote("1")
    assert first in desk.book.quotes
    desk.now_us += 1
    desk.quote("1")
    assert first not in desk.book.quotes
    assert first not in desk.book.versions
