"""The minting contract as the chain shows it: its parameters, its balances, and who may do what.

Parameters have setters without events, so they are polled; whitelists, delegations, custodians and assets are logged.
"""

from enum import StrEnum

import msgspec


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
