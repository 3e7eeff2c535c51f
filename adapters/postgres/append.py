"""One append on its way: its rows, where it starts and ends in the log, and who waits for it."""

import asyncio
import struct

import msgspec

from adapters.postgres.failures import AppendConflict
from adapters.postgres.heads import VersionHeads
from adapters.postgres.rows import append_request, command_row, event_row
from commands.ports import AppendFailed, Fenced
from domain.chain import chain_hash
from domain.log import Batch, Head, KeptCommand

APPEND_BYTES_MAX = 256 * 1024 * 1024


class LogEnd(msgspec.Struct, frozen=True, gc=False):
    """Name an end of the log: the last position, the last kept command's sequence, the last chain hash."""

    position: int
    sequence: int
    chain_hash: bytes

    @classmethod
    def of(cls, head: Head) -> "LogEnd":
        """Take the end out of a head."""
        return cls(position=head.position, sequence=head.sequence, chain_hash=head.chain_hash)


class Append:
    """Hold one transaction: one batch, or several merged. `before` and `after` are the log's ends around it."""

    __slots__ = ("after", "before", "commands", "events", "last_command", "sent_at", "size", "streams", "waiters")

    def __init__(self, batch: Batch, before: LogEnd, heads: VersionHeads, waiter: asyncio.Future[None]) -> None:
        """Encode a batch that follows `before`; raise AppendFailed when it does not fit there."""
        self.before = before
        self.waiters = [waiter]
        self.sent_at = 0.0
        try:
            self.events, chained = _event_rows(batch, before)
            self.commands = _command_rows(batch, before)
        except (struct.error, OverflowError, UnicodeError) as error:
            raise AppendConflict(f"a value does not fit its column: {error}") from error
        self.last_command: KeptCommand | None = batch.commands[-1] if batch.commands else None
        self.size = sum(map(len, self.events)) + sum(map(len, self.commands))
        if self.size > APPEND_BYTES_MAX:
            raise AppendConflict(f"an append of {self.size} bytes is above {APPEND_BYTES_MAX}")
        self.after = LogEnd(
            position=before.position + len(batch.events),
            sequence=before.sequence + len(batch.commands),
            chain_hash=chained,
        )
        # Last, for nothing must fail after it: what did not become an append must not be remembered.
        self.streams = list(heads.advance(batch.events))

    def merge(self, later: "Append") -> None:
        """Take the append that follows this one into the same transaction."""
        assert later.before == self.after  # noqa: S101 - the queue keeps them in order
        self.events += later.events
        self.commands += later.commands
        self.last_command = later.last_command or self.last_command
        self.size += later.size
        self.after = later.after
        self.streams += later.streams
        self.waiters += later.waiters

    def request(self, epoch: int) -> bytes:
        """Return the bytes to send under an epoch."""
        return append_request(epoch, self.before.position, self.before.sequence, self.events, self.commands)

    def succeed(self) -> None:
        """Tell everyone who waits that it is durable."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def fail(self, failure: Exception) -> None:
        """Tell everyone who waits why not; each gets an exception of its own, for tracebacks grow on them."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(again(failure))


def again(failure: Exception) -> Exception:
    """Return a fresh exception of the same type and text."""
    return type(failure)(*failure.args)


def later_failure(first: Exception) -> Exception:
    """Return what every later append hears after a first failure."""
    if isinstance(first, Fenced):
        return again(first)
    return AppendFailed(f"an earlier append failed: {first}")


def _event_rows(batch: Batch, before: LogEnd) -> tuple[list[bytes], bytes]:
    position, chained = before.position + 1, before.chain_hash
    if batch.first_position != position:
        raise AppendFailed(f"a batch starts at position {batch.first_position}, the log goes on at {position}")
    rows: list[bytes] = []
    for event in batch.events:
        chained = chain_hash(
            chained, position, event.originator_id, event.version, event.topic, event.state, event.metadata
        )
        rows.append(event_row(event, position, chained, batch.recorded_at_us))
        position += 1
    return rows, chained


def _command_rows(batch: Batch, before: LogEnd) -> list[bytes]:
    last = before.position + len(batch.events)
    for sequence, kept in enumerate(batch.commands, start=before.sequence + 1):
        if kept.sequence != sequence:
            raise AppendFailed(f"a kept command has sequence {kept.sequence}, the next one is {sequence}")
        if kept.last_position is not None and kept.last_position > last:
            raise AppendFailed(
                f"command {kept.command_id} names position {kept.last_position}, its batch ends at {last}"
            )
    return [command_row(kept) for kept in batch.commands]
