import pytest
from nats.js.api import RetentionPolicy, StreamConfig
from nats.js.errors import APIError

from adapters.nats import streams
from adapters.nats.connection import Connection
from adapters.nats.failures import StreamMismatch
from adapters.nats.streams import ensure_alerts, ensure_events, ensure_inbox, stream_name


async def test_streams_are_made_once_and_found_again(connection: Connection, nats_prefix: str):
    jetstream = connection.jetstream()
    made = await ensure_events(jetstream, nats_prefix, next_position=101)
    assert (made.made_now, made.first_sequence, made.last_sequence, made.messages) == (True, 101, 100, 0)
    assert made.name == f"{nats_prefix.upper()}_EVENTS"
    found = await ensure_events(jetstream, nats_prefix, next_position=500)
    assert not found.made_now
    assert (found.generation, found.created_us, found.last_sequence) == (made.generation, made.created_us, 100)
    for ensure, kind in ((ensure_inbox, "inbox"), (ensure_alerts, "alerts")):
        assert (await ensure(jetstream, nats_prefix)).made_now
        assert not (await ensure(jetstream, nats_prefix)).made_now
        info = await jetstream.stream_info(stream_name(nats_prefix, kind.upper()))
        assert info.config.subjects == [f"{nats_prefix}.{kind}.>"]
        assert info.config.storage == "file"
        assert (info.config.max_msgs or 0) > 0
        assert (info.config.max_age or 0) > 0


async def test_a_new_stream_is_a_new_generation(connection: Connection, nats_prefix: str):
    jetstream = connection.jetstream()
    before = await ensure_inbox(jetstream, nats_prefix)
    await jetstream.delete_stream(before.name)
    after = await ensure_inbox(jetstream, nats_prefix)
    assert after.generation != before.generation
    assert after.created_us > before.created_us


async def test_events_cannot_be_deleted_or_purged(connection: Connection, nats_prefix: str):
    jetstream = connection.jetstream()
    await ensure_events(jetstream, nats_prefix, next_position=1)
    await jetstream.publish(f"{nats_prefix}.events.a.b", b"")
    name = stream_name(nats_prefix, "EVENTS")
    with pytest.raises(APIError):
        await jetstream.delete_msg(name, 1)
    with pytest.raises(APIError):
        await jetstream.purge_stream(name)


async def test_a_stream_of_another_kind_is_refused_and_left_alone(connection: Connection, nats_prefix: str):
    jetstream = connection.jetstream()
    name = stream_name(nats_prefix, "INBOX")
    await jetstream.add_stream(
        StreamConfig(name=name, subjects=[f"{nats_prefix}.inbox.>"], retention=RetentionPolicy.LIMITS)
    )
    with pytest.raises(StreamMismatch, match="retention"):
        await ensure_inbox(jetstream, nats_prefix)
    assert (await jetstream.stream_info(name)).config.retention == "limits"


async def test_an_old_bound_is_brought_up_to_date(
    connection: Connection, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    jetstream = connection.jetstream()
    with monkeypatch.context() as earlier:
        earlier.setattr(streams, "EVENTS_MSGS_MAX", 10)
        await ensure_events(jetstream, nats_prefix, next_position=7)
    await jetstream.publish(f"{nats_prefix}.events.a.b", b"kept")
    state = await ensure_events(jetstream, nats_prefix, next_position=7)
    assert (state.first_sequence, state.last_sequence, state.made_now) == (7, 7, False)
    info = await jetstream.stream_info(stream_name(nats_prefix, "EVENTS"))
    assert info.config.max_msgs == streams.EVENTS_MSGS_MAX
    assert info.config.deny_purge
