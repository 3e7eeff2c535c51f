import asyncio

import pytest

from adapters.nats.connection import Connection
from adapters.nats.signals import Heartbeat, IndicativeMessage, MarketMessage, Signals
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
        async with asyncio.timeout(5):
            while len(self.got) < number:
                self.changed.clear()
                await self.changed.wait()
        return self.got


async def test_heartbeats_of_every_role_are_heard(connection: Connection, nats_server: NatsServer, nats_prefix: str):
    heard = Heard()
    signals = Signals(connection, nats_prefix)
    await signals.on_heartbeat(heard)
    async with connected(nats_server.url) as other:
        core = Heartbeat(role="core", pid=7, at_us=1_000_000, position=12)
        api = Heartbeat(role="api", pid=8, at_us=1_000_001, ready=False, text="behind")
        sender = Signals(other, nats_prefix)
        await other.client.publish(f"{nats_prefix}.health.core", b"not a heartbeat")
        await other.client.flush()
        sender.beat(core)
        sender.beat(api)
        assert await heard.until(2) == [core, api]
    assert signals.malformed == 1
    with pytest.raises(ValueError, match="token"):
        sender.beat(Heartbeat(role="a.b", pid=1, at_us=1))


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
