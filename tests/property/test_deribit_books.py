"""Deribit's book channel: whoever begins at a snapshot and applies each change by its word has the book exactly."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulators.changes import Change, Changes
from adapters.simulators.deribit.books import WHOLE_BOOK, ShownBook
from adapters.simulators.deribit.instruments import ETH_PERPETUAL
from adapters.simulators.matching import Book

NOW = 1_700_000_000_000
Move = tuple[int, int]
# Bids below 100 ticks, asks from there: levels and sizes that collide often.
BID_MOVES = st.lists(st.tuples(st.integers(80, 99), st.integers(0, 3)), max_size=6)
ASK_MOVES = st.lists(st.tuples(st.integers(100, 119), st.integers(0, 3)), max_size=6)
STEPS = st.lists(st.tuples(BID_MOVES, ASK_MOVES), min_size=1, max_size=20)


def read(message: Any) -> Any:
    """Return a message as a client reads it, its numbers exact."""
    return msgspec.json.Decoder(float_hook=Decimal).decode(msgspec.json.encode(message))


class Client:
    """Do what the manual says, and be strict about each word."""

    def __init__(self, snapshot: Any) -> None:
        told = read(snapshot)
        assert (told["type"], "prev_change_id" in told) == ("snapshot", False)
        self.at, self.lost = told["change_id"], False
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
        self._apply(told)

    def hear(self, change: Any) -> None:
        told = read(change)
        if told["change_id"] <= self.at or self.lost:
            return
        self.lost = told["prev_change_id"] != self.at
        if not self.lost:
            self.at = told["change_id"]
            self._apply(told)

    def _apply(self, told: Any) -> None:
        for name, side in self.sides.items():
            for word, price, amount in told[name]:
                assert (word == "new") == (price not in side), "new is what was not there"
                assert (word == "delete") == (amount == 0)
                if word == "delete":
                    del side[price]
                else:
                    side[price] = amount


class Market:
    """Hold a book, how it is shown, and a client of it."""

    def __init__(self) -> None:
        self.book = Book()
        self.changes = Changes(ETH_PERPETUAL, self.book, 1_000)
        self.shown = ShownBook()
        self.client = self.begin()

    def begin(self) -> Client:
        return Client(self.shown.snapshot(self.changes.snapshot(WHOLE_BOOK, NOW)))

    def move(self, bids: list[Move], asks: list[Move]) -> Change | None:
        self.book.set_levels(bids, asks)
        return self.changes.take(NOW)

    def agree(self) -> None:
        true = self.changes.snapshot(WHOLE_BOOK, NOW)
        assert self.client.sides == {"bids": dict(true.bids), "asks": dict(true.asks)}


@given(STEPS)
def test_snapshot_and_changes_are_the_book(steps: list[tuple[list[Move], list[Move]]]) -> None:
    market = Market()
    for bids, asks in steps:
        change = market.move(bids, asks)
        if change is not None:
            market.client.hear(market.shown.change(change))
        market.agree()
    assert not market.client.lost


@given(STEPS, st.integers(0, 19))
def test_a_change_that_never_came_shows_and_a_new_snapshot_heals_it(
    steps: list[tuple[list[Move], list[Move]]], at: int
) -> None:
    market = Market()
    missing = False
    for number, (bids, asks) in enumerate(steps):
        change = market.move(bids, asks)
        if change is None:
            continue
        if number == at:
            missing = True
            continue
        market.client.hear(market.shown.change(change))
        if missing:
            assert market.client.lost, "what is missing is seen"
            market.client = market.begin()
            missing = False
        market.agree()


@given(STEPS, st.integers(0, 19))
def test_who_comes_later_goes_on_from_its_snapshot(steps: list[tuple[list[Move], list[Move]]], at: int) -> None:
    market = Market()
    for number, (bids, asks) in enumerate(steps):
        change = market.move(bids, asks)
        if change is not None:
            market.client.hear(market.shown.change(change))
        if number == at:
            market.client = market.begin()
    market.agree()
