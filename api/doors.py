"""The doors of the core: what comes in over the bus becomes `Asked`, what is decided goes back as it came."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from api.core import Asked
from commands.dispatch import ASKED, FACTS
from commands.envelope import Reply
from commands.handler import MALFORMED
from commands.limit import SYSTEM
from domain.codec import encode
from domain.ids import natural_id

COMMAND_ID = "Ballast-Command-Id"
ACTOR = "Ballast-Actor"
TRACE = "traceparent"

Offer = Callable[[Asked], None]


class Replies(Protocol):
    """Write replies to requests."""

    def reply_many(self, replies: Iterable[tuple[str, bytes, Mapping[str, str] | None]]) -> None:
        """Write them in one go."""
        ...


class CommandDoor:
    """Take requests: what people and integrators may ask for."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self.replies: Replies | None = None
        self.malformed = Counter[str]()

    def receive(self, kind: str, data: bytes, headers: Mapping[str, str], reply: str) -> None:
        """Take one request from the bus."""
        if reply.startswith("$JS.ACK."):
            # Made by JetStream for a consumer, whoever asked for it: no client's request, so no command.
            self.malformed["delivered"] += 1
            return
        actor = headers.get(ACTOR, "")
        if kind not in ASKED:
            self._refuse(reply, "unknown_kind", f"{kind!r} cannot be asked for")
            return
        try:
            command_id = UUID(headers.get(COMMAND_ID, ""))
        except ValueError:
            self._refuse(reply, "command_id", f"the header {COMMAND_ID} must be a UUID")
            return
        if not actor or actor == SYSTEM:
            self._refuse(reply, "actor", f"the header {ACTOR} must say who asks, and nobody is {SYSTEM!r}")
            return
        self._offer(Asked(command_id, kind, actor, data, "", headers.get(TRACE, ""), self, reply))

    def _refuse(self, reply: str, why: str, text: str) -> None:
        self.malformed[why] += 1
        self.answer([(reply, Reply(status=MALFORMED, command_id="", text=text))])

    def answer(self, answers: Sequence[tuple[object, Reply]]) -> None:
        """Answer requests, in one write."""
        if self.replies is not None:
            self.replies.reply_many([(str(target), encode(reply), None) for target, reply in answers])


class Fact(Protocol):
    """Show a fact of the inbox."""

    @property
    def receipt(self) -> int:
        """Return what acknowledges it."""
        ...

    @property
    def source(self) -> str:
        """Return who tells it."""
        ...

    @property
    def kind(self) -> str:
        """Return its kind."""
        ...

    @property
    def natural_key(self) -> str:
        """Return the key that makes it one."""
        ...

    @property
    def data(self) -> bytes:
        """Return its body."""
        ...

    @property
    def traceparent(self) -> str | None:
        """Return its trace."""
        ...


class Receipts(Protocol):
    """Acknowledge facts."""

    def ack(self, receipts: Iterable[int]) -> None:
        """Acknowledge what is durable."""
        ...

    def reject(self, receipt: int, reason: str) -> None:
        """Remove what no retry makes readable."""
        ...


class InboxDoor:
    """Take facts from outside; each is acknowledged after its commit."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self.receipts: Receipts | None = None
        self.malformed = Counter[str]()

    def receive(self, fact: Fact) -> None:
        """Take one fact. Its command's id derives from its natural key: a fact enters once, for ever."""
        if fact.kind not in FACTS:
            self._reject(fact.receipt, fact.kind, f"{fact.kind!r} is no fact")
            return
        command_id = natural_id("fact", fact.kind, fact.natural_key)
        asked = Asked(
            command_id, fact.kind, fact.source, fact.data, fact.natural_key, fact.traceparent or "", self, fact.receipt
        )
        self._offer(asked)

    def _reject(self, receipt: int, kind: str, text: str) -> None:
        self.malformed[kind] += 1
        if self.receipts is not None:
            self.receipts.reject(receipt, text)

    def answer(self, answers: Sequence[tuple[object, Reply]]) -> None:
        """Acknowledge what was decided, reject what cannot be read; what was not taken comes again by itself."""
        if self.receipts is None:
            return
        done: list[int] = []
        for target, reply in answers:
            receipt = target if isinstance(target, int) else -1
            if reply.status == MALFORMED:
                self._reject(receipt, MALFORMED, reply.text)
            elif reply.status not in {"busy", "stopping"}:
                done.append(receipt)
        self.receipts.ack(done)
