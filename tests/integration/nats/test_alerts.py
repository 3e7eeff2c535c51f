import asyncio
from contextlib import asynccontextmanager

import pytest

from adapters.nats import alerts
from adapters.nats.alerts import Alert, AlertPublisher, AlertSubscriber
from adapters.nats.connection import Connection
from adapters.nats.streams import stream_name
from domain.refusal import Unavailable
from tests.support.bus import OwnNats, connected
from tests.support.servers import NatsServer


class Reader:
    def __init__(self) -> None:
        self.seen: list[Alert] = []
        self.changed = asyncio.Event()

    async def handle(self, alert: Alert) -> None:
        self.seen.append(alert)
        self.changed.set()

    async def until(self, number: int, within_s: float = 30) -> list[str]:
        async with asyncio.timeout(within_s):
            while len(self.seen) < number:
                self.changed.clear()
                await self.changed.wait()
        return [alert.alert_id for alert in self.seen]

    async def until_seen(self, alert_id: str, within_s: float = 30) -> None:
        """Wait for an alert; others may come twice around a lost server."""
        async with asyncio.timeout(within_s):
            while alert_id not in [alert.alert_id for alert in self.seen]:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def subscribed(connection: Connection, prefix: str, name: str = "pager"):
    reader = Reader()
    subscriber = AlertSubscriber(connection, prefix, name, reader.handle)
    task = asyncio.create_task(subscriber.run())
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_alert_is_published_once_and_read_whole(connection: Connection, nats_prefix: str):
    publisher = AlertPublisher(connection, nats_prefix)
    assert (await publisher.ensure()).made_now
    async with subscribed(connection, nats_prefix) as reader:
        assert await publisher.publish("critical", "exposure", "a-1", b'{"x":1}') is True
        assert await publisher.publish("critical", "exposure", "a-1", b'{"x":1}') is False
        assert await publisher.publish("info", "mode", "a-2", b"{}") is True
        assert await reader.until(2) == ["a-1", "a-2"]
        alert = reader.seen[0]
        assert (alert.severity, alert.area, alert.data, alert.redelivered) == (
            "critical",
            "exposure",
            b'{"x":1}',
            False,
        )
    for severity, area in (("fatal", "x"), ("info", "a.b")):
        with pytest.raises(ValueError, match=r"severity|token"):
            await publisher.publish(severity, area, "a-3", b"")


async def test_a_subscriber_that_was_away_catches_up_in_order(
    connection: Connection, nats_server: NatsServer, nats_prefix: str
):
    publisher = AlertPublisher(connection, nats_prefix)
    await publisher.ensure()
    for n in range(3):
        await publisher.publish("info", "mode", f"a-{n}", b"")
    async with connected(nats_server.url) as pager, subscribed(pager, nats_prefix) as reader:
        assert await reader.until(3) == ["a-0", "a-1", "a-2"]
    for n in range(3, 60):
        await publisher.publish("warning", "orders", f"a-{n}", b"")
    async with connected(nats_server.url) as pager, subscribed(pager, nats_prefix) as reader:
        assert await reader.until(57) == [f"a-{n}" for n in range(3, 60)]
    async with subscribed(connection, nats_prefix, "another") as reader:
        assert len(await reader.until(60)) == 60


async def test_an_alert_that_was_not_handled_comes_again(
    connection: Connection, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(alerts, "ACK_WAIT_S", 0.5)
    publisher = AlertPublisher(connection, nats_prefix)
    await publisher.ensure()

    async def fail(_alert: Alert) -> None:
        raise RuntimeError("the pager is broken")

    await publisher.publish("critical", "venue", "a-1", b"")
    await publisher.publish("critical", "venue", "a-2", b"")
    with pytest.raises(RuntimeError, match="pager"):
        await asyncio.wait_for(AlertSubscriber(connection, nats_prefix, "pager", fail).run(), 10)
    async with subscribed(connection, nats_prefix) as reader:
        assert await reader.until(2) == ["a-1", "a-2"]
        assert reader.seen[0].redelivered


async def test_alerts_survive_kill_nine_and_are_made_anew_after_a_wipe(mortal: OwnNats):
    async with connected(mortal.url) as connection, connected(mortal.url) as pager:
        publisher = AlertPublisher(connection, "ballast")
        first = await publisher.ensure()
        async with subscribed(pager, "ballast") as reader:
            await publisher.publish("info", "mode", "a-1", b"")
            await reader.until(1)
            mortal.kill()
            mortal.start()
            await asyncio.wait_for(connection.until_connected(), 10)
            await publisher.publish("info", "mode", "a-2", b"")
            await reader.until_seen("a-2")
            assert (await publisher.ensure()).generation == first.generation
            mortal.kill()
            mortal.wipe()
            mortal.start()
            await asyncio.wait_for(connection.until_connected(), 10)
            await publisher.publish("info", "mode", "a-3", b"")
            await reader.until_seen("a-3")
            assert (await publisher.ensure()).generation != first.generation


async def test_without_a_server_the_publisher_knows_it_is_not_held(mortal: OwnNats, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alerts, "ATTEMPTS_MAX", 2)
    async with connected(mortal.url) as connection:
        publisher = AlertPublisher(connection, "ballast")
        await publisher.ensure()
        lost = asyncio.Event()
        connection.watch(disconnected=lost.set)
        mortal.kill()
        await asyncio.wait_for(lost.wait(), 5)
        with pytest.raises(Unavailable):
            await publisher.publish("info", "mode", "a-1", b"")


async def test_the_streams_name_is_the_books(connection: Connection, nats_prefix: str):
    state = await AlertPublisher(connection, nats_prefix).ensure()
    assert state.name == stream_name(nats_prefix, "ALERTS") == f"{nats_prefix.upper()}_ALERTS"
