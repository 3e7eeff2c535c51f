"""Watching risk: the core looks many times a second, and asks itself to record what a look found.

The look is the decider's own, tried on the Book as it is: where it would record nothing, nothing is asked. One is on
its way at a time. What must be remembered between looks is kept here, and goes with the command that rests on it.

All limits are measured anew only when something happened, a price moved, or it was long ago; and looking takes no more
than a tenth of the core's time, however much there is to measure.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from api.core import ACTOR, Asked
from commands.envelope import Reply
from commands.handler import Handler
from commands.ports import Clock
from commands.risk import LookAtRisk, Since, moved, survey
from domain.carry import MarkEvidence
from domain.codec import encode
from domain.ids import natural_id
from domain.market import Witness

LOOK_EVERY_S = 0.05
# With nothing new all is measured this often: what is counted over a while is less by then.
REST_US = 500_000
# Looking takes at most one part in so many of the loop's time.
ONE_IN = 10
# After a pause this long nothing counts as having been sound without a break.
PAUSE_MAX_US = 2_000_000


class Markets(Protocol):
    """Show what every source says."""

    def witnesses(self, now_us: int) -> tuple[Witness, ...]:
        """Return it, with ages at `now_us`."""
        ...

    def marks(self, now_us: int) -> tuple[MarkEvidence, ...]:
        """Return the newest mark of every perpetual."""
        ...


class Decides(Protocol):
    """Be the core: decide what is offered, on the Book that its handler holds."""

    @property
    def handler(self) -> Handler:
        """Return the handler."""
        ...

    def offer(self, asked: Asked) -> None:
        """Take a command, to be answered later."""
        ...


class RiskWatch:
    """Look at one core's Book, and offer it `risk.look` when one would record something."""

    def __init__(self, core: Decides, markets: Markets, clock: Clock) -> None:
        self.looks = 0
        self.recorded = 0
        self.look_us_max = 0
        self._core = core
        self._markets = markets
        self._clock = clock
        self._since: tuple[Since, ...] = ()
        self._looked_us = 0
        self._position = -1
        self._waiting = False

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self.look()
            took = loop.time() - began
            self.look_us_max = max(self.look_us_max, round(took * 1_000_000))
            await asyncio.sleep(max(LOOK_EVERY_S, (ONE_IN - 1) * took))

    def look(self) -> None:
        """Look once, unless what the last look asked for is not decided yet, or nothing is new."""
        if self._waiting:
            return
        now_us, handler = self._clock.now_us(), self._core.handler
        at_us = max(now_us, handler.at_us)
        witnesses, marks = self._markets.witnesses(now_us), self._markets.marks(now_us)
        rests = handler.position == self._position and at_us - self._looked_us < REST_US
        if rests and not moved(handler.book, at_us, witnesses, marks):
            return
        remembered = self._since if at_us - self._looked_us <= PAUSE_MAX_US else ()
        found = survey(handler.book, at_us, witnesses, marks, remembered)
        self._since, self._looked_us, self._position = found.since, at_us, handler.position
        self.looks += 1
        if found.events:
            self._ask(at_us)

    def _ask(self, at_us: int) -> None:
        self._waiting = True
        self.recorded += 1
        handler = self._core.handler
        command_id = natural_id("risk.look", str(handler.epoch), str(handler.sequence), str(at_us))
        body = encode(LookAtRisk(since=self._since))
        self._core.offer(Asked(command_id, LookAtRisk.KIND, ACTOR, body, "", "", self, None))

    def answer(self, answers: Sequence[tuple[object, Reply]]) -> None:
        """Be free to ask again: it is durable, or nothing was decided."""
        del answers
        self._waiting = False
