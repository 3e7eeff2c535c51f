"""The market worker: publishes every book it hears, and what each size would cost, four times a second."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from api.markets import Markets, book_message
from api.replica import Replica
from commands.ports import Clock, Follower
from domain.codec import encode
from domain.ladder import ladder
from domain.venue import BookEvent

LADDER_EVERY_S = 0.25


class Books(Protocol):
    """Hear a venue's books."""

    def book_events(self) -> AsyncGenerator[BookEvent, None]:
        """Stream books as they change, and their losses; it reconnects by itself."""
        ...


class Signals(Protocol):
    """Publish for whoever listens now; never waits."""

    def publish_market(self, venue: str, symbol: str, kind: str, body: bytes) -> None:
        """Publish normalised market data."""
        ...

    def publish_indicative(self, pair: str, body: bytes) -> None:
        """Publish a ladder."""
        ...


class Feeding:
    """Feed the bus from one venue's books, and price ladders on them."""

    def __init__(self, replica: Replica, follower: Follower, books: Books, signals: Signals, clock: Clock) -> None:
        self.published = 0
        self._replica = replica
        self._follower = follower
        self._books = books
        self._signals = signals
        self._clock = clock
        self._markets = Markets()

    async def run(self) -> None:
        """Feed until cancelled; raise what broke."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear())
            tasks.create_task(self._follow())
            tasks.create_task(self._price())

    async def _hear(self) -> None:
        async with aclosing(self._books.book_events()) as events:
            async for event in events:
                message = book_message(event)
                self._markets.put(message)
                self._signals.publish_market(message.venue, message.symbol, "book", encode(message))
                self.published += 1

    async def _follow(self) -> None:
        while True:
            await self._replica.follow(self._follower)

    async def _price(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            now_us = self._clock.now_us()
            evidence = self._markets.look(now_us)
            policy = self._replica.book.policy
            for pair in policy.pairs if policy is not None else ():
                witnesses = self._markets.witnesses(now_us)
                prices = ladder(self._replica.book, pair, evidence, witnesses, now_us)
                self._signals.publish_indicative(pair.name, encode(prices))
            due = max(due + LADDER_EVERY_S, loop.time())
            await asyncio.sleep(due - loop.time())
