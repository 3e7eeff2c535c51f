"""A simulated venue, short of its dialect: exchange, memory, markets, faults, and when what is told.

A dialect inherits from `SimulatedVenue` and words what it is handed; it never touches books or money itself.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from adapters.simulators.admission import Policy
from adapters.simulators.changes import Change, Changes, Snapshot, Top
from adapters.simulators.countdowns import ALL, Countdowns
from adapters.simulators.disturbance import Disturbance
from adapters.simulators.exchange import Exchange
from adapters.simulators.faults import Fault, Faults
from adapters.simulators.happenings import Happening, Print
from adapters.simulators.hindrances import Hindrances
from adapters.simulators.instruments import Instrument
from adapters.simulators.journal import CountdownKept, Journal, MarketKept, Opened, Record
from adapters.simulators.market import Crowd, Step, shape_of
from adapters.simulators.matching import Book, Side
from adapters.simulators.recovery import compacted, restore
from adapters.simulators.rest import Answer, Rest, closed, worded
from adapters.simulators.settings import SimulatorSettings
from adapters.simulators.sockets import Hub
from adapters.simulators.world import World

MARK_EVERY_MS = 1_000
SET_BACK_MAX_MS = 60_000
Levels = list[tuple[int, int]]


def wall_clock_ms() -> int:
    """Return the time in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


class SimulatedVenue(ABC):
    """Hold one simulated venue and its memory; what happens is kept on disk before anyone is told of it."""

    name: str
    hosts: tuple[str, ...]
    elsewhere: tuple[tuple[str, str], ...] = ()
    new_orders: frozenset[str]
    policy: Policy = Policy()

    def __init__(
        self,
        settings: SimulatorSettings,
        instruments: tuple[Instrument, ...],
        world: World,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.settings = settings
        self.world = world
        self.faults = Faults()
        self._clock_ms = clock_ms
        self._last_ms = 0
        now_ms = self.clock_ms()
        path = settings.data_dir / "venue.jsonl"
        kept = self._remembered(path)
        hindrances, deposited = Hindrances(self.faults, self.machine_ms), settings.deposited()
        self.exchange = Exchange(instruments, deposited, now_ms=now_ms, policy=self.policy, hindrances=hindrances)
        markets = restore(self.exchange, kept)
        self.countdowns = Countdowns()
        for record in kept:
            if isinstance(record, CountdownKept):
                self.countdowns.put(record.name, record.until_ms)
        if self.exchange.ledger.trades:
            # A machine's clock may have been set back a little meanwhile; a skewed trade is no reason to wait for it.
            newest_ms = self.exchange.ledger.trades[-1].time_ms
            self._last_ms = newest_ms if now_ms < newest_ms <= now_ms + SET_BACK_MAX_MS else now_ms
        self._journal = Journal(path)
        if not kept:
            self._journal.append([self._opened()])
        for symbol, market in markets.items():
            instrument = self.exchange.instruments[symbol]
            price = instrument.price(market.mid) / (1 + settings.basis)
            world.resume(instrument.base, price / world.pair("USD", instrument.quote))
        self._crowds = {symbol: self._crowd(instrument) for symbol, instrument in self.exchange.instruments.items()}
        # Change ids must grow across restarts; no market changes a thousand levels in a millisecond.
        self.changes = {
            symbol: Changes(instrument, self.exchange.books[symbol], now_ms * 1_000)
            for symbol, instrument in self.exchange.instruments.items()
        }
        self._marked_ms = 0
        self.recorded: set[str] = set()
        self._disturbance = Disturbance(self.faults)
        self.hub = Hub(self.faults, self.machine_ms)
        self.rest = Rest(self, self.faults, self.machine_ms, self.hub.drop_all)

    # What a dialect words. -------------------------------------------------------------------------------------------

    @abstractmethod
    def answer(self, request: web.Request, body: str) -> Answer:
        """Do what a REST request asks; `commit` before answering. A refusal is an answer."""

    @abstractmethod
    def overloaded(self) -> Answer:
        """Say that there were too many requests."""

    @abstractmethod
    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve a WebSocket through `hub.serve`."""

    @abstractmethod
    def tell(self, happening: Happening) -> None:
        """Tell the account, through `hub.tell_account`, what happened to it."""

    @abstractmethod
    def tell_print(self, made: Print) -> None:
        """Tell the public of a trade."""

    @abstractmethod
    def tell_change(self, change: Change) -> None:
        """Tell the public what changed in a book."""

    @abstractmethod
    def tell_top(self, top: Top) -> None:
        """Tell the public that the top of a book changed."""

    @abstractmethod
    def tell_mark(self, instrument: Instrument, now_ms: int) -> None:
        """Tell the public mark, index and funding, once a second."""

    def book_topic(self, instrument: Instrument) -> str:
        """Return the name under which a fault may ask for this book."""
        return instrument.symbol

    def each_publication(self, now_ms: int) -> None:
        """Do what a dialect does every tenth of a second besides: nothing, where it says nothing."""
        del now_ms

    # What every venue does. ------------------------------------------------------------------------------------------

    def clock_ms(self) -> int:
        """Return the venue's time in milliseconds: the machine's, shifted while a `clock_skew` lasts."""
        now_ms = self.machine_ms()
        skew = self.faults.lasting(("clock_skew",), "clock", now_ms)
        return now_ms if skew is None else now_ms + skew.skew_ms

    def machine_ms(self) -> int:
        """Return the time in milliseconds; it never decreases, whatever the machine's clock does."""
        self._last_ms = max(self._last_ms, self._clock_ms())
        return self._last_ms

    @property
    def is_closed(self) -> bool:
        """Say whether the venue is gone: its sockets may end a little later, and nothing follows from that."""
        return self._journal.is_closed

    def open(self) -> None:
        """Open the markets and put restored orders back into them."""
        for symbol in self.exchange.instruments:
            self.apply(symbol, self._crowds[symbol].step(self.middle(symbol)))
        self.exchange.rest_open_orders(self.clock_ms())
        self.commit()

    def close(self) -> None:
        """Close the sockets, note where the markets stand and close the memory; idempotent."""
        self.rest.stop()
        self.hub.close()
        if not self._journal.is_closed:
            self.keep_markets()
        self._journal.close()

    async def route(self, request: web.Request) -> web.StreamResponse:
        """Serve a request to one of the venue's hosts."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await self.rest.answer(request)
        now_ms = self.machine_ms()
        refused = self.faults.outage(now_ms) or self.faults.take(("maintenance", "rate_limited"), "websocket", now_ms)
        if refused is None:
            return await self.connect(request)
        return worded(self.overloaded()) if refused.kind == "rate_limited" else closed()

    def commit(self) -> None:
        """Keep what happened, then tell it: nobody hears of what the disk does not have."""
        out = self.exchange.drain()
        self._journal.append(out.records)
        for happening in out.account:
            self.tell(happening)
        for made in out.prints:
            self.tell_print(made)

    def count_down(self, name: str, for_ms: int) -> None:
        """Cancel the orders of a symbol, or all of them, when nobody asks again within this time; 0 stops it."""
        until_ms = self.machine_ms() + for_ms if for_ms else 0
        if (until_ms or name in self.countdowns) and not self.is_closed:
            self.countdowns.put(name, until_ms)
            self._journal.append([CountdownKept(name=name, until_ms=until_ms)])

    def _end_overdue(self, machine_ms: int) -> None:
        """Cancel what was counted down to its end. A switch goes off once."""
        for name in self.countdowns.due(machine_ms):
            self.exchange.cancel_all(self.clock_ms(), None if name == ALL else name)
            self.count_down(name, 0)
            self.commit()

    def apply(self, symbol: str, step: Step) -> None:
        """Let a step of the rest of the market happen."""
        now_ms = self.clock_ms()
        for stranger in step.strangers:
            self.exchange.market_trade(symbol, stranger.side, stranger.price, stranger.quantity, now_ms)
        self.exchange.set_market(symbol, step.bids, step.asks, now_ms)

    def middle(self, symbol: str, moved: Fault | None = None) -> int:
        """Return where the world's price, or a fault that moves it, puts a market, in ticks."""
        instrument = self.exchange.instruments[symbol]
        price = self.world.pair(instrument.base, instrument.quote) * (1 + self.settings.basis)
        return int(price * (1 if moved is None else moved.factor) / instrument.tick)

    def step(self) -> None:
        """Follow the world by one step in every market that no recording leads."""
        for symbol in self.exchange.instruments:
            if symbol not in self.recorded or self.is_dislocated(symbol):
                self.step_market(symbol)

    def is_dislocated(self, symbol: str) -> bool:
        """Say whether a fault holds a market away from the world's price."""
        names = self._names(self.exchange.instruments[symbol])
        return self.faults.lasting(("dislocate",), names, self.machine_ms()) is not None

    def step_market(self, symbol: str) -> None:
        """Follow the world by one step in one market."""
        names = self._names(self.exchange.instruments[symbol])
        moved = self.faults.take(("dislocate",), names, self.machine_ms())
        self.apply(symbol, self._crowds[symbol].step(self.middle(symbol, moved)))
        self.commit()

    def hand_over_to_crowd(self, symbol: str) -> None:
        """Go on at random from the book as another source left it."""
        book = self.exchange.books[symbol]
        self._crowds[symbol].adopt(book.prices("BUY"), book.prices("SELL"))

    def set_levels(self, bids: Levels, asks: Levels, symbol: str | None = None, *, clear: bool = True) -> None:
        """Set what the rest of the market has standing, in ticks and lots; with `clear`, and nothing else."""
        symbol = symbol or next(iter(self.exchange.instruments))
        book = self.exchange.books[symbol]
        if clear:
            bids, asks = _cleared(book, "BUY", bids), _cleared(book, "SELL", asks)
        self.exchange.set_market(symbol, bids, asks, self.clock_ms())
        self.commit()

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        """Return a book."""
        return self.changes[symbol].snapshot(limit, self.clock_ms())

    def flush_book(self, symbol: str) -> None:
        """Tell who already listens what is pending, so that the next change follows the next snapshot exactly."""
        instrument = self.exchange.instruments[symbol]
        change = self.changes[symbol].take(self.clock_ms())
        if change is not None:
            for told in self._disturbance.pass_on(change, self._names(instrument), self.machine_ms()):
                self.tell_change(told)

    def publish(self) -> None:
        """Send what changed in the markets since the last time."""
        now_ms, machine_ms = self.clock_ms(), self.machine_ms()
        self._end_overdue(machine_ms)
        self._disturb_sockets(machine_ms)
        marks = machine_ms - self._marked_ms >= MARK_EVERY_MS
        for instrument in self.exchange.instruments.values():
            names = self._names(instrument)
            changes = self.changes[instrument.symbol]
            self._disturbance.cross(changes, names, machine_ms)
            silent = self.faults.take(("silence",), (*names, "market"), machine_ms) is not None
            change, top = changes.take(now_ms), changes.take_top(now_ms)
            if silent or not self.hub.sockets:
                continue
            if change is not None:
                for told in self._disturbance.pass_on(change, names, machine_ms):
                    self.tell_change(told)
            if top is not None:
                self.tell_top(top)
            if marks and instrument.symbol in self.exchange.marks:
                self.tell_mark(instrument, now_ms)
        if marks:
            self._marked_ms = machine_ms
        self.each_publication(now_ms)

    def _disturb_sockets(self, machine_ms: int) -> None:
        self.faults.take(("clock_skew",), "clock", machine_ms)
        self.hub.frozen = self.faults.take(("freeze",), "sockets", machine_ms) is not None
        if self.faults.take(("disconnect",), "sockets", machine_ms) or self.faults.outage(machine_ms):
            self.hub.drop_all()

    def _crowd(self, instrument: Instrument) -> Crowd:
        shape = shape_of(instrument, self.world.pair(instrument.base, instrument.quote))
        return Crowd(shape, f"{self.settings.seed}:{self.name}:{instrument.symbol}")

    def _names(self, instrument: Instrument) -> tuple[str, ...]:
        return (instrument.symbol, instrument.base, self.book_topic(instrument))

    def keep_markets(self) -> None:
        """Note where the markets stand, without waiting for the disk."""
        records = [
            MarketKept(
                symbol=symbol,
                mid=int(mark / self.exchange.instruments[symbol].tick),
                funded_until_ms=self.exchange.funded_until_ms.get(symbol, 0),
            )
            for symbol, mark in self.exchange.marks.items()
        ]
        self._journal.append(records, promise=False)

    def _remembered(self, path: Path) -> list[Record]:
        """Return what the journal holds, rid of what was overtaken; refuse another account's."""
        kept = list(Journal.read(path))
        if kept and kept[0] != self._opened():
            raise ValueError("this data directory holds another account: other key or deposit")
        short = compacted(kept)
        if len(short) < len(kept):
            Journal.rewrite(path, short)
        return short

    def _opened(self) -> Opened:
        return Opened(deposits=self.settings.deposited(), api_key=self.settings.api_key)


def _cleared(book: Book, side: Side, levels: Levels) -> Levels:
    return list((dict.fromkeys(book.prices(side), 0) | dict(levels)).items())
