"""A venue's open interest is recorded when it moved or what is known is old; nonsense is refused."""

from uuid import UUID

import pytest

from commands.context import Context
from commands.interest import INTEREST_MAX, MOVED, OLD_US, ObserveInterest, observe_interest
from commands.listing import LISTINGS_MAX
from domain.book import Book, evolve
from domain.interest import InterestObserved
from domain.mark import instrument_key
from domain.quantity import Num
from domain.refusal import Reason, Refusal
from tests.support.given import START_US

CONTEXT = Context(UUID(int=1), "execution", START_US)
VENUE, SYMBOL = "okx", "ETH/USDT:USDT"


def told(quantity: str, after_us: int = 0, symbol: str = SYMBOL) -> ObserveInterest:
    return ObserveInterest(venue=VENUE, symbol=symbol, quantity=Num(quantity), at_us=START_US + after_us)


def knowing(*commands: ObserveInterest) -> Book:
    book = Book()
    for command in commands:
        events = observe_interest(book, command, CONTEXT)
        assert not isinstance(events, Refusal)
        for event in events:
            evolve(book, event, command.at_us)
    return book


def test_what_is_told_first_is_recorded_and_kept() -> None:
    book = knowing(told("1000"))
    assert book.outside.interest == {instrument_key(VENUE, SYMBOL): Num(1000)}


@pytest.mark.parametrize(
    ("quantity", "after_us", "news"),
    [
        ("1000", 1, False),
        ("1020", 1, False),
        ("1020.1", 1, True),
        ("980", 1, False),
        ("979.9", 1, True),
        ("0", 1, True),
        ("1000", OLD_US - 1, False),
        ("1000", OLD_US, True),
        ("2000", -1, False),
    ],
)
def test_it_is_recorded_again_when_it_moved_or_grew_old_and_never_backwards(
    quantity: str, after_us: int, news: bool
) -> None:
    assert Num("0.02") == MOVED
    events = observe_interest(knowing(told("1000")), told(quantity, after_us), CONTEXT)
    expected = InterestObserved(venue=VENUE, symbol=SYMBOL, quantity=Num(quantity), observed_at_us=START_US + after_us)
    assert events == ((expected,) if news else ())


def test_from_nothing_every_move_is_news() -> None:
    book = knowing(told("0"))
    assert observe_interest(book, told("0", 1), CONTEXT) == ()
    assert observe_interest(book, told("0.1", 1), CONTEXT) != ()


@pytest.mark.parametrize("quantity", ["-0.1", "1000000000000001", "1e30"])
def test_an_amount_that_no_market_has_is_refused(quantity: str) -> None:
    refused = observe_interest(Book(), told(quantity), CONTEXT)
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.VALUE_INVALID
    assert observe_interest(Book(), told(str(INTEREST_MAX)), CONTEXT) != ()


@pytest.mark.parametrize("symbol", ["", "ETH|USDT", "ETH\n", "E" * 65])
def test_a_name_that_is_none_is_refused(symbol: str) -> None:
    assert isinstance(observe_interest(Book(), told("1", symbol=symbol), CONTEXT), Refusal)


def test_the_book_keeps_the_interest_of_so_many_instruments_only() -> None:
    book = knowing(*(told("1", symbol=f"S{number}") for number in range(LISTINGS_MAX)))
    assert isinstance(observe_interest(book, told("1", symbol="one more"), CONTEXT), Refusal)
    assert observe_interest(book, told("2", symbol="S0"), CONTEXT) != ()
