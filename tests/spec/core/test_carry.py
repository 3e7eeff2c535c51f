"""Funding forecasts count the payments that happen; what is not known counts against us; marks reach decisions."""

from decimal import Decimal

import msgspec

from api.market import marks as subject
from api.market.markets import Markets
from api.market.marks import MARK
from commands.envelope import Envelope
from commands.evidence import trim
from commands.quote import IssueQuote
from commands.request import AcceptRequest
from domain.carry import (
    FundingTerms,
    annual_bps,
    basis_bps,
    convergence_usd,
    find_mark,
    funding_forecast,
    funding_usd,
)
from domain.codec import decoder, encode
from domain.ids import natural_id
from domain.quantity import Num
from domain.quote import Side
from domain.venue import HOUR_MS, MarkReport
from tests.support.desk import Desk
from tests.support.given import BENEFACTOR, START_US, a_mark

HOUR_US = HOUR_MS * 1_000
FLAT = FundingTerms(anchor_per_hour=Num(0), persistence_per_hour=Num("0.5"))


def a_report(symbol: str = "ETH/USDT:USDT", *, at_us: int = START_US, rate: str = "0.0001") -> MarkReport:
    return MarkReport(
        venue="okx",
        symbol=symbol,
        mark_price=Decimal("2000.5"),
        index_price=Decimal(2000),
        funding_rate=Decimal(rate),
        funding_interval_ms=8 * HOUR_MS,
        next_funding_us=START_US + HOUR_US,
        at_us=at_us,
    )


def forecast(rate: str, interval_h: int, next_h: int, horizon_h: int, terms: FundingTerms = FLAT) -> tuple[Num, int]:
    mark = a_mark(rate=rate, interval_ms=interval_h * HOUR_MS, next_funding_us=START_US + next_h * HOUR_US)
    found = funding_forecast(mark, terms, now_us=START_US, horizon_ms=horizon_h * HOUR_MS, sell=True)
    assert found.doubt == ""
    return found.per_hour * horizon_h, found.payments


def test_a_payment_within_the_horizon_counts_at_the_rate_that_is_shown() -> None:
    assert forecast("0.0008", 8, 3, 4) == (Num("0.0008"), 1)


def test_a_payment_at_the_end_of_the_horizon_counts_and_one_after_it_does_not() -> None:
    assert forecast("0.0008", 8, 4, 4) == (Num("0.0008"), 1)
    assert forecast("0.0008", 8, 5, 4) == (Num(0), 0)


def test_later_payments_fade_by_the_hours_since_the_one_that_is_shown() -> None:
    assert forecast("0.0008", 1, 1, 3) == (Num("0.0014"), 3)  # 8 + 4 + 2
    assert forecast("0.0008", 4, 1, 5) == (Num("0.00085"), 2)  # four hours later: a sixteenth


def test_they_fade_towards_the_anchor_of_their_own_interval() -> None:
    terms = FundingTerms(anchor_per_hour=Num("0.00001"), persistence_per_hour=Num("0.5"))
    # The anchor of four hours is 0.00004; of the 0.00016 above it a sixteenth is left four hours later.
    assert forecast("0.0002", 4, 1, 5, terms) == (Num("0.0002") + Num("0.00005"), 2)


def test_the_same_rate_an_hour_is_the_same_forecast_an_hour_whatever_the_interval() -> None:
    steady = FundingTerms(anchor_per_hour=Num("0.00001"))
    found = {
        forecast(rate, hours, hours, 8, steady)[0] for rate, hours in (("0.00001", 1), ("0.00004", 4), ("0.00008", 8))
    }
    assert found == {Num("0.00008")}


def test_a_payment_that_is_past_is_not_counted_again() -> None:
    mark = a_mark(rate="0.0008", interval_ms=HOUR_MS, next_funding_us=START_US)
    found = funding_forecast(mark, FLAT, now_us=START_US, horizon_ms=HOUR_MS, sell=True)
    assert (found.per_hour, found.payments) == (Num("0.0004"), 1)


def test_what_is_not_known_counts_against_whoever_trades() -> None:
    terms = FundingTerms()
    for mark, why in (
        (None, "no mark"),
        (a_mark(age_ms=120_001), "its mark is 120001 ms old"),
        (a_mark(mark="0"), "its mark or its index is not above zero"),
        (a_mark(interval_ms=0), "its funding interval of 0 ms cannot be"),
        (a_mark(next_funding_us=0), "its funding interval of 28800000 ms cannot be"),
        (a_mark(rate="-0.5"), "its funding rate of -0.5 is beyond what is believed"),
    ):
        sold = funding_forecast(mark, terms, now_us=START_US, horizon_ms=HOUR_MS, sell=True)
        bought = funding_forecast(mark, terms, now_us=START_US, horizon_ms=HOUR_MS, sell=False)
        assert (sold.doubt, sold.per_hour) == (why, -terms.adverse_per_hour)
        assert bought.per_hour == terms.adverse_per_hour


def test_a_short_is_paid_positive_funding_and_a_premium_that_shrinks() -> None:
    assert funding_usd(Num(-10_000), Num("0.00001"), 8 * HOUR_MS) == Num("0.8")
    assert basis_bps(Num("2002"), Num(2000)) == Num(10)
    assert convergence_usd(Num(-10_000), Num(10), left_ms=10, horizon_ms=20) == Num(10)
    assert convergence_usd(Num(-10_000), Num(10), left_ms=10, horizon_ms=5) == Num(5)
    assert annual_bps(Num(10), 365 * 24 * HOUR_MS // 4) == Num(40)


def test_the_newest_mark_of_each_instrument_is_seen_with_its_age_in_a_fixed_order() -> None:
    view = Markets()
    view.receive("okx", "ETH/USDT:USDT", MARK, encode(a_report(at_us=START_US - 9_000)))
    view.receive("okx", "BTC/USDT:USDT", MARK, encode(a_report("BTC/USDT:USDT")))
    view.receive("okx", "ETH/USDT:USDT", MARK, encode(a_report(rate="-1E-7")))
    btc, eth = view.marks(START_US + 7_900)
    assert (btc.symbol, eth.symbol) == ("BTC/USDT:USDT", "ETH/USDT:USDT")
    assert (eth.mark, eth.index, str(eth.funding_rate), eth.age_ms) == (Num("2000.5"), Num(2000), "-0.0000001", 7)
    assert find_mark((btc, eth), "okx", "ETH/USDT:USDT") is eth
    assert find_mark((btc, eth), "bybit", "ETH/USDT:USDT") is None


def test_a_date_ahead_of_ours_is_as_doubtful_as_one_behind() -> None:
    view = Markets()
    view.put_mark("okx", "ETH/USDT:USDT", encode(a_report(at_us=START_US + 200_000_000)))
    (mark,) = view.marks(START_US)
    assert mark.age_ms == 200_000


def test_marks_beyond_the_bound_are_left_out() -> None:
    marks = subject.Marks()
    for number in range(subject.MARKS_MAX + 3):
        marks.put("okx", f"{number:04}", encode(a_report(f"{number:04}")))
    marks.put("okx", "0000", encode(a_report("0000")))
    assert (len(marks.look(START_US)), marks.overlooked) == (subject.MARKS_MAX, 3)


def test_a_quote_is_kept_without_marks_and_an_acceptance_with_those_of_its_underlying() -> None:
    book, given = Desk().book, (a_mark(), a_mark(venue="kraken"))
    quote = IssueQuote(pair="WETH/USDe", side=Side.MINT, kind="ALGO", size=Num(1), benefactor=BENEFACTOR)
    assert trim(book, quote, (), (), given)[2] == ()
    accept = msgspec.json.decode(_acceptance(), type=AcceptRequest)
    assert trim(book, accept, (), (), given)[2] == (a_mark(),)


def _acceptance() -> bytes:
    desk = Desk()
    desk.accept(desk.quote("1"))
    kept = decoder(Envelope).decode(desk.closed[-1].batch.commands[-1].command)
    assert kept.marks == (a_mark(),)
    return bytes(kept.body)


def test_a_command_kept_before_there_were_marks_reads_as_without() -> None:
    envelope = Envelope(
        command_id=natural_id("test"), kind="quote.issue", actor="api", body=msgspec.Raw(b"{}"), at_us=START_US
    )
    raw = msgspec.json.decode(encode(envelope))
    del raw["marks"]
    assert decoder(Envelope).decode(msgspec.json.encode(raw)) == envelope
