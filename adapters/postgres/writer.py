"""The fenced writer: two transactions pipelined on one session, in order, each all or nothing.

Postgres works on one while Python encodes the next. A lost connection is answered by going back to the same epoch,
reading what became of the appends in flight, acknowledging those that are in the log and sending the others again.
"""

import asyncio
import enum
from collections import deque
from functools import partial

from adapters.postgres import fence, messages
from adapters.postgres.address import Address
from adapters.postgres.append import Append, LogEnd, later_failure
from adapters.postgres.connection import Connection
from adapters.postgres.failures import (
    AppendConflict,
    ConnectionLost,
    HandshakeFailed,
    LogDiverged,
    LogUnreachable,
    PostgresRefused,
)
from adapters.postgres.heads import VersionHeads
from adapters.postgres.messages import Row
from adapters.postgres.recovery import Recovered, recover
from commands.ports import AppendFailed, Fenced
from domain.log import Batch, Head

IN_FLIGHT_MAX = 2
QUEUED_MAX = 256
MERGED_BYTES_MAX = 4 * 1024 * 1024
ANSWER_MS_MAX = 15_000
RECOVERY_MS_MAX = 30_000
CLOSE_MS_MAX = 10_000


class Standing(enum.Enum):
    """Say where a writer stands."""

    NOT_WRITER = enum.auto()
    WRITING = enum.auto()
    RECOVERING = enum.auto()
    FAILED = enum.auto()


class FencedWriter:
    """Append batches under an epoch. One event loop, one caller."""

    def __init__(self, address: Address, recovery_ms_max: int = RECOVERY_MS_MAX) -> None:
        self._address = address
        self._recovery_ms_max = recovery_ms_max
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        self._standing = Standing.NOT_WRITER
        self._failure: Exception = AppendFailed("this log is not taken over")
        self._epoch = 0
        self._durable = self._tail = LogEnd(0, 0, b"")
        self._heads = VersionHeads()
        self._queue: deque[Append] = deque()
        self._in_flight: deque[Append] = deque()
        self._recovery: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None

    @property
    def standing(self) -> Standing:
        """Tell where this writer stands."""
        return self._standing

    @property
    def failure(self) -> Exception | None:
        """Return why a failed writer failed."""
        return self._failure if self._standing is Standing.FAILED else None

    @property
    def durable(self) -> LogEnd:
        """Return the end of what is surely in the log."""
        return self._durable

    @property
    def tail(self) -> LogEnd:
        """Return the end of the log as it will be when everything queued is in it."""
        return self._tail

    @property
    def heads(self) -> VersionHeads:
        """Return the streams' newest versions, as remembered."""
        return self._heads

    @property
    def free_slots(self) -> int:
        """Tell how many transactions could be sent without waiting for another."""
        return max(0, IN_FLIGHT_MAX - self.backlog)

    @property
    def backlog(self) -> int:
        """Tell how many transactions are in flight or queued."""
        return len(self._in_flight) + len(self._queue)

    async def take_over(self) -> Head:
        """Become the writer; see `fence.take_over`. What was in flight under an earlier epoch of ours is given up."""
        await self.close()
        connection, head = await fence.take_over(self._address)
        self._epoch = head.epoch
        self._durable = self._tail = LogEnd.of(head)
        self._heads.clear()
        self._adopt(connection)
        self._standing = Standing.WRITING
        return head

    def append(self, batch: Batch) -> asyncio.Future[None]:
        """Queue a batch at once; the future ends when it is durable, or with Fenced, AppendFailed or LogUnreachable.

        A batch that does not follow the one before it fails, and so does every one after it.
        """
        waiter: asyncio.Future[None] = self._loop.create_future()
        if self._standing in {Standing.NOT_WRITER, Standing.FAILED}:
            waiter.set_exception(later_failure(self._failure))
            return waiter
        try:
            if len(self._queue) >= QUEUED_MAX:
                raise AppendFailed(f"{QUEUED_MAX} batches are waiting already; wait for the earlier ones")  # noqa: TRY301 - one way out
            append = Append(batch, self._tail, self._heads, waiter)
        except AppendFailed as failure:
            waiter.set_exception(failure)
            self._fail(failure)
            return waiter
        self._tail = append.after
        self._queue.append(append)
        self._send_queued()
        return waiter

    @property
    def can_resume(self) -> bool:
        """Tell whether an append failed, everything is settled, and the writer is still the writer."""
        return self._standing is Standing.FAILED and isinstance(self._failure, AppendFailed) and not self._in_flight

    def resume(self) -> None:
        """Go on after a conflict, from the durable end: for appends that do not depend on each other."""
        if not self.can_resume:
            raise RuntimeError("only a writer whose append failed can resume, when nothing is in flight")
        self._tail = self._durable
        self._standing = Standing.WRITING
        if self._connection is None:
            self._start_recovery()

    async def idle(self, within_ms: int | None = None) -> None:
        """Wait until everything appended so far is settled, one way or the other."""
        waiters = [waiter for append in (*self._in_flight, *self._queue) for waiter in append.waiters]
        if waiters:
            await asyncio.wait(waiters, timeout=None if within_ms is None else within_ms / 1_000)

    async def close(self) -> None:
        """Wait for what is in flight, then release the fence; idempotent."""
        if self._standing is Standing.WRITING:
            await self.idle(CLOSE_MS_MAX)
        if self._standing is not Standing.NOT_WRITER:
            self._standing, self._failure = Standing.NOT_WRITER, AppendFailed("this log is closed")
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.wait([self._recovery])
            self._recovery = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
        unknown = LogUnreachable("the log was closed before the outcome was known")
        self._drop(self._in_flight, unknown)
        self._drop(self._queue, unknown)

    # Sending and hearing

    def _adopt(self, connection: Connection) -> None:
        self._connection = connection
        connection.on_notification = self._notified
        connection.on_lost = partial(self._lost, connection)

    def _send_queued(self) -> None:
        while self._queue and len(self._in_flight) < IN_FLIGHT_MAX and self._standing is Standing.WRITING:
            append = self._queue.popleft()
            while self._queue and append.size + self._queue[0].size <= MERGED_BYTES_MAX:
                append.merge(self._queue.popleft())
            self._in_flight.append(append)
            self._send(append)

    def _send(self, append: Append) -> None:
        assert self._connection is not None  # noqa: S101 - standing is WRITING
        append.sent_at = self._loop.time()
        if self._watch is None:
            self._watch = self._loop.call_later(ANSWER_MS_MAX / 1_000, self._watch_answers)
        self._connection.send(append.request(self._epoch), partial(self._answered, append))

    def _answered(self, append: Append, _rows: list[Row], failure: Exception | None) -> None:
        if isinstance(failure, ConnectionLost):
            return  # `_lost` is called next, and finds it in flight
        oldest = self._in_flight.popleft()
        assert oldest is append  # noqa: S101 - answers come in the order of the requests
        if isinstance(failure, PostgresRefused):
            self._refused(append, failure)
            return
        self._durable = append.after
        append.succeed()
        self._send_queued()

    def _refused(self, append: Append, refused: PostgresRefused) -> None:
        failure = _judged(refused)
        if self._standing is Standing.FAILED and isinstance(failure, LogDiverged):
            # The append before it failed, so this one no longer starts where the log ends.
            failure = later_failure(self._failure)
        self._drop(deque([append]), failure)
        if self._standing is not Standing.FAILED:
            self._fail(failure)

    def _fail(self, failure: Exception) -> None:
        """Stop for good, unless resumed: everything queued fails; what is in flight hears its own answer."""
        self._standing, self._failure = Standing.FAILED, failure
        self._drop(self._queue, later_failure(failure))
        if isinstance(failure, Fenced | LogDiverged | LogUnreachable):
            # What is in flight behind a fence or a wrong end is refused too. Hanging up frees the lock for the next.
            self._drop(self._in_flight, failure)
            if self._connection is not None:
                self._connection.abort()

    def _drop(self, appends: deque[Append], failure: Exception) -> None:
        """Fail appends and empty their queue."""
        while appends:
            append = appends.popleft()
            self._heads.forget(append.streams)
            append.fail(failure)

    def _notified(self, channel: str, payload: str) -> None:
        # Anyone may send a notification: only the epoch row itself is believed.
        if channel == fence.EPOCH_CHANNEL and payload != str(self._epoch) and self._connection is not None:
            self._connection.send(messages.query(fence.CURRENT_EPOCH), self._epoch_read)

    def _epoch_read(self, rows: list[Row], failure: Exception | None) -> None:
        if failure is None and rows and int(rows[0][0] or 0) > self._epoch and self._standing is Standing.WRITING:
            self._fail(Fenced(f"the log is at epoch {rows[0][0]}, this writer holds {self._epoch}"))

    def _watch_answers(self) -> None:
        self._watch = None
        if not self._in_flight or self._connection is None:
            return
        waited = self._loop.time() - self._in_flight[0].sent_at
        if waited >= ANSWER_MS_MAX / 1_000:
            self._connection.abort()
            return
        self._watch = self._loop.call_later(ANSWER_MS_MAX / 1_000 - waited, self._watch_answers)

    # Losing the connection and coming back

    def _lost(self, connection: Connection) -> None:
        if self._connection is not connection:
            return
        self._connection = None
        if self._standing is Standing.WRITING or (self._standing is Standing.FAILED and self._in_flight):
            self._start_recovery()

    def _start_recovery(self) -> None:
        if self._standing is Standing.WRITING:
            self._standing = Standing.RECOVERING
        self._recovery = self._loop.create_task(self._recover())

    async def _recover(self) -> None:
        try:
            found = await recover(self._address, self._epoch, self._durable, self._in_flight, self._recovery_ms_max)
        except (Fenced, LogDiverged, LogUnreachable) as failure:
            self._fail(failure)
        except (HandshakeFailed, PostgresRefused, ConnectionLost) as error:
            self._fail(LogUnreachable(str(error)))
        else:
            self._recovered(found)

    def _recovered(self, found: Recovered) -> None:
        for _ in range(found.committed):
            append = self._in_flight.popleft()
            self._durable = append.after
            append.succeed()
        if found.connection is None:
            self._fail(Fenced(found.fenced_because))
            return
        self._adopt(found.connection)
        self._recovery = None
        if self._standing is Standing.FAILED:
            self._drop(self._in_flight, later_failure(self._failure))
            return
        self._standing = Standing.WRITING
        for append in self._in_flight:
            self._send(append)
        self._send_queued()


def _judged(refused: PostgresRefused) -> Exception:
    if refused.error.sqlstate == fence.FENCED:
        return Fenced(str(refused))
    if refused.error.sqlstate == fence.MISPLACED:
        return LogDiverged(str(refused))
    if refused.error.is_conflict:
        return AppendConflict(str(refused))
    return AppendFailed(str(refused))
