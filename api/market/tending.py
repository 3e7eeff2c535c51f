"""Tending what one partner of several provides: when it is away, the others go on, and it is tried again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

PAUSE_S = 1.0
PAUSE_S_MAX = 30.0
# Work that lasted this long before it broke begins again without a pause grown by earlier failures.
LASTED_S = 60.0

_log = logging.getLogger("ballast.tending")

Work = Callable[[Callable[[], None]], Awaitable[None]]
"""Work with a partner until it is away; call what is given once it is there."""


class Tended:
    """Keep work with one partner going; `there` says whether it answers now."""

    def __init__(
        self, name: str, work: Work, away: tuple[type[Exception], ...], tell: Callable[[str], Awaitable[None]]
    ) -> None:
        self.there = False
        self.failures = 0
        self._name = name
        self._work = work
        self._away = away
        self._tell = tell

    async def run(self) -> None:
        """Work until cancelled; raise what is not the partner's being away."""
        loop, pause = asyncio.get_running_loop(), PAUSE_S
        while True:
            began = loop.time()
            try:
                await self._work(self._opened)
            except self._away as error:
                text = f"{type(error).__name__}: {error}"
            except ExceptionGroup as group:
                away, others = group.split(self._away)
                if away is None or others is not None:
                    raise
                text = "; ".join(f"{type(error).__name__}: {error}" for error in away.exceptions)
            else:
                raise RuntimeError(f"{self._name} ended by itself")
            self.there = False
            self.failures += 1
            _log.warning("%s is away: %s", self._name, text)
            await self._tell(text)
            pause = PAUSE_S if loop.time() - began > LASTED_S else pause
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_S_MAX)

    def _opened(self) -> None:
        self.there = True
