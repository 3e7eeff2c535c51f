"""The small ports of a simulated process: date, markets, facts, lease, and the venue as the product asks for it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal

import msgspec

from api.market.markets import Markets, book_message
from domain.approval import Approved
from domain.carry import MarkEvidence
from domain.depth import BookEvidence, Level
from domain.market import SourceKind, Witness
from domain.quantity import Num, num
from domain.refusal import Unavailable, Unknown
from domain.venue import AccountEvent, Acknowledgement, FillReport, InstrumentReport, OrderReport, VenueOrder
from domain.venue import Unavailable as VenueUnavailable
from tests.simulation.loop import Process, SimLoop
from tests.simulation.market import STEP_US, TICK
from tests.simulation.sim import Sim
from tests.simulation.stream import Stream, StreamMissing
from tests.simulation.venue import RECEIVE_WINDOW_US, VISIBLE_AFTER_US, VenueServer
from tests.simulation.venue_client import SimVenue

START_US = 1_700_000_000_000_000
"""The date at which every world begins."""
FEED_US = (1_000, 40_000)
SKEW_US = (-400_000, 400_000)
STALL_US = (500_000, 6_000_000)

LIES_US = (500_000, 8_000_000)
OFF_TICKS = (600, 2_000)
"""How far a dislocated venue lies from the others: 3 to 10 percent."""
PEERS = ("bybit", "okx", "deribit")
ORACLES = ("pyth", "redstone")

LISTED = InstrumentReport(
    venue="binanceusdm",
    symbol="ETH/USDT:USDT",
    base="ETH",
    quote="USDT",
    settle="USDT",
    tick=Decimal("0.01"),
    step=Decimal("0.001"),
    quantity_min=Decimal("0.001"),
    quantity_max=Decimal(10_000),
    notional_min=Decimal(20),
)
"""What the simulated venues list, by other names."""

FUNDING_RATE = num("0.0001")
FUNDING_US = 8 * 3_600_000_000

SITES = ("feed.stalled", "clock.skewed", "feed.dislocated", "feed.hedge_dislocated", "feed.oracle_silent")


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

    def __init__(self, sim: Sim, venues: Mapping[str, VenueServer]) -> None:
        self._sim = sim
        self._venues = venues
        self._market = next(iter(venues.values())).market
        self._markets = Markets()
        self._step = -1
        self._stalled_until_us = 0
        self._seen: tuple[BookEvidence, ...] = ()
        self._peers = {peer: _Peer(sim, peer, "feed.dislocated") for peer in PEERS if peer not in venues}
        self._hedge = {venue: _Peer(sim, venue, "feed.hedge_dislocated") for venue in venues}
        self._oracles = {oracle: _Peer(sim, oracle, "feed.oracle_silent") for oracle in ORACLES}

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        """See `Evidence.witnesses`: venues, their peers and the oracles agree, unless a fault says otherwise."""
        mid = num(self._market.mid)
        said = [peer.venue(mid) for peer in self._peers.values()]
        for name in ORACLES:
            said += self._oracles[name].oracle(mid)
        for book in self._seen:
            own = Witness(
                source=book.venue,
                kind=SourceKind.LINEAR,
                symbol=book.symbol,
                base="ETH",
                quote="USDT",
                bid=book.bids[0].price,
                ask=book.asks[0].price,
                sequence=book.sequence,
                age_ms=book.age_ms,
            )
            said.append(own)
        return tuple(said)

    def marks(self, now_us: int) -> tuple[MarkEvidence, ...]:
        """See `Evidence.marks`: each perpetual's mark lies on its index, and funding is paid every eight hours."""
        return tuple(
            MarkEvidence(
                venue=name,
                symbol=LISTED.symbol,
                mark=num(venue.market.mid),
                index=num(venue.market.mid),
                funding_rate=FUNDING_RATE,
                interval_ms=FUNDING_US // 1_000,
                next_funding_us=(now_us // FUNDING_US + 1) * FUNDING_US,
                age_ms=0,
            )
            for name, venue in self._venues.items()
            if not venue.is_away
        )

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
            for name, venue in self._venues.items():
                if not venue.is_away:
                    listed = msgspec.structs.replace(LISTED, venue=name)
                    self._markets.put_book(book_message(venue.market.book(START_US + seen_us), listed))
        off = {name: peer.off() for name, peer in self._hedge.items()}
        self._seen = tuple(_moved(book, off[book.venue]) for book in self._markets.look(now_us))
        return self._seen


def _moved(book: BookEvidence, off: Num) -> BookEvidence:
    """Return a book whose every price is off by so much."""
    sides = (tuple(Level(level.price + off, level.quantity) for level in side) for side in (book.bids, book.asks))
    bids, asks = sides
    return msgspec.structs.replace(book, bids=bids, asks=asks)


class _Peer:
    """One other source of the market: it says what the market says, until its fault makes it lie or keep silent."""

    def __init__(self, sim: Sim, name: str, site: str) -> None:
        self._sim = sim
        self._name = name
        self._site = site
        self._until_us = 0
        self._off = num(0)

    def _lies(self) -> bool:
        faults, virtual_us = self._sim.faults, self._sim.loop.now_us
        if faults.hit(self._site):
            self._until_us = virtual_us + faults.between(f"{self._site}.for", *LIES_US)
            self._off = num(faults.between(f"{self._site}.by", *OFF_TICKS) * TICK)
            self._sim.note("feed", self._site, self._name)
        return virtual_us < self._until_us and not faults.healed

    def off(self) -> Num:
        """Return how far it lies from the truth now."""
        return self._off if self._lies() else num(0)

    def venue(self, mid: Num) -> Witness:
        """Return a venue's word."""
        off = self.off()
        return Witness(
            source=self._name,
            kind=SourceKind.LINEAR,
            symbol="ETH/USDT:USDT",
            base="ETH",
            quote="USDT",
            bid=num(mid + off - TICK),
            ask=num(mid + off + TICK),
            sequence=1,
            age_ms=0,
        )

    def oracle(self, mid: Num) -> list[Witness]:
        """Return an oracle's word on the market and on the stable; its last one grows old while it is silent."""
        age_ms = 60_000 if self._lies() else 100
        word = Witness(
            source=self._name,
            kind=SourceKind.ORACLE,
            symbol="ETH/USD",
            base="ETH",
            quote="USD",
            bid=mid,
            ask=mid,
            sequence=1,
            age_ms=age_ms,
        )
        one = num(1)
        peg = msgspec.structs.replace(word, symbol="USDT/USD", base="USDT", bid=one, ask=one)
        return [word, peg]


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

    async def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel what is left of an order."""
        return await self._venue.cancel(symbol, client_order_id)

    async def order_state(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Ask for an order by our id."""
        return await self._venue.order_state(symbol, client_order_id)

    async def fills_since(self, symbol: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill at or after an instant, oldest first."""
        return await self._venue.fills_since(symbol, since_us)

    def account_events(self) -> AsyncGenerator[AccountEvent, None]:
        """Stream what happens on the account."""
        return self._venue.account_events()
