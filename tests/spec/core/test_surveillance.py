"""Suspended at once, back only after staying sound: the laws of market data with a memory."""

from typing import Any

import msgspec
import pytest

from domain.codec import decoder, encode
from domain.market import Integrity, Law, SourceAge, SourceKind, Witness
from domain.quantity import Num
from domain.surveillance import LOOKS_MAX, WARM_UP_US, Transition, Watch, begin, survey, untold
from domain.suspension import Suspension
from tests.spec.core.test_market_laws import market
from tests.support.given import START_US, a_witness, an_oracle, pegged

RULES = Integrity(ages=(SourceAge(source="redstone", age_ms_max=10_000),))
TICK_US = 250_000
BYBIT = "instrument:bybit|ETH/USDT:USDT"


class House:
    """Survey again and again, a quarter of a second apart."""

    def __init__(self, rules: Integrity = RULES, assets: tuple[str, ...] = ("ETH", "USDT")) -> None:
        self.watch = begin({}, START_US)
        self.now_us = START_US + WARM_UP_US
        self.rules = rules
        self.assets = assets
        self.watch = msgspec.structs.replace(self.watch, at_us=self.now_us)

    def look(self, witnesses: tuple[Witness, ...], looks: int = 1) -> list[str]:
        told: list[str] = []
        for _ in range(looks):
            self.now_us += TICK_US
            self.watch, transitions = survey(self.watch, witnesses, self.rules, self.now_us, self.assets)
            told += [f"{'-' if each.suspended else '+'}{each.scope}" for each in transitions]
        return told

    @property
    def laws(self) -> dict[str, str]:
        return {scope: standing.law.value for scope, standing in self.watch.standings.items()}


def lost(witnesses: tuple[Witness, ...], source: str, why: str = "closed") -> tuple[Witness, ...]:
    gone = {"bid": Num(0), "ask": Num(0), "lost": why}
    return tuple(msgspec.structs.replace(each, **gone) if each.source == source else each for each in witnesses)


def test_nothing_happens_while_all_is_well():
    assert House().look(market(), 8) == []


class TestOneOfFour:
    """10 October 2025: one venue printed 35 percent off while the others stood still."""

    def test_it_is_suspended_and_returns_with_hysteresis(self):
        house = House()
        house.look(market(), 4)
        assert house.look(market(bybit="1300")) == [f"-{BYBIT}", "-venue:bybit"]
        assert set(house.laws.values()) == {"venue_deviation"}
        assert house.look(market(bybit="1300"), 20) == []
        # 30 bps is within the law's 50, but not within half of it: not sound enough to return.
        assert house.look(market(bybit="1994"), 40) == []
        assert house.look(market(bybit="1998"), 12) == []
        assert house.look(market(bybit="1998")) == [f"+{BYBIT}", "+venue:bybit"]
        assert house.laws == {}

    def test_coming_back_is_a_leap_too(self):
        house = House()
        house.look(market(bybit="1300"))
        # A second until the leap is out of sight, then three of being sound.
        assert house.look(market(), 16) == []
        assert house.look(market()) == [f"+{BYBIT}", "+venue:bybit"]

    def test_a_relapse_starts_the_clock_again(self):
        house = House()
        house.look(market(bybit="1300"))
        house.look(market(), 12)
        house.look(market(bybit="1300"))
        assert house.look(market(), 16) == []
        assert house.look(market()) == [f"+{BYBIT}", "+venue:bybit"]

    def test_so_does_a_pause_in_which_nobody_looked(self):
        house = House()
        house.look(market(bybit="1300"))
        house.look(market(), 2)
        house.now_us += 60_000_000
        assert house.look(market(), 12) == []
        assert house.look(market()) == [f"+{BYBIT}", "+venue:bybit"]

    def test_what_is_gone_stays_suspended(self):
        house = House()
        house.look(market(bybit="1300"))
        without = tuple(each for each in market() if each.source != "bybit")
        assert house.look(without, 40) == []
        assert BYBIT in house.laws

    def test_being_away_breaks_the_time_of_being_sound(self):
        house = House()
        house.look(lost(market(), "bybit"))
        house.look(market(), 2)
        without = tuple(each for each in market() if each.source != "bybit")
        house.look(without, 14)
        assert house.look(market(), 12) == []
        assert house.look(market()) == [f"+{BYBIT}", "+venue:bybit"]

    def test_who_has_nobody_to_be_compared_with_does_not_return(self):
        house = House(assets=())
        house.look(market(bybit="1300"))
        alone = tuple(each for each in market(bybit="1300") if each.source == "bybit" or each.base == "USDT")
        assert house.look(alone, 40) == []
        assert house.look(market(), 17) == [f"+{BYBIT}", "+venue:bybit"]


class TestBlame:
    def test_of_two_venues_that_disagree_the_oracles_know_which(self):
        house = House()
        two = tuple(each for each in market(bybit="2100") if each.source not in {"okx", "deribit"})
        told = house.look(two)
        assert told == [f"-{BYBIT}", "-venue:bybit", "-asset:ETH"]
        assert house.laws[BYBIT] == "oracle_deviation"
        assert house.laws["asset:ETH"] == "quorum"

    def test_without_oracles_neither_is_believed(self):
        house = House()
        usd = tuple(
            msgspec.structs.replace(each, quote="USD")
            for each in market(bybit="2100")
            if each.source in {"bybit", "okx"}
        )
        assert house.look(usd) == [
            f"-{BYBIT}",
            "-instrument:okx|ETH/USDT:USDT",
            "-venue:bybit",
            "-venue:okx",
            "-asset:ETH",
            "-asset:USDT",
        ]
        assert house.laws[BYBIT] == "venue_deviation"

    def test_a_dislocated_oracle_is_the_one_that_is_suspended(self):
        house = House()
        assert house.look(market(pyth="2100")) == ["-oracle:pyth"]
        assert house.laws == {"oracle:pyth": "oracle_deviation"}
        assert house.look(market(pyth="2010"), 13) == ["+oracle:pyth"]

    def test_two_oracles_that_disagree_without_venues_are_both_out(self):
        house = House(assets=())
        assert house.look((an_oracle("pyth"), an_oracle("redstone", "2100"), *pegged())) == [
            "-oracle:pyth",
            "-oracle:redstone",
        ]
        assert set(house.laws.values()) == {"oracle_disagreement"}

    def test_two_oracles_that_disagree_about_a_stable_are_both_out(self):
        house = House()
        torn = (an_oracle("pyth", "0.98", "USDT"), an_oracle("redstone", "1", "USDT"))
        told = house.look((*market()[:6], *torn))
        assert told == ["-oracle:pyth", "-oracle:redstone", "-asset:ETH", "-asset:USDT"]

    def test_when_venues_are_silent_only_they_are_suspended(self):
        house = House()
        told = house.look(lost(lost(lost(market(), "okx"), "bybit"), "deribit"))
        assert [each for each in told if each.startswith("-venue")] == ["-venue:bybit", "-venue:deribit", "-venue:okx"]
        assert "-asset:ETH" in told
        assert not [each for each in told if "oracle" in each]

    def test_a_clock_that_is_wrong_takes_the_whole_venue(self):
        house = House()
        wrong = msgspec.structs.replace(a_witness("bybit", symbol="ETH/USD:ETH"), drift_ms=5_000)
        assert house.look((*market(), wrong)) == ["-instrument:bybit|ETH/USD:ETH", "-venue:bybit"]
        assert set(house.laws.values()) == {"clock_drift"}
        # Back within the law, but not within half of it.
        near = msgspec.structs.replace(wrong, drift_ms=600)
        assert house.look((*market(), near), 30) == []
        near = msgspec.structs.replace(wrong, drift_ms=500)
        assert house.look((*market(), near), 13) == ["+instrument:bybit|ETH/USD:ETH", "+venue:bybit"]

    def test_one_instrument_of_a_venue_is_not_the_venue(self):
        house = House()
        broken = msgspec.structs.replace(a_witness("bybit", symbol="ETH/USD:ETH"), lost="gap: 7 after 3")
        assert house.look((*market(), broken)) == ["-instrument:bybit|ETH/USD:ETH"]
        assert house.laws == {"instrument:bybit|ETH/USD:ETH": "gap"}

    def test_every_law_it_broke_must_be_kept_well(self):
        house = House()
        house.look(lost(market(), "bybit"))
        assert house.laws[BYBIT] == "connection"
        house.look(market(bybit="1300"))
        assert house.laws[BYBIT] == "connection"
        assert house.watch.standings[BYBIT].broken == (Law.CONNECTION, Law.VENUE_DEVIATION)
        assert house.look(market(bybit="1994"), 40) == []


class TestAges:
    def test_stale_is_suspended_and_returns_well_within_its_age(self):
        house = House()

        def aged(age_ms: int) -> tuple[Witness, ...]:
            return tuple(
                msgspec.structs.replace(each, age_ms=age_ms) if each.source == "redstone" else each for each in market()
            )

        assert house.look(aged(10_001)) == ["-oracle:redstone"]
        assert house.look(aged(6_000), 30) == []
        assert house.look(aged(5_000), 13) == ["+oracle:redstone"]


class TestPeg:
    def test_a_stable_that_is_not_worth_a_dollar_is_suspended(self):
        house = House()
        low = market(USDT="0.97", pyth="1940", redstone="1940")
        assert house.look(low) == ["-asset:USDT"]
        assert house.laws == {"asset:USDT": "depeg"}
        near = market(USDT="0.985", pyth="1970", redstone="1970")
        assert house.look(near, 30) == []
        assert house.look(market(USDT="0.99", pyth="1980", redstone="1980"), 13) == ["+asset:USDT"]


class TestJumps:
    def test_a_leap_that_the_others_do_not_make(self):
        rules = msgspec.structs.replace(RULES, venue_deviation_bps=Num(1_000), oracle_deviation_bps=Num(1_000))
        house = House(rules)
        house.look(market(), 4)
        assert house.look(market(bybit="2050")) == [f"-{BYBIT}", "-venue:bybit"]
        assert house.laws[BYBIT] == "jump"
        # It stays there: the leap leaves the window, the new price is as good as any.
        assert house.look(market(bybit="2050"), 15) == []
        assert house.look(market(bybit="2050")) == [f"+{BYBIT}", "+venue:bybit"]

    def test_a_market_that_moves_together_is_no_leap(self):
        house = House(assets=())
        house.look(market(), 4)
        moved = market(**dict.fromkeys(("binanceusdm", "bybit", "okx", "deribit", "pyth", "redstone"), "2100"))
        assert house.look(moved, 4) == []

    def test_who_is_alone_has_leapt(self):
        house = House(assets=())
        house.look((a_witness(),))
        assert house.look((a_witness(mid="2100"),)) == [f"-{BYBIT}", "-venue:bybit"]

    def test_the_memory_is_bounded(self):
        house = House()
        for _ in range(4 * LOOKS_MAX):
            house.now_us += 1_000 - TICK_US
            house.look(market())
            assert all(len(looks) <= LOOKS_MAX + 1 for looks in house.watch.looks.values())
        house.look(market(), 5)
        assert all(len(looks) <= 5 for looks in house.watch.looks.values())


class TestStart:
    def test_feeds_may_connect_before_they_are_held_to_it(self):
        watch = begin({}, START_US)
        nothing = lost(market(), "bybit")[:2]
        for later in range(0, WARM_UP_US, TICK_US):
            watch, told = survey(watch, nothing, RULES, START_US + later, ("ETH", "USDT"))
            assert told == ()
        _, told = survey(watch, nothing, RULES, START_US + WARM_UP_US, ("ETH", "USDT"))
        assert [each.scope for each in told] == [BYBIT, "venue:bybit", "asset:ETH", "asset:USDT"]

    def test_what_was_sound_once_is_held_to_it_at_once(self):
        watch, told = survey(begin({}, START_US), market(), RULES, START_US, ("ETH",))
        assert told == ()
        _, told = survey(watch, lost(market(), "bybit"), RULES, START_US + TICK_US, ("ETH",))
        assert [each.scope for each in told] == [BYBIT, "venue:bybit"]

    def test_it_goes_on_from_what_the_book_holds(self):
        held = {
            BYBIT: Suspension(BYBIT, Law.VENUE_DEVIATION, "far", START_US - 5_000_000),
            "listing:x|y": Suspension("listing:x|y", Law.REFERENCE_DATA, "lot", START_US - 1),
        }
        watch = begin(held, START_US)
        assert list(watch.standings) == [BYBIT]
        now_us = START_US
        while now_us <= START_US + 3_000_000:
            watch, told = survey(watch, market(bybit="1300"), RULES, now_us)
            assert BYBIT not in [each.scope for each in told]
            now_us += TICK_US
        back: list[Transition] = []
        for _ in range(18):
            now_us += TICK_US
            watch, told = survey(watch, market(), RULES, now_us)
            back += told
        assert (back[0].scope, back[0].suspended) == (BYBIT, False)

    def test_sources_beyond_the_bound_are_not_watched(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("domain.surveillance.WATCHED_MAX", 2)
        watch, _ = survey(Watch(), market(), RULES, START_US, ())
        assert len(watch.looks) == 2
        standing: Any = lost(lost(market(), "binanceusdm"), "bybit")
        watch, told = survey(watch, standing, RULES, START_US + TICK_US, ())
        assert len(told) == 4
        assert len(watch.standings) == 2

    def test_what_is_gone_and_was_not_suspended_is_forgotten(self):
        watch, _ = survey(Watch(), market(), RULES, START_US)
        assert BYBIT in watch.met
        watch, _ = survey(watch, market()[2:], RULES, START_US + TICK_US)
        assert BYBIT not in watch.met

    def test_time_does_not_go_back(self):
        watch, _ = survey(Watch(), market(), RULES, START_US)
        watch, told = survey(watch, lost(market(), "bybit"), RULES, START_US - 60_000_000)
        assert {each.at_us for each in told} == {START_US}


def test_the_watch_is_kept_and_read_back():
    house = House()
    house.look(market(bybit="1300"), 3)
    assert decoder(Watch).decode(encode(house.watch)) == house.watch


def test_a_transition_is_the_body_of_its_command():
    house = House()
    house.look(market())
    house.now_us += TICK_US
    _, told = survey(house.watch, lost(market(), "bybit", "gap: 5 after 3"), RULES, house.now_us)
    first = told[0]
    assert (first.kind, first.natural_key) == ("market.suspend", f"{BYBIT}/{house.now_us}")
    assert msgspec.json.decode(encode(first)) == {
        "scope": BYBIT,
        "suspended": True,
        "law": "gap",
        "text": "gap: 5 after 3",
        "at_us": house.now_us,
    }
    assert msgspec.structs.replace(first, suspended=False).kind == "market.resume"


def test_what_the_book_was_not_told_is_told_again():
    house = House()
    house.look(market(bybit="1300"))
    assert [(each.scope, each.suspended) for each in untold(house.watch, {})] == [(BYBIT, True), ("venue:bybit", True)]
    held = {
        scope: Suspension(scope, standing.law, standing.text, standing.since_us)
        for scope, standing in house.watch.standings.items()
    }
    assert untold(house.watch, held) == ()
    okx = "instrument:okx|ETH/USDT:USDT"
    others = {
        okx: Suspension(okx, Law.STALE, "old", START_US),
        "venue:unheard": Suspension("venue:unheard", Law.STALE, "old", START_US),
        "oracle:pyth": Suspension("oracle:pyth", Law.REFERENCE_DATA, "-", START_US),
    }
    assert [(each.scope, each.suspended) for each in untold(house.watch, held | others)] == [(okx, False)]


def test_spot_and_inverse_are_heard_beside_linear():
    house = House()
    spot = a_witness("binance", symbol="ETH/USDT", kind=SourceKind.SPOT)
    inverse = a_witness("deribit", quote="USD", symbol="ETH/USD:ETH", kind=SourceKind.INVERSE)
    coin = a_witness("gate", "0.05", quote="BTC", symbol="ETH/BTC")
    assert house.look((*market(), spot, inverse, coin)) == []
