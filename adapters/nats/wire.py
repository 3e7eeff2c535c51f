"""The one place that reaches inside nats-py: many publications in one socket write.

nats-py's `publish` costs a coroutine, a list append and a flusher wake-up for each message, which halves the rate of
whole commands. Its transport accepts any bytes, so a group of replies, acknowledgements or events is built once and
written once. Only `_transport` is used. `verify` checks it when a connection opens and refuses loudly if nats-py
changed; there is no slower fallback that would hide it.
"""

from operator import attrgetter
from typing import Protocol, cast

from nats.aio.client import Client
from nats.aio.transport import TcpTransport

from adapters.nats.failures import ClientChanged, NotConnected

_TRANSPORT = "_transport"
_transport_of = attrgetter(_TRANSPORT)


class _Writable(Protocol):
    def write(self, payload: bytes) -> None: ...


def verify(client: Client) -> None:
    """Raise `ClientChanged` unless raw writing works with this client as it is connected now."""
    transport: object = getattr(client, _TRANSPORT, None)
    if not isinstance(transport, TcpTransport):
        raise ClientChanged(
            f"nats-py's Client.{_TRANSPORT} is {type(transport).__name__}, not a TcpTransport: "
            "raw writes need a tcp or tls connection and a nats-py that keeps this part"
        )
    if not callable(getattr(transport, "write", None)):
        raise ClientChanged("nats-py's TcpTransport has no write(): raw writes are not possible")


def write(client: Client, data: bytes) -> None:
    """Hand protocol bytes to the socket, at once and in call order. Raise `NotConnected` if there is none.

    Back pressure is the caller's bound on what is unanswered.
    """
    if not client.is_connected:
        raise NotConnected("no NATS server is connected")
    cast("_Writable", _transport_of(client)).write(data)
