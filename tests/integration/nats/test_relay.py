import asyncio
from contextlib import asynccontextmanager

import pytest
from nats.js.api import ConsumerConfig, DeliverPolicy

from adapters.nats import hot_copy
from adapters.nats import relay as relay_module
from adapters.nats.connection import Connection
from adapters.nats.event_frames import read_event
from adapters.nats.failures import EventsAheadOfLog, EventsDiverged, Unpublishable
from adapters.nats.relay import Relay, stop_with_tail
from adapters.nats.streams import ensure_events, stream_name
from tests.support.bus import MemoryLog, OwnNats, connected, event

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@asynccontextmanager
async def running(connection: Connection, prefix: str, log: MemoryLog, **options):
    relay = Relay(connection, prefix, log, head=log.head, **options)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled(relay: Relay, position: int, within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        await relay.settled(position)


async def stream_content(connection: Connection, prefix: str):
    """Read the whole stream: (sequence, subject, headers, data) of each message."""
    jetstream = connection.jetstream()
    name = stream_name(prefix, "EVENTS")
    state = (await jetstream.stream_info(name)).state
    got = []
    done = asyncio.Event()

    async def receive(msg):
        got.append((msg.metadata.sequence.stream, msg.subject, msg.headers, msg.data))
        if got[-1][0] == state.last_seq:
            done.set()

    if state.messages:
        config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
        subscription = await jetstream.subscribe(f"{prefix}.events.>", cb=receive, stream=name, config=config)
        async with asyncio.timeout(30):
            await done.wait()
        await subscription.unsubscribe()
    return state, got


def check(log: MemoryLog, got, first: int = 1) -> None:
    """The stream holds exactly the log's events from `first` on, each once, each at its position."""
    assert [sequence for sequence, *_ in got] == list(range(first, log.head + 1))
    for sequence, subject, headers, data in got:
        logged = log.events[sequence - 1]
        seen = read_event(headers, data)
        assert (seen.position, seen.state, seen.metadata) == (sequence, logged.state, logged.metadata)
        assert (seen.originator_id, seen.version, seen.command_id) == (
            logged.originator_id,
            logged.version,
            logged.command_id,
        )
        assert (seen.topic, headers["Nats-Msg-Id"], headers["Ballast-Position"]) == (
            logged.topic,
            str(sequence),
            str(sequence),
        )
        assert subject.split(".", 1)[1] == "events." + logged.topic.rpartition(".")[0]


async def test_what_is_committed_is_published_in_order_without_asking_the_log(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    async with running(connection, nats_prefix, log, trace_of=lambda metadata: TRACE) as relay:
        for number in (1, 3, 700, 1, 40):
            first = log.head + 1
            relay.offer(first, log.commit(number, "order.closed.v2"))
        await settled(relay, log.head)
        assert (relay.published, relay.lag_events, relay.metrics.refilled) == (745, 0, 0)
        assert relay.metrics.lag_quantile_ms(0.99) > 0
        assert log.reads == 0
        # Nothing published is kept for ever.
        relay.offer(log.head + 1, log.commit(1))
        await settled(relay, log.head)
        assert relay.hot_events <= 1
    state, got = await stream_content(connection, nats_prefix)
    assert state.last_seq == log.head == 746
    check(log, got)
    assert got[0][2]["traceparent"] == TRACE


async def test_commits_offered_out_of_turn_go_out_in_turn(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    async with running(connection, nats_prefix, log) as relay:
        log.commit(9)
        relay.offer(4, log.events[3:6])
        relay.offer(1, log.events[0:3])
        relay.offer(1, log.events[0:3])
        relay.offer(7, log.events[6:9])
        assert relay.hot_events == 9
        await settled(relay, 9)
        assert relay.metrics.refilled == 0
        relay.offer(1, log.events[0:3])
        assert relay.hot_events <= 9
    _, got = await stream_content(connection, nats_prefix)
    check(log, got)


async def test_a_relay_that_starts_late_fills_up_from_the_log(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    await ensure_events(connection.jetstream(), nats_prefix, next_position=1)
    log.commit(1300)
    async with running(connection, nats_prefix, log) as relay:
        await settled(relay, 1300)
        assert relay.metrics.refilled == 1300
    log.commit(5)
    async with running(connection, nats_prefix, log) as relay:
        relay.offer(1306, log.commit(5))
        await settled(relay, 1310)
    _, got = await stream_content(connection, nats_prefix)
    check(log, got)


async def test_a_missing_stream_begins_at_the_next_position(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    log.commit(100)
    async with running(connection, nats_prefix, log) as relay:
        await settled(relay, 100)
        assert relay.metrics.streams_made == 1
        relay.offer(101, log.commit(2))
        await settled(relay, 102)
    state, got = await stream_content(connection, nats_prefix)
    assert (state.first_seq, state.last_seq, state.messages) == (101, 102, 2)
    check(log, got, first=101)


async def test_a_stream_ahead_of_the_log_stops_the_relay(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    log.commit(10)
    await ensure_events(connection.jetstream(), nats_prefix, next_position=1)
    async with running(connection, nats_prefix, log) as relay:
        await settled(relay, 10)
    del log.events[7:]
    with pytest.raises(EventsAheadOfLog, match="holds position 10, the log ends at 7"):
        await asyncio.wait_for(Relay(connection, nats_prefix, log, head=7).run(), 10)
    state, _ = await stream_content(connection, nats_prefix)
    assert state.last_seq == 10, "the evidence is left as it is"


async def test_another_history_in_the_stream_stops_the_relay(connection: Connection, nats_prefix: str):
    await ensure_events(connection.jetstream(), nats_prefix, next_position=1)
    log = MemoryLog()
    log.commit(10)
    async with running(connection, nats_prefix, log) as relay:
        await settled(relay, 10)
    other = MemoryLog()
    other.events = [event(n, size=99) for n in range(1, 21)]
    with pytest.raises(EventsDiverged, match="position 10"):
        await asyncio.wait_for(Relay(connection, nats_prefix, other, head=20).run(), 10)


async def test_a_foreign_message_in_the_stream_is_not_hidden(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    async with connected_relay(connection, nats_prefix, log) as (relay, task):
        relay.offer(1, log.commit(1))
        await settled(relay, 1)
        await connection.jetstream().publish(f"{nats_prefix}.events.fill.recorded", b"forged")
        relay.offer(2, log.commit(1))
        with pytest.raises(EventsDiverged, match="position 2"):
            await asyncio.wait_for(asyncio.shield(task), 10)


@asynccontextmanager
async def connected_relay(connection: Connection, prefix: str, log: MemoryLog):
    relay = Relay(connection, prefix, log, head=log.head)
    task = asyncio.create_task(relay.run())
    try:
        yield relay, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_second_publication_of_a_position_is_not_stored(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    async with running(connection, nats_prefix, log) as relay:
        relay.offer(1, log.commit(50))
        await settled(relay, 50)
        # A stale writer's relay, or a group sent twice: the same frames again.
        for position in (1, 30, 50):
            connection.write(relay._frames.build(position, log.events[position - 1], 100_000))
        relay.offer(1, log.events[:50])
        relay.offer(51, log.commit(10))
        await settled(relay, 60)
    _, got = await stream_content(connection, nats_prefix)
    check(log, got)


async def test_above_its_bound_the_hot_copy_is_dropped_and_filled_from_the_log(
    mortal: OwnNats, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hot_copy, "HOT_EVENTS_MAX", 100)
    log = MemoryLog()
    async with connected(mortal.url) as connection, running(connection, "ballast", log) as relay:
        relay.offer(1, log.commit(3))
        await settled(relay, 3)
        mortal.kill()
        for _ in range(40):
            first = log.head + 1
            relay.offer(first, log.commit(30))
            assert relay.hot_events <= 100
        assert relay.metrics.hot_drops > 0
        mortal.start()
        await settled(relay, log.head, 20)
        assert relay.metrics.refilled > 0
        _, got = await stream_content(connection, "ballast")
        check(log, got)


async def test_kill_nine_under_load_loses_and_doubles_nothing(mortal: OwnNats):
    log = MemoryLog()
    async with connected(mortal.url) as connection, running(connection, "ballast", log) as relay:
        for round_ in range(60):
            first = log.head + 1
            relay.offer(first, log.commit(25))
            await asyncio.sleep(0.01)
            if round_ in {20, 40}:
                mortal.kill()
                mortal.start()
        await settled(relay, log.head, 20)
        assert connection.reconnects >= 1
        assert relay.metrics.resyncs >= 1
        _, got = await stream_content(connection, "ballast")
        check(log, got)


async def test_a_wiped_server_goes_on_where_it_was(mortal: OwnNats):
    log = MemoryLog()
    async with connected(mortal.url) as connection, running(connection, "ballast", log) as relay:
        relay.offer(1, log.commit(10))
        await settled(relay, 10)
        mortal.kill()
        mortal.wipe()
        relay.offer(11, log.commit(5))
        mortal.start()
        await settled(relay, 15, 20)
        state, got = await stream_content(connection, "ballast")
        assert (state.first_seq, state.last_seq) == (11, 15)
        check(log, got, first=11)


async def test_a_stream_removed_under_a_living_connection_is_made_again(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    async with running(connection, nats_prefix, log) as relay:
        relay.offer(1, log.commit(10))
        await settled(relay, 10)
        await connection.jetstream().delete_stream(stream_name(nats_prefix, "EVENTS"))
        relay.offer(11, log.commit(5))
        await settled(relay, 15)
    _, got = await stream_content(connection, nats_prefix)
    check(log, got, first=11)


async def test_a_stream_that_lost_its_tail_is_filled_again(connection: Connection, nats_prefix: str):
    """As after a power failure: the server acknowledged more than its disk kept."""
    log = MemoryLog()
    async with running(connection, nats_prefix, log) as relay:
        relay.offer(1, log.commit(10))
        await settled(relay, 10)
        jetstream = connection.jetstream()
        await jetstream.delete_stream(stream_name(nats_prefix, "EVENTS"))
        await ensure_events(jetstream, nats_prefix, next_position=1)
        for position in range(1, 7):
            connection.write(relay._frames.build(position, log.events[position - 1], 100_000))
        relay.offer(11, log.commit(2))
        await settled(relay, 12)
        assert relay.metrics.refilled == 6
    _, got = await stream_content(connection, nats_prefix)
    check(log, got)


async def test_an_event_that_cannot_be_carried_stops_the_relay(connection: Connection, nats_prefix: str):
    log = MemoryLog()
    async with connected_relay(connection, nats_prefix, log) as (relay, task):
        relay.offer(1, log.commit(1, "not a topic"))
        with pytest.raises(Unpublishable):
            await asyncio.wait_for(asyncio.shield(task), 10)


async def test_a_large_backlog_goes_out_in_bounded_writes(
    connection: Connection, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(relay_module, "GROUP_BYTES_MAX", 20_000)
    log = MemoryLog()
    log.events = [event(n, size=3000) for n in range(1, 201)]
    await ensure_events(connection.jetstream(), nats_prefix, next_position=1)
    sizes: list[int] = []
    original = Connection.write
    monkeypatch.setattr(Connection, "write", lambda self, data: (sizes.append(len(data)), original(self, data))[1])
    async with running(connection, nats_prefix, log) as relay:
        assert await stop_with_tail(relay, 200, 10)
        assert not await stop_with_tail(relay, 201, 0.05)
    assert max(sizes) < 30_000
    _, got = await stream_content(connection, nats_prefix)
    check(log, got)
