"""What the core hears of the markets while it is measured: four venues and two oracles that agree, all the time."""

import asyncio
import time
from decimal import Decimal

from adapters.nats.connection import Connection
from adapters.nats.signals import Signals
from api.market.markets import BOOK, PRICE, book_message, price_message
from domain.codec import encode
from domain.depth import DEPTH_LEVELS_MAX
from domain.oracle import OraclePrice
from domain.venue import BookUpdate, InstrumentReport

EVERY_S = 0.1
VENUES = ("binanceusdm", "bybit", "deribit", "okx")
ORACLES = ("pyth", "redstone")
DOLLARS = {"ETH": Decimal(2_682), "BTC": Decimal(61_700), "USDT": Decimal(1), "USDC": Decimal(1)}
TICK = Decimal("0.01")


def _instrument(venue: str, base: str) -> InstrumentReport:
    return InstrumentReport(
        venue=venue,
        symbol=f"{base}/USDT:USDT",
        base=base,
        quote="USDT",
        settle="USDT",
        tick=TICK,
        step=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        quantity_max=Decimal(10_000),
        notional_min=Decimal(5),
    )


def _book(instrument: InstrumentReport, sequence: int, now_us: int) -> BookUpdate:
    middle = DOLLARS[instrument.base]
    return BookUpdate(
        venue=instrument.venue,
        symbol=instrument.symbol,
        bids=tuple((middle - TICK * step, Decimal(50)) for step in range(1, DEPTH_LEVELS_MAX + 1)),
        asks=tuple((middle + TICK * step, Decimal(50)) for step in range(1, DEPTH_LEVELS_MAX + 1)),
        sequence=sequence,
        exchange_at_us=now_us,
        received_at_us=now_us,
    )


def _price(oracle: str, base: str, sequence: int, now_us: int) -> OraclePrice:
    return OraclePrice(
        oracle=oracle,
        feed=base,
        base=base,
        quote="USD",
        price=DOLLARS[base],
        confidence=DOLLARS[base] / 10_000,
        published_at_us=now_us,
        received_at_us=now_us,
        sequence=sequence,
        signers=(),
    )


class Speaker:
    """Say what every source says, when asked to; `DOLLARS` may be changed between two words."""

    def __init__(self, bus: Connection, prefix: str) -> None:
        self._signals = Signals(bus, prefix)
        self._instruments = [_instrument(venue, base) for venue in VENUES for base in ("BTC", "ETH")]
        self._sequence = 0

    def say(self) -> None:
        """Publish one word of everybody."""
        self._sequence, now_us = self._sequence + 1, time.time_ns() // 1_000
        for instrument in self._instruments:
            book = book_message(_book(instrument, self._sequence, now_us), instrument)
            self._signals.publish_market(instrument.venue, instrument.symbol, BOOK, encode(book))
        for oracle in ORACLES:
            for base in DOLLARS:
                price = price_message(_price(oracle, base, self._sequence, now_us))
                self._signals.publish_market(oracle, base, PRICE, encode(price))


async def speak(bus: Connection, prefix: str) -> None:
    """Publish what every source says until cancelled."""
    speaker = Speaker(bus, prefix)
    while True:
        speaker.say()
        await asyncio.sleep(EVERY_S)
