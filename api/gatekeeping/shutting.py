"""Shutting the minting contract: one transaction at one nonce, replaced until it is included, whatever happens to us.

Everything signed is written down before it is sent, so that after a crash the same bytes go out again. Replacements
share a nonce: at most one of them is ever included. The contract's own caps say when it is done, and when people opened
it again.
"""

import logging
from collections.abc import Callable

import msgspec

from api.gatekeeping.memory import MARKS_MAX, REASONS_MAX, Shutting
from api.gatekeeping.ports import Gate, Watched
from api.gatekeeping.settings import GatekeeperSettings
from domain.gatekeeping import Caps
from domain.refusal import Rejected, Unavailable, Unknown
from domain.transaction import Block, Transaction, replacement_fees

_log = logging.getLogger("ballast.gatekeeper")

Save = Callable[[Shutting], None]


class Shutter:
    """Bring the contract to be shut, step by step; each step may fail and is taken again."""

    def __init__(self, watched: Watched, gate: Gate, settings: GatekeeperSettings) -> None:
        self._watched = watched
        self._gate = gate
        self._settings = settings

    async def step(self, order: Shutting, head: Block, save: Save) -> Shutting | None:
        """Do what is next and return the order as it stands; None when people opened the contract again.

        `save` writes an order down. Raise `Unavailable` when the chain or the signer is away: the next step tries
        again, and sends again what was sent before.
        """
        try:
            caps = await self._watched.caps(head.number)
        except Unavailable:
            await self._send_again(order)  # not being able to look is no reason to wait
            raise
        if caps.shut:
            return await self._shut(order, head)
        if order.shut_at:
            return await self._open_again(order, head, caps, save)
        return await self._press(order, head, caps, save)

    async def _shut(self, order: Shutting, head: Block) -> Shutting:
        """Take note that the contract is shut; use our own nonce up, so that it cannot shut it again much later."""
        if not order.shut_at:
            _log.critical("contract_shut: nothing can be minted or redeemed since block %d at the latest", head.number)
            order = msgspec.structs.replace(order, shut_at=max(head.number, 1))
        if order.transactions and await self._included(order, head) is None:
            await self._send_again(order)
        return order

    async def _open_again(self, order: Shutting, head: Block, caps: Caps, save: Save) -> Shutting | None:
        """Tell people who opened the contract from a reorganisation that undid it."""
        undone = await self._included(order, head) is None
        there = await self._watched.block(head.number)
        if there is None or there.block_hash != head.block_hash:
            raise Unavailable("reorganised: the chain changed while it was read")
        if undone and (order.transactions or head.number < order.shut_at + MARKS_MAX):
            _log.critical("contract_open_again: a reorganisation undid the shutting, it is shut again")
            # The same bytes have their time again before more is offered.
            order = msgspec.structs.replace(order, shut_at=0, sent_at=head.number)
            return await self._press(order, head, caps, save)
        _log.critical(
            "contract_reopened: people set the caps to %d and %d in block %d at the latest: watching anew",
            caps.mint,
            caps.redeem,
            head.number,
        )
        return None

    async def _press(self, order: Shutting, head: Block, caps: Caps, save: Save) -> Shutting | None:
        live = order.transactions
        if not live:
            return await self._begin(order, head, save)
        outcome = await self._included(order, head)
        if outcome is True:
            # Included, and open at the head: it was opened again before it was seen shut.
            return await self._open_again(msgspec.structs.replace(order, shut_at=head.number), head, caps, save)
        if outcome is False or await self._watched.next_nonce(head.number) > live[-1].nonce:
            _log.critical("shutting_failed: nonce %d was used up without effect, trying again", live[-1].nonce)
            order = msgspec.structs.replace(order, transactions=(), failed=order.failed + 1)
            return await self._begin(order, head, save)
        if head.number - order.sent_at >= self._settings.bump_blocks and len(live) < self._settings.tries_max:
            order = await self._replace(order, head, save)
        await self._send_again(order)
        return order

    async def _begin(self, order: Shutting, head: Block, save: Save) -> Shutting:
        """Sign at the next nonce, write it down, send it."""
        try:
            gas_limit = await self._gate.preflight()
            nonce = await self._watched.next_nonce(head.number)
            fees = await self._gate.fees(order.failed)
            signed = await self._gate.sign(nonce, gas_limit, fees)
        except Rejected as error:
            _log.critical("cannot_shut: %s: the contract stays open until somebody shuts it", error)
            return order
        return await self._send(order, (signed,), head, save)

    async def _replace(self, order: Shutting, head: Block, save: Save) -> Shutting:
        """Offer more for the same nonce; what cannot be offered leaves the last one to be sent again."""
        last = order.transactions[-1]
        try:
            wanted = await self._gate.fees(len(order.transactions))
            signed = await self._gate.sign(last.nonce, last.gas_limit, replacement_fees(last.fees, wanted))
        except (Rejected, Unavailable) as error:
            _log.critical("cannot_replace: %s: the transaction %s is sent again as it is", error, last.tx_hash)
            return msgspec.structs.replace(order, sent_at=head.number)
        return await self._send(order, (*order.transactions, signed), head, save)

    async def _send(self, order: Shutting, transactions: tuple[Transaction, ...], head: Block, save: Save) -> Shutting:
        order = msgspec.structs.replace(order, transactions=transactions, sent_at=head.number)
        save(order)
        signed = transactions[-1]
        _log.critical("shutting: transaction %s at nonce %d, try %d", signed.tx_hash, signed.nonce, len(transactions))
        await self._send_again(order)
        return order

    async def _send_again(self, order: Shutting) -> None:
        if not order.transactions:
            return
        last = order.transactions[-1]
        try:
            await self._gate.broadcast(last)
        except Rejected as error:
            # Perhaps it is included already, or must offer more: the next step looks.
            _log.warning("not_taken: %s: %s", last.tx_hash, error)
        except (Unavailable, Unknown) as error:
            _log.warning("not_sent: %s: %s", last.tx_hash, error)

    async def _included(self, order: Shutting, head: Block) -> bool | None:
        """Say whether one of ours is included up to the head, and did what it should; None when none is."""
        for signed in reversed(order.transactions):
            receipt = await self._watched.receipt(signed.tx_hash)
            if receipt is not None and receipt.block_number <= head.number:
                return receipt.succeeded
        return None


def ordered(reasons: list[str], now_us: int) -> Shutting:
    """Return the order to shut the contract, for reasons found together."""
    return Shutting(reasons=tuple(reasons[:REASONS_MAX]), since_us=now_us)
