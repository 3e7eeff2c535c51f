"""What loosens is answered with 202 and waits for another person, over the whole entrance and the real handler."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain.instant import rfc3339
from domain.latch import ControlLatched
from domain.limit import Control
from tests.support.shop import Shop, code

LOOSER = {"control": "net_delta", "scope": "asset:ETH", "value": "41", "reason": "deeper books"}
HOUR_US = 3_600_000_000


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def still() -> Iterator[Shop]:
    """Give a shop that nobody changes: every request of these tests is refused."""
    shop = Shop()
    position = shop.core.desk.handler.position
    yield shop
    assert shop.core.desk.handler.position == position


async def post(shop: Shop, path: str, body: object, who: str = "risk", **headers: str) -> httpx.Response:
    async with shop.client() as client:
        return await client.post(path, json=body, headers=shop.bearer(who) | headers)


async def asked(shop: Shop, body: object = LOOSER, path: str = "/v1/limits") -> dict[str, Any]:
    answer = await post(shop, path, body)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def decided(
    shop: Shop, waiting: dict[str, Any], who: str, decision: str = "grant", **more: str
) -> httpx.Response:
    return await post(shop, f"/v1/approvals/{waiting['approval_id']}", {"decision": decision} | more, who)


def in_force(shop: Shop) -> str:
    return str(shop.core.desk.book.limits["net_delta|asset:ETH"].value)


async def test_another_person_grants_what_one_asked_for(shop: Shop) -> None:
    waiting = await asked(shop)
    assert sorted(waiting) == ["approval_id", "change_sha256", "command_id", "expires_at", "position"]
    assert waiting["expires_at"] == rfc3339(shop.core.desk.now_us + 24 * HOUR_US)
    assert in_force(shop) == "40"
    granted = await decided(shop, waiting, "risk2", change_sha256=waiting["change_sha256"])
    assert (granted.status_code, sorted(granted.json())) == (200, ["command_id", "position"])
    assert granted.json()["position"] > waiting["position"]
    assert in_force(shop) == "41"


async def test_the_same_person_may_not_by_whatever_key(shop: Shop) -> None:
    waiting = await asked(shop)
    refused = await decided(shop, waiting, "risk")
    assert (refused.status_code, code(refused)) == (403, "approval_own")
    other_key = await decided(shop, waiting, "risk_other")
    assert (other_key.status_code, code(other_key)) == (403, "approval_own")
    assert in_force(shop) == "40"


async def test_who_asked_may_withdraw(shop: Shop) -> None:
    waiting = await asked(shop)
    assert (await decided(shop, waiting, "risk", "deny")).status_code == 200
    over = await decided(shop, waiting, "risk2")
    assert (over.status_code, code(over)) == (409, "approval_over")
    assert in_force(shop) == "40"


async def test_a_removal_waits_too(shop: Shop) -> None:
    waiting = await asked(shop, LOOSER | {"value": None})
    assert (await decided(shop, waiting, "risk2")).status_code == 200
    assert "net_delta|asset:ETH" not in shop.core.desk.book.limits


async def test_the_same_request_is_asked_for_once(shop: Shop) -> None:
    first = await post(shop, "/v1/limits", LOOSER, **{"Idempotency-Key": "one"})
    again = await post(shop, "/v1/limits", LOOSER, **{"Idempotency-Key": "one"})
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert len(shop.core.desk.book.approvals) == 1


async def test_a_tightening_meanwhile_makes_it_void(shop: Shop) -> None:
    waiting = await asked(shop)
    assert (await post(shop, "/v1/limits", LOOSER | {"value": "39"})).status_code == 200
    assert code(await decided(shop, waiting, "risk2")) == "approval_over"
    assert in_force(shop) == "39"


async def test_a_limit_for_a_time_says_when_it_ends(shop: Shop) -> None:
    desk = shop.core.desk
    ends = rfc3339(desk.now_us + HOUR_US)
    assert (await post(shop, "/v1/limits", LOOSER | {"value": "5", "expires_at": ends})).status_code == 200
    assert (in_force(shop), desk.book.limits["net_delta|asset:ETH"].expires_at_us) == ("5", desk.now_us + HOUR_US)
    waiting = await asked(shop, LOOSER | {"expires_at": ends})
    assert waiting["expires_at"] == ends


async def test_a_file_is_one_change(shop: Shop) -> None:
    entries = [
        {"control": "net_delta", "scope": "asset:ETH", "value": "30"},
        {"control": "order_notional", "scope": "asset:ETH", "value": "50000"},
    ]
    done = await post(shop, "/v1/limits/apply", {"limits": entries, "reason": "review"})
    assert (done.status_code, in_force(shop)) == (200, "30")
    looser = [*entries[1:], entries[0] | {"value": "31"}]
    waiting = await asked(shop, {"limits": looser, "reason": "review"}, "/v1/limits/apply")
    assert (await decided(shop, waiting, "risk2")).status_code == 200
    assert in_force(shop) == "31"


async def test_a_latch_is_released_by_two_persons(shop: Shop) -> None:
    book = shop.core.desk.book
    latched = ControlLatched(
        control=Control.REPEATED_EXECUTION, scope="asset:ETH", limit="3000", value="3001", text="a loop"
    )
    shop.core.happened(latched)
    body = {"control": "repeated_execution", "scope": "asset:ETH", "reason": "the loop was found"}
    waiting = await asked(shop, body, "/v1/latches/release")
    assert (await decided(shop, waiting, "risk")).status_code == 403
    assert (await decided(shop, waiting, "risk2")).status_code == 200
    assert book.latches == {}
    gone = await post(shop, "/v1/latches/release", body)
    assert (gone.status_code, code(gone)) == (404, "unknown_subject")


async def test_a_destination_is_admitted_by_two_persons_and_removed_by_one(shop: Shop) -> None:
    admitted = shop.core.desk.book.vault.destinations
    body = {"destination": "custodian:vault-1", "asset": "USDT", "reason": "a new account"}
    waiting = await asked(shop, body, "/v1/destinations")
    assert admitted == {}
    assert (await decided(shop, waiting, "risk2")).status_code == 200
    assert list(admitted) == ["custodian:vault-1|USDT"]
    assert (await post(shop, "/v1/destinations", body | {"removed": True})).status_code == 200
    assert admitted == {}


@pytest.mark.parametrize(
    ("path", "change", "status", "expected"),
    [
        ("/v1/limits", {"expires_at": "tomorrow"}, 400, "malformed"),
        ("/v1/limits", {"expires_at": "2026-11-23T06:30:00"}, 400, "malformed"),
        ("/v1/limits", {"expires_at": 5}, 400, "malformed"),
        ("/v1/limits", {"expires_at": "2001-01-01T00:00:00Z"}, 400, "value_invalid"),
        ("/v1/limits", {"expires_at": "9999-12-31T23:59:59Z"}, 400, "value_invalid"),
        ("/v1/limits", {"expires_at": "2031-01-01T00:00:00Z", "value": None}, 400, "malformed"),
        ("/v1/limits/apply", {}, 400, "malformed"),
        ("/v1/limits/apply", {"limits": [], "reason": "r"}, 400, "malformed"),
        ("/v1/limits/apply", {"limits": [{"control": "x"}], "reason": "r"}, 400, "malformed"),
        (
            "/v1/limits/apply",
            {"limits": [{"control": "luck", "scope": "global", "value": "1"}], "reason": "r"},
            404,
            "unknown_subject",
        ),
        (
            "/v1/limits/apply",
            {"limits": [{"control": "leverage", "scope": "global", "value": "NaN"}], "reason": "r"},
            400,
            "malformed",
        ),
        (
            "/v1/limits/apply",
            {"limits": [{"control": "leverage", "scope": "global", "value": "1"}] * 2, "reason": "r"},
            400,
            "value_invalid",
        ),
        (
            "/v1/limits/apply",
            {"limits": [{"control": "leverage", "scope": "global", "value": "1"}] * 257, "reason": "r"},
            400,
            "malformed",
        ),
        ("/v1/approvals/6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001", {"decision": "grant"}, 404, "unknown_subject"),
        ("/v1/destinations", {"destination": "home", "asset": "USDT", "reason": "r"}, 400, "value_invalid"),
        ("/v1/latches/release", {"control": "leverage", "scope": "global", "reason": "r"}, 404, "unknown_subject"),
        ("/v1/approvals/nonsense", {"decision": "grant"}, 404, "unknown_subject"),
        ("/v1/approvals/6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001", {"decision": "maybe"}, 400, "malformed"),
        ("/v1/approvals/6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001", {}, 400, "malformed"),
        (
            "/v1/approvals/6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001",
            {"decision": "grant", "change_sha256": "XYZ"},
            400,
            "malformed",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused(
    still: Shop, path: str, change: dict[str, Any], status: int, expected: str
) -> None:
    body = LOOSER | change if path == "/v1/limits" else change
    answer = await post(still, path, body)
    assert (answer.status_code, code(answer)) == (status, expected), answer.text


async def test_a_body_has_a_bound(still: Shop) -> None:
    entry = {"control": "leverage", "scope": "x" * 128, "value": "1" * 40, "expires_at": "x" * 900}
    answer = await post(still, "/v1/limits/apply", {"limits": [entry] * 256, "reason": "r"})
    assert (answer.status_code, code(answer)) == (400, "body_too_large")


@pytest.mark.parametrize("who", ["viewer", "operator", "auditor"])
async def test_only_the_risk_role_decides(shop: Shop, who: str) -> None:
    waiting = await asked(shop)
    assert (await decided(shop, waiting, who, "deny")).status_code == 403
    assert (await post(shop, "/v1/limits/apply", {"limits": [], "reason": "r"}, who)).status_code == 403
    assert len(shop.core.desk.book.approvals) == 1


async def test_the_schema_says_what_may_wait(shop: Shop) -> None:
    async with shop.client() as client:
        paths = (await client.get("/schema")).json()["paths"]
    for path in ("/v1/limits", "/v1/limits/apply", "/v1/mode"):
        assert paths[path]["post"]["responses"]["202"]["content"]["application/json"]["schema"]["$ref"].endswith(
            "Waiting"
        )
    assert "202" not in paths["/v1/approvals/{approval_id}"]["post"]["responses"]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/v1/mode", {"scope": "global", "mode": "halted", "reason": "r"}, "ACTIVE or REDUCE_ONLY or HALTED"),
        (
            "/v1/mode",
            {"scope": "global", "mode": "HALTED", "reason": "a\nb"},
            "on one line, without control characters",
        ),
        (f"/v1/approvals/{UUID(int=1)}", {"decision": "yes"}, "grant or deny"),
    ],
)
async def test_a_refusal_says_what_to_write_instead(still: Shop, path: str, body: object, told: str) -> None:
    assert told in (await post(still, path, body)).json()["error"]["error_name"]


async def test_an_empty_body_is_called_that(still: Shop) -> None:
    async with still.client() as client:
        answer = await client.post("/v1/mode", headers=still.bearer("risk"))
    assert answer.json()["error"]["error_name"] == "the body is empty: send a JSON object"
