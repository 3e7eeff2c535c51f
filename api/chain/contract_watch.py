"""The contract's watch: mirrors its terms and its parties into the Book, and says when the chain is away.

What it tells follows from what the chain shows and the Book does not: nothing is kept but the place up to which logs
were read, so a fact that was lost is told again, and after a restart logs are read from the last recorded admission on.

An admission counts once its block is final. A removal counts at once; one whose block was given up is taken back when
the block that it stood in, had it stayed, would be final.
"""

import asyncio
import logging

import msgspec

from api.chain.ratio_watch import RatioWatch
from api.chain.supply_watch import SupplyWatch
from api.chain.watched import Watched
from api.replica import Replica
from api.telling import readable, tell
from commands.onchain import ObserveContract, RecordParty
from commands.ports import Clock, Facts
from domain.onchain import CHAIN, ContractTerms, PartyAdmitted, PartyChange, PartyKind, party_key
from domain.refusal import Rejected, Unavailable, Unknown
from domain.transaction import Block

SOURCE = "chain"
# Blocks of logs asked for and told at once.
SPAN_BLOCKS_MAX = 2_000
# A chain that is away is asked again after so long, and after so long it is told to be away.
AWAY_S = 1.0
DEGRADED_AFTER_S = 3.0
# What the Book still has wrong after so long is told again, so often: then it is the Book's own bound that keeps it.
TOLD_S = 5.0
TOLD_TIMES_MAX = 20
# Logs are read again so many finalities before the last recorded admission: removals may stand in younger blocks.
REREAD_FINALITIES = 2

_log = logging.getLogger("ballast.contract")


class _Told(msgspec.Struct):
    admitted: bool
    until_s: float
    times: int = 1


class ContractWatch:
    """Watch one contract, beside a worker that follows the log for the replica."""

    def __init__(self, replica: Replica, watched: Watched, facts: Facts, clock: Clock) -> None:
        self._replica = replica
        self._watched = watched
        self._facts = facts
        self._clock = clock
        self._parties = Parties(replica, watched, facts)
        self._supply = SupplyWatch(replica, watched, facts, clock)
        self._ratios = RatioWatch(replica, watched, facts, clock)
        self._terms_at: int | None = None
        self._away_since_s: float | None = None
        self._told_away: tuple[bool, float] = (False, 0.0)

    async def run(self) -> None:
        """Watch until cancelled."""
        head: Block | None = None
        while True:
            try:
                head = await self._watched.reader.wait_head(head)
                await self._parties.look(head)
                await self._look_at_terms(head)
                await self._supply.look(head)
                await self._ratios.look(head)
            except (Unavailable, Unknown, Rejected) as error:
                await self._away(readable(f"{type(error).__name__}: {error}"))
                await asyncio.sleep(AWAY_S)
            else:
                self._away_since_s = None
                await self._mind(away=False, text="the chain answers")

    async def _away(self, text: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._away_since_s is None:
            self._away_since_s = now_s
        if now_s - self._away_since_s >= DEGRADED_AFTER_S:
            await self._mind(away=True, text=text)

    async def _mind(self, *, away: bool, text: str) -> None:
        """Tell whether the chain is away while the Book has it wrong, again only after a while."""
        now_s = asyncio.get_running_loop().time()
        told, until_s = self._told_away
        if (CHAIN in self._replica.book.dependencies) is away or (told is away and now_s < until_s):
            return
        self._told_away = (away, now_s + TOLD_S)
        kind = "dependency.degraded" if away else "dependency.restored"
        body = {"dependency": CHAIN, "text": text}
        await tell(self._facts, SOURCE, kind, f"{kind}|{CHAIN}|{self._clock.now_us()}", body)

    async def _look_at_terms(self, head: Block) -> None:
        """Tell the contract's terms when they are not what the Book has, or at the start."""
        policy, at = self._replica.book.policy, self._terms_at
        if policy is None or (at is not None and at <= head.number < at + self._watched.terms_blocks):
            return
        terms = await self._watched.reader.terms([asset.address for asset in policy.assets], head.number)
        if at is None or not _same(terms, self._replica.book.onchain.terms):
            key = f"contract|{terms.block_hash}|{self._clock.now_us()}"
            await tell(self._facts, SOURCE, ObserveContract.KIND, key, ObserveContract(terms=terms))
        self._terms_at = head.number


def _same(terms: ContractTerms, known: ContractTerms | None) -> bool:
    """Say whether terms are as known, whichever block they were seen at."""
    if known is None:
        return False
    return msgspec.structs.replace(terms, block_number=known.block_number, block_hash=known.block_hash) == known


class Parties:
    """Mirror who the contract admits."""

    def __init__(self, replica: Replica, watched: Watched, facts: Facts) -> None:
        self._replica = replica
        self._watched = watched
        self._facts = facts
        chain = replica.book.onchain
        reread = max(chain.party_block - REREAD_FINALITIES * watched.finality_blocks, 0)
        self._next = max(watched.first_block, reread)
        # Changes in final blocks that the Book does not show yet.
        self._settled: dict[str, PartyChange] = {}
        # Removals that the Book has and no final block shows yet: their blocks may be given up.
        self._early: dict[str, PartyChange] = {
            key: _removal(key, *at) for key, at in chain.removals.items() if at[0] >= self._next
        }
        self._told: dict[str, _Told] = {}

    async def look(self, head: Block) -> None:
        """Read the logs up to a head and tell what the Book has wrong."""
        final = head.number - self._watched.finality_blocks
        while self._next <= final:
            last = min(self._next + SPAN_BLOCKS_MAX - 1, final)
            for change in await self._watched.reader.party_changes(self._next, last):
                self._settled[party_key(change)] = change
                self._early.pop(party_key(change), None)
            self._next = last + 1
            if last < final:
                await self._tell_differences({}, head, final)
        young = await self._watched.reader.party_changes(self._next, head.number) if self._next <= head.number else ()
        removed = {party_key(each): each for each in young if not each.admitted}
        await self._tell_differences(removed, head, final)

    async def _tell_differences(self, removed: dict[str, PartyChange], head: Block, final: int) -> None:
        chain = self._replica.book.onchain
        for key in [*self._settled, *(self._early.keys() - self._settled.keys()), *removed]:
            change = removed.get(key) or self._in_force(key, final)
            if change is None:
                continue  # a removal whose block is not final yet: it counts
            if change.admitted == chain.admitted(change.kind, change.party, change.owner):
                self._shown(key, removed)
                continue
            if not change.admitted and key in removed:
                self._early[key] = change
            if change.admitted and chain.removed_after(change):  # by a removal that did not stay
                change = msgspec.structs.replace(change, block_number=head.number, block_hash=head.block_hash)
            await self._tell(key, change)

    def _in_force(self, key: str, final: int) -> PartyChange | None:
        """Return the last final change; after a removal whose block was given up an admission, once that is certain."""
        early = self._early.get(key)
        if early is None:
            return self._settled.get(key)
        return msgspec.structs.replace(early, admitted=True) if early.block_number <= final else None

    def _shown(self, key: str, removed: dict[str, PartyChange]) -> None:
        """Forget what the Book has right; what may still be given up is kept."""
        self._told.pop(key, None)
        if key not in removed:
            self._settled.pop(key, None)
            self._early.pop(key, None)

    async def _tell(self, key: str, change: PartyChange) -> None:
        now_s, told = asyncio.get_running_loop().time(), self._told.get(key)
        if told is not None and told.admitted is change.admitted:
            if now_s < told.until_s or told.times >= TOLD_TIMES_MAX:
                return
            told.times, told.until_s = told.times + 1, now_s + TOLD_S
            if told.times == TOLD_TIMES_MAX:
                _log.error("the book does not take that %s is admitted=%s", key, change.admitted)
        else:
            self._told[key] = _Told(change.admitted, now_s + TOLD_S)
        version = self._replica.book.versions.get(PartyAdmitted(change=change).originator, 0)
        name = f"{key}|{change.admitted}|{change.block_hash}|{change.log_index}|{version}"
        await tell(self._facts, SOURCE, RecordParty.KIND, name, RecordParty(change=change))


def _removal(key: str, block_number: int, log_index: int) -> PartyChange:
    kind, owner, party = key.split("|")
    return PartyChange(
        kind=PartyKind(kind),
        party=party,
        owner=owner,
        admitted=False,
        block_number=block_number,
        block_hash="",
        tx_hash="",
        log_index=log_index,
    )
