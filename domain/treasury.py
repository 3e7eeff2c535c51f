"""The treasury of the contract: proposals to bring what it holds back into its band, and what came of them.

The contract pays custodians only for its collateral manager, on mainnet a multisig: people carry a proposal out, and
that they did is observed on chain. Where the role is held by a key of ours, the proposal is carried out by calls, one
after the other, each recorded before it is sent.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.onchain import RATIO_SUM, OnChain, put_in_custody
from domain.quantity import Amount
from domain.transaction import Receipt, Transaction


class Direction(StrEnum):
    """Say which way collateral should move."""

    TOPUP = "topup"  # from the funder into the contract
    CUSTODY = "custody"  # from the contract to custodians


@catalogued
class TopupProposed(Event, frozen=True, kw_only=True, tag="treasury.topup_proposed.v1"):
    """The contract holds too little to pay redeems from: `funder` should send `amount` of `token` to `contract`.

    `hot` is what the contract held, `owed` what of it accepted redemptions will take. An empty funder: whoever can.
    """

    proposal_id: UUID
    amount: Amount
    hot: Amount
    owed: Amount
    funder: str
    token: str
    contract: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the stream of this collateral."""
        return treasury_id(self.amount.asset)


@catalogued
class CustodyProposed(Event, frozen=True, kw_only=True, tag="treasury.custody_proposed.v1"):
    """The contract holds more than it needs: `amount` should go to `custodians`, by the batch in `safe_json`.

    `parts` are the atoms of each. Without an admitted custodian all three are empty, and `text` says so.
    """

    proposal_id: UUID
    amount: Amount
    hot: Amount
    owed: Amount
    custodians: tuple[str, ...]
    parts: tuple[int, ...]
    safe: str
    safe_json: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the stream of this collateral."""
        return treasury_id(self.amount.asset)


@catalogued
class ProposalWithdrawn(Event, frozen=True, kw_only=True, tag="treasury.proposal_withdrawn.v1"):
    """A proposal no longer fits: nobody should carry it out any more."""

    proposal_id: UUID
    asset: str
    direction: Direction
    text: str

    @property
    def originator(self) -> UUID:
        """Return the stream of this collateral."""
        return treasury_id(self.asset)


@catalogued
class ProposalCompleted(Event, frozen=True, kw_only=True, tag="treasury.completed.v1"):
    """What the contract holds was seen to have moved as was proposed."""

    proposal_id: UUID
    direction: Direction
    amount: Amount
    hot_before: Amount
    hot_after: Amount
    block_number: int

    @property
    def originator(self) -> UUID:
        """Return the stream of this collateral."""
        return treasury_id(self.amount.asset)


@catalogued
class CustodySubmitted(Event, frozen=True, kw_only=True, tag="treasury.submitted.v1"):
    """A call that sends one custodian its part may be sent; another at the same nonce replaces the one before."""

    proposal_id: UUID
    custodian: str
    amount: Amount
    transaction: Transaction

    @property
    def originator(self) -> UUID:
        """Return the stream of this collateral."""
        return treasury_id(self.amount.asset)


@catalogued
class CustodyTransferred(Event, frozen=True, kw_only=True, tag="treasury.transferred.v1"):
    """A call is final: the custodian has its part."""

    proposal_id: UUID
    custodian: str
    amount: Amount
    receipt: Receipt

    @property
    def originator(self) -> UUID:
        """Return the stream of this collateral."""
        return treasury_id(self.amount.asset)


@catalogued
class CustodyFailed(Event, frozen=True, kw_only=True, tag="treasury.failed.v1"):
    """A call surely did not happen and will not, its nonce is used up: the proposal is left to people."""

    proposal_id: UUID
    custodian: str
    amount: Amount
    tx_hash: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the stream of this collateral."""
        return treasury_id(self.amount.asset)


def treasury_id(asset: str) -> UUID:
    """Return the stream of one collateral's treasury."""
    return natural_id("treasury", asset)


class Proposal(msgspec.Struct, frozen=True, gc=False):
    """Hold an open proposal: `hot` are the atoms that the contract held when it was made, `parts` the custodians'.

    `paid` are the custodians that calls of ours sent their part, the last one in `paid_block`. `failed`: no more calls.
    """

    proposal_id: UUID
    asset: str
    direction: Direction
    amount: int
    hot: int
    custodians: tuple[str, ...] = ()
    parts: tuple[int, ...] = ()
    paid: tuple[str, ...] = ()
    paid_block: int = 0
    failed: bool = False

    @property
    def unpaid(self) -> tuple[tuple[str, int], ...]:
        """Return the custodians that no call of ours paid, each with its part."""
        legs = zip(self.custodians, self.parts, strict=True)
        return tuple((each, part) for each, part in legs if part > 0 and each not in self.paid)

    @property
    def left(self) -> int:
        """Return the atoms that are still to move."""
        legs = zip(self.custodians, self.parts, strict=True)
        return self.amount - sum(part for each, part in legs if each in self.paid)


class CustodyCall(msgspec.Struct, frozen=True, gc=False):
    """Hold the one call that is under way: its transactions, all at one nonce, the newest last."""

    proposal_id: UUID
    asset: str
    custodian: str
    amount: int
    transactions: tuple[Transaction, ...]

    @property
    def newest(self) -> Transaction:
        """Return the transaction that should be on its way."""
        return self.transactions[-1]


class Treasury(msgspec.Struct, kw_only=True):
    """Hold the open proposals by asset and direction, at most one of each, and the call that is under way, if one is.

    Of all collaterals together one call is under way at a time: so its nonce is the only one that can be open.
    """

    proposals: dict[str, Proposal] = {}
    call: CustodyCall | None = None

    def under_way(self, proposal_id: UUID) -> bool:
        """Say whether a call of this proposal may yet happen."""
        return self.call is not None and self.call.proposal_id == proposal_id

    def open(self, asset: str, direction: Direction) -> Proposal | None:
        """Return the open proposal, if there is one."""
        return self.proposals.get(_key(asset, direction))


def _key(asset: str, direction: Direction) -> str:
    return f"{asset}|{direction.value}"


def _topup(treasury: Treasury, event: TopupProposed, _chain: OnChain) -> None:
    asset = event.amount.asset
    proposal = Proposal(event.proposal_id, asset, Direction.TOPUP, event.amount.atoms, event.hot.atoms)
    treasury.proposals[_key(asset, Direction.TOPUP)] = proposal


def _custody(treasury: Treasury, event: CustodyProposed, _chain: OnChain) -> None:
    asset, amount = event.amount.asset, event.amount.atoms
    treasury.proposals[_key(asset, Direction.CUSTODY)] = Proposal(
        event.proposal_id, asset, Direction.CUSTODY, amount, event.hot.atoms, event.custodians, event.parts
    )


def _withdrawn(treasury: Treasury, event: ProposalWithdrawn, _chain: OnChain) -> None:
    del treasury.proposals[_key(event.asset, event.direction)]


def _completed(treasury: Treasury, event: ProposalCompleted, chain: OnChain) -> None:
    """End a proposal; what went to custodians counts among what they hold, what calls sent them did already."""
    asset = event.amount.asset
    proposal = treasury.proposals.pop(_key(asset, event.direction))
    for custodian, part in proposal.unpaid:
        put_in_custody(chain, asset, part, ((custodian,), (RATIO_SUM,)))


def _submitted(treasury: Treasury, event: CustodySubmitted, chain: OnChain) -> None:
    before = treasury.call.transactions if treasury.call is not None else ()
    amount, transaction = event.amount, event.transaction
    treasury.call = CustodyCall(
        event.proposal_id, amount.asset, event.custodian, amount.atoms, (*before, event.transaction)
    )
    chain.nonces[transaction.sender] = transaction.nonce + 1


def _transferred(treasury: Treasury, event: CustodyTransferred, chain: OnChain) -> None:
    amount = event.amount
    put_in_custody(chain, amount.asset, amount.atoms, ((event.custodian,), (RATIO_SUM,)))
    proposal = treasury.proposals[_key(amount.asset, Direction.CUSTODY)]
    treasury.proposals[_key(amount.asset, Direction.CUSTODY)] = msgspec.structs.replace(
        proposal,
        paid=(*proposal.paid, event.custodian),
        paid_block=max(proposal.paid_block, event.receipt.block_number),
    )
    treasury.call = None


def _failed(treasury: Treasury, event: CustodyFailed, _chain: OnChain) -> None:
    key = _key(event.amount.asset, Direction.CUSTODY)
    treasury.proposals[key] = msgspec.structs.replace(treasury.proposals[key], failed=True)
    treasury.call = None


FOLDS: dict[type[Event], Callable[[Treasury, Any, OnChain], None]] = {
    TopupProposed: _topup,
    CustodyProposed: _custody,
    ProposalWithdrawn: _withdrawn,
    ProposalCompleted: _completed,
    CustodySubmitted: _submitted,
    CustodyTransferred: _transferred,
    CustodyFailed: _failed,
}
"""How each of these events is folded."""


def fold(treasury: Treasury, event: Event, chain: OnChain) -> None:
    """Fold one of these events; what completed changes what custodians hold."""
    FOLDS[type(event)](treasury, event, chain)
