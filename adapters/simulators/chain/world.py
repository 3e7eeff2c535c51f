"""The EVM's side of the chain: accounts at a state root, calls against them, blocks made of transactions.

Nothing here knows which block is canonical, and nothing is forgotten here but what `forget_all_but` is told.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from adapters.simulators.chain.blocks import Block, Included, Log
from adapters.simulators.chain.evm import (
    AtomicDB,
    ChainContext,
    ConsensusContext,
    PragueBlockHeader,
    PragueVM,
    State,
    ValidationError,
    make_trie_root_and_nodes,
    rlp,
)
from adapters.simulators.chain.nodes import Nodes, reachable
from adapters.simulators.chain.transactions import Signed

COINBASE = bytes.fromhex("c0ffee254729296a45a3885639ac7e10f9d54979")
_State: Any = PragueVM.get_state_class()


class _DevelopmentState(_State):
    def set_system_contracts(self) -> None:
        """Leave the forks' system contracts out: nothing asks them, and every state would begin by writing them."""


class DevelopmentVM(PragueVM):
    """Be the Prague fork without its system contracts."""

    _state_class = _DevelopmentState


class BlockWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a block on a parent. `extra` makes it another block than one of the same contents."""

    parent: Block
    timestamp_s: int
    gas_limit: int
    base_fee_wei: int
    extra: bytes = b""


class World:
    """Hold the states of all blocks and run code on them."""

    def __init__(self, chain_id: int, nodes: Nodes) -> None:
        self.nodes = nodes
        self._database = AtomicDB(nodes)
        self._context = ChainContext(chain_id)

    def genesis(self, balances: Mapping[bytes, int], *, timestamp_s: int, gas_limit: int, base_fee_wei: int) -> Block:
        """Return block 0 with accounts that have balances."""
        header = PragueVM.create_genesis_header(
            timestamp=timestamp_s, gas_limit=gas_limit, base_fee_per_gas=base_fee_wei, coinbase=COINBASE
        )
        state = self._state(header, ())
        for address, balance in balances.items():
            state.set_balance(address, balance)
        state.persist()
        return _block(header.copy(state_root=state.state_root), ())

    def make(
        self, wanted: BlockWanted, hashes: Iterable[bytes], candidates: Callable[[int], Iterator[Signed]]
    ) -> tuple[Block, list[tuple[Signed, str]]]:
        """Return a block of those candidates that can be in it, and those that cannot, each with the reason.

        `candidates` gets the base fee. A sender whose transaction cannot be in it has none after that one. The reason
        is "" where there was only no room.
        """
        header = self._next_header(wanted)
        vm = DevelopmentVM(
            header=header,
            chaindb=_JustNodes(self._database),
            chain_context=self._context,
            consensus_context=ConsensusContext(self._database),
        )
        vm._state = self._state(header, hashes)  # noqa: SLF001 - what the VM would else build by asking for headers
        included: list[tuple[Signed, Any, int]] = []
        refused: list[tuple[Signed, str]] = []
        stopped: set[bytes] = set()
        for signed in candidates(header.base_fee_per_gas):
            if signed.sender in stopped:
                continue
            if header.gas_used + signed.gas > header.gas_limit:
                refused.append((signed, ""))
                stopped.add(signed.sender)
                continue
            before = header.gas_used
            try:
                receipt, _ = vm.apply_transaction(header, signed.evm)
            except ValidationError as error:  # nothing is changed before everything is checked
                refused.append((signed, str(error)))
                stopped.add(signed.sender)
                continue
            header = vm.add_receipt_to_header(header, receipt)
            included.append((signed, receipt, header.gas_used - before))
        vm.state.persist()
        transactions_root, _ = make_trie_root_and_nodes([signed.evm for signed, _, _ in included])
        receipts_root, _ = make_trie_root_and_nodes([receipt for _, receipt, _ in included])
        header = header.copy(
            state_root=vm.state.state_root, transaction_root=transactions_root, receipt_root=receipts_root
        )
        return _block(header, included), refused

    def base_fee_after(self, block: Block) -> int:
        """Return what EIP-1559 makes of a block's base fee."""
        header = DevelopmentVM.create_header_from_parent(_decoded(block), timestamp=block.timestamp_s + 1)
        return int(header.base_fee_per_gas)

    def view(self, block: Block, hashes: Iterable[bytes]) -> State:
        """Return the state after a block, in that block's circumstances, with gas that costs nothing."""
        header = _decoded(block).copy(base_fee_per_gas=0, state_root=block.root)
        return self._state(header, hashes)

    def changed(self, block: Block, change: Callable[[State], None]) -> Block:
        """Return the block with another state after it: what a node for development lets its administrator do."""
        state = self.view(block, ())
        change(state)
        state.persist()
        return msgspec.structs.replace(block, root=state.state_root)

    def forget_all_but(self, roots: Iterable[bytes]) -> None:
        """Drop what no given root leads to."""
        self.nodes.keep_only(reachable(self.nodes, roots))

    def _state(self, header: Any, hashes: Iterable[bytes]) -> State:
        return DevelopmentVM.build_state(self._database, header, self._context, hashes)

    def _next_header(self, wanted: BlockWanted) -> Any:
        parent = _decoded(wanted.parent)
        header = DevelopmentVM.create_header_from_parent(
            parent, timestamp=wanted.timestamp_s, coinbase=COINBASE, gas_limit=wanted.gas_limit, extra_data=wanted.extra
        )
        return header.copy(base_fee_per_gas=wanted.base_fee_wei, state_root=wanted.parent.root)


class _JustNodes:
    """Be the database that a VM asks for; the headers it could ask for are handed over otherwise."""

    def __init__(self, db: AtomicDB) -> None:
        self.db = db


def _decoded(block: Block) -> Any:
    return rlp.decode(block.header, sedes=PragueBlockHeader)


def _block(header: Any, included: Iterable[tuple[Signed, Any, int]]) -> Block:
    kept: list[Included] = []
    logs_before = 0
    for signed, receipt, gas_used in included:
        logs = tuple(
            Log(bytes(log.address), tuple(topic.to_bytes(32, "big") for topic in log.topics), bytes(log.data))
            for log in receipt.logs
        )
        kept.append(
            Included(
                signed.raw,
                signed.tx_hash,
                receipt.state_root == b"\x01",
                gas_used,
                receipt.gas_used,
                int(receipt.bloom).to_bytes(256, "big"),
                logs_before,
                logs,
            )
        )
        logs_before += len(logs)
    return Block(
        header.block_number,
        bytes(header.hash),
        bytes(header.parent_hash),
        header.timestamp,
        header.base_fee_per_gas,
        header.gas_used,
        header.gas_limit,
        bytes(header.state_root),
        int(header.bloom).to_bytes(256, "big"),
        rlp.encode(header),
        tuple(kept),
    )
