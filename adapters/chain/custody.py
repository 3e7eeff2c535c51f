"""Carry custody proposals out as the contract's collateral manager, bounded before anybody signs."""

import contextlib
from collections.abc import Mapping
from typing import Self

from adapters.chain.calls import TRANSFER_TO_CUSTODY, transfer_to_custody
from adapters.chain.minting import LIMIT_AMOUNT
from adapters.chain.reading import Chain
from adapters.chain.sending import Sending
from adapters.chain.settings import SendingSettings
from adapters.chain.signers import Signer
from domain.refusal import Rejected
from domain.transaction import Errand, Fees, Transaction

# A transfer of a token takes a third of it; more is offered where a node's estimate asks for it.
GAS_LIMIT = 150_000


class CustodyCalls:
    """Call `transferToCustody` and nothing else. Use as `async with`, within the chain's own.

    `collateral_max` are the atoms that one call may move by asset, lower case: one that is not named is not moved.
    """

    def __init__(
        self, chain: Chain, signer: Signer, settings: SendingSettings, collateral_max: Mapping[str, int]
    ) -> None:
        self._collateral_max = {asset.lower(): atoms for asset, atoms in collateral_max.items()}
        self._sending = Sending(chain, signer, settings, frozenset({TRANSFER_TO_CUSTODY}))
        self._resources = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open what sending needs."""
        await self._resources.enter_async_context(self._sending)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close it."""
        await self._resources.aclose()

    @property
    def sender(self) -> str:
        """Return the sender's address, lower case."""
        return self._sending.sender

    async def preflight(self, custodian: str, asset: str, amount: int) -> int:
        """Try the very call at the head and return the gas limit to use; raise `Rejected` with the contract's error."""
        return await self._sending.preflight(self._calldata(custodian, asset, amount), GAS_LIMIT)

    async def fees(self, tries: int) -> Fees:
        """Return the fees to offer now."""
        return await self._sending.fees(tries)

    async def sign(
        self, custodian: str, asset: str, amount: int, *, nonce: int, gas_limit: int, fees: Fees
    ) -> Transaction:
        """Return the signed call, unsent."""
        data = self._calldata(custodian, asset, amount)
        return await self._sending.sign(Errand.SETTLE, data, nonce, gas_limit, fees)

    async def broadcast(self, transaction: Transaction) -> None:
        """Send the same bytes once more."""
        await self._sending.broadcast(transaction)

    def _calldata(self, custodian: str, asset: str, amount: int) -> bytes:
        most = self._collateral_max.get(asset.lower(), 0)
        if amount > most:
            raise Rejected(LIMIT_AMOUNT, f"{amount} atoms of collateral pass a transaction's {most}")
        return transfer_to_custody(custodian, asset, amount)
