"""A recorded Binance USD-M market, replayed at its own speed.

A recording is gzip, one `receive_ns JSON` line per message: one REST snapshot somewhere near the start, `depth` diffs,
`bookTicker` and `trade`. Diffs around the snapshot are joined as the venue's own rules say; a hole in the recording is
an error, never papered over. Nothing loops: when the lines are used up, the caller goes on with the random walk.
"""

import asyncio
import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from adapters.simulators.instruments import Instrument
from adapters.simulators.market import Step, Stranger
from adapters.simulators.matching import Side
from adapters.simulators.venue import SimulatedVenue


class RecordingBroken(Exception):
    """Say which line of a recording cannot be replayed."""


class Line(msgspec.Struct, frozen=True):
    """Hold one recorded line: when it was received, and the message."""

    received_ns: int
    message: dict[str, Any]


class Ticker(msgspec.Struct, frozen=True):
    """Hold one recorded bookTicker: the venue's own word on the top of the book, at an update id."""

    update_id: int
    bid: tuple[int, int]
    ask: tuple[int, int]


class Timed(msgspec.Struct, frozen=True):
    """Hold one step with its time since the start of the recording and the update id it leads to (0 for a trade)."""

    after_ns: int
    update_id: int
    step: Step


def parse_line(line: bytes) -> Line:
    """Split a recorded line; raise `RecordingBroken` when it is not one."""
    stamp, space, body = line.partition(b" ")
    try:
        if not space:
            raise RecordingBroken("no space after the time")
        message = msgspec.json.decode(body, type=dict[str, Any])
        return Line(int(stamp), message)
    except (ValueError, msgspec.DecodeError) as error:
        raise RecordingBroken(f"not a recorded line: {error}") from error


def parse_ticker(data: dict[str, Any], instrument: Instrument) -> Ticker:
    """Return a bookTicker in ticks and lots."""
    return Ticker(
        int(data["u"]),
        _level(instrument, (data["b"], data["B"])),
        _level(instrument, (data["a"], data["A"])),
    )


def lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a recording."""
    with gzip.open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield parse_line(line)
            except RecordingBroken as error:
                raise RecordingBroken(f"{path.name} line {number}: {error}") from error


def steps(source: Iterator[Line], instrument: Instrument) -> Iterator[Timed]:
    """Yield the steps of one instrument from its snapshot on; raise `RecordingBroken` at a gap."""
    tape: _Tape | None = None
    early: list[dict[str, Any]] = []
    for line in source:
        data = line.message.get("data", line.message)
        if tape is None and "lastUpdateId" in data:
            tape = _Tape(instrument, line.received_ns, int(data["lastUpdateId"]))
            yield tape.snapshot(data)
            for diff in early:
                yield from tape.diff(diff, line.received_ns)
        elif data.get("s") != instrument.symbol:
            continue
        elif data.get("e") == "depthUpdate":
            if tape is None:
                early.append(data)
            else:
                yield from tape.diff(data, line.received_ns)
        elif data.get("e") == "trade" and tape is not None:
            yield from tape.trade(data, line.received_ns)
    if tape is None:
        raise RecordingBroken("no snapshot in the recording")


class _Tape:
    """Follow one recorded book. It remembers the recorded sizes, to put back what a replayed trade took twice.

    A recorded trade shows up both as a trade and as a smaller size in the diff after it. The trade is played so that
    our own resting orders get their turn; the diff then sets what stood in truth, also where nothing seemed to change.
    """

    def __init__(self, instrument: Instrument, start_ns: int, snapshot_id: int) -> None:
        self._instrument = instrument
        self._start_ns = start_ns
        self._last = snapshot_id
        self._bridged = False
        self._booked_until_ms = 0
        self._sizes: dict[Side, dict[int, int]] = {"BUY": {}, "SELL": {}}
        self._disturbed: dict[Side, set[int]] = {"BUY": set(), "SELL": set()}

    def snapshot(self, data: dict[str, Any]) -> Timed:
        self._booked_until_ms = int(data.get("T", 0))
        return Timed(0, self._last, Step((), self._set("BUY", data["bids"]), self._set("SELL", data["asks"])))

    def diff(self, data: dict[str, Any], received_ns: int) -> Iterator[Timed]:
        first_id, last_id = int(data["U"]), int(data["u"])
        if last_id < self._last:
            return
        spans = not self._bridged and first_id <= self._last
        if not spans and int(data["pu"]) != self._last:
            raise RecordingBroken(f"a gap: {data['pu']} follows {self._last}")
        self._bridged = True
        self._last = last_id
        self._booked_until_ms = int(data["T"])
        step = Step((), self._set("BUY", data["b"]), self._set("SELL", data["a"]))
        yield Timed(max(0, received_ns - self._start_ns), last_id, step)

    def trade(self, data: dict[str, Any], received_ns: int) -> Iterator[Timed]:
        price, quantity = _level(self._instrument, (data["p"], data["q"]))
        # A trade that a diff already told of, or one outside the book (X other than MARKET), is not played.
        if data.get("X", "MARKET") != "MARKET" or quantity == 0 or int(data["T"]) <= self._booked_until_ms:
            return
        side: Side = "SELL" if data["m"] else "BUY"
        hit: Side = "BUY" if data["m"] else "SELL"
        sign = 1 if hit == "SELL" else -1
        self._disturbed[hit].update(at for at in self._sizes[hit] if at * sign <= price * sign)
        yield Timed(max(0, received_ns - self._start_ns), 0, Step((Stranger(side, price, quantity),), (), ()))

    def _set(self, side: Side, rows: list[tuple[str, str]]) -> tuple[tuple[int, int], ...]:
        changed = dict(_level(self._instrument, row) for row in rows)
        sizes = self._sizes[side]
        _keep(sizes, tuple(changed.items()))
        restored = {price: sizes.get(price, 0) for price in self._disturbed[side]}
        self._disturbed[side].clear()
        return tuple((restored | changed).items())


def _level(instrument: Instrument, row: tuple[str, str]) -> tuple[int, int]:
    price, quantity = Decimal(row[0]) / instrument.tick, Decimal(row[1]) / instrument.step
    ticks, lots = int(price), int(quantity)
    if ticks != price or lots != quantity:
        raise RecordingBroken(f"{row[0]} x {row[1]} is between ticks or lots")
    return ticks, lots


def _keep(sizes: dict[int, int], changed: tuple[tuple[int, int], ...]) -> None:
    for price, lots in changed:
        if lots:
            sizes[price] = lots
        else:
            sizes.pop(price, None)


async def play(path: Path, venue: SimulatedVenue, instrument: Instrument) -> None:
    """Play a recording at its own speed on a venue, the world following its middle.

    At its end the book is left to the crowd and the world.
    """
    loop = asyncio.get_running_loop()
    symbol = instrument.symbol
    venue.set_levels([], [], symbol)
    recorded: dict[Side, dict[int, int]] = {"BUY": {}, "SELL": {}}
    away = False
    began = loop.time()
    for timed in steps(lines(path), instrument):
        wait = timed.after_ns / 1e9 - (loop.time() - began)
        if wait > 0:
            await asyncio.sleep(wait)
        _keep(recorded["BUY"], timed.step.bids)
        _keep(recorded["SELL"], timed.step.asks)
        if venue.is_dislocated(symbol):
            # Elsewhere for a while: the crowd stands there, and the recorded book comes back whole.
            if not away:
                venue.hand_over_to_crowd(symbol)
            away = True
            continue
        if away:
            venue.set_levels(list(recorded["BUY"].items()), list(recorded["SELL"].items()), symbol)
            away = False
        venue.apply(symbol, timed.step)
        venue.commit()
        quoted = venue.exchange.marks.get(symbol)
        if quoted is not None:
            venue.world.lead(instrument.base, quoted * venue.world.pair(instrument.quote, "USD"))
    venue.hand_over_to_crowd(symbol)
    venue.recorded.discard(symbol)
    venue.world.release(instrument.base)
