"""The desk with a chain under it, in either order of settling: whatever the chain does and whoever loses his right."""

from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from commands.handler import Handler
from domain.book import Book, remaining
from domain.chain import GENESIS
from domain.codec import decode_event
from domain.exposure import imbalance
from domain.instant import parse_rfc3339
from domain.log import Head
from domain.policy import CustodianTarget, SettlementOrder
from domain.quantity import Num, add
from domain.quote import Side
from domain.request import OpenRequest, RequestAccepted
from domain.settlement import (
    OpenSettlement,
    SettlementConfirmed,
    SettlementReplaced,
    SettlementSubmissionRequested,
    SettlementSubmitted,
)
from domain.transaction import Errand, Transaction, replacement_fees
from tests.property.calm_machine import CalmMachine
from tests.support.desk import Desk, as_read
from tests.support.given import (
    BENEFACTOR,
    CUSTODIANS,
    DOLLARS,
    SENDER,
    USDT,
    WETH,
    a_policy,
    a_transaction,
    asset_terms,
    block_hash,
    some_terms,
)

TARGETS = (CustodianTarget(address=CUSTODIANS[0], ratio_bps=7_000), CustodianTarget(address=CUSTODIANS[1], ratio_bps=3))
ERRORS = st.sampled_from(["", "", "", "MaxMintPerBlockExceeded", "GlobalMaxRedeemPerBlockExceeded", "InvalidNonce"])
CAPS = st.sampled_from([0, 1_000, 4_000, 6_000, 10_000, *[100_000] * 4])
NUMBERS = st.integers(0, 20)


class SettlementMachine(CalmMachine):
    """Drive a desk whose settlements are sent, replaced, included and reorged in any order."""

    @initialize()
    def open(self) -> None:
        super().open()
        self.block = 100
        self.desk.see_the_chain(stables_delta_limit_bps=10_000)
        self.adopt(SettlementOrder.HEDGE_FIRST)
        self.checked = 0

    def adopt(self, order: SettlementOrder) -> None:
        policy = a_policy(hedge_orders_max=2, custodians=TARGETS, settlement_order=order, settlement_attempts_max=3)
        self.desk.do("policy.adopt", {"policy": policy}, actor="system")

    @rule(order=st.sampled_from(SettlementOrder))
    def change_the_order(self, order: SettlementOrder) -> None:
        self.adopt(order)

    @rule()
    def trade(self) -> None:
        """Let the venue fill everything, and what was waiting go on."""
        for order in list(self.desk.book.orders.values()):
            self.trades += 1
            left = abs(remaining(order))
            if left > 0:
                self.desk.fill(order.order, str(left), trade=f"t{self.trades}")
            self.desk.acknowledge(order.order, filled=str(add(order.filled, left)))
        self.desk.wake(250)

    @precondition(lambda self: self.desk.book.settlements)
    @rule(number=NUMBERS)
    def walk(self, number: int) -> None:
        """Take the next step on the way that every settlement should go."""
        _, settlement = self.settlement(number)
        if not settlement.transactions:
            self.submit(number, 0, 1)
        elif settlement.settled is None:
            self.include(number, 0, "", "")
        else:
            self.settle(number, good=True)

    @rule(mode=st.sampled_from(["HALTED", "ACTIVE", "ACTIVE", "ACTIVE"]))
    def stop(self, mode: str) -> None:
        self.desk.change_mode(mode, actor="ada" if mode == "HALTED" else "bob")

    def settlement(self, number: int) -> tuple[UUID, OpenSettlement]:
        found = list(self.desk.book.settlements.items())
        return found[number % len(found)]

    @precondition(lambda self: self.desk.book.settlements)
    @rule(number=NUMBERS, ahead=st.sampled_from([0] * 8 + [-1, 1]), attempt=st.sampled_from([1] * 6 + [0, 2]))
    def submit(self, number: int, ahead: int, attempt: int) -> None:
        settlement_id, settlement = self.settlement(number)
        transaction = a_transaction(self.desk.book.onchain.nonces.get(SENDER, 0) + ahead, raw=f"0x{settlement_id.hex}")
        body = {"settlement_id": settlement_id, "attempt": settlement.attempt + attempt, "transaction": transaction}
        self.desk.do("settlement.submit", body)

    def transaction(self, number: int, settlement: OpenSettlement) -> Transaction | None:
        sent = settlement.transactions
        return sent[-1 - number % len(sent)] if sent else None

    @precondition(lambda self: self.desk.book.settlements)
    @rule(number=NUMBERS, which=st.sampled_from([0] * 5 + [1, 2]), errand=st.sampled_from(Errand), cheap=st.booleans())
    def replace(self, number: int, which: int, errand: Errand, cheap: bool) -> None:
        settlement_id, settlement = self.settlement(number)
        before = self.transaction(which, settlement)
        if before is None:
            return
        fees = before.fees if cheap else replacement_fees(before.fees, before.fees)
        wanted = a_transaction(before.nonce, errand, fees=fees, raw=before.raw)
        body = {"settlement_id": settlement_id, "replaced_hash": before.tx_hash, "transaction": wanted}
        self.desk.do("settlement.replace", body)

    @precondition(lambda self: self.desk.book.settlements)
    @rule(number=NUMBERS, which=st.integers(0, 3), error=ERRORS, fork=st.sampled_from(["", "b"]))
    def include(self, number: int, which: int, error: str, fork: str) -> None:
        """Let one of its transactions stand in a block; the contract takes an order once, and a cancel never fails."""
        settlement_id, settlement = self.settlement(number)
        transaction = self.transaction(which, settlement)
        if transaction is None:
            return
        others = [each for each in settlement.receipts if each.succeeded and not settlement.is_cancel(each.tx_hash)]
        taken = any(each.tx_hash != transaction.tx_hash for each in others)
        failed = transaction.errand is Errand.SETTLE and bool(error or taken)
        self.block += 1
        receipt = {
            "tx_hash": transaction.tx_hash,
            "block_number": self.block,
            "block_hash": block_hash(self.block, fork),
            "succeeded": not failed,
            "gas_used": 1,
            "gas_price_wei": 1,
            "error": (error or "InvalidNonce") if failed else "",
        }
        self.desk.do("settlement.include", {"settlement_id": settlement_id, "receipt": receipt})

    @precondition(lambda self: self.desk.book.settlements)
    @rule(number=NUMBERS)
    def reorg(self, number: int) -> None:
        settlement_id, settlement = self.settlement(number)
        for receipt in settlement.receipts[-1:]:
            body = {"settlement_id": settlement_id, "tx_hash": receipt.tx_hash, "block_hash": receipt.block_hash}
            self.desk.do("settlement.reorg", body)

    @precondition(lambda self: self.desk.book.settlements)
    @rule(number=NUMBERS, good=st.booleans())
    def settle(self, number: int, good: bool) -> None:
        settlement_id, settlement = self.settlement(number)
        settled = settlement.settled
        if not settlement.transactions and number:
            return
        if good:
            body: dict[str, Any] = {"reference": settled.tx_hash if settled is not None else "0x1"}
            self.desk.do("settlement.confirmed", {"settlement_id": settlement_id} | body)
        else:
            body = {"text": "dead", "transactions": len(settlement.transactions)}
            self.desk.do("settlement.reverted", {"settlement_id": settlement_id} | body)

    @rule(kind=st.sampled_from(["benefactor", "custodian"]), admitted=st.sampled_from([True, True, False]))
    def whitelist(self, kind: str, admitted: bool) -> None:
        self.block += 1
        party = BENEFACTOR if kind == "benefactor" else CUSTODIANS[1]
        self.desk.party(kind, party, admitted=admitted, block_number=self.block)

    @rule(weth=CAPS, usdt=CAPS, everything=CAPS, active=st.sampled_from([True] * 5 + [False]))
    def change_the_terms(self, weth: int, usdt: int, everything: int, active: bool) -> None:
        self.block += 1
        terms = some_terms(
            block_number=self.block,
            stables_delta_limit_bps=10_000,
            global_max_mint_per_block=everything * DOLLARS,
            global_max_redeem_per_block=everything * DOLLARS,
            weth=asset_terms(WETH, max_mint_per_block=weth * DOLLARS, max_redeem_per_block=weth * DOLLARS),
            usdt=asset_terms(USDT, max_mint_per_block=usdt * DOLLARS, active=active),
        )
        self.desk.observe(terms)

    def waiting(self, side: Side, asset: str = "") -> int:
        """Return the dollars of open requests of a side that no block has settled."""
        book = self.desk.book

        def settled(request: OpenRequest) -> bool:
            asked = book.settlements.get(request.settlement_id) if request.settlement_id else None
            return asked is not None and asked.settled is not None

        accepted = [each.accepted for each in book.requests.values() if not settled(each)]
        here = [each for each in accepted if each.side is side and asset in {"", each.collateral.asset}]
        return sum(each.issued.atoms for each in here)

    @invariant()
    def no_block_is_promised_twice(self) -> None:
        """All that an acceptance may share a block with fit into it, the margin for others left out."""
        news, self.checked = self.desk.events[self.checked :], len(self.desk.events)
        terms = self.desk.book.onchain.terms
        for event in news:
            if not isinstance(event, RequestAccepted) or terms is None:
                continue
            asset = event.collateral.asset
            own = next(each for each in terms.assets if each.address == (WETH if asset == "WETH" else USDT))
            mint = event.side is Side.MINT
            one = own.max_mint_per_block if mint else own.max_redeem_per_block
            every = terms.global_max_mint_per_block if mint else terms.global_max_redeem_per_block
            assert self.waiting(event.side, asset) * 10_000 <= one * 9_500
            assert self.waiting(event.side) * 10_000 <= every * 9_500

    @invariant()
    def what_is_reserved_is_what_waits(self) -> None:
        for side in Side:
            for asset in ("WETH", "USDT", ""):
                assert self.desk.book.reserve(side, asset) == self.waiting(side, asset)

    @invariant()
    def nonces_follow_each_other(self) -> None:
        nonces = [event.transaction.nonce for event in self.events(SettlementSubmitted)]
        assert nonces == list(range(len(nonces)))
        assert self.desk.book.onchain.nonces.get(SENDER, 0) == len(nonces)

    @invariant()
    def what_settled_was_permitted_and_settled_once(self) -> None:
        confirmed = self.events(SettlementConfirmed)
        assert len({event.settlement_id for event in confirmed}) == len(confirmed)
        permitted = self.events(SettlementSubmitted, SettlementReplaced)
        sent = {event.settlement_id for event in permitted}
        hashes = {(event.settlement_id, event.transaction.tx_hash) for event in permitted}
        for event in confirmed:
            assert event.settlement_id not in sent or (event.settlement_id, event.reference) in hashes

    @invariant()
    def a_route_is_whole(self) -> None:
        for event in self.events(SettlementSubmissionRequested):
            assert len(event.custodians) == len(event.ratios)
            assert sum(event.ratios) == (10_000 if event.custodians else 0)
            assert 0 not in event.ratios

    @invariant()
    def a_nonce_has_one_receipt_and_an_order_one_success(self) -> None:
        for settlement in self.desk.book.settlements.values():
            nonces = [found.nonce for each in settlement.receipts if (found := settlement.find(each.tx_hash))]
            assert len(nonces) == len(set(nonces)) == len(settlement.receipts)
            hashes = [each.tx_hash for each in settlement.transactions]
            assert len(hashes) == len(set(hashes))

    def teardown(self) -> None:
        """Fold the log again, event by event: the law holds after each of them."""
        if not hasattr(self, "desk"):
            return
        again = Handler(Book(), Head(1, 0, 0, GENESIS))
        for event in as_read(self.desk.stored, 1):
            decoded = decode_event(event.topic, event.state)
            again.replay(decoded, event.position, parse_rfc3339(EVENT_TIME))
            assert again.book.policy is None or imbalance(again.book, "ETH") == 0
        super().teardown()

    def end(self, number: int, settlement_id: UUID) -> None:
        """Let a settlement end as the chain would have it: what was sent is confirmed by its own hash only."""
        settlement = self.desk.book.settlements[settlement_id]
        if settlement.settled is not None:
            body = {"settlement_id": settlement_id, "reference": settlement.settled.tx_hash}
            self.desk.do("settlement.confirmed", body)
        elif settlement.transactions:
            body = {"settlement_id": settlement_id, "text": "", "transactions": len(settlement.transactions)}
            self.desk.do("settlement.reverted", body)
        else:
            super().end(number, settlement_id)


EVENT_TIME = "2026-01-01T00:00:00.000000Z"
TestSettlements = SettlementMachine.TestCase
TestSettlements.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def test_the_machine_can_lose() -> None:
    """Permit a nonce by hand that nobody asked for: the next one leaves a gap, and it shows."""
    machine = SettlementMachine()
    machine.open()
    machine.desk.accept(machine.desk.quote("100", pair="USDT/USDe"), nonce=1)
    machine.desk.book.onchain.nonces[SENDER] = 5
    machine.desk.submit()
    seen = [event.transaction.nonce for event in machine.events(SettlementSubmitted)]
    assert seen != list(range(len(seen)))
    assert Num(0) == imbalance(machine.desk.book, "ETH")
    assert isinstance(machine.desk, Desk)
