"""The small ports of a simulated process: date, markets, facts, lease, and the venue as the product asks for it."""

from collections.abc import AsyncGenerator, Sequence

from api.markets import Markets, book_message
from domain.approval import Approved
from domain.depth import BookEvidence
from domain.market import Witness
from domain.refusal import Unavailable, Unknown
from domain.venue import AccountEvent, Acknowledgement, FillReport, OrderReport, VenueOrder
from domain.venue import Unavailable as VenueUnavailable
from tests.simulation.loop import Process, SimLoop
from tests.simulation.market import STEP_US, Market
from tests.simulation.sim import Sim
from tests.simulation.stream import Stream, StreamMissing
from tests.simulation.venue import RECEIVE_WINDOW_US, VISIBLE_AFTER_US
from tests.simulation.venue_client import SimVenue

START_US = 1_700_000_000_000_000
"""The date at which every world begins."""
FEED_US = (1_000, 40_000)
SKEW_US = (-400_000, 400_000)
STALL_US = (500_000, 6_000_000)

SITES = ("feed.stalled", "clock.skewed")


class SimClock:
    """Tell the world's date as one machine sees it."""

    def __init__(self, loop: SimLoop, skew_us: int = 0) -> None:
        self._loop = loop
        self._skew_us = skew_us

    def now_us(self) -> int:
        """Return the date: where the world began, how long it has run, and what this machine has wrong."""
        return START_US + self._loop.now_us + self._skew_us


def machine_clock(sim: Sim) -> SimClock:
    """Return the clock of the machine that a process happens to start on."""
    skew_us = sim.faults.between("clock.skew", *SKEW_US)
    return SimClock(sim.loop, skew_us if sim.faults.hit("clock.skewed") else 0)


class Feed:
    """Bring the market's books to the core as they change, except while the feed is stalled."""

    def __init__(self, sim: Sim, market: Market) -> None:
        self._sim = sim
        self._market = market
        self._markets = Markets()
        self._step = -1
        self._stalled_until_us = 0

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        del now_us
        return ()

    def look(self, now_us: int) -> tuple[BookEvidence, ...]:
        """See `Evidence.look`."""
        faults, virtual_us = self._sim.faults, self._sim.loop.now_us
        if faults.hit("feed.stalled"):
            self._stalled_until_us = virtual_us + faults.between("feed.stall", *STALL_US)
            self._sim.note("feed", "stalled")
        step = virtual_us // STEP_US
        if step != self._step and virtual_us >= self._stalled_until_us:
            self._step = step
            seen_us = max(step * STEP_US, virtual_us - faults.between("feed.age", *FEED_US))
            self._markets.put(book_message(self._market.book(START_US + seen_us)))
        return self._markets.look(now_us)


class SimFacts:
    """Publish facts into the simulated INBOX."""

    def __init__(self, process: Process, inbox: Stream) -> None:
        self._process = process
        self._inbox = inbox

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        """See `Facts.publish`."""
        try:
            return await self._inbox.publish(self._process, f"inbox.{source}.{kind}", body, {}, natural_key)
        except StreamMissing as error:
            raise Unavailable("no stream takes facts") from error
        except TimeoutError as error:
            raise Unknown("no answer to a fact") from error


class SimLease:
    """Hold the right to act for as long as the process lives: a next one starts only after its death."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def check(self) -> None:
        """See `Lease.check`."""
        self._process.fence()


class VenuePort:
    """Adapt a simulated session with the venue to the product's port, as the real adapter does."""

    absence_after_ms = (RECEIVE_WINDOW_US + VISIBLE_AFTER_US) // 1_000

    def __init__(self, venue: SimVenue, name: str, account: str, clock: SimClock) -> None:
        self._venue = venue
        self._name = name
        self._account = account
        self._clock = clock

    @property
    def name(self) -> str:
        """Return the venue's id."""
        return self._name

    @property
    def account(self) -> str:
        """Return the account's name."""
        return self._account

    async def submit(self, approved: Approved[VenueOrder]) -> Acknowledgement:
        """Send an order once, unless its time to be sent has passed."""
        if self._clock.now_us() >= approved.send_before_us:
            raise VenueUnavailable("not sent: too late")
        return await self._venue.submit(approved.value)

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for an order by our id."""
        return await self._venue.order_state(symbol, client_order_id)

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill at or after an instant, oldest first."""
        return await self._venue.fills_since(symbol, since_us)

    def account_events(self) -> AsyncGenerator[AccountEvent, None]:
        """Stream what happens on the account."""
        return self._venue.account_events()
