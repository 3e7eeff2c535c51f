"""The application: every handler, checked against the table of roles before it can serve."""

import re
from typing import Any

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from api.http import (
    approving,
    commanding,
    confirming,
    console,
    health,
    live,
    market,
    placing,
    public,
    reading,
    schema,
)
from api.http.edge import Edge
from api.http.errors import ApiError, on_anything_else, on_api_error, on_http_error
from api.http.house import Clocks, House, HttpSettings, Ports
from api.http.roles import ROUTES
from api.http.stream import Broadcast

REQUEST_BODY_BYTES_MAX = 1 << 20
CORS_MAX_AGE_S = 600
PARAMETER_TYPE = re.compile(r":[a-z]+}")
HANDLERS: tuple[HTTPRouteHandler, ...] = (
    *public.HANDLERS,
    *placing.HANDLERS,
    *confirming.HANDLERS,
    *reading.HANDLERS,
    *live.HANDLERS,
    *market.HANDLERS,
    *commanding.HANDLERS,
    *approving.HANDLERS,
    *health.HANDLERS,
    *schema.HANDLERS,
    *console.HANDLERS,
)


def served(handlers: tuple[HTTPRouteHandler, ...]) -> set[tuple[str, str]]:
    """Return the (method, path template) of every handler, as the table and the schema write them."""
    return {
        (str(method), PARAMETER_TYPE.sub("}", path))
        for handler in handlers
        for method in handler.http_methods
        for path in handler.paths
    }


def create_app(
    ports: Ports,
    broadcast: Broadcast | None = None,
    settings: HttpSettings | None = None,
    clocks: Clocks | None = None,
) -> Litestar:
    """Build the application. `broadcast` is where the composition root publishes ladders and alerts to.

    Raise ValueError when a handler is not in the table of roles, or a row of it is not served.
    """
    if served(HANDLERS) != set(ROUTES):
        raise ValueError(f"routes and roles differ: {sorted(served(HANDLERS) ^ set(ROUTES))}")
    clocks = clocks or Clocks()
    settings = settings or HttpSettings()
    if broadcast is None:  # one without subscribers is falsy, so `or` would replace it
        broadcast = Broadcast(clocks.monotonic_s, clocks.now_us)
    house = House(ports, broadcast, settings, clocks)
    return Litestar(
        route_handlers=list(HANDLERS),
        state=State({"house": house}),
        middleware=[Edge(house)],
        exception_handlers=_exception_handlers(),
        cors_config=CORSConfig(
            allow_origins=list(settings.allow_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "traceparent"],
            expose_headers=["Retry-After", "traceparent"],
            max_age=CORS_MAX_AGE_S,
        ),
        openapi_config=OpenAPIConfig(
            title="Ballast", version=settings.version, render_plugins=[JsonRenderPlugin()], path="/schema/raw"
        ),
        request_max_body_size=REQUEST_BODY_BYTES_MAX,
        logging_config=None,
    )


def _exception_handlers() -> dict[Any, Any]:
    return {ApiError: on_api_error, HTTPException: on_http_error, Exception: on_anything_else}
