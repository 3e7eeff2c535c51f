"""The keyed reads: views and the log, paged, from history, or as soon as they got somewhere."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter

from api.http.errors import ApiError, keyed_error
from api.http.house import Asked, House, house_of
from api.http.ports import Moment, PageQuery, ViewPage, ViewRefused
from api.http.roles import READ_MODELS
from domain.instant import parse_rfc3339, rfc3339
from domain.refusal import Unavailable
from projections.catalogue import VIEWS
from projections.hedge_lines import FILLS_SHOWN, ORDERS_SHOWN, ROUNDS_SHOWN

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
CURSOR_MAX = 300
WAIT_S_MAX = 10.0
POSITION_END = 1 << 63
INSTANT_END_US = 253_402_300_800_000_000  # the year 10000, which no database column holds

_DIGITS = re.compile(r"[0-9]{1,19}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_SHARED = frozenset({"limit", "after", "at", "wait_for"})
_FLAGS = {"true": True, "false": False}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEDGES = "hedges"
_LIMIT_HISTORY = "limit_history"
_MOMENT = frozenset({"at", "wait_for"})


def _position(name: str, text: str) -> int:
    if not _DIGITS.fullmatch(text) or int(text) >= POSITION_END:
        raise keyed_error(400, f"bad_{name}", f"{name} is a position: a whole number below 2^63")
    return int(text)


def read_limit(text: str | None) -> int:
    """Return the page size; raise `bad_limit`."""
    if text is None:
        return LIMIT_DEFAULT
    if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= LIMIT_MAX:
        raise keyed_error(400, "bad_limit", f"limit is a whole number from 1 to {LIMIT_MAX}")
    return int(text)


def read_instant(text: str) -> int | None:
    """Return an RFC 3339 time as microseconds since the Unix epoch, None for what is none."""
    try:
        at_us = parse_rfc3339(text) if _INSTANT.fullmatch(text) else -1
    except (ValueError, OverflowError):
        return None
    return at_us if 0 <= at_us < INSTANT_END_US else None


def read_moment(text: str | None) -> Moment | None:
    """Return the moment that `?at=` names: a position, or an RFC 3339 time; raise `bad_at`."""
    if text is None:
        return None
    if _DIGITS.fullmatch(text):
        return Moment(position=_position("at", text))
    at_us = read_instant(text)
    if at_us is not None:
        return Moment(at_us=at_us)
    raise keyed_error(400, "bad_at", "at is a position or an RFC 3339 time such as 2026-01-31T12:00:00Z (+ is %2B)")


def _flag(name: str, text: str | None) -> bool | None:
    if text is None:
        return None
    if text not in _FLAGS:
        raise keyed_error(400, f"bad_{name}", f"{name} is true or false")
    return _FLAGS[text]


def _refuse_unknown(given: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        allowed = ", ".join(sorted(known))
        raise keyed_error(400, "unknown_parameter", f"{unknown[0][:40]!r} is not one of {allowed}")


def read_query(view: str, given: Mapping[str, Any]) -> tuple[PageQuery, int | None]:
    """Return the page query and `wait_for`; what a view cannot answer is refused, never ignored."""
    lookups = VIEWS[view].lookups if view in VIEWS else frozenset[str]()
    known = _SHARED | ({"newest_first", "open"} | lookups if view in VIEWS else {"topic"})
    _refuse_unknown(given, known)
    fields = [name for name in sorted(lookups) if name in given]
    if len(fields) > 1:
        raise keyed_error(400, "bad_query", f"ask by one of {', '.join(sorted(lookups))} at a time")
    after = given.get("after", "")
    if len(after) > CURSOR_MAX:
        raise keyed_error(400, "bad_after", "after is the `next` of the page before")
    wait_for = _position("wait_for", given["wait_for"]) if "wait_for" in given else None
    query = PageQuery(
        limit=read_limit(given.get("limit")),
        after=after,
        at=read_moment(given.get("at")),
        newest_first=bool(_flag("newest_first", given.get("newest_first"))),
        open=_flag("open", given.get("open")),
        field=fields[0] if fields else "",
        equals=given[fields[0]] if fields else "",
        topic=given.get("topic", ""),
    )
    return query, wait_for


def unavailable() -> ApiError:
    """Return the answer when views cannot be read now."""
    error = keyed_error(503, "unavailable", "the read models cannot be read now; try again")
    error.retry_after_s = 1
    return error


async def _page(house: House, view: str, query: PageQuery, wait_for: int | None) -> ViewPage:
    views = house.ports.views
    try:
        if wait_for is not None and not await views.wait_for(view, wait_for, WAIT_S_MAX):
            raise keyed_error(504, "wait_timed_out", f"{view} did not get to {wait_for} within {WAIT_S_MAX:g} s")
        if wait_for is None and query.at is None:
            await house.told.shown(views, view)
        return await views.page(view, query)
    except ViewRefused as error:
        raise keyed_error(400, error.code, error.text) from error
    except Unavailable as error:
        raise unavailable() from error


def written(as_of_position: int, as_of_us: int | None, name: str, body: Any, following: str) -> Response[Any]:
    """Return what every keyed read answers: how far the log was, when that was, the body, the next cursor."""
    document = {
        "as_of_position": as_of_position,
        "as_of": None if as_of_us is None else rfc3339(as_of_us),
        name: body,
        "next": following or None,
    }
    return Response(msgspec.json.encode(document), media_type=MediaType.JSON)


def _view_handler(view: str, path: str = "") -> HTTPRouteHandler:
    lookups = sorted(VIEWS[view].lookups) if view in VIEWS else []
    more = (
        "Narrow by `topic`." if view not in VIEWS else f"Narrow by `open` and {', '.join(lookups) or 'nothing else'}."
    )

    name = path.rpartition("/")[2] or view

    @get(
        f"/v1/{path or view}",
        operation_id=f"read_{view}",
        summary=f"Read {view.replace('_', ' ')}",
        description=f"Rows in the order of the log, `newest_first=true` the other way round. {more}",
        tags=["keyed"],
    )
    async def read(
        request: Asked,
        limit: Annotated[str | None, QueryParameter(description=f"1 to {LIMIT_MAX}, else {LIMIT_DEFAULT}")] = None,
        after: Annotated[str | None, QueryParameter(description="The `next` of the page before")] = None,
        at: Annotated[
            str | None,
            QueryParameter(description="A position or RFC 3339 time to answer from", examples=[Example(value="42")]),
        ] = None,
        wait_for: Annotated[str | None, QueryParameter(description="A position to wait for, at most 10 s")] = None,
    ) -> Response[Any]:
        del limit, after, at, wait_for  # read together with the view's own parameters
        query, wanted = read_query(view, single_values(request))
        page = await _page(house_of(request), view, query, wanted)
        rows = [msgspec.Raw(row) for row in page.rows]
        return written(page.as_of_position, page.as_of_us, name, rows, page.next)

    return read


def single_values(request: Asked) -> dict[str, str]:
    """Return the query's parameters; one that stands there twice is refused, since only one could count."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise keyed_error(400, "bad_query", f"{name[:40]!r} stands there twice")
        given[name] = str(value)
        if not given[name].isprintable():
            raise keyed_error(400, "bad_query", f"{name[:40]!r} holds what is not printable")
    return given


@get(
    "/v1/hedges/{hedge_id:str}",
    operation_id="read_hedge",
    summary="Read one hedge",
    description=(
        "Plan, certificate, orders, fills and cost. It holds the newest "
        f"{ROUNDS_SHOWN} rounds of planning, {ORDERS_SHOWN} orders and {FILLS_SHOWN} fills; `rounds_told`, "
        "`orders_told` and `fills_told` count them all, and `/v1/orders?hedge_id=` and `/v1/fills?order_id=` have them."
    ),
    tags=["keyed"],
)
async def read_hedge(
    request: Asked,
    hedge_id: Annotated[str, PathParameter(description="Such as 6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001")],
    at: Annotated[str | None, QueryParameter(description="A position or RFC 3339 time to answer from")] = None,
    wait_for: Annotated[str | None, QueryParameter(description="A position to wait for, at most 10 s")] = None,
) -> Response[Any]:
    """Return one hedge, as it is or as it stood; 404 when there is none of that id."""
    del at, wait_for  # read together below
    given = single_values(request)
    _refuse_unknown(given, _MOMENT)
    if not _ID.fullmatch(hedge_id.lower()):
        raise keyed_error(400, "bad_hedge_id", "a hedge is named by a UUID")
    query, wanted = read_query(_HEDGES, {**given, "hedge_id": hedge_id.lower(), "limit": "1"})
    page = await _page(house_of(request), _HEDGES, query, wanted)
    if not page.rows:
        raise keyed_error(404, "unknown_hedge", "no hedge has this id")
    return written(page.as_of_position, page.as_of_us, "hedge", msgspec.Raw(page.rows[0]), "")


HANDLERS = (*(_view_handler(view) for view in READ_MODELS), _view_handler(_LIMIT_HISTORY, "limits/history"), read_hedge)
