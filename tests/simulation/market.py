"""The simulated venue's market: a seeded price path, and the book around it at any moment."""

from decimal import Decimal

from domain.venue import BookUpdate
from tests.simulation.sim import Sim

TICK = Decimal("0.1")
STEP_US = 250_000
MOVE_TICKS_MAX = 12
HALF_SPREAD_TICKS = 5
LEVELS = 6
LEVEL_QUANTITY = Decimal(4)
"""Little, so that what is large is split over levels and venues."""
LEVEL_STEP_TICKS = 5


class Market:
    """One contract's price: a walk of at most 12 ticks every 250 ms, drawn ahead of time and never by who looks.

    A market that `follows` another is as many ticks above it as its `basis`.
    """

    def __init__(
        self, sim: Sim, venue: str, symbol: str, start: Decimal, follows: "Market | None" = None, basis: int = 0
    ) -> None:
        self._sim = sim
        self._venue = venue
        self._symbol = symbol
        self._follows = follows
        self._basis = basis
        self._path = [start]

    @property
    def mid(self) -> Decimal:
        """The middle of the book now."""
        return self.mid_at(self._sim.loop.now_us)

    def mid_at(self, virtual_us: int) -> Decimal:
        """Return the middle of the book at a moment of the world, past or present."""
        if self._follows is not None:
            return self._follows.mid_at(virtual_us) + self._basis * TICK
        step = max(virtual_us, 0) // STEP_US
        while len(self._path) <= step:
            move = self._sim.faults.between(f"market.move.{self._symbol}", -MOVE_TICKS_MAX, MOVE_TICKS_MAX)
            self._path.append(max(TICK * 100, self._path[-1] + move * TICK))
        return self._path[step]

    @property
    def best_bid(self) -> Decimal:
        """The best price somebody buys at."""
        return self.mid - HALF_SPREAD_TICKS * TICK

    @property
    def best_ask(self) -> Decimal:
        """The best price somebody sells at."""
        return self.mid + HALF_SPREAD_TICKS * TICK

    def book(self, at_us: int) -> BookUpdate:
        """Return the book as a feed would show it; `at_us` is the wall clock's now."""
        return BookUpdate(
            venue=self._venue,
            symbol=self._symbol,
            bids=tuple((self.best_bid - n * LEVEL_STEP_TICKS * TICK, LEVEL_QUANTITY) for n in range(LEVELS)),
            asks=tuple((self.best_ask + n * LEVEL_STEP_TICKS * TICK, LEVEL_QUANTITY) for n in range(LEVELS)),
            sequence=1 + self._sim.loop.now_us // STEP_US,
            exchange_at_us=at_us,
            received_at_us=at_us,
        )
