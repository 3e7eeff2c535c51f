"""Mint and redeem as one sender: what orders become on chain, bounded before anybody signs."""

import contextlib
from typing import Self

from adapters.chain.calls import MINT, REDEEM, mint_calldata, redeem_calldata
from adapters.chain.reading import Chain
from adapters.chain.sending import Sending
from adapters.chain.settings import MintingSettings, SendingSettings
from adapters.chain.signers import Signer
from commands.chain_ports import MintingOrder, Route
from domain.refusal import Rejected
from domain.transaction import Errand, Fees, Transaction

LIMIT_AMOUNT = "LIMIT_AMOUNT"


class MintingCalls:
    """Call `mint` and `redeem`. Use as `async with`, within the chain's own."""

    def __init__(self, chain: Chain, signer: Signer, settings: MintingSettings) -> None:
        self._settings = settings
        self._collateral_max = {asset.lower(): atoms for asset, atoms in settings.limits.collateral_max.items()}
        self._sending = Sending(
            chain,
            signer,
            SendingSettings(fees=settings.fees, gas_limit_max=settings.gas.limit_max, relay=settings.relay),
            frozenset({MINT, REDEEM}),
        )
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

    async def preflight(self, order: MintingOrder, route: Route) -> int:
        """Try the very call at the head and return the gas limit to use; raise `Rejected` with the contract's error."""
        return await self._sending.preflight(self._calldata(order, route), self._gas(order, route))

    async def fees(self, tries: int) -> Fees:
        """Return the fees to offer now."""
        return await self._sending.fees(tries)

    async def sign(
        self, errand: Errand, order: MintingOrder, route: Route, nonce: int, gas_limit: int, fees: Fees
    ) -> Transaction:
        """Return the signed transaction, unsent. A CANCEL takes its own gas limit."""
        if errand is Errand.CANCEL:
            return await self._sending.sign(errand, b"", nonce, self._settings.gas.cancel, fees)
        return await self._sending.sign(errand, self._calldata(order, route), nonce, gas_limit, fees)

    async def broadcast(self, transaction: Transaction) -> None:
        """Send the same bytes once more."""
        await self._sending.broadcast(transaction)

    def _calldata(self, order: MintingOrder, route: Route) -> bytes:
        limits = self._settings.limits
        if order.usde_amount > limits.issued_max:
            raise Rejected(LIMIT_AMOUNT, f"{order.usde_amount} atoms issued pass a transaction's {limits.issued_max}")
        most = self._collateral_max.get(order.collateral_asset.lower(), 0)
        if order.collateral_amount > most:
            raise Rejected(LIMIT_AMOUNT, f"{order.collateral_amount} atoms of collateral pass a transaction's {most}")
        return mint_calldata(order, route) if order.order_type == "MINT" else redeem_calldata(order)

    def _gas(self, order: MintingOrder, route: Route) -> int:
        gas = self._settings.gas
        if order.order_type == "MINT":
            return gas.mint + gas.leg * (len(route.addresses) - 1)
        return gas.redeem
