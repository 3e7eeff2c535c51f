"""The tries' nodes and the contracts' codes by hash, all in memory, with what was written since it was last asked."""

from collections.abc import Iterable, Iterator
from typing import Any

from adapters.simulators.chain.evm import BLANK_ROOT_HASH, EMPTY_SHA3, Account, MemoryDB, rlp

HASH_BYTES = 32
BRANCH_ITEMS = 17
PAIR_ITEMS = 2
LEAF_FLAG = 0x20


class Nodes(MemoryDB):
    """Hold nodes by hash; `written` are those that came since `take_written`."""

    def __init__(self, kept: dict[bytes, bytes] | None = None) -> None:
        super().__init__({} if kept is None else kept)
        self.written: dict[bytes, bytes] = {}

    def __setitem__(self, key: bytes, value: bytes) -> None:
        """Keep a node."""
        if self.kv_store.get(key) != value:
            self.kv_store[key] = value
            self.written[key] = value

    def take_written(self) -> dict[bytes, bytes]:
        """Return what was written since the last time."""
        written, self.written = self.written, {}
        return written

    def keep_only(self, keys: Iterable[bytes]) -> None:
        """Drop every other node."""
        self.kv_store = {key: self.kv_store[key] for key in keys if key in self.kv_store}


def reachable(nodes: Nodes, roots: Iterable[bytes]) -> set[bytes]:
    """Return the hashes of every node and code that state roots lead to."""
    seen: set[bytes] = set()
    for root in roots:
        for leaf in _leaves(nodes, root, seen):
            account: Any = rlp.decode(leaf, sedes=Account)
            if account.code_hash != EMPTY_SHA3:
                seen.add(bytes(account.code_hash))
            for _ in _leaves(nodes, bytes(account.storage_root), seen):
                pass
    return seen


def _leaves(nodes: Nodes, root: bytes, seen: set[bytes]) -> Iterator[bytes]:
    """Yield the values of a trie's leaves that were not seen before; a subtree seen before is left out."""
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, bytes):
            if len(node) != HASH_BYTES or node in seen or node == BLANK_ROOT_HASH:
                continue
            seen.add(node)
            node = rlp.decode(nodes[node])
        if len(node) == BRANCH_ITEMS:
            waiting.extend(node[:16])
        elif len(node) == PAIR_ITEMS and not node[0][0] & LEAF_FLAG:
            waiting.append(node[1])
        elif len(node) == PAIR_ITEMS:
            yield node[1]
