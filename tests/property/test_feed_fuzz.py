"""Whatever a venue sends: our own errors only, and nothing believed that no market can be.

Real messages with bytes changed, numbers replaced and parts left out, and bytes that are no messages at all.
"""

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.exchange.feeds.binance import Binance
from adapters.exchange.feeds.dialect import Acts, Changed, Dialect
from adapters.exchange.feeds.number import PRICE_MAX, RATE_MAX, SIZE_MAX
from adapters.exchange.feeds.trouble import FeedBroken
from domain.venue import MarkReport, TradePrint
from tests.support.feed_payloads import VENUES, book_messages, side_messages, speak

GARBAGE = [
    "NaN",
    "nan",
    "-1",
    "1e999",
    "Infinity",
    "1_0",
    " 1",
    "+1",
    "1.2.3",
    "",
    ".",
    "0",
    "\uff19",
    "1e99",
    "0x10",
    "\u0663",
]
ODD: list[Any] = [
    *GARBAGE,
    None,
    True,
    False,
    -1,
    0,
    1,
    10**30,
    -(10**30),
    1e308,
    1.5,
    [],
    {},
    [[]],
    [["1"]],
    "a" * 500,
]


def tell(dialect: Dialect, payload: bytes) -> Acts | None:
    """Return what a message leads to, None when it is refused whole."""
    try:
        if isinstance(dialect, Binance) and b"lastUpdateId" in payload:
            return dialect.fetched(dialect.books[0], payload, 1)
        return dialect.receive(payload, 1)
    except FeedBroken:
        return None


def check(dialect: Dialect, payload: bytes) -> None:
    """Hold what a message led to, to what a market can be."""
    for act in tell(dialect, payload) or ():
        if isinstance(act, TradePrint):
            assert 0 < act.price <= PRICE_MAX
            assert 0 < act.quantity <= SIZE_MAX
            assert act.exchange_at_us > 0
        elif isinstance(act, MarkReport):
            assert 0 < act.mark_price <= PRICE_MAX
            assert 0 < act.index_price <= PRICE_MAX
            assert abs(act.funding_rate) <= RATE_MAX
            assert act.funding_interval_ms > 0
        elif isinstance(act, Changed):
            assert dialect.is_believed(act.symbol)
    for symbol in dialect.books:
        if dialect.is_believed(symbol):
            book = dialect.book(symbol)
            assert book.top is not None
            assert book.top.bid_price < book.top.ask_price
            for side, sign in ((book.bids, -1), (book.asks, 1)):
                prices = [price * sign for price, _ in side]
                assert prices == sorted(set(prices))
                for price, size in side:
                    assert price.is_finite()
                    assert size.is_finite()
                    assert 0 < price <= PRICE_MAX
                    assert 0 < size <= SIZE_MAX


def whole(venue: str) -> Dialect:
    """Return a dialect that believes its book."""
    dialect = speak(venue)
    check(dialect, book_messages(venue)[0])
    assert dialect.is_believed(dialect.books[0])
    return dialect


def replaced(document: Any, rng: random.Random, value: Any) -> Any:
    """Return a document with one of its values replaced, left out or doubled."""
    if isinstance(document, dict) and document and rng.random() < 0.9:
        key = rng.choice(list(document))
        if rng.random() < 0.1:
            return {name: held for name, held in document.items() if name != key}
        return document | {key: replaced(document[key], rng, value)}
    if isinstance(document, list) and document and rng.random() < 0.9:
        at = rng.randrange(len(document))
        if rng.random() < 0.1:
            return document[:at] + document[at + 1 :]
        return [*document[:at], replaced(document[at], rng, value), *document[at + 1 :]]
    return value


@pytest.mark.parametrize("venue", VENUES)
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), value=st.sampled_from(ODD) | st.text(max_size=8) | st.integers() | st.floats())
def test_a_message_with_other_values_in_it(venue: str, seed: int, value: Any) -> None:
    rng = random.Random(seed)
    dialect = whole(venue)
    for message in (*book_messages(venue)[1:], *side_messages(venue), book_messages(venue)[0]):
        spoilt = json.dumps(replaced(json.loads(message), rng, value)).encode()
        check(dialect, spoilt)
    fresh = speak(venue)
    for message in book_messages(venue):
        check(fresh, json.dumps(replaced(json.loads(message), rng, value)).encode())


@pytest.mark.parametrize("venue", VENUES)
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 8))
def test_a_message_with_other_bytes_in_it(venue: str, seed: int, changes: int) -> None:
    rng = random.Random(seed)
    dialect = whole(venue)
    for message in (*book_messages(venue)[1:], *side_messages(venue), book_messages(venue)[0]):
        spoilt = bytearray(message)
        for _ in range(changes):
            at = rng.randrange(len(spoilt))
            spoilt[at : at + rng.randint(0, 2)] = bytes(
                rng.choice(b'0123456789.-+eE"[]{},:NaInf\\ \xff') for _ in range(rng.randint(0, 2))
            )
        check(dialect, bytes(spoilt))


@pytest.mark.parametrize("venue", VENUES)
@settings(max_examples=200, deadline=None)
@given(payload=st.binary(max_size=200))
@example(payload=b"pong")
@example(payload=b"")
@example(payload=b"null")
@example(payload=b"[" * 2_000)
@example(payload=b"\xef\xbb\xbf{}")
def test_bytes_that_are_no_message(venue: str, payload: bytes) -> None:
    check(whole(venue), payload)
    check(speak(venue), payload)


@pytest.mark.parametrize("garbage", GARBAGE[:9])
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("column", ["price", "size"])
def test_a_number_that_is_none_gives_the_book_up(venue: str, garbage: str, column: str) -> None:
    dialect = whole(venue)
    body = book_messages(venue)[1].decode()
    told = {"price": ('"1999.99"', "1999.99"), "size": ('"3.000"', "3.0")}[column]
    spoilt = body.replace(told[0] if told[0] in body else told[1], json.dumps(garbage), 1)
    assert spoilt != body
    assert tell(dialect, spoilt.encode()) is None or not dialect.is_believed(dialect.books[0])


def test_a_number_keeps_every_digit() -> None:
    dialect = whole("deribit")
    message = book_messages("deribit")[1].replace(b"3.0", b"3.000000000000000001")
    check(dialect, message)
    assert dialect.book(dialect.books[0]).bids[0][1] == Decimal("3.000000000000000001")
