"""The chain itself: what is on its head, what waits, and what happens when an administrator turns it back.

Not for several threads: whoever holds it calls it from one. Changes are in the journal before anyone is told of them.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from adapters.simulators.chain.blocks import Block
from adapters.simulators.chain.evm import State, ValidationError
from adapters.simulators.chain.history import History
from adapters.simulators.chain.journal import Forgotten, Headed, HeldNow, Journal, Kept, Made, Pooled, Record
from adapters.simulators.chain.nodes import Nodes
from adapters.simulators.chain.pool import Account, Pool
from adapters.simulators.chain.refused import INVALID_PARAMS, Refused
from adapters.simulators.chain.transactions import Signed, decode
from adapters.simulators.chain.world import BlockWanted, World

BLOCKS_KEPT = 65_536
STATES_KEPT = 1_024
REORG_DEPTH_MAX = 256
VIEWS_KEPT = 8
NODES_GROWN_MAX = 100_000
JOURNAL_GROWN_BYTES_MAX = 64 << 20
SALT_BYTES = 8


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Say what chain it is. The clock gives seconds."""

    chain_id: int
    balances: Mapping[bytes, int]
    gas_limit: int
    base_fee_wei: int
    base_fee_wei_min: int
    clock_s: Callable[[], int] = lambda: int(time.time())


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """Tell what became of the head: blocks that are no longer canonical, newest first, and those that now are."""

    removed: tuple[Block, ...] = ()
    added: tuple[Block, ...] = ()


class Chain:
    """Hold the history, the pool and the states."""

    def __init__(self, terms: Terms, journal_file: Path | None = None, begin: Kept | None = None) -> None:
        self.terms = terms
        self.on_changed: Callable[[Changed], None] = lambda _: None
        self.on_pooled: Callable[[Signed], None] = lambda _: None
        self.base_fee_wei_next: int | None = None
        self.history = History()
        self.pool = Pool(terms.chain_id, lambda address: self.account(address, self.history.head))
        self._nodes = Nodes()
        self._world = World(terms.chain_id, self._nodes)
        self._views: dict[tuple[bytes, bytes], State] = {}
        self._nodes_live = self._bytes_live = 0
        self._journal: Journal | None = None
        self._remember(journal_file, begin)

    def base_fee_after(self, block: Block) -> int:
        """Return the base fee of the block that would follow one."""
        if self.base_fee_wei_next is not None and block.block_hash == self.history.head.block_hash:
            return self.base_fee_wei_next
        return max(self._world.base_fee_after(block), self.terms.base_fee_wei_min)

    def view(self, block: Block) -> State:
        """Return the state after a block, to be looked at and left as it is. Raise Refused when it is forgotten."""
        if block.number + STATES_KEPT <= self.history.head.number:
            raise Refused(f"required historical state unavailable (block {block.number})")
        key = (block.block_hash, block.root)
        found = self._views.pop(key, None) or self._world.view(block, self.history.hashes(block))
        self._views[key] = found
        while len(self._views) > VIEWS_KEPT:
            del self._views[next(iter(self._views))]
        return found

    def account(self, address: bytes, block: Block) -> Account:
        """Return an account's nonce and balance after a block."""
        state = self.view(block)
        return Account(nonce=state.get_nonce(address), balance=state.get_balance(address))

    def send(self, raw: bytes, *, private: bool = False) -> Signed:
        """Take a signed transaction into the pool. Raise Refused when it is not to be taken."""
        signed = decode(raw)
        self.pool.add(signed, gas_limit=self.terms.gas_limit, private=private)
        self._note(Pooled(raw, private), promise=False)
        if not private:
            self.on_pooled(signed)
        return signed

    def mine(self, timestamp_s: int | None = None) -> Block:
        """Make a block of what waits."""
        block = self._make(timestamp_s, None, b"")
        self.on_changed(Changed(added=(block,)))
        return block

    def reorg(self, depth: int, blocks: int, include: Iterable[bytes] | None, drop: Iterable[bytes]) -> list[Block]:
        """Put `blocks` new ones in the place of the last `depth`; return them.

        The transactions of those go back to the pool, but for `drop`, which are forgotten. `include` are the only ones
        that the new blocks may have; None leaves it to the pool.
        """
        head = self.history.head
        most = min(REORG_DEPTH_MAX, head.number - self.history.first.number)
        if not 0 < depth <= most or blocks < 1:
            raise Refused(f"depth is 1 to {most}, blocks at least 1", code=INVALID_PARAMS)
        ancestor = self.history.block(head.number - depth)
        assert ancestor is not None  # noqa: S101 - the depth was checked
        removed = self._set_head(ancestor)
        self.forget(drop)
        only = None if include is None else frozenset(include)
        added = tuple(self._make(None, only, head.block_hash[:SALT_BYTES]) for _ in range(blocks))
        self.on_changed(Changed(removed=removed, added=added))
        return list(added)

    def switch(self, block_hash: bytes) -> Block:
        """Make a known block the head, whichever side it is on."""
        wanted = self.history.known(block_hash)
        if wanted is None:
            raise Refused("no such block is known", code=INVALID_PARAMS)
        _, added = self.history.branch(wanted)
        removed = self._set_head(wanted)
        self.on_changed(Changed(removed=removed, added=tuple(added)))
        return wanted

    def forget(self, hashes: Iterable[bytes] | None) -> list[Signed]:
        """Let the pool forget transactions, or, for None, everything; return them."""
        if hashes is None:
            gone = self.pool.clear()
        else:
            gone = [each for tx_hash in hashes if (each := self.pool.remove(tx_hash)) is not None]
        if gone:
            self._note(Forgotten(tuple(each.tx_hash for each in gone)), promise=True)
        return gone

    def hold(self, name: bytes, *, held: bool) -> None:
        """Hold a transaction (by hash) or a sender (by address), or let it go."""
        if held:
            self.pool.held.add(name)
        else:
            self.pool.held.discard(name)
        self._note(HeldNow(tuple(sorted(self.pool.held))), promise=True)

    def change(self, change: Callable[[State], None]) -> None:
        """Change the state after the head, as an administrator of a development chain may."""
        try:
            block = self._world.changed(self.history.head, change)
        except ValidationError as error:
            raise Refused(str(error), code=INVALID_PARAMS) from error
        self.history.replace_head(block)
        self._note(Made(block, self._nodes.take_written()), promise=True)

    def kept(self) -> Kept:
        """Return everything as it stands."""
        pooled = tuple((each.raw, self.pool.is_private(each.tx_hash)) for each in self.pool)
        blocks = tuple(self.history.newest(BLOCKS_KEPT))
        nodes = dict(self._nodes.kv_store)
        return Kept(self.terms.chain_id, blocks, nodes, pooled, tuple(sorted(self.pool.held)))

    def close(self) -> None:
        """Close the journal; idempotent."""
        if self._journal is not None:
            self._journal.close()

    def _make(self, timestamp_s: int | None, only: frozenset[bytes] | None, extra: bytes) -> Block:
        parent = self.history.head
        if timestamp_s is not None and timestamp_s <= parent.timestamp_s:
            raise Refused(f"timestamp {timestamp_s} is not after the parent's, {parent.timestamp_s}")
        wanted = BlockWanted(
            parent=parent,
            timestamp_s=max(self.terms.clock_s(), parent.timestamp_s + 1) if timestamp_s is None else timestamp_s,
            gas_limit=self.terms.gas_limit,
            base_fee_wei=self.base_fee_after(parent),
            extra=extra,
        )
        self.base_fee_wei_next = None
        hashes = self.history.hashes(parent)
        block, refused = self._world.make(wanted, hashes, lambda fee: self.pool.candidates(fee, only))
        self._append(block)
        self._note(Made(block, self._nodes.take_written()), promise=True)
        self.forget([signed.tx_hash for signed, reason in refused if reason])
        self._compact()
        return block

    def _append(self, block: Block) -> None:
        self.history.append(block)
        for included in block.included:
            self.pool.remove(included.tx_hash)
        self.pool.settle(each.signed.sender for each in block.included)

    def _set_head(self, wanted: Block) -> tuple[Block, ...]:
        """Make a known block the head; return the blocks that are no longer canonical, newest first."""
        ancestor, path = self.history.branch(wanted)
        removed = self.history.cut(ancestor)
        for block in reversed(removed):
            for included in block.included:
                self.pool.put_back(included.signed)
        for block in path:
            self._append(block)
        self._note(Headed(wanted.block_hash), promise=True)
        return removed

    def _note(self, record: Record, *, promise: bool) -> None:
        if self._journal is not None:
            self._journal.append(record, promise=promise)

    def _compact(self) -> None:
        """Forget old blocks and states, and what the journal has of them, when enough has come since the last time."""
        grown = len(self._nodes) - self._nodes_live > NODES_GROWN_MAX
        size = 0 if self._journal is None else self._journal.size
        if len(self.history) <= 2 * BLOCKS_KEPT and not grown and size - self._bytes_live < JOURNAL_GROWN_BYTES_MAX:
            return
        self.compact()

    def compact(self) -> None:
        """Forget old blocks, those that are not canonical, and states that no block needs; begin the journal anew."""
        self.history.forget_all_but(BLOCKS_KEPT)
        self._views.clear()
        self._world.forget_all_but(block.root for block in self.history.newest(STATES_KEPT))
        self._nodes_live = len(self._nodes)
        if self._journal is not None:
            self._journal.rewrite(self.kept())
            self._bytes_live = self._journal.size

    def _remember(self, file: Path | None, begin: Kept | None) -> None:
        """Begin, or go on where the journal ends."""
        for record in () if file is None else Journal.read(file):
            self._recall(record)
        if not len(self.history) and begin is not None:
            self._recall(begin)
        if not len(self.history):
            terms = self.terms
            begun = terms.clock_s()
            genesis = self._world.genesis(
                terms.balances, timestamp_s=begun, gas_limit=terms.gas_limit, base_fee_wei=terms.base_fee_wei
            )
            self.history.append(genesis)
        self._nodes.take_written()
        if file is not None:
            self._journal = Journal(file)
            if self._journal.size == 0:
                self._journal.rewrite(self.kept())

    def _recall(self, record: Record) -> None:
        match record:
            case Kept():
                self._recall_all(record)
            case Made():
                self._nodes.kv_store.update(record.nodes)
                if record.block.block_hash == self.history.head.block_hash:
                    self.history.replace_head(record.block)
                else:
                    self._append(record.block)
            case Headed():
                known = self.history.known(record.block_hash)
                assert known is not None, "a block that was the head is in the journal"  # noqa: S101 - the file's checksum holds
                self._set_head(known)
            case Pooled():
                self.pool.put_back(decode(record.raw), private=record.private, instead=True)
            case Forgotten():
                for tx_hash in record.hashes:
                    self.pool.remove(tx_hash)
            case HeldNow():
                self.pool.held = set(record.held)

    def _recall_all(self, record: Kept) -> None:
        """Be what was kept. Raise ValueError when that is another chain."""
        if record.chain_id != self.terms.chain_id:
            raise ValueError(f"the journal is of chain {record.chain_id}, not {self.terms.chain_id}")
        self._nodes.kv_store.update(record.nodes)
        self.history = History()
        for block in record.blocks:
            self.history.append(block)
        for raw, private in record.pooled:
            self.pool.put_back(decode(raw), private=private)
        self.pool.held = set(record.held)
