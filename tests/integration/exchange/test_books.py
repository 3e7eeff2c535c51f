"""Public books: copied, chained, given up aloud and taken up again."""

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from adapters.exchange.binance_usdm import BinanceUsdm
from adapters.simulators.faults import Fault
from adapters.simulators.server import BinanceSimulator
from domain.venue import BookLost, BookUpdate
from tests.support.exchange import ETH, listening, venue_settings

D = Decimal


@pytest.fixture
async def venue(simulator: BinanceSimulator) -> AsyncIterator[BinanceUsdm]:
    async with BinanceUsdm(venue_settings(simulator.port, simulator.ca_file, timeout_ms=1_500)) as made:
        yield made


def arm(simulator: BinanceSimulator, kind: Any, **fields: Any) -> None:
    simulator.venue.faults.arm(Fault(kind=kind, **fields), time.time_ns() // 1_000_000)


def with_bid(price: str) -> Any:
    def accept(update: BookUpdate) -> bool:
        return update.top is not None and update.top.bid_price == D(price)

    return accept


async def test_a_book_follows_the_market_exactly(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    async with listening(venue.book_events()) as books:
        first = await books.until(BookUpdate)
        assert first.symbol == ETH
        assert first.bids == ((D("2000.00"), D(5)), (D("1999.90"), D(9)))
        assert first.asks == ((D("2000.01"), D(4)), (D("2000.10"), D(8)))
        simulator.venue.set_levels([(200_000, 0), (199_995, 7_000)], [], clear=False)
        second = await books.until(BookUpdate, with_bid("1999.95"))
        assert second.bids == ((D("1999.95"), D(7)), (D("1999.90"), D(9)))
        assert second.sequence > first.sequence
        assert second.received_at_us >= second.exchange_at_us
        assert first.bids[0] == (D("2000.00"), D(5)), "an update is a copy"


async def test_a_gap_is_noticed_and_healed_by_a_snapshot(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    async with listening(venue.book_events()) as books:
        await books.until(BookUpdate)
        arm(simulator, "gap", on="ethusdt@depth")
        simulator.venue.set_levels([(199_997, 1_000)], [], clear=False)
        simulator.venue.publish()
        simulator.venue.set_levels([(199_996, 1_000)], [], clear=False)
        lost = await books.until(BookLost)
        assert "gap" in lost.reason
        healed = await books.until(BookUpdate, after=books.heard.index(lost))
        assert (D("1999.97"), D(1)) in healed.bids, "what was skipped is there"
    assert simulator.venue.faults.counts["gap"] == 1


async def test_silence_is_not_taken_for_a_quiet_market(simulator: BinanceSimulator) -> None:
    settings = venue_settings(simulator.port, simulator.ca_file, book_silence_ms=400)
    async with BinanceUsdm(settings) as venue, listening(venue.book_events()) as books:
        await books.until(BookUpdate)
        lost = await books.until(BookLost)
        assert "silent" in lost.reason
        await books.until(BookUpdate, after=books.heard.index(lost))


async def test_a_lost_socket_gives_the_book_up_and_comes_back(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    async with listening(venue.book_events()) as books:
        await books.until(BookUpdate)
        simulator.venue.sockets.drop_all()
        lost = await books.until(BookLost)
        simulator.venue.set_levels([(199_999, 3_000)], [(200_002, 3_000)])
        healed = await books.until(
            BookUpdate, lambda update: update.bids == ((D("1999.99"), D(3)),), after=books.heard.index(lost)
        )
        assert healed.asks == ((D("2000.02"), D(3)),)


async def test_one_book_lost_is_one_book_lost(simulator: BinanceSimulator) -> None:
    btc = "BTC/USDT:USDT"
    settings = venue_settings(simulator.port, simulator.ca_file, symbols=(ETH, btc))
    async with BinanceUsdm(settings) as venue, listening(venue.book_events()) as books:
        for symbol in (ETH, btc):
            await books.until(BookUpdate, lambda update, symbol=symbol: update.symbol == symbol)
        arm(simulator, "gap", on="ethusdt@depth")
        for bid in (199_997, 199_996):
            simulator.venue.set_levels([(bid, 1_000)], [], clear=False)
            simulator.venue.publish()
        lost = await books.until(BookLost)
        await books.until(BookUpdate, lambda update: update.symbol == ETH, after=books.heard.index(lost))
        assert {event.symbol for event in books.of(BookLost)} == {ETH}
        simulator.venue.sockets.drop_all()
        for symbol in (ETH, btc):
            gone = await books.until(
                BookLost, lambda event, symbol=symbol: event.symbol == symbol, after=books.heard.index(lost) + 1
            )
            await books.until(
                BookUpdate, lambda update, symbol=symbol: update.symbol == symbol, after=books.heard.index(gone)
            )


async def test_a_venue_in_maintenance_is_waited_for(simulator: BinanceSimulator, venue: BinanceUsdm) -> None:
    async with listening(venue.book_events()) as books:
        await books.until(BookUpdate)
        arm(simulator, "maintenance", for_ms=700)
        simulator.venue.sockets.drop_all()
        lost = await books.until(BookLost)
        await books.until(BookUpdate, after=books.heard.index(lost))
    assert simulator.venue.faults.counts["maintenance"] >= 1
