"""The OpenAPI document at `/schema`: what the handlers declare, with bodies, codes and examples added."""

from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from litestar import Litestar, MediaType, Response, get

from api.http import approving, commanding
from api.http.codes import CODES
from api.http.confirming import Confirmation
from api.http.house import Asked
from api.http.market import SourceRow
from api.http.ordering import OrderBody
from api.http.placing import OrderPending
from api.http.roles import PUBLIC, ROUTES
from api.http.sending import Waiting
from domain.indicative import Ladder
from projections.approvals import ApprovalLine
from projections.backing import BackingLine
from projections.exposure import ExposureLine
from projections.hedge_lines import HedgeLine
from projections.limit_history import LimitChangeLine
from projections.limits import LimitLine
from projections.margin import MarginLine
from projections.modes import ModeLine
from projections.stress import StressLine

_REF = "#/components/schemas/{name}"
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["error_code", "error_name"],
            "properties": {
                name: {"type": "string"}
                for name in ("error_code", "error_name", "detail", "reason", "control", "scope", "limit", "value")
            },
        }
    },
}
_ORDER_EXAMPLE = {
    "order_id": "RFQ-6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001",
    "order_type": "MINT",
    "expiry": 1800000000,
    "nonce": 1800000000,
    "benefactor": "0x" + "11" * 20,
    "beneficiary": "0x" + "11" * 20,
    "collateral_asset": "0xdAC17F958D2ee523a2206206994597C13D831ec7",
    "collateral_amount": "25000000",
    "usde_amount": "24990000000000000000",
}
_LIMIT_EXAMPLE = {"control": "net_delta", "scope": "asset:ETH", "value": "12.5", "reason": "thin books"}
_APPLY_EXAMPLE = {"limits": [{"control": "leverage", "scope": "global", "value": "4"}], "reason": "quarter review"}
_MODE_EXAMPLE = {"scope": "global", "mode": "HALTED", "reason": "venue answers strangely"}
_PUBLIC_STATUSES = {"/order-confirmation": (404,), "/order": (409,)}
_UNDER_WAY = {"/order": OrderPending, "/order-confirmation": Confirmation}
"""What is answered with 202 and code 36."""
_FOLLOWED = {"/v1/indicative/{pair}", "/v1/stream"}
"""What can be read as server-sent events."""
_ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/indicative/{pair}": ("indicative", {"$ref": _REF.format(name="Ladder")}),
    "/v1/hedges/{hedge_id}": ("hedge", {"$ref": _REF.format(name="HedgeLine")}),
    "/v1/market": ("market", {"type": "array", "items": {"$ref": _REF.format(name="SourceRow")}}),
}
"""What a read answers under its own name, where a struct says it."""
_ROWS: dict[str, type[msgspec.Struct]] = {
    "/v1/exposure": ExposureLine,
    "/v1/margin": MarginLine,
    "/v1/limits": LimitLine,
    "/v1/limits/history": LimitChangeLine,
    "/v1/mode": ModeLine,
    "/v1/backing": BackingLine,
    "/v1/stress": StressLine,
    "/v1/approvals": ApprovalLine,
}
"""What the rows of a read are."""
_EXAMPLES = {
    "/v1/limits": _LIMIT_EXAMPLE,
    "/v1/limits/apply": _APPLY_EXAMPLE,
    "/v1/approvals/{approval_id}": {"decision": "grant"},
    "/v1/latches/release": {"control": "repeated_execution", "scope": "asset:ETH", "reason": "a loop was found"},
    "/v1/destinations": {"destination": "custodian:0x11", "asset": "USDT", "reason": "a new account"},
    "/v1/mode": _MODE_EXAMPLE,
}
BODIES = commanding.BODIES | approving.BODIES
_SECOND_PERSON = {"/v1/limits", "/v1/limits/apply", "/v1/mode", "/v1/latches/release", "/v1/destinations"}
"""What may wait for another person."""


def _code_examples(status: int) -> dict[str, Any]:
    return {
        f"code {code.number}": {"value": {"error": {"error_code": str(code.number), "error_name": code.name}}}
        for code in CODES.values()
        if code.status == status
    }


def _errors(method: str, path: str) -> dict[str, Any]:
    access = ROUTES[(method, path)]
    if access.open:
        return {}
    content: dict[str, Any] = {"schema": {"$ref": _REF.format(name="Error")}}
    if access == PUBLIC:
        refused: dict[str, Any] = {
            str(status): {
                "description": "Refused; the code says why.",
                "content": {"application/json": {**content, "examples": _code_examples(status)}},
            }
            for status in (400, 429, *_PUBLIC_STATUSES.get(path, ()))
        }
        unknown_key = {"description": "The API key is not known.", "content": {"application/json": content}}
        pending = _UNDER_WAY.get(path)
        if pending is not None:
            shown = {"application/json": {"schema": {"$ref": _REF.format(name=pending.__name__)}}}
            refused["202"] = {"description": "Accepted, not mined yet: code 36.", "content": shown}
        return {**refused, "401": unknown_key}
    words = {
        "400": "A parameter or body that cannot be read.",
        "401": "No API key, or an unknown one.",
        "403": "The key's role may not do this.",
        "503": "Not now; nothing was done.",
        "504": "Waited in vain, or the outcome is not known yet.",
    }
    if method == "POST" or "{" in path:
        words["404"] = "Nothing of that name: a pair, a table, a control, an alert, a hedge."
    if method == "POST":
        words["409"] = "Refused by the book's state; the code is the reason."
    told = {status: {"description": text, "content": {"application/json": content}} for status, text in words.items()}
    if method == "POST" and path in _SECOND_PERSON:
        shown = {"application/json": {"schema": {"$ref": _REF.format(name=Waiting.__name__)}}}
        told["202"] = {"description": "Asked for: another person grants it.", "content": shown}
    return told


def _body(path: str) -> dict[str, Any] | None:
    wanted = OrderBody if path == "/order" else BODIES.get(path)
    if wanted is None:
        return None
    example = _ORDER_EXAMPLE if path == "/order" else _EXAMPLES.get(path, {"text": "looking into it"})
    schema = {"$ref": _REF.format(name=wanted.__name__)}
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _answer(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Describe the one shape of keyed reads, with what is read under its name."""
    properties: dict[str, Any] = {
        "as_of_position": {"type": "integer"},
        "as_of": {"type": ["string", "null"], "format": "date-time"},
        name: schema,
        "next": {"type": ["string", "null"]},
    }
    return {"schema": {"type": "object", "required": list(properties), "properties": properties}}


def _shown(wanted: Any) -> dict[str, Any]:
    """Describe what we write: structs by their fields, exact numbers and names as text."""
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        fields = {field.encode_name: _shown(field.type) for field in msgspec.structs.fields(wanted)}
        return {"type": "object", "properties": fields}
    if get_origin(wanted) is tuple:
        return {"type": "array", "items": _shown(get_args(wanted)[0])}
    if get_origin(wanted) in {Union, UnionType}:
        held = next(part for part in get_args(wanted) if part is not NoneType)
        return {"anyOf": [_shown(held), {"type": "null"}]}
    return {"type": {bool: "boolean", int: "integer"}.get(wanted, "string")}


def _completed(path: str, method: str, operation: dict[str, Any]) -> None:
    body = _body(path)
    if body is not None:
        operation["requestBody"] = body
    responses = operation.setdefault("responses", {})
    responses.update(_errors(method, path))
    if path in _ANSWERS:
        responses["200"]["content"] = {"application/json": _answer(*_ANSWERS[path])}
    if method == "GET" and path in _ROWS:
        rows = {"type": "array", "items": {"$ref": _REF.format(name=_ROWS[path].__name__)}}
        responses["200"]["content"] = {"application/json": _answer(path.rpartition("/")[2], rows)}
    if path in _FOLLOWED:
        responses["200"].setdefault("content", {})["text/event-stream"] = {"schema": {"type": "string"}}
    if path == "/schema":
        responses["200"]["content"] = {"application/json": {"schema": {"type": "object"}}}
    access = ROUTES[(method, path)]
    if not access.open:
        roles = ", ".join(sorted(access.roles))
        operation["x-roles"] = sorted(access.roles)
        operation["security"] = [{"key": []}] + ([{}] if access == PUBLIC else [])
        if roles:
            operation["description"] = f"{operation.get('description', '')}\n\nRoles: {roles}.".strip()


def document(app: Litestar) -> dict[str, Any]:
    """Return the whole OpenAPI document of an application."""
    whole: dict[str, Any] = app.openapi_schema.to_schema()
    components = whole.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    wanted = [OrderBody, *_UNDER_WAY.values(), *BODIES.values(), Waiting]
    _, described = msgspec.json.schema_components(wanted, ref_template=_REF)
    schemas.update(described)
    schemas.update({shown.__name__: _shown(shown) for shown in (HedgeLine, Ladder, SourceRow, *_ROWS.values())})
    schemas["Error"] = _ERROR
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in whole["paths"].items():
        for method, operation in operations.items():
            if isinstance(operation, dict) and (method.upper(), path) in ROUTES:
                _completed(path, method.upper(), operation)
    return whole


@cache
def _written(app: Litestar) -> bytes:
    return msgspec.json.encode(document(app))


@get("/schema", operation_id="schema", summary="Describe this API (OpenAPI)", tags=["health"], sync_to_thread=False)
def schema(request: Asked) -> Response[bytes]:
    """Return the OpenAPI document as JSON."""
    return Response(_written(request.app), media_type=MediaType.JSON)


HANDLERS = (schema,)
