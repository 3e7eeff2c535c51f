"""What a person does to a running Ballast from a terminal, over HTTP with a key: stop it, and let it go on."""

import json
import os
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


def change_mode(url: str | None, mode: str, scope: str, reason: str) -> int:
    """Change a scope's mode; return 0 when it counts, 3 when it waits for another person, 1 when it was refused."""
    body = {"scope": scope, "mode": mode, "reason": reason}
    status, answer = ask(url, "POST", "/v1/mode", body)
    if status == HTTPStatus.OK:
        sys.stdout.write(f"{scope} is {mode} as of position {answer.get('position')}\n")
        return 0
    if status == HTTPStatus.ACCEPTED:
        sys.stdout.write(waiting(answer))
        return WAITS
    sys.stderr.write(f"refused ({status}): {json.dumps(answer)}\n")
    return 1


def waiting(answer: dict[str, Any]) -> str:
    """Say that a change waits for another person, and what that person does."""
    name, ends = answer.get("approval_id"), answer.get("expires_at")
    return f"nothing changed yet: another person must grant it until {ends}:\n  ballast limits approve {name}\n"


def ask(url: str | None, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Ask a running Ballast as the holder of `BALLAST_KEY`; return the status and the answer.

    Raise `SettingsError` when it cannot be asked or does not answer.
    """
    url = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise SettingsError(
            f"set {KEY_VARIABLE} to your API key: it is not taken on the command line, where others see it"
        )
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
        return error.code, json.loads(error.read() or b"{}")
    except (urllib.error.URLError, TimeoutError) as error:
        read = path.partition("?")[0]
        raise SettingsError(
            f"{url} does not answer: {error}. What was asked may or may not have been done: look at {read}"
        ) from error
