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


def change_mode(url: str | None, mode: str, scope: str, reason: str) -> int:
    """Change a scope's mode; return 0 when it counts, 1 when it was refused, and say why."""
    body = {"scope": scope, "mode": mode, "reason": reason}
    status, answer = _post(url or os.environ.get(URL_VARIABLE) or DEFAULT_URL, "/v1/mode", body)
    if status == HTTPStatus.OK:
        sys.stdout.write(f"{scope} is {mode} as of position {answer.get('position')}\n")
        return 0
    sys.stderr.write(f"refused ({status}): {json.dumps(answer)}\n")
    return 1


def _post(url: str, path: str, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise SettingsError(
            f"set {KEY_VARIABLE} to your API key: it is not taken on the command line, where others see it"
        )
    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"not an HTTP address: {url}")
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        url + path,
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        },
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - same
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")
    except (urllib.error.URLError, TimeoutError) as error:
        raise SettingsError(
            f"{url} does not answer: {error}. The mode may or may not have changed: look at /v1/mode"
        ) from error
