"""The messages of the Postgres protocol, version 3, that an appending client needs. Bytes in, bytes out.

Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol".
"""

import struct
from collections.abc import Iterator, Mapping

from adapters.postgres.failures import ServerError

PROTOCOL_3_0 = 196608
TLS_REQUEST = struct.pack(">ii", 8, 80877103)

# No answer of ours is longer: a few columns of one row, or an error's text.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024

AUTHENTICATION = ord("R")
BACKEND_KEY = ord("K")
READY = ord("Z")
ERROR = ord("E")
NOTIFICATION = ord("A")
DATA_ROW = ord("D")

AUTH_OK = 0
AUTH_CLEARTEXT = 3
AUTH_MD5 = 5
AUTH_SASL = 10
AUTH_SASL_CONTINUE = 11
AUTH_SASL_FINAL = 12

SCRAM_SHA_256 = "SCRAM-SHA-256"
COPY_DONE = b"c\x00\x00\x00\x04"
TERMINATE = b"X\x00\x00\x00\x04"

_LENGTH = struct.Struct(">I")
_INT32 = struct.Struct(">i")
_COUNT = struct.Struct(">h")

Row = tuple[str | None, ...]


class MalformedMessage(Exception):
    """Say that what came is not the protocol: the connection cannot be trusted any further."""


def startup(user: str, database: str, options: Mapping[str, str]) -> bytes:
    """Return the first message of a session."""
    pairs = {"user": user, "database": database, "client_encoding": "UTF8", **options}
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in pairs.items()) + b"\0"
    return struct.pack(">ii", len(body) + 8, PROTOCOL_3_0) + body


def query(sql: str) -> bytes:
    """Return a simple query: its statements run in one transaction."""
    return _framed(b"Q", sql.encode() + b"\0")


def copy_data(length: int) -> bytes:
    """Return the header of one CopyData message whose `length` bytes follow."""
    return b"d" + _LENGTH.pack(length + 4)


def password(text: str) -> bytes:
    """Return a cleartext password message."""
    return _framed(b"p", text.encode() + b"\0")


def sasl_first(mechanism: str, data: bytes) -> bytes:
    """Return the message that chooses a SASL mechanism."""
    return _framed(b"p", mechanism.encode() + b"\0" + _LENGTH.pack(len(data)) + data)


def sasl_answer(data: bytes) -> bytes:
    """Return a further SASL message."""
    return _framed(b"p", data)


def take_messages(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Yield the whole messages at the buffer's front as (kind, body), and remove them from it."""
    start = 0
    try:
        while len(buffer) - start >= 5:  # noqa: PLR2004 - kind and length
            (length,) = _LENGTH.unpack_from(buffer, start + 1)
            if not 4 <= length <= MESSAGE_BYTES_MAX:  # noqa: PLR2004 - the length counts itself
                raise MalformedMessage(f"a message of {length} bytes")
            end = start + 1 + length
            if end > len(buffer):
                return
            kind, body = buffer[start], bytes(buffer[start + 5 : end])
            start = end
            yield kind, body
    finally:
        del buffer[:start]


def data_row(body: bytes) -> Row:
    """Read a row in text form."""
    (count,) = _COUNT.unpack_from(body)
    at = 2
    values: list[str | None] = []
    for _ in range(count):
        (length,) = _INT32.unpack_from(body, at)
        at += 4
        if length < 0:
            values.append(None)
            continue
        values.append(body[at : at + length].decode())
        at += length
    return tuple(values)


def server_error(body: bytes) -> ServerError:
    """Read an ErrorResponse."""
    fields = {chr(part[0]): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return ServerError(
        severity=fields.get("V", fields.get("S", "ERROR")),
        sqlstate=fields.get("C", "XX000"),
        message=fields.get("M", ""),
        detail=fields.get("D", ""),
    )


def notification(body: bytes) -> tuple[str, str]:
    """Read a NotificationResponse as (channel, payload)."""
    channel, payload, _ = body[4:].split(b"\0", 2)
    return channel.decode(), payload.decode()


def authentication(body: bytes) -> tuple[int, bytes]:
    """Read an authentication message as (code, data)."""
    (code,) = _LENGTH.unpack_from(body)
    return code, body[4:]


def backend_key(body: bytes) -> int:
    """Return the backend's process id."""
    (pid,) = _LENGTH.unpack_from(body)
    return pid


def _framed(kind: bytes, body: bytes) -> bytes:
    return kind + _LENGTH.pack(len(body) + 4) + body
