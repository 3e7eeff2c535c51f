"""Our own order rate at one venue: below what the venue allows, so that it never has to refuse or ban us.

Outside ccxt, because an order's validity must be checked when its turn has come. Cancels come first: they only ever
lessen what is at risk. Who cannot have a turn in time is told so at once, not at the end of the wait.
"""

import asyncio
from collections import deque

from adapters.exchange.settings import OrderRate
from domain.venue import RateSpent

WAITING_MAX = 1_000
"""More than this many wait for nothing: the venue is not there to be flooded."""


class _Turn:
    """Wait for one's turn until `until_s` of the loop's time."""

    __slots__ = ("future", "until_s")

    def __init__(self, future: asyncio.Future[None], until_s: float | None) -> None:
        self.future = future
        self.until_s = until_s


class OrderBudget:
    """Let orders and cancels through: `rate.burst` at once, then `rate.per_s`, in their order, cancels first.

    `sent` and `cancels` count who was let through, `spent` who was not.
    """

    def __init__(self, rate: OrderRate) -> None:
        self.rate = rate
        self.sent = 0
        self.cancels = 0
        self.spent = 0
        self._room = float(rate.burst)
        self._counted_s: float | None = None
        self._orders: deque[_Turn] = deque()
        self._cancels: deque[_Turn] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Return how many wait for their turn."""
        return len(self._orders) + len(self._cancels)

    async def order(self, within_s: float) -> None:
        """Wait for an order's turn, at most so long; raise `RateSpent` when it cannot come in time."""
        await self._take(self._orders, within_s)
        self.sent += 1

    async def cancel(self) -> None:
        """Wait for a cancel's turn, before every order; raise `RateSpent` when far too many wait already."""
        await self._take(self._cancels, None)
        self.cancels += 1

    async def _take(self, queue: deque[_Turn], within_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        now_s = self._refilled()
        if self._room >= 1 and not self.waiting:
            self._room -= 1
            return
        ahead = self.waiting if queue is self._orders else len(queue)
        wait_s = (ahead + 1 - self._room) / self.rate.per_s
        if ahead >= WAITING_MAX or (within_s is not None and wait_s > within_s):
            self._refuse(f"{ahead} wait before it at {self.rate.per_s} a second")
        turn = _Turn(loop.create_future(), None if within_s is None else now_s + within_s)
        queue.append(turn)
        self._wind()
        try:
            await turn.future
        except asyncio.CancelledError:
            if turn in queue:
                queue.remove(turn)
            elif not turn.future.cancelled() and turn.future.exception() is None:
                self._room += 1  # its turn had come, and nothing is sent
            raise

    def _refuse(self, why: str) -> None:
        self.spent += 1
        raise RateSpent(f"not sent: our own order rate has no room in time: {why}")

    def _refilled(self) -> float:
        """Count the room that has grown since it was last looked at, and return the time."""
        now_s = asyncio.get_running_loop().time()
        if self._counted_s is not None:
            grown = max(now_s - self._counted_s, 0.0) * self.rate.per_s
            self._room = min(self._room + grown, float(self.rate.burst))
        self._counted_s = now_s
        return now_s

    def _wind(self) -> None:
        """Be woken when there is room for the next."""
        if self._timer is None and self.waiting:
            pause_s = max(1 - self._room, 0.0) / self.rate.per_s
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._release)

    def _release(self) -> None:
        """Give their turns to those that there is room for, and tell those whose time has passed."""
        self._timer = None
        now_s = self._refilled()
        while self.waiting and self._room >= 1:
            turn = (self._cancels or self._orders).popleft()
            if turn.future.done():
                continue
            if turn.until_s is not None and now_s > turn.until_s:
                self.spent += 1
                turn.future.set_exception(RateSpent("not sent: cancels went first, and its time has passed"))
                continue
            self._room -= 1
            turn.future.set_result(None)
        self._wind()
