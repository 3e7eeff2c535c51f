"""Streams of every dialect, made up and then spoilt: what is dropped, doubled and out of order, against what was true.

A made-up market changes step by step, and what its book was at each sequence number is kept. The messages reach the
dialect with faults on the way. Whatever the dialect believes must be what was true at the number it names; and after a
message that is news, it must stand at that message's number or have given the book up. All else is undetected.
"""

import json
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from adapters.exchange.feeds.dialect import Acts, Dialect, Fetch, Lost, Say
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.feeds.venues import dialects
from domain.venue import InstrumentReport

START_MS = 1_760_000_000_000
LEVELS = 10
MID = 200_000
SPREAD_LEVELS = 25
HISTORY_MAX = 4_000
PATIENCE = 40

Sides = tuple[dict[int, int], dict[int, int]]


class Outcome(msgspec.Struct):
    """Count what a run did: `undetected` is what must be none."""

    messages: int = 0
    injected: int = 0
    losses: int = 0
    compared: int = 0
    undetected: int = 0


class Market:
    """Hold a book of whole ticks and lots that never crosses, and change it at random."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.sides: Sides = (
            {MID - step: rng.randint(1, 900) for step in range(1, SPREAD_LEVELS)},
            {MID + step: rng.randint(1, 900) for step in range(1, SPREAD_LEVELS)},
        )

    def change(self) -> Sides:
        """Change some levels and return them, taken away ones with size zero."""
        changed: Sides = ({}, {})
        for _ in range(self._rng.randint(1, 6)):
            side = self._rng.randrange(2)
            price = MID + (1 if side else -1) * self._rng.randint(1, SPREAD_LEVELS * 2)
            held = self.sides[side]
            size = 0 if price in held and len(held) > LEVELS * 2 and self._rng.random() < 0.4 else None
            changed[side][price] = self._rng.randint(1, 900) if size is None else 0
            if size is None:
                held[price] = changed[side][price]
            else:
                del held[price]
        return changed

    def best(self) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """Return the best levels of both sides, best first."""
        bids, asks = self.sides
        return (
            tuple((price, bids[price]) for price in sorted(bids, reverse=True)[:LEVELS]),
            tuple((price, asks[price]) for price in sorted(asks)[:LEVELS]),
        )


class Script(ABC):
    """Write one venue's messages. `previous` and `last` are the sequence numbers as this venue chains them."""

    venue: str
    symbol: str
    market_id: str
    kind: str = "linear"

    def listing(self) -> InstrumentReport:
        """Return the instrument that the stream is about, its tick a hundredth, its lot a thousandth."""
        base, _, rest = self.symbol.partition("/")
        return InstrumentReport(
            venue=self.venue,
            symbol=self.symbol,
            base=base,
            quote=rest.partition(":")[0],
            settle=rest.partition(":")[2],
            tick=Decimal("0.01"),
            step=Decimal("0.001"),
            quantity_min=Decimal("0.001"),
            quantity_max=Decimal(10_000),
            notional_min=Decimal(5),
            market_id=self.market_id,
            kind=self.kind,  # pyright: ignore[reportArgumentType] - each script names one of the three
            funding_interval_ms=0 if self.kind == "spot" else 28_800_000,
        )

    def step(self, rng: random.Random, last: int) -> int:
        """Return the next sequence number."""
        return last + rng.randint(1, 9)

    @abstractmethod
    def delta(self, previous: int, last: int, changed: Sides) -> bytes:
        """Write what changed."""

    @abstractmethod
    def snapshot(self, last: int, sides: Sides) -> bytes:
        """Write the whole book."""


def _texts(levels: dict[int, int], *more: str) -> list[list[str]]:
    return [[f"{price / 100:.2f}", f"{size / 1000:.3f}", *more] for price, size in levels.items()]


def _bytes(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


class Usdm(Script):
    """Write Binance USD-M."""

    venue, symbol, market_id = "binanceusdm", "ETH/USDT:USDT", "ETHUSDT"

    def delta(self, previous: int, last: int, changed: Sides) -> bytes:
        """Write a diff that names the one before it."""
        row = {"e": "depthUpdate", "E": START_MS, "T": START_MS, "s": self.market_id, "U": previous + 1, "u": last}
        return _bytes(row | {"pu": previous, "b": _texts(changed[0]), "a": _texts(changed[1])})

    def snapshot(self, last: int, sides: Sides) -> bytes:
        """Write the answer to a REST question."""
        return _bytes({"lastUpdateId": last, "E": START_MS, "bids": _texts(sides[0]), "asks": _texts(sides[1])})


class Coinm(Usdm):
    """Write Binance COIN-M."""

    venue, symbol, market_id, kind = "binancecoinm", "ETH/USD:ETH", "ETHUSD_PERP", "inverse"


class Spot(Usdm):
    """Write Binance spot: no `pu`."""

    venue, symbol, kind = "binance", "ETH/USDT", "spot"

    def delta(self, previous: int, last: int, changed: Sides) -> bytes:
        """Write a diff that begins at the next id."""
        row = {"e": "depthUpdate", "E": START_MS, "s": self.market_id, "U": previous + 1, "u": last}
        return _bytes(row | {"b": _texts(changed[0]), "a": _texts(changed[1])})


class BybitLinear(Script):
    """Write Bybit: numbers grow by one, and begin anew when the service does."""

    venue, symbol, market_id = "bybit", "ETH/USDT:USDT", "ETHUSDT"

    def __init__(self) -> None:
        self._seq = 1_000

    def step(self, rng: random.Random, last: int) -> int:
        """Return the next number."""
        del rng
        return last + 1

    def delta(self, previous: int, last: int, changed: Sides) -> bytes:
        """Write a delta."""
        del previous
        return self._row("delta", last, changed)

    def snapshot(self, last: int, sides: Sides) -> bytes:
        """Write what a subscription is answered with."""
        return self._row("snapshot", last, sides)

    def _row(self, kind: str, last: int, sides: Sides) -> bytes:
        self._seq += 3 if kind == "delta" else 0
        data = {"s": self.market_id, "b": _texts(sides[0]), "a": _texts(sides[1]), "u": last, "seq": self._seq}
        return _bytes({"topic": f"orderbook.50.{self.market_id}", "type": kind, "ts": START_MS, "data": data})


class OkxSwap(Script):
    """Write OKX: each update names the one before it, and the count may begin anew."""

    venue, symbol, market_id = "okx", "ETH/USDT:USDT", "ETH-USDT-SWAP"

    def step(self, rng: random.Random, last: int) -> int:
        """Return the next number; now and then the same again (a heartbeat), rarely a much lower one (a reset)."""
        chance = rng.random()
        if chance < 0.05:
            return last
        return rng.randint(1, 50) if chance < 0.055 and last > 100 else last + rng.randint(1, 9)

    def delta(self, previous: int, last: int, changed: Sides) -> bytes:
        """Write an update."""
        return self._row("update", previous, last, changed)

    def snapshot(self, last: int, sides: Sides) -> bytes:
        """Write what a subscription is answered with."""
        return self._row("snapshot", -1, last, sides)

    def _row(self, action: str, previous: int, last: int, sides: Sides) -> bytes:
        data = {"asks": _texts(sides[1], "0", "1"), "bids": _texts(sides[0], "0", "1"), "ts": str(START_MS)}
        numbers = {"seqId": last, "prevSeqId": previous}
        argument = {"channel": "books", "instId": self.market_id}
        return _bytes({"arg": argument, "action": action, "data": [data | numbers]})


class DeribitLinear(Script):
    """Write Deribit: JSON numbers and named actions."""

    venue, symbol, market_id = "deribit", "ETH/USDC:USDC", "ETH_USDC-PERPETUAL"

    def delta(self, previous: int, last: int, changed: Sides) -> bytes:
        """Write a change."""
        return self._row({"type": "change", "prev_change_id": previous, "change_id": last}, changed)

    def snapshot(self, last: int, sides: Sides) -> bytes:
        """Write what a subscription is answered with."""
        return self._row({"type": "snapshot", "change_id": last}, sides)

    def _row(self, numbers: dict[str, Any], sides: Sides) -> bytes:
        rows = [
            [["change" if size else "delete", price / 100, size / 1000] for price, size in side.items()]
            for side in sides
        ]
        data = numbers | {"timestamp": START_MS, "instrument_name": self.market_id, "bids": rows[0], "asks": rows[1]}
        channel = f"book.{self.market_id}.100ms"
        return _bytes({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}})


SCRIPTS: dict[str, Callable[[], Script]] = {
    "binanceusdm": Usdm,
    "binancecoinm": Coinm,
    "binance": Spot,
    "bybit": BybitLinear,
    "okx": OkxSwap,
    "deribit": DeribitLinear,
}


class Run:
    """Drive one dialect through a spoilt stream and compare all the way."""

    def __init__(self, script: Script, seed: int, fault_rate: float) -> None:
        self.outcome = Outcome()
        self._rng = random.Random(seed)
        self._rate = fault_rate
        self._script = script
        self._market = Market(self._rng)
        self._last = 500
        settings = FeedSettings(venue=script.venue, levels=LEVELS)
        self.dialect: Dialect = dialects(settings, [script.listing()])[0]
        self._truth: dict[int, Any] = {}
        self._held: deque[tuple[int, int, bytes]] = deque()
        self._sent: deque[bytes] = deque(maxlen=8)
        self._snapshot_due = 0
        self._waited = 0
        self._remember()
        self._act(self.dialect.renew(script.symbol))

    def step(self) -> None:
        """Let the market change once, spoil its message or not, and deliver what is due."""
        previous = self._last
        self._last = self._script.step(self._rng, previous)
        changed: Sides = ({}, {}) if self._last == previous else self._market.change()
        self._remember()
        message = self._script.delta(previous, self._last, changed)
        chance = self._rng.random() / self._rate if self._rate else 9.0
        if chance < 0.4:
            self.outcome.injected += 1
        elif chance < 0.7:
            self.outcome.injected += 1
            self._held.append((self._rng.randint(1, 3), self._last, message))
        else:
            self._deliver(message, self._last)
            if chance < 1.0:
                self.outcome.injected += 1
                self._deliver(self._rng.choice(self._sent), None)
        self._release()
        if self._snapshot_due:
            self._snapshot_due -= 1
            if not self._snapshot_due:
                self._snapshot()
        self._reconnect_if_waiting()

    def _reconnect_if_waiting(self) -> None:
        """Replace the socket when no book comes, as whoever drives a dialect does; what was on its way is gone."""
        self._waited = 0 if self.dialect.is_believed(self._script.symbol) else self._waited + 1
        if self._waited > PATIENCE:
            self._waited = 0
            self._held.clear()
            self._sent.clear()
            self.dialect.closed()
            self._act(self.dialect.renew(self._script.symbol))

    def _release(self) -> None:
        """Deliver what was held back long enough: by now it is out of order."""
        waiting = [(left - 1, number, message) for left, number, message in self._held]
        self._held = deque(item for item in waiting if item[0] > 0)
        for left, _, message in waiting:
            if left <= 0:
                self._deliver(message, None)

    def _deliver(self, message: bytes, news: int | None) -> None:
        self.outcome.messages += 1
        self._sent.append(message)
        was = self.dialect.is_believed(self._script.symbol)
        self._act(self.dialect.receive(message, START_MS * 1_000))
        self._compare(news if was else None)

    def _act(self, acts: Acts) -> None:
        for act in acts:
            if isinstance(act, Lost):
                self.outcome.losses += 1
                self._act(self.dialect.renew(self._script.symbol))
            elif isinstance(act, Fetch) or (isinstance(act, Say) and '"subscribe"' in act.text.replace("public/", "")):
                self._snapshot_due = self._snapshot_due or self._rng.randint(1, 4)

    def _snapshot(self) -> None:
        body = self._script.snapshot(self._last, self._market.sides)
        if self._script.venue.startswith("binance"):
            # The answer may be slow: the diffs after it come before it.
            for _ in range(self._rng.choice((0, 0, 1, 3))):
                self.step()
            self._act(self.dialect.fetched(self._script.symbol, body, START_MS * 1_000))
        else:
            self._act(self.dialect.receive(body, START_MS * 1_000))
        self._compare(None)

    def _remember(self) -> None:
        self._truth[self._last] = self._market.best()
        if len(self._truth) > HISTORY_MAX:
            del self._truth[next(iter(self._truth))]

    def _compare(self, news: int | None) -> None:
        """Hold what is believed to what was true. `news` is the number of the newest message, if it was just heard."""
        symbol = self._script.symbol
        if not self.dialect.is_believed(symbol):
            return
        self.outcome.compared += 1
        book = self.dialect.book(symbol)
        seen = tuple(
            tuple((int(price * 100), int(size * 1000)) for price, size in side) for side in (book.bids, book.asks)
        )
        stands = news is None or book.sequence == news
        if seen != self._truth.get(book.sequence) or not stands:
            self.outcome.undetected += 1


def spoilt(venue: str, seed: int, injected: int, fault_rate: float) -> Outcome:
    """Run one dialect until that many faults were injected, and return what happened."""
    run = Run(SCRIPTS[venue](), seed, fault_rate)
    while run.outcome.injected < injected:
        run.step()
    return run.outcome
