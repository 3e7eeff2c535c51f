"""The demonstration's judge of faults: it holds what was recovered from, and finds what was not."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from api.demo.faults import Armed, DemoFault, judge_fault, judge_quotes, lasts_s, parse_fault
from api.settings import SettingsError
from domain.event import Event
from domain.market import Integrity, Law, SourceAge
from domain.quantity import Num
from domain.quote import QuoteIssued
from domain.suspension import OracleSuspended, VenueResumed, VenueSuspended
from tests.support.desk import Desk
from tests.support.given import START_US

ARMED = Armed(fault=DemoFault(kind="freeze", source="okx"), at_us=START_US)


def _suspended(at_us: int = START_US + 5_000, venue: str = "okx") -> VenueSuspended:
    return VenueSuspended(venue=venue, law=Law.STALE, text="old", observed_at_us=at_us)


def _resumed(venue: str = "okx") -> VenueResumed:
    return VenueResumed(venue=venue, law=Law.STALE, text="fresh", observed_at_us=START_US + 9_000)


def _quotes() -> tuple[QuoteIssued, list[Event]]:
    desk = Desk()
    desk.quote("1")
    (quote,) = [event for event in desk.events if isinstance(event, QuoteIssued)]
    return quote, list(desk.events)


@pytest.mark.parametrize(
    ("text", "kind", "source"),
    [
        ("gap", "gap", "binanceusdm"),
        ("429@bybit", "rate_limited", "bybit"),
        ("crossed_book@okx", "crossed", "okx"),
        ("clock-skew@deribit", "clock_skew", "deribit"),
        ("bad_signature@pyth", "bad_signature", "pyth"),
    ],
)
def test_a_fault_is_named_with_its_source(text: str, kind: str, source: str) -> None:
    assert parse_fault(text) == DemoFault(kind=kind, source=source)


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="no fault is called 'flood': 429, 5xx"):
        parse_fault("flood")


SLOW = Integrity(ages=(SourceAge(source="redstone", age_ms_max=60_000),))


def test_a_source_falls_silent_for_longer_than_it_may_be_old() -> None:
    assert lasts_s(parse_fault("freeze@redstone"), 130, SLOW) == 63
    assert lasts_s(parse_fault("freeze@okx"), 60, SLOW) == 15
    assert lasts_s(parse_fault("gap"), 20, SLOW) == 5


def test_a_silence_that_nobody_would_see_is_refused_with_the_time_it_takes() -> None:
    with pytest.raises(SettingsError, match=r"freeze@redstone .* 60000 ms .* --for 126"):
        lasts_s(parse_fault("freeze@redstone"), 90, SLOW)


def test_what_was_suspended_and_came_back_is_held() -> None:
    verdict = judge_fault(ARMED, [_suspended(), _resumed()])
    assert verdict.held
    assert "venue:okx by stale after 5 ms" in verdict.found


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([], "nobody was suspended"),
        ([_suspended(venue="bybit"), _resumed("bybit")], "nobody was suspended"),
        ([_suspended(START_US - 1), _resumed()], "nobody was suspended"),
        ([_suspended()], "still suspended: venue:okx"),
    ],
)
def test_what_was_not_seen_or_is_not_over_is_found(events: list[Event], found: str) -> None:
    verdict = judge_fault(ARMED, events)
    assert not verdict.held
    assert verdict.found == found


def test_a_doubled_message_needs_no_suspension() -> None:
    assert judge_fault(Armed(fault=DemoFault(kind="duplicate", source="okx"), at_us=START_US), []).held


def test_quotes_on_sound_sources_are_held() -> None:
    _, events = _quotes()
    verdict = judge_quotes(events)
    assert verdict.held
    assert verdict.found == "1 quotes"


def test_a_quote_on_a_suspended_source_is_found() -> None:
    quote, events = _quotes()
    source = quote.sources[0].venue
    assert not judge_quotes([_suspended(venue=source), *events]).held
    assert judge_quotes([_suspended(venue=source), _resumed(source), *events]).held
    oracle = OracleSuspended(oracle=source, law=Law.STALE, text="old", observed_at_us=START_US)
    assert not judge_quotes([oracle, *events]).held


@pytest.mark.parametrize("change", [{"sources": ()}, {"bid": Num(1_300), "ask": Num(1_301)}])
def test_a_quote_without_sources_or_on_sources_that_disagree_is_found(change: dict[str, Any]) -> None:
    quote, _ = _quotes()
    priced = next(number for number, source in enumerate(quote.sources) if source.bid > Decimal(2))
    sources = list(quote.sources)
    if "bid" in change:
        sources[priced] = msgspec.structs.replace(sources[priced], **change)
        change = {"sources": tuple(sources)}
    assert not judge_quotes([msgspec.structs.replace(quote, **change)]).held
