"""Unmodified ccxt.pro against the simulated Deribit over TLS: all that it reads is there and means what it should."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ccxt.base import errors

from adapters.simulators.deribit.errors import UNSAID, WORDS
from adapters.simulators.deribit.venue import HOST, DeribitVenue
from adapters.simulators.faults import Fault
from adapters.simulators.limits import Limits
from adapters.simulators.refusals import Refusal
from adapters.simulators.sockets import Socket
from tests.support.exchange import alone, ccxt_client

D = Decimal
INVERSE, LINEAR = "ETH/USD:ETH", "ETH/USDC:USDC"
NAME, LINEAR_NAME = "ETH-PERPETUAL", "ETH_USDC-PERPETUAL"
BIDS, ASKS = [(40_000, 5_000), (39_980, 9_000)], [(40_020, 4_000), (40_040, 8_000)]
DEPOSITS = {"ETH": D(1_000), "BTC": D(10), "USDC": D(1_000_000)}
SOON_S = 30.0


class Watched(DeribitVenue):
    """Say which channels were subscribed to."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.subscribed: asyncio.Queue[str] = asyncio.Queue()

    def _greet(self, socket: Socket, channel: str) -> None:
        super()._greet(socket, channel)
        self.subscribed.put_nowait(channel)

    async def until_subscribed(self, *channels: str) -> None:
        missing = set(channels)
        async with asyncio.timeout(SOON_S):
            while missing:
                missing.discard(await self.subscribed.get())


# ccxt's annotations call its coroutines dictionaries.
Running = tuple[Watched, Any]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with alone(Watched, tmp_path, deposits=DEPOSITS) as (venue, port):
        for symbol in (NAME, LINEAR_NAME):
            venue.set_levels(BIDS, ASKS, symbol)
        async with ccxt_client("deribit", port, (HOST,), enableRateLimit=False) as client:
            client.number = float
            yield venue, client


async def soon(work: Any) -> Any:
    """Wait, for ccxt never times a watch out."""
    async with asyncio.timeout(SOON_S):
        return await work


def arm(venue: DeribitVenue, kind: Any, **fields: Any) -> None:
    venue.faults.arm(Fault(kind=kind, **fields), time.time_ns() // 1_000_000)


async def refused_on(client: Any, request: dict[str, Any], venue: Watched, code: str) -> None:
    """Send something that the venue refuses; unmodified ccxt tells nobody but the event loop."""
    told: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.put_nowait(str(context.get("exception"))))
    waiting = asyncio.ensure_future(client.watch(client.urls["api"]["ws"], "refused", request, "refused"))
    try:
        assert code in await soon(told.get())
        assert not waiting.done()
        assert venue.hub.sockets
    finally:
        loop.set_exception_handler(None)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_the_markets_are_those_of_the_true_venue(running: Running) -> None:
    _, client = running
    markets = await client.load_markets()
    assert set(markets) == {INVERSE, "BTC/USD:BTC", LINEAR}
    eth, btc, linear = markets[INVERSE], markets["BTC/USD:BTC"], markets[LINEAR]
    assert (eth["inverse"], eth["settle"], eth["contractSize"]) == (True, "ETH", 1.0)
    assert eth["precision"] == {"amount": 1.0, "price": 0.05}
    assert (btc["contractSize"], btc["precision"]) == (10.0, {"amount": 10.0, "price": 0.5})
    assert (linear["linear"], linear["settle"], linear["precision"]["amount"]) == (True, "USDC", 0.001)
    assert abs(await client.fetch_time() - time.time() * 1_000) < 5_000
    assert (await client.fetch_status())["status"] == "ok"


@pytest.mark.parametrize(("symbol", "amount", "coin"), [(INVERSE, 2_000, "ETH"), (LINEAR, 2, "USDC")])
async def test_an_order_a_fill_a_position_and_the_money(
    running: Running, symbol: str, amount: float, coin: str
) -> None:
    _, client = running
    await client.load_markets()
    before = (await client.fetch_balance())[coin]
    assert before["free"] == before["total"] > 0
    made = await client.create_order(symbol, "limit", "sell", amount, 2000, {"timeInForce": "IOC", "label": "a1"})
    assert (made["status"], made["filled"], made["average"]) == ("closed", amount, 2000.0)
    assert (made["clientOrderId"], made["info"]["label"]) == (None, "a1"), "what ccxt calls our id is not the label"
    order = await client.fetch_order(made["id"], symbol)
    assert (order["id"], order["status"], order["symbol"]) == (made["id"], "closed", symbol)
    (trade,) = await client.fetch_my_trades(symbol, int(time.time() * 1_000) - 60_000)
    assert (trade["order"], trade["amount"], trade["price"], trade["side"]) == (made["id"], amount, 2000.0, "sell")
    assert (trade["takerOrMaker"], trade["fee"]["currency"]) == ("taker", coin)
    (position,) = await client.fetch_positions()
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("short", -amount, 2000.0)
    assert position["initialMargin"] > position["maintenanceMargin"] > 0
    after = (await client.fetch_balance())[coin]
    assert after["total"] < before["total"]
    assert after["free"] < after["total"]


async def test_a_flat_position_reads_as_short_to_ccxt(running: Running) -> None:
    _, client = running
    await client.load_markets()
    await client.create_order(INVERSE, "limit", "buy", 1_000, 2001, {"timeInForce": "IOC"})
    await client.create_order(INVERSE, "limit", "sell", 1_000, 2000, {"timeInForce": "IOC"})
    (position,) = await client.fetch_positions()
    assert (position["side"], position["contracts"], position["info"]["direction"]) == ("short", 0.0, "zero")


async def test_open_orders_are_found_and_cancelled(running: Running) -> None:
    _, client = running
    await client.load_markets()
    made = await client.create_order(INVERSE, "limit", "sell", 1_000, 2500, {"label": "rests"})
    assert [order["id"] for order in await client.fetch_open_orders(INVERSE)] == [made["id"]]
    found = (await client.privateGetGetOrderStateByLabel({"currency": "ETH", "label": "rests"}))["result"]
    assert [row["order_id"] for row in found] == [made["id"]]
    assert (await client.cancel_order(made["id"], INVERSE))["status"] == "canceled"
    assert await client.fetch_open_orders(INVERSE) == []
    with pytest.raises(errors.OrderNotFound, match="10010"):
        await client.cancel_order(made["id"], INVERSE)
    with pytest.raises(errors.OrderNotFound, match="10004"):
        await client.cancel_order("ETH-99", INVERSE)


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"price": 2000, "params": {"postOnly": True}}, errors.InvalidOrder, "11054"),
        ({"amount": 10_000_000}, errors.InsufficientFunds, "10009"),
        ({"price": 1}, errors.InvalidOrder, "10005"),
        ({"params": {"reduceOnly": True}}, errors.ExchangeError, "11030"),
        ({"params": {"label": "x" * 65}}, errors.BadRequest, "-32602"),
    ],
)
async def test_refusals_come_as_the_true_venue_words_them(
    running: Running, changes: dict[str, Any], error: type[Exception], code: str
) -> None:
    venue, client = running
    await client.load_markets()
    asked: dict[str, Any] = {"amount": 1_000, "price": 2000, "params": {}} | changes
    with pytest.raises(error, match=code):
        await client.create_order(INVERSE, "limit", "sell", asked["amount"], asked["price"], asked["params"])
    assert not venue.exchange.orders


async def test_a_post_only_order_that_may_be_moved_is_moved_behind_the_spread(running: Running) -> None:
    _, client = running
    await client.load_markets()
    request = {"instrument_name": NAME, "amount": 1_000, "price": 1999, "post_only": True}
    told = (await client.privateGetSell(request))["result"]["order"]
    assert (told["price"], told["order_state"], told["post_only"]) == (2000.05, "open", True)


async def test_a_label_may_be_used_again_and_every_order_under_it_is_told(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    for _ in range(2):
        await client.create_order(INVERSE, "limit", "sell", 1_000, 2500, {"label": "twice"})
    found = (await client.privateGetGetOrderStateByLabel({"currency": "ETH", "label": "twice"}))["result"]
    assert len(found) == 2
    assert (await client.privateGetCancelByLabel({"currency": "ETH", "label": "twice"}))["result"] == 2
    assert venue.exchange.open_orders(None) == []


async def test_old_orders_and_fills_are_history(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    venue, client = running
    await client.load_markets()
    await client.create_order(INVERSE, "limit", "sell", 1_000, 2000, {"label": "old", "timeInForce": "IOC"})
    now_ms = venue.clock_ms()
    monkeypatch.setattr(venue, "clock_ms", lambda: now_ms + 25 * 3_600_000)
    monkeypatch.setattr(client, "milliseconds", lambda: now_ms + 25 * 3_600_000)
    assert (await client.privateGetGetOrderStateByLabel({"currency": "ETH", "label": "old"}))["result"] == []
    asked = {"instrument_name": NAME, "count": 10}
    assert (await client.privateGetGetOrderHistoryByInstrument(asked))["result"] == []
    (order,) = (await client.privateGetGetOrderHistoryByInstrument(asked | {"historical": True}))["result"]
    assert order["label"] == "old"
    assert (await client.privateGetGetUserTradesByInstrument(asked))["result"]["trades"] == []
    (trade,) = (await client.privateGetGetUserTradesByInstrument(asked | {"historical": True}))["result"]["trades"]
    assert trade["label"] == "old"


async def test_a_book_is_watched(running: Running) -> None:
    venue, client = running
    book = await soon(client.watch_order_book(INVERSE))
    assert (book["bids"][0][:2], book["asks"][0][:2]) == ([2000.0, 5_000.0], [2001.0, 4_000.0])
    venue.set_levels([(40_000, 0), (39_990, 100)], [], NAME, clear=False)
    venue.publish()
    book = await soon(client.watch_order_book(INVERSE))
    assert [level[:2] for level in book["bids"]] == [[1999.5, 100.0], [1999.0, 9_000.0]]


async def test_a_reconnect_merges_books_in_ccxt(running: Running) -> None:
    """Which is why public books are not ccxt's, and `orderbooks` must be dropped first by who watches them there."""
    venue, client = running
    await soon(client.watch_order_book(INVERSE))
    venue.hub.drop_all()
    with pytest.raises(errors.NetworkError):
        await soon(client.watch_order_book(INVERSE))
    venue.set_levels([(38_000, 100)], [(38_020, 100)], NAME)
    book = await soon(client.watch_order_book(INVERSE))
    assert book["bids"][0][0] == 2000.0 > book["asks"][0][0], "crossed: two books in one"


async def test_trades_and_tickers_are_watched(running: Running) -> None:
    venue, client = running
    ticker = await soon(client.watch_ticker(INVERSE))
    assert (ticker["bid"], ticker["ask"], ticker["markPrice"]) == (2000.0, 2001.0, 2000.5)
    waiting = asyncio.create_task(client.watch_trades(INVERSE))
    await venue.until_subscribed(f"trades.{NAME}.100ms")
    venue.exchange.market_trade(NAME, "BUY", 40_020, 100, venue.clock_ms())
    venue.commit()
    (trade,) = await soon(waiting)
    assert (trade["side"], trade["price"], trade["amount"]) == ("buy", 2001.0, 100.0)


async def test_orders_fills_and_money_are_watched(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    await client.authenticate()
    watches = [asyncio.create_task(each()) for each in (client.watch_orders, client.watch_my_trades)]
    balance = asyncio.create_task(client.watch_balance())
    await venue.until_subscribed("user.orders.any.any.raw", "user.trades.any.any.raw", "user.portfolio.ETH")
    made = await client.create_order(INVERSE, "limit", "sell", 2_000, 2000, {"timeInForce": "IOC"})
    (order,), (trade,) = [await soon(each) for each in watches]
    assert order["id"] == trade["order"] == made["id"]
    assert (trade["amount"], trade["fee"]["currency"]) == (2_000.0, "ETH")
    money = (await soon(balance))["ETH"]["ETH"]
    assert 0 < money["free"] < money["total"] < 1_000


async def test_an_error_frame_kills_the_receive_loop(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    await soon(client.watch_order_book(INVERSE))
    await refused_on(client, {"method": "public/nonsense", "id": 1}, venue, "-32601")
    venue.set_levels([(40_010, 100)], [], NAME, clear=False)
    venue.publish()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await client.watch_order_book(INVERSE)


async def test_private_channels_need_a_log_on(running: Running) -> None:
    venue, client = running
    asked = {"channels": ["user.orders.any.any.raw"]}
    await refused_on(client, {"method": "private/subscribe", "id": 1, "params": asked}, venue, "13009")


async def test_wrong_keys_and_clocks_stay_outside(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    _, client = running
    await client.load_markets()
    for name, wrong, code in (("apiKey", "q" * 64, "13004"), ("secret", "z" * 64, "13009")):
        with monkeypatch.context() as patch:
            patch.setattr(client, name, wrong)
            with pytest.raises(errors.AuthenticationError, match=code):
                await client.fetch_balance()
    monkeypatch.setattr(client, "milliseconds", lambda: int(time.time() * 1_000) + 90_000)
    with pytest.raises(errors.AuthenticationError, match="timestamp"):
        await client.fetch_balance()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("timeout", errors.RequestTimeout),
        ("bad_gateway", errors.ExchangeNotAvailable),
        ("truncate", errors.ExchangeError),
        ("html", TypeError),
    ],
)
async def test_answers_that_get_lost_after_the_order_was_taken(
    running: Running, kind: str, error: type[Exception]
) -> None:
    venue, client = running
    await client.load_markets()
    client.timeout = 500
    arm(venue, kind, on="GET /api/v2/private/buy")
    with pytest.raises(error):
        await client.create_order(INVERSE, "limit", "buy", 1_000, 2001, {"label": "lost", "timeInForce": "IOC"})
    found = (await client.privateGetGetOrderStateByLabel({"currency": "ETH", "label": "lost"}))["result"]
    assert [row["order_state"] for row in found] == ["filled"]


async def test_a_lost_answer_makes_the_http_client_send_a_buy_again(running: Running) -> None:
    """A GET counts as harmless to repeat, and here an order is a GET: our own client must not do this."""
    venue, client = running
    await client.load_markets()
    arm(venue, "reset", on="GET /api/v2/private/buy")
    await client.create_order(INVERSE, "limit", "buy", 1_000, 2001, {"label": "again", "timeInForce": "IOC"})
    assert len(venue.exchange.orders_named("again")) == 2


async def test_too_many_are_told_so(tmp_path: Path) -> None:
    limits = Limits(weight_per_minute=24, orders_per_ten_seconds=1)
    async with alone(DeribitVenue, tmp_path, deposits=DEPOSITS, limits=limits) as (venue, port):
        venue.set_levels(BIDS, ASKS, NAME)
        async with ccxt_client("deribit", port, (HOST,), enableRateLimit=False) as client:
            await client.load_markets()
            with pytest.raises(errors.DDoSProtection, match="10047"):
                await asyncio.gather(*(client.create_order(INVERSE, "limit", "sell", 1_000, 2500) for _ in range(3)))
            with pytest.raises(errors.DDoSProtection, match="10028"):
                await asyncio.gather(*(client.fetch_time() for _ in range(9)))


def test_every_refusal_has_its_words_or_is_never_said() -> None:
    assert set(WORDS) | UNSAID == set(Refusal)
    assert not set(WORDS) & UNSAID
