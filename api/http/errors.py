"""Errors as answers: one body shape everywhere, `{"error": {"error_code", "error_name"}}`, and nothing internal in it.

Public routes answer Ethena's numbers, keyed routes stable words. What went wrong inside is logged with the trace id and
told to the caller only as unavailable.
"""

import logging
from typing import Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import ClientException, HTTPException

from api.http.codes import CODES, INVALID_PAYLOAD, THROTTLED, UNAVAILABLE, Code, keyed_code, public_code
from api.http.roles import PUBLIC, ROUTES
from commands.envelope import Reply
from domain.refusal import Reason

LOG = logging.getLogger("ballast.http")

RETRY_AFTER_S_MAX = 60


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Say what was wrong: a code to branch on, its meaning, and what of this request it was about.

    What a control refused to a key names the control, its scope and limit, the value, and the version of the policy.
    """

    error_code: str
    error_name: str
    detail: str = ""
    reason: str = ""
    control: str = ""
    scope: str = ""
    limit: str = ""
    value: str = ""
    policy_version: int = 0


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """Answer with an error."""

    error: ErrorDetail


class ApiError(Exception):
    """Stop a request with this answer. `edge` says that the edge itself refused: nothing was sent on, nothing kept."""

    def __init__(self, status: int, detail: ErrorDetail, *, edge: bool = True, retry_after_s: int = 0) -> None:
        super().__init__(detail.error_code)
        self.status = status
        self.detail = detail
        self.edge = edge
        self.retry_after_s = retry_after_s


def public_error(number: int, detail: str = "") -> ApiError:
    """Return a public error found at the edge."""
    code = CODES[number]
    return ApiError(code.status, ErrorDetail(error_code=str(number), error_name=code.name, detail=detail))


def throttled(wait_s: float) -> ApiError:
    """Return the public answer to one who asks too often, with the seconds to wait."""
    code: Code = CODES[THROTTLED]
    seconds = min(RETRY_AFTER_S_MAX, int(wait_s) + 1)
    return ApiError(code.status, ErrorDetail(error_code=str(THROTTLED), error_name=code.name), retry_after_s=seconds)


def keyed_error(status: int, code: str, text: str) -> ApiError:
    """Return an error of a keyed route."""
    return ApiError(status, ErrorDetail(error_code=code, error_name=text))


def _reason(reply: Reply) -> Reason | None:
    return Reason.__members__.get(reply.reason)


def public_refusal(reply: Reply) -> ApiError:
    """Turn a core's refusal into the public answer: the code and the reason's name, never a limit's value."""
    reason = _reason(reply)
    if reply.status != "refused" or reason is None:
        number = INVALID_PAYLOAD if reply.status == "malformed" else UNAVAILABLE
        return ApiError(400, ErrorDetail(error_code=str(number), error_name=CODES[number].name), edge=False)
    code = public_code(reason)
    detail = ErrorDetail(error_code=str(code.number), error_name=code.name, reason=reason.name.lower())
    return ApiError(code.status, detail, edge=False)


def keyed_refusal(reply: Reply) -> ApiError:
    """Turn a core's refusal of a person's command into the answer, with the control that refused it."""
    reason = _reason(reply)
    if reply.status == "malformed":
        return ApiError(400, ErrorDetail(error_code="malformed", error_name=reply.text or "malformed"), edge=False)
    if reply.status != "refused" or reason is None:
        unavailable = ErrorDetail(error_code="unavailable", error_name="the core does not take commands now; try again")
        return ApiError(503, unavailable, edge=False, retry_after_s=1)
    code, status = keyed_code(reason)
    detail = ErrorDetail(
        error_code=code,
        error_name=reply.text or code,
        control=reply.control,
        scope=reply.scope,
        limit=reply.limit,
        value=reply.value,
        policy_version=reply.policy_version,
    )
    return ApiError(status, detail, edge=False)


def answer(error: ApiError) -> Response[bytes]:
    """Write an error as a response."""
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
    if error.status == 401:  # noqa: PLR2004 # the one status that must name its scheme (RFC 9110)
        headers["WWW-Authenticate"] = "Bearer"
    body = msgspec.json.encode(ErrorBody(error=error.detail))
    return Response(body, status_code=error.status, media_type=MediaType.JSON, headers=headers)


def _is_public(request: Request[Any, Any, Any]) -> bool:
    template = request.scope.get("path_template") or request.scope.get("path", "")
    return ROUTES.get((str(request.scope.get("method")), str(template))) == PUBLIC


def on_api_error(request: Request[Any, Any, Any], error: ApiError) -> Response[bytes]:
    """Answer an `ApiError` and count it."""
    request.app.state.house.meters.refused(request.scope, error.detail.error_code, edge=error.edge)
    return answer(error)


_WORDS = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework refused: unknown paths, wrong methods, bodies too large, parameters it cannot read."""
    status = error.status_code
    malformed = isinstance(error, ClientException) and status in {400, 413, 415}
    if status >= 500:  # noqa: PLR2004 # server errors begin there (RFC 9110)
        return on_anything_else(request, error)
    if malformed and _is_public(request):
        return on_api_error(request, public_error(INVALID_PAYLOAD, "the request could not be read"))
    code = _WORDS.get(status, "bad_request")
    answered = on_api_error(request, keyed_error(status, code, code.replace("_", " ")))
    for name, value in (error.headers or {}).items():
        answered.headers[name] = value
    return answered


def on_anything_else(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer 500 for a fault of ours; the log has the traceback and the trace id, the caller neither."""
    trace = request.scope.get("state", {}).get("trace", "")
    LOG.error(
        "%s %s failed; trace %s", request.scope.get("method"), request.scope.get("path_template"), trace, exc_info=error
    )
    public = _is_public(request)
    code = str(UNAVAILABLE) if public else "internal"
    detail = ErrorDetail(error_code=code, error_name=CODES[UNAVAILABLE].name)
    return on_api_error(request, ApiError(500, detail, edge=False))
