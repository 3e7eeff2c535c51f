"""The market over HTTP: every source now, and pages of what was sampled."""

from typing import Any

import pytest

from adapters.postgres.series_tables import TABLES
from api.http.app import create_app
from api.http.house import Ports
from api.http.market import DIGITS_MAX, RANGE_US, SERIES
from domain.codec import encode
from domain.instant import rfc3339
from domain.ladder import ladder
from domain.refusal import Unavailable
from tests.support.memory_market import a_witness
from tests.support.shop import Shop, code

SYMBOL = "ETH/USDT:USDT"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def still() -> Shop:
    """Give one shop to the tests that change nothing."""
    return Shop()


async def test_the_market_shows_every_source_and_why_one_is_not_believed(shop: Shop) -> None:
    shop.market.witnesses = [
        a_witness("okx"),
        a_witness("bybit", bid="0", lost="gap: 5 after 3"),
        a_witness("binance", bid="1E+3"),
    ]
    shop.market.reasons = {"bybit": "gap: 5 after 3"}
    async with shop.client() as client:
        answer = await client.get("/v1/market", headers=shop.bearer("viewer"))
    body = answer.json()
    assert list(body) == ["as_of_position", "as_of", "market", "next"]
    assert body["as_of"] == rfc3339(shop.core.desk.now_us)
    assert body["next"] is None
    told: dict[str, Any] = {
        "source": "binance",
        "kind": "linear",
        "symbol": SYMBOL,
        "base": "ETH",
        "quote": "USDT",
        "bid": "1000",
        "ask": "2000",
        "age_ms": 120,
        "drift_ms": -3,
        "sequence": 7,
        "lost": "",
        "suspended": False,
        "reason": "",
    }
    gone = {"bid": "", "ask": "", "lost": "gap: 5 after 3", "suspended": True, "reason": "gap: 5 after 3"}
    assert body["market"] == [
        told,
        told | {"source": "bybit"} | gone,
        told | {"source": "okx", "bid": "2000.1", "ask": "4000.2"},
    ]


async def test_a_market_that_is_not_heard_is_503(shop: Shop) -> None:
    bare = {name: getattr(shop.ports, name) for name in Ports.__struct_fields__ if name not in {"market", "series"}}
    shop.app = create_app(Ports(**bare), shop.broadcast, clocks=shop.clocks)
    async with shop.client() as client:
        for path in ("/v1/market", "/v1/series/market_trades?venue=okx&symbol=x"):
            answer = await client.get(path, headers=shop.bearer("viewer"))
            assert (answer.status_code, code(answer), answer.headers["retry-after"]) == (503, "unavailable", "1")


async def test_what_cannot_be_read_now_is_503_and_tells_nothing(shop: Shop) -> None:
    shop.market.fault = shop.series.fault = Unavailable("no database at postgresql://user:secret@host/db")
    async with shop.client() as client:
        for path in ("/v1/market", "/v1/series/market_trades?venue=okx&symbol=x"):
            answer = await client.get(path, headers=shop.bearer("viewer"))
            assert (answer.status_code, code(answer)) == (503, "unavailable")
            assert "secret" not in answer.text


@pytest.mark.parametrize(("table", "names"), SERIES.items())
async def test_a_series_is_paged_without_gaps(shop: Shop, table: str, names: tuple[str, str]) -> None:
    now_us = shop.core.desk.now_us
    places = [(now_us - 100 + number // 3, f"{number:02}") for number in range(10)]
    for at_us, tie in places:
        shop.series.add(table, "okx", SYMBOL, at_us, tie)
        shop.series.add(table, "bybit", SYMBOL, at_us, f"b{tie}")
    query = {names[0]: "okx", names[1]: SYMBOL, "limit": "3"}
    seen: list[str] = []
    async with shop.client() as client:
        for _ in range(4):
            page = await client.get(f"/v1/series/{table}", params=query, headers=shop.bearer("auditor"))
            body = page.json()
            assert list(body) == ["as_of_position", "as_of", table, "next"]
            seen += [row["tie"] for row in body[table]]
            query["after"] = body["next"] or ""
    assert seen == [tie for _, tie in places]
    assert query["after"] == ""


async def test_a_range_is_read_in_either_notation_and_is_the_last_hour_without_one(shop: Shop) -> None:
    now_us = shop.core.desk.now_us
    query = {"venue": "okx", "symbol": SYMBOL}
    ranges = [
        {},
        {"from": str(now_us - 7)},
        {"from": rfc3339(now_us - 7), "to": rfc3339(now_us - 1)},
        {"from": "2023-11-14T23:13:20.5+01:00", "to": "2023-11-14T22:13:21Z"},
        {"to": "5"},
    ]
    async with shop.client() as client:
        for given in ranges:
            answer = await client.get("/v1/series/market_books", params=query | given, headers=shop.bearer("viewer"))
            assert answer.status_code == 200, answer.text
    assert [(asked.from_us, asked.to_us) for asked in shop.series.asked] == [
        (now_us - RANGE_US, now_us),
        (now_us - 7, now_us),
        (now_us - 7, now_us - 1),
        (1_700_000_000_500_000, 1_700_000_001_000_000),
        (0, 5),
    ]


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("market?base=ETH", 400, "unknown_parameter"),
        ("market?a=%00", 400, "bad_query"),
        ("series/stored_events?venue=a&symbol=b", 404, "unknown_series"),
        ("series/market_trades", 400, "bad_query"),
        ("series/market_trades?venue=okx", 400, "bad_query"),
        ("series/market_trades?venue=okx&symbol=", 400, "bad_query"),
        ("series/market_trades?oracle=pyth&feed=x", 400, "unknown_parameter"),
        ("series/oracle_prices?venue=okx&symbol=b", 400, "unknown_parameter"),
        ("series/market_trades?venue=okx&symbol=b&at=1", 400, "unknown_parameter"),
        ("series/market_trades?venue=okx&venue=okx&symbol=b", 400, "bad_query"),
        ("series/market_trades?venue=okx&symbol=b%00", 400, "bad_query"),
        ("series/market_trades?venue=okx&symbol=b&limit=0", 400, "bad_limit"),
        ("series/market_trades?venue=okx&symbol=b&limit=1001", 400, "bad_limit"),
        ("series/market_trades?venue=okx&symbol=b&from=x", 400, "bad_from"),
        ("series/market_trades?venue=okx&symbol=b&from=-1", 400, "bad_from"),
        ("series/market_trades?venue=okx&symbol=b&from=2026-01-31", 400, "bad_from"),
        (f"series/market_trades?venue=okx&symbol=b&to={'9' * (DIGITS_MAX + 1)}", 400, "bad_to"),
        (f"series/market_trades?venue=okx&symbol=b&to={'9' * DIGITS_MAX}", 400, "bad_to"),
        ("series/market_trades?venue=okx&symbol=b&to=9999-12-31T23:59:59-23:59", 400, "bad_to"),
        ("series/market_trades?venue=okx&symbol=b&from=9&to=8", 400, "bad_query"),
        ("series/market_trades?venue=okx&symbol=b&after=x", 400, "bad_after"),
        ("series/market_trades?venue=okx&symbol=b&after=~x", 400, "bad_after"),
        (f"series/market_trades?venue=okx&symbol=b&after={'1' * 301}", 400, "bad_after"),
        (f"series/market_trades?venue=okx&symbol=b&after={'9' * 20}~", 400, "bad_after"),
    ],
)
async def test_a_bad_parameter_has_its_word(still: Shop, path: str, status: int, expected: str) -> None:
    async with still.client() as client:
        answer = await client.get(f"/v1/{path}", headers=still.bearer("viewer"))
    assert (answer.status_code, code(answer)) == (status, expected), answer.text
    assert still.series.asked == []


async def test_a_place_that_the_store_refuses_is_400(shop: Shop) -> None:
    shop.series.fault = ValueError("invalid literal for int()")
    async with shop.client() as client:
        query = {"venue": "okx", "symbol": SYMBOL, "after": "5~t"}
        answer = await client.get("/v1/series/market_books", params=query, headers=shop.bearer("viewer"))
    assert (answer.status_code, code(answer)) == (400, "bad_after")
    assert "literal" not in answer.text


def test_the_series_of_the_entrance_are_the_tables() -> None:
    assert {name: (table.source, table.symbol) for name, table in TABLES.items()} == SERIES


async def test_the_schema_tells_of_the_market(still: Shop) -> None:
    async with still.client() as client:
        document = (await client.get("/schema")).json()
    paths, schemas = document["paths"], document["components"]["schemas"]
    names = {parameter["name"] for parameter in paths["/v1/series/{table}"]["get"]["parameters"]}
    assert names == {"table", "venue", "symbol", "oracle", "feed", "from", "to", "limit", "after"}
    rows = paths["/v1/market"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert rows["properties"]["market"]["items"] == {"$ref": "#/components/schemas/SourceRow"}
    followed = paths["/v1/indicative/{pair}"]["get"]["responses"]["200"]["content"]
    assert set(followed) == {"application/json", "text/event-stream"}
    assert {"max-mint", "remaining-redeem", "sources"} <= set(schemas["Ladder"]["properties"])
    step = schemas["Ladder"]["properties"]["mint"]["items"]["properties"]
    assert step["price"] == {"type": "string"}
    assert step["decomposition"]["type"] == "object"
    assert schemas["SourceRow"]["properties"]["suspended"] == {"type": "boolean"}


async def test_a_ladder_is_shown_as_it_was_published(shop: Shop) -> None:
    desk = shop.core.desk
    assert desk.book.policy is not None
    pair = desk.book.policy.pairs[0]
    published = encode(ladder(desk.book, pair, desk.evidence, desk.witnesses, desk.now_us))
    shop.broadcast.publish_indicative(pair.name, published)
    async with shop.client() as client:
        answer = await client.get(f"/v1/indicative/{pair.name}", headers=shop.bearer("viewer"))
    assert published in answer.content
    shown = answer.json()["indicative"]
    assert {"max-mint", "max-redeem", "remaining-mint", "remaining-redeem", "gas", "at", "pair"} <= set(shown)
    for side in ("mint", "redeem"):
        assert [step["size"] for step in shown[side]][:3] == ["2000", "4000", "8000"]
        assert shown[side][0]["decomposition"]
    assert shown["sources"]
