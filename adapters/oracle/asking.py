"""Ask an oracle's host over HTTP: a whole JSON body, or why there is none. Keys and URLs stand in no error."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from adapters.oracle.rejected import OracleRejected

OK, UNAUTHORISED, FORBIDDEN, NOT_FOUND, TOO_MANY = 200, 401, 403, 404, 429
BODY_BYTES_MAX = 4 << 20
RETRY_AFTER_S_MAX = 60.0
PAUSE_S, PAUSE_S_MAX = 0.25, 10.0
JSON_TYPE, STREAM_TYPE = "application/json", "text/event-stream"

Query = Sequence[tuple[str, str]]


class OracleUnavailable(Exception):
    """Say that an oracle gave no answer to read. `retry_after_s` is what it asked for, bounded; zero if nothing."""

    def __init__(self, text: str, *, status: int = 0, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after_s = retry_after_s


class Backoff:
    """Wait longer after each failure, up to a bound; start anew after a success."""

    def __init__(self) -> None:
        self._next_s = PAUSE_S

    def succeeded(self) -> None:
        """Start anew."""
        self._next_s = PAUSE_S

    def wait_s(self, asked_s: float = 0.0) -> float:
        """Return how long to wait now; at least as long as the other side asked for."""
        wait_s, self._next_s = self._next_s, min(PAUSE_S_MAX, self._next_s * 2)
        return max(wait_s, asked_s)


def checked(response: aiohttp.ClientResponse, content_type: str) -> None:
    """Refuse an answer by its status or type, before its body is read."""
    if response.status != OK:
        told = {
            UNAUTHORISED: "the key is not accepted",
            FORBIDDEN: "the key is not accepted",
            NOT_FOUND: "it knows no such feed",
            TOO_MANY: "we ask too often",
        }.get(response.status, "it fails" if response.status >= 500 else "it refuses")  # noqa: PLR2004 - HTTP's own line
        raise OracleUnavailable(
            f"HTTP {response.status}: {told}", status=response.status, retry_after_s=_retry_after(response)
        )
    if response.content_type != content_type:
        raise OracleUnavailable(f"an answer of type {response.content_type[:60]}, not {content_type}")


async def ask(session: aiohttp.ClientSession, url: str, query: Query, headers: Mapping[str, str]) -> bytes:
    """Return the body of a JSON answer; raise `OracleUnavailable`."""
    try:
        async with session.get(url, params=query, headers=headers, allow_redirects=False) as response:
            checked(response, JSON_TYPE)
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise OracleUnavailable(f"an answer of more than {BODY_BYTES_MAX} bytes")
            return bytes(body)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise unavailable(error) from None


def unavailable(error: Exception) -> OracleUnavailable:
    """Say what failed by its kind alone: aiohttp's own texts hold URLs."""
    return OracleUnavailable(f"no answer: {type(error).__name__}")


def parse_json(body: bytes | str) -> Any:
    """Return what a body says; refuse what is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise OracleRejected("malformed", "not JSON, or not all of it") from None


def _retry_after(response: aiohttp.ClientResponse) -> float:
    told = response.headers.get("Retry-After", "")
    return min(float(int(told[:6])), RETRY_AFTER_S_MAX) if told.isascii() and told.isdigit() else 0.0
