"""Whether the process lives, whether it can answer, and what it and the other roles measure. Open to everyone."""

from typing import Any

import msgspec
from litestar import MediaType, Response, get

from api.http.house import Asked, house_of
from api.http.metrics import Registry, render

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class DependencyState(msgspec.Struct, frozen=True, kw_only=True):
    """Show one dependency; `text` says what is wrong."""

    name: str
    ok: bool
    text: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Show whether requests can be answered, and by which dependencies."""

    ready: bool
    dependencies: list[DependencyState]


@get("/health/live", operation_id="live", summary="Say that the process runs", tags=["health"], sync_to_thread=False)
def live() -> dict[str, bool]:
    """Return 200 as long as the process can answer at all."""
    return {"live": True}


@get("/health/ready", operation_id="ready", summary="Say whether everything needed answers", tags=["health"])
async def ready(request: Asked) -> Response[Readiness]:
    """Return 200 when every dependency answers, else 503 with those that do not."""
    found = await house_of(request).ports.dependencies.check()
    states = [DependencyState(name=name, ok=not text, text=text) for name, text in sorted(found.items())]
    answer = Readiness(ready=all(state.ok for state in states), dependencies=states)
    body: Response[Any] = Response(
        msgspec.json.encode(answer), status_code=200 if answer.ready else 503, media_type=MediaType.JSON
    )
    return body


@get(
    "/metrics",
    operation_id="metrics",
    summary="Show every role's numbers",
    media_type=PROMETHEUS_TEXT,
    tags=["health"],
    sync_to_thread=False,
)
def metrics(request: Asked) -> str:
    """Return Prometheus text: this process's numbers and those in the newest heartbeat of each role."""
    house = house_of(request)
    house.meters.subscribers.set(len(house.broadcast))
    beats = house.ports.heartbeats.latest()
    ages = Registry()
    age = ages.gauge("ballast_heartbeat_age_seconds", "Seconds since a role was heard.")
    position = ages.gauge("ballast_position", "The position in the log that a role is at.")
    now_us = house.clocks.now_us()
    for beat in beats:
        age.set(max(0, now_us - beat.at_us) / 1e6, source=beat.role)
        if beat.position is not None:
            position.set(beat.position, source=beat.role)
    told = [(beat.role, beat.families) for beat in beats]
    return render([("api", house.meters.registry.families()), ("api", ages.families()), *told])


HANDLERS = (live, ready, metrics)
