"""NATS as a child: it comes back, forgets only when wiped, and lets each user do its own work and no more."""

import asyncio
import os
import shutil
import signal
import stat
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.nats_config import Streams
from adapters.nats.streams import ensure_alerts, ensure_events, ensure_inbox, stream_name
from tests.support.demo import slowness
from tests.support.supervised import Heard, is_alive

RECOVERED_WITHIN_S = 5.0
REFUSED_WITHIN_S = 20.0


@dataclass
class Caller:
    """A client and the permission errors the server sent it."""

    client: Client
    refused: asyncio.Queue[str]

    async def expect_refusal(self, subject: str) -> None:
        """Publish, and wait for the server's word that we may not."""
        await self.client.publish(subject, b"{}")
        said = await asyncio.wait_for(self.refused.get(), REFUSED_WITHIN_S)
        assert subject.lower() in said.lower()


@asynccontextmanager
async def calling(server: EmbeddedNats, user: str) -> AsyncGenerator[Caller]:
    refused: asyncio.Queue[str] = asyncio.Queue()

    async def note(error: Exception) -> None:
        refused.put_nowait(str(error))

    client = await nats.connect(server.url(user), error_cb=note, inbox_prefix=server.inbox_prefix(user))
    try:
        yield Caller(client, refused)
    finally:
        await client.close()


async def roundtrip(client: Client) -> None:
    """Wait until the server saw what was sent: a first flush may overtake it, a second cannot."""
    await client.flush(10)
    await client.flush(10)


@asynccontextmanager
async def running(root: Path, prefix: str = "ballast") -> AsyncGenerator[EmbeddedNats]:
    """Run a server with the book's three streams made by the core."""
    server = EmbeddedNats(root, prefix=prefix)
    async with Heard().supervisor() as supervisor:
        await supervisor.launch(await server.prepare())
        async with calling(server, "core") as core:
            stream = core.client.jetstream()
            await ensure_inbox(stream, prefix)
            await ensure_events(stream, prefix, next_position=1)
            await ensure_alerts(stream, prefix)
        yield server


async def test_only_the_core_and_the_api_publish_commands(tmp_path: Path) -> None:
    async with running(tmp_path / "nats") as server, calling(server, "core") as hearing:
        commands = await hearing.client.subscribe("ballast.cmd.>")
        await roundtrip(hearing.client)
        for user in ("worker", "subscriber", "api", "core"):
            async with calling(server, user) as caller:
                if user in {"worker", "subscriber"}:
                    await caller.expect_refusal("ballast.cmd.quote.issue")
                else:
                    await caller.client.publish("ballast.cmd.quote.issue", user.encode())
                    assert (await commands.next_msg(5)).data == user.encode()


async def test_a_command_and_its_reply_pass_between_api_and_core_unheard(tmp_path: Path) -> None:
    async def answer(msg: Msg) -> None:
        await msg.respond(b"done")

    async with (
        running(tmp_path / "nats") as server,
        calling(server, "core") as core,
        calling(server, "api") as api,
        calling(server, "subscriber") as spy,
    ):
        overheard = await spy.client.subscribe("_INBOX.>")
        for closed in ("ballast.cmd.>", "_INBOX_api.>", ">"):
            await spy.client.subscribe(closed)
        for _ in range(3):
            await asyncio.wait_for(spy.refused.get(), REFUSED_WITHIN_S)
        await core.client.subscribe("ballast.cmd.>", cb=answer)
        await roundtrip(core.client)
        assert (await api.client.request("ballast.cmd.quote.issue", b"{}", timeout=5)).data == b"done"
        await roundtrip(spy.client)
        assert overheard.pending_msgs == 0


async def test_workers_bring_facts_and_never_events(tmp_path: Path) -> None:
    async with running(tmp_path / "nats") as server, calling(server, "worker") as worker:
        stream = worker.client.jetstream()
        fact = await stream.publish("ballast.inbox.binance.fill", b"{}", headers={"Nats-Msg-Id": "1"})
        assert (fact.stream, fact.seq) == ("INBOX", 1)
        assert (await stream.publish("ballast.alerts.critical.hedge", b"{}")).stream == "ALERTS"
        assert (await stream.stream_info("INBOX")).state.messages == 1
        # INBOX is the core's work queue: whoever else consumed it would take facts away.
        for closed in (
            "ballast.events.fill.recorded",
            "$JS.API.CONSUMER.CREATE.INBOX.thief",
            "$JS.API.CONSUMER.DURABLE.CREATE.INBOX.thief",
            "$JS.API.STREAM.PURGE.EVENTS",
            "$JS.API.STREAM.DELETE.EVENTS",
            "$JS.API.STREAM.DELETE.ALERTS",
            "$JS.API.STREAM.UPDATE.EVENTS",
        ):
            await worker.expect_refusal(closed)


async def test_a_subscriber_catches_up_and_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "nats") as server, calling(server, "core") as core:
        for number in range(3):
            await core.client.jetstream().publish("ballast.alerts.warning.hedge", str(number).encode())
            await core.client.jetstream().publish("ballast.events.fill.recorded", str(number).encode())
        async with calling(server, "subscriber") as caller:
            stream = caller.client.jetstream()
            # As nats-py's own users do: push, pull and ordered consumers, with and without a name.
            push = await stream.subscribe("ballast.alerts.>", durable="console", deliver_policy=DeliverPolicy.ALL)
            got = [await push.next_msg(5) for _ in range(3)]
            assert [each.data for each in got] == [b"0", b"1", b"2"]
            for each in got:
                await each.ack_sync(timeout=5)
            pull = await stream.pull_subscribe("ballast.events.>", durable="reader")
            assert [each.data for each in await pull.fetch(3, timeout=5)] == [b"0", b"1", b"2"]
            ordered = await stream.subscribe("ballast.events.>", ordered_consumer=True)
            assert (await ordered.next_msg(5)).data == b"0"
            assert caller.refused.empty()
            for closed in (
                "ballast.alerts.critical.hedge",
                "ballast.inbox.binance.fill",
                "ballast.market.binance.ETH.book",
                "$JS.API.STREAM.PURGE.ALERTS",
                "$JS.API.STREAM.CREATE.MINE",
                "$JS.API.CONSUMER.CREATE.INBOX",
            ):
                await caller.expect_refusal(closed)


async def test_a_consumer_that_delivers_to_a_commands_subject_sends_no_command(tmp_path: Path) -> None:
    """JetStream does not ask whether a consumer's maker may publish to the subject it delivers to."""
    async with (
        running(tmp_path / "nats") as server,
        calling(server, "core") as core,
        calling(server, "worker") as worker,
    ):
        commands = await core.client.subscribe("ballast.cmd.>")
        exactly = await core.client.subscribe("ballast.cmd.mode.change")
        await roundtrip(core.client)
        stream = worker.client.jetstream()
        await stream.publish("ballast.alerts.info.trick", b'{"scope": "global"}')
        for policy in (AckPolicy.NONE, AckPolicy.EXPLICIT):
            around = ConsumerConfig(deliver_subject="ballast.cmd.mode.change", ack_policy=policy)
            await stream.add_consumer("ALERTS", around)
            # Even who hears that very subject sees the one it was stored under.
            assert (await exactly.next_msg(5)).subject == "ballast.alerts.info.trick"
        await exactly.unsubscribe()
        await stream.add_consumer("ALERTS", ConsumerConfig(deliver_subject="ballast.cmd.mode.change"))
        await core.client.publish("ballast.cmd.last", b"")
        while (heard := await commands.next_msg(5)).subject != "ballast.cmd.last":
            assert heard.subject == "ballast.alerts.info.trick"


async def test_another_book_has_its_own_subjects_and_streams(tmp_path: Path) -> None:
    for prefix in ("ballast", "second"):
        named = Streams.of(prefix)
        assert (named.inbox, named.events, named.alerts) == tuple(
            stream_name(prefix, kind) for kind in ("INBOX", "EVENTS", "ALERTS")
        )
    async with running(tmp_path / "nats", "second") as server, calling(server, "api") as api:
        async with calling(server, "core") as core:
            commands = await core.client.subscribe("second.cmd.>")
            await roundtrip(core.client)
            await api.client.publish("second.cmd.quote.issue", b"{}")
            await commands.next_msg(5)
        await api.expect_refusal("ballast.cmd.quote.issue")
        consumer = await api.client.jetstream().add_consumer("SECOND_ALERTS", ConsumerConfig(durable_name="a"))
        assert consumer.name == "a"


async def test_restarts_on_the_same_data_port_and_passwords(tmp_path: Path) -> None:
    root = tmp_path / "nats"
    async with running(root) as first, calling(first, "core") as core:
        await core.client.jetstream().publish("ballast.alerts.info.a", b"1")
        url = first.url("subscriber")
    for private in ("nats.conf", "passwords.json"):
        assert stat.S_IMODE((root / private).stat().st_mode) == 0o600
    async with running(root) as second, calling(second, "core") as core:
        assert second.url("subscriber") == url
        assert (await core.client.jetstream().stream_info("ALERTS")).state.messages == 1


async def test_kill_9_is_healed_within_five_seconds_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    server, heard = EmbeddedNats(tmp_path / "nats"), Heard()
    async with heard.supervisor() as supervisor:
        first = await supervisor.launch(await server.prepare())
        await heard.until("started", "nats")
        async with calling(server, "core") as core:
            stream = core.client.jetstream()
            await stream.add_stream(StreamConfig(name="ALERTS", subjects=["ballast.alerts.>"]))
            for _ in range(100):
                await stream.publish("ballast.alerts.info.a", b"1")
        killed_at = time.monotonic()
        os.kill(first, signal.SIGKILL)
        assert await heard.until("died", "nats") == -signal.SIGKILL
        second = await heard.until("started", "nats")
        assert time.monotonic() - killed_at < RECOVERED_WITHIN_S * slowness()
        assert supervisor.pids == {"nats": second}
        async with calling(server, "core") as core:
            assert (await core.client.jetstream().stream_info("ALERTS")).state.messages == 100
    assert not is_alive(second)


@pytest.mark.parametrize("wiped", ["store", "."])
async def test_wiped_while_running_it_starts_empty_for_the_same_clients(tmp_path: Path, wiped: str) -> None:
    root = tmp_path / "nats"
    server, heard = EmbeddedNats(root), Heard()
    async with heard.supervisor() as supervisor:
        pid = await supervisor.launch(await server.prepare())
        await heard.until("started", "nats")
        url = server.url("core")
        async with calling(server, "core") as core:
            await core.client.jetstream().add_stream(name="ALERTS", subjects=["ballast.alerts.>"])
        shutil.rmtree(root / wiped)
        os.kill(pid, signal.SIGKILL)
        await heard.until("started", "nats")
        client = await nats.connect(url)
        try:
            assert await client.jetstream().streams_info() == []
        finally:
            await client.close()
