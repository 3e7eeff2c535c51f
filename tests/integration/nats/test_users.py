"""Each user of the embedded server may do its own part through these adapters, and not another's."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.supervisor import Supervisor
from adapters.nats import inbox
from adapters.nats.alerts import Alert, AlertPublisher, AlertSubscriber
from adapters.nats.command_client import CommandClient
from adapters.nats.commands import CommandServer
from adapters.nats.connection import Connection, open_connection
from adapters.nats.failures import CoreAbsent, OutcomeUnknown
from adapters.nats.inbox import InboxPublisher
from adapters.nats.inbox_consumer import InboxConsumer, InboxFact
from adapters.nats.relay import Relay
from adapters.nats.signals import Signals
from adapters.nats.tail import Tail
from domain.refusal import Unavailable
from tests.support.bus import MemoryLog

USERS = ("core", "api", "worker", "subscriber")


@pytest.fixture
async def users(tmp_path) -> AsyncIterator[dict[str, Connection]]:
    embedded = EmbeddedNats(tmp_path / "nats")
    async with Supervisor() as supervisor:
        await supervisor.launch(await embedded.prepare())
        opened = {
            user: await open_connection(embedded.url(user), name=user, inbox_prefix=embedded.inbox_prefix(user))
            for user in USERS
        }
        yield opened
        for connection in opened.values():
            await connection.close()


async def test_only_the_api_gets_commands_to_the_core(users: dict[str, Connection]):
    def answer(kind: str, _data: bytes, _headers: object, reply: str) -> None:
        server.reply_many([(reply, f'{{"status":"{kind}"}}'.encode(), None)])

    server = CommandServer(users["core"], "ballast", answer)
    await server.start()
    client = CommandClient(users["api"], "ballast")
    assert (await client.request("a.b", b"", command_id=uuid4(), actor="x")).status == "a.b"
    for stranger in ("worker", "subscriber"):
        with pytest.raises((OutcomeUnknown, CoreAbsent)):
            await CommandClient(users[stranger], "ballast").request(
                "a.b", b"", command_id=uuid4(), actor="x", timeout_s=0.3
            )
    assert server.received == 1
    await server.stop()


async def test_every_user_but_strangers_follows_the_log(users: dict[str, Connection]):
    log = MemoryLog()
    relay = Relay(users["core"], "ballast", log, head=0)
    running = asyncio.create_task(relay.run())
    relay.offer(1, log.commit(1))
    async with asyncio.timeout(20):
        await relay.settled(1)
        for user in ("api", "worker", "subscriber"):
            async with Tail(users[user], "ballast", log, after=log.head) as tail:
                while not tail.metrics.from_stream:
                    relay.offer(log.head + 1, log.commit(1))
                    await tail.next_batch()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_workers_bring_facts_that_only_the_core_takes(
    users: dict[str, Connection], monkeypatch: pytest.MonkeyPatch
):
    facts: list[InboxFact] = []
    arrived, bound = asyncio.Event(), asyncio.Event()

    def take(fact: InboxFact) -> None:
        facts.append(fact)
        arrived.set()

    consumer = InboxConsumer(
        users["core"],
        "ballast",
        take,
        on_bound=lambda _state: bound.set(),
        on_malformed=lambda _subject, _reason: None,
    )
    running = asyncio.create_task(consumer.run())
    async with asyncio.timeout(30):
        await bound.wait()
        await InboxPublisher(users["worker"], "ballast").publish("venue", "fill.recorded", "k", b"")
        await arrived.wait()
    consumer.ack([facts[0].receipt])
    monkeypatch.setattr(inbox, "ATTEMPTS_MAX", 1)
    monkeypatch.setattr(inbox, "ATTEMPT_S_MAX", 0.3)
    for stranger in ("api", "subscriber"):
        with pytest.raises((OutcomeUnknown, Unavailable)):
            await InboxPublisher(users[stranger], "ballast").publish("venue", "fill.recorded", "forged", b"")
    assert len(facts) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_workers_raise_alerts_that_subscribers_read(users: dict[str, Connection]):
    publisher = AlertPublisher(users["worker"], "ballast")
    await publisher.ensure()
    read: asyncio.Queue[Alert] = asyncio.Queue()
    running = asyncio.create_task(AlertSubscriber(users["subscriber"], "ballast", "pager", read.put).run())
    await publisher.publish("critical", "mode", "a-1", b"{}")
    async with asyncio.timeout(30):
        assert (await read.get()).alert_id == "a-1"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_signals_cross_between_users(users: dict[str, Connection]):
    heard: asyncio.Queue[str] = asyncio.Queue()
    await Signals(users["core"], "ballast").on_market(lambda message: heard.put_nowait(message.symbol))
    await Signals(users["api"], "ballast").on_indicative(lambda message: heard.put_nowait(message.pair))
    await Signals(users["api"], "ballast").on_health(lambda role, _body: heard.put_nowait(role))
    worker = Signals(users["worker"], "ballast")
    worker.publish_market("binanceusdm", "ETH/USDT:USDT", "book", b"")
    worker.publish_indicative("WETH/USDe", b"")
    Signals(users["core"], "ballast").publish_health("core", b"")
    async with asyncio.timeout(20):
        assert {await heard.get() for _ in range(3)} == {"ETH/USDT:USDT", "WETH/USDe", "core"}
