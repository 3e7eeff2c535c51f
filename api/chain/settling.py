"""The settlement worker: brings what the Book permits onto the chain, once, and follows it until it is final.

It keeps no state of its own: what is open is in its replica of the Book, what happened is on the chain. A transaction
is sent when, and only when, the log shows it; then as often as it takes, since the same bytes count once.
"""

import asyncio
import logging
from uuid import UUID

import msgspec

from api.chain.attempts import SOURCE, TOLD_S, Attempts, Changes
from api.chain.next_step import (
    Bounds,
    Confirmed,
    Found,
    Included,
    Reorged,
    Replace,
    Reverted,
    TryAgain,
    Verdict,
    Wait,
    judge,
    unsent,
)
from api.chain.sight import AWAY_S, UNPAYABLE, Sight, look_round
from api.replica import Recorded, Replica
from api.telling import readable, tell
from commands.chain_ports import ChainReader, Minting
from commands.ports import Clock, Facts, Follower, Lease
from commands.settlement import RecordConfirmed, RecordIncluded, RecordReorged, RecordReverted
from commands.watch import RaiseAlert
from domain.ids import natural_id
from domain.instant import MILLISECOND_US
from domain.refusal import Broken, Rejected, Unavailable, Unknown
from domain.settlement import OpenSettlement
from domain.transaction import Block, Receipt, Transaction
from domain.watch import Severity

# A settlement is looked at again after so long though nothing was heard: a told fact may have been lost.
PATROL_S = 1.0
# Look-ups at once, of all settlements.
LOOKUPS_MAX = 8

_log = logging.getLogger("ballast.settling")


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the chain as the worker needs it: to read, to call, and when a block counts as final or a wait as stuck."""

    reader: ChainReader
    minting: Minting
    finality_blocks: int
    stuck_blocks: int = 3


class _Minded(msgspec.Struct):
    """Hold what is known of one open settlement in this life of the worker; all of it can be lost."""

    poke: asyncio.Event
    looked: tuple[str, OpenSettlement] | None = None
    told: tuple[Verdict, OpenSettlement, float] | None = None
    sent: dict[str, str] = {}
    next_since: dict[str, int] = {}
    doubted: str = ""
    refused: dict[str, str] = {}


class ChainSettling:
    """Settle the open settlements of one book, as the only lease-holder of their sender."""

    def __init__(
        self, replica: Replica, follower: Follower, chain: Chain, facts: Facts, clock: Clock, lease: Lease
    ) -> None:
        self._replica = replica
        self._follower = follower
        self._chain = chain
        self._facts = facts
        self._clock = clock
        self._lease = lease
        self._changes = Changes()
        self._attempts = Attempts(replica, self._changes, chain.minting, facts, clock, lease)
        self._minded: dict[UUID, _Minded] = {}
        self._lookups = asyncio.Semaphore(LOOKUPS_MAX)
        self._sight: Sight | None = None

    async def run(self) -> None:
        """Follow the log and the chain until cancelled; raise what broke, `Fenced` when another took over."""
        async with asyncio.TaskGroup() as tasks:
            self._take_up(tasks)
            tasks.create_task(self._watch_heads())
            while True:
                for recorded in await self._replica.follow(self._follower):
                    self._poke_for(recorded)
                self._changes.announce()
                self._take_up(tasks)
                await asyncio.sleep(0)  # a long backlog comes without waiting: let the settlements work in between

    def _take_up(self, tasks: asyncio.TaskGroup) -> None:
        for settlement_id in self._replica.book.settlements.keys() - self._minded.keys():
            self._minded[settlement_id] = _Minded(asyncio.Event())
            tasks.create_task(self._mind(settlement_id))

    def _poke_for(self, recorded: Recorded) -> None:
        settlement_id = getattr(recorded.event, "settlement_id", None)
        minded = self._minded.get(settlement_id) if isinstance(settlement_id, UUID) else None
        if minded is not None:
            minded.poke.set()

    async def _watch_heads(self) -> None:
        """Look round at every head; while the chain is away nothing is judged."""
        chain, head = self._chain, None
        while True:
            try:
                head = await chain.reader.wait_head(head)
                self._sight = await look_round(chain.reader, chain.minting.sender, chain.finality_blocks, head)
            except (Unavailable, Unknown):
                await asyncio.sleep(AWAY_S)
                continue
            for minded in self._minded.values():
                minded.poke.set()

    async def _mind(self, settlement_id: UUID) -> None:
        """Work for one settlement until it is over."""
        minded, settlements = self._minded[settlement_id], self._replica.book.settlements
        while (settlement := settlements.get(settlement_id)) is not None:
            minded.poke.clear()
            try:
                await self._step(settlement, minded)
            except (Unavailable, Unknown):
                await asyncio.sleep(AWAY_S)
                continue
            except Rejected as error:  # the signer, or a bound of our own, says no for now
                _log.warning("settlement %s waits: %s", settlement_id, readable(str(error)))
            try:
                async with asyncio.timeout(PATROL_S):
                    await minded.poke.wait()
            except TimeoutError:
                continue
        del self._minded[settlement_id]
        self._attempts.forget(settlement_id)

    async def _step(self, settlement: OpenSettlement, minded: _Minded) -> None:
        sight = self._sight
        if not settlement.transactions:
            if sight is not None:
                await self._attempts.submit(settlement.requested.settlement_id, sight)
            return
        if settlement.transactions[0].sender != self._chain.minting.sender:
            text = f"it was begun by {settlement.transactions[0].sender}, whose key is not this worker's"
            await self._alert(settlement, "sender", text)
            return
        await self._send_open(settlement, minded, sight)
        if sight is None or self._was_looked_at(settlement, minded, sight):
            return
        async with self._lookups:
            found = await self._look_up(settlement)
        if self._replica.book.settlements.get(settlement.requested.settlement_id) is not settlement:
            return  # it went on meanwhile: look again
        verdict = self._judge(settlement, minded, sight, found)
        await self._act(settlement, minded, sight, verdict)
        minded.looked = (sight.head.block_hash, settlement)

    def _was_looked_at(self, settlement: OpenSettlement, minded: _Minded, sight: Sight) -> bool:
        """Say whether nothing changed since the last look, and nothing is owed to be told again."""
        told = minded.told
        overdue = told is not None and told[1] is settlement and asyncio.get_running_loop().time() >= told[2]
        return minded.looked == (sight.head.block_hash, settlement) and not overdue

    # What is on its way

    async def _send_open(self, settlement: OpenSettlement, minded: _Minded, sight: Sight | None) -> None:
        """Send what the log shows and the chain does not: once as soon as it is recorded, then at every head."""
        head, used = (sight.head.block_hash, sight.used) if sight is not None else ("", 0)
        for transaction in unsent(settlement, used):
            if minded.sent.get(transaction.tx_hash) == head:
                continue
            self._lease.check()
            try:
                await self._chain.minting.broadcast(transaction)
            except Rejected as error:
                await self._not_taken(settlement, minded, transaction, error)
            minded.sent[transaction.tx_hash] = head

    async def _not_taken(
        self, settlement: OpenSettlement, minded: _Minded, transaction: Transaction, error: Rejected
    ) -> None:
        """Note what no node takes: receipts and nonces tell what became of it; only a lack of money needs a person."""
        if minded.refused.get(transaction.tx_hash) != error.code:
            minded.refused[transaction.tx_hash] = error.code
            _log.warning("%s was not taken: %s", transaction.tx_hash, readable(str(error)))
        if error.code == UNPAYABLE:
            text = f"{transaction.sender} cannot pay for {transaction.tx_hash}: {readable(error.text)}"
            await self._alert(settlement, "unpayable", text)

    # What became of it

    async def _look_up(self, settlement: OpenSettlement) -> Found:
        reader = self._chain.reader
        blocks: dict[int, Block] = {}
        for number in {each.block_number for each in settlement.receipts}:
            block = await reader.block(number)
            if block is not None:
                blocks[number] = block
        receipts: dict[str, Receipt] = {}
        for transaction in settlement.transactions:
            if settlement.receipt_at(transaction.nonce) is None:
                receipt = await reader.receipt(transaction.tx_hash)
                if receipt is not None:
                    receipts[transaction.tx_hash] = receipt
        return Found(receipts=receipts, blocks=blocks)

    def _judge(self, settlement: OpenSettlement, minded: _Minded, sight: Sight, found: Found) -> Verdict:
        book, chain = self._replica.book, self._chain
        policy, accepted = book.policy, book.requests[settlement.requested.request_id].accepted
        if policy is None:
            raise Broken("a settlement is open and the book has no policy")
        hopeless = self._attempts.hopeless(settlement.requested.settlement_id)
        bounds = Bounds(
            attempts_max=settlement.attempt if hopeless else policy.settlement_attempts_max,
            replacements_max=policy.settlement_replacements_max,
            stuck_blocks=chain.stuck_blocks,
            expiry_margin_us=policy.submission_expiry_margin_ms * MILLISECOND_US,
        )
        newest = settlement.transactions[-1]
        if newest.nonce != sight.used:
            minded.next_since.clear()  # an earlier nonce holds it up: its own waiting has not begun
        waited = sight.head.number - minded.next_since.setdefault(newest.tx_hash, sight.head.number)
        return judge(settlement, sight, found, bounds, expiry_us=accepted.expiry_us, waited_blocks=waited)

    async def _act(self, settlement: OpenSettlement, minded: _Minded, sight: Sight, verdict: Verdict) -> None:
        match verdict:
            case TryAgain():
                await self._attempts.submit(settlement.requested.settlement_id, sight)
            case Replace(errand, text):
                _log.info("%s is replaced (%s): %s", settlement.transactions[-1].tx_hash, errand, text)
                await self._attempts.replace(settlement, errand)
            case Wait(stuck):
                if stuck:
                    newest = settlement.transactions[-1]
                    await self._alert(settlement, "stuck", f"{newest.tx_hash} was outbid as often as may be, in vain")
            case Reverted(_, by_others) if by_others and minded.doubted in {"", sight.head.block_hash}:
                minded.doubted = sight.head.block_hash  # a node may not have had our receipt yet: look once more
            case _:
                await self._tell(settlement, minded, verdict)

    async def _tell(
        self, settlement: OpenSettlement, minded: _Minded, verdict: Included | Reorged | Confirmed | Reverted
    ) -> None:
        """Tell what became of it; the same again only after it had time to show in the log."""
        now_s, told = asyncio.get_running_loop().time(), minded.told
        if told is not None and told[0] == verdict and told[1] is settlement and now_s < told[2]:
            return
        minded.told = (verdict, settlement, now_s + TOLD_S)
        kind, name, body = _fact(settlement, verdict)
        await tell(self._facts, SOURCE, kind, f"{kind}|{name}|{self._clock.now_us()}", body)

    async def _alert(self, settlement: OpenSettlement, trouble: str, text: str) -> None:
        """Raise an alert once for a settlement's trouble."""
        subject = str(settlement.requested.settlement_id)
        alert = RaiseAlert(
            alert_id=natural_id("settling", trouble, subject),
            severity=Severity.CRITICAL,
            area="settlement",
            subject=subject,
            text=text,
            cause_position=self._replica.position,
        )
        if alert.alert_id not in self._replica.book.alerts:
            await tell(self._facts, SOURCE, "alert.raise", f"{trouble}|{subject}", alert)


def _fact(
    settlement: OpenSettlement, verdict: Included | Reorged | Confirmed | Reverted
) -> tuple[str, str, RecordIncluded | RecordReorged | RecordConfirmed | RecordReverted]:
    """Return the kind, the name of the subject and the body of the fact that a verdict is."""
    key = settlement.requested.settlement_id
    match verdict:
        case Included(receipt):
            body = RecordIncluded(settlement_id=key, receipt=receipt)
            return body.KIND, f"{receipt.tx_hash}|{receipt.block_hash}", body
        case Reorged(receipt):
            gone = RecordReorged(settlement_id=key, tx_hash=receipt.tx_hash, block_hash=receipt.block_hash)
            return gone.KIND, f"{receipt.tx_hash}|{receipt.block_hash}", gone
        case Confirmed(reference):
            return RecordConfirmed.KIND, str(key), RecordConfirmed(settlement_id=key, reference=reference)
        case Reverted(text):
            count = len(settlement.transactions)
            fallen = RecordReverted(settlement_id=key, text=readable(text), transactions=count)
            return fallen.KIND, str(key), fallen
