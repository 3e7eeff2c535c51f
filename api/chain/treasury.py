"""The treasury's worker: carries custody proposals out by calls, where a key of ours is the contract's manager.

It keeps no state of its own: what is open is in its replica of the Book, what happened is on the chain. One call is
under way at a time. It is sent when, and only when, the log shows it, then at every head; the same bytes count once.
"""

import asyncio
import logging
from uuid import UUID

import msgspec

from api.chain.sight import AWAY_S, UNPAYABLE, Sight, draft, look_round
from api.replica import Replica
from api.telling import readable, tell
from commands.chain_ports import ChainReader, Custody
from commands.context import Context
from commands.custody import RecordCustodyFailed, RecordCustodyIncluded, SubmitCustody, submit_custody
from commands.envelope import Command
from commands.ports import Clock, Facts, Lease
from commands.watch import RaiseAlert
from domain.ids import natural_id
from domain.refusal import Broken, Refusal, Rejected, Unavailable, Unknown
from domain.transaction import Errand, Receipt, Transaction, replacement_fees
from domain.treasury import CustodyCall, Direction, Proposal
from domain.watch import Severity

SOURCE = "chain"
# What was told and the log does not show after so long was refused, or lost: it is done again from what is known then.
TOLD_S = 5.0
# A call that the contract, the signer or a bound of ours refuses is tried out again after so many blocks.
REFUSED_BLOCKS = 50
# A nonce counts as somebody else's when so many different heads show it used up and no receipt of ours.
MISSED_HEADS = 3

_log = logging.getLogger("ballast.treasury")


class Manager(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the chain as the worker needs it: to read, to call, and when a block counts as final or a wait as stuck."""

    reader: ChainReader
    custody: Custody
    finality_blocks: int
    stuck_blocks: int = 3


class TreasuryCalls:
    """Carry out the custody proposals of one book, as the only lease-holder of their sender.

    Whoever follows the log for the replica does so beside it.
    """

    def __init__(self, replica: Replica, manager: Manager, facts: Facts, clock: Clock, lease: Lease) -> None:
        self._replica = replica
        self._manager = manager
        self._facts = facts
        self._clock = clock
        self._lease = lease
        self._told: tuple[CustodyCall | None, float] = (None, 0.0)
        self._refused_at: dict[tuple[UUID, str], int] = {}
        self._seen_open: tuple[str, int] = ("", 0)
        self._missed: tuple[str, int] = ("", 0)

    async def run(self) -> None:
        """Look at every head until cancelled; raise `Fenced` when another took over."""
        manager, head = self._manager, None
        while True:
            try:
                head = await manager.reader.wait_head(head)
                await self._turn(
                    await look_round(manager.reader, manager.custody.sender, manager.finality_blocks, head)
                )
            except (Unavailable, Unknown):
                await asyncio.sleep(AWAY_S)

    async def _turn(self, sight: Sight) -> None:
        call = self._replica.book.treasury.call
        if call is None:
            await self._begin(sight)
        elif call.newest.sender != self._manager.custody.sender:
            text = f"its call was begun by {call.newest.sender}, whose key is not this worker's"
            await self._alert(call.asset, f"sender|{call.newest.tx_hash}", text)
        elif call.newest.nonce < sight.used_finally:
            await self._end(call, sight)
        elif call.newest.nonce >= sight.used:
            await self._keep_going(call, sight)

    # A call that is to begin

    async def _begin(self, sight: Sight) -> None:
        """Sign the next call that the Book would permit, and ask it to."""
        if self._waits() or sight.used != sight.used_finally:
            return  # the answer is awaited, or somebody else's use of our key is not final
        nonce = sight.used_finally
        for proposal in tuple(self._replica.book.treasury.proposals.values()):
            for custodian, amount in proposal.unpaid[:1]:
                unsigned = draft(Errand.SETTLE, self._manager.custody.sender, nonce)
                wanted = _submission(proposal, custodian, amount, unsigned, sight)
                if self._refusal(wanted) is None and not self._was_refused(wanted, sight):
                    await self._try_out(wanted, sight)
                    return

    async def _try_out(self, wanted: SubmitCustody, sight: Sight) -> None:
        custody, asset = self._manager.custody, self._replica.book.asset(wanted.asset).address
        try:
            gas_limit = await custody.preflight(wanted.custodian, asset, wanted.amount)
            fees = await custody.fees(0)
            self._lease.check()
            signed = await custody.sign(
                wanted.custodian, asset, wanted.amount, nonce=wanted.transaction.nonce, gas_limit=gas_limit, fees=fees
            )
        except Rejected as error:
            await self._refuse(wanted, error, sight)
            return
        await self._ask(msgspec.structs.replace(wanted, transaction=signed))

    async def _refuse(self, wanted: SubmitCustody, error: Rejected, sight: Sight) -> None:
        """Leave a proposal be for a while, and tell a person once: the multisig may carry it out as ever."""
        still = {each.proposal_id for each in self._replica.book.treasury.proposals.values()}
        self._refused_at = {key: block for key, block in self._refused_at.items() if key[0] in still}
        self._refused_at[wanted.proposal_id, wanted.custodian] = sight.head.number
        text = f"{wanted.amount} atoms cannot be sent to {wanted.custodian}: {readable(str(error))}"
        _log.warning("%s: %s", wanted.proposal_id, text)
        await self._alert(wanted.asset, f"refused|{wanted.proposal_id}|{wanted.custodian}|{error.code}", text)

    def _was_refused(self, wanted: SubmitCustody, sight: Sight) -> bool:
        block = self._refused_at.get((wanted.proposal_id, wanted.custodian))
        return block is not None and sight.head.number < block + REFUSED_BLOCKS

    # A call that is under way

    async def _keep_going(self, call: CustodyCall, sight: Sight) -> None:
        """Send the newest transaction once more; outbid it when it has waited for too long."""
        await self._send(call)
        newest = call.newest
        if self._seen_open[0] != newest.tx_hash or newest.nonce != sight.used:
            self._seen_open = (newest.tx_hash, sight.head.number)
        if sight.head.number - self._seen_open[1] < self._manager.stuck_blocks or self._waits():
            return
        policy = self._replica.book.policy
        if policy is not None and len(call.transactions) > policy.settlement_replacements_max:
            await self._alert(call.asset, f"stuck|{newest.tx_hash}", f"{newest.tx_hash} was outbid as often as may be")
            return
        await self._replace(call, sight)

    async def _send(self, call: CustodyCall) -> None:
        self._lease.check()
        try:
            await self._manager.custody.broadcast(call.newest)
        except Rejected as error:  # receipts and nonces tell what became of it; only a lack of money needs a person
            _log.warning("%s was not taken: %s", call.newest.tx_hash, readable(str(error)))
            if error.code == UNPAYABLE:
                text = f"{call.newest.sender} cannot pay for {call.newest.tx_hash}: {readable(error.text)}"
                await self._alert(call.asset, f"unpayable|{call.newest.tx_hash}", text)

    async def _replace(self, call: CustodyCall, sight: Sight) -> None:
        newest, custody = call.newest, self._manager.custody
        proposal = self._replica.book.treasury.open(call.asset, Direction.CUSTODY)
        if proposal is None:
            raise Broken("a call is under way and what proposed it is not open")
        fees = replacement_fees(newest.fees, await custody.fees(len(call.transactions)))
        unsigned = draft(Errand.SETTLE, newest.sender, newest.nonce, fees)
        wanted = _submission(proposal, call.custodian, call.amount, unsigned, sight)
        refusal = self._refusal(wanted)
        if refusal is not None:
            _log.info("%s is not replaced: %s", newest.tx_hash, refusal.text)
            return
        asset = self._replica.book.asset(call.asset).address
        self._lease.check()
        try:
            signed = await custody.sign(
                call.custodian, asset, call.amount, nonce=newest.nonce, gas_limit=newest.gas_limit, fees=fees
            )
        except Rejected as error:
            _log.warning("%s is not replaced: %s", newest.tx_hash, readable(str(error)))
            await self._alert(call.asset, f"unreplaced|{newest.tx_hash}|{error.code}", readable(str(error)))
            return
        await self._ask(msgspec.structs.replace(wanted, transaction=signed))

    async def _end(self, call: CustodyCall, sight: Sight) -> None:
        """Tell what its nonce came to, which is used up for good."""
        if self._waits():
            return
        receipt = await self._receipt(call)
        if receipt is not None:
            if receipt.block_number <= sight.final:
                await self._tell(RecordCustodyIncluded(proposal_id=call.proposal_id, receipt=receipt))
            return
        tx_hash = call.newest.tx_hash
        self._missed = (tx_hash, self._missed[1] + 1 if self._missed[0] == tx_hash else 1)
        if self._missed[1] >= MISSED_HEADS:
            text = f"nonce_taken: nonce {call.newest.nonce} was used by a transaction that is not the book's"
            count = len(call.transactions)
            await self._tell(RecordCustodyFailed(proposal_id=call.proposal_id, transactions=count, text=text))

    async def _receipt(self, call: CustodyCall) -> Receipt | None:
        for transaction in reversed(call.transactions):
            receipt = await self._manager.reader.receipt(transaction.tx_hash)
            if receipt is not None:
                return receipt
        return None

    # What is told

    def _refusal(self, command: SubmitCustody) -> Refusal | None:
        """Return what the Book would refuse it for now: what it surely refuses need not be signed or told."""
        context = Context(command.proposal_id, SOURCE, self._clock.now_us())
        decided = submit_custody(self._replica.book, command, context)
        return decided if isinstance(decided, Refusal) else None

    async def _ask(self, command: SubmitCustody) -> None:
        refusal = self._refusal(command)
        if refusal is not None:
            _log.warning("%s would be refused: %s", command.transaction.tx_hash, refusal.text)
            return
        await self._tell(command)

    async def _tell(self, command: Command) -> None:
        """Tell under a key of its own each time: a fact that was refused may be right later."""
        before = self._replica.book.treasury.call
        await tell(self._facts, SOURCE, command.KIND, f"{command.KIND}|{self._clock.now_us()}", command)
        self._told = (before, asyncio.get_running_loop().time() + TOLD_S)

    def _waits(self) -> bool:
        """Say whether what was told may yet be answered."""
        before, until_s = self._told
        return self._replica.book.treasury.call is before and asyncio.get_running_loop().time() < until_s

    async def _alert(self, asset: str, trouble: str, text: str) -> None:
        """Raise an alert once for a trouble."""
        alert = RaiseAlert(
            alert_id=natural_id("treasury", trouble),
            severity=Severity.CRITICAL,
            area="treasury",
            subject=asset,
            text=text,
            cause_position=self._replica.position,
        )
        if alert.alert_id not in self._replica.book.alerts:
            await tell(self._facts, SOURCE, "alert.raise", trouble, alert)


def _submission(
    proposal: Proposal, custodian: str, amount: int, transaction: Transaction, sight: Sight
) -> SubmitCustody:
    return SubmitCustody(
        proposal_id=proposal.proposal_id,
        asset=proposal.asset,
        custodian=custodian,
        amount=amount,
        transaction=transaction,
        transaction_count=sight.used_finally,
    )
