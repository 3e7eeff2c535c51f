"""The keyed commands of people: limits, modes, alerts. Each answers with the position at which it is durable."""

from typing import Annotated, Any

import msgspec
from litestar import Response, post
from litestar.params import HeaderParameter, PathParameter

from api.http.errors import keyed_error
from api.http.house import Asked
from api.http.roles import RELEASES, Role
from api.http.sending import ONE_LINE, REASON_MAX, Done, Reasoned, Word, instant_us, named_id, number, read_body, send
from domain.mode import Mode


class LimitChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a limit: `value` in the control's unit, as text; null removes the limit.

    With `expires_at` (RFC 3339) it counts until then, and is again what was approved for good before it.
    """

    control: Word
    scope: Word
    value: str | None
    reason: Reasoned
    expires_at: str = ""


class ModeChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a scope's mode: ACTIVE, REDUCE_ONLY or HALTED."""

    scope: Word
    mode: Mode
    reason: Reasoned


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take an alert up, with a word about it."""

    text: Annotated[str, msgspec.Meta(max_length=REASON_MAX, pattern=ONE_LINE)] = ""


BODIES: dict[str, type[msgspec.Struct]] = {
    "/v1/limits": LimitChange,
    "/v1/mode": ModeChange,
    "/v1/alerts/{alert_id}/acknowledge": Acknowledgement,
}


@post("/v1/limits", status_code=200, operation_id="change_limit", summary="Set or remove a limit", tags=["commands"])
async def change_limit(
    request: Asked, idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None
) -> Response[Done]:
    """Ask for a limit. Tightening counts at once (200); what allows more at any time from now on waits (202)."""
    del idempotency_key  # documented here, read where it is used
    change: LimitChange = await read_body(request, LimitChange)
    named: dict[str, Any] = {"control": change.control, "scope": change.scope, "reason": change.reason}
    expires_at_us = instant_us(change.expires_at)
    if change.value is None:
        if expires_at_us:
            raise keyed_error(400, "malformed", "a limit is removed for good: leave expires_at out")
        return await send(request, "limit.remove", named)
    return await send(request, "limit.set", {**named, "value": number(change.value), "expires_at_us": expires_at_us})


@post("/v1/mode", status_code=200, operation_id="change_mode", summary="Halt, reduce or release", tags=["commands"])
async def change_mode(
    request: Asked, idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None
) -> Response[Done]:
    """Ask for a scope's mode. An operator may only halt; what may release something takes the risk role."""
    del idempotency_key  # documented here, read where it is used
    change: ModeChange = await read_body(request, ModeChange)
    if change.mode is not Mode.HALTED and Role(request.scope["auth"].role) not in RELEASES:
        raise keyed_error(403, "release_needs_risk", "an operator may only halt: anything else may release something")
    body = {"scope": change.scope, "mode": change.mode.value, "reason": change.reason}
    return await send(request, "mode.change", body)


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
    alert = named_id(alert_id, "alert")
    taken: Acknowledgement = await read_body(request, Acknowledgement, empty=b"{}")
    return await send(request, "alert.acknowledge", {"alert_id": str(alert), "text": taken.text})


HANDLERS = (change_limit, change_mode, acknowledge_alert)
