"""Bybit's limited views of a book: whoever begins at a snapshot and applies each delta has the view, level by level."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulators.bybit.books import ShownBook
from adapters.simulators.bybit.instruments import ETHUSDT
from adapters.simulators.changes import Change, Changes, Snapshot
from adapters.simulators.matching import Book
from adapters.simulators.sockets import Json

DEPTHS = (1, 3, 8)
WHOLE = 1_000
NOW = 1_700_000_000_000
Move = tuple[int, int]
# Bids below 100 ticks, asks from there: levels and sizes that collide often.
BID_MOVES = st.lists(st.tuples(st.integers(80, 99), st.integers(0, 3)), max_size=6)
ASK_MOVES = st.lists(st.tuples(st.integers(100, 119), st.integers(0, 3)), max_size=6)
STEPS = st.lists(st.tuples(BID_MOVES, ASK_MOVES), min_size=1, max_size=20)


class Market:
    """Hold a book, how it is shown, and a client of every depth that does what the venue's manual says."""

    def __init__(self) -> None:
        self.book = Book()
        self.changes = Changes(ETHUSDT, self.book, 1_000)
        self.shown = ShownBook("ETHUSDT", 1_000, lambda: self.snapshot(WHOLE))
        self.clients = {depth: Client(self.shown.shown(self.snapshot(depth))) for depth in DEPTHS}

    def snapshot(self, depth: int) -> Snapshot:
        return self.changes.snapshot(depth, NOW)

    def move(self, bids: list[Move], asks: list[Move]) -> Change | None:
        self.book.set_levels(bids, asks)
        return self.changes.take(NOW)

    def tell(self, change: Change) -> None:
        for depth, message in self.shown.deltas(change, DEPTHS).items():
            self.clients[depth].hear(message)


class Client:
    """Keep a book from a snapshot and deltas; believe nothing that does not count on by one."""

    def __init__(self, snapshot: Json) -> None:
        self.begin(snapshot)

    def begin(self, snapshot: Json) -> None:
        data = snapshot["data"]
        self.number, self.lost = data["u"], False
        self.bids, self.asks = dict[Decimal, Decimal](), dict[Decimal, Decimal]()
        self._apply(data)

    def hear(self, delta: Json) -> None:
        data = delta["data"]
        if data["u"] <= self.number or self.lost:
            return
        self.lost = data["u"] != self.number + 1
        if not self.lost:
            self.number = data["u"]
            self._apply(data)

    def _apply(self, data: Json) -> None:
        for side, rows in ((self.bids, data["b"]), (self.asks, data["a"])):
            for price, size in rows:
                side[Decimal(price)] = Decimal(size)
                if not Decimal(size):
                    del side[Decimal(price)]

    def levels(self) -> tuple[object, object]:
        return tuple(sorted(self.bids.items(), reverse=True)), tuple(sorted(self.asks.items()))


def agree(market: Market) -> None:
    for depth, client in market.clients.items():
        true = market.snapshot(depth)
        assert client.levels() == (true.bids, true.asks), depth


@given(STEPS)
def test_snapshot_and_deltas_are_the_view(steps: list[tuple[list[Move], list[Move]]]) -> None:
    market = Market()
    for bids, asks in steps:
        change = market.move(bids, asks)
        if change is not None:
            market.tell(change)
        agree(market)
    assert not any(client.lost for client in market.clients.values())


@given(STEPS, st.integers(0, 19), st.sampled_from(["gap", "duplicate", "reorder"]))
def test_a_disturbed_stream_shows_and_a_new_snapshot_heals_it(
    steps: list[tuple[list[Move], list[Move]]], at: int, how: str
) -> None:
    market = Market()
    held: Change | None = None
    for number, (bids, asks) in enumerate(steps):
        change = market.move(bids, asks)
        if change is None:
            continue
        if number == at and how != "duplicate":
            held = change
            continue
        market.tell(change)
        if number == at:
            market.tell(change)
        elif held is not None:
            assert all(client.lost for client in market.clients.values()), "what is missing is seen"
            if how == "reorder":
                market.tell(held)
            held = None
            for depth, client in market.clients.items():
                client.begin(market.shown.shown(market.snapshot(depth)))
        agree(market)
    assert held is not None or not any(client.lost for client in market.clients.values())


@given(STEPS)
def test_who_comes_later_counts_on_from_the_snapshot(steps: list[tuple[list[Move], list[Move]]]) -> None:
    market = Market()
    for bids, asks in steps:
        change = market.move(bids, asks)
        if change is not None:
            market.tell(change)
        for depth in DEPTHS:
            market.clients[depth] = Client(market.shown.shown(market.snapshot(depth)))
    agree(market)


def test_numbers_of_changes_long_gone_are_forgotten() -> None:
    market = Market()
    first = market.move([(90, 1)], [])
    assert first is not None
    market.tell(first)
    for size in range(2, 400):
        change = market.move([(90, size)], [])
        assert change is not None
        market.tell(change)
    agree(market)
    assert market.shown.number(first.last_id) > market.clients[1].number


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_level_pushed_out_is_taken_away_and_comes_back(depth: int) -> None:
    market = Market()
    for bids in ([(90 + n, 1) for n in range(depth)], [(99, 2)], [(99, 0)]):
        change = market.move(bids, [])
        assert change is not None
        market.tell(change)
        agree(market)
