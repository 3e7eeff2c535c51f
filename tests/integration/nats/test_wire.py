import asyncio

import pytest
from nats.aio.client import Client

from adapters.nats import wire
from adapters.nats.connection import Connection, open_connection
from adapters.nats.failures import ClientChanged, ConnectionEnded, NotConnected
from adapters.nats.frames import header_block, publication
from tests.support.bus import OwnNats, connected, free_port
from tests.support.servers import NatsServer


async def test_raw_frames_arrive_as_written_in_order_with_headers(connection: Connection):
    got = []
    done = asyncio.Event()

    async def receive(msg):
        got.append((msg.subject, msg.reply, msg.data, msg.headers))
        if len(got) == 3:
            done.set()

    await connection.client.subscribe("raw.>", cb=receive)
    await connection.client.flush()
    block = header_block({"A-Header": "wört", "Other": "2"})
    connection.write(
        publication(b"raw.a", b"one\r\ntwo")
        + publication(b"raw.b", b"", reply=b"answer.here", headers=block)
        + publication(b"raw.c", b"x" * 100_000, headers=block)
    )
    await asyncio.wait_for(done.wait(), 5)
    assert [each[0] for each in got] == ["raw.a", "raw.b", "raw.c"]
    assert got[0][2] == b"one\r\ntwo"
    assert got[1][1] == "answer.here"
    assert got[1][3] == {"A-Header": "wört", "Other": "2"}
    assert got[2][2] == b"x" * 100_000


def test_a_header_that_would_end_its_line_is_refused():
    for headers in ({"A": "x\r\nEvil: 1"}, {"A": "x\ny"}, {"A b": "x"}, {"": "x"}, {"A:": "x"}):
        with pytest.raises(ValueError, match="not a header"):
            header_block(headers)


async def test_nats_py_still_has_the_part_we_write_to(connection: Connection):
    wire.verify(connection.client)
    # It is the very attribute that the writes of the library itself go through.
    sent = []
    transport = connection.client._transport
    assert transport is not None
    original = transport.writelines
    transport.writelines = lambda payload: (sent.extend(payload), original(payload))[1]
    await connection.client.publish("somewhere", b"payload")
    await connection.client.flush()
    transport.writelines = original
    assert any(b"PUB somewhere" in each for each in sent)


async def test_a_changed_nats_py_is_refused_at_once(nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ClientChanged, match="_transport"):
        wire.verify(Client())
    monkeypatch.setattr(wire, "_TRANSPORT", "_moved_elsewhere")
    with pytest.raises(ClientChanged, match="_moved_elsewhere"):
        await open_connection(nats_server.url, name="changed")


async def test_no_server_is_told_within_the_bound_and_without_the_password():
    with pytest.raises(NotConnected) as told:
        await open_connection(f"nats://core:sesame@127.0.0.1:{free_port()}", name="early", within_s=0.5)
    assert "sesame" not in str(told.value)
    assert "early" in str(told.value)


async def test_a_wrong_password_ends_in_a_refusal(nats_server: NatsServer):
    wrong = nats_server.url.replace("core:", "core:wrong")
    with pytest.raises(NotConnected):
        await open_connection(wrong, name="intruder", within_s=1)


async def test_a_lost_server_is_sought_and_found_again(mortal: OwnNats):
    async with connected(mortal.url) as connection:
        events = []
        lost, found = asyncio.Event(), asyncio.Event()
        connection.watch(
            disconnected=lambda: (events.append("lost"), lost.set()),
            reconnected=lambda: (events.append("found"), found.set()),
        )
        mortal.kill()
        await asyncio.wait_for(lost.wait(), 5)
        assert not connection.connected
        with pytest.raises(NotConnected):
            connection.write(publication(b"x", b""))
        mortal.start()
        await asyncio.wait_for(connection.until_connected(), 10)
        await asyncio.wait_for(found.wait(), 10)
        connection.write(publication(b"x", b""))
        assert events == ["lost", "found"]
        assert connection.reconnects == 1


async def test_a_bounded_search_ends_and_says_so(mortal: OwnNats):
    connection = await open_connection(mortal.url, name="bounded", reconnects_max=2)
    mortal.kill()
    with pytest.raises(ConnectionEnded, match="bounded"):
        await asyncio.wait_for(connection.until_ended(), 10)
    with pytest.raises(ConnectionEnded):
        await connection.until_connected()
    await connection.close()


async def test_closing_is_idempotent_and_no_end_to_complain_about(nats_server: NatsServer):
    connection = await open_connection(nats_server.url, name="twice")
    await connection.close()
    await connection.close()
    await connection.until_ended()


async def test_closing_is_bounded_when_the_server_is_gone(mortal: OwnNats):
    connection = await open_connection(mortal.url, name="orphan")
    mortal.kill()
    await asyncio.wait_for(connection.close(), 15)
