"""What a push consumer sends besides messages: heartbeats that prove it lives, and requests to slow it down."""

import asyncio

from nats.aio.msg import Msg

from adapters.nats import frames
from adapters.nats.connection import Connection
from adapters.nats.failures import NotConnected

HEARTBEAT_S = 1.0
HEARTBEATS_LOST_MAX = 3
SILENCE_S_MAX = HEARTBEAT_S * HEARTBEATS_LOST_MAX
"""A consumer that says nothing for so long is gone: its server was wiped, or someone removed it."""

_STATUS = "Status"
_STALLED = "Nats-Consumer-Stalled"
_ACK_TOKENS = 9
_ACK_DELIVERED, _ACK_STREAM_SEQUENCE, _ACK_CONSUMER_SEQUENCE = 4, 5, 6


class Pulse:
    """Remember when a consumer was last heard, and answer its flow control."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()

    def beat(self) -> None:
        """Note that the consumer was heard."""
        self._heard_at = self._loop.time()

    @property
    def silent_s(self) -> float:
        """Return for how many seconds nothing was heard."""
        return self._loop.time() - self._heard_at

    def is_control(self, msg: Msg) -> bool:
        """Note the message; if it is the server's own (heartbeat, flow control), answer it and return True."""
        self._heard_at = self._loop.time()
        headers = msg.headers
        if headers is None or headers.get(_STATUS) != frames.CONTROL:
            return False
        answer_to = msg.reply or headers.get(_STALLED, "")
        if answer_to:
            try:
                self._connection.write(frames.publication(answer_to.encode(), b""))
            except NotConnected:
                # The consumer is bound anew after every reconnect, so the stalled one does not matter any more.
                return True
        return True


def sequences(reply: str) -> tuple[int, int, int]:
    """Return (stream sequence, consumer sequence, times delivered) from a JetStream message's reply subject.

    With a domain or account hash the subject has more parts; the numbers are counted from its kind. Raise ValueError
    if it is not such a subject.
    """
    parts = reply.split(".")
    if len(parts) < _ACK_TOKENS or parts[:2] != ["$JS", "ACK"]:
        raise ValueError(f"not an acknowledgement subject: {reply!r}")
    shift = 0 if len(parts) == _ACK_TOKENS else 2
    return (
        int(parts[_ACK_STREAM_SEQUENCE + shift]),
        int(parts[_ACK_CONSUMER_SEQUENCE + shift]),
        int(parts[_ACK_DELIVERED + shift]),
    )
