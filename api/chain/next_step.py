"""What to do about a settlement with transactions, from what the Book holds of it and what the chain shows now. Pure.

1. What the Book holds and the chain no longer does is taken back first (`Reorged`), then what is new is told
   (`Included`).
2. A settlement ends only when every nonce of its transactions was used up in a block that is deep enough: so a nonce is
   never left open behind it, and nothing of it can happen afterwards.
3. While a nonce is open its newest transaction is kept alive: it is sent again, outbid when stuck, and made to do
   nothing (`Errand.CANCEL`) when its order may not or cannot be settled any more.
"""

from collections.abc import Iterable, Mapping

import msgspec

from api.chain.sight import Sight
from domain.instant import SECOND_US
from domain.settlement import TRANSIENT_ERRORS, OpenSettlement
from domain.transaction import Block, Errand, Receipt, Transaction


class Found(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what was looked up for one settlement: receipts by hash, and blocks by the number of a receipt held."""

    receipts: Mapping[str, Receipt]
    blocks: Mapping[int, Block]


class Bounds(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bound what is tried: attempts of a settlement, replacements of one nonce, blocks until one counts as stuck."""

    attempts_max: int
    replacements_max: int
    stuck_blocks: int
    expiry_margin_us: int


class Included(msgspec.Struct, frozen=True, gc=False):
    """Tell that a transaction stands in a block."""

    receipt: Receipt


class Reorged(msgspec.Struct, frozen=True, gc=False):
    """Tell that the block of a receipt was given up."""

    receipt: Receipt


class Confirmed(msgspec.Struct, frozen=True, gc=False):
    """Tell that the settlement is final."""

    reference: str


class Reverted(msgspec.Struct, frozen=True, gc=False):
    """Tell that the settlement surely did not happen and will not; `by_others`: only a missing receipt tells."""

    text: str
    by_others: bool = False


class TryAgain(msgspec.Struct, frozen=True, gc=False):
    """Submit the same order once more, at the next nonce."""


class Replace(msgspec.Struct, frozen=True, gc=False):
    """Outbid the newest transaction, or make it do nothing."""

    errand: Errand
    text: str


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Do nothing about it until the next block; `stuck` says that its bound of replacements is used up."""

    stuck: bool = False


Verdict = Included | Reorged | Confirmed | Reverted | TryAgain | Replace | Wait


def judge(
    settlement: OpenSettlement, sight: Sight, found: Found, bounds: Bounds, *, expiry_us: int, waited_blocks: int
) -> Verdict:
    """Return what to do; `waited_blocks` says for how many the newest transaction was seen open."""
    gone = next((each for each in settlement.receipts if _given_up(each, found)), None)
    if gone is not None:
        return Reorged(gone)
    new = next((each for each in found.receipts.values() if _is_news(settlement, each)), None)
    if new is not None:
        return Included(new)
    nonces = {each.nonce for each in settlement.transactions}
    if all(_is_final(settlement, nonce, sight, found) for nonce in nonces):
        return _ended(settlement, sight, bounds, expiry_us)
    newest = settlement.transactions[-1]
    receipt = settlement.receipt_at(newest.nonce)
    if receipt is None:
        return _kept_going(settlement, newest, sight, bounds, expiry_us=expiry_us, waited_blocks=waited_blocks)
    return TryAgain() if _may_try_again(settlement, sight, bounds, expiry_us) else Wait()


def _given_up(receipt: Receipt, found: Found) -> bool:
    """Say whether another block stands where a receipt's did; that there is none proves nothing: a node may lag."""
    block = found.blocks.get(receipt.block_number)
    return block is not None and block.block_hash != receipt.block_hash


def _is_news(settlement: OpenSettlement, receipt: Receipt) -> bool:
    transaction = settlement.find(receipt.tx_hash)
    return transaction is not None and settlement.receipt_at(transaction.nonce) is None


def _is_final(settlement: OpenSettlement, nonce: int, sight: Sight, found: Found) -> bool:
    """Say whether a nonce is used up for good: by a transaction of ours that is deep enough, or by somebody else's."""
    receipt = settlement.receipt_at(nonce)
    if receipt is not None:
        return receipt.block_number <= sight.final and receipt.block_number in found.blocks
    return nonce < sight.used_finally


def _ended(settlement: OpenSettlement, sight: Sight, bounds: Bounds, expiry_us: int) -> Verdict:
    if settlement.settled is not None:
        return Confirmed(settlement.settled.tx_hash)
    if _may_try_again(settlement, sight, bounds, expiry_us):
        return TryAgain()
    receipt = settlement.receipt_at(settlement.transactions[-1].nonce)
    if receipt is None:
        nonce = settlement.transactions[-1].nonce
        return Reverted(f"nonce_taken: nonce {nonce} was used by a transaction that is not the book's", by_others=True)
    if settlement.is_cancel(receipt.tx_hash):
        return Reverted(f"{'revoked' if settlement.cancelling else 'order_expired'}: cancelled by {receipt.tx_hash}")
    return Reverted(f"{receipt.error or 'REVERTED'}: {receipt.tx_hash} failed")


def _may_try_again(settlement: OpenSettlement, sight: Sight, bounds: Bounds, expiry_us: int) -> bool:
    """Say whether the contract refused only the block, and the order lives long enough for another."""
    receipt = settlement.receipt_at(settlement.transactions[-1].nonce)
    return (
        receipt is not None
        and not receipt.succeeded
        and receipt.error in TRANSIENT_ERRORS
        and settlement.settled is None
        and not settlement.cancelling
        and settlement.attempt < bounds.attempts_max
        and sight.head.timestamp_s * SECOND_US < expiry_us - bounds.expiry_margin_us
    )


def _kept_going(
    settlement: OpenSettlement, newest: Transaction, sight: Sight, bounds: Bounds, *, expiry_us: int, waited_blocks: int
) -> Verdict:
    now_us, errand = sight.head.timestamp_s * SECOND_US, newest.errand
    if errand is Errand.SETTLE and settlement.cancelling:
        return Replace(Errand.CANCEL, "its order may not be settled any more")
    if errand is Errand.SETTLE and now_us > expiry_us:
        return Replace(Errand.CANCEL, "its order has expired")
    if newest.nonce != sight.used or waited_blocks < bounds.stuck_blocks:
        return Wait()  # an earlier nonce is what holds it up, or it has not waited long
    tries = outbid(settlement, newest)
    if errand is Errand.SETTLE and (tries >= bounds.replacements_max or now_us >= expiry_us - bounds.expiry_margin_us):
        return Replace(Errand.CANCEL, f"it was outbid {tries} times and is not included, or expires soon")
    if tries >= bounds.replacements_max:
        return Wait(stuck=True)
    return Replace(errand, f"not included for {waited_blocks} blocks")


def outbid(settlement: OpenSettlement, newest: Transaction) -> int:
    """Return how many replacements of the newest transaction's errand its nonce had already."""
    return sum(each.errand is newest.errand for each in settlement.at_nonce(newest.nonce)[1:])


def unsent(settlement: OpenSettlement, used: int) -> Iterable[Transaction]:
    """Yield the newest transaction of each nonce that nothing is known to have used up: what should be on its way."""
    newest = {each.nonce: each for each in settlement.transactions}
    for nonce in sorted(newest):
        if nonce >= used and settlement.receipt_at(nonce) is None:
            yield newest[nonce]
