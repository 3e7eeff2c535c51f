"""What happens to every request before its handler (source, trace, key, budget) and after it (headers, meters)."""

import time
from typing import Any

from litestar import Request
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.http.codes import INVALID_PAYLOAD
from api.http.errors import ApiError, keyed_error, on_api_error, public_error, throttled
from api.http.house import House
from api.http.ports import Holder
from api.http.roles import ROUTES, Access, Role
from api.http.throttle import source_of
from api.http.trace import continued

QUERY_BYTES_MAX = 4_096

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return None


class Edge(ASGIMiddleware):
    """Name the source and the trace of a request, let it pass or refuse it, and measure its answer.

    Whether it may pass is asked here and not in one of Litestar's guards: those cost a copy of the handler a request,
    and a thread if they are not coroutines.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, house: House) -> None:
        self._house = house

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass a request on, or answer it with why not."""
        began = time.perf_counter()
        client = scope.get("client")
        peer = str(client[0]) if client else "unknown"
        forwarded = _header(scope, b"x-forwarded-for") or ""
        trace = continued(_header(scope, b"traceparent"))
        scope["state"]["source"] = source_of(peer, forwarded, self._house.settings.trusted_proxies)
        scope["state"]["trace"] = trace
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name for name, _ in message["headers"]}
                added = [header for header in _HEADERS if header[0] not in given]
                message["headers"] = [*message["headers"], *added, (b"traceparent", trace.encode())]
            await send(message)

        try:
            refused = _refused(self._house, scope)
            if refused is None:
                await next_app(scope, receive, sending)
            else:
                request = Request[Any, Any, Any](scope, receive, sending)
                answer = on_api_error(request, refused).to_asgi_response(None, request)
                await answer(scope, receive, sending)
        finally:
            route = str(scope.get("path_template") or "unknown")
            self._house.meters.answered(route, str(scope.get("method")), status, time.perf_counter() - began)


def _holder(house: House, scope: Scope, *, required: bool) -> Holder | None:
    """Return whose key the request carries; raise 401 when it is invalid, or absent where one is required."""
    header = _header(scope, b"authorization")
    if header is None:
        if required:
            raise keyed_error(401, "key_missing", "send an API key: Authorization: Bearer <key>")
        return None
    scheme, _, key = header.partition(" ")
    holder = house.ports.keys.holder(key.strip()) if scheme.lower() == "bearer" else None
    if holder is None:
        raise keyed_error(401, "key_invalid", "this API key is not known")
    return holder


def access_of(method: str, template: str) -> Access | None:
    """Return a route's entry in the table of roles; HEAD is never routed."""
    return ROUTES.get((method, template))


def _refused(house: House, scope: Scope) -> ApiError | None:
    try:
        _admit(house, scope)
    except ApiError as error:
        return error
    return None


def _admit(house: House, scope: Scope) -> None:
    """Let a request pass that the table of roles allows and, on public routes, whose source has budget left."""
    access = access_of(str(scope.get("method")), str(scope.get("path_template")))
    if access is None:
        raise keyed_error(403, "role_forbidden", "no role may use this route")
    if access.open:
        return
    if access.public:
        wait_s = house.sources.spend(scope["state"]["source"])
        if wait_s > 0:
            raise throttled(wait_s)
    if len(scope["query_string"]) > QUERY_BYTES_MAX:
        if access.public:
            raise public_error(INVALID_PAYLOAD, f"the query is longer than {QUERY_BYTES_MAX} bytes")
        raise keyed_error(400, "query_too_long", f"the query is longer than {QUERY_BYTES_MAX} bytes")
    holder = _holder(house, scope, required=not access.public)
    scope["auth"] = holder
    if holder is not None and not access.public and Role(holder.role) not in access.roles:
        raise keyed_error(403, "role_forbidden", f"the role {holder.role} may not use this route")
