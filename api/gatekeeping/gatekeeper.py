"""The gatekeeper: every mint and redemption on chain, held against the market by prices of its own.

It needs nothing of the house: no database, no bus. It follows the contract's logs from its own cursor, judges each
block as soon as it is seen, and shuts the contract for what the rules do not let through. What it cannot see it says.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import aclosing
from itertools import groupby

import msgspec

from api.gatekeeping.memory import MARKS_MAX, Heartbeat, Mark, Notebook, Shutting, State
from api.gatekeeping.ports import Clock, PriceSource, Watched
from api.gatekeeping.prices import Prices
from api.gatekeeping.settings import GatekeeperSettings
from api.gatekeeping.shutting import Shutter, ordered
from domain.gatekeeping import Finding, Flow, Memory, Terms, assess, believed, forget_after, take
from domain.instant import MILLISECOND_US, SECOND_US
from domain.market import USD
from domain.refusal import Unavailable
from domain.transaction import Block

# Blocks read at once; after a long stop the next ones follow without a pause.
BLOCKS_MAX = 500
# What goes on being wrong is said again after this long.
REPEAT_US = 60 * SECOND_US
HEALTH_US = 60 * SECOND_US

_log = logging.getLogger("ballast.gatekeeper")


class Gatekeeping:
    """Watch, judge and shut, turn by turn. Every loop over it is the caller's, and so is the pause between turns."""

    def __init__(
        self,
        watched: Watched,
        shutter: Shutter,
        prices: Prices,
        terms: Terms,
        settings: GatekeeperSettings,
        clock: Clock,
        notebook: Notebook,
    ) -> None:
        self._watched = watched
        self._shutter = shutter
        self._prices = prices
        self._terms = terms
        self._settings = settings
        self._clock = clock
        self._notebook = notebook
        self._said: dict[str, int] = {}
        self._away: dict[str, tuple[int, str]] = {}
        self._healthy_us = 0
        self.head: Block | None = None
        state = notebook.read()
        # An order may have been saved amid a range of blocks: what lies above the last mark is read again.
        judged = state.marks[-1].number if state.marks else -1
        self.state = msgspec.structs.replace(state, memory=forget_after(state.memory, judged))

    async def turn(self) -> bool:
        """Take one turn; return whether more blocks wait already, so that the next one should not."""
        behind = False
        try:
            self.head = await self._watched.head()
            behind = await self._follow(self.head)
            self._back("chain")
        except Unavailable as error:
            self._gone("chain", str(error))
        self._judge()
        await self._shut()
        self._tell_health()
        return behind

    async def _follow(self, head: Block) -> bool:
        """Judge the blocks up to the head that were not judged yet; go back first where the chain did."""
        start = await self._agreed()
        oldest = head.number - self._settings.catch_up_blocks_max
        if start < oldest - 1:
            _log.critical("blocks_skipped: %d to %d are not judged, they are too old", start + 1, oldest - 1)
            start = oldest - 1
        last = min(head.number, start + BLOCKS_MAX)
        if last <= start:
            return False
        # Named before its range is read: if the chain changes meanwhile, the name is found wrong at the next turn.
        end = head if last == head.number else await self._there(last)
        self._take(await self._watched.flows(start + 1, last))
        self._mark(Mark(last, end.block_hash))
        return last < head.number

    async def _there(self, number: int) -> Block:
        block = await self._watched.block(number)
        if block is None:
            raise Unavailable(f"reorganised: block {number} is not there any more")
        return block

    async def _agreed(self) -> int:
        """Return the last judged block that is still on the chain, and forget what was judged above it."""
        marks = self.state.marks
        if not marks:
            head = self.head
            return max((head.number if head is not None else 0) - self._settings.lookback_blocks, 0) - 1
        for at in range(len(marks) - 1, -1, -1):
            block = await self._watched.block(marks[at].number)
            if block is not None and block.block_hash == marks[at].block_hash:
                if at < len(marks) - 1:
                    self._forget(marks[: at + 1], marks[at].number)
                return marks[at].number
        number = max(marks[0].number - self._settings.lookback_blocks, 0) - 1
        self._forget((), number)
        return number

    def _forget(self, marks: tuple[Mark, ...], number: int) -> None:
        _log.warning("reorganised: blocks above %d are judged again", number)
        memory = forget_after(self.state.memory, number)
        self.state = msgspec.structs.replace(self.state, marks=marks, memory=memory)

    def _take(self, flows: Sequence[Flow]) -> None:
        """Judge what a range of blocks held, a block at a time: a window may be shorter than the range."""
        for _, block in groupby(flows, key=lambda flow: flow.block_number):
            now_us = self._clock.now_us()
            self._remember(take(self.state.memory, tuple(block), self._terms, now_us))
            self._judge()

    def _judge(self) -> None:
        memory, findings = assess(self.state.memory, self._terms, self._prices.look, self._clock.now_us())
        self._remember(memory)
        self._found(findings)

    def _remember(self, memory: Memory) -> None:
        self.state = msgspec.structs.replace(self.state, memory=memory)

    def _found(self, findings: Sequence[Finding]) -> None:
        """Say what was found, and order the contract shut where the rules want it; once until it is open again."""
        shutting = [f"{finding.verdict.value}: {finding.text}" for finding in findings if finding.disables]
        for finding in findings:
            if not finding.disables and self._unsaid(finding):
                _log.warning("%s: %s (%s)", finding.verdict.value, finding.text, finding.tx_hash)
        if not shutting or self.state.shutting is not None:
            return
        for reason in shutting:
            _log.critical("shutting the contract: %s", reason)
        self._save(ordered(shutting, self._clock.now_us()))

    def _unsaid(self, finding: Finding) -> bool:
        """Say whether a finding is news: one flow is told of once by itself, what is true of many only now and then."""
        now_us = self._clock.now_us()
        if not finding.tx_hash and now_us - self._said.get(finding.verdict.value, 0) < REPEAT_US:
            return False
        if not finding.tx_hash:
            self._said[finding.verdict.value] = now_us
        return True

    async def _shut(self) -> None:
        order = self.state.shutting
        if order is None or self.head is None:
            return
        try:
            after = await self._shutter.step(order, self.head, self._save)
            self._back("gate")
        except Unavailable as error:
            self._gone("gate", str(error))
            return
        if after is None:
            # What was found before was answered for: only what comes from here on counts.
            self.state = msgspec.structs.replace(self.state, memory=Memory(marks=self.state.memory.marks))
        if after != self.state.shutting:
            self._save(after)

    def _mark(self, mark: Mark) -> None:
        marks = (*self.state.marks, mark)[-MARKS_MAX:]
        self._write(msgspec.structs.replace(self.state, marks=marks))

    def _save(self, order: Shutting | None) -> None:
        self._write(msgspec.structs.replace(self.state, shutting=order))

    def _write(self, state: State) -> None:
        """Save the state. A disk that fails must not keep the contract open: it is said, and the work goes on.

        Nothing is done twice for it: the nonce is the chain's, and what was judged is judged again after a restart.
        """
        self.state = state
        try:
            self._notebook.write(state)
            self._back("disk")
        except OSError as error:
            self._gone("disk", f"the state cannot be saved: {error.strerror}")

    def _gone(self, what: str, why: str) -> None:
        since_us, _ = self._away.get(what, (self._clock.now_us(), ""))
        self._away[what] = (since_us, why)
        _log.info("%s is away: %s", what, why)

    def _back(self, what: str) -> None:
        away = self._away.pop(what, None)
        if away is not None and self._said.pop(what, None) is not None:
            _log.warning("%s is back after %d s", what, (self._clock.now_us() - away[0]) // SECOND_US)

    def _tell_health(self) -> None:
        """Write the heartbeat; say aloud what is wrong for too long, again and again."""
        now_us = self._clock.now_us()
        rules = self._terms.rules
        for base in sorted({asset.underlying for asset in self._terms.assets.values()} - {USD}):
            if believed(self._prices.look(base, now_us), rules.sources) is None:
                self._gone(f"the price of {base}", "too few sources that agree")
            else:
                self._back(f"the price of {base}")
        trouble = {what: why for what, (_, why) in self._away.items()}
        for what, (since_us, why) in self._away.items():
            loud = now_us - since_us >= self._settings.blind_after_ms * MILLISECOND_US
            if loud and now_us - self._said.get(what, 0) >= REPEAT_US:
                self._said[what] = now_us
                _log.critical("blind: %s is away for %d s: %s", what, (now_us - since_us) // SECOND_US, why)
        beat = self._beat(now_us, trouble)
        if now_us - self._healthy_us >= HEALTH_US:
            self._healthy_us = now_us
            _log.info("%s: block %d of %d judged, %d flows wait", beat.state, beat.judged, beat.head, beat.pending)
        try:
            self._notebook.beat(beat)
        except OSError as error:
            self._gone("heartbeat", f"it cannot be written: {error.strerror}")
        else:
            self._back("heartbeat")

    def _beat(self, now_us: int, trouble: dict[str, str]) -> Heartbeat:
        order = self.state.shutting
        state = "watching"
        if order is not None:
            state = "shut" if order.shut_at else "shutting"
        elif "chain" in trouble:
            state = "blind"
        elif any(what.startswith("the price of ") for what in trouble):
            state = "unpriced"
        return Heartbeat(
            at_us=now_us,
            pid=os.getpid(),
            state=state,
            head=self.head.number if self.head is not None else 0,
            judged=self.state.marks[-1].number if self.state.marks else 0,
            pending=len(self.state.memory.pending),
            trouble=tuple(f"{what}: {why}" for what, why in sorted(trouble.items())),
            reasons=order.reasons if order is not None else (),
            transaction=order.transactions[-1].tx_hash if order is not None and order.transactions else "",
        )


async def keep(gatekeeping: Gatekeeping, poll_ms: int) -> None:
    """Take turns until cancelled, without a pause while blocks wait."""
    while True:
        behind = await gatekeeping.turn()
        await asyncio.sleep(0 if behind else poll_ms / 1_000)


async def listen(prices: Prices, source: PriceSource) -> None:
    """Remember what a source of prices tells until cancelled."""
    async with aclosing(source.events()) as events:
        async for event in events:
            prices.take(event)
