import asyncio

import pytest

from adapters.nats.connection import Connection
from adapters.nats.signals import IndicativeMessage, MarketMessage, Signals
from tests.support.bus import OwnNats, connected
from tests.support.servers import NatsServer


class Heard:
    def __init__(self) -> None:
        self.got = []
        self.changed = asyncio.Event()

    def __call__(self, message) -> None:
        self.got.append(message)
        self.changed.set()

    async def until(self, number: int):
        async with asyncio.timeout(20):
            while len(self.got) < number:
                self.changed.clear()
                await self.changed.wait()
        return self.got


async def test_every_role_is_heard(connection: Connection, nats_server: NatsServer, nats_prefix: str):
    heard = []
    complete = asyncio.Event()

    def hear(role: str, body: bytes) -> None:
        heard.append((role, body))
        if len(heard) == 2:
            complete.set()

    await Signals(connection, nats_prefix).on_health(hear)
    async with connected(nats_server.url) as other:
        sender = Signals(other, nats_prefix)
        sender.publish_health("core", b"1")
        sender.publish_health("api", b"2")
        await asyncio.wait_for(complete.wait(), 5)
    assert heard == [("core", b"1"), ("api", b"2")]
    with pytest.raises(ValueError, match="token"):
        sender.publish_health("a.b", b"")


async def test_market_data_is_heard_by_venue_and_symbol(connection: Connection, nats_prefix: str):
    everything, one = Heard(), Heard()
    signals = Signals(connection, nats_prefix)
    await signals.on_market(everything)
    await signals.on_market(one, venue="binance", symbol="ETH/USDT:USDT")
    signals.publish_market("binance", "ETH/USDT:USDT", "book", b"1")
    signals.publish_market("binance", "A.B/C D", "mark", b"2")
    signals.publish_market("okx", "ETH/USDT:USDT", "book", b"3")
    assert await everything.until(3) == [
        MarketMessage("binance", "ETH/USDT:USDT", "book", b"1"),
        MarketMessage("binance", "A.B/C D", "mark", b"2"),
        MarketMessage("okx", "ETH/USDT:USDT", "book", b"3"),
    ]
    assert await one.until(1) == [MarketMessage("binance", "ETH/USDT:USDT", "book", b"1")]


async def test_indicative_ladders_are_heard_by_pair(connection: Connection, nats_prefix: str):
    heard = Heard()
    signals = Signals(connection, nats_prefix)
    await signals.on_indicative(heard, pair="WETH/USDe")
    signals.publish_indicative("USDT/USDe", b"other")
    signals.publish_indicative("WETH/USDe", b"ladder")
    assert await heard.until(1) == [IndicativeMessage("WETH/USDe", b"ladder")]


async def test_without_a_server_signals_are_dropped_and_counted(mortal: OwnNats):
    async with connected(mortal.url) as connection:
        lost = asyncio.Event()
        connection.watch(disconnected=lost.set)
        mortal.kill()
        await asyncio.wait_for(lost.wait(), 5)
        signals = Signals(connection, "ballast")
        signals.publish_market("binance", "ETH/USDT:USDT", "book", b"1")
        assert signals.dropped == 1
