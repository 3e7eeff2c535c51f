"""What requests bring and answers carry: bounded bodies, idempotency keys, JSON as it was written."""

from collections.abc import AsyncIterator
from typing import Any

from litestar import MediaType, Response

from api.http.codes import INVALID_PAYLOAD
from api.http.errors import public_error
from api.http.house import IDEMPOTENCY_KEY_MAX, Asked

ORDER_BYTES_MAX = 16 * 1024


def written_json(body: bytes, status: int = 200) -> Response[Any]:
    """Return an answer whose JSON is written already."""
    return Response(body, status_code=status, media_type=MediaType.JSON)


def idempotency_key(asked: Asked) -> str | None:
    """Return the Idempotency-Key header; raise code 29 when it is empty, too long or not plain ASCII."""
    key = asked.headers.get("idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= IDEMPOTENCY_KEY_MAX or not key.isascii() or not key.isprintable():
        raise public_error(INVALID_PAYLOAD, f"an Idempotency-Key has 1 to {IDEMPOTENCY_KEY_MAX} printable characters")
    return key


async def bounded_body(asked: Asked, bytes_max: int = ORDER_BYTES_MAX) -> bytes | None:
    """Return the body, or None as soon as it is longer than the bound; the rest is not read."""
    body = bytearray()
    chunks: AsyncIterator[bytes] = asked.stream()
    async for chunk in chunks:
        body += chunk
        if len(body) > bytes_max:
            return None
    return bytes(body)
