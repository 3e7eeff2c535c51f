"""The treasury of the contract: proposals to bring what it holds back into its band, and what came of them.

People move the collateral: the contract pays custodians only for its collateral manager, on mainnet a multisig. So what
is recorded is a proposal; that it was carried out is observed on chain.
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


def treasury_id(asset: str) -> UUID:
    """Return the stream of one collateral's treasury."""
    return natural_id("treasury", asset)


class Proposal(msgspec.Struct, frozen=True, gc=False):
    """Hold an open proposal: `hot` are the atoms that the contract held when it was made, `parts` the custodians'."""

    proposal_id: UUID
    asset: str
    direction: Direction
    amount: int
    hot: int
    custodians: tuple[str, ...] = ()
    parts: tuple[int, ...] = ()


class Treasury(msgspec.Struct, kw_only=True):
    """Hold the open proposals by asset and direction: at most one of each."""

    proposals: dict[str, Proposal] = {}

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
    """End a proposal; what went to custodians counts among what they hold."""
    asset = event.amount.asset
    proposal = treasury.proposals.pop(_key(asset, event.direction))
    for custodian, part in zip(proposal.custodians, proposal.parts, strict=True):
        put_in_custody(chain, asset, part, ((custodian,), (RATIO_SUM,)))


FOLDS: dict[type[Event], Callable[[Treasury, Any, OnChain], None]] = {
    TopupProposed: _topup,
    CustodyProposed: _custody,
    ProposalWithdrawn: _withdrawn,
    ProposalCompleted: _completed,
}
"""How each of these events is folded."""


def fold(treasury: Treasury, event: Event, chain: OnChain) -> None:
    """Fold one of these events; what completed changes what custodians hold."""
    FOLDS[type(event)](treasury, event, chain)
