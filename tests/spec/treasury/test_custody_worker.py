"""The treasury's worker on a chain that does as it is told: each part is paid once, and nothing unrecorded is sent."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import msgspec

from api.chain.treasury import REFUSED_BLOCKS, Manager, TreasuryCalls
from api.replica import Replica
from commands.chain_ports import ChainReader
from commands.ports import Fenced
from domain.book import Book
from domain.refusal import Rejected, Unavailable
from domain.transaction import Block, Errand, Fees, Receipt, Transaction
from domain.treasury import CustodyFailed, CustodySubmitted, CustodyTransferred, Direction, ProposalCompleted
from domain.watch import AlertRaised
from tests.simulation.faults import Plan
from tests.simulation.loop import Process
from tests.simulation.ports import SimClock
from tests.simulation.sim import Sim
from tests.spec.settling.house import Lease, Logged
from tests.spec.treasury.test_treasury import ETHER, Treasurer
from tests.support.given import CUSTODIANS, GWEI, WETH, block_hash

MANAGER = "0x00000000000000000000000000000000000000aa"
BLOCK_S, LOOK_S, UNTIL_S = 6.0, 0.05, 3_000.0
FINALITY, STUCK = 3, 3
HALF = 21 * ETHER // 2


class Vault:
    """Be the chain, the manager's key, the inbox and the log between them; `play` a story about them."""

    def __init__(self, ether: str = "41") -> None:
        self.sim = Sim(Plan(seed=1))
        self.treasurer = Treasurer()
        self.desk = self.treasurer.desk
        self.number = 10
        self.nonces: dict[int, int] = {}
        self.used = 0
        self.receipts: dict[str, Receipt] = {}
        self.pool: dict[str, Transaction] = {}
        self.calls: dict[str, tuple[str, str, int]] = {}
        self.sent: list[Transaction] = []
        self.paid: list[tuple[str, str, int]] = []
        self.tried_out = self.lives = 0
        self.stuck = False
        self.frozen: int | None = None
        self.preflight_error = self.node_error = self.revert = ""
        self.lose: Callable[[str], bool] = lambda _kind: False
        self.lease = Lease()
        self.sender = MANAGER
        self.ended: BaseException | None = None
        self.process: Process | None = None
        self.treasurer.holds(ether)

    # The chain

    async def mine(self) -> None:
        while True:
            await asyncio.sleep(BLOCK_S)
            self.number += 1
            for each in [] if self.stuck else list(self.pool.values()):
                if each.nonce == self.used:
                    self._include(each)
            self.pool = {each.tx_hash: each for each in self.pool.values() if each.nonce >= self.used}
            self.nonces[self.number] = self.used

    def _include(self, transaction: Transaction) -> None:
        self.used += 1
        if not self.revert:
            self.paid.append(self.calls[transaction.tx_hash])
        self.receipts[transaction.tx_hash] = Receipt(
            tx_hash=transaction.tx_hash,
            block_number=self.number,
            block_hash=block_hash(self.number),
            succeeded=not self.revert,
            gas_used=50_000,
            gas_price_wei=GWEI,
            error=self.revert,
        )

    async def wait_head(self, after: Block | None) -> Block:
        while after is not None and after.number == self.number:  # noqa: ASYNC110 - time is virtual
            await asyncio.sleep(LOOK_S)
        here = block_hash(self.number)
        return Block(number=self.number, block_hash=here, parent_hash=block_hash(self.number - 1), timestamp_s=0)

    async def transaction_count(self, sender: str, number: int) -> int:
        assert sender == self.sender
        return max((used for block, used in self.nonces.items() if block <= number), default=0)

    async def receipt(self, tx_hash: str) -> Receipt | None:
        return self.receipts.get(tx_hash)

    def give_up(self) -> None:
        """Give up every block that is not final, and forget what they held."""
        final = self.number - FINALITY
        self.used = max((used for block, used in self.nonces.items() if block <= final), default=0)
        gone = [each for each in self.receipts.values() if each.block_number > self.number - FINALITY]
        for each in gone:
            del self.receipts[each.tx_hash]
            self.paid.remove(self.calls[each.tx_hash])
        self.nonces |= dict.fromkeys(range(self.number - FINALITY + 1, self.number + 1), self.used)

    # The key

    async def preflight(self, custodian: str, asset: str, amount: int) -> int:
        assert (asset, amount > 0, custodian in CUSTODIANS) == (WETH, True, True)
        self.tried_out += 1
        if self.preflight_error:
            raise Rejected(self.preflight_error, "execution reverted")
        return 150_000

    async def fees(self, tries: int) -> Fees:
        return Fees(max_fee_wei=(30 + tries) * GWEI, priority_fee_wei=GWEI)

    async def sign(
        self, custodian: str, asset: str, amount: int, *, nonce: int, gas_limit: int, fees: Fees
    ) -> Transaction:
        tx_hash = f"0x{len(self.calls):064x}"
        self.calls[tx_hash] = (custodian, asset, amount)
        return Transaction(
            errand=Errand.SETTLE,
            sender=MANAGER,
            nonce=nonce,
            tx_hash=tx_hash,
            raw="0x02",
            gas_limit=gas_limit,
            fees=fees,
        )

    async def broadcast(self, transaction: Transaction) -> None:
        assert transaction in self.submitted(), "it was not recorded"
        self.sent.append(transaction)
        if self.node_error:
            raise Rejected(self.node_error, "no")
        if transaction.nonce >= self.used:
            self.pool[transaction.tx_hash] = transaction

    # The inbox and the log

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        del source, natural_key
        await asyncio.sleep(LOOK_S)
        if not self.lose(kind):
            self.desk.do(kind, msgspec.Raw(body))
        return None

    async def _feed(self, replica: Replica) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._catch_up(replica)

    def _catch_up(self, replica: Replica) -> None:
        for at, event in enumerate(self.desk.stored[replica.position : self.frozen], replica.position + 1):
            replica.fold(Logged(at, event.topic, event.state, event.metadata))

    # Its life

    async def _work(self, _process: Process) -> None:
        replica = Replica(Book(), 0)
        self._catch_up(replica)
        reader = cast("ChainReader", self)
        manager = Manager(reader=reader, custody=self, finality_blocks=FINALITY, stuck_blocks=STUCK)
        worker = TreasuryCalls(replica, manager, self, SimClock(self.sim.loop), self.lease)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._feed(replica))
                tasks.create_task(worker.run())
        except Exception as error:
            self.ended = error
            raise

    def start(self) -> None:
        self.process = self.sim.loop.spawn("treasury", self.lives, self._work)
        self.lives += 1

    def kill(self) -> None:
        assert self.process is not None
        self.sim.loop.kill(self.process)

    def play(self, story: Callable[["Vault"], Coroutine[Any, Any, None]]) -> "Vault":
        async def main() -> None:
            mining = asyncio.create_task(self.mine())
            self.start()
            await story(self)
            mining.cancel()

        try:
            self.sim.loop.run_until_complete(main())
        finally:
            self.sim.loop.close()
        return self

    async def until(self, shown: Callable[[], object]) -> None:
        async with asyncio.timeout(UNTIL_S):
            while not shown():  # noqa: ASYNC110 - time is virtual
                await asyncio.sleep(LOOK_S)

    async def blocks(self, count: int) -> None:
        await asyncio.sleep(count * BLOCK_S)

    # What is seen

    def submitted(self) -> list[Transaction]:
        return [event.transaction for event in self.desk.events if isinstance(event, CustodySubmitted)]

    def happened(self, kind: type[Any]) -> int:
        return sum(isinstance(event, kind) for event in self.desk.events)

    def alerts(self) -> list[str]:
        return [event.text for event in self.desk.events if isinstance(event, AlertRaised)]

    def check(self) -> None:
        """Hold that each custodian has its part, once."""
        assert self.ended is None
        assert self.paid == [(custodian, WETH, HALF) for custodian in CUSTODIANS[:2]]
        assert self.desk.book.onchain.custody["WETH"] == dict.fromkeys(CUSTODIANS[:2], HALF)
        assert self.happened(CustodyTransferred) == 2
        assert self.happened(ProposalCompleted) == 1


async def completed(vault: Vault) -> None:
    await vault.until(lambda: vault.happened(ProposalCompleted))


def test_a_proposal_is_carried_out_part_by_part_each_final_before_the_next() -> None:
    async def story(vault: Vault) -> None:
        await vault.until(lambda: len(vault.submitted()) == 2)
        first = vault.receipts[vault.submitted()[0].tx_hash]
        assert vault.number >= first.block_number + FINALITY
        await completed(vault)

    vault = Vault().play(story)
    assert [each.nonce for each in vault.submitted()] == [0, 1]
    assert not vault.alerts()
    vault.check()


def test_nothing_is_sent_before_the_log_shows_it() -> None:
    async def story(vault: Vault) -> None:
        vault.frozen = len(vault.desk.stored)
        await vault.until(vault.submitted)
        await vault.blocks(5)
        assert not vault.sent
        vault.frozen = None
        await completed(vault)

    vault = Vault().play(story)
    assert len(vault.submitted()) == 2
    vault.check()


def test_a_crash_at_any_block_sends_the_recorded_bytes_again_and_no_others() -> None:
    async def story(vault: Vault) -> None:
        while not vault.happened(ProposalCompleted):
            await vault.blocks(1)
            vault.kill()
            vault.start()

    vault = Vault().play(story)
    assert len(vault.submitted()) == 2
    vault.check()


def test_what_is_stuck_is_outbid_at_its_nonce_and_paid_once() -> None:
    async def story(vault: Vault) -> None:
        vault.stuck = True
        await vault.until(lambda: len(vault.submitted()) == 3)
        vault.stuck = False
        await completed(vault)

    vault = Vault().play(story)
    first, second, third, *_ = vault.submitted()
    assert first.nonce == second.nonce == third.nonce == 0
    for before, after in ((first, second), (second, third)):
        assert after.fees.max_fee_wei * 10 >= before.fees.max_fee_wei * 11
        assert after.fees.priority_fee_wei * 10 >= before.fees.priority_fee_wei * 11
    vault.check()


def test_outbidding_has_an_end_and_then_a_person_is_told_once() -> None:
    async def story(vault: Vault) -> None:
        vault.stuck = True
        await vault.until(vault.alerts)
        await vault.blocks(3 * STUCK)

    vault = Vault().play(story)
    assert len(vault.submitted()) == 11
    (text,) = vault.alerts()
    assert "outbid as often as may be" in text


def test_what_the_contract_refuses_is_told_once_and_left_alone_for_a_while() -> None:
    async def story(vault: Vault) -> None:
        vault.preflight_error = "AccessControlUnauthorizedAccount"
        await vault.until(vault.alerts)
        await vault.blocks(REFUSED_BLOCKS - 5)
        assert vault.tried_out == 1
        await vault.blocks(REFUSED_BLOCKS)
        assert vault.tried_out == 2
        assert not vault.submitted()
        vault.preflight_error = ""
        await completed(vault)

    vault = Vault().play(story)
    (text,) = vault.alerts()
    assert "AccessControlUnauthorizedAccount" in text
    vault.check()


def test_a_call_that_fails_is_left_to_people() -> None:
    async def story(vault: Vault) -> None:
        vault.revert = "InvalidAmount"
        await vault.until(lambda: vault.happened(CustodyFailed))
        await vault.blocks(20)

    vault = Vault().play(story)
    assert len(vault.submitted()) == 1
    assert vault.treasurer.open(Direction.CUSTODY) == 21 * ETHER
    assert vault.paid == []


def test_a_nonce_that_somebody_else_used_fails_the_call() -> None:
    async def story(vault: Vault) -> None:
        vault.stuck = True
        await vault.until(lambda: vault.sent)
        vault.used += 1
        await asyncio.sleep((FINALITY + 0.5) * BLOCK_S)
        assert not vault.happened(CustodyFailed)  # it may yet be given up
        await vault.until(lambda: vault.happened(CustodyFailed))
        await vault.blocks(10)

    vault = Vault().play(story)
    assert len(vault.submitted()) == 1


def test_what_a_reorganisation_undid_is_sent_again_and_paid_once() -> None:
    async def story(vault: Vault) -> None:
        await vault.until(lambda: vault.receipts)
        await vault.blocks(1)
        assert not vault.happened(CustodyTransferred)
        vault.give_up()
        assert not vault.paid
        await completed(vault)

    vault = Vault().play(story)
    assert len(vault.submitted()) == 2
    assert vault.sent.count(vault.submitted()[0]) > 1
    vault.check()


def test_no_nonce_is_taken_while_somebody_else_s_use_of_the_key_is_not_final() -> None:
    async def story(vault: Vault) -> None:
        vault.desk.change_mode("HALTED")
        vault.used += 1
        await vault.blocks(1)
        vault.desk.change_mode("ACTIVE", actor="bob")
        await completed(vault)

    vault = Vault().play(story)
    assert [each.nonce for each in vault.submitted()] == [1, 2]
    vault.check()


def test_without_the_lease_nothing_is_sent_again() -> None:
    async def story(vault: Vault) -> None:
        vault.stuck = True
        await vault.until(lambda: vault.sent)
        vault.lease.lost = True
        before = len(vault.sent)
        await vault.until(lambda: vault.ended)
        assert len(vault.sent) == before

    Vault().play(story)


def test_facts_that_are_lost_are_told_again() -> None:
    lost: set[str] = set()

    async def story(vault: Vault) -> None:
        vault.lose = lambda kind: kind not in lost and not lost.add(kind)
        await completed(vault)

    vault = Vault().play(story)
    assert lost == {"treasury.submit", "treasury.include"}
    vault.check()


def test_a_halted_book_signs_nothing() -> None:
    async def story(vault: Vault) -> None:
        vault.desk.change_mode("HALTED")
        await vault.blocks(5)
        assert not vault.calls
        vault.desk.change_mode("ACTIVE", actor="bob")
        await completed(vault)

    Vault().play(story).check()


def test_a_sender_that_cannot_pay_needs_a_person() -> None:
    async def story(vault: Vault) -> None:
        vault.node_error = "INSUFFICIENT_FUNDS"
        await vault.until(vault.alerts)
        vault.node_error = ""
        await completed(vault)

    vault = Vault().play(story)
    (text,) = vault.alerts()
    assert "cannot pay" in text
    vault.check()


def test_a_call_of_another_key_is_not_touched() -> None:
    async def story(vault: Vault) -> None:
        vault.stuck = True
        await vault.until(lambda: vault.sent)
        vault.kill()
        before = len(vault.sent)
        vault.sender = "0x00000000000000000000000000000000000000bb"
        vault.start()
        await vault.until(vault.alerts)
        assert len(vault.sent) == before

    (text,) = Vault().play(story).alerts()
    assert "whose key is not this worker's" in text


def test_without_the_lease_nothing_is_signed() -> None:
    async def story(vault: Vault) -> None:
        vault.lease.lost = True
        await vault.until(lambda: vault.ended)

    vault = Vault().play(story)
    assert not vault.calls
    assert isinstance(vault.ended, BaseExceptionGroup)
    assert vault.ended.subgroup(Fenced) is not None


def test_a_chain_that_is_away_is_waited_for() -> None:
    async def story(vault: Vault) -> None:
        plain, failures = vault.fees, [Unavailable("fees_above_bound"), Unavailable("no endpoint")]

        async def fees(tries: int) -> Fees:
            if failures:
                raise failures.pop()
            return await plain(tries)

        vault.fees = fees
        await completed(vault)

    Vault().play(story).check()
