"""What the gatekeeper needs from outside: the minting contract watched and shut, and a place for what it remembers."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from domain.gatekeeping import Caps, Flow
from domain.oracle import OracleEvent
from domain.transaction import Block, Fees, Receipt, Transaction


class Watched(Protocol):
    """Read the contract through endpoints that must agree. Each method raises `Unavailable` when they do not."""

    async def head(self) -> Block:
        """Return the newest block that a quorum has."""
        ...

    async def block(self, number: int) -> Block | None:
        """Return the canonical block of that number, None when there is none yet."""
        ...

    async def flows(self, first: int, last: int) -> Sequence[Flow]:
        """Return every mint and redemption of blocks `first` to `last`, in order."""
        ...

    async def caps(self, number: int) -> Caps:
        """Return the global caps at a block."""
        ...

    async def receipt(self, tx_hash: str) -> Receipt | None:
        """Return a transaction's receipt on the canonical chain, None when it is not included there."""
        ...

    async def next_nonce(self, number: int) -> int:
        """Return the gatekeeper's next free nonce at a block."""
        ...


class Gate(Protocol):
    """Shut the contract, as the gatekeeper's own sender. Nothing is sent that was not written down before."""

    @property
    def sender(self) -> str:
        """Return the sender's address, lower case."""
        ...

    async def preflight(self) -> int:
        """Try the call at the head and return the gas limit to use; raise `Rejected` or `Unavailable`."""
        ...

    async def fees(self, tries: int) -> Fees:
        """Return the fees to offer now, more with each earlier try; raise `Unavailable` beyond the bound."""
        ...

    async def sign(self, nonce: int, gas_limit: int, fees: Fees) -> Transaction:
        """Return the signed call, unsent; raise `Rejected` or `Unavailable`."""
        ...

    async def broadcast(self, transaction: Transaction) -> None:
        """Send the same bytes once more; raise `Rejected`, `Unavailable` or `Unknown`."""
        ...


class Clock(Protocol):
    """Tell the date."""

    def now_us(self) -> int:
        """Return microseconds since the Unix epoch, UTC."""
        ...


class PriceSource(Protocol):
    """Tell verified prices, and their loss."""

    def events(self) -> AsyncGenerator[OracleEvent, None]:
        """Stream them to one reader."""
        ...
