"""The mempool, with geth's rules and words: by nonce, gaps kept, replaced only by who pays at least 10% more on both.

A private transaction is in no answer of the public endpoints. A held one is mined only after a release.
"""

import heapq
from collections.abc import Callable, Iterator

import msgspec

from adapters.simulators.chain.refused import Refused
from adapters.simulators.chain.transactions import INITCODE_BYTES_MAX, Signed

BUMP_PERCENT = 10
TIP_WEI_MIN = 1
POOLED_MAX = 4_096
POOLED_OF_SENDER_MAX = 64
TAKEN_OF_BLOCK_MAX = 1_024


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what the pool must know of a sender at the head of the chain."""

    nonce: int
    balance: int


class Pool:
    """Hold transactions that wait. `account_of` answers at the head of the chain."""

    def __init__(self, chain_id: int, account_of: Callable[[bytes], Account]) -> None:
        self._chain_id = chain_id
        self._account_of = account_of
        self._of: dict[bytes, dict[int, Signed]] = {}
        self._by_hash: dict[bytes, Signed] = {}
        self._private: set[bytes] = set()
        self.held: set[bytes] = set()
        """Hashes, or senders' addresses, that wait whatever they pay."""

    def __len__(self) -> int:
        return len(self._by_hash)

    def __iter__(self) -> Iterator[Signed]:
        return iter(tuple(self._by_hash.values()))

    def get(self, tx_hash: bytes, *, private_too: bool = False) -> Signed | None:
        """Return a transaction that waits."""
        return self._by_hash.get(tx_hash) if private_too or tx_hash not in self._private else None

    def is_private(self, tx_hash: bytes) -> bool:
        """Say whether a transaction came by a private way."""
        return tx_hash in self._private

    def add(self, signed: Signed, *, gas_limit: int, private: bool = False) -> Signed | None:
        """Take a transaction; return the one that it replaces. Raise Refused in geth's words."""
        self._check_alone(signed, gas_limit)
        if signed.tx_hash in self._by_hash:
            raise Refused("already known")
        account = self._account_of(signed.sender)
        if signed.nonce < account.nonce:
            raise Refused(f"nonce too low: next nonce {account.nonce}, tx nonce {signed.nonce}")
        mine = self._of.get(signed.sender, {})
        replaced = mine.get(signed.nonce)
        spent = sum(each.cost_wei for each in mine.values() if each.nonce < signed.nonce)
        if account.balance < spent + signed.cost_wei:
            over = spent + signed.cost_wei - account.balance
            raise Refused(
                f"insufficient funds for gas * price + value: balance {account.balance}, "
                f"queued cost {spent}, tx cost {signed.cost_wei}, overshot {over}"
            )
        if replaced is not None and not _outbids(signed, replaced):
            raise Refused("replacement transaction underpriced")
        if replaced is None and (len(self) >= POOLED_MAX or len(mine) >= POOLED_OF_SENDER_MAX):
            raise Refused("txpool is full")
        if replaced is not None:
            self.remove(replaced.tx_hash)
        self._put(signed, private=private)
        return replaced

    def put_back(self, signed: Signed, *, private: bool = False, instead: bool = False) -> None:
        """Take a transaction again that was taken before; one in its place stays, or, with `instead`, goes."""
        there = self._of.get(signed.sender, {}).get(signed.nonce)
        if there is not None and instead:
            self.remove(there.tx_hash)
        if there is None or instead:
            self._put(signed, private=private)

    def remove(self, tx_hash: bytes) -> Signed | None:
        """Forget a transaction; return it if it was there."""
        signed = self._by_hash.pop(tx_hash, None)
        if signed is None:
            return None
        mine = self._of[signed.sender]
        del mine[signed.nonce]
        if not mine:
            del self._of[signed.sender]
        self._private.discard(tx_hash)
        self.held.discard(tx_hash)
        return signed

    def clear(self) -> list[Signed]:
        """Forget everything, and return it."""
        gone = list(self._by_hash.values())
        self._of.clear()
        self._by_hash.clear()
        self._private.clear()
        self.held.clear()
        return gone

    def settle(self, senders: Iterator[bytes]) -> list[Signed]:
        """Forget the transactions of these senders whose nonces are used up; return them."""
        stale: list[Signed] = []
        for sender in senders:
            nonce = self._account_of(sender).nonce
            stale.extend(each for each in self._of.get(sender, {}).values() if each.nonce < nonce)
        for each in stale:
            self.remove(each.tx_hash)
        return stale

    def next_nonce(self, sender: bytes, nonce: int, *, private_too: bool = False) -> int:
        """Return the first nonce from `nonce` on that no transaction here uses."""
        mine = self._of.get(sender, {})
        while (found := mine.get(nonce)) is not None and (private_too or found.tx_hash not in self._private):
            nonce += 1
        return nonce

    def candidates(self, base_fee_wei: int, only: frozenset[bytes] | None = None) -> Iterator[Signed]:
        """Yield what a block may have, the best payers first, each sender's in the order of nonces.

        `only` leaves everything else out. Whoever takes from this stops a sender's run at the first one that fails.
        """
        ready: list[tuple[int, bytes, Signed]] = []
        for sender in tuple(self._of):
            self._push(ready, sender, self._account_of(sender).nonce, base_fee_wei, only)
        for _ in range(TAKEN_OF_BLOCK_MAX):
            if not ready:
                return
            _, _, best = heapq.heappop(ready)
            yield best
            self._push(ready, best.sender, best.nonce + 1, base_fee_wei, only)

    def _push(
        self,
        ready: list[tuple[int, bytes, Signed]],
        sender: bytes,
        nonce: int,
        base_fee_wei: int,
        only: frozenset[bytes] | None,
    ) -> None:
        found = self._of.get(sender, {}).get(nonce)
        if found is None or found.max_fee < base_fee_wei:
            return
        if (only is not None and found.tx_hash not in only) or self.held & {found.tx_hash, sender}:
            return
        heapq.heappush(ready, (-found.tip_wei(base_fee_wei), found.tx_hash, found))

    def _put(self, signed: Signed, *, private: bool) -> None:
        self._of.setdefault(signed.sender, {})[signed.nonce] = signed
        self._by_hash[signed.tx_hash] = signed
        if private:
            self._private.add(signed.tx_hash)

    def _check_alone(self, signed: Signed, gas_limit: int) -> None:
        if signed.chain_id is None:
            raise Refused("only replay-protected (EIP-155) transactions allowed over RPC")
        if signed.chain_id != self._chain_id:
            raise Refused(f"invalid chain id for signer: have {signed.chain_id} want {self._chain_id}")
        if not signed.to and len(signed.data) > INITCODE_BYTES_MAX:
            raise Refused(f"max initcode size exceeded: code size {len(signed.data)}, limit {INITCODE_BYTES_MAX}")
        if signed.gas > gas_limit:
            raise Refused("exceeds block gas limit")
        if signed.priority_fee > signed.max_fee:
            raise Refused(
                "max priority fee per gas higher than max fee per gas: "
                f"maxPriorityFeePerGas: {signed.priority_fee}, maxFeePerGas: {signed.max_fee}"
            )
        if signed.gas < signed.intrinsic_gas:
            raise Refused(f"intrinsic gas too low: gas {signed.gas}, minimum needed {signed.intrinsic_gas}")
        if signed.priority_fee < TIP_WEI_MIN:
            raise Refused(f"transaction underpriced: gas tip cap {signed.priority_fee}, minimum needed {TIP_WEI_MIN}")


def _outbids(signed: Signed, replaced: Signed) -> bool:
    """Say whether a transaction pays enough more on both fees."""
    return all(
        after * 100 >= before * (100 + BUMP_PERCENT)
        for after, before in ((signed.max_fee, replaced.max_fee), (signed.priority_fee, replaced.priority_fee))
    )
