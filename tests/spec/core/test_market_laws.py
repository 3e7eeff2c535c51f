"""The laws of market data without a memory: one source alone, then all of an asset together."""

from typing import Any

import msgspec
import pytest

from domain.market import Integrity, Law, SourceAge, SourceKind, Witness, judge, witness_scopes
from domain.quantity import Num
from domain.reference import Reference, needed, reference
from domain.refusal import Reason, Refusal
from tests.support.given import a_witness, an_oracle, pegged

RULES = Integrity(ages=(SourceAge(source="redstone", age_ms_max=30_000),))
VENUES = ("binanceusdm", "bybit", "okx", "deribit")


def law(witness: Witness) -> str:
    fault = judge(witness, RULES)
    return "" if fault is None else fault.law.value


class TestAlone:
    @pytest.mark.parametrize(
        ("said", "told"),
        [
            ({}, ""),
            ({"lost": "gap: 5 after 3"}, "gap"),
            ({"lost": "crossed after an update"}, "crossed"),
            ({"lost": "the socket was closed"}, "connection"),
            ({"lost": "connection"}, "connection"),
            ({"bid": Num(0)}, "empty"),
            ({"ask": Num(-1)}, "empty"),
            ({"bid": Num(2001), "ask": Num(2001)}, "crossed"),
            ({"bid": Num(2002), "ask": Num(2001)}, "crossed"),
            ({"drift_ms": 1_000}, ""),
            ({"drift_ms": 1_001}, "clock_drift"),
            ({"drift_ms": -1_001}, "clock_drift"),
            ({"age_ms": 2_000}, ""),
            ({"age_ms": 2_001}, "stale"),
            ({"age_ms": 1_500, "drift_ms": -500}, ""),
            ({"age_ms": 1_500, "drift_ms": -501}, "stale"),
            ({"age_ms": -1_000}, ""),
            ({"age_ms": -1_001}, "clock_drift"),
            ({"source": "redstone", "age_ms": 30_000}, ""),
            ({"source": "redstone", "age_ms": 30_001}, "stale"),
        ],
    )
    def test_a_venue(self, said: dict[str, Any], told: str):
        assert law(msgspec.structs.replace(a_witness(), **said)) == told

    @pytest.mark.parametrize(
        ("bid", "ask", "told"),
        [("2000", "2000", ""), ("1990", "2010", ""), ("1989.9", "2010.1", "confidence"), ("2001", "2000", "crossed")],
    )
    def test_an_oracle(self, bid: str, ask: str, told: str):
        assert law(msgspec.structs.replace(an_oracle(), bid=Num(bid), ask=Num(ask))) == told

    def test_a_fault_says_how_much_and_how_much_may_be(self):
        fault: Any = judge(msgspec.structs.replace(an_oracle(), bid=Num(1980), ask=Num(2020)), RULES)
        assert (str(fault.value), str(fault.limit), fault.law) == ("100", "50", Law.CONFIDENCE)

    def test_the_scopes_it_may_be_suspended_under(self):
        where = "bybit|ETH/USDT:USDT"
        assert witness_scopes(a_witness()) == (f"instrument:{where}", "venue:bybit", f"listing:{where}")
        assert witness_scopes(an_oracle("pyth")) == ("oracle:pyth",)


def market(**mids: str) -> tuple[Witness, ...]:
    """Return four venues and two oracles at 2000, and a stable at par; anything may be said otherwise."""
    venues = tuple(a_witness(name, mids.get(name, "2000")) for name in VENUES)
    oracles = tuple(an_oracle(name, mids.get(name, "2000")) for name in ("pyth", "redstone"))
    return (*venues, *oracles, *pegged(mids.get("USDT", "1")))


def known(witnesses: tuple[Witness, ...], base: str = "ETH", rules: Integrity = RULES, **suspended: bool) -> Reference:
    found = reference(base, witnesses, rules, suspended)
    assert isinstance(found, Reference), found
    return found


def missing(witnesses: tuple[Witness, ...], base: str = "ETH", rules: Integrity = RULES, out: Any = ()) -> str:
    found = reference(base, witnesses, rules, out)
    assert isinstance(found, Refusal), found
    assert (found.reason, found.scope) == (Reason.QUORUM_MISSING, f"asset:{base}")
    return found.text.partition(": ")[2]


def names(found: Reference) -> list[str]:
    return [source.venue for source in found.sources if source.symbol.startswith("ETH")]


class TestTogether:
    def test_everyone_vouches(self):
        found = known(market())
        assert (str(found.mid), str(found.lower), str(found.upper)) == ("2000", "1999.99", "2000.01")
        assert names(found) == ["binanceusdm", "bybit", "deribit", "okx", "pyth", "redstone"]
        assert found.vouches("bybit", "ETH/USDT:USDT")
        assert not found.vouches("bybit", "ETH/USD:ETH")
        assert not found.vouches("gate", "ETH/USDT:USDT")

    def test_a_venue_far_from_the_others_does_not_vouch(self):
        found = known(market(binanceusdm="1300"))
        assert names(found) == ["bybit", "deribit", "okx", "pyth", "redstone"]
        assert str(found.mid) == "2000"

    def test_a_tenth_of_a_percent_is_no_lie(self):
        assert len(names(known(market(binanceusdm="2002")))) == 6

    def test_of_two_that_disagree_neither_vouches(self):
        two = (a_witness("bybit"), a_witness("okx", "2100"), an_oracle(), *pegged())
        assert missing(two) == "0 of 2 venues vouch, 2 were heard"
        halves = (*market()[:2], a_witness("okx", "2100"), a_witness("deribit", "2100"), an_oracle(), *pegged())
        assert missing(halves) == "0 of 2 venues vouch, 4 were heard"

    def test_oracles_that_disagree_are_no_quorum(self):
        assert missing(market(pyth="2100")) == "0 of 1 oracles vouch, 2 were heard"
        third = an_oracle("chainlink", "2001")
        assert names(known((*market(pyth="2100"), third))) == [
            "binanceusdm",
            "bybit",
            "chainlink",
            "deribit",
            "okx",
            "redstone",
        ]

    def test_venues_and_oracles_must_agree(self):
        assert missing(market(pyth="2100", redstone="2100")).startswith("venues and oracles lie 476.1905 bps apart")
        assert len(names(known(market(pyth="2015", redstone="2015")))) == 6

    def test_a_venue_with_several_instruments_is_one(self):
        own = tuple(a_witness("bybit", symbol=f"ETH/{quote}") for quote in ("USDT", "USDT:USDT"))
        assert missing((*own, an_oracle(), *pegged())) == "1 of 2 venues vouch, 1 were heard"

    def test_what_is_unsound_or_suspended_is_not_heard(self):
        assert names(known((msgspec.structs.replace(market()[0], age_ms=9_000), *market()[1:])))[0] == "bybit"
        suspended = {"venue:binanceusdm", "instrument:bybit|ETH/USDT:USDT", "listing:okx|ETH/USDT:USDT"}
        assert missing(market(), out=suspended) == "1 of 2 venues vouch, 1 were heard"
        assert missing(market(), out={"oracle:pyth", "oracle:redstone"}).startswith("0 of 2 venues")  # no stable either
        usd = tuple(msgspec.structs.replace(each, quote="USD") for each in market()[:4])
        assert missing((*usd, *market()[4:]), out={"oracle:pyth", "oracle:redstone"}).startswith("0 of 1 oracles")

    def test_each_quote_is_converted_at_market(self):
        found = known(market(USDT="0.98", pyth="1960", redstone="1960"))
        assert str(found.mid) == "1960"
        dollars = a_witness("deribit", "1960", quote="USD", symbol="ETH/USD:ETH", kind=SourceKind.INVERSE)
        cents = a_witness("okx", "1960", quote="USDC", symbol="ETH/USDC:USDC")
        mixed = (*market(USDT="0.98", pyth="1960", redstone="1960")[:2], dollars, cents, an_oracle(price="1960"))
        found = known((*mixed, *pegged("0.98"), *pegged("1", "USDC")))
        assert names(found) == ["binanceusdm", "bybit", "deribit", "okx", "pyth"]
        behind = {source.symbol for source in found.sources}
        assert behind >= {"USDT/USD", "USDC/USD"}
        # Without anybody who knows what USDC is worth, who is quoted in it cannot be heard.
        assert names(known((*mixed, *pegged("0.98")))) == ["binanceusdm", "bybit", "deribit", "pyth"]

    def test_what_is_quoted_in_something_else_says_nothing(self):
        crossed = a_witness("okx", "0.05", quote="BTC", symbol="ETH/BTC")
        assert "okx" not in names(known((*market()[:2], crossed, *market()[4:])))

    def test_a_quorum_may_be_of_venues_or_oracles_alone(self):
        only_venues = Integrity(quorum_oracles=0, stables=())
        usd = tuple(msgspec.structs.replace(each, quote="USD") for each in market()[:4])
        assert str(known(usd, rules=only_venues).mid) == "2000"
        only_oracles = Integrity(quorum_venues=0)
        assert names(known(market()[4:], rules=only_oracles)) == ["pyth", "redstone"]
        assert missing((), rules=Integrity(quorum_venues=0, quorum_oracles=0)) == "nobody was heard"


class TestStables:
    def test_oracles_say_what_it_is_worth(self):
        oracles = (an_oracle("pyth", "0.9995", "USDT"), an_oracle("redstone", "1.0005", "USDT"))
        found = known(oracles, "USDT")
        assert (str(found.lower), str(found.mid), str(found.upper)) == ("0.9995", "1", "1.0005")

    def test_who_trades_it_for_dollars_is_heard_too(self):
        spot = a_witness("kraken", "0.9999", base="USDT", quote="USD", symbol="USDT/USD", kind=SourceKind.SPOT)
        spot = msgspec.structs.replace(spot, bid=Num("0.9998"), ask=Num("1"))
        found = known((an_oracle("pyth", "0.9999", "USDT"), spot), "USDT")
        assert [source.venue for source in found.sources] == ["kraken", "pyth"]
        assert str(found.lower) == "0.9998"
        assert missing((spot,), "USDT") == "0 of 1 oracles vouch, 1 sources were heard"

    def test_two_oracles_that_disagree_know_nothing(self):
        torn = (an_oracle("pyth", "0.95", "USDT"), an_oracle("redstone", "1", "USDT"))
        assert missing(torn, "USDT") == "0 of 1 oracles vouch, 2 sources were heard"
        assert missing((), "USDT") == "0 of 1 oracles vouch, 0 sources were heard"


def test_only_what_a_decision_may_rest_on_is_needed():
    everything = (
        *market(),
        an_oracle(base="BTC"),
        *pegged("1", "USDC"),
        a_witness("okx", quote="BTC", symbol="ETH/BTC"),
    )
    assert needed("ETH", everything, RULES) == market()
    assert needed("USDT", everything, RULES) == pegged()
    assert needed("BTC", everything, RULES) == (an_oracle(base="BTC"),)
    assert needed("ETH", needed("ETH", everything, RULES), RULES) == market()
