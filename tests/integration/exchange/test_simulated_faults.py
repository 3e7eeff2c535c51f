"""What faults do to market data, in no dialect: seen on a venue that keeps what it would have said."""

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.exchange.connection import loopback_session
from adapters.exchange.settings import Loopback
from adapters.simulators.binance.spot import BinanceSpot
from adapters.simulators.binance.venue import BinanceVenue
from adapters.simulators.changes import Change, Top
from adapters.simulators.faults import Fault, FaultKind, Faults
from adapters.simulators.listener import Listener as Port
from adapters.simulators.settings import SimulatorSettings
from adapters.simulators.sockets import Socket
from adapters.simulators.world import World
from tests.support.exchange import ASKS, BIDS, alone

ETH = "ETHUSDT"
D = Decimal


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Telling(BinanceVenue):
    """USD-M that remembers what it told of its books."""

    changes_told: list[Change]
    tops_told: list[Top]

    def tell_change(self, change: Change) -> None:
        self.changes_told.append(change)

    def tell_top(self, top: Top) -> None:
        self.tops_told.append(top)

    def arm(self, kind: FaultKind, **fields: Any) -> None:
        self.faults.arm(Fault(kind=kind, **fields), self.machine_ms())

    def move(self, *prices: int) -> list[Change]:
        """Change a level and publish, for each price; return what was told of it."""
        begun = len(self.changes_told)
        for price in prices:
            self.set_levels([(price, 700)], [], ETH, clear=False)
            self.publish()
        return self.changes_told[begun:]


@pytest.fixture
def venue(tmp_path: Path) -> Any:
    settings = SimulatorSettings(data_dir=tmp_path, api_key="k", api_secret="s")
    made = Telling(settings, World(7))
    made.changes_told, made.tops_told = [], []
    made.open()
    made.set_levels(BIDS, ASKS, ETH)
    made.hub.sockets.add(Socket(None))  # pyright: ignore[reportArgumentType] - somebody listens
    made.publish()
    yield made
    made.hub.sockets.clear()
    made.close()


def chained(changes: list[Change]) -> bool:
    of_eth = [change for change in changes if change.instrument.symbol == ETH]
    return all(later.previous_id == earlier.last_id for earlier, later in pairwise(of_eth))


def test_without_faults_changes_chain(venue: Telling) -> None:
    told = venue.move(199_990, 199_980, 199_970)
    assert len(told) == 3
    assert chained(told)


def test_a_gap_leaves_one_change_out(venue: Telling) -> None:
    venue.arm("gap", on="ETH")
    told = venue.move(199_989, 199_988)
    assert [len(told), venue.faults.counts["gap"]] == [1, 1]
    assert told[0].bids == ((D("1999.88"), D("0.700")),)
    assert not chained(venue.changes_told), "whoever looks at the ids can see it"


def test_a_change_told_twice_and_one_told_late(venue: Telling) -> None:
    venue.arm("duplicate")
    first, second = venue.move(199_989)
    assert first == second
    venue.arm("reorder", on="ethusdt@depth")
    later, earlier = venue.move(199_988, 199_987)
    assert later.previous_id == earlier.last_id


def test_a_crossed_book_is_shown_and_healed(venue: Telling) -> None:
    venue.arm("crossed", times=1)
    venue.publish()
    shown = venue.snapshot(ETH, 5)
    assert shown.bids[0][0] > shown.asks[0][0]
    assert venue.tops_told[-1].bid[0] > venue.tops_told[-1].ask[0]
    assert venue.exchange.books[ETH].best("BUY") == 200_000, "nobody may trade with it"
    venue.publish()
    healed = venue.snapshot(ETH, 5)
    assert healed.bids[0][0] == D(2000)
    assert chained(venue.changes_told)
    assert venue.changes_told[-1].bids[0][1] == 0


def test_silence_on_one_book_is_not_silence_on_all(venue: Telling) -> None:
    venue.arm("silence", on=ETH, times=3)
    assert venue.move(199_989, 199_988, 199_987) == []
    (late,) = venue.move(199_986)
    assert {price for price, _ in late.bids} == {D("1999.86")}, "what was missed is not told again"


def test_a_skewed_clock_is_in_every_stamp_and_ends(venue: Telling) -> None:
    venue.arm("clock_skew", for_ms=60_000, skew_ms=-5_000)
    assert abs(venue.clock_ms() - (now_ms() - 5_000)) < 1_000
    (told,) = venue.move(199_989)
    assert abs(told.time_ms - (now_ms() - 5_000)) < 1_000
    assert venue.faults.counts["clock_skew"] >= 1
    venue.faults.clear()
    assert abs(venue.clock_ms() - now_ms()) < 1_000


def test_a_dislocated_market_leaves_the_world_and_comes_back(venue: Telling) -> None:
    venue.step()
    home = venue.exchange.mark(ETH)
    venue.arm("dislocate", on="ETH", times=1, factor=D("0.65"))
    assert venue.is_dislocated(ETH)
    venue.step()
    assert abs(venue.exchange.mark(ETH) / home - D("0.65")) < D("0.001")
    btc = venue.exchange.mark("BTCUSDT")
    venue.step()
    assert abs(venue.exchange.mark(ETH) / home - 1) < D("0.001")
    assert venue.world.price_of("ETH") == D(2682)
    assert abs(venue.exchange.mark("BTCUSDT") / btc - 1) < D("0.001")


@pytest.mark.parametrize(
    "fields",
    [{"times": 0}, {"for_ms": 0}, {"factor": D(0)}, {"factor": D("NaN")}, {"skew_ms": 10**9}, {"delay_ms": -1}],
)
def test_nonsense_is_not_armed(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        Faults().arm(Fault(kind="gap", **fields), 0)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[BinanceSpot, Port, aiohttp.ClientSession]]:
    async with alone(BinanceSpot, tmp_path) as (venue, port):
        venue.set_levels(BIDS, ASKS)
        loopback = Loopback(port=port.port, ca_file=port.ca_file)
        async with loopback_session(loopback, frozenset(venue.hosts)) as session:
            yield venue, port, session


async def subscribed(session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    socket = await session.ws_connect("wss://stream.binance.com:9443/ws")
    await socket.send_json({"method": "SUBSCRIBE", "params": ["ethusdt@depth@100ms"], "id": 1})
    assert await socket.receive_json() == {"result": None, "id": 1}
    return socket


async def test_a_frozen_venue_keeps_its_sockets_open_and_says_nothing(
    served: tuple[BinanceSpot, Port, aiohttp.ClientSession],
) -> None:
    venue, _, session = served
    socket = await subscribed(session)
    venue.faults.arm(Fault(kind="freeze", for_ms=60_000), now_ms())
    venue.publish()
    venue.set_levels([(199_999, 70)], [], clear=False)
    venue.publish()
    with pytest.raises(TimeoutError):
        await socket.receive_json(timeout=0.4)
    assert not socket.closed
    venue.faults.clear()
    venue.set_levels([(199_998, 70)], [], clear=False)
    assert (await socket.receive_json(timeout=20))["b"] == [["1999.98", "0.007"]]
    await socket.close()


@pytest.mark.parametrize("kind", ["disconnect", "maintenance", "rate_limited", "bad_gateway", "html"])
async def test_a_venue_that_is_away_takes_its_sockets_along(
    served: tuple[BinanceSpot, Port, aiohttp.ClientSession], kind: FaultKind
) -> None:
    venue, _, session = served
    socket = await subscribed(session)
    venue.faults.arm(Fault(kind=kind, for_ms=60_000), now_ms())
    assert (await socket.receive(timeout=20)).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await session.ws_connect("wss://stream.binance.com:9443/ws")
    assert refused.value.status == (429 if kind == "rate_limited" else 503)
    venue.faults.clear()
    again = await subscribed(session)
    await again.close()
