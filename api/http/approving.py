"""The keyed commands that two persons make together: approvals, limits by the file, latches, destinations."""

from typing import Annotated, Literal

import msgspec
from litestar import Response, post
from litestar.params import HeaderParameter, PathParameter

from api.http.house import Asked
from api.http.sending import Done, Reasoned, Waiting, Word, instant_us, named_id, number, read_body, send
from commands.limit import LIMITS_PER_CHANGE_MAX

FILE_BYTES_MAX = 128 * 1024

Hash = Annotated[str, msgspec.Meta(max_length=64, pattern=r"\A[0-9a-f]*\Z")]


class ApprovalDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Grant what another person asked for, or deny it; with `change_sha256` only if the change is that one."""

    decision: Literal["grant", "deny"]
    change_sha256: Hash = ""


class LimitEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name a limit and what it should be, as text in the control's unit; null removes it."""

    control: Word
    scope: Word
    value: str | None
    expires_at: str = ""


class LimitEntries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for several limits as one change; limits that are not named stay as they are."""

    limits: Annotated[tuple[LimitEntry, ...], msgspec.Meta(min_length=1, max_length=LIMITS_PER_CHANGE_MAX)]
    reason: Reasoned


class LatchReleased(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask that what a latched control stopped in a scope be enabled again."""

    control: Word
    scope: Word
    reason: Reasoned


class DestinationChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask that transfers of an asset may go to a destination, or (`removed`) may not any more."""

    destination: Word
    asset: Word
    reason: Reasoned
    removed: bool = False


BODIES: dict[str, type[msgspec.Struct]] = {
    "/v1/limits/apply": LimitEntries,
    "/v1/approvals/{approval_id}": ApprovalDecision,
    "/v1/latches/release": LatchReleased,
    "/v1/destinations": DestinationChange,
}


@post(
    "/v1/approvals/{approval_id:str}",
    status_code=200,
    operation_id="decide_approval",
    summary="Grant or deny what another person asked for",
    tags=["commands"],
)
async def decide_approval(
    request: Asked,
    approval_id: Annotated[str, PathParameter(description="The id that the change was answered with")],
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
) -> Response[Done]:
    """Grant a change, which then counts, or deny it. Who asked may deny and not grant, by whatever key (403)."""
    del idempotency_key  # documented here, read where it is used
    named = named_id(approval_id, "approval")
    told: ApprovalDecision = await read_body(request, ApprovalDecision)
    body = {"approval_id": str(named), "decision": told.decision, "change_sha256": told.change_sha256}
    return await send(request, "approval.decide", body)


@post(
    "/v1/limits/apply",
    status_code=200,
    operation_id="apply_limits",
    summary="Set or remove several limits as one change",
    tags=["commands"],
)
async def apply_limits(
    request: Asked, idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None
) -> Response[Done]:
    """Ask for several limits as one change: all or none, and all wait (202) when one of them loosens."""
    del idempotency_key  # documented here, read where it is used
    wanted: LimitEntries = await read_body(request, LimitEntries, bytes_max=FILE_BYTES_MAX)
    limits = [
        {
            "control": each.control,
            "scope": each.scope,
            "value": None if each.value is None else number(each.value),
            "expires_at_us": instant_us(each.expires_at),
        }
        for each in wanted.limits
    ]
    return await send(request, "limit.apply", {"limits": limits, "reason": wanted.reason})


@post(
    "/v1/latches/release",
    status_code=202,
    operation_id="release_latch",
    summary="Enable again what a control stopped",
    tags=["commands"],
)
async def release_latch(
    request: Asked, idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None
) -> Response[Waiting]:
    """Ask that a latched control be released: another person grants it."""
    del idempotency_key  # documented here, read where it is used
    wanted: LatchReleased = await read_body(request, LatchReleased)
    body = {"control": wanted.control, "scope": wanted.scope, "reason": wanted.reason}
    return await send(request, "control.release", body)


@post(
    "/v1/destinations",
    status_code=200,
    operation_id="change_destination",
    summary="Add or remove a destination of transfers",
    tags=["commands"],
)
async def change_destination(
    request: Asked, idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None
) -> Response[Done]:
    """Ask for a destination of transfers. Removing counts at once; adding waits for another person (202)."""
    del idempotency_key  # documented here, read where it is used
    wanted: DestinationChange = await read_body(request, DestinationChange)
    kind = "destination.remove" if wanted.removed else "destination.add"
    body = {"destination": wanted.destination, "asset": wanted.asset, "reason": wanted.reason}
    return await send(request, kind, body)


HANDLERS = (decide_approval, apply_limits, release_latch, change_destination)
