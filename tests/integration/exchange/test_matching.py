"""Laws of the simulated venue's book, under random markets and orders."""

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulators.matching import Book, Match, SelfExpired, Side

prices = st.integers(95, 105)
lots = st.integers(1, 9)
sides: st.SearchStrategy[Side] = st.sampled_from(["BUY", "SELL"])
levels = st.lists(st.tuples(prices, st.integers(0, 9)), max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("market"), levels, levels),
        st.tuples(st.just("stranger"), sides, prices, lots),
        st.tuples(st.just("order"), sides, prices, lots),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
    ),
    max_size=30,
)


def opposite(side: Side) -> Side:
    return "SELL" if side == "BUY" else "BUY"


def total(book: Book) -> int:
    return sum(quantity for side in ("BUY", "SELL") for _, quantity in book.levels(side, 1000))


class World:
    """Drives a book and keeps its own account of every order."""

    def __init__(self) -> None:
        self.book = Book()
        self.sides: dict[int, Side] = {}
        self.left: dict[int, int] = {}
        self.filled: dict[int, int] = {}

    def seen(self, step: Match | SelfExpired) -> None:
        if isinstance(step, SelfExpired):
            self.left[step.order_id] = 0
            return
        assert step.quantity > 0
        for order_id in (step.maker_id, step.taker_id):
            if order_id is not None:
                self.filled[order_id] += step.quantity
                if order_id in self.left:
                    self.left[order_id] -= step.quantity

    def market(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        self.book.set_levels(bids, asks)
        for match in self.book.uncross():
            self.seen(match)

    def order(self, side: Side, price: int, quantity: int) -> None:
        order_id = len(self.sides) + 1
        self.sides[order_id] = side
        self.filled[order_id] = 0
        before, takers = total(self.book), 0
        gone = 0
        for step in self.book.take(side, price, quantity, order_id):
            if isinstance(step, SelfExpired):
                gone += self.left[step.order_id]
            else:
                takers += step.quantity
            self.seen(step)
        assert total(self.book) == before - takers - gone, "what the taker got is what the book lost"
        left = quantity - takers
        self.left[order_id] = left
        if left:
            self.book.rest(side, price, left, order_id)

    def check(self) -> None:
        bid, ask = self.book.best("BUY"), self.book.best("SELL")
        assert bid is None or ask is None or bid < ask, "not crossed"
        for order_id, left in self.left.items():
            assert self.book.resting(order_id) == left, "nothing lost, nothing made"
        for side in ("BUY", "SELL"):
            assert all(quantity > 0 for _, quantity in self.book.levels(side, 1000))


@given(steps)
@settings(max_examples=300, deadline=None)
def test_a_book_never_stays_crossed_and_conserves_quantity(script: list[tuple[object, ...]]) -> None:
    world = World()
    for step in script:
        match step:
            case ("market", list(bids), list(asks)):
                world.market(bids, asks)  # pyright: ignore[reportUnknownArgumentType] - drawn from the strategy above
            case ("stranger", str(side), int(price), int(quantity)):
                for taken in world.book.take("BUY" if side == "BUY" else "SELL", price, quantity):
                    world.seen(taken)
            case ("order", str(side), int(price), int(quantity)):
                world.order("BUY" if side == "BUY" else "SELL", price, quantity)
            case ("cancel", int(order_id)) if world.left.get(order_id):
                assert world.book.cancel(order_id) == world.left[order_id]
                world.left[order_id] = 0
            case _:
                pass
        world.check()


@given(st.lists(st.tuples(prices, lots), min_size=2, max_size=10), st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_better_price_first_then_who_came_first(resting: list[tuple[int, int]], size: int) -> None:
    book = Book()
    for order_id, (price, quantity) in enumerate(resting, start=1):
        book.rest("SELL", price, quantity, order_id)
    want = sorted(range(1, len(resting) + 1), key=lambda i: (resting[i - 1][0], i))
    got = [step for step in book.take("BUY", None, size) if isinstance(step, Match)]
    assert [m.maker_id for m in got] == want[: len(got)]
    for match in got[:-1]:
        assert match.maker_id is not None
        assert match.quantity == resting[match.maker_id - 1][1], "only the last may be partial"
    assert sum(m.quantity for m in got) == min(size, sum(q for _, q in resting))


def test_quantity_the_market_withdraws_leaves_from_behind_a_resting_order() -> None:
    book = Book()
    book.set_levels([], [(100, 5)])
    book.rest("SELL", 100, 3, 1)
    book.set_levels([], [(100, 9)])
    assert list(book.take("BUY", 100, 5)) == [Match(100, 5, None, None, "BUY")], "five came before us"
    book.set_levels([], [(100, 1)])
    assert list(book.take("BUY", 100, 4)) == [Match(100, 3, 1, None, "BUY"), Match(100, 1, None, None, "BUY")]


def test_an_own_order_expires_the_resting_one_it_runs_into() -> None:
    book = Book()
    book.rest("SELL", 100, 3, 1)
    book.set_levels([], [(101, 5)])
    assert list(book.take("BUY", 101, 4, 2)) == [SelfExpired(1), Match(101, 4, None, 2, "BUY")]


def test_a_market_that_crosses_a_resting_order_fills_it_at_its_own_price() -> None:
    book = Book()
    book.rest("SELL", 100, 3, 1)
    book.set_levels([(102, 2)], [])
    assert list(book.uncross()) == [Match(100, 2, 1, None, "BUY")]
    assert book.resting(1) == 1
    assert book.best("BUY") is None
