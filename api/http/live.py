"""What is told as it happens: ladders, alerts and lags; a pair's ladder now, or every one as it is published."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.params import PathParameter
from litestar.response import Stream

from api.http.errors import ApiError, keyed_error
from api.http.house import Asked, House, house_of
from api.http.quoting import find_pair
from api.http.reading import unavailable, written
from api.http.stream import LADDER_AGE_S_MAX, SUBSCRIBERS_MAX, frames, ladder_frames
from domain.refusal import Unavailable

EVENT_STREAM = "text/event-stream"
STREAM_SUFFIX = "/stream"


def _known(house: House, asked: str) -> str:
    """Return the pair that a path names, WETH/USDe or WETH-USDe in any case; raise `unknown_pair`."""
    name = asked.strip("/").replace("-", "/")
    policy = house.ports.policy()
    if policy is None:
        return name
    pair = find_pair(policy, name)
    if pair is None:
        raise keyed_error(404, "unknown_pair", "no such pair is offered")
    return pair.name


def _not_now(code: str, text: str) -> ApiError:
    error = keyed_error(503, code, text)
    error.retry_after_s = 1
    return error


def _require_room(house: House) -> None:
    if len(house.broadcast) >= SUBSCRIBERS_MAX:
        raise keyed_error(503, "too_many_streams", f"at most {SUBSCRIBERS_MAX} streams are open at once")


@get(
    "/v1/indicative/{pair:path}",
    operation_id="read_indicative",
    summary="Read a pair's ladder, or follow it",
    description=(
        "The latest ladder as published. `/v1/indicative/{pair}/stream`, or `Accept: text/event-stream`, follows it "
        "instead: `indicative` events as ladders are published, the newest only for whoever reads slowly, and `stale` "
        "while none comes."
    ),
    tags=["keyed"],
)
async def indicative(
    request: Asked, pair: Annotated[str, PathParameter(description="Such as WETH-USDe")]
) -> Response[Any] | Stream:
    """Return the latest indicative ladder (WETH/USDe or WETH-USDe); one that is too old is not shown."""
    house = house_of(request)
    follow = pair.endswith(STREAM_SUFFIX)
    name = _known(house, pair.removesuffix(STREAM_SUFFIX))
    if follow or request.headers.get("accept", "").startswith(EVENT_STREAM):
        _require_room(house)
        return Stream(ladder_frames(house.broadcast, name), media_type=EVENT_STREAM)
    ladder = house.broadcast.latest(name)
    if ladder is None:
        raise _not_now("no_ladder", "no ladder of this pair was published yet")
    if house.broadcast.age_s(ladder) > LADDER_AGE_S_MAX:
        raise _not_now("ladder_stale", f"the last ladder is older than {LADDER_AGE_S_MAX:g} s")
    try:
        position, _ = await house.ports.views.head()
    except Unavailable as error:
        raise unavailable() from error
    return written(position, ladder.received_us, "indicative", msgspec.Raw(ladder.body), "")


def lags(house: House) -> Callable[[], bytes]:
    """Return a writer of every role's lags and queue depths, as heard last."""

    def write() -> bytes:
        told: dict[str, Any] = {}
        now_us = house.clocks.now_us()
        for beat in house.ports.heartbeats.latest():
            numbers = {
                _series(family.name, sample.labels): sample.value
                for family in beat.families
                if family.kind == "gauge"
                for sample in family.samples
            }
            told[beat.role] = {"age_ms": max(0, now_us - beat.at_us) // 1_000, "position": beat.position, **numbers}
        return msgspec.json.encode(told)

    return write


def _series(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return f"{name}[{inside}]" if inside else name


@get("/v1/stream", operation_id="stream", summary="Follow ladders, alerts and lags", tags=["keyed"])
async def stream(request: Asked) -> Stream:
    """Send server-sent events: `indicative`, `alert`, `lags`, and `dropped` when the reader is too slow."""
    house = house_of(request)
    _require_room(house)
    return Stream(frames(house.broadcast, lags(house)), media_type=EVENT_STREAM)


HANDLERS = (indicative, stream)
