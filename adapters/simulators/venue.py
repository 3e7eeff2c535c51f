"""The simulated venue as a whole, short of its port: exchange, memory, markets and what the streams are told."""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from adapters.simulators.exchange import Exchange
from adapters.simulators.faults import Faults
from adapters.simulators.feeds import MarketFeed, trade_messages
from adapters.simulators.gate import Limits
from adapters.simulators.instruments import ETHUSDT, INSTRUMENTS
from adapters.simulators.journal import Journal, MarketKept, Opened, Record
from adapters.simulators.market import BTC_SHAPE, ETH_SHAPE, Step, Walk
from adapters.simulators.matching import Book, Side
from adapters.simulators.recovery import restore
from adapters.simulators.sockets import Sockets
from adapters.simulators.wire import Json

MARK_EVERY_MS = 1_000
_SHAPES = {"ETHUSDT": ETH_SHAPE, "BTCUSDT": BTC_SHAPE}
Levels = list[tuple[int, int]]


def wall_clock_ms() -> int:
    """Return the time in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say how to simulate a venue.

    `port` 0 takes the port of last time, or a free one. `replay_file` replays a recording as the ETHUSDT market and
    goes on at random after its end. `step_ms` 0 leaves the random market standing still until `step_market` is called.
    `admin_token` None closes the admin endpoint.
    """

    data_dir: Path
    api_key: str
    api_secret: str
    seed: int = 7
    port: int = 0
    deposit_usdt: Decimal = Decimal(10_000_000)
    step_ms: int = 100
    replay_file: Path | None = None
    admin_token: str | None = None
    listen_key_ttl_ms: int = 60 * 60_000
    limits: Limits = Limits()


class BinanceVenue:
    """Hold one simulated venue and its memory; what happens is kept on disk before anyone is told of it."""

    def __init__(self, settings: SimulatorSettings, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        self.settings = settings
        self._clock_ms = clock_ms
        self._last_ms = 0
        now_ms = self.clock_ms()
        path = settings.data_dir / "venue.jsonl"
        kept = list(Journal.read(path))
        self.exchange = Exchange(INSTRUMENTS, settings.deposit_usdt, now_ms=now_ms)
        markets = restore(self.exchange, kept)
        if self.exchange.ledger.trades:
            self._last_ms = max(self._last_ms, self.exchange.ledger.trades[-1].time_ms)
        self._journal = Journal(path)
        self._check_owner(kept)
        self._walks = {
            symbol: Walk(
                _SHAPES[symbol],
                f"{settings.seed}:{symbol}",
                middle=markets[symbol].mid if symbol in markets else None,
            )
            for symbol in self.exchange.instruments
        }
        # Update ids must grow across restarts; no market changes a thousand levels in a millisecond.
        self._feeds = {
            symbol: MarketFeed(instrument, self.exchange, now_ms * 1_000)
            for symbol, instrument in self.exchange.instruments.items()
        }
        self._marked_ms = 0
        self.faults = Faults()
        self.sockets = Sockets(self.exchange.instruments, self.faults, self.clock_ms)
        self.sockets.listen_key_ttl_ms = settings.listen_key_ttl_ms

    def clock_ms(self) -> int:
        """Return the venue's time in milliseconds; it never decreases, whatever the machine's clock does."""
        self._last_ms = max(self._last_ms, self._clock_ms())
        return self._last_ms

    def open(self) -> None:
        """Open the markets and put restored orders back into them."""
        for symbol in self._walks:
            self.apply(symbol, self._walks[symbol].step())
        self.exchange.rest_open_orders(self.clock_ms())
        self.commit()

    def close(self) -> None:
        """Note where the markets stand and close the memory; idempotent."""
        if not self._journal.is_closed:
            self.keep_markets()
        self._journal.close()

    def commit(self) -> None:
        """Keep what happened, then tell it: nobody hears of what the disk does not have."""
        out = self.exchange.drain()
        self._journal.append(out.records)
        self.sockets.tell_account(out.user_events)
        for made in out.prints:
            self.sockets.publish(trade_messages(made))

    def apply(self, symbol: str, step: Step) -> None:
        """Let a step of the rest of the market happen."""
        now_ms = self.clock_ms()
        for stranger in step.strangers:
            self.exchange.market_trade(symbol, stranger.side, stranger.price, stranger.quantity, now_ms)
        self.exchange.set_market(symbol, step.bids, step.asks, now_ms)

    def step_market(self, symbol: str = ETHUSDT.symbol) -> None:
        """Take one step of the random market now."""
        self.apply(symbol, self._walks[symbol].step())
        self.commit()

    def hand_over_to_walk(self, symbol: str) -> None:
        """Go on at random from the book as another source left it."""
        book = self.exchange.books[symbol]
        middle = int(self.exchange.marks[symbol] / self.exchange.instruments[symbol].tick)
        walk = Walk(_SHAPES[symbol], f"{self.settings.seed}:{symbol}", middle=middle)
        walk.adopt(iter(book.prices("BUY")), iter(book.prices("SELL")))
        self._walks[symbol] = walk

    def set_levels(self, bids: Levels, asks: Levels, symbol: str = ETHUSDT.symbol, *, clear: bool = True) -> None:
        """Set what the rest of the market has standing, in ticks and lots; with `clear`, and nothing else."""
        book = self.exchange.books[symbol]
        if clear:
            bids, asks = _cleared(book, "BUY", bids), _cleared(book, "SELL", asks)
        self.exchange.set_market(symbol, bids, asks, self.clock_ms())
        self.commit()

    def depth_snapshot(self, symbol: str, limit: int) -> Json:
        """Return a book as REST tells it."""
        return self._feeds[symbol].snapshot(limit, self.clock_ms())

    def open_listen_key(self, now_ms: int) -> str:
        """Return the account's listen key."""
        return self.sockets.open_listen_key(now_ms)

    def renew_listen_key(self, now_ms: int) -> str:
        """Renew the account's listen key."""
        return self.sockets.renew_listen_key(now_ms)

    def close_listen_key(self) -> None:
        """Forget the account's listen key."""
        self.sockets.close_listen_key()

    def publish(self) -> None:
        """Send what changed in the markets since the last time."""
        now_ms = self.clock_ms()
        muted = self.faults.take(("mute_market",), "market", now_ms) is not None
        for feed in self._feeds.values():
            diffs = list(feed.diffs(now_ms))
            if muted or (diffs and self.faults.take(("skip_depth",), diffs[0][0], now_ms)):
                continue
            self.sockets.publish(diffs)
            self.sockets.publish(feed.tops(now_ms))
            if now_ms - self._marked_ms >= MARK_EVERY_MS:
                self.sockets.publish(feed.marks(now_ms))
        if now_ms - self._marked_ms >= MARK_EVERY_MS:
            self._marked_ms = now_ms
        self.sockets.expire_listen_key(now_ms)

    def keep_markets(self) -> None:
        """Note where the markets stand, without waiting for the disk."""
        records = [
            MarketKept(
                symbol=symbol,
                mid=int(self.exchange.marks[symbol] / self.exchange.instruments[symbol].tick),
                funded_until_ms=self.exchange.funded_until_ms[symbol],
            )
            for symbol in self.exchange.marks
        ]
        self._journal.append(records, promise=False)

    def _check_owner(self, kept: list[Record]) -> None:
        opened = Opened(deposit=self.settings.deposit_usdt, api_key=self.settings.api_key)
        if not kept:
            self._journal.append([opened])
        elif kept[0] != opened:
            self._journal.close()
            raise ValueError("this data directory holds another account: other key or deposit")


def _cleared(book: Book, side: Side, levels: Levels) -> Levels:
    return list((dict.fromkeys(book.prices(side), 0) | dict(levels)).items())
