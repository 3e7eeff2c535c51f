"""Laws of the supply: whatever is told in whatever order, no dollar counts twice and none is missed.

A chain with blocks that may be given up, settlements that are sent, replaced, included, told and confirmed at any
moment, others who mint and burn, and counts that are taken at final blocks and told whenever they come through.
"""

import random
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.context import Context
from commands.supply import ObserveSupply, observe_supply
from domain.backing import backing
from domain.ids import natural_id
from domain.quantity import to_units
from domain.quote import Side
from domain.refusal import Reason, Refusal
from domain.request import RequestCompleted, RequestSettlementFailed, Stage
from domain.settlement import (
    OpenSettlement,
    SettlementConfirmed,
    SettlementIncluded,
    SettlementReorged,
    SettlementReplaced,
    SettlementReverted,
    SettlementSubmitted,
)
from domain.transaction import Errand, Receipt, Transaction
from tests.support.given import DOLLARS, SENDER, a_transaction, block_hash
from tests.support.worlds import Worlds

FINALITY = 2
BEGUN = 10


class Block(msgspec.Struct, frozen=True):
    """What a block holds: our transactions, in order, whether each did what it was for, and what others minted."""

    fork: int
    ours: tuple[tuple[Transaction, bool], ...] = ()
    others: int = 0


class World(Worlds):
    """A chain, and a log that hears of it."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [Block(0)] * BEGUN
        self.moves: dict[str, int] = {}  # what each call mints, or burns, by its hash
        self.orders: dict[str, UUID] = {}  # and whose order it is
        self.highest = BEGUN  # so many blocks there ever were at once
        self.nonce = 0
        self.forks = 0
        self.others = 0
        self.readings: list[ObserveSupply] = []

    # The chain

    @property
    def final(self) -> int:
        return len(self.blocks) - 1 - FINALITY

    def own(self, last: int) -> int:
        """Return what our calls moved up to a block."""
        return sum(
            self.moves[sent.tx_hash]
            for block in self.blocks[: last + 1]
            for sent, done in block.ours
            if done and sent.errand is Errand.SETTLE
        )

    def foreign(self, last: int) -> int:
        return sum(block.others for block in self.blocks[: last + 1])

    def used(self, last: int) -> int:
        return sum(len(block.ours) for block in self.blocks[: last + 1])

    def mine(self, most: int, fails: int, newest: int) -> None:
        """Make a block of so many of what is pending; `fails` and `newest` choose whose call fails, which is taken."""
        taken: list[tuple[Transaction, bool]] = []
        for number in range(most):
            nonce = self.used(len(self.blocks) - 1) + len(taken)
            pending = [
                each
                for settlement in self.book.settlements.values()
                for each in settlement.transactions
                if each.nonce == nonce
            ]
            if not pending:
                break
            chosen = pending[newest % len(pending)]
            taken.append((chosen, self.works(chosen, taken) and (fails >> number) & 1 == 0))
        others, self.others = self.others, 0
        self.blocks.append(Block(self.forks, tuple(taken), others))
        self.highest = max(self.highest, len(self.blocks))

    def works(self, chosen: Transaction, beside: list[tuple[Transaction, bool]]) -> bool:
        """Say whether a call may succeed: the contract takes an order once."""
        before = [*(each for block in self.blocks for each in block.ours), *beside]
        order = self.orders[chosen.tx_hash]
        return all(
            not done or sent.errand is Errand.CANCEL or self.orders[sent.tx_hash] != order for sent, done in before
        )

    def give_up(self, depth: int) -> None:
        """Forget blocks that are not final; the log hears of it before anything else of them is final."""
        depth = min(depth, len(self.blocks) - (self.highest - FINALITY))
        if not depth:
            return
        self.others += sum(block.others for block in self.blocks[-depth:])
        del self.blocks[-depth:]
        self.forks += 1
        for settlement in list(self.book.settlements.values()):
            for receipt in settlement.receipts:
                if receipt.block_number >= len(self.blocks):
                    named = _named(settlement)
                    gone = SettlementReorged(
                        **named,
                        tx_hash=receipt.tx_hash,
                        block_hash=receipt.block_hash,
                        block_number=receipt.block_number,
                    )
                    self.tell(gone)

    # The log

    def begin(self, units: int, *, mint: bool) -> None:
        settlement_id = self.settling(
            self.request(Side.MINT if mint else Side.REDEEM, "USDT", units * 10**6, units * DOLLARS, "USDT/USDe")
        )
        self.send(self.book.settlements[settlement_id])

    def send(self, settlement: OpenSettlement) -> None:
        asked, sign = settlement.requested, 1 if settlement.requested.side is Side.MINT else -1
        sent = a_transaction(self.nonce)
        self.nonce += 1
        self.moves[sent.tx_hash], self.orders[sent.tx_hash] = sign * asked.issued.atoms, asked.settlement_id
        self.tell(SettlementSubmitted(**_named(settlement), attempt=settlement.attempt + 1, transaction=sent))

    def replace(self, settlement: OpenSettlement, *, cancel: bool) -> None:
        before = settlement.transactions[-1]
        if settlement.receipt_at(before.nonce) is not None:
            return
        errand = Errand.CANCEL if cancel else before.errand
        sent = a_transaction(before.nonce, errand, gwei=30 + len(settlement.transactions))
        self.moves[sent.tx_hash] = self.moves[before.tx_hash]
        self.orders[sent.tx_hash] = self.orders[before.tx_hash]
        self.tell(SettlementReplaced(**_named(settlement), replaced_hash=before.tx_hash, transaction=sent))

    def hear(self, settlement: OpenSettlement) -> None:
        """Let the log be told where the next transaction of a settlement stands; of one that may be, try again."""
        for number, block in enumerate(self.blocks):
            for sent, done in block.ours:
                if settlement.find(sent.tx_hash) is not None and settlement.receipt_at(sent.nonce) is None:
                    receipt = _receipt(sent, number, block.fork, done=done)
                    self.tell(SettlementIncluded(**_named(settlement), receipt=receipt))
                    return
        if settlement.settled is None and settlement.retryable:
            self.send(settlement)

    def end(self, settlement: OpenSettlement) -> None:
        """Let the log be told of an end once every nonce is used up for good."""
        asked = settlement.requested
        receipts = [settlement.receipt_at(each.nonce) for each in settlement.transactions]
        if any(receipt is None or receipt.block_number > self.final for receipt in receipts):
            return
        if settlement.settled is None:
            self.tell(SettlementReverted(**_named(settlement), text="no"))
            self.tell(RequestSettlementFailed(**_named(settlement), pair="USDT/USDe", text="no"))
            return
        names = ("settlement_id", "request_id", "side", "collateral", "issued")
        terms = {name: getattr(asked, name) for name in names}
        self.tell(SettlementConfirmed(**terms, reference=settlement.settled.tx_hash))
        self.tell(RequestCompleted(**_named(settlement)))

    def read_total(self, back: int) -> None:
        """Read the total at a final block."""
        number = max(self.final - back, 0)
        total = self.own(number) + self.foreign(number)
        self.readings.append(
            ObserveSupply(
                total=total,
                block_number=number,
                block_hash=block_hash(number),
                counts={SENDER: self.used(number)},
                observed_at_us=self.at_us,
            )
        )

    def told(self, at: int) -> bool:
        """Let one of the counts that were read come through; say whether it was recorded."""
        reading = self.readings[at % len(self.readings)]
        context = Context(command_id=natural_id("count", str(at)), actor="chain", at_us=self.at_us)
        found = observe_supply(self.book, reading, context)
        if isinstance(found, Refusal):
            assert found.reason is Reason.SETTLEMENT_WAITS
            return False
        for event in found:
            self.tell(event)
        return bool(found)

    # The laws

    def check(self) -> None:
        supply, book = self.book.supply, self.book
        observed = supply.observed
        if observed is not None:
            assert supply.difference == self.foreign(observed.block_number)
        assert all(number > supply.floor for number in supply.moved)
        included = {
            sent.tx_hash: self.moves[sent.tx_hash]
            for block in self.blocks
            for sent, done in block.ours
            if done and sent.errand is Errand.SETTLE
        }
        under_way = sum(
            included.get(each.tx_hash, 0)
            for settlement in book.settlements.values()
            for each in settlement.transactions
        )
        truth = self.own(len(self.blocks)) + supply.difference
        counted = book.issued + supply.difference
        assert counted + under_way == truth  # what is in no count is a flow of its own, and the other way round
        mints = sum(
            request.accepted.issued.atoms
            for request in book.requests.values()
            if request.accepted.side is Side.MINT and request.stage is not Stage.SETTLED
        )
        assert counted + mints >= truth
        assert backing(book).supply == to_units(counted, 18)


def _named(settlement: OpenSettlement) -> dict[str, UUID]:
    asked = settlement.requested
    return {"settlement_id": asked.settlement_id, "request_id": asked.request_id}


def _receipt(sent: Transaction, number: int, fork: int, *, done: bool) -> Receipt:
    return Receipt(
        tx_hash=sent.tx_hash,
        block_number=number,
        block_hash=block_hash(number, f"{fork % 10}"),
        succeeded=done,
        gas_used=1,
        gas_price_wei=1,
        error="" if done else "MaxMintPerBlockExceeded",
    )


STEPS = (
    *("begin", "begin", "mine", "mine", "mine", "hear", "hear", "hear", "end", "end", "count", "count", "tell", "tell"),
    *("replace", "give up", "others"),
)
STEPS_COUNT = 120


def take(world: World, step: str, first: int, second: int) -> None:
    open_ones = list(world.book.settlements.values())
    chosen = open_ones[first % len(open_ones)] if open_ones else None
    match step:
        case "begin":
            world.begin(100 + first, mint=second % 3 > 0)
        case "mine":
            world.mine(first % 4, second & first, second)
        case "others":
            world.others += (first - 3) * DOLLARS
        case "give up":
            world.give_up(first % (FINALITY + 1))
        case "count":
            world.read_total(second % 3)
        case "tell" if world.readings:
            world.told(-1 - first % 4)
        case "hear" if chosen is not None:
            world.hear(chosen)
        case "end" if chosen is not None:
            world.end(chosen)
        case "replace" if chosen is not None:
            world.replace(chosen, cancel=second % 2 == 0)
        case _:
            pass


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_no_dollar_counts_twice_and_none_is_missed(seed: int):
    chance = random.Random(seed)
    world = World()
    world.others = 100_000 * DOLLARS  # so that what is burned is there
    world.mine(0, 0, 0)
    for _ in range(STEPS_COUNT):
        take(world, chance.choice(STEPS), chance.randrange(12), chance.randrange(8))
        world.check()
    # Everything is told in the end: then the log and the chain say the same.
    for _ in range(200):
        open_ones = list(world.book.settlements.values())
        if not open_ones:
            break
        for settlement in open_ones:
            world.hear(settlement)
        world.mine(4, 0, 0)
        for settlement in list(world.book.settlements.values()):
            world.end(settlement)
        world.check()
    for _ in range(2 * FINALITY + 1):
        world.mine(0, 0, 0)
    world.at_us += 3_600 * 1_000_000
    world.read_total(0)
    assert world.told(len(world.readings) - 1)
    world.check()
    total = world.own(len(world.blocks)) + world.foreign(len(world.blocks))
    assert backing(world.book).supply == to_units(total, 18)
