"""What the gatekeeper remembers across restarts, in a small file of its own, and the heartbeat that others look at."""

import logging
import os
from pathlib import Path

import msgspec

from domain.codec import decoder, encode
from domain.gatekeeping import Memory
from domain.transaction import Transaction

SCHEMA = 1
STATE_FILE, HEARTBEAT_FILE = "state.json", "heartbeat.json"
# Blocks whose hashes are remembered: a reorganisation no deeper than these is followed exactly.
MARKS_MAX = 64
REASONS_MAX = 8
STATE_BYTES_MAX = 16 << 20

_log = logging.getLogger("ballast.gatekeeper")


class StateForeign(Exception):
    """Say that a state file belongs to another contract: nothing in it may be used, and nothing overwritten."""


class Mark(msgspec.Struct, frozen=True, gc=False):
    """Name a block up to which everything was judged."""

    number: int
    block_hash: str


class Shutting(msgspec.Struct, frozen=True, kw_only=True):
    """Hold an order to shut the contract, from the finding until people open it again.

    `transactions` are those of one nonce, first to last replacement; `failed` counts attempts that were included and
    did nothing. `shut_at` is the block at which the contract was first seen shut, zero before.
    """

    reasons: tuple[str, ...]
    since_us: int
    transactions: tuple[Transaction, ...] = ()
    sent_at: int = 0
    failed: int = 0
    shut_at: int = 0


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Hold everything that must survive a crash."""

    chain_id: int
    contract: str
    schema: int = SCHEMA
    marks: tuple[Mark, ...] = ()
    memory: Memory = msgspec.field(default_factory=Memory)
    shutting: Shutting | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """Tell whoever looks how the gatekeeper is: `at_us` is when, and stands still when it is stuck.

    `state` is watching, blind (no endpoints that agree), unpriced (an asset without a price to believe), shutting, or
    shut. `judged` is the last block judged, `trouble` what is wrong now.
    """

    at_us: int
    pid: int
    state: str
    head: int
    judged: int
    pending: int
    trouble: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    transaction: str = ""


class Notebook:
    """Keep the state in one file of a folder, written whole, synced and renamed into place; the heartbeat beside it."""

    def __init__(self, folder: Path, chain_id: int, contract: str) -> None:
        self._place = folder / STATE_FILE
        self._heartbeat = folder / HEARTBEAT_FILE
        self._chain_id = chain_id
        self._contract = contract

    def read(self) -> State:
        """Return the state as it was saved, a new one the first time.

        What cannot be read is put aside, loudly: a gatekeeper that does not start protects nothing, and what is off the
        market is found again by looking back. Raise `StateForeign` for another contract's.
        """
        fresh = State(chain_id=self._chain_id, contract=self._contract)
        try:
            content = self._place.read_bytes()
        except FileNotFoundError:
            return fresh
        try:
            state = _DECODER.decode(content[:STATE_BYTES_MAX])
        except msgspec.MsgspecError as error:
            aside = self._place.with_suffix(".unreadable")
            self._place.replace(aside)
            _log.critical("state_unreadable: %s is put aside as %s and begun anew: %s", self._place, aside.name, error)
            return fresh
        if (state.chain_id, state.contract, state.schema) != (self._chain_id, self._contract, SCHEMA):
            raise StateForeign(
                f"{self._place} remembers {state.contract} on chain {state.chain_id} (schema {state.schema}), "
                f"not {self._contract} on chain {self._chain_id}: move it away, or name another folder"
            )
        return state

    def write(self, state: State) -> None:
        """Save the state; return once it is on the disk. Raise OSError."""
        write_whole(self._place, encode(state), durable=True)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write the heartbeat. Raise OSError."""
        write_whole(self._heartbeat, encode(heartbeat), durable=False)


def write_whole(place: Path, content: bytes, *, durable: bool) -> None:
    """Replace a file's content at once, so that no reader and no crash sees a half of it."""
    beside = place.with_name(f"{place.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(place)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    if durable:
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


_DECODER = decoder(State)
