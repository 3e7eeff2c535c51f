"""The venue's dead-man's switch, kept armed by who may have orders there: if we die, the venue cancels what rests.

It is armed before anything that may rest is sent, and given more time every `RENEW_S`, well before the venue's time is
over. What was armed is believed for that time and no longer. That it could not be is told as the loss of a dependency,
`<venue>.switch`: at once where the venue refuses, else while there is still time on it. At an end with nothing open it
is disarmed; with anything open it is left to go off, unless somebody takes the account up before.
"""

import asyncio
import contextlib
import logging
from typing import Protocol

from api.execution.sweeping import SOURCE
from api.replica import Replica
from api.telling import readable, tell
from commands.ports import Clock, Facts, Fenced, Lease
from domain.venue import Rejected, Unavailable, Unknown

RENEW_S = 10.0
AGAIN_S = 2.0
"""After a failure it is tried again so soon."""
GRACE_S = 5.0
"""A renewal may be late by so much before it is told; the venues' switches have more time than that."""
ARM_S = 8.0
END_S = 3.0
# What the book has wrong about the switch for so long is told again: its fact was lost with a wiped inbox.
TOLD_S = 5.0

_log = logging.getLogger("ballast.execution")


class Account(Protocol):
    """Arm the switch of a venue account."""

    @property
    def name(self) -> str:
        """Return the venue's id."""
        ...

    @property
    def account(self) -> str:
        """Return the account's name."""
        ...

    @property
    def switch_s(self) -> int | None:
        """Return how long after its last arming the switch goes off; None where the venue has none."""
        ...

    async def arm(self) -> None:
        """Arm the switch, or give it more time."""
        ...

    async def disarm(self) -> None:
        """Stop the switch."""
        ...


class Switch:
    """Keep the switch of one account armed, as its only lease-holder."""

    def __init__(self, account: Account, replica: Replica, facts: Facts, clock: Clock, lease: Lease) -> None:
        self._account = account
        self._replica = replica
        self._facts = facts
        self._clock = clock
        self._lease = lease
        self._held_until_s: float | None = None
        self._overdue_s = 0.0
        self._trouble: str | None = None
        self._news = asyncio.Event()
        self._armed = asyncio.Event()

    @property
    def dependency(self) -> str:
        """Return what the switch is called among the book's dependencies."""
        return f"{self._account.name}.switch"

    @property
    def holds(self) -> bool:
        """Say whether orders may rest: the switch is surely armed, or the venue has none."""
        if self._account.switch_s is None:
            return True
        return self._held_until_s is not None and asyncio.get_running_loop().time() < self._held_until_s

    async def holding(self, within_s: float) -> bool:
        """Wait until the switch is armed, at most so long; say whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(within_s, 0)):
                while not self.holds:
                    self._armed.clear()
                    await self._armed.wait()
        return self.holds

    async def run(self) -> None:
        """Keep the switch armed until cancelled, and tell when it is not."""
        if self._account.switch_s is None:
            await asyncio.Event().wait()
        self._overdue_s = asyncio.get_running_loop().time() + GRACE_S
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._renew())
                tasks.create_task(self._tell())
        finally:
            await self._end()

    async def _renew(self) -> None:
        while True:
            armed = await self._arm()
            await asyncio.sleep(RENEW_S if armed else AGAIN_S)

    async def _arm(self) -> bool:
        """Arm once, say whether that is sure, and note what is to be told."""
        self._lease.check()
        now_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(ARM_S):
                await self._account.arm()
        except (Rejected, Unavailable, Unknown, TimeoutError) as error:
            text = readable(f"{type(error).__name__}: {error}")
            _log.info("%s is not armed: %s", self.dependency, text)
            if isinstance(error, Rejected) or asyncio.get_running_loop().time() >= self._overdue_s:
                self._note(text)
            return False
        # The venue counts from when it heard of it, which is not before it was asked.
        self._held_until_s = now_s + (self._account.switch_s or 0)
        self._overdue_s = now_s + RENEW_S + GRACE_S
        self._armed.set()
        self._note("")
        return True

    def _note(self, trouble: str) -> None:
        self._trouble = trouble
        self._news.set()

    async def _tell(self) -> None:
        """Tell that the switch is not armed, or is again, until the book knows."""
        while True:
            known_down = self.dependency in self._replica.book.dependencies
            if self._trouble is not None and known_down is not bool(self._trouble):
                kind = "dependency.degraded" if self._trouble else "dependency.restored"
                text = self._trouble or "armed"
                body = {"dependency": self.dependency, "text": text}
                await tell(self._facts, SOURCE, kind, f"{kind}|{self.dependency}|{self._clock.now_us()}", body)
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TOLD_S):
                    await self._news.wait()

    async def _end(self) -> None:
        """Disarm where nothing is open and nobody else has the account; else the venue ends what rests."""
        try:
            self._lease.check()
            if self._open():
                _log.warning("%s is left armed: orders are open", self.dependency)
                return
            async with asyncio.timeout(END_S):
                await self._account.disarm()
        except (Fenced, Rejected, Unavailable, Unknown, TimeoutError) as error:
            _log.info("%s is not disarmed: %s: %s", self.dependency, type(error).__name__, error)

    def _open(self) -> bool:
        """Say whether anything may be at the venue that was sent and is not known to be over."""
        mine = (self._account.name, self._account.account)
        orders = self._replica.book.orders.values()
        return any(order.attempt and (order.order.venue, order.order.account) == mine for order in orders)
