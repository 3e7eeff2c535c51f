"""Indicative prices: what each size would cost, per pair, four times a second; a sample of them stays in the log."""

import asyncio
from typing import Protocol

from api.replica import Replica
from api.telling import tell
from commands.indicative import SampleIndicative
from commands.ports import Clock, Evidence, Facts
from domain.codec import encode
from domain.indicative import Ladder
from domain.ladder import ladder

LADDER_EVERY_S = 0.25
SAMPLE_EVERY_S = 60.0
SOURCE = "market"


class Signals(Protocol):
    """Publish for whoever listens now; never waits."""

    def publish_indicative(self, pair: str, body: bytes) -> None:
        """Publish a ladder."""
        ...


class Indicating:
    """Price ladders on the view and publish them."""

    def __init__(self, replica: Replica, view: Evidence, signals: Signals, facts: Facts, clock: Clock) -> None:
        self.published = 0
        self._replica = replica
        self._view = view
        self._signals = signals
        self._facts = facts
        self._clock = clock
        self._last: dict[str, tuple[Ladder, int]] = {}

    async def run(self) -> None:
        """Publish and sample until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish())
            tasks.create_task(self._sample())

    def price(self) -> None:
        """Price and publish every pair's ladder once."""
        now_us = self._clock.now_us()
        book = self._replica.book
        evidence, witnesses = self._view.look(now_us), self._view.witnesses(now_us)
        for pair in book.policy.pairs if book.policy is not None else ():
            prices = ladder(book, pair, evidence, witnesses, now_us)
            self._last[pair.name] = prices, now_us
            self._signals.publish_indicative(pair.name, encode(prices))
            self.published += 1

    async def _publish(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self.price()
            due = max(due + LADDER_EVERY_S, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_EVERY_S)
            for pair, (prices, at_us) in self._last.items():
                sample = SampleIndicative(ladder=prices, at_us=at_us)
                await tell(self._facts, SOURCE, sample.KIND, f"{pair}|{at_us}", sample)
