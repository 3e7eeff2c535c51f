"""What was sampled, from the feeds' events through the store to pages over HTTP."""

import time
from decimal import Decimal

import httpx
import msgspec

from adapters.postgres.series import SeriesStore
from adapters.postgres.series_read import SeriesReader
from adapters.postgres.series_tables import TABLES
from adapters.postgres.views_reach import reading_pool
from api.http.app import create_app
from api.market.sampling import Sampler
from domain.venue import BookUpdate, TradePrint
from tests.support.shop import Shop, code

SYMBOL = "ETH/USDT:USDT"


class Clock:
    """Tell a date that the test sets."""

    def __init__(self, at_us: int) -> None:
        self.at_us = at_us

    def now_us(self) -> int:
        return self.at_us


def heard(start_us: int) -> list[BookUpdate | TradePrint]:
    """Return 40 tenths of a second of one venue: a book in each, and a trade that is told twice."""
    events: list[BookUpdate | TradePrint] = []
    for tenth in range(40):
        at_us = start_us + tenth * 100_000
        levels = ((Decimal(2_000 + tenth), Decimal(1)),)
        events.append(
            BookUpdate(
                venue="okx",
                symbol=SYMBOL,
                bids=levels,
                asks=((Decimal(3_000), Decimal(1)),),
                sequence=tenth,
                exchange_at_us=at_us,
                received_at_us=at_us,
            )
        )
        trade = TradePrint(
            venue="okx",
            symbol=SYMBOL,
            trade_id=str(tenth),
            price=Decimal(2_000),
            quantity=Decimal("0.5"),
            taker="buy",
            exchange_at_us=at_us,
            received_at_us=at_us,
        )
        events += [trade, trade]
    return events


async def everything(client: httpx.AsyncClient, table: str, headers: dict[str, str], **query: str) -> list[str]:
    found: list[str] = []
    asked = {"venue": "okx", "symbol": SYMBOL, "limit": "7"} | query
    while True:
        answer = await client.get(f"/v1/series/{table}", params=asked, headers=headers)
        assert answer.status_code == 200, answer.text
        found += [row["at"] for row in answer.json()[table]]
        if answer.json()["next"] is None:
            return found
        asked["after"] = answer.json()["next"]


async def test_what_was_heard_is_read_page_by_page(dsns: tuple[str, str]) -> None:
    start_us = time.time_ns() // 1_000_000_000 * 1_000_000
    clock = Clock(start_us)
    store = SeriesStore(dsns[0], clock, dict.fromkeys(TABLES, 1))
    sampler = Sampler(store)
    for event in heard(start_us):
        sampler.hear(event)
    await store.close()
    shop = Shop()
    pool = await reading_pool(dsns[0])
    try:
        shop.app = create_app(msgspec.structs.replace(shop.ports, series=SeriesReader(pool)), shop.broadcast)
        async with shop.client() as client:
            headers = shop.bearer("viewer")
            span = {"from": str(start_us), "to": str(start_us + 60_000_000)}
            assert len(await everything(client, "market_trades", headers, **span)) == 40
            assert len(await everything(client, "market_books", headers, **span)) == 4
            assert await everything(client, "market_marks", headers, **span) == []
            wrong = {"venue": "okx", "symbol": SYMBOL, "after": f"{start_us}~t"}
            answer = await client.get("/v1/series/market_books", params=wrong, headers=headers)
            assert (answer.status_code, code(answer)) == (400, "bad_after")
    finally:
        await pool.close()
