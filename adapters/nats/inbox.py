"""Facts from outside: published once under their natural key, kept until the core has committed them."""

import asyncio

import msgspec
import nats.errors
from nats.js.errors import APIError, NoStreamResponseError

from adapters.nats.cancellation import raise_if_cancelled
from adapters.nats.connection import Connection
from adapters.nats.failures import InboxFull, NotConnected, OutcomeUnknown
from adapters.nats.frames import token
from adapters.nats.streams import checked_prefix, stream_name
from adapters.nats.trace import TRACEPARENT
from domain.refusal import Unavailable

NATURAL_KEY_HEADER = "Nats-Msg-Id"
NATURAL_KEY_CHARS_MAX = 256
ATTEMPTS_MAX = 20
ATTEMPT_S_MAX = 2.0
PAUSE_S = 0.05
PAUSE_S_MAX = 1.0
_MESSAGES_AT_MAX = 10077


class InboxReceipt(msgspec.Struct, frozen=True):
    """Prove that INBOX holds a fact: its sequence, and whether it was there already."""

    sequence: int
    duplicate: bool


def checked_key(natural_key: str) -> str:
    """Return a natural key that can stand in a header: printable ASCII without spaces; raise ValueError otherwise."""
    ok = 0 < len(natural_key) <= NATURAL_KEY_CHARS_MAX and natural_key.isascii() and natural_key.isprintable()
    if not ok or " " in natural_key:
        raise ValueError(f"not a natural key: {natural_key!r}")
    return natural_key


class InboxPublisher:
    """Publish facts into a book's INBOX and wait until it holds them."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self.published = 0
        self.duplicates = 0
        self.retries = 0
        self._jetstream = connection.jetstream()
        self._connection = connection
        self._subjects = f"{checked_prefix(prefix)}.inbox."
        self._stream = stream_name(prefix, "INBOX")

    async def publish(
        self, source: str, kind: str, natural_key: str, body: bytes, *, traceparent: str | None = None
    ) -> InboxReceipt:
        """Publish a fact of a source and return once INBOX holds it; the same key again is a duplicate.

        `kind` may have several parts (`fill.recorded`). Tries at most `ATTEMPTS_MAX` times. Raise `InboxFull` or
        `Unavailable` when it is surely not held, `OutcomeUnknown` when it may be: publishing again is harmless.
        """
        subject = f"{self._subjects}{token(source)}." + ".".join(token(part) for part in kind.split("."))
        headers = {NATURAL_KEY_HEADER: checked_key(natural_key)}
        if traceparent is not None:
            headers[TRACEPARENT] = traceparent
        unknown: OutcomeUnknown | None = None
        last: Unavailable = NotConnected(f"{subject} was not sent")
        pause = PAUSE_S
        for _ in range(ATTEMPTS_MAX):
            raise_if_cancelled()
            try:
                return await self._publish_once(subject, body, headers)
            except OutcomeUnknown as error:
                unknown = error
            except Unavailable as error:
                last = error
            self.retries += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_S_MAX)
        raise unknown or last

    async def _publish_once(self, subject: str, body: bytes, headers: dict[str, str]) -> InboxReceipt:
        if not self._connection.connected:
            raise NotConnected(f"no NATS server to send {subject} to")
        try:
            ack = await self._jetstream.publish(
                subject, body, timeout=ATTEMPT_S_MAX, stream=self._stream, headers=dict(headers)
            )
        except NoStreamResponseError as error:
            raise Unavailable(f"INBOX is not there to take {subject}") from error
        except APIError as error:
            if error.err_code == _MESSAGES_AT_MAX:
                raise InboxFull(f"INBOX refused {subject}: {error.description}") from error
            raise Unavailable(f"INBOX refused {subject}: {error.description}") from error
        except TimeoutError as error:
            raise OutcomeUnknown(f"no acknowledgement of {subject} within {ATTEMPT_S_MAX} s") from error
        except nats.errors.Error as error:
            raise NotConnected(f"{subject} was not sent: {error}") from error
        self.published += 1
        self.duplicates += bool(ack.duplicate)
        return InboxReceipt(sequence=ack.seq, duplicate=bool(ack.duplicate))
