"""The minting contract as the chain shows it: its parameters, its balances, and who may do what.

Parameters have setters without events, so they are polled; whitelists, delegations, custodians and assets are logged.
`OnChain` is the part of the Book that mirrors it. Anyone may make the contract log delegations and beneficiaries, so
each kind is bounded and the oldest leave first: who is not found is refused.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id

# How many parties of a kind without owners, owners of rights, and rights of one owner are kept.
PARTIES_MAX = 10_000
OWNERS_MAX = 10_000
RIGHTS_MAX = 64
# Removals are remembered this many back: an older admission that is told after one does not undo it.
REMOVALS_MAX = 1_024

# The dependency that is degraded while the chain cannot be read.
CHAIN = "chain"
# The ratios of a route, bps, add up to exactly this.
RATIO_SUM = 10_000


class AssetTerms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold one collateral's parameters: caps in atoms of the issued dollar a block, `hot_balance` in its own atoms."""

    address: str
    stable: bool
    active: bool
    max_mint_per_block: int
    max_redeem_per_block: int
    hot_balance: int


class ContractTerms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold the contract's parameters at a block. Caps count issued dollars (atoms) a block, the limit is in bps."""

    block_number: int
    block_hash: str
    global_max_mint_per_block: int
    global_max_redeem_per_block: int
    stables_delta_limit_bps: int
    assets: tuple[AssetTerms, ...]


class PartyKind(StrEnum):
    """Say what an address became, or ceased to be."""

    BENEFACTOR = "benefactor"  # `party` may mint and redeem
    BENEFICIARY = "beneficiary"  # `party` may be paid for `owner`
    DELEGATE = "delegate"  # `party` may sign for `owner`
    CUSTODIAN = "custodian"  # `party` may receive collateral
    ASSET = "asset"  # `party` is a supported collateral


class PartyChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tell one change that the contract logged, and where. `owner` is empty where nobody owns the right."""

    kind: PartyKind
    party: str
    owner: str
    admitted: bool
    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int


@catalogued
class ContractObserved(Event, frozen=True, kw_only=True, tag="contract.observed.v1"):
    """The contract's terms were seen for the first time, or only its balances moved."""

    terms: ContractTerms

    @property
    def originator(self) -> UUID:
        """Return the one stream of the contract."""
        return natural_id("contract")


@catalogued
class ContractChanged(Event, frozen=True, kw_only=True, tag="contract.changed.v1"):
    """A parameter of the contract is not what it was; a person is told, since the contract itself tells nobody."""

    before: ContractTerms
    terms: ContractTerms

    @property
    def originator(self) -> UUID:
        """Return the one stream of the contract."""
        return natural_id("contract")


@catalogued
class PartyAdmitted(Event, frozen=True, kw_only=True, tag="party.admitted.v1"):
    """The chain admitted an address, for good."""

    change: PartyChange

    @property
    def originator(self) -> UUID:
        """Return the stream of this kind of party."""
        return natural_id("party", self.change.kind)


@catalogued
class PartyRemoved(Event, frozen=True, kw_only=True, tag="party.removed.v1"):
    """The chain removed an address; it counts at once."""

    change: PartyChange

    @property
    def originator(self) -> UUID:
        """Return the stream of this kind of party."""
        return natural_id("party", self.change.kind)


@catalogued
class SenderSkipped(Event, frozen=True, kw_only=True, tag="sender.skipped.v1"):
    """The chain has included transactions of our sender that the book never permitted: its key is used elsewhere."""

    sender: str
    expected: int
    nonce: int

    @property
    def originator(self) -> UUID:
        """Return the stream of this sender."""
        return natural_id("sender", self.sender)


Parties = dict[str, int]
"""Addresses, each with the block that admitted it, the oldest first."""


class OnChain(msgspec.Struct, kw_only=True):
    """Hold what the Book knows of the chain. `party_block` is the last block of which an admission was recorded.

    `nonces` holds the next nonce of each sender, `custody` the atoms of each collateral that each custodian was sent.
    """

    terms: ContractTerms | None = None
    benefactors: Parties = {}
    custodians: Parties = {}
    assets: Parties = {}
    beneficiaries: dict[str, Parties] = {}
    delegates: dict[str, Parties] = {}
    removals: dict[str, tuple[int, int]] = {}
    party_block: int = 0
    nonces: dict[str, int] = {}
    custody: dict[str, dict[str, int]] = {}

    def asset(self, address: str) -> AssetTerms | None:
        """Return the terms of a collateral, None when they are unknown."""
        assets = self.terms.assets if self.terms is not None else ()
        return next((each for each in assets if each.address == address), None)

    def admitted(self, kind: PartyKind, party: str, owner: str = "") -> bool:
        """Say whether the chain admits a party, for an owner where the right has one."""
        return party in self.parties(kind, owner)

    def parties(self, kind: PartyKind, owner: str = "") -> Parties:
        """Return the parties of a kind, those of one owner where the right has one."""
        match kind:
            case PartyKind.BENEFACTOR:
                return self.benefactors
            case PartyKind.CUSTODIAN:
                return self.custodians
            case PartyKind.ASSET:
                return self.assets
            case PartyKind.BENEFICIARY:
                return self.beneficiaries.get(owner, {})
            case PartyKind.DELEGATE:
                return self.delegates.get(owner, {})

    def removed_after(self, change: PartyChange) -> bool:
        """Say whether a later removal of the same right is already known."""
        last = self.removals.get(party_key(change))
        return last is not None and last >= (change.block_number, change.log_index)


def party_key(change: PartyChange) -> str:
    """Return the key of a right."""
    return f"{change.kind}|{change.owner}|{change.party}"


def split(amount: int, ratios: tuple[int, ...]) -> tuple[int, ...]:
    """Split atoms as the contract does: each leg floored, what is left goes to the last one."""
    legs = [amount * ratio // RATIO_SUM for ratio in ratios]
    if legs:
        legs[-1] += amount - sum(legs)
    return tuple(legs)


def put_in_custody(chain: OnChain, asset: str, amount: int, route: tuple[tuple[str, ...], tuple[int, ...]]) -> None:
    """Count what a settled mint sent to each custodian; without a route there is nothing to count."""
    addresses, ratios = route
    if not addresses:
        return
    held = chain.custody.setdefault(asset, {})
    for address, leg in zip(addresses, split(amount, ratios), strict=True):
        held[address] = held.get(address, 0) + leg


def _skipped(chain: OnChain, event: SenderSkipped) -> None:
    chain.nonces[event.sender] = event.nonce


def _seen(chain: OnChain, event: ContractObserved | ContractChanged) -> None:
    chain.terms = event.terms


def _admitted(chain: OnChain, event: PartyAdmitted) -> None:
    change = event.change
    chain.party_block = max(chain.party_block, change.block_number)
    chain.removals.pop(party_key(change), None)
    owned = {PartyKind.BENEFICIARY: chain.beneficiaries, PartyKind.DELEGATE: chain.delegates}.get(change.kind)
    if owned is None:
        _keep(chain.parties(change.kind), change, PARTIES_MAX)
        return
    _keep(owned.setdefault(change.owner, {}), change, RIGHTS_MAX)
    while len(owned) > OWNERS_MAX:
        strangers = (owner for owner in owned if owner not in chain.benefactors)
        del owned[next(strangers, next(iter(owned)))]


def _keep(parties: Parties, change: PartyChange, most: int) -> None:
    parties.pop(change.party, None)
    parties[change.party] = change.block_number
    while len(parties) > most:
        del parties[next(iter(parties))]


def _removed(chain: OnChain, event: PartyRemoved) -> None:
    change = event.change
    chain.parties(change.kind, change.owner).pop(change.party, None)
    for owned in (chain.beneficiaries, chain.delegates):
        if owned.get(change.owner) == {}:
            del owned[change.owner]
    key = party_key(change)
    chain.removals.pop(key, None)
    chain.removals[key] = (change.block_number, change.log_index)
    while len(chain.removals) > REMOVALS_MAX:
        del chain.removals[next(iter(chain.removals))]


FOLDS: dict[type[Event], Callable[[OnChain, Any], None]] = {
    ContractObserved: _seen,
    ContractChanged: _seen,
    PartyAdmitted: _admitted,
    PartyRemoved: _removed,
    SenderSkipped: _skipped,
}
"""How each of these events is folded."""
