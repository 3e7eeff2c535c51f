"""The asker's side of commands: a request with an id, asked again with the same id until its outcome is known."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

import msgspec
import nats.errors
from nats.aio.msg import Msg

from adapters.nats.cancellation import raise_if_cancelled
from adapters.nats.commands import ACTOR_HEADER, BUSY, COMMAND_ID_HEADER
from adapters.nats.connection import Connection
from adapters.nats.failures import CoreAbsent, CoreBusy, NotConnected, OutcomeUnknown
from adapters.nats.frames import token
from adapters.nats.streams import checked_prefix
from adapters.nats.trace import TRACEPARENT
from domain.refusal import Unavailable

ATTEMPTS_MAX = 40
ATTEMPT_S_MAX = 2.0
"""How long one attempt waits before the same id is asked again: a reply lost with a core comes from its successor."""
PAUSE_S = 0.05
PAUSE_S_MAX = 0.5
TIMEOUT_S = 10.0
UNDECIDED = (BUSY, "stopping")
"""Statuses that say that nothing was decided, so that the same request may be made again."""


class CommandReply(msgspec.Struct, frozen=True):
    """Hold a command's reply as received: its JSON, the status in it ("" if it has none), and its headers."""

    status: str
    data: bytes
    headers: Mapping[str, str]


class _Status(msgspec.Struct, gc=False):
    status: str = ""


_status_of = msgspec.json.Decoder(_Status).decode


class CommandClient:
    """Send commands to the core of one book."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self.retries = 0
        self._connection = connection
        self._subjects = f"{checked_prefix(prefix)}.cmd."

    async def request(
        self,
        kind: str,
        body: bytes,
        *,
        command_id: UUID,
        actor: str,
        traceparent: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> CommandReply:
        """Ask for `kind` (`<subject>.<verb>`) and return the reply, which comes after the commit.

        Asks again, at most `ATTEMPTS_MAX` times within `timeout_s`, when nobody listens, the core is busy, or no reply
        came: the core decides an id once. Raise `CoreAbsent`, `CoreBusy` or `NotConnected` when it was surely not
        done, `OutcomeUnknown` when any attempt may have been.
        """
        subject = self._subjects + ".".join(token(part) for part in kind.split("."))
        headers = {COMMAND_ID_HEADER: str(command_id), ACTOR_HEADER: actor}
        if traceparent is not None:
            headers[TRACEPARENT] = traceparent
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        unknown: OutcomeUnknown | None = None
        last: Unavailable = CoreAbsent(f"{kind} was not asked: no time was given")
        pause = PAUSE_S
        for _ in range(ATTEMPTS_MAX):
            raise_if_cancelled()
            left = deadline - loop.time()
            if left <= 0:
                break
            try:
                return await self._ask(subject, body, headers, min(left, ATTEMPT_S_MAX))
            except OutcomeUnknown as error:
                unknown = error
            except Unavailable as error:
                last = error
                await asyncio.sleep(min(pause, max(deadline - loop.time(), 0)))
                pause = min(2 * pause, PAUSE_S_MAX)
            self.retries += 1
        raise unknown or last

    async def _ask(self, subject: str, body: bytes, headers: dict[str, str], timeout_s: float) -> CommandReply:
        if not self._connection.connected:
            raise NotConnected(f"no NATS server to ask {subject}")
        try:
            msg: Msg = await self._connection.client.request(subject, body, timeout=timeout_s, headers=headers)
        except nats.errors.NoRespondersError as error:
            raise CoreAbsent(f"nobody listens on {subject}") from error
        except (nats.errors.ConnectionClosedError, nats.errors.OutboundBufferLimitError) as error:
            raise NotConnected(f"{subject} was not sent: {error}") from error
        except TimeoutError as error:
            raise OutcomeUnknown(f"no reply to {subject} within {timeout_s:.3f} s; it may have been decided") from error
        try:
            status = _status_of(msg.data).status
        except msgspec.DecodeError as error:
            raise OutcomeUnknown(f"the reply to {subject} cannot be read: {error}") from error
        if status in UNDECIDED:
            raise CoreBusy(f"the core did not decide {subject}: it is {status}")
        return CommandReply(status, msg.data, msg.headers or {})
