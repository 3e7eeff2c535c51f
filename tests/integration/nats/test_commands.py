import asyncio
from collections.abc import Mapping
from uuid import uuid4

import msgspec
import pytest

from adapters.nats import command_client
from adapters.nats.command_client import CommandClient
from adapters.nats.commands import ACTOR_HEADER, COMMAND_ID_HEADER, CommandServer
from adapters.nats.connection import Connection
from adapters.nats.failures import CoreAbsent, CoreBusy, NotConnected, OutcomeUnknown
from adapters.nats.trace import TRACEPARENT
from commands.envelope import Reply
from tests.support.bus import OwnNats, connected
from tests.support.servers import NatsServer

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Core:
    """Collect what is offered; answer when told."""

    def __init__(self) -> None:
        self.offered: list[tuple[str, bytes, Mapping[str, str], str]] = []
        self.arrived = asyncio.Event()
        self.server: CommandServer | None = None

    def offer(self, kind: str, data: bytes, headers: Mapping[str, str], reply: str) -> None:
        self.offered.append((kind, data, headers, reply))
        self.arrived.set()

    async def until(self, number: int) -> None:
        while len(self.offered) < number:
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 5)


async def test_a_command_is_offered_whole_and_answered(
    connection: Connection, nats_server: NatsServer, nats_prefix: str
):
    core = Core()
    server = CommandServer(connection, nats_prefix, core.offer)
    await server.start()
    async with connected(nats_server.url) as asker:
        client = CommandClient(asker, nats_prefix)
        command_id = uuid4()
        asked = asyncio.create_task(
            client.request("quote.issue", b'{"a":1}', command_id=command_id, actor="person/é", traceparent=TRACE)
        )
        await core.until(1)
        kind, data, headers, reply = core.offered[0]
        assert (kind, data) == ("quote.issue", b'{"a":1}')
        assert headers[COMMAND_ID_HEADER] == str(command_id)
        assert headers[ACTOR_HEADER] == "person/é"
        assert headers[TRACEPARENT] == TRACE
        assert server.in_flight == 1
        server.reply_many([(reply, b'{"status":"accepted"}', {"Ballast-Position": "7"})])
        answer = await asked
        assert answer.data == b'{"status":"accepted"}'
        assert answer.headers["Ballast-Position"] == "7"
        assert server.in_flight == 0
    await server.stop()


async def test_commands_arrive_in_order_and_a_group_is_answered_in_one_write(
    connection: Connection, nats_server: NatsServer, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    core = Core()
    server = CommandServer(connection, nats_prefix, core.offer)
    await server.start()
    writes: list[int] = []
    original = Connection.write
    monkeypatch.setattr(Connection, "write", lambda self, data: (writes.append(len(data)), original(self, data))[1])
    async with connected(nats_server.url) as asker:
        client = CommandClient(asker, nats_prefix)
        asked = [
            asyncio.create_task(client.request("a.b", b"%d" % n, command_id=uuid4(), actor="x")) for n in range(100)
        ]
        await core.until(100)
        assert [data for _, data, _, _ in core.offered] == [b"%d" % n for n in range(100)]
        server.reply_many([(reply, b'{"status":"re:%b"}' % data, None) for _, data, _, reply in core.offered])
        assert [each.status for each in await asyncio.gather(*asked)] == [f"re:{n}" for n in range(100)]
        assert len(writes) == 1
    await server.stop()


async def test_above_its_bound_the_core_says_busy_and_stays_right_about_it(
    connection: Connection, nats_server: NatsServer, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    core = Core()
    server = CommandServer(connection, nats_prefix, core.offer, in_flight_max=2)
    await server.start()
    async with connected(nats_server.url) as asker:
        raw = [asyncio.create_task(asker.client.request(f"{nats_prefix}.cmd.a.b", b"", timeout=5)) for _ in range(2)]
        await core.until(2)
        third = await asker.client.request(
            f"{nats_prefix}.cmd.a.b", b"", timeout=5, headers={COMMAND_ID_HEADER: "the-id"}
        )
        assert msgspec.json.decode(third.data, type=Reply) == Reply(status="busy", command_id="the-id")
        client = CommandClient(asker, nats_prefix)
        with pytest.raises(CoreBusy):
            await client.request("a.b", b"", command_id=uuid4(), actor="x", timeout_s=0.3)
        assert client.retries > 0
        assert len(core.offered) == 2
        # As soon as there is room the same request goes through.
        waiting = asyncio.create_task(client.request("a.b", b"", command_id=uuid4(), actor="x"))
        server.reply_many([(reply, b"", None) for _, _, _, reply in core.offered])
        await asyncio.gather(*raw)
        await core.until(3)
        server.reply_many([(core.offered[2][3], b'{"status":"at last"}', None)])
        assert (await waiting).status == "at last"
        assert server.refused_busy >= 2
    await server.stop()


async def test_a_core_that_stops_is_asked_again(connection: Connection, nats_server: NatsServer, nats_prefix: str):
    core = Core()
    server = CommandServer(connection, nats_prefix, core.offer)
    await server.start()
    async with connected(nats_server.url) as asker:
        client = CommandClient(asker, nats_prefix)
        asked = asyncio.create_task(client.request("a.b", b"", command_id=uuid4(), actor="x", timeout_s=5))
        await core.until(1)
        server.reply_many([(core.offered[0][3], b'{"status":"stopping"}', None)])
        await core.until(2)
        server.reply_many([(core.offered[1][3], b'{"status":"accepted"}', None)])
        assert (await asked).status == "accepted"
        unreadable = asyncio.create_task(client.request("a.b", b"", command_id=uuid4(), actor="x", timeout_s=0.3))
        await core.until(3)
        server.reply_many([(core.offered[2][3], b"gibberish", None)])
        with pytest.raises(OutcomeUnknown):
            await unreadable
    await server.stop()


async def test_without_a_core_the_asker_knows_that_nothing_was_done(connection: Connection, nats_prefix: str):
    client = CommandClient(connection, nats_prefix)
    with pytest.raises(CoreAbsent):
        await client.request("a.b", b"", command_id=uuid4(), actor="x", timeout_s=0.3)
    for bad in ("a b", "a..b", "", "a.>"):
        with pytest.raises(ValueError, match="token"):
            await client.request(bad, b"", command_id=uuid4(), actor="x")


async def test_a_lost_reply_is_asked_for_again_under_the_same_id(
    connection: Connection, nats_server: NatsServer, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command_client, "ATTEMPT_S_MAX", 0.2)
    core = Core()
    server = CommandServer(connection, nats_prefix, core.offer)
    await server.start()
    async with connected(nats_server.url) as asker:
        client = CommandClient(asker, nats_prefix)
        command_id = uuid4()
        asked = asyncio.create_task(client.request("a.b", b"body", command_id=command_id, actor="x"))
        await core.until(2)
        server.reply_many([(core.offered[1][3], b'{"status":"the outcome"}', None)])
        assert (await asked).status == "the outcome"
        assert {headers[COMMAND_ID_HEADER] for _, _, headers, _ in core.offered[:2]} == {str(command_id)}
        with pytest.raises(OutcomeUnknown):
            await client.request("a.b", b"", command_id=uuid4(), actor="x", timeout_s=0.5)
    await server.stop()


async def test_an_unknown_attempt_is_not_forgotten_when_the_core_goes_away(
    connection: Connection, nats_server: NatsServer, nats_prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command_client, "ATTEMPT_S_MAX", 0.2)
    core = Core()
    server = CommandServer(connection, nats_prefix, core.offer)
    await server.start()
    async with connected(nats_server.url) as asker:
        client = CommandClient(asker, nats_prefix)
        asked = asyncio.create_task(client.request("a.b", b"", command_id=uuid4(), actor="x", timeout_s=1))
        await core.until(1)
        await server.stop()
        with pytest.raises(OutcomeUnknown):
            await asked


async def test_what_breaks_the_core_reaches_its_owner_and_nothing_follows(connection: Connection, nats_prefix: str):
    seen = []

    def offer(kind: str, data: bytes, headers: Mapping[str, str], reply: str) -> None:
        seen.append(data)
        raise RuntimeError("the invariant does not hold")

    server = CommandServer(connection, nats_prefix, offer)
    await server.start()
    failing = asyncio.create_task(server.until_failed())
    for n in range(3):
        await connection.client.publish(f"{nats_prefix}.cmd.a.b", b"%d" % n, reply="nowhere")
    with pytest.raises(RuntimeError, match="invariant"):
        await asyncio.wait_for(failing, 5)
    assert seen == [b"0"]
    await server.stop()


async def test_requests_nobody_waits_for_are_not_decided(connection: Connection, nats_prefix: str):
    core = Core()
    server = CommandServer(connection, nats_prefix, core.offer)
    await server.start()
    await connection.client.publish(f"{nats_prefix}.cmd.a.b", b"no reply subject")
    await connection.client.publish(f"{nats_prefix}.cmd.a.b", b"with", reply="nowhere")
    await core.until(1)
    assert [data for _, data, _, _ in core.offered] == [b"with"]
    assert server.ignored == 1
    await server.stop()


async def test_commands_go_on_after_the_server_was_killed(mortal: OwnNats):
    core = Core()
    async with connected(mortal.url, "core") as inner, connected(mortal.url, "api") as outer:
        server = CommandServer(inner, "ballast", core.offer)
        await server.start()
        client = CommandClient(outer, "ballast")
        asked = asyncio.create_task(client.request("a.b", b"1", command_id=uuid4(), actor="x", timeout_s=20))
        await core.until(1)
        lost = asyncio.Event()
        inner.watch(disconnected=lost.set)
        mortal.kill()
        await asyncio.wait_for(lost.wait(), 5)
        server.reply_many([(core.offered[0][3], b'{"status":"lost"}', None)])
        assert server.replies_lost == 1
        with pytest.raises((NotConnected, OutcomeUnknown)):
            await client.request("a.b", b"2", command_id=uuid4(), actor="x", timeout_s=0.3)
        mortal.start()
        await core.until(2)
        server.reply_many([(reply, b'{"status":"again"}', None) for _, _, _, reply in core.offered[1:]])
        assert (await asyncio.wait_for(asked, 10)).status == "again"
        assert core.offered[0][2][COMMAND_ID_HEADER] == core.offered[1][2][COMMAND_ID_HEADER]
        await server.stop()
