"""One hedge over HTTP: what was planned, why there, what was traded, what it cost; now, then, and not at all."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.http.roles import Role
from commands.envelope import Reply
from domain.codec import encode
from domain.refusal import Unavailable
from tests.support.shop import Shop, code


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def mint(shop: Shop, client: httpx.AsyncClient) -> str:
    """Place an order of 1.5 WETH; return the id of its hedge."""
    quote = (await client.get("/rfq", params=shop.rfq())).json()
    order = shop.order(quote)
    answer = await client.post("/order", params={"signature": shop.sign(order)}, json=order)
    assert answer.status_code == 202, answer.text
    return str(next(reversed(shop.core.desk.book.hedges)))


async def trade(shop: Shop, quantity: str, price: str) -> Reply:
    """Let the venue tell that the one open order is done, and its fill."""
    (opened,) = shop.core.desk.book.orders.values()
    order = opened.order
    attempt = {"order_id": order.order_id, "attempt": opened.attempt}
    told = {"venue_order_id": "v1", "accepted_quantity": order.quantity, "filled": quantity, "terminal": True}
    await shop.core.request("order.acknowledged", encode(attempt | told), uuid4(), "venue", "")
    fill = {
        "venue": order.venue,
        "account": order.account,
        "symbol": order.symbol,
        "trade_id": "t1",
        "venue_order_id": "v1",
        "client_order_id": opened.client_order_id,
        "side": order.side,
        "price": price,
        "quantity": quantity,
        "fee_asset": "USDT",
        "fee": "1.5",
        "kind": "trade",
        "source": "stream",
        "traded_at_us": shop.core.desk.now_us,
    }
    return await shop.core.request("fill.recorded", encode(fill), uuid4(), "venue", "")


async def ask(client: httpx.AsyncClient, shop: Shop, path: str, who: str = "viewer", **query: str) -> httpx.Response:
    return await client.get(f"/v1/hedges{path}", params=query, headers=shop.bearer(who))


async def test_a_hedge_shows_plan_orders_fills_and_cost(shop: Shop) -> None:
    async with shop.client() as client:
        hedge_id = await mint(shop, client)
        done = await trade(shop, "1.5", "1999")
        answer = await ask(client, shop, f"/{hedge_id}", wait_for=str(done.position))
        body: dict[str, Any] = answer.json()
        listed = (await ask(client, shop, "", hedge_id=hedge_id)).json()
    assert list(body) == ["as_of_position", "as_of", "hedge", "next"]
    hedge = body["hedge"]
    assert (body["as_of_position"], body["next"], hedge["hedge_id"]) == (done.position, None, hedge_id)
    assert (hedge["state"], hedge["quantity"], hedge["filled"], hedge["residual"]) == ("completed", "-1.5", "-1.5", "0")
    assert hedge["rounds"][0]["legs"][0]["quantity"] == "-1.5"
    assert [order["average_price"] for order in hedge["orders"]] == ["1999"]
    assert [(fill["price"], fill["fee"]) for fill in hedge["fills"]] == [("1999", "1.5")]
    assert [(leg["average_price"], leg["fees"]) for leg in hedge["legs"]] == [
        ("1999", [{"asset": "USDT", "amount": "1.5"}])
    ]
    assert listed["hedges"] == [hedge]


async def test_a_hedge_is_shown_as_it_stood(shop: Shop) -> None:
    async with shop.client() as client:
        before = len(shop.core.log.events)
        hedge_id = await mint(shop, client)
        planned = len(shop.core.log.events)
        await trade(shop, "1.5", "1999")
        then = await ask(client, shop, f"/{hedge_id}", at=str(planned))
        assert (then.json()["as_of_position"], then.json()["hedge"]["state"]) == (planned, "working")
        assert then.json()["hedge"]["fills"] == []
        never = await ask(client, shop, f"/{hedge_id}", at=str(before))
        assert (never.status_code, code(never)) == (404, "unknown_hedge")


async def test_hedges_are_found_by_request_and_by_underlying(shop: Shop) -> None:
    async with shop.client() as client:
        ids = [await mint(shop, client) for _ in range(2)]
        (request_id,) = [
            str(key) for key, request in shop.core.desk.book.requests.items() if request.hedge_id == UUID(ids[1])
        ]
        found = (await ask(client, shop, "", request_id=request_id)).json()
        assert [line["hedge_id"] for line in found["hedges"]] == ids[1:]
        found = (await ask(client, shop, "", underlying="ETH", open="true", newest_first="true")).json()
        assert [line["hedge_id"] for line in found["hedges"]] == ids[::-1]
        assert (await ask(client, shop, "", underlying="BTC")).json()["hedges"] == []


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        (f"/{UUID(int=5)}", 404, "unknown_hedge"),
        ("/5", 400, "bad_hedge_id"),
        ("/{00000000-0000-0000-0000-000000000005}", 400, "bad_hedge_id"),
        ("/urn:uuid:00000000-0000-0000-0000-000000000005", 400, "bad_hedge_id"),
        ("/00000000000000000000000000000005", 400, "bad_hedge_id"),
        ("/%00", 400, "bad_hedge_id"),
        (f"/{UUID(int=5)}/orders", 404, "not_found"),
        (f"/{UUID(int=5)}?limit=5", 400, "unknown_parameter"),
        (f"/{UUID(int=5)}?hedge_id={UUID(int=6)}", 400, "unknown_parameter"),
        (f"/{UUID(int=5)}?at=x", 400, "bad_at"),
        (f"/{UUID(int=5)}?at=9999", 400, "at_ahead"),
        (f"/{UUID(int=5)}?wait_for=x", 400, "bad_wait_for"),
        (f"/{UUID(int=5)}?at=1&at=2", 400, "bad_query"),
    ],
)
async def test_what_is_no_hedge_is_refused_with_a_word(shop: Shop, path: str, status: int, expected: str) -> None:
    async with shop.client() as client:
        answer = await client.get(f"/v1/hedges{path}", headers=shop.bearer("auditor"))
    assert (answer.status_code, code(answer)) == (status, expected), answer.text


async def test_an_id_is_read_in_any_case(shop: Shop) -> None:
    async with shop.client() as client:
        hedge_id = await mint(shop, client)
        answer = await ask(client, shop, f"/{hedge_id.upper()}")
    assert answer.json()["hedge"]["hedge_id"] == hedge_id


async def test_waiting_and_what_cannot_be_read_end_as_for_every_view(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> None:
        raise Unavailable("no database")

    monkeypatch.setattr("api.http.reading.WAIT_S_MAX", 0.05)
    async with shop.client() as client:
        hedge_id = await mint(shop, client)
        late = await ask(client, shop, f"/{hedge_id}", wait_for=str(len(shop.core.log.events) + 1))
        assert (late.status_code, code(late)) == (504, "wait_timed_out")
        monkeypatch.setattr(shop.views, "page", lost)
        away = await ask(client, shop, f"/{hedge_id}")
        assert (away.status_code, code(away)) == (503, "unavailable")


@pytest.mark.parametrize("role", Role)
async def test_every_role_may_look_and_nobody_without_a_key(shop: Shop, role: Role) -> None:
    async with shop.client() as client:
        hedge_id = await mint(shop, client)
        assert (await ask(client, shop, f"/{hedge_id}", who=role)).status_code == 200
        keyless = await client.get(f"/v1/hedges/{hedge_id}")
        assert (keyless.status_code, code(keyless)) == (401, "key_missing")


async def test_the_schema_tells_what_a_hedge_looks_like(shop: Shop) -> None:
    async with shop.client() as client:
        hedge_id = await mint(shop, client)
        document = (await client.get("/schema")).json()
        shown = (await ask(client, shop, f"/{hedge_id}")).json()["hedge"]
    answers = document["paths"]["/v1/hedges/{hedge_id}"]["get"]["responses"]
    assert {"200", "400", "401", "403", "404", "503", "504"} <= set(answers)
    body = answers["200"]["content"]["application/json"]["schema"]
    assert body["properties"]["hedge"] == {"$ref": "#/components/schemas/HedgeLine"}
    line = document["components"]["schemas"]["HedgeLine"]["properties"]
    assert set(line) == set(shown)
    proof = line["rounds"]["items"]["properties"]["certificate"]
    assert proof["anyOf"][0]["properties"]["bound_usd"] == {"type": "string"}
    assert proof["anyOf"][1] == {"type": "null"}
    assert "50 orders and 100 fills" in document["paths"]["/v1/hedges/{hedge_id}"]["get"]["description"]
