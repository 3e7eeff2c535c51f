"""What the kill needs from outside, and may find away: accounts swept, leases taken, a mode set, a contract shut."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from commands.ports import Sweep

OpenSweep = Callable[[], AbstractAsyncContextManager[Sweep]]
"""Opens one venue account; opening asks nothing of the venue, and may fail as any call."""


class Halts(Protocol):
    """Have HALTED recorded by the running house; raise `Rejected` or `Unavailable`."""

    async def halt(self, reason: str) -> str:
        """Halt everything; return in words what was answered."""
        ...

    async def look(self) -> str:
        """Return in words whether it would be answered, and change nothing."""
        ...


class Fence(Protocol):
    """Keep senders out wherever they run, for as long as this process lives; raise `Unavailable`."""

    async def take(self) -> Sequence[str]:
        """End the sessions of whoever holds a lease or waits for one, and take all; return their names."""
        ...

    async def look(self) -> Sequence[str]:
        """Return the names of the leases that are held now, and change nothing."""
        ...


class Gate(Protocol):
    """Shut the minting contract; raise `Rejected` or `Unavailable`."""

    async def shut(self, reason: str) -> str:
        """Shut it, and return in words what was seen on chain."""
        ...

    async def look(self) -> str:
        """Return in words whether it could be shut, and change nothing."""
        ...


class Journal(Protocol):
    """Write down what was done, for whoever asks later; a disk that fails stops nothing."""

    def note(self, what: str, **told: object) -> None:
        """Write one line, with its time."""
        ...
