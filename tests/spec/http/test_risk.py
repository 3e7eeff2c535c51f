"""Risk over HTTP: limits with their use, who set them, modes with causes, approvals; now and at any position."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.shop import Shop, code

VIEWS = ("exposure", "margin", "limits", "limits/history", "mode", "backing", "stress", "approvals")
USED = {"control", "scope", "value", "unit", "used", "share_bps", "bound", "author", "approved_by", "expires_at"}


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def read(client: httpx.AsyncClient, shop: Shop, view: str, **query: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/{view}", params=query, headers=shop.bearer("viewer"))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def post(client: httpx.AsyncClient, shop: Shop, path: str, who: str, body: dict[str, Any]) -> httpx.Response:
    headers = {"Idempotency-Key": str(uuid4())} | shop.bearer(who)
    return await client.post(f"/v1/{path}", json=body, headers=headers)


async def test_every_view_of_risk_answers_now_and_at_any_position_under_its_last_word(shop: Shop) -> None:
    async with shop.client() as client:
        await post(
            client,
            shop,
            "limits",
            "risk",
            {"control": "net_delta", "scope": "asset:ETH", "value": "38", "reason": "less"},
        )
        head = len(shop.core.log.events)
        for view in VIEWS:
            now = await read(client, shop, view, wait_for=str(head))
            rows = now[view.rpartition("/")[2]]
            assert set(now) == {"as_of_position", "as_of", view.rpartition("/")[2], "next"}
            then = await read(client, shop, view, at=str(head))
            assert (then["as_of_position"], then[view.rpartition("/")[2]]) == (head, rows), view
            for position in (0, 1, head // 2):
                assert (await read(client, shop, view, at=str(position)))["as_of_position"] == position
            beyond = await client.get(f"/v1/{view}", params={"at": str(head + 1)}, headers=shop.bearer("viewer"))
            assert (beyond.status_code, code(beyond)) == (400, "at_ahead")


async def test_a_limit_tells_what_is_used_of_it_and_who_changed_it_when(shop: Shop) -> None:
    async with shop.client() as client:
        before = len(shop.core.log.events)
        body = {"control": "net_delta", "scope": "asset:ETH", "value": "38", "reason": "thin books"}
        changed = (await post(client, shop, "limits", "risk", body)).json()["position"]
        rows = (await read(client, shop, "limits", wait_for=str(changed), limit="1000"))["limits"]
        assert all(set(row) >= USED for row in rows)
        (row,) = [row for row in rows if (row["control"], row["scope"]) == ("net_delta", "asset:ETH")]
        assert (row["value"], row["used"], row["share_bps"], row["unit"]) == ("38", "0", 0, "base")
        old = (await read(client, shop, "limits", at=str(before), control="net_delta"))["limits"]
        assert [each["value"] for each in old if each["scope"] == "asset:ETH"] != ["38"]
        history = (await read(client, shop, "limits/history", scope="asset:ETH"))["history"]
        assert [(each["value"], each["until"] == "", each["reason"]) for each in history][-1] == (
            "38",
            True,
            "thin books",
        )
        assert history[-2]["until"] == history[-1]["since"]


async def test_what_waits_for_a_second_person_is_listed_until_one_decides(shop: Shop) -> None:
    async with shop.client() as client:
        body = {"control": "net_delta", "scope": "asset:ETH", "value": "41", "reason": "more room"}
        asked = await post(client, shop, "limits", "risk", body)
        assert asked.status_code == 202
        approval, position = asked.json()["approval_id"], str(asked.json()["position"])
        (line,) = (await read(client, shop, "approvals", open="true", wait_for=position))["approvals"]
        assert (line["approval_id"], line["state"], line["changes"][0]["after"]) == (approval, "waiting", "41")
        assert line["change_sha256"] == asked.json()["change_sha256"]
        same = await post(client, shop, f"approvals/{approval}", "risk", {"decision": "grant"})
        assert same.status_code == 403
        done = await post(client, shop, f"approvals/{approval}", "risk2", {"decision": "grant"})
        assert done.status_code == 200
        position = str(done.json()["position"])
        (line,) = (await read(client, shop, "approvals", wait_for=position))["approvals"]
        assert (line["state"], line["decided_by"] != line["author"]) == ("granted", True)
        rows = (await read(client, shop, "limits", wait_for=position, control="net_delta"))["limits"]
        (row,) = [row for row in rows if row["scope"] == "asset:ETH"]
        assert (row["value"], row["author"], row["approved_by"]) == ("41", line["author"], line["decided_by"])


async def test_a_mode_tells_what_holds_it(shop: Shop) -> None:
    async with shop.client() as client:
        body = {"scope": "venue:binanceusdm", "mode": "HALTED", "reason": "it answers strangely"}
        position = str((await post(client, shop, "mode", "risk", body)).json()["position"])
        (line,) = [
            row
            for row in (await read(client, shop, "mode", wait_for=position))["mode"]
            if row["scope"] == "venue:binanceusdm"
        ]
        assert (line["mode"], line["reason"], line["latched"]) == ("HALTED", "it answers strangely", [])
        (cause,) = line["causes"]
        assert (cause["trigger"], cause["mode"], cause["author"]) == ("", "HALTED", line["author"])


async def test_the_schema_tells_the_rows_of_risk(shop: Shop) -> None:
    async with shop.client() as client:
        document = (await client.get("/schema")).json()
    for view in VIEWS:
        answer = document["paths"][f"/v1/{view}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        name = answer["properties"][view.rpartition("/")[2]]["items"]["$ref"].rpartition("/")[2]
        assert document["components"]["schemas"][name]["properties"]
    assert set(document["components"]["schemas"]["LimitLine"]["properties"]) >= USED
