"""The keyed routes: roles, reads with paging and history, commands, ladders; and what is open to everyone."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from api.http.metrics import Registry
from api.http.roles import READ_MODELS, ROUTES, Access, Role
from api.http.stream import LADDER_AGE_S_MAX
from domain.approvals import approval_id
from domain.codec import encode
from domain.latch import ControlLatched
from domain.limit import Control
from domain.refusal import Unavailable, Unknown
from domain.watch import AlertRaised, Severity
from tests.spec.http.test_hedges import mint
from tests.support.shop import Shop, code

ALERT = UUID(int=7)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def still() -> Shop:
    """Give one shop to the tests that change nothing."""
    return Shop()


async def raise_alert(shop: Shop) -> None:
    alert = AlertRaised(
        alert_id=ALERT, severity=Severity.CRITICAL, area="order", subject="x", text="<b>look</b>", cause_position=1
    )
    await shop.core.request("alert.raise", encode(alert), UUID(int=70), "core", "")


async def ask_for_more(shop: Shop) -> None:
    """Let a person ask for a looser limit, and a control be latched, so that there is something to decide."""
    latched = ControlLatched(
        control=Control.REPEATED_EXECUTION, scope="asset:ETH", limit="3000", value="3001", text="a loop"
    )
    shop.core.happened(latched)
    body = {"control": "price_collar", "scope": "global", "value": "101", "reason": "test"}
    await shop.core.request("limit.set", encode(body), UUID(int=71), "ada", "")


async def some_quotes(shop: Shop, client: httpx.AsyncClient, count: int) -> list[str]:
    answers = [await client.get("/rfq", params=shop.rfq()) for _ in range(count)]
    return [answer.json()["rfq_id"].removeprefix("RFQ-") for answer in answers]


BODIES: dict[str, dict[str, Any]] = {
    "/v1/limits": {"control": "net_delta", "scope": "asset:ETH", "value": "39", "reason": "test"},
    "/v1/limits/apply": {
        "limits": [{"control": "order_notional", "scope": "global", "value": "90000"}],
        "reason": "test",
    },
    "/v1/approvals/{approval_id}": {"decision": "deny"},
    "/v1/destinations": {"destination": "custodian:0x1", "asset": "USDT", "reason": "test", "removed": True},
    "/v1/latches/release": {"control": "repeated_execution", "scope": "asset:ETH", "reason": "test"},
    "/v1/mode": {"scope": "global", "mode": "HALTED", "reason": "test"},
    "/v1/alerts/{alert_id}/acknowledge": {"text": "mine"},
}
STREAMS = {"/v1/stream"}


@pytest.mark.parametrize("name", [*Role, "nobody", "unknown"])
async def test_every_route_admits_exactly_the_roles_of_the_table(shop: Shop, name: str) -> None:
    await raise_alert(shop)
    shop.broadcast.publish_indicative("WETH/USDe", b"{}")
    headers = {"Authorization": "Bearer blst_guess"} if name == "unknown" else {}
    headers = shop.bearer(name) if name in set(Role) else headers
    async with shop.client() as client:
        hedge_id = await mint(shop, client)
        await ask_for_more(shop)
        for (method, template), access in ROUTES.items():
            if template in STREAMS:
                continue
            asked = len(shop.core.asked)
            path = filled(template).replace("{hedge_id}", hedge_id)
            answer = await client.request(method, path, headers=headers, json=BODIES.get(template))
            judge(answer, access, name)
            if answer.status_code in {401, 403}:
                assert len(shop.core.asked) == asked, path


def filled(template: str) -> str:
    path = template.replace("{pair}", "WETH/USDe").replace("{alert_id}", str(ALERT))
    path = path.replace("{approval_id}", str(approval_id(UUID(int=71))))
    return path.replace("{table}", "market_trades?venue=okx&symbol=x")


def judge(answer: httpx.Response, access: Access, name: str) -> None:
    if access.open or (access.public and name != "unknown"):
        assert answer.status_code not in {401, 403}, answer.url
    elif name in {"nobody", "unknown"}:
        assert answer.status_code == 401, answer.url
        assert answer.headers["www-authenticate"] == "Bearer"
        assert code(answer) == ("key_missing" if name == "nobody" else "key_invalid")
    elif Role(name) in access.roles:
        assert answer.status_code in {200, 202}, answer.text
    else:
        assert (answer.status_code, code(answer)) == (403, "role_forbidden"), answer.url


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer \xff", "bearer x y"])
async def test_a_header_that_is_no_key_is_401(still: Shop, header: str) -> None:
    async with still.client() as client:
        for path in ("/v1/mode", "/fees"):
            answer = await client.get(path, headers={b"authorization": header.encode("latin-1")})
            assert answer.status_code == 401


async def test_what_is_not_built_is_not_there(still: Shop) -> None:
    async with still.client() as client:
        for path in ("transfers", "reconciliation/breaks", "proofs/1", "checkpoint"):
            answer = await client.get(f"/v1/{path}", headers=still.bearer("auditor"))
            assert (answer.status_code, code(answer)) == (404, "not_found")
        answer = await client.post("/v1/transfers", headers=still.bearer("risk"), json={})
        assert (answer.status_code, code(answer)) == (404, "not_found")
        wrong = await client.post("/rfq")
        assert (wrong.status_code, code(wrong)) == (405, "method_not_allowed")


@pytest.mark.parametrize("view", READ_MODELS)
async def test_every_view_has_the_one_shape(still: Shop, view: str) -> None:
    async with still.client() as client:
        await some_quotes(still, client, 1)
        answer = await client.get(f"/v1/{view}", headers=still.bearer("auditor"))
    body = answer.json()
    assert list(body) == ["as_of_position", "as_of", view, "next"]
    assert body["as_of_position"] == len(still.core.log.events)
    assert body["as_of"] == "2023-11-14T22:13:20.000000Z"
    assert isinstance(body[view], list)


async def test_a_view_is_paged_without_gaps_in_both_directions(shop: Shop) -> None:
    async with shop.client() as client:
        ids = await some_quotes(shop, client, 7)
        for newest, expected in (("false", ids), ("true", ids[::-1])):
            seen: list[str] = []
            query = {"limit": "3", "newest_first": newest}
            page: dict[str, Any] = {}
            for _ in range(3):
                page = (await client.get("/v1/quotes", params=query, headers=shop.bearer("viewer"))).json()
                seen += [row["quote_id"] for row in page["quotes"]]
                query["after"] = page["next"] or ""
            assert seen == expected
            assert page["next"] is None
        query = {"pair": "WETH/USDe", "limit": "2"}
        narrowed = await client.get("/v1/quotes", params=query, headers=shop.bearer("viewer"))
        assert len(narrowed.json()["quotes"]) == 2


async def test_a_view_answers_from_history(shop: Shop) -> None:
    async with shop.client() as client:
        before = len(shop.core.log.events)
        ids = await some_quotes(shop, client, 3)

        async def at(moment: object) -> tuple[int, list[str]]:
            answer = await client.get("/v1/quotes", params={"at": str(moment)}, headers=shop.bearer("viewer"))
            assert answer.status_code == 200, answer.text
            return answer.json()["as_of_position"], [row["quote_id"] for row in answer.json()["quotes"]]

        assert await at(before) == (before, [])
        assert await at(before + 2) == (before + 2, ids[:2])
        assert await at("2023-11-14T22:13:20Z") == (before + 3, ids)
        assert await at("2023-11-14T23:13:20.5+01:00") == (before + 3, ids)
        assert await at("2023-11-14T22:13:19.999999Z") == (0, [])
        ahead = await client.get("/v1/quotes", params={"at": str(before + 4)}, headers=shop.bearer("viewer"))
        assert (ahead.status_code, code(ahead)) == (400, "at_ahead")
        events = await client.get("/v1/events", params={"at": str(before + 1)}, headers=shop.bearer("auditor"))
        assert events.json()["as_of_position"] == before + 1
        assert events.json()["events"][-1]["position"] == before + 1


@pytest.mark.parametrize(
    ("view", "query", "expected"),
    [
        ("quotes", "limit=0", "bad_limit"),
        ("quotes", "limit=1001", "bad_limit"),
        ("quotes", "limit=x", "bad_limit"),
        ("quotes", "limit=-1", "bad_limit"),
        ("quotes", "after=x", "bad_query"),
        ("quotes", "after=" + "1" * 301, "bad_after"),
        ("quotes", "at=x", "bad_at"),
        ("quotes", "at=-1", "bad_at"),
        ("quotes", "at=9223372036854775808", "bad_at"),
        ("quotes", "at=2023-11-14T22:13:20", "bad_at"),
        ("quotes", "at=2023-13-14T22:13:20Z", "bad_at"),
        ("quotes", "at=0001-01-01T00:00:00%2B23:59", "bad_at"),
        ("quotes", "at=9999-12-31T23:59:59-23:59", "bad_at"),
        ("quotes", "at=2023-11-14", "bad_at"),
        ("quotes", "wait_for=x", "bad_wait_for"),
        ("quotes", "open=maybe", "bad_open"),
        ("quotes", "newest_first=1", "bad_newest_first"),
        ("quotes", "status=open", "unknown_parameter"),
        ("quotes", "topic=fill", "unknown_parameter"),
        ("quotes", "limit=1&limit=2", "bad_query"),
        ("quotes", "pair=a&benefactor=b", "bad_query"),
        ("quotes", "benefactor=%00", "bad_query"),
        ("quotes", "after=1.%00", "bad_query"),
        ("quotes", "benefactor=%ff%fe%0a", "bad_query"),
        ("mode", "pair=a", "unknown_parameter"),
        ("events", "after=x", "bad_after"),
        ("events", "topic=nonsense", "bad_topic"),
        ("events", "newest_first=true", "unknown_parameter"),
    ],
)
async def test_a_bad_parameter_is_400_with_a_word_and_never_ignored(
    still: Shop, view: str, query: str, expected: str
) -> None:
    async with still.client() as client:
        answer = await client.get(f"/v1/{view}?{query}", headers=still.bearer("auditor"))
    assert (answer.status_code, code(answer)) == (400, expected), answer.text


async def test_events_are_read_by_position_and_topic(shop: Shop) -> None:
    async with shop.client() as client:
        await some_quotes(shop, client, 5)
        headers = shop.bearer("auditor")
        everything = (await client.get("/v1/events", headers=headers)).json()
        assert [event["position"] for event in everything["events"]] == list(range(1, len(shop.core.log.events) + 1))
        assert set(everything["events"][0]) == {"position", "topic", "state", "metadata"}
        for topic in ("quote", "quote.issued", "quote.issued.v3"):
            seen: list[int] = []
            after = "0"
            for _ in range(4):
                query = {"topic": topic, "limit": "2", "after": after}
                page = (await client.get("/v1/events", params=query, headers=headers)).json()
                seen += [event["position"] for event in page["events"]]
                if page["next"] is None:
                    break
                after = page["next"]
            head = len(shop.core.log.events)
            assert seen == list(range(head - 4, head + 1)), topic


async def test_waiting_for_a_position_ends_when_the_view_gets_there_or_in_504(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.reading.WAIT_S_MAX", 0.05)
    async with shop.client() as client:
        await some_quotes(shop, client, 1)
        head = len(shop.core.log.events)
        for view in ("quotes", "events"):
            there = await client.get(f"/v1/{view}", params={"wait_for": str(head)}, headers=shop.bearer("auditor"))
            assert there.json()["as_of_position"] >= head
            late = await client.get(f"/v1/{view}", params={"wait_for": str(head + 1)}, headers=shop.bearer("auditor"))
            assert (late.status_code, code(late)) == (504, "wait_timed_out")


async def test_views_that_cannot_be_read_are_503(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*_: object) -> None:
        raise Unavailable("no database at postgresql://user:secret@host/db")

    monkeypatch.setattr(shop.views, "page", lost)
    async with shop.client() as client:
        answer = await client.get("/v1/orders", headers=shop.bearer("viewer"))
        public = await client.get("/asset-availability")
    assert (answer.status_code, code(answer)) == (503, "unavailable")
    assert (public.status_code, code(public)) == (400, "1")
    assert "secret" not in answer.text + public.text


async def test_a_fault_of_ours_tells_the_caller_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the inside of things")

    monkeypatch.setattr(shop.views, "page", broken)
    async with shop.client() as client:
        answer = await client.get("/v1/orders", headers=shop.bearer("viewer"))
        public = await client.get("/asset-availability")
    assert (answer.status_code, code(answer)) == (500, "internal")
    assert (public.status_code, code(public)) == (500, "1")
    assert "inside" not in answer.text + public.text
    assert answer.headers["traceparent"] in caplog.text
    assert shop.keys[Role.VIEWER] not in caplog.text


async def test_a_limit_is_tightened_at_once(shop: Shop) -> None:
    async with shop.client() as client:
        body = BODIES["/v1/limits"]
        done = await client.post("/v1/limits", json=body, headers=shop.bearer("risk"))
        assert done.status_code == 200
        position = done.json()["position"]
        view = await client.get("/v1/limits", params={"wait_for": str(position)}, headers=shop.bearer("viewer"))
        row = next(row for row in view.json()["limits"] if row["control"] == "net_delta")
        assert (row["value"], row["author"]) == ("39", "risk")


@pytest.mark.parametrize(
    ("change", "status", "expected"),
    [
        ({"control": "nonsense"}, 404, "unknown_subject"),
        ({"scope": "global"}, 400, "scope_invalid"),
        ({"value": "-1"}, 400, "malformed"),
        ({"value": "1e5"}, 400, "malformed"),
        ({"value": "NaN"}, 400, "malformed"),
        ({"value": 5}, 400, "malformed"),
        ({"reason": ""}, 400, "malformed"),
        ({"reason": "   "}, 400, "value_invalid"),
        ({"reason": "x" * 501}, 400, "malformed"),
        ({"extra": 1}, 400, "malformed"),
        ({"reason": "a\u0000b"}, 400, "malformed"),
        ({"scope": "asset:ETH\n"}, 400, "malformed"),
        ({"scope": "asset:" + "x" * 200}, 400, "malformed"),
    ],
)
async def test_a_bad_limit_is_refused(still: Shop, change: dict[str, object], status: int, expected: str) -> None:
    async with still.client() as client:
        body = BODIES["/v1/limits"] | change
        answer = await client.post("/v1/limits", json=body, headers=still.bearer("risk"))
    assert (answer.status_code, code(answer)) == (status, expected), answer.text


async def test_an_operator_halts_and_another_person_with_the_risk_role_releases(shop: Shop) -> None:
    async with shop.client() as client:

        async def change(mode: str, who: str) -> httpx.Response:
            body = {"scope": "global", "mode": mode, "reason": "test"}
            return await client.post("/v1/mode", json=body, headers=shop.bearer(who))

        assert (await change("HALTED", "operator")).status_code == 200
        for mode in ("ACTIVE", "REDUCE_ONLY"):
            refused = await change(mode, "operator")
            assert (refused.status_code, code(refused)) == (403, "release_needs_risk")
        assert (await change("ACTIVE", "risk")).status_code == 200
        assert (await change("HALTED", "risk")).status_code == 200
        own = await change("ACTIVE", "risk")
        assert own.status_code == 202
        grant = f"/v1/approvals/{own.json()['approval_id']}"
        himself = await client.post(grant, json={"decision": "grant"}, headers=shop.bearer("risk"))
        assert (himself.status_code, code(himself)) == (403, "approval_own")
        assert shop.core.desk.book.modes["global"] == "HALTED"
        granted = await client.post(grant, json={"decision": "grant"}, headers=shop.bearer("risk2"))
        assert granted.status_code == 200
        assert shop.core.desk.book.modes["global"] == "ACTIVE"
        assert (await change("HALTED", "risk")).status_code == 200
        assert (await change("ACTIVE", "risk2")).status_code == 200
        assert (await change("STOPPED", "risk")).status_code == 400


async def test_an_alert_is_taken_up(shop: Shop) -> None:
    await raise_alert(shop)
    async with shop.client() as client:
        path = f"/v1/alerts/{ALERT}/acknowledge"
        assert (await client.post(path, headers=shop.bearer("operator"))).status_code == 200
        rows = (await client.get("/v1/alerts", headers=shop.bearer("viewer"))).json()["alerts"]
        assert [(row["state"], row["acknowledged_by"]) for row in rows] == [("acknowledged", "operator")]
        for unknown in (UUID(int=8), "nonsense"):
            answer = await client.post(f"/v1/alerts/{unknown}/acknowledge", headers=shop.bearer("risk"))
            assert (answer.status_code, code(answer)) == (404, "unknown_subject")


async def test_an_idempotency_key_makes_one_command_of_many_requests(shop: Shop) -> None:
    async with shop.client() as client:
        headers = {"Idempotency-Key": "k1"}
        body = BODIES["/v1/limits"]
        first = await client.post("/v1/limits", json=body, headers=headers | shop.bearer("risk"))
        head = len(shop.core.log.events)
        again = await client.post("/v1/limits", json=body, headers=headers | shop.bearer("risk"))
        assert first.json() == again.json()
        other = await client.post("/v1/limits", json=body | {"value": "38"}, headers=headers | shop.bearer("risk"))
        assert (other.status_code, code(other)) == (409, "command_id_reused")
        assert len(shop.core.log.events) == head
        person = await client.post("/v1/limits", json=body | {"value": "38"}, headers=headers | shop.bearer("risk2"))
        assert person.status_code == 200
        bad = await client.post("/v1/limits", json=body, headers={"Idempotency-Key": ""} | shop.bearer("risk"))
        assert code(bad) == "bad_idempotency_key"


@pytest.mark.parametrize(
    ("fault", "status", "expected"), [(Unavailable("x"), 503, "unavailable"), (Unknown("x"), 504, "outcome_unknown")]
)
async def test_a_command_that_found_no_core(shop: Shop, fault: Exception, status: int, expected: str) -> None:
    shop.core.fault = fault
    async with shop.client() as client:
        answer = await client.post("/v1/mode", json=BODIES["/v1/mode"], headers=shop.bearer("risk"))
    assert (answer.status_code, code(answer)) == (status, expected)


@pytest.mark.parametrize(("state", "status"), [("busy", 503), ("stopping", 503), ("malformed", 400)])
async def test_a_command_that_was_not_decided(shop: Shop, state: str, status: int) -> None:
    shop.core.status = state
    async with shop.client() as client:
        answer = await client.post("/v1/mode", json=BODIES["/v1/mode"], headers=shop.bearer("risk"))
    assert answer.status_code == status


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 7_000, b"\xff", b"x" * 9_000, b"null"])
async def test_a_command_that_cannot_be_read_is_400(shop: Shop, body: bytes) -> None:
    async with shop.client() as client:
        for path in ("/v1/limits", "/v1/mode"):
            answer = await client.post(path, content=body, headers=shop.bearer("risk"))
            assert answer.status_code == 400
    assert not shop.core.asked


async def test_a_ladder_is_shown_while_it_is_fresh(shop: Shop) -> None:
    async with shop.client() as client:
        headers = shop.bearer("viewer")
        missing = await client.get("/v1/indicative/WETH/USDe", headers=headers)
        assert (missing.status_code, code(missing)) == (503, "no_ladder")
        assert missing.headers["retry-after"] == "1"
        for path in ("DOGE/USDe", "doge-usde", "WETH", "", "WETH/USDe/x", "DOGE-USDe/stream"):
            unknown = await client.get(f"/v1/indicative/{path}", headers=headers)
            assert (unknown.status_code, code(unknown)) == (404, "unknown_pair" if path else "not_found"), path
        shop.broadcast.publish_indicative("WETH/USDe", b'{"pair":"WETH/USDe"}')
        for path in ("WETH/USDe", "weth-usde", "WETH%2FUSDe"):
            body = (await client.get(f"/v1/indicative/{path}", headers=headers)).json()
            assert body["indicative"] == {"pair": "WETH/USDe"}
            assert body["as_of_position"] == len(shop.core.log.events)
        shop.now_s += LADDER_AGE_S_MAX + 0.1
        stale = await client.get("/v1/indicative/WETH/USDe", headers=headers)
        assert (stale.status_code, code(stale)) == (503, "ladder_stale")


async def test_health_names_what_is_missing(shop: Shop) -> None:
    async with shop.client() as client:
        assert (await client.get("/health/live")).json() == {"live": True}
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        shop.told.dependencies["nats"] = "not connected"
        lost = await client.get("/health/ready")
        assert lost.status_code == 503
        assert {"name": "nats", "ok": False, "text": "not connected"} in lost.json()["dependencies"]


async def test_metrics_show_this_process_and_every_role_heard(shop: Shop) -> None:
    core = Registry()
    core.gauge("ballast_queue_depth", "Depth.").set(3, queue="commands")
    core.histogram("ballast_commit_seconds", "Commit.").observe(0.004)
    shop.told.beat("core", core, 42)
    async with shop.client() as client:
        await client.get("/rfq")
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'ballast_queue_depth{queue="commands",role="core"} 3',
        'ballast_commit_seconds_bucket{le="0.005",role="core"} 1',
        'ballast_heartbeat_age_seconds{role="api",source="core"} 0.5',
        'ballast_position{role="api",source="core"} 42',
        'ballast_http_requests_total{method="GET",role="api",route="/rfq",status="400"} 1',
        'ballast_http_malformed_total{code="0",role="api",route="/rfq"} 1',
    ):
        assert line in answer.text.splitlines()


async def test_the_schema_describes_every_route(still: Shop) -> None:
    async with still.client() as client:
        document = (await client.get("/schema")).json()
    assert document["openapi"].startswith("3.")
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == set(ROUTES)
    rfq = document["paths"]["/rfq"]["get"]
    assert {each["name"] for each in rfq["parameters"]} == {"pair", "type_", "side", "size", "benefactor"}
    assert "code 8" in rfq["responses"]["400"]["content"]["application/json"]["examples"]
    order = document["paths"]["/order"]["post"]
    assert order["requestBody"]["content"]["application/json"]["example"]["order_type"] == "MINT"
    assert document["paths"]["/v1/events"]["get"]["x-roles"] == ["auditor"]
    assert "OrderBody" in document["components"]["schemas"]


async def test_the_page_loads_nothing_from_elsewhere_and_allows_only_its_own_script(still: Shop) -> None:
    async with still.client() as client:
        page = await client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src 'sha256-" in policy
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://", "//cdn"):
        assert word not in page.text


async def test_a_trace_goes_in_comes_out_and_rides_with_the_command(shop: Shop) -> None:
    given = f"00-{'ab' * 16}-{'cd' * 8}-01"
    async with shop.client() as client:
        answer = await client.get("/rfq", params=shop.rfq(), headers={"traceparent": given})
    assert answer.headers["traceparent"].startswith(f"00-{'ab' * 16}-")
    assert shop.core.asked[0].trace == answer.headers["traceparent"]
