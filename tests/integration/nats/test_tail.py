import asyncio
from contextlib import asynccontextmanager

import pytest
from nats.aio.msg import Msg

from adapters.nats import tail as tail_module
from adapters.nats.connection import Connection
from adapters.nats.event_frames import TailedEvent
from adapters.nats.failures import EventsAheadOfLog, EventsDiverged
from adapters.nats.relay import Relay
from adapters.nats.streams import ensure_events, stream_name
from adapters.nats.tail import Tail
from tests.support.bus import MemoryLog, OwnNats, connected, event
from tests.support.servers import NatsServer


@asynccontextmanager
async def relaying(connection: Connection, prefix: str, log: MemoryLog):
    relay = Relay(connection, prefix, log, head=log.head)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def follow(tail: Tail, number: int, within_s: float = 30, limit: int = 1000) -> list[TailedEvent]:
    got: list[TailedEvent] = []
    async with asyncio.timeout(within_s):
        while len(got) < number:
            batch = await tail.next_batch(limit)
            assert 1 <= len(batch) <= limit
            got.extend(batch)
    return got


def check(log: MemoryLog, got: list[TailedEvent], first: int = 1) -> None:
    assert [seen.position for seen in got] == list(range(first, first + len(got)))
    for seen in got:
        logged = log.events[seen.position - 1]
        assert (seen.topic, seen.state, seen.metadata) == (logged.topic, logged.state, logged.metadata)
        assert (seen.originator_id, seen.version) == (logged.originator_id, logged.version)
        assert seen.command_id == logged.command_id


async def live(tail: Tail, relay: Relay, log: MemoryLog) -> None:
    """Bring the tail to where the stream, not the log, feeds it."""
    before = tail.metrics.from_stream
    async with asyncio.timeout(30):
        while tail.metrics.from_stream == before:
            relay.offer(log.head + 1, log.commit(1))
            await tail.next_batch()


async def test_history_comes_from_the_log_and_news_from_the_stream(
    connection: Connection, nats_server: NatsServer, nats_prefix: str
):
    log = MemoryLog()
    log.commit(2500)
    async with (
        relaying(connection, nats_prefix, log) as relay,
        connected(nats_server.url) as other,
        Tail(other, nats_prefix, log, after=10) as tail,
    ):
        check(log, await follow(tail, 2490), first=11)
        assert tail.metrics.from_log == 2490
        await live(tail, relay, log)
        at = tail.position
        for _ in range(50):
            relay.offer(log.head + 1, log.commit(10))
        check(log, await follow(tail, 500), first=at + 1)
        assert tail.metrics.from_stream > 400
        assert (tail.metrics.gaps, tail.metrics.foreign) == (0, 0)


async def test_a_batch_is_never_larger_than_asked(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    log.commit(10)
    async with relaying(connection, nats_prefix, log) as relay, Tail(connection, nats_prefix, log, after=0) as tail:
        check(log, await follow(tail, 10, limit=3))
        relay.offer(11, log.commit(9))
        check(log, await follow(tail, 9, limit=2), first=11)


async def test_a_gap_in_the_stream_is_filled_from_the_log(connection: Connection, nats_prefix: str):
    """The stream begins behind what the follower has: EVENTS was wiped while it was away."""
    log = MemoryLog()
    log.commit(20)
    async with Tail(connection, nats_prefix, log, after=0) as tail:
        async with relaying(connection, nats_prefix, log) as relay:
            await follow(tail, 20)
            await live(tail, relay, log)
        at = log.head
        # Positions that no message will ever bring, then one that a message brings.
        await connection.jetstream().delete_stream(stream_name(nats_prefix, "EVENTS"))
        log.commit(5)
        await ensure_events(connection.jetstream(), nats_prefix, next_position=log.head + 1)
        async with relaying(connection, nats_prefix, log) as relay:
            relay.offer(log.head + 1, log.commit(1))
            check(log, await follow(tail, 6), first=at + 1)


async def test_gaps_and_duplicates_on_the_wire_are_seen(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    async with relaying(connection, nats_prefix, log) as relay, Tail(connection, nats_prefix, log, after=0) as tail:
        await live(tail, relay, log)
        await follow_to(tail, log.head)
        at = tail.position
        log.commit(5)
        for position in (at + 1, at + 1, at + 3, at + 2, at + 3, at + 5):
            await deliver(tail, log.events[position - 1], position)
        check(log, await follow(tail, 5), first=at + 1)
        await deliver(tail, log.events[0], 1)
        relay.offer(log.head + 1, log.commit(1))
        await follow(tail, 1)
        assert tail.metrics.gaps >= 1
        assert tail.metrics.duplicates >= 2


async def follow_to(tail: Tail, position: int) -> None:
    while tail.position < position:
        await follow(tail, 1)


async def deliver(tail: Tail, logged, sequence: int) -> None:
    """Give the follower a message as its consumer would; the server lets nobody else send one."""
    headers = {
        "Ballast-Position": str(logged.position),
        "Ballast-Topic": logged.topic,
        "Ballast-Originator": str(logged.originator_id),
        "Ballast-Version": str(logged.version),
        "Ballast-Command-Id": str(logged.command_id),
        "Ballast-Metadata": logged.metadata.decode(),
    }
    reply = f"$JS.ACK.X.y.1.{sequence}.1.1795355726941615234.0"
    await tail._receive(Msg(tail._connection.client, "x.events.y", reply, logged.state, headers))


async def test_a_forged_event_is_not_believed(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    async with relaying(connection, nats_prefix, log) as relay, Tail(connection, nats_prefix, log, after=0) as tail:
        await live(tail, relay, log)
        await follow_to(tail, log.head)
        forged = event(tail.position + 1, size=500)
        await deliver(tail, forged, sequence=forged.position + 7)
        assert tail._subscription is not None
        await connection.client.publish(tail._subscription.subject, b"nonsense")
        first = tail.position + 1
        relay.offer(log.head + 1, log.commit(1))
        check(log, await follow(tail, 1), first=first)
        assert tail.metrics.foreign == 2


async def test_a_slow_follower_reads_from_the_log_what_did_not_fit(
    connection: Connection, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tail_module, "WAITING_EVENTS_MAX", 50)
    log = MemoryLog()
    async with relaying(connection, nats_prefix, log) as relay, Tail(connection, nats_prefix, log, after=0) as tail:
        await live(tail, relay, log)
        await follow_to(tail, log.head)
        at = tail.position
        relay.offer(log.head + 1, log.commit(400))
        async with asyncio.timeout(30):
            while not tail.metrics.overflows:  # noqa: ASYNC110 # a counter, by design without a signal
                await asyncio.sleep(0.01)
        assert len(tail._waiting) == 50
        check(log, await follow(tail, 400, limit=30), first=at + 1)


async def test_the_log_alone_is_enough_when_the_bus_is_away(mortal: OwnNats):
    log = MemoryLog()
    log.commit(3)
    async with connected(mortal.url) as connection, Tail(connection, "ballast", log, after=0) as tail:
        lost = asyncio.Event()
        connection.watch(disconnected=lost.set)
        mortal.kill()
        await asyncio.wait_for(lost.wait(), 5)
        check(log, await follow(tail, 3))
        log.commit(2)
        check(log, await follow(tail, 2), first=4)


async def test_kill_nine_and_wiping_the_server_are_survived(mortal: OwnNats):
    log = MemoryLog()
    async with (
        connected(mortal.url, "core") as inner,
        connected(mortal.url, "projections") as outer,
        relaying(inner, "ballast", log) as relay,
        Tail(outer, "ballast", log, after=0) as tail,
    ):
        await live(tail, relay, log)
        await follow_to(tail, log.head)
        first = tail.position + 1
        following = asyncio.create_task(follow(tail, 600, 40))
        for round_ in range(30):
            relay.offer(log.head + 1, log.commit(20))
            await asyncio.sleep(0.01)
            if round_ in {10, 20}:
                mortal.kill()
                if round_ == 20:
                    mortal.wipe()
                mortal.start()
        check(log, await following, first=first)
        await live(tail, relay, log)
        assert tail.metrics.rebinds >= 2


async def test_a_stream_removed_under_a_living_connection_is_followed_again(
    connection: Connection, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tail_module, "SILENCE_S_MAX", 1.5)
    log = MemoryLog()
    async with relaying(connection, nats_prefix, log) as relay, Tail(connection, nats_prefix, log, after=0) as tail:
        await live(tail, relay, log)
        before = tail.metrics.rebinds
        await connection.jetstream().delete_stream(stream_name(nats_prefix, "EVENTS"))
        async with asyncio.timeout(15):
            while tail.metrics.rebinds == before:
                relay.offer(log.head + 1, log.commit(1))
                await tail.next_batch()
        await live(tail, relay, log)


async def test_a_stream_ahead_of_the_log_is_told(
    connection: Connection, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tail_module, "GAP_READS_MAX", 2)
    log = MemoryLog()
    async with relaying(connection, nats_prefix, log) as relay, Tail(connection, nats_prefix, log, after=0) as tail:
        await live(tail, relay, log)
        await follow_to(tail, log.head)
        ahead = event(tail.position + 4)
        await deliver(tail, ahead, ahead.position)
        with pytest.raises(EventsAheadOfLog):
            await follow(tail, 1)


async def test_a_log_with_a_gap_is_not_followed(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    log.commit(5)
    del log.events[2]
    async with Tail(connection, nats_prefix, log, after=0) as tail:
        with pytest.raises(EventsDiverged, match="skips from 2 to 4"):
            await follow(tail, 1)


async def test_a_cancelled_follower_ends(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    async with Tail(connection, nats_prefix, log, after=0) as tail:
        task = asyncio.create_task(tail.next_batch())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
    assert tail._subscription is None
