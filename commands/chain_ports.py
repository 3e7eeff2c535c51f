"""What the book's workers need from Ethereum: a chain that can be read, and one on which calls can be made."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from domain.onchain import ContractTerms, PartyChange
from domain.transaction import Block, Errand, Fees, Receipt, Transaction


class Route(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say which custodians a mint's collateral goes to; ratios in bps, 10,000 in all."""

    addresses: tuple[str, ...]
    ratios: tuple[int, ...]


class MintingOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold an order as it was signed and will be called with. Addresses lower case, amounts atoms, expiry seconds."""

    order_id: str
    order_type: str  # MINT or REDEEM
    expiry: int
    nonce: int
    benefactor: str
    beneficiary: str
    collateral_asset: str
    collateral_amount: int
    usde_amount: int
    signature: str
    signature_type: str  # EIP712 or EIP1271


class Wallet(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what a benefactor has and has approved to the minting contract, in atoms of one token, at one block."""

    block_number: int
    balance: int
    allowance: int


class IssuedTotal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold how many atoms of the issued token there are at a block, and where the token is, lower case."""

    token: str
    total: int
    block_number: int
    block_hash: str


class View(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Name a view of a contract that answers one number: `function` as it is declared, with the numbers it takes."""

    contract: str
    function: str
    arguments: tuple[int, ...] = ()


class ChainReader(Protocol):
    """Read the chain through several endpoints that must agree. Each method raises `Unavailable` when they do not."""

    async def head(self) -> Block:
        """Return the newest block that a quorum has."""
        ...

    async def wait_head(self, after: Block | None) -> Block:
        """Wait for a head that differs from `after` (in number or hash) and return it."""
        ...

    async def block(self, number: int) -> Block | None:
        """Return the canonical block of that number, None when there is none yet."""
        ...

    async def receipt(self, tx_hash: str) -> Receipt | None:
        """Return a transaction's receipt on the canonical chain, None when it is not included there."""
        ...

    async def transaction_count(self, sender: str, number: int) -> int:
        """Return how many transactions of a sender are included up to a block: its next free nonce there."""
        ...

    async def wallet(self, owner: str, token: str) -> Wallet:
        """Return an owner's balance of a token and its allowance to the minting contract."""
        ...

    async def contract_signature(self, wallet: str, order_hash: str, signature: str) -> bool:
        """Ask a contract wallet (EIP-1271) whether a signature is its own; one without code, or that fails, says no."""
        ...

    async def terms(self, assets: Sequence[str], number: int) -> ContractTerms:
        """Return the minting contract's parameters and hot balances at a block."""
        ...

    async def issued(self, number: int) -> IssuedTotal:
        """Return the total of the token that the minting contract issues, at a block."""
        ...

    async def number_of(self, view: View, number: int) -> int:
        """Return what a view answers at a block; raise `Rejected` where the contract refuses or answers no number."""
        ...

    async def party_changes(self, first: int, last: int) -> Sequence[PartyChange]:
        """Return whitelist, delegation, custodian and asset changes logged in blocks `first` to `last`, in order."""
        ...


class Minting(Protocol):
    """Call the minting contract as one sender. Nothing is broadcast that was not recorded before."""

    @property
    def sender(self) -> str:
        """Return the sender's address, lower case."""
        ...

    async def preflight(self, order: MintingOrder, route: Route) -> int:
        """Try the call at the head and return the gas limit to use.

        Raise `Rejected` whose code is the contract's error name (or REVERTED), `Unavailable` when nobody could tell.
        """
        ...

    async def fees(self, tries: int) -> Fees:
        """Return the fees to offer now; more with each earlier try, within the configured bound."""
        ...

    async def sign(
        self, errand: Errand, order: MintingOrder, route: Route, nonce: int, gas_limit: int, fees: Fees
    ) -> Transaction:
        """Return the signed transaction, unsent. Raise `Rejected` when the signer refuses, `Unavailable` if away."""
        ...

    async def broadcast(self, transaction: Transaction) -> None:
        """Send the same bytes once more; harmless however often.

        Raise `Rejected` (no node will ever include it: its nonce is used, or it cannot be paid), `Unavailable` or
        `Unknown`.
        """
        ...


class Custody(Protocol):
    """Call `transferToCustody` as the contract's collateral manager. Nothing is broadcast that was not recorded."""

    @property
    def sender(self) -> str:
        """Return the sender's address, lower case."""
        ...

    async def preflight(self, custodian: str, asset: str, amount: int) -> int:
        """Try the call at the head and return the gas limit to use; `asset` is an address, `amount` atoms.

        Raise `Rejected` whose code is the contract's error name (or REVERTED), `Unavailable` when nobody could tell.
        """
        ...

    async def fees(self, tries: int) -> Fees:
        """Return the fees to offer now; more with each earlier try, within the configured bound."""
        ...

    async def sign(
        self, custodian: str, asset: str, amount: int, *, nonce: int, gas_limit: int, fees: Fees
    ) -> Transaction:
        """Return the signed call, unsent. Raise `Rejected` when the signer refuses, `Unavailable` if away."""
        ...

    async def broadcast(self, transaction: Transaction) -> None:
        """Send the same bytes once more; harmless however often. It raises what `Minting.broadcast` does."""
        ...
