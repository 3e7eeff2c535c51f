import asyncio

import pytest

from adapters.nats import inbox, inbox_consumer, streams
from adapters.nats.connection import Connection
from adapters.nats.failures import InboxFull
from adapters.nats.inbox import InboxPublisher
from adapters.nats.inbox_consumer import InboxConsumer, InboxFact
from adapters.nats.streams import StreamState, ensure_inbox, stream_name
from domain.refusal import Unavailable
from tests.support.bus import OwnNats, connected
from tests.support.servers import NatsServer


class Core:
    """A core that keeps what it was offered and acknowledges when told."""

    def __init__(self, connection: Connection, prefix: str, **bounds: int) -> None:
        self.facts: list[InboxFact] = []
        self.bound: list[StreamState] = []
        self.malformed: list[tuple[str, str]] = []
        self.changed = asyncio.Event()
        self.consumer = InboxConsumer(
            connection, prefix, self.offer, on_bound=self.note_bound, on_malformed=self.note_malformed, **bounds
        )
        self.task = asyncio.create_task(self.consumer.run())

    def offer(self, fact: InboxFact) -> None:
        self.facts.append(fact)
        self.changed.set()

    def note_bound(self, state: StreamState) -> None:
        self.bound.append(state)
        self.changed.set()

    def note_malformed(self, subject: str, reason: str) -> None:
        self.malformed.append((subject, reason))
        self.changed.set()

    async def until(self, condition, within_s: float = 30) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def facts_in(self, number: int) -> list[str]:
        await self.until(lambda: len(self.facts) >= number)
        return [fact.natural_key for fact in self.facts]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def stored(connection: Connection, prefix: str) -> int:
    return (await connection.jetstream().stream_info(stream_name(prefix, "INBOX"))).state.messages


async def until_stored(connection: Connection, prefix: str, number: int) -> None:
    """Wait until INBOX holds so many; the server works acknowledgements off in its own time and tells nobody."""
    async with asyncio.timeout(20):
        while await stored(connection, prefix) != number:  # noqa: ASYNC110 # the server offers no signal
            await asyncio.sleep(0.02)


async def test_a_fact_arrives_once_and_leaves_only_when_acknowledged(connection: Connection, nats_prefix: str):
    core = Core(connection, nats_prefix)
    await core.until(lambda: core.bound)
    assert core.bound[0].made_now
    publisher = InboxPublisher(connection, nats_prefix)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    first = await publisher.publish("binance", "fill.recorded", "trade-1", b"{}", traceparent=trace)
    again = await publisher.publish("binance", "fill.recorded", "trade-1", b"{}")
    assert (first.sequence, first.duplicate) == (1, False)
    assert (again.sequence, again.duplicate) == (1, True)
    await publisher.publish("binance", "fill.recorded", "trade-2", b"2")
    assert await core.facts_in(2) == ["trade-1", "trade-2"]
    fact = core.facts[0]
    assert (fact.source, fact.kind, fact.data, fact.traceparent) == ("binance", "fill.recorded", b"{}", trace)
    assert not fact.redelivered
    assert core.consumer.in_flight == 2
    await until_stored(connection, nats_prefix, 2)
    core.consumer.ack([fact.receipt for fact in core.facts])
    core.consumer.ack([fact.receipt for fact in core.facts])
    assert core.consumer.in_flight == 0
    await until_stored(connection, nats_prefix, 0)
    await core.stop()


async def test_a_new_core_gets_what_was_not_acknowledged_at_once_and_in_order(
    connection: Connection, nats_server: NatsServer, nats_prefix: str
):
    publisher = InboxPublisher(connection, nats_prefix)
    await ensure_inbox(connection.jetstream(), nats_prefix)
    async with connected(nats_server.url, "dying") as dying:
        core = Core(dying, nats_prefix)
        for n in range(10):
            await publisher.publish("venue", "fill", f"k{n}", b"")
        await core.facts_in(10)
        core.consumer.ack([core.facts[0].receipt, core.facts[4].receipt])
        await core.stop()
    for n in range(10, 15):
        await publisher.publish("venue", "fill", f"k{n}", b"")
    successor = Core(connection, nats_prefix)
    expected = [f"k{n}" for n in range(15) if n not in {0, 4}]
    assert await successor.facts_in(13) == expected
    assert not successor.bound[0].made_now
    await successor.stop()


async def test_no_more_than_the_bound_is_in_flight(connection: Connection, nats_prefix: str):
    core = Core(connection, nats_prefix, in_flight_max=3)
    publisher = InboxPublisher(connection, nats_prefix)
    await core.until(lambda: core.bound)
    for n in range(7):
        await publisher.publish("venue", "fill", f"k{n}", b"")
    assert await core.facts_in(3) == ["k0", "k1", "k2"]
    await connection.client.flush()
    assert len(core.facts) == 3
    core.consumer.ack([core.facts[0].receipt])
    assert await core.facts_in(4) == ["k0", "k1", "k2", "k3"]
    core.consumer.ack([fact.receipt for fact in core.facts])
    await core.facts_in(7)
    core.consumer.ack([fact.receipt for fact in core.facts])
    await core.stop()


async def test_a_slow_decision_is_not_offered_twice(
    connection: Connection, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inbox_consumer, "ACK_WAIT_S", 0.3)
    core = Core(connection, nats_prefix)
    await core.until(lambda: core.bound)
    await InboxPublisher(connection, nats_prefix).publish("venue", "fill", "slow", b"")
    await core.facts_in(1)
    async with asyncio.timeout(20):
        while not core.consumer.redelivered:  # noqa: ASYNC110 # a counter, by design without a signal
            await asyncio.sleep(0.05)
    assert len(core.facts) == 1
    core.consumer.ack([core.facts[0].receipt])
    await until_stored(connection, nats_prefix, 0)
    await core.stop()


async def test_what_is_no_fact_is_removed_and_told(connection: Connection, nats_prefix: str):
    core = Core(connection, nats_prefix)
    await core.until(lambda: core.bound)
    jetstream = connection.jetstream()
    await jetstream.publish(f"{nats_prefix}.inbox.venue.fill", b"no key")
    await jetstream.publish(f"{nats_prefix}.inbox.short", b"", headers={"Nats-Msg-Id": "k"})
    await InboxPublisher(connection, nats_prefix).publish("venue", "fill", "good", b"")
    assert await core.facts_in(1) == ["good"]
    assert [subject for subject, _ in core.malformed] == [
        f"{nats_prefix}.inbox.venue.fill",
        f"{nats_prefix}.inbox.short",
    ]
    await until_stored(connection, nats_prefix, 1)
    core.consumer.reject(core.facts[0].receipt, "its price is no\r\nnumber")
    await until_stored(connection, nats_prefix, 0)
    await core.stop()


async def test_a_full_inbox_refuses_the_new_and_keeps_the_old(
    connection: Connection, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(streams, "INBOX_MSGS_MAX", 2)
    monkeypatch.setattr(inbox, "ATTEMPTS_MAX", 2)
    await ensure_inbox(connection.jetstream(), nats_prefix)
    publisher = InboxPublisher(connection, nats_prefix)
    for n in range(2):
        await publisher.publish("venue", "fill", f"k{n}", b"")
    with pytest.raises(InboxFull):
        await publisher.publish("venue", "fill", "k2", b"")
    await until_stored(connection, nats_prefix, 2)


async def test_without_an_inbox_the_publisher_knows_it_is_not_held(
    connection: Connection, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inbox, "ATTEMPTS_MAX", 2)
    with pytest.raises(Unavailable):
        await InboxPublisher(connection, nats_prefix).publish("venue", "fill", "k", b"")
    with pytest.raises(ValueError, match="token"):
        await InboxPublisher(connection, nats_prefix).publish("ven.ue", "fill", "k", b"")


async def test_what_breaks_the_core_ends_the_consumer(connection: Connection, nats_prefix: str):
    def offer(_fact: InboxFact) -> None:
        raise RuntimeError("broken")

    await ensure_inbox(connection.jetstream(), nats_prefix)
    await InboxPublisher(connection, nats_prefix).publish("venue", "fill", "k", b"")
    consumer = InboxConsumer(
        connection, nats_prefix, offer, on_bound=lambda state: None, on_malformed=lambda subject, reason: None
    )
    with pytest.raises(RuntimeError, match="broken"):
        await asyncio.wait_for(consumer.run(), 5)
    await until_stored(connection, nats_prefix, 1)


async def test_after_kill_nine_every_unacknowledged_fact_comes_again_in_order(mortal: OwnNats):
    async with connected(mortal.url, "core") as inner, connected(mortal.url, "venue") as outer:
        core = Core(inner, "ballast")
        await core.until(lambda: core.bound)
        publisher = InboxPublisher(outer, "ballast")
        for n in range(5):
            await publisher.publish("venue", "fill", f"k{n}", b"")
        await core.facts_in(5)
        core.consumer.ack([fact.receipt for fact in core.facts[:2]])
        await until_stored(inner, "ballast", 3)
        mortal.kill()
        publishing = asyncio.create_task(publisher.publish("venue", "fill", "k5", b""))
        mortal.start()
        await core.until(lambda: len(core.bound) >= 2, 20)
        assert core.bound[-1].generation == core.bound[0].generation
        assert not (await publishing).duplicate
        await core.facts_in(6)
        # The three in flight were delivered again, and are still the same three to the core.
        assert [fact.natural_key for fact in core.facts] == [f"k{n}" for n in range(6)]
        core.consumer.ack([fact.receipt for fact in core.facts])
        await until_stored(inner, "ballast", 0)
        await core.stop()


async def test_a_wiped_inbox_is_a_new_one_and_its_sequences_are_not_mistaken(mortal: OwnNats):
    async with connected(mortal.url, "core") as inner, connected(mortal.url, "venue") as outer:
        core = Core(inner, "ballast")
        await core.until(lambda: core.bound)
        publisher = InboxPublisher(outer, "ballast")
        await publisher.publish("venue", "fill", "old-1", b"")
        await core.facts_in(1)
        old = core.facts[0]
        mortal.kill()
        mortal.wipe()
        mortal.start()
        await core.until(lambda: len(core.bound) >= 2, 20)
        assert core.bound[-1].made_now
        assert core.bound[-1].generation != core.bound[0].generation
        await publisher.publish("venue", "fill", "new-1", b"")
        await core.facts_in(2)
        assert core.facts[1].sequence == old.sequence == 1
        core.consumer.ack([old.receipt])
        await asyncio.sleep(0.2)
        assert await stored(inner, "ballast") == 1, "the old fact's acknowledgement must not remove the new fact"
        core.consumer.ack([core.facts[1].receipt])
        await until_stored(inner, "ballast", 0)
        await core.stop()


async def test_an_inbox_wiped_under_a_living_connection_is_noticed(
    connection: Connection, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inbox_consumer, "SILENCE_S_MAX", 1.5)
    core = Core(connection, nats_prefix)
    await core.until(lambda: core.bound)
    await connection.jetstream().delete_stream(stream_name(nats_prefix, "INBOX"))
    await core.until(lambda: len(core.bound) >= 2, 20)
    assert core.bound[-1].generation != core.bound[0].generation
    await InboxPublisher(connection, nats_prefix).publish("venue", "fill", "k", b"")
    assert await core.facts_in(1) == ["k"]
    await core.stop()
