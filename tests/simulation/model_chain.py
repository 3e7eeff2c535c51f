"""A small model of Ethereum and the minting contract: blocks by the virtual clock, a mempool, nonces, fees and reorgs.

`ModelChain` holds the truth. Every block keeps the state after it, so that giving blocks up is forgetting them. Nothing
deeper than `FINALITY` is ever given up. What the contract checks, it checks in the contract's own order.
"""

import hashlib
from collections.abc import Callable, Iterable

import msgspec

from commands.chain_ports import View
from domain.onchain import ContractTerms, PartyChange, PartyKind
from domain.refusal import Rejected
from domain.transaction import REPLACEMENT_BUMP_PERCENT, Block, Errand, Fees, Receipt, Transaction
from tests.simulation.loop import SimFuture
from tests.simulation.model_contract import (
    CAP_PER_BLOCK,
    SENDER,
    SYMBOLS,
    State,
    read_raw,
    refuse,
    settled_by,
    terms_at,
    with_parties,
)
from tests.simulation.sim import Sim
from tests.support.given import START_US

BLOCK_US = 1_500_000
FINALITY = 3
GENESIS_BLOCKS = 2 * FINALITY
CUSTODIANS = ("0x00000000000000000000000000000000000000c1", "0x00000000000000000000000000000000000000c2")
CHEAP_WEI, DEAR_WEI = (10, 10), (25, 45)
DEAR_BLOCKS = (3, 16)
IGNORED_BLOCKS = (1, 45)
REVOKED_BLOCKS = (1, 6)
NEVER = 10**9
OUTAGE_US = (500_000, 8_000_000)

SITES = (
    "block.reorged",
    "block.reorged_back",
    "block.forgot",
    "block.dear",
    "block.ignored",
    "block.capped",
    "block.reverted",
    "block.foreign",
    "contract.revoked",
    "rpc.unreadable",
)


class Mined(msgspec.Struct, frozen=True):
    """One block, what is in it, and the state after it."""

    block: Block
    state: State
    included: tuple[Transaction, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    logs: tuple[PartyChange, ...] = ()


class ModelChain:
    """The chain itself."""

    def __init__(self, sim: Sim, benefactors: Iterable[str]) -> None:
        self.sim = sim
        self.benefactors = tuple(benefactors)
        self.blocks: list[Mined] = []
        self.pool: dict[int, Transaction] = {}
        self.on_broadcast: list[Callable[[Transaction], None]] = []
        self.on_moved: list[Callable[[], None]] = []
        self.waiting: list[SimFuture] = []
        self._forks = 0
        self._given_up: list[Mined] = []
        self._away_until_us = -1
        self._dear_until = -1
        self._ignored_until = -1
        self._dear_wei = DEAR_WEI[0]
        self._revoked: dict[str, int] = {}
        self._ordered: list[tuple[PartyKind, str, bool]] = []
        self.wanted: set[str] = set()
        self.foreign: list[tuple[int, int]] = []
        self.views: dict[View, int] = {}
        self.cap_per_block = CAP_PER_BLOCK
        parties = [(PartyKind.BENEFACTOR, each) for each in self.benefactors]
        parties += [(PartyKind.CUSTODIAN, each) for each in CUSTODIANS]
        parties += [(PartyKind.ASSET, each) for each in SYMBOLS]
        self._append(State(), 0, [(kind, party, True) for kind, party in parties])
        for number in range(1, GENESIS_BLOCKS):
            self._append(self.state, number, [])

    def start(self) -> None:
        """Mine from now on."""
        self.sim.loop.after_us(BLOCK_US, self._tick)

    @property
    def away(self) -> bool:
        """Say whether no endpoint answers now."""
        return self.sim.loop.now_us < self._away_until_us and not self.sim.faults.healed

    @property
    def head(self) -> Mined:
        """The newest block."""
        return self.blocks[-1]

    @property
    def state(self) -> State:
        """The state at the head."""
        return self.head.state

    @property
    def custody(self) -> dict[str, int]:
        """What custody holds at the head, atoms by symbol."""
        return self.state.custody

    @property
    def supply(self) -> int:
        """Dollars out at the head."""
        return self.state.supply

    @property
    def final(self) -> Mined:
        """The newest block that is never given up."""
        return self.blocks[-1 - FINALITY]

    # Blocks

    def _tick(self) -> None:
        faults, number = self.sim.faults, len(self.blocks)
        self.sim.loop.after_us(BLOCK_US, self._tick)
        # Trouble is made where it can be felt: of blocks with nothing of ours in them nobody learns anything.
        ours = any(mined.included or mined.logs for mined in self.blocks[1 - FINALITY :])
        reorged = ours and faults.hit("block.reorged")
        back = bool(self._given_up) and faults.hit("block.reorged_back")
        depth = faults.between("block.depth", 1, FINALITY - 1)
        if self.pool and faults.hit("block.forgot"):
            self.sim.note("chain", "mempool forgotten", len(self.pool))
            self.pool.clear()
        if back:
            self._switch_back()
        elif reorged:
            self._give_up(depth)
            for _ in range(depth):
                self._mine(empty=faults.between("block.empty", 0, 2) > 0)
        else:
            self._given_up = []
        if faults.hit("rpc.unreadable"):
            self._away_until_us = self.sim.loop.now_us + faults.between("rpc.unreadable_for", *OUTAGE_US)
        if self.pool and faults.hit("block.dear"):
            self._dear_until = number + faults.between("block.dear_for", *DEAR_BLOCKS)
            self._dear_wei = faults.between("block.dear_wei", *DEAR_WEI)
        self._mine(empty=False)
        self._announce()

    def _give_up(self, depth: int) -> None:
        """Give blocks up; their transactions are pending again, unless something newer has their nonce."""
        self._given_up, self.blocks = self.blocks[-depth:], self.blocks[:-depth]
        self._forks += 1
        self.sim.note("chain", "gave up", depth, "blocks from", self._given_up[0].block.number)
        self._pend(self._given_up)

    def _pend(self, lost: Iterable[Mined]) -> None:
        for mined in lost:
            for transaction in mined.included:
                self.pool.setdefault(transaction.nonce, transaction)
        for told in self.on_moved:
            told()

    def _switch_back(self) -> None:
        """Let the blocks that were given up last be the chain again, if that gives up nothing final."""
        first = self._given_up[0].block.number
        if len(self.blocks) - first >= FINALITY:
            return
        others, self.blocks = self.blocks[first:], [*self.blocks[:first], *self._given_up]
        self.sim.note("chain", "is back at", self.head.block.block_hash[:10])
        self._pend(others)
        self._given_up = []
        while len(self.blocks) <= others[-1].block.number:
            self._mine(empty=True)

    def _mine(self, *, empty: bool) -> None:
        faults, number = self.sim.faults, len(self.blocks)
        due = self.state.nonces.get(SENDER, 0) in self.pool
        capped, reverted, foreign = (due and self._befalls(name) for name in ("capped", "reverted", "foreign"))
        if due and faults.hit("block.ignored"):
            self._ignored_until = number + faults.between("block.ignored_for", *IGNORED_BLOCKS)
        ignored = number < self._ignored_until and not faults.healed
        state, changes = self.state, list(self._revocations(number))
        timestamp_s = (START_US + self.sim.loop.now_us) // 1_000_000
        state = with_parties(state, changes)
        included: list[Transaction] = []
        receipts: list[Receipt] = []
        if foreign:  # somebody else has our key
            state = _spent(state, SENDER)
            self.sim.note("chain", "our key was used by somebody else")
        base = self._base_fee(number)
        while not (empty or ignored):
            transaction = self.pool.get(state.nonces.get(SENDER, 0))
            if transaction is None or transaction.fees.max_fee_wei < base:
                break
            error = "" if transaction.errand is Errand.CANCEL else self.refusal(state, transaction, timestamp_s)
            if not error and transaction.errand is Errand.SETTLE:
                mint = read_raw(transaction).order.order_type == "MINT"
                error = "GlobalMaxMintPerBlockExceeded" if capped and mint else "InvalidRoute" if reverted else ""
            state = _spent(state, SENDER)
            if not error and transaction.errand is Errand.SETTLE:
                state = settled_by(state, read_raw(transaction).order)
            included.append(transaction)
            receipts.append(_receipt(transaction, number, error, base))
        self._append(state, number, changes, included, receipts, timestamp_s=timestamp_s, base=base)
        used = self.state.nonces.get(SENDER, 0)
        self.pool = {nonce: each for nonce, each in self.pool.items() if nonce >= used}
        for transaction, receipt in zip(included, self.head.receipts, strict=True):
            self.sim.note("chain", f"block {number}", transaction.errand, transaction.nonce, receipt.error or "done")

    def _befalls(self, name: str) -> bool:
        """Say whether a fault befalls this block: by chance, or because a test wants it to."""
        hit, wanted = self.sim.faults.hit(f"block.{name}"), name in self.wanted
        self.wanted.discard(name)
        return hit or wanted

    # What a test may want of it

    def ignore(self, blocks: int) -> None:
        """Take none of our transactions into so many blocks."""
        self._ignored_until = len(self.blocks) + blocks

    def reorg(self, depth: int, *, empty: bool) -> None:
        """Give blocks up for others, one more of them."""
        self._give_up(depth)
        for _ in range(depth + 1):
            self._mine(empty=empty)
        self._announce()

    def come_back(self) -> None:
        """Let the blocks given up last be the chain again."""
        self._switch_back()
        self._mine(empty=True)
        self._announce()

    def outage(self, seconds: int) -> None:
        """Answer nobody for a while."""
        self._away_until_us = self.sim.loop.now_us + seconds * 1_000_000

    def mint_by_others(self, atoms: int) -> None:
        """Let somebody else mint issued dollars in the newest block, or burn them: no reorganisation takes it back."""
        self.foreign.append((self.head.block.number, atoms))

    def foreign_supply(self, number: int) -> int:
        """Return what others minted up to a block."""
        return sum(atoms for at, atoms in self.foreign if at <= number)

    def order(self, kind: PartyKind, party: str, *, admitted: bool) -> None:
        """Admit or remove somebody in the next block."""
        self._ordered.append((kind, party, admitted))

    def revoke(self, benefactor: str) -> None:
        """Remove a benefactor in the next block, for good."""
        self._revoked[benefactor] = NEVER
        self._ordered.append((PartyKind.BENEFACTOR, benefactor, False))

    def _append(
        self,
        state: State,
        number: int,
        changes: list[tuple[PartyKind, str, bool]],
        included: Iterable[Transaction] = (),
        receipts: Iterable[Receipt] = (),
        *,
        timestamp_s: int = START_US // 1_000_000 - 100,
        base: int = CHEAP_WEI[0],
    ) -> None:
        parent = self.head.block.block_hash if self.blocks else "0x"
        hashes = " ".join(each.tx_hash for each in included)
        block_hash = "0x" + hashlib.sha256(f"{parent} {number} {self._forks} {hashes}".encode()).hexdigest()
        block = Block(
            number=number, block_hash=block_hash, parent_hash=parent, timestamp_s=timestamp_s, base_fee_wei=base
        )
        logs = tuple(
            PartyChange(
                kind=kind,
                party=party,
                owner="",
                admitted=admitted,
                block_number=number,
                block_hash=block_hash,
                tx_hash=f"0xlog{number}",
                log_index=index,
            )
            for index, (kind, party, admitted) in enumerate(changes)
        )
        here = tuple(msgspec.structs.replace(each, block_hash=block_hash) for each in receipts)
        self.blocks.append(Mined(block, with_parties(state, changes), tuple(included), here, logs))
        if included:
            for told in self.on_moved:
                told()

    def _base_fee(self, number: int) -> int:
        dear = number < self._dear_until and not self.sim.faults.healed
        return self._dear_wei if dear else CHEAP_WEI[0]

    def _revocations(self, number: int) -> Iterable[tuple[PartyKind, str, bool]]:
        """Yield who loses his place in this block, and who has it again."""
        faults = self.sim.faults
        hit, chosen = (
            faults.hit("contract.revoked"),
            faults.between("contract.revoked_whom", 0, len(self.benefactors) - 1),
        )
        until = number + faults.between("contract.revoked_for", *REVOKED_BLOCKS)
        who = self.benefactors[chosen]
        ordered, self._ordered = self._ordered, []
        yield from ordered
        admitted = {each for each in self.benefactors if f"benefactor|{each}" in self.state.parties}
        if hit and who in admitted:
            self._revoked[who] = until
            self.sim.note("chain", "revoked", who)
            yield (PartyKind.BENEFACTOR, who, False)
        for each in self.benefactors:
            again = self._revoked.get(each, 0)
            if each not in admitted and (again <= number or (faults.healed and again != NEVER)):
                yield (PartyKind.BENEFACTOR, each, True)

    def _announce(self) -> None:
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            self.sim.settle(future)

    # The contract

    def refusal(self, state: State, transaction: Transaction, timestamp_s: int) -> str:
        """Return the error with which the contract would refuse a call; empty when it would not."""
        call = read_raw(transaction)
        return refuse(state, call.order, call.route, timestamp_s)

    def terms(self, mined: Mined) -> ContractTerms:
        """Return the contract's parameters at a block."""
        return terms_at(mined.block, mined.state, self.cap_per_block)

    # The node

    def take(self, transaction: Transaction) -> Rejected | None:
        """Take a raw transaction that has arrived, as a node does; return why not."""
        for told in self.on_broadcast:
            told(transaction)
        if self.receipt(transaction.tx_hash) is not None:
            return None
        if transaction.nonce < self.state.nonces.get(transaction.sender, 0):
            return Rejected("NONCE_TOO_LOW", "nonce too low")
        before = self.pool.get(transaction.nonce)
        if before is not None and before.tx_hash != transaction.tx_hash and not _outbids(transaction.fees, before.fees):
            return Rejected("REPLACEMENT_UNDERPRICED", "replacement transaction underpriced")
        self.pool[transaction.nonce] = transaction
        return None

    def receipt(self, tx_hash: str) -> Receipt | None:
        """Return a transaction's receipt in the chain as it is."""
        for mined in reversed(self.blocks):
            for receipt in mined.receipts:
                if receipt.tx_hash == tx_hash:
                    return receipt
        return None


def _outbids(new: Fees, old: Fees) -> bool:
    pairs = ((old.max_fee_wei, new.max_fee_wei), (old.priority_fee_wei, new.priority_fee_wei))
    return all(fee * 100 >= paid * (100 + REPLACEMENT_BUMP_PERCENT) for paid, fee in pairs)


def _spent(state: State, sender: str) -> State:
    return msgspec.structs.replace(state, nonces={**state.nonces, sender: state.nonces.get(sender, 0) + 1})


def _receipt(transaction: Transaction, number: int, error: str, base: int) -> Receipt:
    return Receipt(
        tx_hash=transaction.tx_hash,
        block_number=number,
        block_hash="",
        succeeded=not error,
        gas_used=21_000,
        gas_price_wei=base,
        error=error,
    )
