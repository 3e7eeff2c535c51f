"""The HTTP entrance on whole in-memory ports: the real handler decides, the real views fold, real signatures count."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import httpx
import msgspec

from adapters.chain.eip712 import ContractDomain
from adapters.chain.signature import OrderVerifier, SignedOrder, address_of, sign_order
from api.core import ASKED_BY_CONTENT
from api.following import Following
from api.http.app import create_app
from api.http.house import Clocks, HttpSettings, Ports
from api.http.keys import KeyEntry, KeyRing, key_digest, new_key
from api.http.metrics import Heartbeat, Registry, read_heartbeat
from api.http.roles import Role
from api.http.stream import Broadcast
from api.http.throttle import Rate
from api.http.views import LoggedViews
from api.replica import Replica
from commands.chain_ports import Wallet
from commands.envelope import Envelope, Reply
from commands.handler import Decision, remembered, reply, reused
from domain.book import Book
from domain.chain import GENESIS
from domain.codec import encode
from domain.event import Event
from domain.log import KeptCommand, StoredEvent
from domain.policy import Policy
from domain.refusal import TRANSIENT
from projections.catalogue import VIEWS
from projections.folding import Folding, start
from tests.support.desk import Desk
from tests.support.given import START_US, a_policy
from tests.support.memory_market import MemoryBoard, MemorySeries
from tests.support.memory_views import MemoryLog, MemoryViewStore

PRIVATE_KEY = "0x" + "4c" * 32
BENEFACTOR = address_of(PRIVATE_KEY)
STRANGER_KEY = "0x" + "5d" * 32
STRANGER = address_of(STRANGER_KEY)
DOMAIN = ContractDomain(chain_id=1, verifying_contract=a_policy().minting_contract)
UNBOUNDED = Rate(per_s=1e6, burst=1_000_000)
ISSUED_TOKEN = "0x" + "d0" * 20
NO_WAIT = HttpSettings(
    source_rate=UNBOUNDED, benefactor_rate=UNBOUNDED, order_wait_ms=0, wallet_wait_ms=200, issued_token=ISSUED_TOKEN
)


class MemoryCore:
    """Decide commands at once on a desk; remember outcomes; write the log and fold the views."""

    def __init__(self, policy: Policy) -> None:
        self.desk = Desk(policy=policy)
        self.log = MemoryLog()
        self.store = MemoryViewStore(self.log)
        self.folding = Folding([start(view) for view in VIEWS.values()])
        self.kept: dict[UUID, tuple[Envelope, KeptCommand]] = {}
        self.asked: list[Envelope] = []
        self.fault: Exception | None = None
        self.status = ""
        self.fold_views = True
        self.replica = Replica(Book(), 0)
        self.following = Following(self.replica)
        self.follow = True
        for event in self.desk.events:
            self._append([(event.originator, event.TOPIC, msgspec.json.encode(event, enc_hook=str))], START_US)

    def _append(self, events: Sequence[tuple[UUID, str, bytes]], at_us: int) -> None:
        stored = [
            StoredEvent(
                position=len(self.log.events) + 1 + offset,
                originator_id=originator,
                version=1,
                topic=topic,
                state=state,
                metadata=msgspec.json.encode(
                    {"at": "2023-11-14T22:13:20.000000Z", "recorded_at": "2023-11-14T22:13:20.000000Z"}
                ),
                chain_hash=GENESIS,
                command_id=None,
                recorded_at_us=at_us,
            )
            for offset, (originator, topic, state) in enumerate(events)
        ]
        self.log.extend(stored)
        if self.follow:
            self.catch_up()

    def happened(self, event: Event) -> None:
        """Let an event stand in the log that no command of a test brings about."""
        self.desk.handler.replay(event, self.desk.handler.position + 1, self.desk.now_us)
        self._append([(event.originator, event.TOPIC, encode(event))], self.desk.now_us)

    def catch_up(self) -> None:
        """Let those who follow the log see what they have not seen."""
        for event in self.log.events[self.replica.position :]:
            recorded = self.replica.fold(event)
            if recorded is not None:
                self.following.see(recorded)

    async def fold(self) -> None:
        page = await self.log.page(self.folding.position, 10_000, frozenset())
        if page.events:
            self.folding.follow(page.events)
            await self.store.apply(self.folding.take())

    async def request(self, kind: str, body: bytes, command_id: UUID, actor: str, trace: str) -> Reply:
        handler = self.desk.handler
        envelope = Envelope(
            command_id=command_id,
            kind=kind,
            actor=actor,
            body=msgspec.Raw(body),
            at_us=self.desk.now_us,
            evidence=self.desk.evidence,
            witnesses=self.desk.witnesses,
            marks=self.desk.marks,
            trace=trace,
        )
        self.asked.append(envelope)
        if self.fault is not None:
            raise self.fault
        if self.status:
            return Reply(status=self.status, command_id=str(command_id))
        if command_id in self.kept:
            first, kept = self.kept[command_id]
            if first.kind != kind or (bytes(first.body) != body and kind not in ASKED_BY_CONTENT):
                return reused(envelope)
            begin, end = kept.first_position or 1, kept.last_position or 0
            return remembered(command_id, kept, self.log.events[begin - 1 : end])
        decision = handler.offer(envelope)
        if not isinstance(decision, Decision):
            return decision
        closed = handler.take(self.desk.now_us, 1)
        assert closed is not None
        handler.committed(closed)
        events = closed.stored(decision)
        self._append([(event.originator_id, event.topic, event.state) for event in events], self.desk.now_us)
        if decision.outcome.reason not in {reason.name for reason in TRANSIENT}:
            self.kept[command_id] = (envelope, closed.batch.commands[0])
        if self.fold_views:
            await self.fold()
        return reply(decision, events)


class Told:
    """Tell about dependencies and other roles."""

    def __init__(self) -> None:
        self.dependencies: dict[str, str] = {"core": "", "postgres": ""}
        self.beats: list[Heartbeat] = []

    async def check(self) -> Mapping[str, str]:
        return self.dependencies

    def latest(self) -> Sequence[Heartbeat]:
        return self.beats

    def beat(self, role: str, registry: Registry, position: int | None = None) -> None:
        self.beats.append(read_heartbeat(registry.heartbeat(role, 1, START_US - 500_000, position)))


class MemoryChain:
    """Tell of wallets and contract signatures what it was told; count how often it was asked."""

    def __init__(self) -> None:
        self.held = Wallet(block_number=1, balance=1 << 127, allowance=1 << 127)
        self.owned = True
        self.asked: list[tuple[str, str]] = []
        self.fault: Exception | None = None
        self.hang = False

    async def wallet(self, owner: str, token: str) -> Wallet:
        self.asked.append((owner, token))
        await self._answer()
        return self.held

    async def contract_signature(self, wallet: str, order_hash: str, signature: str) -> bool:
        self.asked.append((wallet, order_hash))
        await self._answer()
        return self.owned

    async def _answer(self) -> None:
        if self.hang:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault


def _person(name: str) -> str:
    return "risk" if name == "risk_other" else name


def _role(name: str) -> Role:
    return Role.RISK if name.startswith("risk") else Role(name)


class Shop:
    """Hold an application, what it was given, and a client that stands at one address."""

    def __init__(
        self, settings: HttpSettings | None = None, policy: Policy | None = None, chain: MemoryChain | None = None
    ) -> None:
        self.policy: Policy | None = policy or a_policy(benefactors=(BENEFACTOR,))
        self.core = MemoryCore(self.policy)
        self.told = Told()
        self.now_s = 1_000.0
        # Of the risk role there are two persons, and one of them has two keys.
        self.keys = {role: new_key() for role in (*Role, "risk2", "risk_other")}
        entries = [
            KeyEntry(digest=key_digest(key), person=_person(str(name)), role=_role(str(name)))
            for name, key in self.keys.items()
        ]
        self.clocks = Clocks(now_us=lambda: self.core.desk.now_us, monotonic_s=lambda: self.now_s)
        self.broadcast = Broadcast(self.clocks.monotonic_s, self.clocks.now_us)
        self.views = LoggedViews(self.core.store, self.core.log, self.core.store)
        self.market, self.series = MemoryBoard(), MemorySeries()
        self.ports = Ports(
            commands=self.core,
            views=self.views,
            orders=OrderVerifier(DOMAIN),
            keys=KeyRing(entries),
            policy=lambda: self.policy,
            dependencies=self.told,
            heartbeats=self.told,
            market=self.market,
            series=self.series,
            requests=self.core.following,
            parties=self.core.following,
            contract=self.core.following.terms,
            chain=chain,
        )
        settings = settings or NO_WAIT
        self.app = create_app(self.ports, self.broadcast, settings, self.clocks)
        self._nonce = 0

    def client(self, address: str = "10.0.0.1") -> httpx.AsyncClient:
        app: Any = self.app  # the two libraries write ASGI's types differently
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1234))
        return httpx.AsyncClient(transport=transport, base_url="http://ballast.test")

    def bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[name]}"}

    def rfq(self, **changes: str | None) -> dict[str, str]:
        asked: dict[str, str | None] = {
            "pair": "WETH/USDe",
            "type_": "ALGO",
            "side": "MINT",
            "size": "1.5",
            "benefactor": BENEFACTOR,
        }
        return {name: value for name, value in (asked | changes).items() if value is not None}

    def order(self, quote: Mapping[str, str], **changes: object) -> dict[str, object]:
        self._nonce += 1
        plain: dict[str, object] = {
            "order_id": quote["rfq_id"],
            "order_type": quote["side"],
            "expiry": self.core.desk.now_us // 1_000_000 + 60,
            "nonce": self._nonce,
            "benefactor": BENEFACTOR,
            "beneficiary": BENEFACTOR,
            "collateral_asset": quote["collateral_asset"],
            "collateral_amount": int(quote["collateral_amount"]),
            "usde_amount": int(quote["usde_amount"]),
        }
        return plain | changes

    def sign(self, order: Mapping[str, object], key: str = PRIVATE_KEY) -> str:
        return sign_order(DOMAIN, msgspec.convert(order, SignedOrder, strict=False), key)


def code(response: httpx.Response) -> str:
    """Return an answer's error code."""
    return response.json()["error"]["error_code"]
