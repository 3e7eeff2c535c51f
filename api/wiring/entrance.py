"""The HTTP entrance's process: what it asks of the core, reads from the models, and hears from the other roles."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import asyncpg
import msgspec

from adapters.chain.eip712 import ContractDomain
from adapters.chain.signature import OrderVerifier
from adapters.nats.command_client import CommandClient
from adapters.nats.connection import Connection
from adapters.nats.signals import IndicativeMessage, Signals
from adapters.nats.tail import Tail
from adapters.postgres.patient import PatientLog
from adapters.postgres.series_read import SeriesReader
from adapters.postgres.views import PostgresViews
from adapters.postgres.views_log import PostgresLog
from adapters.postgres.views_reach import reading_pool
from adapters.postgres.views_watch import PostgresCheckpointWatch
from api.following import Following
from api.http.app import create_app
from api.http.house import HttpSettings, Ports
from api.http.keys import KeyEntry, KeyRing
from api.http.metrics import Heartbeat, Registry, read_heartbeat
from api.http.server import serve
from api.http.stream import Broadcast
from api.http.throttle import Rate
from api.http.views import LoggedViews
from api.market.markets import Markets
from api.replica import Recorded, Replica, restore_replica
from api.settings import Settings, SettingsError
from api.wiring.chain import open_chain
from api.wiring.hearing import hear_markets
from api.wiring.process import API_INBOX, Process, beat
from commands.envelope import Reply
from commands.ports import Clock
from domain.market import Witness, witness_scopes
from domain.policy import Policy
from domain.watch import AlertRaised

HEARTBEAT_AGE_S_MAX = 5.0
CHECK_S_MAX = 2.0
# This process answers most quotes itself, and needs none of them afterwards.
PASSED_OVER = frozenset({"quote.issued.v1", "quote.issued.v2", "quote.issued.v3", "quote.used.v1"})
COMMAND_TIMEOUT_S = 8.0

_REPLY = msgspec.json.Decoder(Reply)


class _Commands:
    """Send the entrance's commands over the bus."""

    def __init__(self, client: CommandClient) -> None:
        self._client = client

    async def request(self, kind: str, body: bytes, command_id: UUID, actor: str, trace: str) -> Reply:
        """Ask the core; see `api.http.ports.Commands`."""
        answer = await self._client.request(
            kind, body, command_id=command_id, actor=actor, traceparent=trace or None, timeout_s=COMMAND_TIMEOUT_S
        )
        return _REPLY.decode(answer.data)


class _Heartbeats:
    """Remember the newest heartbeat of each role."""

    def __init__(self) -> None:
        self.malformed = 0
        self._latest: dict[str, tuple[Heartbeat, float]] = {}

    def hear(self, _role: str, body: bytes) -> None:
        """Take a heartbeat."""
        try:
            heartbeat = read_heartbeat(body)
        except msgspec.DecodeError:
            self.malformed += 1  # a stranger's, or another version's: the role counts as silent
            return
        self._latest[heartbeat.role] = (heartbeat, time.monotonic())

    def latest(self) -> Sequence[Heartbeat]:
        """Return the newest of each role."""
        return [heartbeat for heartbeat, _ in self._latest.values()]

    def age_s(self, role: str) -> float | None:
        """Return how long ago a role was heard, None when never."""
        heard = self._latest.get(role)
        return None if heard is None else time.monotonic() - heard[1]


class _Dependencies:
    """Ask what the entrance needs: the database, the bus, and the roles behind it."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", bus: Connection, heartbeats: _Heartbeats) -> None:
        self._pool = pool
        self._bus = bus
        self._heartbeats = heartbeats

    async def check(self) -> Mapping[str, str]:
        """Return each dependency with what is wrong with it, "" when nothing is."""
        found = {"postgres": await self._postgres(), "nats": "" if self._bus.connected else "not connected"}
        for role in ("core", "market", "execution", "chain", "projections"):
            age_s = self._heartbeats.age_s(role)
            silent = age_s is None or age_s > HEARTBEAT_AGE_S_MAX
            found[role] = ("never heard" if age_s is None else f"silent for {age_s:.0f} s") if silent else ""
        return found

    async def _postgres(self) -> str:
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                await self._pool.fetchval("select 1")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return f"does not answer: {type(error).__name__}"
        return ""


class _Board:
    """Show the consolidated view, and who is suspended in it."""

    def __init__(self, markets: Markets, replica: Replica, clock: Clock) -> None:
        self._markets = markets
        self._replica = replica
        self._clock = clock

    def board(self) -> Sequence[Witness]:
        """Return every source's word now."""
        return self._markets.witnesses(self._clock.now_us())

    def suspended(self, witness: Witness) -> str:
        """Return why a source may not be believed, "" when it may."""
        suspended = self._replica.book.outside.suspended
        return next((suspended[scope].text for scope in witness_scopes(witness) if scope in suspended), "")


def _read_keys(settings: Settings) -> KeyRing:
    try:
        entries = msgspec.json.decode(settings.keys_file.read_bytes(), type=list[KeyEntry])
    except OSError as error:
        raise SettingsError(f"the keys file {settings.keys_file} cannot be read: {error.strerror}") from error
    return KeyRing(entries)


@asynccontextmanager
async def _reading(process: Process) -> AsyncGenerator[tuple["asyncpg.Pool[asyncpg.Record]", LoggedViews]]:
    dsn = process.secret(process.settings.services.postgres_service)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(await reading_pool(dsn))
        store, watch = PostgresViews(pool, dsn), PostgresCheckpointWatch(dsn)
        stack.push_async_callback(store.close)
        stack.push_async_callback(watch.close)
        yield pool, LoggedViews(store, PostgresLog(pool), watch)


def _http_settings(settings: Settings) -> HttpSettings:
    http = settings.http
    return HttpSettings(
        source_rate=Rate(per_s=http.source_rate_per_s, burst=http.source_burst),
        benefactor_rate=Rate(per_s=http.benefactor_rate_per_s, burst=http.benefactor_burst),
        allow_origins=http.cors_origins,
        trusted_proxies=frozenset(http.trusted_proxies),
        order_wait_ms=http.order_wait_ms,
        wallet_wait_ms=http.wallet_wait_ms,
        issued_token=settings.chain.issued_token,
    )


async def run_api(process: Process) -> None:
    """Serve HTTP until told to stop; requests under way are finished."""
    settings = process.settings
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(process.bus(settings.services.nats_api, "api", API_INBOX))
        log = await stack.enter_async_context(process.followed_log())
        pool, views = await stack.enter_async_context(_reading(process))
        replica, heartbeats = await restore_replica(log, PASSED_OVER), _Heartbeats()
        chain = await stack.enter_async_context(open_chain(process))
        following = Following(replica)
        signals = Signals(bus, process.prefix)
        await signals.on_health(heartbeats.hear)
        markets = Markets()
        await hear_markets(signals, markets)

        def policy() -> Policy | None:
            return replica.book.policy

        domain = ContractDomain(chain_id=settings.chain.chain_id, verifying_contract=settings.chain.minting_contract)
        ports = Ports(
            commands=_Commands(CommandClient(bus, process.prefix)),
            views=views,
            orders=OrderVerifier(domain),
            requests=following,
            chain=chain,
            parties=following,
            contract=following.terms,
            keys=_read_keys(settings),
            policy=policy,
            dependencies=_Dependencies(pool, bus, heartbeats),
            heartbeats=heartbeats,
            series=SeriesReader(pool),
            market=_Board(markets, replica, process.clock),
        )
        broadcast = Broadcast(time.monotonic, process.clock.now_us)

        def ladder(message: IndicativeMessage) -> None:
            broadcast.publish_indicative(message.pair, message.data)

        await signals.on_indicative(ladder)
        app = create_app(ports, broadcast, _http_settings(settings))
        async with asyncio.TaskGroup() as tasks:
            beating = tasks.create_task(beat(process, bus, "api", Registry(), lambda: replica.position))
            reading = tasks.create_task(_follow(process, bus, log, replica, following.see, broadcast))
            await serve(
                app, settings.http.host, settings.http.port, ready=lambda _port: process.ready(), stop=process.stop
            )
            beating.cancel()
            reading.cancel()


async def _follow(
    process: Process,
    bus: Connection,
    log: PatientLog,
    replica: Replica,
    see: Callable[[Recorded], None],
    broadcast: Broadcast,
) -> None:
    """Follow the log for the policy in force, for those who wait for a transaction, and for subscribers of alerts."""
    async with Tail(bus, process.prefix, log, after=replica.position) as tail:
        while True:
            for recorded in await replica.follow(tail):
                see(recorded)
                if isinstance(recorded.event, AlertRaised):
                    broadcast.publish("alert", msgspec.json.encode(recorded.event))
