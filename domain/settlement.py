"""Settlements: the transactions that move collateral and issued dollars, and what became of them.

A settlement is tried by attempts, each at a nonce of its own; within an attempt transactions replace each other, one of
which at most is included. The minting contract takes an order once, so of all attempts at most one succeeds.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.quantity import Amount
from domain.quote import Side
from domain.transaction import Errand, Receipt, Transaction

# The contract said no to this block, not to the order: the same call may be tried in a later one.
TRANSIENT_ERRORS = frozenset(
    {
        "MaxMintPerBlockExceeded",
        "MaxRedeemPerBlockExceeded",
        "GlobalMaxMintPerBlockExceeded",
        "GlobalMaxRedeemPerBlockExceeded",
    }
)


@catalogued
class SettlementSubmissionRequested(Event, frozen=True, kw_only=True, tag="settlement.submission_requested.v2"):
    """The book means to settle a request on chain; a mint's collateral goes to `custodians` by `ratios` (bps)."""

    settlement_id: UUID
    request_id: UUID
    side: Side
    collateral: Amount
    issued: Amount
    custodians: tuple[str, ...] = ()
    ratios: tuple[int, ...] = ()

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


@catalogued
class SettlementSubmitted(Event, frozen=True, kw_only=True, tag="settlement.submitted.v1"):
    """A transaction was permitted: from here on it may be sent, as often as it takes."""

    settlement_id: UUID
    request_id: UUID
    attempt: int
    transaction: Transaction

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


@catalogued
class SettlementReplaced(Event, frozen=True, kw_only=True, tag="settlement.replaced.v1"):
    """Another transaction at the same nonce may be sent; whichever is included counts."""

    settlement_id: UUID
    request_id: UUID
    replaced_hash: str
    transaction: Transaction

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


@catalogued
class SettlementIncluded(Event, frozen=True, kw_only=True, tag="settlement.included.v1"):
    """A transaction stands in a block, which may yet be given up."""

    settlement_id: UUID
    request_id: UUID
    receipt: Receipt

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


@catalogued
class SettlementReorged(Event, frozen=True, kw_only=True, tag="settlement.reorged.v1"):
    """The block in which a transaction stood was given up: it is as if it was only submitted."""

    settlement_id: UUID
    request_id: UUID
    tx_hash: str
    block_hash: str
    block_number: int

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


@catalogued
class SettlementCancelRequested(Event, frozen=True, kw_only=True, tag="settlement.cancel_requested.v1"):
    """The order may no longer be settled, but a transaction is under way: its nonce is to be used up by nothing."""

    settlement_id: UUID
    request_id: UUID
    text: str

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


@catalogued
class SettlementConfirmed(Event, frozen=True, kw_only=True, tag="settlement.confirmed.v1"):
    """A settlement is final: collateral and issued dollars have moved."""

    settlement_id: UUID
    request_id: UUID
    side: Side
    collateral: Amount
    issued: Amount
    reference: str  # the transaction's hash

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


@catalogued
class SettlementReverted(Event, frozen=True, kw_only=True, tag="settlement.reverted.v1"):
    """A settlement surely did not happen and will not."""

    settlement_id: UUID
    request_id: UUID
    text: str

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


class OpenSettlement(msgspec.Struct, frozen=True, gc=False):
    """Hold a settlement whose outcome is open: every transaction permitted, in order, and the receipts that stand.

    There is at most one receipt for a nonce. `cancelling`: nothing but a cancel may be sent any more.
    """

    requested: SettlementSubmissionRequested
    attempt: int = 0
    transactions: tuple[Transaction, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    cancelling: bool = False

    @property
    def live(self) -> tuple[Transaction, ...]:
        """Return the transactions of the last attempt: the first one, then what replaced it."""
        return self.at_nonce(self._nonce) if self.transactions else ()

    @property
    def included(self) -> Receipt | None:
        """Return the receipt that counts: of the call that succeeded, else what the last attempt's nonce came to."""
        if self.settled is not None:
            return self.settled
        return self.receipt_at(self._nonce) if self.transactions else None

    @property
    def settled(self) -> Receipt | None:
        """Return the receipt of the call that succeeded, if one stands."""
        return next((each for each in self.receipts if each.succeeded and not self.is_cancel(each.tx_hash)), None)

    @property
    def _nonce(self) -> int:
        """Return the last attempt's nonce: an earlier one may have been replaced since, when it was open again."""
        return max(each.nonce for each in self.transactions)

    def at_nonce(self, nonce: int) -> tuple[Transaction, ...]:
        """Return the transactions at one nonce, in order."""
        return tuple(each for each in self.transactions if each.nonce == nonce)

    def find(self, tx_hash: str) -> Transaction | None:
        """Return a transaction of this settlement by its hash."""
        return next((each for each in self.transactions if each.tx_hash == tx_hash), None)

    def receipt_at(self, nonce: int) -> Receipt | None:
        """Return the receipt that stands at a nonce."""
        hashes = {each.tx_hash for each in self.at_nonce(nonce)}
        return next((each for each in self.receipts if each.tx_hash in hashes), None)

    def is_cancel(self, tx_hash: str) -> bool:
        """Say whether a transaction of this settlement does nothing but use up its nonce."""
        found = self.find(tx_hash)
        return found is not None and found.errand is Errand.CANCEL

    @property
    def retryable(self) -> bool:
        """Say whether the last attempt came to an end that lets the same order be tried again."""
        if not self.transactions:
            return True
        receipt = self.receipt_at(self._nonce)
        return receipt is not None and not receipt.succeeded and receipt.error in TRANSIENT_ERRORS


Moved = SettlementSubmitted | SettlementReplaced | SettlementIncluded | SettlementReorged | SettlementCancelRequested


def _sent(before: OpenSettlement, event: SettlementSubmitted | SettlementReplaced) -> OpenSettlement:
    attempt = event.attempt if isinstance(event, SettlementSubmitted) else before.attempt
    return msgspec.structs.replace(before, attempt=attempt, transactions=(*before.transactions, event.transaction))


def _included(before: OpenSettlement, event: SettlementIncluded) -> OpenSettlement:
    return msgspec.structs.replace(before, receipts=(*before.receipts, event.receipt))


def _reorged(before: OpenSettlement, event: SettlementReorged) -> OpenSettlement:
    gone = (event.tx_hash, event.block_hash)
    kept = tuple(each for each in before.receipts if (each.tx_hash, each.block_hash) != gone)
    return msgspec.structs.replace(before, receipts=kept)


def _cancelling(before: OpenSettlement, _event: SettlementCancelRequested) -> OpenSettlement:
    return msgspec.structs.replace(before, cancelling=True)


FOLDS: dict[type[Event], Callable[[OpenSettlement, Any], OpenSettlement]] = {
    SettlementSubmitted: _sent,
    SettlementReplaced: _sent,
    SettlementIncluded: _included,
    SettlementReorged: _reorged,
    SettlementCancelRequested: _cancelling,
}
"""How each event of an open settlement is folded."""
