"""What stands between the simulated bus and the product's doors: requests in, replies out, facts in, receipts out."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from api.doors import COMMAND_ID, CommandDoor, InboxDoor
from commands.envelope import Reply
from domain.ids import natural_id
from domain.refusal import Broken
from tests.simulation.bus import Request, Requests
from tests.simulation.loop import Process
from tests.simulation.sim import Sim
from tests.simulation.stream import HOP_US, Delivery, Stream, StreamMissing

COMMANDS = "cmd."
FETCH_MAX = 32
FETCH_S = 5.0


class Watcher(Protocol):
    """Be told of every acknowledgement at the moment it is given."""

    def answered(self, command_id: UUID, body: bytes, reply: Reply) -> None:
        """Hear a reply to a request."""
        ...

    def taken(self, command_id: UUID) -> None:
        """Hear that a fact is acknowledged."""
        ...


class RequestServer:
    """Bring requests to the product's command door, and its replies back."""

    def __init__(self, requests: Requests, process: Process, door: CommandDoor, watcher: Watcher) -> None:
        self._requests = requests
        self._process = process
        self._door = door
        self._watcher = watcher
        self._asked: dict[str, Request] = {}
        self._count = 0
        door.replies = self

    def start(self) -> None:
        """Begin to serve."""
        self._requests.serve(self._process, COMMANDS, self._receive)

    def _receive(self, request: Request) -> None:
        self._count += 1
        reply = str(self._count)
        self._asked[reply] = request
        self._door.receive(request.subject.removeprefix(COMMANDS), request.body, request.headers, reply)

    def reply_many(self, replies: Iterable[tuple[str, bytes, Mapping[str, str] | None]]) -> None:
        """See `Replies.reply_many`."""
        for reply, payload, _ in replies:
            request = self._asked.pop(reply)
            self._process.point("bus.reply")
            decoded = msgspec.json.decode(payload, type=Reply)
            self._watcher.answered(UUID(request.headers[COMMAND_ID]), request.body, decoded)
            request.respond(payload)


class SimFact(msgspec.Struct, frozen=True):
    """One fact of the inbox, as the product's door reads it."""

    receipt: int
    source: str
    kind: str
    natural_key: str
    data: bytes
    traceparent: str | None = None


class InboxReader:
    """Bring facts to the product's inbox door in order, and its receipts back."""

    def __init__(self, sim: Sim, process: Process, stream: Stream, door: InboxDoor, watcher: Watcher) -> None:
        self._sim = sim
        self._process = process
        self._stream = stream
        self._door = door
        self._watcher = watcher
        self._held: dict[int, tuple[Delivery, UUID]] = {}
        self._count = 0
        door.receipts = self

    async def run(self) -> None:
        """Consume until cancelled; make the stream and its consumer anew when they are gone."""
        while True:
            await self._sim.travel(self._process, "inbox.bind", *HOP_US)
            self._stream.create()
            consumer = self._stream.rebind("core")
            try:
                while True:
                    self._offer(await consumer.fetch(self._process, FETCH_MAX, FETCH_S))
            except StreamMissing:
                await asyncio.sleep(0.1)

    def _offer(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._count += 1
            message = delivery.message
            _, source, kind = message.subject.split(".", 2)
            self._held[self._count] = (delivery, natural_id("fact", kind, message.message_id))
            self._door.receive(SimFact(self._count, source, kind, message.message_id, message.body))

    def ack(self, receipts: Iterable[int]) -> None:
        """See `Receipts.ack`."""
        for receipt in receipts:
            delivery, command_id = self._held.pop(receipt)
            self._watcher.taken(command_id)
            delivery.ack()

    def reject(self, receipt: int, reason: str) -> None:
        """See `Receipts.reject`: the simulated sources tell nothing that cannot be read."""
        raise Broken(f"fact {receipt} was rejected: {reason}")


class Own:
    """The door of a process to itself: each target is a callback or nothing."""

    def answer(self, answers: Sequence[tuple[object, Reply]]) -> None:
        """Tell each asker."""
        for target, reply in answers:
            if isinstance(target, Callable):
                target(reply)
