"""What the kill needs from outside, and may find away: accounts swept, leases taken, a mode set, a contract shut."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from domain.sweep import PositionLeft, Resting, Standing


class Sweep(Protocol):
    """See and end everything that one account has at one venue, whatever the market. Failures as of `domain.venue`.

    What one part of the account does not tell is in the answer beside what the others told, and is no failure.
    """

    @property
    def ahead_ms(self) -> int:
        """Return how far the venue's clock was found to be ahead of this machine's, in ms; 0 while it takes ours."""
        ...

    async def look(self) -> Standing:
        """Return every order that stands in the account, whoever placed it, and change nothing."""
        ...

    async def clear(self, seen: Sequence[Resting]) -> Standing:
        """Look, and have everything that is found cancelled; `seen` is what stood before, for parts that do not tell.

        That there is nothing left to cancel is no failure. What stands afterwards, only the next look tells.
        """
        ...

    async def positions(self) -> Sequence[PositionLeft]:
        """Return the positions, flat ones left out."""
        ...


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
