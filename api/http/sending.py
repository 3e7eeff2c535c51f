"""How a person's command goes to the core and its answer comes back, for every keyed route that asks for something."""

import re
from typing import Annotated, Any, get_args
from uuid import UUID

import msgspec
from litestar import MediaType, Response

from api.http.bodies import bounded_body
from api.http.errors import keyed_error, keyed_refusal
from api.http.house import IDEMPOTENCY_KEY_MAX, Asked, command_id, house_of, trace
from commands.envelope import Reply
from domain.approvals import ApprovalRequested
from domain.instant import parse_rfc3339, rfc3339
from domain.refusal import Unavailable, Unknown

BODY_BYTES_MAX = 8 * 1024
WORD_MAX = 192
REASON_MAX = 500

TEXT_MAX = 300

_ENUM = re.compile(r"Invalid enum value .* - at `\$\.(\w+)`")
_NUMBER = re.compile(r"[0-9]{1,40}(\.[0-9]{1,30})?")

# One line of text: a NUL cannot be kept in a read model's column, and a line break could forge a line of a log.
ONE_LINE = r"\A[^\x00-\x1f\x7f]*\Z"

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=WORD_MAX, pattern=ONE_LINE)]
Reasoned = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_MAX, pattern=ONE_LINE)]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """Answer an accepted command: read models that have folded `position` show it (`?wait_for=`)."""

    command_id: str
    position: int


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Answer a command that loosens something: another person grants it (`POST /v1/approvals/{approval_id}`) or not.

    The approval binds the change of this hash, and is over at `expires_at`, or when what it would change moves.
    """

    command_id: str
    position: int
    approval_id: str
    change_sha256: str
    expires_at: str


class _Asked(msgspec.Struct, frozen=True):
    approval_id: UUID
    change_sha256: str
    expires_at_us: int


async def read_body(request: Asked, wanted: type[Any], *, empty: bytes = b"", bytes_max: int = BODY_BYTES_MAX) -> Any:
    """Return the request's body as it is wanted; raise 400 for what cannot be read."""
    body = await bounded_body(request, bytes_max)
    if body is None:
        raise keyed_error(400, "body_too_large", f"the body is longer than {bytes_max} bytes")
    try:
        return msgspec.json.decode(body or empty, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise keyed_error(400, "malformed", _said(str(error), body or empty, wanted)[:TEXT_MAX]) from error


def _said(text: str, body: bytes, wanted: type[Any]) -> str:
    """Return what is wrong with a body so that a person knows what to write instead."""
    if not body.strip():
        return "the body is empty: send a JSON object"
    named = _ENUM.fullmatch(text)
    if named is not None:
        kind = next(field.type for field in msgspec.structs.fields(wanted) if field.name == named[1])
        return f"{text}: {' or '.join(get_args(kind) or tuple(kind))}"
    return text.replace(f"matching regex {ONE_LINE!r}", "on one line, without control characters")


def number(text: str) -> str:
    """Return a plain decimal as it was written; raise 400 for anything else."""
    if not _NUMBER.fullmatch(text):
        raise keyed_error(400, "malformed", 'value is a number above zero, in plain digits, as text, such as "12.5"')
    return text


def instant_us(text: str) -> int:
    """Return an RFC 3339 instant in microseconds, 0 for none; raise 400 for anything else."""
    if not text:
        return 0
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise keyed_error(400, "malformed", 'expires_at is an instant, such as "2026-11-23T06:30:00Z"') from error


def named_id(text: str, what: str) -> UUID:
    """Return an id of the path; raise 404 for what is none."""
    try:
        return UUID(text)
    except ValueError as error:
        raise keyed_error(404, "unknown_subject", f"no such {what}") from error


def _key(request: Asked) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None or (0 < len(key) <= IDEMPOTENCY_KEY_MAX and key.isascii() and key.isprintable()):
        return key
    text = f"an Idempotency-Key has 1 to {IDEMPOTENCY_KEY_MAX} printable characters"
    raise keyed_error(400, "bad_idempotency_key", text)


async def send(request: Asked, kind: str, body: dict[str, Any]) -> Response[Any]:
    """Send a command of the request's person; answer 200 when it counts, 202 when it waits for another person."""
    person = request.scope["auth"].person
    name = command_id(person, _key(request))
    house = house_of(request)
    try:
        reply = await house.ports.commands.request(kind, msgspec.json.encode(body), name, person, trace(request))
    except Unavailable as error:
        refused = keyed_error(503, "unavailable", "the core does not take commands now; it was surely not done")
        refused.retry_after_s = 1
        raise refused from error
    except Unknown as error:
        text = "it may have been done: send it again with the same Idempotency-Key"
        raise keyed_error(504, "outcome_unknown", text) from error
    if reply.status != "accepted":
        raise keyed_refusal(reply)
    house.told.note(reply.position)
    waiting = _waiting(reply)
    answer = waiting or Done(command_id=reply.command_id, position=reply.position)
    return Response(msgspec.json.encode(answer), status_code=200 if waiting is None else 202, media_type=MediaType.JSON)


def _waiting(reply: Reply) -> Waiting | None:
    for event in reply.events:
        if event.topic == ApprovalRequested.TOPIC:
            asked = msgspec.json.decode(event.state, type=_Asked)
            return Waiting(
                command_id=reply.command_id,
                position=reply.position,
                approval_id=str(asked.approval_id),
                change_sha256=asked.change_sha256,
                expires_at=rfc3339(asked.expires_at_us),
            )
    return None
