"""Attempts at a settlement: tried out, signed at the next nonce, and told to the Book, which alone may permit them.

What is signed here is only ever told. Sending it is for whoever sees it recorded.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from api.chain.sight import Sight, draft
from api.replica import Replica
from api.telling import readable, tell
from commands.chain_ports import Minting, MintingOrder, Route
from commands.context import Context
from commands.ports import Clock, Facts, Lease
from commands.settlement import (
    RecordReverted,
    ReplaceSettlement,
    SubmitSettlement,
    replace_settlement,
    submit_settlement,
)
from domain.book import Book
from domain.event import Event
from domain.instant import MILLISECOND_US, SECOND_US
from domain.refusal import Refusal, Rejected
from domain.settlement import TRANSIENT_ERRORS, OpenSettlement
from domain.transaction import Errand, Transaction, replacement_fees

SOURCE = "chain"
# A fact that the log does not show after so long was refused, or lost with a wiped inbox: what it asked for is done
# again from what is known then.
TOLD_S = 5.0
# A rejection before anything was sent is believed when so many different heads show it: one node may lag behind.
REJECTIONS = 2
# Signed calls that our own limits refuse will not be signed later either.
REFUSED_FOR_NOW = frozenset({"LIMIT_FEES", "SIGNER_REFUSED", "SIGNER_LIED"})
REFUSED_FOR_GOOD = frozenset({"ORDER_OUT_OF_BOUNDS", "LIMIT_CALL", "LIMIT_AMOUNT", "LIMIT_GAS", "GAS_LIMIT"})

_log = logging.getLogger("ballast.settling")

Decide = Callable[[Book, Any, Context], tuple[Event, ...] | Refusal]


class Changes:
    """Let tasks wait until the replica shows what they wait for."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[None] | None = None

    def announce(self) -> None:
        """Let everyone look again."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        self._waiting = None

    async def until(self, shown: Callable[[], bool], timeout_s: float) -> bool:
        """Return True once something is shown, False when it was not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not shown():
                    if self._waiting is None:
                        self._waiting = asyncio.get_running_loop().create_future()
                    await asyncio.wait([self._waiting])  # unlike awaiting it, a timeout leaves it to the others
        except TimeoutError:
            return False
        return True


class Attempts:
    """Prepare the transactions of one sender, one nonce after the other."""

    def __init__(
        self, replica: Replica, changes: Changes, minting: Minting, facts: Facts, clock: Clock, lease: Lease
    ) -> None:
        self._replica = replica
        self._changes = changes
        self._minting = minting
        self._facts = facts
        self._clock = clock
        self._lease = lease
        self._signing = asyncio.Lock()
        self._rejected: dict[UUID, set[str]] = {}
        self._refused_at: dict[UUID, str] = {}

    def forget(self, settlement_id: UUID) -> None:
        """Drop what was kept of a settlement that is over."""
        self._rejected.pop(settlement_id, None)
        self._refused_at.pop(settlement_id, None)

    def hopeless(self, settlement_id: UUID) -> bool:
        """Say whether the contract would refuse the order for good, whenever it is tried."""
        return len(self._rejected.get(settlement_id, ())) >= REJECTIONS

    async def submit(self, settlement_id: UUID, sight: Sight) -> None:
        """Try the call out, sign it and ask the Book to permit it; give up an order that was never sent and never can.

        Raise `Unavailable` or `Unknown` when the chain or the signer is away.
        """
        settlement, nonce = self._replica.book.settlements.get(settlement_id), self._next_nonce(sight)
        if settlement is None or nonce is None:
            return
        if self._expires(settlement):
            await self._give_up(settlement, "order_expired: it could not be included in time")
            return
        wanted = self._submission(settlement, draft(Errand.SETTLE, self._minting.sender, nonce), sight)
        refusal = self._refusal(submit_settlement, wanted)
        if refusal is not None or self._refused_at.get(settlement_id) == sight.head.block_hash:
            return  # not permitted now, or tried out at this head already
        order, route = self._order(settlement), _route(settlement)
        try:
            gas_limit = await self._minting.preflight(order, route)
            fees = await self._minting.fees(0)
            async with self._signing:
                nonce = self._next_nonce(sight)
                if self._replica.book.settlements.get(settlement_id) is not settlement or nonce is None:
                    return
                self._lease.check()
                signed = await self._minting.sign(Errand.SETTLE, order, route, nonce, gas_limit, fees)
                command = self._submission(settlement, signed, sight)
                await self._ask(settlement, "settlement.submit", command, self._refusal(submit_settlement, command))
        except Rejected as error:
            await self._rejection(settlement, error, sight)

    async def replace(self, settlement: OpenSettlement, errand: Errand) -> None:
        """Sign a replacement of the newest transaction and ask the Book to permit it.

        Raise `Rejected` when the signer says no for now, `Unavailable` or `Unknown` when it or the chain is away.
        """
        newest, order, route = settlement.transactions[-1], self._order(settlement), _route(settlement)
        fees = replacement_fees(newest.fees, await self._minting.fees(len(settlement.at_nonce(newest.nonce))))
        wanted = self._replacement(settlement, draft(errand, newest.sender, newest.nonce, fees))
        if self._refusal(replace_settlement, wanted) is not None:
            return
        self._lease.check()
        signed = await self._minting.sign(errand, order, route, newest.nonce, newest.gas_limit, fees)
        command = self._replacement(settlement, signed)
        await self._ask(settlement, "settlement.replace", command, self._refusal(replace_settlement, command))

    def _submission(self, settlement: OpenSettlement, transaction: Transaction, sight: Sight) -> SubmitSettlement:
        return SubmitSettlement(
            settlement_id=settlement.requested.settlement_id,
            attempt=settlement.attempt + 1,
            transaction=transaction,
            transaction_count=sight.used_finally,
        )

    def _replacement(self, settlement: OpenSettlement, transaction: Transaction) -> ReplaceSettlement:
        return ReplaceSettlement(
            settlement_id=settlement.requested.settlement_id,
            replaced_hash=settlement.transactions[-1].tx_hash,
            transaction=transaction,
        )

    def _refusal(self, decide: Decide, command: SubmitSettlement | ReplaceSettlement) -> Refusal | None:
        """Return what the Book would refuse it for now: what it surely refuses need not be signed or told."""
        context = Context(command.settlement_id, SOURCE, self._clock.now_us())
        decided = decide(self._replica.book, command, context)
        return decided if isinstance(decided, Refusal) else None

    async def _ask(
        self,
        settlement: OpenSettlement,
        kind: str,
        command: SubmitSettlement | ReplaceSettlement,
        refusal: Refusal | None,
    ) -> None:
        if refusal is not None:
            _log.warning("%s of %s would be refused: %s", kind, command.settlement_id, refusal.text)
            return
        await self._told(kind, command.transaction.tx_hash, command)
        await self._recorded(settlement)

    async def _recorded(self, before: OpenSettlement) -> None:
        """Wait until the log shows an answer. The next nonce is taken only then, so that none is ever left out."""
        settlements, key = self._replica.book.settlements, before.requested.settlement_id
        await self._changes.until(lambda: settlements.get(key) is not before, TOLD_S)

    async def _told(self, kind: str, subject: str, command: object) -> None:
        """Tell under a key of its own each time: a fact that was refused may be right later."""
        await tell(self._facts, SOURCE, kind, f"{subject}|{self._clock.now_us()}", command)

    def _next_nonce(self, sight: Sight) -> int | None:
        """Return the next nonce; none while somebody else's use of our key is not final."""
        known = self._replica.book.onchain.nonces.get(self._minting.sender, 0)
        nonce = max(known, sight.used_finally)
        return nonce if sight.used <= nonce else None

    async def _rejection(self, settlement: OpenSettlement, error: Rejected, sight: Sight) -> None:
        key = settlement.requested.settlement_id
        self._refused_at[key] = sight.head.block_hash
        if error.code in TRANSIENT_ERRORS or error.code in REFUSED_FOR_NOW:
            return  # the next block may have room
        heads = self._rejected.setdefault(key, set())
        if len(heads) < REJECTIONS:
            heads.add(sight.head.block_hash)
        if error.code in REFUSED_FOR_GOOD or len(heads) >= REJECTIONS:
            await self._give_up(settlement, readable(str(error)))

    async def _give_up(self, settlement: OpenSettlement, text: str) -> None:
        """Let a settlement fall that was never sent; one that was ends with its nonces, as the chain shows them."""
        if settlement.transactions:
            return
        key = settlement.requested.settlement_id
        await self._told(
            "settlement.reverted", f"reverted|{key}", RecordReverted(settlement_id=key, text=text, transactions=0)
        )
        await self._recorded(settlement)

    def _expires(self, settlement: OpenSettlement) -> bool:
        """Say whether an order expires too soon for the Book to permit it, whatever else keeps it."""
        book = self._replica.book
        margin_us = book.policy.submission_expiry_margin_ms * MILLISECOND_US if book.policy is not None else 0
        return self._clock.now_us() + margin_us >= book.requests[settlement.requested.request_id].accepted.expiry_us

    def _order(self, settlement: OpenSettlement) -> MintingOrder:
        book = self._replica.book
        accepted = book.requests[settlement.requested.request_id].accepted
        return MintingOrder(
            order_id=accepted.order_id,
            order_type=accepted.side.value,
            expiry=accepted.expiry_us // SECOND_US,
            nonce=accepted.nonce,
            benefactor=accepted.benefactor,
            beneficiary=accepted.beneficiary,
            collateral_asset=book.asset(accepted.collateral.asset).address,
            collateral_amount=accepted.collateral.atoms,
            usde_amount=accepted.issued.atoms,
            signature=accepted.signature,
            signature_type=accepted.signature_type,
        )


def _route(settlement: OpenSettlement) -> Route:
    return Route(addresses=settlement.requested.custodians, ratios=settlement.requested.ratios)
