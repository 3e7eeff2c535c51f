"""The auditor: folds the log as it is committed and holds the invariants against it, at every commit and every effect.

It sees what no process can: the durable log, the venue's and the chain's truth, and every acknowledgement at the moment
it is given. What it finds is kept as a violation; the first one ends the world.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from api.replica import recorded_us
from commands.envelope import Envelope, Outcome, Reply
from commands.handler import ACCEPTED, MALFORMED, REFUSED
from domain.book import NONCE_MASK, Book, evolve
from domain.codec import decode_event
from domain.event import Event
from domain.exposure import exposure, imbalance
from domain.limit import Control
from domain.log import Batch, KeptCommand, StoredEvent
from domain.onchain import PartyKind
from domain.quantity import ZERO, add, to_units
from domain.quote import QuoteUsed
from domain.refusal import Reason
from domain.request import RequestAccepted, RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.settlement import SettlementConfirmed, SettlementReplaced, SettlementReverted, SettlementSubmitted
from domain.supply import SupplyObserved
from domain.transaction import Transaction
from tests.simulation.appraiser import Appraiser
from tests.simulation.bounds import Bounds
from tests.simulation.log import LogStore
from tests.simulation.model_chain import ModelChain
from tests.simulation.model_contract import SENDER
from tests.simulation.modes import Modes
from tests.simulation.sim import Sim
from tests.simulation.trades import Trades
from tests.simulation.venue import VenueServer

UNDERLYING = "ETH"


class Violation(msgspec.Struct, frozen=True):
    """Say which invariant does not hold, and how that showed."""

    rule: str
    text: str


class Decided(msgspec.Struct, frozen=True):
    """One kept command, as an acknowledgement must match it."""

    outcome: Outcome
    first: int | None
    last: int | None


class Auditor:
    """Hold the invariants of one world."""

    def __init__(self, sim: Sim, store: LogStore, venues: Mapping[str, VenueServer], chain: ModelChain) -> None:
        self.sim = sim
        self.book = Book()
        self.violations: list[Violation] = []
        self.on_violation: Callable[[], None] = lambda: None
        self.decided: dict[UUID, list[Decided]] = {}
        self.accepted: dict[UUID, RequestAccepted] = {}
        self.ended: dict[UUID, str] = {}
        self._store = store
        self._chain = chain
        self._quotes_used: set[UUID] = set()
        self._nonces: set[tuple[str, int]] = set()
        self.transactions: dict[str, Transaction] = {}
        self._sent_for: dict[UUID, set[int]] = {}
        self._next_nonce = 0
        self._replies: dict[tuple[UUID, bytes], bytes] = {}
        self._rules: dict[type[Event], Callable[[Any, StoredEvent], None]] = {
            QuoteUsed: self._quote_used,
            RequestAccepted: self._request_accepted,
            RequestCompleted: self._request_ended,
            RequestCancelled: self._request_ended,
            RequestSettlementFailed: self._request_ended,
            SettlementSubmitted: self._submitted,
            SettlementReplaced: self._replaced,
            SettlementConfirmed: self._settlement_ended,
            SettlementReverted: self._settlement_ended,
            SupplyObserved: self.supply_observed,
        }
        self.trades = Trades(self.book, venues, self.check)
        self.trades.on_filled = self._contained
        self.modes = Modes(self.sim, self.book, self.check)
        self.bounds = Bounds(self.book, self.check)
        self._appraiser = Appraiser({name: venue.market for name, venue in venues.items()}, self.check)
        store.on_commit.append(self._committed)
        chain.on_broadcast.append(self._broadcast)
        chain.on_moved.append(self._contained)

    def check(self, holds: bool, rule: str, *details: object) -> None:
        """Keep a violation unless the rule holds."""
        if holds:
            return
        text = " ".join(str(detail) for detail in details)
        self.violations.append(Violation(rule, text))
        self.sim.note("auditor", "VIOLATION", rule, text)
        self.on_violation()

    # The log

    def _committed(self, batch: Batch) -> None:
        for kept in batch.commands:
            envelope = msgspec.json.decode(kept.command, type=Envelope, dec_hook=_number)
            outcome = msgspec.json.decode(kept.outcome, type=Outcome)
            decided = Decided(outcome, kept.first_position, kept.last_position)
            self.decided.setdefault(envelope.command_id, []).append(decided)
            self._fold(kept)
        self.trades.committed()
        self._contained()

    def _fold(self, kept: KeptCommand) -> None:
        first, last = kept.first_position, kept.last_position
        if first is None or last is None:
            self.check(first is last, "a command has both positions or none", kept)
            return
        events = self._store.events[first - 1 : last]
        self.check(len(events) == last - first + 1, "a command's events are in the log", kept)
        decoded = [decode_event(stored.topic, stored.state) for stored in events]
        for stored, event in zip(events, decoded, strict=True):
            self.check(stored.command_id == kept.command_id, "an event names its command", stored.position)
            self._before(event, stored)
            evolve(self.book, event, recorded_us(stored))
        law = imbalance(self.book, UNDERLYING)
        self.check(law == 0, "hedging law", f"{law} {UNDERLYING} are unaccounted for at position {last}")
        for event in decoded:
            if isinstance(event, RequestAccepted):
                self._inside_limit(event)

    def _inside_limit(self, accepted: RequestAccepted) -> None:
        if self.book.asset(accepted.collateral.asset).underlying != UNDERLYING:
            return
        limit = self.book.limit(Control.NET_DELTA, f"asset:{UNDERLYING}")
        worst = exposure(self.book, UNDERLYING).interval.worst
        self.check(limit is not None and worst <= limit.value, "net delta at acceptance", worst, limit)

    def _before(self, event: Event, stored: StoredEvent) -> None:
        """Check one event against what was and what is true outside, before it is folded."""
        for rules in (self._rules, self.trades.rules, self._appraiser.rules, self.modes.rules, self.bounds.rules):
            rule = rules.get(type(event))
            if rule is not None:
                rule(event, stored)

    def _quote_used(self, event: QuoteUsed, _stored: StoredEvent) -> None:
        self.check(event.quote_id not in self._quotes_used, "a quote is used once", event.quote_id)
        self._quotes_used.add(event.quote_id)

    def _request_accepted(self, event: RequestAccepted, _stored: StoredEvent) -> None:
        nonce = (event.benefactor, event.nonce & NONCE_MASK)
        self.check(nonce not in self._nonces, "a nonce is used once", nonce)
        self.check(event.request_id not in self.accepted, "a request is accepted once", event.request_id)
        self._nonces.add(nonce)
        self.accepted[event.request_id] = event

    def _request_ended(
        self, event: RequestCompleted | RequestCancelled | RequestSettlementFailed, _stored: StoredEvent
    ) -> None:
        self.check(event.request_id not in self.ended, "a request ends once", event.request_id)
        self.ended[event.request_id] = event.TOPIC

    def _submitted(self, event: SettlementSubmitted, stored: StoredEvent) -> None:
        transaction, benefactor = event.transaction, self.accepted[event.request_id].benefactor
        used = self._chain.final.state.nonces.get(SENDER, 0)
        gapless = transaction.nonce == self._next_nonce or self._next_nonce < transaction.nonce <= used
        self.check(gapless, "nonces have no gaps", stored.position, transaction.nonce, self._next_nonce)
        admitted = self.book.onchain.admitted(PartyKind.BENEFACTOR, benefactor)
        self.check(admitted, "nothing is sent for who was revoked", stored.position, benefactor)
        self._next_nonce = transaction.nonce + 1
        self._recorded(event.settlement_id, transaction)

    def _replaced(self, event: SettlementReplaced, stored: StoredEvent) -> None:
        before, after = self.transactions[event.replaced_hash], event.transaction
        self.check(before.nonce == after.nonce, "a replacement keeps its nonce", stored.position)
        self._recorded(event.settlement_id, after)

    def _recorded(self, settlement_id: UUID, transaction: Transaction) -> None:
        self.transactions[transaction.tx_hash] = transaction
        self._sent_for.setdefault(settlement_id, set()).add(transaction.nonce)

    def _settlement_ended(self, event: SettlementConfirmed | SettlementReverted, _stored: StoredEvent) -> None:
        order_id, final = self.accepted[event.request_id].order_id, self._chain.final.state
        if isinstance(event, SettlementConfirmed):
            self.check(order_id in final.settled, "a confirmed settlement is final on chain", event.settlement_id)
        else:
            self.check(order_id not in self._chain.state.settled, "a reverted settlement did not happen", event)
        used = final.nonces.get(SENDER, 0)
        over = all(nonce < used for nonce in self._sent_for.get(event.settlement_id, ()))
        self.check(over, "a settlement ends when its nonces are used up", event.settlement_id, event.TOPIC)

    def supply_observed(self, event: SupplyObserved, stored: StoredEvent) -> None:
        """Nobody but us mints here: whatever was in flight, what the chain counts is what settlements came to."""
        self.check(event.difference == 0, "settlements explain the supply", stored.position, event)

    # The outside

    def _broadcast(self, transaction: Transaction) -> None:
        known = self.transactions.get(transaction.tx_hash) == transaction
        self.check(known, "a transaction is recorded before the chain sees it", transaction.tx_hash)

    def _contained(self) -> None:
        """Check that the book's interval contains the truth; what nobody of ours ordered is left out on both sides."""
        if self.book.policy is None:
            return
        truth = ZERO
        for asset in self.book.policy.assets:
            if asset.underlying == UNDERLYING:
                truth = add(truth, to_units(self._chain.custody.get(asset.symbol, 0), asset.decimals))
        truth = add(add(truth, self.trades.bought), self.trades.surprises)
        interval = exposure(self.book, UNDERLYING).interval
        inside = interval.low <= truth <= interval.high
        self.check(inside, "exposure contains the truth", f"{truth} outside {interval.low} to {interval.high}")

    # Acknowledgements

    def answered(self, command_id: UUID, body: bytes, reply: Reply) -> None:
        """See `Watcher.answered`: what is told is durable when it is told, and always told the same."""
        if reply.status == MALFORMED:
            self.check(command_id not in self.decided, "what cannot be read is never kept", command_id)
        if reply.status not in {ACCEPTED, REFUSED} or reply.reason == Reason.COMMAND_ID_REUSED.name:
            return
        told = (reply.status, reply.reason, reply.position)
        durable = [
            each
            for each in self.decided.get(command_id, ())
            if (each.outcome.status, each.outcome.reason, each.last or 0) == told
        ]
        self.check(bool(durable), "an acknowledged command is durable", command_id, told)
        for view in reply.events:
            same = (
                view.position <= len(self._store.events)
                and self._store.events[view.position - 1].state == bytes(view.state)
                and self._store.events[view.position - 1].topic == view.topic
            )
            self.check(same, "an acknowledged event is in the log", view.position)
        if reply.status == ACCEPTED:
            before = self._replies.setdefault((command_id, body), msgspec.json.encode(reply))
            self.check(before == msgspec.json.encode(reply), "the same command is answered the same", command_id)

    def taken(self, command_id: UUID) -> None:
        """See `Watcher.taken`."""
        self.check(command_id in self.decided, "an acknowledged fact is durable", command_id)


def _number(wanted: type, value: object) -> object:
    return wanted(str(value))
