"""Having HALTED recorded by the running house, over its API, with a key of the kill's own."""

import uuid

import aiohttp

from domain.refusal import Rejected, Unavailable

GLOBAL, HALTED = "global", "HALTED"


class ApiHalts:
    """Ask the API once; the caller bounds the time."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key

    async def halt(self, reason: str) -> str:
        """Halt everything."""
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": str(uuid.uuid4())}
        body = {"scope": GLOBAL, "mode": HALTED, "reason": f"kill: {reason}"}
        answer = await self._ask("POST", "/v1/mode", headers, body)
        return f"global is {HALTED}: {answer}"

    async def look(self) -> str:
        """Say whether the key is known there."""
        await self._ask("GET", "/v1/mode", {"Authorization": f"Bearer {self._key}"}, None)
        return "the API knows the key"

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: dict[str, str] | None) -> str:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, self._url + path, headers=headers, json=body) as answer,
            ):
                told = (await answer.text())[:200]
                if answer.ok:
                    return told
                raise Rejected(str(answer.status), told)
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{self._url} does not answer: {type(error).__name__}") from None
