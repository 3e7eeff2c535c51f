"""A small desk for tests: a handler that is fed one command at a time, and every event it answered with."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from commands.envelope import Envelope, Reply
from commands.handler import Closed, Decision, Handler
from domain.approvals import ApprovalRequested
from domain.book import Book
from domain.carry import MarkEvidence
from domain.chain import GENESIS
from domain.depth import BookEvidence
from domain.event import Event
from domain.ids import natural_id
from domain.limit import Control, LimitSet
from domain.limits import CONTROLS, default_limits
from domain.log import Head, NewEvent, StoredEvent
from domain.market import Witness
from domain.onchain import ContractTerms
from domain.order import Order
from domain.policy import Policy
from domain.quantity import Num
from domain.transaction import Receipt, Transaction
from tests.support.given import (
    BENEFACTOR,
    CUSTODIANS,
    SENDER,
    START_US,
    USDT,
    WETH,
    a_book,
    a_mark,
    a_policy,
    a_transaction,
    agreeing,
    block_hash,
    pegged,
    some_terms,
)

LIMITS = (
    ("order_notional", "global", "100000"),
    ("net_delta", "asset:ETH", "40"),
    ("price_collar", "global", "100"),
    ("quote_age", "global", "500"),
)


def to_begin_with() -> tuple[tuple[str, str, str], ...]:
    """Return the limits of a desk: some of its own, and the catalogue's for every other control."""
    own = {control for control, _, _ in LIMITS}
    given = ((str(control), scope, str(value)) for control, scope, value in default_limits() if control not in own)
    return (*LIMITS, *given)


class Desk:
    """Feed commands to a handler and remember every event; each offer is committed at once."""

    def __init__(self, *, limits: bool = True, policy: Policy | None = None) -> None:
        self.handler = Handler(Book(), Head(1, 0, 0, GENESIS))
        self.events: list[Event] = []
        self.now_us = START_US
        self.evidence: tuple[BookEvidence, ...] = (a_book(),)
        self.heard: tuple[Witness, ...] | None = None
        self.marks: tuple[MarkEvidence, ...] = (a_mark(),)
        self.closed: list[Closed] = []
        self._count = 0
        self.do("policy.adopt", {"policy": policy or a_policy()}, actor="system")
        if limits:
            for control, scope, value in to_begin_with():
                body = {"control": control, "scope": scope, "value": value, "reason": "to begin with"}
                self.do("limit.set", body, actor="system")

    @property
    def book(self) -> Book:
        return self.handler.book

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """Return what was heard, or else witnesses who agree with the evidence."""
        if self.heard is not None:
            return self.heard
        return tuple(each for book in self.evidence for each in agreeing(book)) or pegged()

    def do(self, kind: str, body: object, *, actor: str = "api", command_id: UUID | None = None) -> Decision:
        """Offer a command and commit it; a reply without a decision fails the test."""
        result = self.ask(kind, body, actor=actor, command_id=command_id)
        assert isinstance(result, Decision), result
        return result

    def ask(self, kind: str, body: object, *, actor: str = "api", command_id: UUID | None = None) -> Decision | Reply:
        self._count += 1
        envelope = Envelope(
            command_id=command_id or natural_id("test", str(self._count)),
            kind=kind,
            actor=actor,
            body=msgspec.Raw(msgspec.json.encode(body, enc_hook=str)),
            at_us=self.now_us,
            evidence=self.evidence,
            witnesses=self.witnesses,
            marks=self.marks,
        )
        result = self.handler.offer(envelope)
        if isinstance(result, Decision):
            self.events.extend(result.events)
            self.commit()
        return result

    def commit(self) -> None:
        while (closed := self.handler.take(self.now_us, 100)) is not None:
            self.closed.append(closed)
            self.handler.committed(closed)

    @property
    def stored(self) -> list[NewEvent]:
        """Return every event as it went to the log, in order of position."""
        return [event for closed in self.closed for event in closed.batch.events]

    def order(self) -> Order:
        """Return the one order that works."""
        (open_order,) = self.book.orders.values()
        return open_order.order

    def wake(self, later_ms: int = 0) -> list[Decision]:
        """Let time pass and fire what is due."""
        self.now_us += later_ms * 1_000
        fired: list[Decision] = []
        for wake in self.handler.due(self.now_us, 100):
            decision = self.do(wake.kind, msgspec.Raw(wake.body.encode()), command_id=wake.command_id)
            self.handler.fired(wake, accepted=decision.outcome.status == "accepted", now_us=self.now_us, delay_ms=250)
            fired.append(decision)
        return fired

    def quote(self, size: str = "1.5", *, pair: str = "WETH/USDe", side: str = "MINT") -> Decision:
        body = {"pair": pair, "side": side, "kind": "ALGO", "size": size, "benefactor": BENEFACTOR}
        return self.do("quote.issue", body)

    def accept(self, quote: Decision, *, nonce: int = 1, **changes: object) -> Decision:
        issued: Any = quote.events[0]
        body: dict[str, object] = {
            "order_id": f"RFQ-{issued.quote_id}",
            "order_type": issued.side.value,
            "expiry": self.now_us // 1_000_000 + 60,
            "nonce": nonce,
            "benefactor": BENEFACTOR,
            "beneficiary": BENEFACTOR,
            "collateral_asset": WETH if issued.collateral.asset == "WETH" else USDT,
            "collateral_amount": issued.collateral.atoms,
            "issued_amount": issued.issued.atoms,
            "signature": "0x" + "11" * 65,
            "signature_type": "EIP712",
            "order_hash": f"0x{nonce:064x}",
            "signer": BENEFACTOR,
        }
        return self.do("request.accept", body | changes)

    def acknowledge(self, order: Any, *, filled: str, terminal: bool = True, attempt: int = 1) -> Decision:
        body = {
            "order_id": order.order_id,
            "attempt": attempt,
            "venue_order_id": "v-" + str(order.order_id)[:8],
            "accepted_quantity": str(order.quantity),
            "filled": filled,
            "terminal": terminal,
        }
        return self.do("order.acknowledged", body)

    def reject(self, order: Any, *, attempt: int = 1) -> Decision:
        body = {"order_id": order.order_id, "attempt": attempt, "code": "-2019", "text": "margin is insufficient"}
        return self.do("order.rejected", body)

    def unknown(self, order: Any, *, attempt: int = 1) -> Decision:
        return self.do("order.outcome_unknown", {"order_id": order.order_id, "attempt": attempt, "text": "timed out"})

    def absent(self, order: Any, *, attempt: int = 1) -> Decision:
        return self.do("order.absent", {"order_id": order.order_id, "attempt": attempt, "text": "never had it"})

    def trade(self, order: Any, quantity: str, *, trade: str = "t1") -> Decision:
        """Let the venue fill this much of an order and be done with it."""
        self.acknowledge(order, filled=quantity)
        return self.fill(order, quantity, trade=trade)

    def confirm(self) -> Decision:
        """Let the one open settlement become final."""
        (settlement_id,) = self.book.settlements
        return self.do("settlement.confirmed", {"settlement_id": settlement_id, "reference": "0xabc"})

    def settlement_id(self) -> UUID:
        """Return the id of the one settlement that is open."""
        (settlement_id,) = self.book.settlements
        return settlement_id

    def observe(self, terms: ContractTerms | None = None) -> Decision:
        """Let the contract be seen."""
        return self.do("contract.observe", {"terms": terms or some_terms()})

    def party(self, kind: str, party: str, owner: str = "", **changes: object) -> Decision:
        """Let the chain admit or remove somebody."""
        change: dict[str, object] = {
            "kind": kind,
            "party": party,
            "owner": owner,
            "admitted": True,
            "block_number": 90,
            "block_hash": block_hash(90),
            "tx_hash": "0x" + "77" * 32,
            "log_index": 0,
        }
        return self.do("party.record", {"change": change | changes})

    def see_the_chain(self, **changes: Any) -> None:
        """Let the chain be known: the benefactor and the custodians admitted, the contract open."""
        self.party("benefactor", BENEFACTOR)
        for custodian in CUSTODIANS:
            self.party("custodian", custodian)
        self.observe(some_terms(**changes))

    def submit(self, transaction: Transaction | None = None, *, attempt: int | None = None, count: int = 0) -> Decision:
        """Ask to send a transaction for the one open settlement, at the next nonce unless told otherwise."""
        settlement_id = self.settlement_id()
        body = {
            "settlement_id": settlement_id,
            "attempt": self.book.settlements[settlement_id].attempt + 1 if attempt is None else attempt,
            "transaction": transaction or a_transaction(nonce=self.book.onchain.nonces.get(SENDER, 0)),
            "transaction_count": count,
        }
        return self.do("settlement.submit", body)

    def replace(self, transaction: Transaction, replaced_hash: str = "") -> Decision:
        """Ask to replace a transaction of the one open settlement, its newest unless told otherwise."""
        settlement_id = self.settlement_id()
        newest = self.book.settlements[settlement_id].live[-1].tx_hash
        body = {
            "settlement_id": settlement_id,
            "replaced_hash": replaced_hash or newest,
            "transaction": transaction,
        }
        return self.do("settlement.replace", body)

    def include(self, tx_hash: str = "", *, block: int = 101, fork: str = "", error: str = "") -> Decision:
        """Let a transaction of the one open settlement, its newest unless told otherwise, stand in a block."""
        settlement_id = self.settlement_id()
        receipt = Receipt(
            tx_hash=tx_hash or self.book.settlements[settlement_id].live[-1].tx_hash,
            block_number=block,
            block_hash=block_hash(block, fork),
            succeeded=not error,
            gas_used=150_000,
            gas_price_wei=2_000_000_000,
            error=error,
        )
        return self.do("settlement.include", {"settlement_id": settlement_id, "receipt": receipt})

    def reorg(self, *, block: int = 101, fork: str = "") -> Decision:
        """Let the block in which the one open settlement stands be given up."""
        settlement_id = self.settlement_id()
        included = self.book.settlements[settlement_id].included
        body = {
            "settlement_id": settlement_id,
            "tx_hash": included.tx_hash if included is not None else "0xnone",
            "block_hash": block_hash(block, fork),
        }
        return self.do("settlement.reorg", body)

    def finalise(self) -> Decision:
        """Let the one open settlement, which stands in a block, become final."""
        settlement_id = self.settlement_id()
        settled = self.book.settlements[settlement_id].settled
        reference = settled.tx_hash if settled is not None else "0xnone"
        return self.do("settlement.confirmed", {"settlement_id": settlement_id, "reference": reference})

    def revert(self) -> Decision:
        """Let the one open settlement fail for certain."""
        settlement_id = self.settlement_id()
        count = len(self.book.settlements[settlement_id].transactions)
        body = {"settlement_id": settlement_id, "text": "out of gas", "transactions": count}
        return self.do("settlement.reverted", body)

    def fill(self, order: Any, quantity: str, *, price: str = "2000", trade: str = "t1", **changes: object) -> Decision:
        body: dict[str, object] = {
            "venue": order.venue,
            "account": order.account,
            "symbol": order.symbol,
            "trade_id": trade,
            "venue_order_id": "v-" + str(order.order_id)[:8],
            "client_order_id": self.book.orders[order.order_id].client_order_id
            if order.order_id in self.book.orders
            else "",
            "side": order.side.value,
            "price": price,
            "quantity": quantity,
            "fee_asset": "USDT",
            "fee": "0.1",
            "kind": "trade",
            "source": "stream",
            "traded_at_us": self.now_us,
        }
        return self.do("fill.recorded", body | changes)

    def set_limit(self, control: str, value: str, *, scope: str = "global") -> Decision:
        body = {"control": control, "scope": scope, "value": value, "reason": "for this test"}
        return self.granted(self.do("limit.set", body, actor="ada"))

    def found_limit(self, control: str, value: str, *, scope: str = "global") -> None:
        """Let a limit stand that a log may hold and nobody can set any more, such as zero."""
        spec = CONTROLS[Control(control)]
        told = LimitSet(control=spec.control, scope=scope, value=Num(value), unit=spec.unit, author="ada", reason="old")
        self.handler.replay(told, self.handler.position + 1, self.now_us)

    def remove_limit(self, control: str, *, scope: str = "global") -> Decision:
        body = {"control": control, "scope": scope, "reason": "for this test"}
        return self.granted(self.do("limit.remove", body, actor="ada"))

    def granted(self, asked: Decision, *, by: str = "bob") -> Decision:
        """Let another person grant what waits for it; return the decision that made the change."""
        waiting = next((event for event in asked.events if isinstance(event, ApprovalRequested)), None)
        if waiting is None:
            return asked
        return self.do("approval.decide", {"approval_id": waiting.approval_id, "decision": "grant"}, actor=by)

    def change_mode(self, mode: str, *, scope: str = "global", actor: str = "ada") -> Decision:
        return self.do("mode.change", {"scope": scope, "mode": mode, "reason": "for this test"}, actor=actor)

    def held(self) -> None:
        """Mint 10 WETH to the end, so that there is something to redeem."""
        self.accept(self.quote("10"), nonce=9_000)
        self.trade(self.order(), "10", trade="held")
        self.confirm()


def reason(decision: Decision) -> str:
    """Return the name of the reason for which a command was refused; empty when it was not."""
    return decision.outcome.reason


def tags(events: Iterable[Event]) -> list[str]:
    """Return the events' tags without their versions."""
    return [event.TOPIC.rsplit(".", 1)[0] for event in events]


def as_read(events: Iterable[NewEvent], first_position: int, recorded_at_us: int = START_US) -> list[StoredEvent]:
    """Return new events as the log would give them back; their hashes are left to the log."""
    return [
        StoredEvent(
            position=position,
            originator_id=event.originator_id,
            version=event.version,
            topic=event.topic,
            state=event.state,
            metadata=event.metadata,
            chain_hash=GENESIS,
            command_id=event.command_id,
            recorded_at_us=recorded_at_us,
        )
        for position, event in enumerate(events, first_position)
    ]
