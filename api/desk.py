"""What a person does to a running Ballast from a terminal, over HTTP with a key: stop it, and let it go on."""

import http.client
import json
import os
import socket
import sys
import urllib.error
import urllib.request
import uuid
from http import HTTPStatus
from typing import Any

from api.settings import SettingsError

TIMEOUT_S = 20.0
KEY_VARIABLE, URL_VARIABLE = "BALLAST_KEY", "BALLAST_URL"
DEFAULT_URL = "http://127.0.0.1:8080"
WAITS = 3
HALTED = "HALTED"


def change_mode(url: str | None, mode: str, scope: str, reason: str) -> int:
    """Change a scope's mode; return 0 when it counts, 3 when it waits for another person, 1 when it was refused."""
    body = {"scope": scope, "mode": mode, "reason": reason}
    try:
        answered = ask(url, "POST", "/v1/mode", body)
    except SettingsError as error:
        if mode != HALTED:
            raise
        raise SettingsError(f"{error}\nif it must stop now, `ballast kill` needs nothing that runs") from error
    return told(answered, f"{scope} is {mode}", f"{scope} was {mode} already: nothing was changed")


def told(answered: tuple[int, dict[str, Any]], done: str, same: str) -> int:
    """Tell a person what came of a command; return 0 when it is so, 3 when it waits, 1 when it was refused."""
    status, answer = answered
    if status == HTTPStatus.OK:
        position = answer.get("position")
        sys.stdout.write(f"{done} as of position {position}\n" if position else f"{same}\n")
        return 0
    if status == HTTPStatus.ACCEPTED:
        sys.stdout.write(waiting(answer))
        return WAITS
    sys.stderr.write(f"ballast: refused: {why(status, answer)}\n")
    return 1


def why(status: int, answer: dict[str, Any]) -> str:
    """Return what a refusal says, with its code to look up."""
    error = answer.get("error")
    if not isinstance(error, dict):
        return f"HTTP {status}"
    named: dict[str, Any] = error
    return f"{named.get('error_name')} (HTTP {status}, {named.get('error_code')})"


def waiting(answer: dict[str, Any]) -> str:
    """Say that a change waits for another person, and what that person does."""
    name, ends = answer.get("approval_id"), answer.get("expires_at")
    return f"nothing changed yet: another person must grant it until {ends}:\n  ballast limits approve {name}\n"


def ask(url: str | None, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Ask a running Ballast as the holder of `BALLAST_KEY`; return the status and the answer.

    Raise `SettingsError` when it cannot be asked or does not answer.
    """
    url = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise SettingsError(
            f"set {KEY_VARIABLE} to your API key: it is not taken on the command line, where others see it"
        )
    if not key.isascii() or not key.isprintable():
        raise SettingsError(f"{KEY_VARIABLE} holds characters that no API key has")
    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"not an HTTP address: {url}")
    headers = {"Authorization": f"Bearer {key}"}
    if body is not None:
        headers |= {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        url + path, data=None if body is None else json.dumps(body).encode(), headers=headers, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - same
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, _refusal(error.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = getattr(error, "reason", error)
        if method == "GET" or isinstance(cause, (ConnectionRefusedError, socket.gaierror)):
            raise SettingsError(f"{url} does not answer: {cause}. Nothing was asked of it") from error
        read = path.partition("?")[0]
        raise SettingsError(
            f"{url} does not answer: {cause}. What was asked may or may not have been done: look at {read}"
        ) from error


def _refusal(body: bytes) -> dict[str, Any]:
    """Return the body of a refusal; what stands between may have written something else than JSON."""
    try:
        document: dict[str, Any] = json.loads(body)
    except ValueError:
        return {}
    return document
