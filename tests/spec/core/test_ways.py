"""Where an underlying may be hedged now, and what is told of each instrument where it may not."""

from typing import Any

import msgspec
import pytest

from domain.basis import Basis, rest_on
from domain.depth import BookEvidence
from domain.market import Law
from domain.mode import Mode
from domain.quantity import Num
from domain.refusal import Refusal
from domain.suspension import Suspension
from domain.ways import Ways, ways
from tests.support.desk import Desk, reason
from tests.support.given import a_policy, a_witness, an_oracle, pegged
from tests.support.venues import SYMBOL, VENUES, WideDesk, key, wide_policy


def found(desk: Desk, **changes: Any) -> Ways | Refusal:
    return ways(desk.book, "ETH", desk.evidence, desk.witnesses, home=desk.book.pair("WETH/USDe"), **changes)


def open_to(desk: Desk, **changes: Any) -> tuple[str, ...]:
    here = found(desk, **changes)
    assert isinstance(here, Ways), here
    return tuple(way.instrument.venue for way in here.open)


def why(desk: Desk, **changes: Any) -> dict[str, str]:
    here = found(desk, **changes)
    assert isinstance(here, Ways), here
    return {each.venue: each.reason.split(":")[0] for each in here.excluded}


def book_of(desk: Desk, venue: str) -> BookEvidence:
    return next(each for each in desk.evidence if each.venue == venue)


def suspend(desk: Desk, scope: str, law: str = "stale") -> None:
    desk.do("market.suspend", {"scope": scope, "law": law, "text": "too old", "at_us": desk.now_us})


class TestClosed:
    """One instrument is left out for each reason, the others stay."""

    @pytest.mark.parametrize(
        ("scope", "law", "told"),
        [
            ("venue:bybit", "stale", "VENUE_SUSPENDED"),
            (f"instrument:bybit|{SYMBOL}", "stale", "INSTRUMENT_SUSPENDED"),
        ],
    )
    def test_what_surveillance_suspended(self, scope: str, law: str, told: str):
        desk = WideDesk()
        suspend(desk, scope, law)
        assert (open_to(desk), why(desk)) == (("binanceusdm", "okx"), {"bybit": told})

    def test_what_its_listing_contradicts(self):
        desk = WideDesk()
        scope = f"listing:bybit|{SYMBOL}"
        desk.book.outside.suspended[scope] = Suspension(scope, Law.REFERENCE_DATA, "the lot", 0)
        assert why(desk) == {"bybit": "INSTRUMENT_SUSPENDED"}

    def test_a_venue_that_is_halted_or_lost(self):
        desk = WideDesk()
        desk.change_mode("HALTED", scope="venue:okx")
        desk.do("dependency.degraded", {"dependency": "bybit", "text": "silent"})
        assert why(desk) == {"bybit": "DEPENDENCY_LOST", "okx": "HALTED"}

    def test_a_book_that_is_missing_unsound_or_old(self):
        desk = WideDesk()
        home, second, third = (book_of(desk, venue) for venue in ("binanceusdm", "bybit", "okx"))
        desk.evidence = (home, msgspec.structs.replace(second, bids=second.asks))
        assert why(desk) == {"bybit": "REFERENCE_MISSING", "okx": "REFERENCE_MISSING"}
        desk.evidence = (home, second, msgspec.structs.replace(third, age_ms=501))
        assert why(desk) == {"okx": "REFERENCE_STALE"}

    def test_a_source_that_does_not_vouch(self):
        desk = WideDesk()
        words = list(desk.witnesses)
        place = next(place for place, each in enumerate(words) if each.source == "bybit")
        words[place] = a_witness("bybit", "2100")
        desk.heard = tuple(words)
        assert why(desk) == {"bybit": "HEDGE_UNVOUCHED"}

    def test_what_failed_in_this_hedge(self):
        desk = WideDesk()
        assert why(desk, without={key("binanceusdm")}) == {"binanceusdm": "DEPENDENCY_LOST"}
        assert open_to(desk, without={key("binanceusdm")}) == VENUES[1:]

    def test_a_quote_that_nobody_can_price(self):
        policy = wide_policy()
        odd = msgspec.structs.replace(policy.instruments[0], venue="bybit", quote="USDC")
        desk = WideDesk(policy=msgspec.structs.replace(policy, instruments=(policy.instruments[0], odd)))
        words = [
            each if each.source != "bybit" else msgspec.structs.replace(each, quote="USDC") for each in desk.witnesses
        ]
        desk.heard = (*words, *(an_oracle(name, "1", "USDC") for name in ("pyth", "redstone")))
        assert why(desk) == {}
        suspend(desk, "asset:USDC", "quorum")
        assert why(desk) == {"bybit": "ASSET_SUSPENDED"}
        desk.book.outside.suspended.clear()
        desk.heard = tuple(words)
        assert why(desk) == {"bybit": "HEDGE_UNVOUCHED"}  # in no dollars that are known its word is none


class TestNone:
    """Where no way is left, what stands in the way of the home is told."""

    def test_the_home_comes_first(self):
        desk = WideDesk()
        assert open_to(desk) == VENUES
        pair = desk.book.pair("WETH/USDe")
        assert pair is not None
        pair = msgspec.structs.replace(pair, venue="okx")
        here = ways(desk.book, "ETH", desk.evidence, desk.witnesses, home=pair)
        assert isinstance(here, Ways)
        assert here.first.instrument.venue == "okx"
        assert {way.instrument.venue for way in here.open} == set(VENUES)
        assert here.reference == here.first.seen.mid

    def test_the_next_book_gives_the_reference_while_the_home_cannot(self):
        desk = WideDesk()
        second = book_of(desk, VENUES[1])
        wider = msgspec.structs.replace(second, asks=(second.asks[1],))
        desk.evidence = tuple(wider if each is second else each for each in desk.evidence)
        suspend(desk, "venue:binanceusdm")
        here = found(desk)
        assert isinstance(here, Ways)
        assert (here.first.instrument.venue, here.reference) == (VENUES[1], wider.mid)
        quote: Any = desk.quote("1.5").events[0]
        assert quote.decomposition.reference == wider.mid
        assert [share.venue for share in quote.decomposition.hedges] == [VENUES[1]]

    def test_the_reason_of_the_home_is_told(self):
        desk = WideDesk()
        desk.change_mode("HALTED", scope="venue:okx")
        suspend(desk, "venue:binanceusdm")
        desk.do("dependency.degraded", {"dependency": "bybit", "text": "silent"})
        refusal = found(desk)
        assert isinstance(refusal, Refusal)
        assert refusal.reason.name == "VENUE_SUSPENDED"
        assert reason(desk.quote("1.5")) == "VENUE_SUSPENDED"

    def test_books_that_nobody_vouches_for_are_told_by_the_home_too(self):
        desk = WideDesk()
        desk.heard = (*(a_witness(name, "2100") for name in ("x", "y", "z")), *desk.witnesses[3:])
        desk.heard = tuple(
            msgspec.structs.replace(each, bid=Num(2100), ask=Num(2100))
            if each.base == "ETH" and each.quote == "USD"
            else each
            for each in desk.heard
        )
        assert reason(desk.quote("1.5")) == "HEDGE_UNVOUCHED"

    def test_without_a_policy_or_an_instrument(self):
        desk = WideDesk()
        refusal = ways(desk.book, "DOGE", desk.evidence, desk.witnesses)
        assert isinstance(refusal, Refusal)
        assert refusal.reason.name == "REFERENCE_MISSING"
        desk.book.policy = None
        refusal = ways(desk.book, "ETH", desk.evidence, desk.witnesses)
        assert isinstance(refusal, Refusal)
        assert refusal.reason.name == "POLICY_MISSING"

    def test_an_asset_without_a_price_has_no_way(self):
        desk = WideDesk()
        suspend(desk, "asset:ETH", "quorum")
        refusal = found(desk)
        assert isinstance(refusal, Refusal)
        assert refusal.reason.name == "ASSET_SUSPENDED"


class TestBeginning:
    """A mint begins no hedge on a venue that only reduces, nor in a stable that lost its peg; what is owed goes on."""

    def begun(self, desk: Desk) -> Ways | Refusal:
        here = found(desk)
        assert isinstance(here, Ways)
        return here.to_begin()

    def test_on_the_venues_that_do_more_than_reduce(self):
        desk = WideDesk()
        desk.change_mode("REDUCE_ONLY", scope="venue:bybit")
        assert open_to(desk) == VENUES
        here = self.begun(desk)
        assert isinstance(here, Ways)
        assert {way.instrument.venue for way in here.open} == {"binanceusdm", "okx"}
        assert [each.reason.split(":")[0] for each in here.excluded] == ["REDUCE_ONLY"]
        for venue in ("binanceusdm", "okx"):
            desk.change_mode("REDUCE_ONLY", scope=f"venue:{venue}")
        refusal = self.begun(desk)
        assert isinstance(refusal, Refusal)
        assert refusal.reason.name == "REDUCE_ONLY"

    def test_in_stables_that_hold_their_peg(self):
        desk = WideDesk()
        here = found(desk)
        assert isinstance(here, Ways)
        assert here.to_begin() is here
        suspend(desk, "asset:USDT", "depeg")
        assert open_to(desk) == VENUES
        refusal = self.begun(desk)
        assert isinstance(refusal, Refusal)
        assert refusal.reason.name == "ASSET_DEPEGGED"

    def test_by_the_evidence_itself(self):
        desk = WideDesk()
        desk.heard = (*desk.witnesses[:5], *pegged("0.979"))
        desk.heard = tuple(
            each if each.quote != "USD" or each.base != "ETH" else an_oracle(each.source, "1958") for each in desk.heard
        )
        refusal = self.begun(desk)
        assert isinstance(refusal, Refusal)
        assert refusal.reason.name == "ASSET_DEPEGGED"


def test_a_pair_is_as_free_as_the_freest_of_its_venues():
    desk = WideDesk()
    desk.change_mode("HALTED", scope="venue:binanceusdm")
    desk.change_mode("REDUCE_ONLY", scope="venue:bybit")
    assert reason(desk.quote("1.5")) == ""
    desk.change_mode("REDUCE_ONLY", scope="venue:okx")
    assert reason(desk.quote("1.5")) == "REDUCE_ONLY"
    desk.change_mode("HALTED", scope="venue:bybit")
    desk.change_mode("HALTED", scope="venue:okx")
    assert reason(desk.quote("1.5", side="REDEEM")) == "HALTED"
    assert desk.book.modes["venue:okx"] is Mode.HALTED


def test_everyone_who_vouches_for_any_of_the_ways_is_named_once():
    desk = WideDesk()
    pair = desk.book.pair("WETH/USDe")
    assert pair is not None
    basis = rest_on(desk.book, pair, desk.evidence, desk.witnesses)
    assert isinstance(basis, Basis)
    assert [each.venue for each in basis.sources] == [
        "binanceusdm",
        "bybit",
        "okx",
        "pyth",
        "pyth",
        "redstone",
        "redstone",
    ]


def test_one_instrument_is_still_one_way():
    desk = Desk(policy=a_policy())
    assert open_to(desk) == ("binanceusdm",)
