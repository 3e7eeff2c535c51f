"""What the market worker tells of itself: what was published, suspended, stored and dropped, and who is away."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from api.http.metrics import Registry
from api.market.feeding import Feeding
from api.market.indicating import Indicating
from api.market.tending import Tended


class Counts(Protocol):
    """Show one table's counts."""

    @property
    def written(self) -> int:
        """Return the rows written."""
        ...

    @property
    def dropped(self) -> int:
        """Return the rows that found no room."""
        ...


class Store(Protocol):
    """Show what the time-series store did."""

    @property
    def counts(self) -> Mapping[str, Counts]:
        """Return the counts of each table."""
        ...

    @property
    def waiting(self) -> int:
        """Return the rows that wait to be written."""
        ...


class MarketNumbers:
    """Gather the numbers for the heartbeat."""

    def __init__(
        self,
        feeding: Feeding,
        store: Store,
        indicating: Indicating,
        tended: Sequence[Tended],
        position: Callable[[], int],
    ) -> None:
        self.registry = Registry()
        self._feeding = feeding
        self._store = store
        self._indicating = indicating
        self._tended = tended
        self._position = position
        gauge = self.registry.gauge
        self._published = gauge("ballast_market_published", "Market messages published since the start.")
        self._ladders = gauge("ballast_ladders_published", "Indicative ladders published since the start.")
        self._away = gauge("ballast_feeds_away", "Venues whose market data is away now.")
        self._written = gauge("ballast_series_written", "Rows of sampled market data written, by table.")
        self._dropped = gauge("ballast_series_dropped", "Rows of sampled market data dropped, by table.")
        self._waiting = gauge("ballast_series_waiting", "Rows of sampled market data not yet written.")

    def gather(self) -> int:
        """Bring the numbers up to date and return the position in the log."""
        self._published.set(self._feeding.published)
        self._ladders.set(self._indicating.published)
        self._away.set(sum(not venue.there for venue in self._tended))
        self._waiting.set(self._store.waiting)
        for table, counts in self._store.counts.items():
            self._written.set(counts.written, table=table)
            self._dropped.set(counts.dropped, table=table)
        return self._position()
