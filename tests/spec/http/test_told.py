"""Who was told that something is done sees it in the next read, whoever reads and however far the read models are."""

import asyncio

import httpx
import pytest

from api.http.told import SHOWN_WITHIN_S
from tests.support.shop import Shop

TIGHTER = {"control": "net_delta", "scope": "asset:ETH", "value": "39", "reason": "thin books"}
# A read that waits for nothing is over after fewer turns of the loop.
TURNS = 200
STOP = {"scope": "global", "mode": "HALTED", "reason": "drill"}


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.core.fold_views = False
    return shop


async def told(shop: Shop, client: httpx.AsyncClient, path: str, body: dict[str, str]) -> int:
    answer = await client.post(path, json=body, headers=shop.bearer("risk"))
    assert answer.status_code == 200, answer.text
    return answer.json()["position"]


async def soon(shop: Shop, client: httpx.AsyncClient, path: str) -> httpx.Response:
    """Return an answer that comes only once the read models have followed."""
    reading = asyncio.create_task(client.get(path, headers=shop.bearer("viewer")))
    for _ in range(TURNS):
        await asyncio.sleep(0)
    assert not reading.done()
    await shop.core.fold()
    return await reading


async def test_a_read_waits_until_it_shows_what_was_told(shop: Shop) -> None:
    async with shop.client() as client:
        position = await told(shop, client, "/v1/limits", TIGHTER)
        answer = (await soon(shop, client, "/v1/limits?control=net_delta")).json()
        assert answer["as_of_position"] >= position
        assert [row["value"] for row in answer["limits"] if row["scope"] == "asset:ETH"] == ["39"]


async def test_who_asks_what_can_be_minted_after_a_halt_is_told_nothing(shop: Shop) -> None:
    async with shop.client() as client:
        await told(shop, client, "/v1/mode", STOP)
        assert (await soon(shop, client, "/asset-availability")).json() == {"mint": [], "redeem": []}


async def test_read_models_that_fall_behind_for_longer_are_shown_as_they_are(shop: Shop) -> None:
    async with shop.client() as client:
        position = await told(shop, client, "/v1/limits", TIGHTER)
        shop.now_s += SHOWN_WITHIN_S
        answer = await client.get("/v1/limits", headers=shop.bearer("viewer"))
        assert (answer.status_code, answer.json()["as_of_position"] < position) == (200, True)


async def test_what_changes_nothing_is_waited_for_by_nobody(shop: Shop) -> None:
    async with shop.client() as client:
        assert await told(shop, client, "/v1/mode", STOP | {"mode": "ACTIVE"}) == 0
        assert (await client.get("/v1/mode", headers=shop.bearer("viewer"))).status_code == 200


async def test_who_names_a_moment_gets_that_moment(shop: Shop) -> None:
    async with shop.client() as client:
        await told(shop, client, "/v1/limits", TIGHTER)
        answer = await client.get("/v1/limits?at=1", headers=shop.bearer("viewer"))
        assert (answer.status_code, answer.json()["as_of_position"]) == (200, 1)
