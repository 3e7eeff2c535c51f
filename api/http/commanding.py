"""The keyed commands of people: limits, modes, alerts. Each answers with the position at which it is durable."""

import re
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import MediaType, Response, post
from litestar.params import HeaderParameter, PathParameter

from api.http.bodies import bounded_body
from api.http.errors import keyed_error, keyed_refusal
from api.http.house import IDEMPOTENCY_KEY_MAX, Asked, command_id, house_of, trace
from api.http.roles import RELEASES, Role
from domain.mode import Mode
from domain.refusal import Unavailable, Unknown

BODY_BYTES_MAX = 8 * 1024
WORD_MAX = 128
REASON_MAX = 500

_NUMBER = re.compile(r"[0-9]{1,40}(\.[0-9]{1,30})?")

# One line of text: a NUL cannot be kept in a read model's column, and a line break could forge a line of a log.
ONE_LINE = r"\A[^\x00-\x1f\x7f]*\Z"

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=WORD_MAX, pattern=ONE_LINE)]
Reasoned = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_MAX, pattern=ONE_LINE)]


class LimitChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a limit: `value` in the control's unit, as text; null removes the limit."""

    control: Word
    scope: Word
    value: str | None
    reason: Reasoned


class ModeChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a scope's mode: ACTIVE, REDUCE_ONLY or HALTED."""

    scope: Word
    mode: Mode
    reason: Reasoned


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take an alert up, with a word about it."""

    text: Annotated[str, msgspec.Meta(max_length=REASON_MAX, pattern=ONE_LINE)] = ""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """Answer an accepted command: read models that have folded `position` show it (`?wait_for=`)."""

    command_id: str
    position: int


BODIES: dict[str, type[msgspec.Struct]] = {
    "/v1/limits": LimitChange,
    "/v1/mode": ModeChange,
    "/v1/alerts/{alert_id}/acknowledge": Acknowledgement,
}


async def _read(request: Asked, wanted: type[Any], *, empty: bytes = b"") -> Any:
    body = await bounded_body(request, BODY_BYTES_MAX)
    if body is None:
        raise keyed_error(400, "body_too_large", f"the body is longer than {BODY_BYTES_MAX} bytes")
    try:
        return msgspec.json.decode(body or empty, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise keyed_error(400, "malformed", str(error)[:200]) from error


def _key(request: Asked) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None or (0 < len(key) <= IDEMPOTENCY_KEY_MAX and key.isascii() and key.isprintable()):
        return key
    text = f"an Idempotency-Key has 1 to {IDEMPOTENCY_KEY_MAX} printable characters"
    raise keyed_error(400, "bad_idempotency_key", text)


async def _send(request: Asked, kind: str, body: dict[str, Any]) -> Response[Any]:
    person = request.scope["auth"].person
    name = command_id(person, _key(request))
    commands = house_of(request).ports.commands
    try:
        reply = await commands.request(kind, msgspec.json.encode(body), name, person, trace(request))
    except Unavailable as error:
        refused = keyed_error(503, "unavailable", "the core does not take commands now; it was surely not done")
        refused.retry_after_s = 1
        raise refused from error
    except Unknown as error:
        text = "it may have been done: send it again with the same Idempotency-Key"
        raise keyed_error(504, "outcome_unknown", text) from error
    if reply.status != "accepted":
        raise keyed_refusal(reply)
    answer = msgspec.json.encode(Done(command_id=reply.command_id, position=reply.position))
    return Response(answer, status_code=200, media_type=MediaType.JSON)


@post("/v1/limits", status_code=200, operation_id="change_limit", summary="Set or remove a limit", tags=["commands"])
async def change_limit(
    request: Asked, idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None
) -> Response[Done]:
    """Ask for a limit. Tightening counts at once; raising or removing one needs a second person's approval."""
    del idempotency_key  # documented here, read where it is used
    change: LimitChange = await _read(request, LimitChange)
    named = {"control": change.control, "scope": change.scope, "reason": change.reason}
    if change.value is None:
        return await _send(request, "limit.remove", named)
    if not _NUMBER.fullmatch(change.value):
        raise keyed_error(400, "malformed", 'value is a number of zero or more, as text, such as "12.5"')
    return await _send(request, "limit.set", {**named, "value": change.value})


@post("/v1/mode", status_code=200, operation_id="change_mode", summary="Halt, reduce or release", tags=["commands"])
async def change_mode(
    request: Asked, idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None
) -> Response[Done]:
    """Ask for a scope's mode. An operator may only halt; what may release something takes the risk role."""
    del idempotency_key  # documented here, read where it is used
    change: ModeChange = await _read(request, ModeChange)
    if change.mode is not Mode.HALTED and Role(request.scope["auth"].role) not in RELEASES:
        raise keyed_error(403, "release_needs_risk", "an operator may only halt: anything else may release something")
    body = {"scope": change.scope, "mode": change.mode.value, "reason": change.reason}
    return await _send(request, "mode.change", body)


@post(
    "/v1/alerts/{alert_id:str}/acknowledge",
    status_code=200,
    operation_id="acknowledge_alert",
    summary="Take an alert up",
    tags=["commands"],
)
async def acknowledge_alert(
    request: Asked,
    alert_id: Annotated[str, PathParameter(description="The id of the alert")],
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
) -> Response[Done]:
    """Record that a person took the alert up."""
    del idempotency_key  # documented here, read where it is used
    try:
        alert = UUID(alert_id)
    except ValueError as error:
        raise keyed_error(404, "unknown_subject", "no such alert") from error
    taken: Acknowledgement = await _read(request, Acknowledgement, empty=b"{}")
    return await _send(request, "alert.acknowledge", {"alert_id": str(alert), "text": taken.text})


HANDLERS = (change_limit, change_mode, acknowledge_alert)
