"""NATS protocol frames as bytes. Pure."""

import re
from collections.abc import Mapping

import msgspec

HEADER_LINE = b"NATS/1.0\r\n"
WRONG_LAST_SEQUENCE = 10071
"""JetStream's error code for an expected last sequence that is not the stream's."""
STREAM_NOT_FOUND = 10059
NO_RESPONDERS = "503"
CONTROL = "100"

_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_VALUE = re.compile(r"[^\r\n]*")
_UNSAFE_IN_TOKEN = re.compile(r"[^A-Za-z0-9_/:@+=-]")


class ApiError(msgspec.Struct, frozen=True):
    """Hold JetStream's reason for a refusal."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class PubAck(msgspec.Struct, frozen=True):
    """Hold JetStream's answer to a publication: the sequence it was stored under, or an error."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


_ack_decoder = msgspec.json.Decoder(PubAck)


def decode_ack(data: bytes) -> PubAck:
    """Read a publication's answer. Raise `msgspec.DecodeError` when it is none."""
    return _ack_decoder.decode(data)


def token(text: str) -> str:
    """Return `text` if it can stand as one part of a subject we define; raise ValueError otherwise."""
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"not a subject token: {text!r}")
    return text


def escape_token(text: str) -> str:
    """Return `text` as one subject part; what cannot stand there (dots, spaces, wildcards) becomes `%` and hex."""
    if not text:
        raise ValueError("a subject token may not be empty")
    return _UNSAFE_IN_TOKEN.sub(lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode()), text)


def unescape_token(text: str) -> str:
    """Undo `escape_token`."""
    raw = re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found.group(1), 16)]), text.encode())
    return raw.decode()


def header_block(headers: Mapping[str, str]) -> bytes:
    """Encode headers; raise ValueError for a name that is no token or a value that would end its line."""
    lines = [HEADER_LINE]
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"not a header: {name!r}: {value!r}")
        lines.append(f"{name}: {value}\r\n".encode())
    lines.append(b"\r\n")
    return b"".join(lines)


def publication(subject: bytes, payload: bytes, *, reply: bytes = b"", headers: bytes = b"") -> bytes:
    """Build one PUB or HPUB frame. `headers` is a whole header block or empty."""
    to = b"%b %b" % (subject, reply) if reply else subject
    if headers:
        return b"HPUB %b %d %d\r\n%b%b\r\n" % (to, len(headers), len(headers) + len(payload), headers, payload)
    return b"PUB %b %d\r\n%b\r\n" % (to, len(payload), payload)
