"""The blocks: which are canonical, which are known beside them, and where transactions are included."""

from collections.abc import Iterator, Sequence

from adapters.simulators.chain.blocks import Block, Included
from adapters.simulators.chain.refused import INVALID_PARAMS, Refused

HASHES_MAX = 256


class History:
    """Hold blocks. The canonical ones have no gap between them."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._known: dict[bytes, Block] = {}
        self._places: dict[bytes, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def head(self) -> Block:
        """Return the newest canonical block."""
        return self._blocks[-1]

    @property
    def first(self) -> Block:
        """Return the oldest canonical block that is kept."""
        return self._blocks[0]

    def block(self, number: int) -> Block | None:
        """Return a canonical block by its number."""
        at = number - self.first.number
        return self._blocks[at] if 0 <= at < len(self._blocks) else None

    def known(self, block_hash: bytes) -> Block | None:
        """Return a block by its hash, canonical or not."""
        return self._known.get(block_hash)

    def is_canonical(self, block: Block) -> bool:
        """Say whether a block is on the chain."""
        found = self.block(block.number)
        return found is not None and found.block_hash == block.block_hash

    def place(self, tx_hash: bytes) -> tuple[Block, Included] | None:
        """Return where a transaction is included."""
        place = self._places.get(tx_hash)
        block = None if place is None else self.block(place[0])
        return None if place is None or block is None else (block, block.included[place[1]])

    def newest(self, count: int) -> Sequence[Block]:
        """Return the newest canonical blocks, oldest first."""
        return self._blocks[-count:]

    def hashes(self, block: Block) -> Iterator[bytes]:
        """Yield the hashes of a block and its ancestors, as the BLOCKHASH instruction may ask."""
        at: Block | None = block
        for _ in range(HASHES_MAX):
            if at is None:
                return
            yield at.block_hash
            at = self._known.get(at.parent_hash)

    def append(self, block: Block) -> None:
        """Put a block on the head."""
        self._blocks.append(block)
        self._known[block.block_hash] = block
        for index, included in enumerate(block.included):
            self._places[included.tx_hash] = (block.number, index)

    def replace_head(self, block: Block) -> None:
        """Put the same block with another state after it in the head's place."""
        self._blocks[-1] = self._known[block.block_hash] = block

    def branch(self, block: Block) -> tuple[Block, list[Block]]:
        """Return the canonical block that a known one descends from, and the blocks from there to it, oldest first."""
        path: list[Block] = []
        at = block
        while not self.is_canonical(at):
            path.append(at)
            parent = self._known.get(at.parent_hash)
            if parent is None:
                raise Refused("that block's ancestors are forgotten", code=INVALID_PARAMS)
            at = parent
        return at, path[::-1]

    def cut(self, ancestor: Block) -> tuple[Block, ...]:
        """Take what is above a canonical block off the chain; return it, newest first."""
        removed: list[Block] = []
        while self.head.number > ancestor.number:
            removed.append(self._blocks.pop())
        for block in removed:
            for included in block.included:
                self._places.pop(included.tx_hash, None)
        return tuple(removed)

    def forget_all_but(self, count: int) -> None:
        """Forget all but the newest canonical blocks."""
        for block in self._blocks[:-count]:
            for included in block.included:
                self._places.pop(included.tx_hash, None)
        del self._blocks[:-count]
        self._known = {block.block_hash: block for block in self._blocks}
