"""Given quotes and their use, these rows."""

from benchmarks.mint_log import START_US
from domain.quantity import Amount, Num
from domain.quote import Decomposition, QuoteIssued, QuoteUsed, Side, Source
from projections.quotes import QUOTES
from tests.spec.projections.test_views import SECOND_US, ZERO, uid
from tests.support.told import folded, lines, logged, table


def quote(number: int, issued_s: int = 0, lifetime_s: int = 10) -> QuoteIssued:
    issued_at_us = START_US + issued_s * SECOND_US
    return QuoteIssued(
        quote_id=uid(number),
        pair="WETH/USDe",
        side=Side.MINT,
        kind="ALGO",
        size=Num("1.50"),
        benefactor="0xabc",
        collateral=Amount("WETH", 15 * 10**17),
        issued=Amount("USDe", 4_500 * 10**18),
        price=Num(3000),
        decomposition=Decomposition(
            reference=Num(3010),
            hedge_price=Num(3008),
            hedge_cost_bps=Num(7),
            venue_fee_bps=Num(4),
            fee_bps=Num(5),
            buffer_bps=Num(2),
            gas=Amount("USDe", 10**30),
        ),
        sources=(Source(venue="binanceusdm", symbol="S", sequence=1, age_ms=3, bid=Num(3009), ask=Num(3011)),),
        issued_at_us=issued_at_us,
        expires_at_us=issued_at_us + lifetime_s * SECOND_US,
    )


def test_a_quote_shows_amounts_as_text_and_its_parts():
    (line,) = lines(QUOTES, quote(1))
    assert line["state"] == "issued"
    assert line["size"] == "1.5"
    assert (line["collateral_atoms"], line["issued_atoms"]) == ("1500000000000000000", "4500000000000000000000")
    assert line["decomposition"]["gas_atoms"] == str(10**30)
    assert line["sources"][0]["bid"] == "3009"
    assert (line["issued_at"], line["expires_at"]) == (ZERO, "2026-09-21T14:13:30.000000Z")


def test_a_used_quote_ends():
    ((is_open, line),) = table(QUOTES, quote(1), QuoteUsed(quote_id=uid(1), request_id=uid(20))).values()
    assert (is_open, line["state"], line["request_id"]) == (False, "used", str(uid(20)))


def test_quotes_that_ran_out_end_when_the_next_one_is_told():
    found = table(QUOTES, (quote(1), 0), (quote(2, 4), 4), (quote(3, 10), 10))
    assert [line["state"] for _, line in found.values()] == ["expired", "issued", "issued"]
    assert [is_open for is_open, _ in found.values()] == [False, True, True]


def test_quotes_that_ran_out_end_when_another_is_used():
    used = QuoteUsed(quote_id=uid(2), request_id=uid(20))
    found = table(QUOTES, (quote(1), 0), (quote(2, 4), 4), (used, 12))
    assert [line["state"] for _, line in found.values()] == ["expired", "used"]


def test_the_use_of_a_quote_that_is_not_open_writes_nothing():
    assert table(QUOTES, QuoteUsed(quote_id=uid(1), request_id=uid(20))) == {}


def test_the_quotes_state_holds_only_what_can_be_used():
    fold = folded(QUOTES, logged((quote(1), 0), (quote(2, 100), 100)))
    assert list(fold.state.rows) == [str(uid(2))] == list(fold.state.ends)
