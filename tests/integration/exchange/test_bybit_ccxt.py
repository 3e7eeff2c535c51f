"""Unmodified ccxt.pro against the simulated Bybit over TLS: all that it reads is there and means what it should."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
from ccxt.base import errors

from adapters.exchange.connection import loopback_session
from adapters.exchange.settings import Loopback
from adapters.simulators.bybit.venue import BybitVenue
from adapters.simulators.faults import Fault
from adapters.simulators.limits import Limits
from adapters.simulators.sockets import Socket
from tests.support.exchange import KEY, SECRET, alone

D = Decimal
LINEAR, INVERSE = "ETH/USDT:USDT", "ETH/USD:ETH"
BIDS = [(200_000, 500), (199_990, 900)]
ASKS = [(200_100, 400), (200_200, 800)]
HOSTS = frozenset({"api.bybit.com", "stream.bybit.com"})
SOON_S = 30.0
OPTIONS = {
    "enableUnifiedMargin": False,
    "enableUnifiedAccount": True,
    "unifiedMarginStatus": 6,
    "fetchMarkets": {"types": ["spot", "linear", "inverse"]},
}


class Watched(BybitVenue):
    """Say which topics were subscribed to."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.subscribed: asyncio.Queue[str] = asyncio.Queue()

    def _greet(self, socket: Socket, topic: str) -> None:
        super()._greet(socket, topic)
        self.subscribed.put_nowait(topic)

    async def until_subscribed(self, *topics: str) -> None:
        missing = set(topics)
        async with asyncio.timeout(SOON_S):
            while missing:
                missing.discard(await self.subscribed.get())


# ccxt's annotations call its coroutines dictionaries.
Running = tuple[Watched, Any]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with alone(Watched, tmp_path, deposits={"ETH": D(1_000)}) as (venue, port):
        for symbol in ("ETHUSDT", "ETHUSD"):
            venue.set_levels(BIDS, ASKS, symbol)
        loopback = Loopback(port=port.port, ca_file=port.ca_file)
        async with loopback_session(loopback, HOSTS) as session:
            client = make_client(session)
            try:
                yield venue, client
            finally:
                await client.close()


def make_client(session: Any) -> Any:
    config: Any = {"apiKey": KEY, "secret": SECRET, "session": session, "enableRateLimit": False}
    return ccxt.pro.bybit(config | {"has": {"fetchCurrencies": False}, "options": dict(OPTIONS)})


async def soon(work: Any) -> Any:
    """Wait, for ccxt never times a watch out."""
    async with asyncio.timeout(SOON_S):
        return await work


async def test_the_markets_are_those_of_the_true_venue(running: Running) -> None:
    _, client = running
    markets = await client.load_markets()
    assert set(markets) == {LINEAR, "BTC/USDT:USDT", INVERSE}
    eth, btc, inverse = markets[LINEAR], markets["BTC/USDT:USDT"], markets[INVERSE]
    assert (eth["precision"], eth["limits"]["cost"]["min"]) == ({"amount": 0.01, "price": 0.01}, 5.0)
    assert btc["precision"] == {"amount": 0.001, "price": 0.1}
    assert (inverse["inverse"], inverse["settle"], inverse["contractSize"]) == (True, "ETH", 1.0)
    assert abs(await client.fetch_time() - time.time() * 1_000) < 5_000
    assert (await client.fetch_status())["status"] == "ok"


async def test_the_probe_of_the_account_is_answered(running: Running) -> None:
    _, client = running
    for name in ("enableUnifiedMargin", "enableUnifiedAccount", "unifiedMarginStatus"):
        client.options.pop(name)
    assert await client.is_unified_enabled() == [False, True]
    assert client.options["unifiedMarginStatus"] == 6


@pytest.mark.parametrize(("symbol", "amount", "coin"), [(LINEAR, 2, "USDT"), (INVERSE, 300, "ETH")])
async def test_an_order_a_fill_a_position_and_the_money(
    running: Running, symbol: str, amount: float, coin: str
) -> None:
    _, client = running
    await client.load_markets()
    before = (await client.fetch_balance())[coin]
    assert before["free"] == before["total"] > 0
    made = await client.create_order(symbol, "limit", "sell", amount, 2000, {"timeInForce": "IOC", "orderLinkId": "a1"})
    assert (made["clientOrderId"], made["status"], made["filled"]) == ("a1", None, None), "only ids are answered"
    (order,) = await client.fetch_closed_orders(symbol, params={"orderLinkId": "a1"})
    assert (order["id"], order["status"], order["filled"], order["average"]) == (made["id"], "closed", amount, 2000.0)
    assert order["symbol"] == symbol
    (trade,) = await client.fetch_my_trades(symbol)
    assert (trade["order"], trade["amount"], trade["price"], trade["side"]) == (made["id"], amount, 2000.0, "sell")
    assert (trade["takerOrMaker"], trade["fee"]["currency"]) == ("taker", coin)
    assert order["fee"] == {"cost": trade["fee"]["cost"], "currency": coin}
    (position,) = await client.fetch_positions(params={"subType": "inverse"} if coin == "ETH" else {})
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("short", amount, 2000.0)
    assert position["initialMargin"] > position["maintenanceMargin"] > 0
    assert position["liquidationPrice"] is None or position["liquidationPrice"] > 2000
    after = (await client.fetch_balance())[coin]
    assert after["total"] == pytest.approx(before["total"] - trade["fee"]["cost"])
    assert 0 < after["used"] < after["total"]


async def test_open_orders_are_found_by_our_id_filled_ones_too_and_cancelled(running: Running) -> None:
    _, client = running
    await client.load_markets()
    made = await client.create_order(LINEAR, "limit", "sell", 1, 2500, {"orderLinkId": "rests"})
    await client.create_order(LINEAR, "limit", "sell", 1, 2000, {"orderLinkId": "filled"})
    assert [order["clientOrderId"] for order in await client.fetch_open_orders(LINEAR)] == ["rests"]
    (filled,) = await client.fetch_open_orders(LINEAR, params={"orderLinkId": "filled"})
    assert filled["status"] == "closed"
    await client.cancel_order(made["id"], LINEAR)
    assert await client.fetch_open_orders(LINEAR) == []
    with pytest.raises(errors.OrderNotFound):
        await client.cancel_order(made["id"], LINEAR)


async def test_marks_rates_tiers_and_funding(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    rate = await client.fetch_funding_rate(LINEAR)
    assert (rate["markPrice"], rate["fundingRate"], rate["interval"]) == (2000.5, 0.0001, "8h")
    assert rate["fundingTimestamp"] > time.time() * 1_000
    assert await client.fetch_funding_rate_history(LINEAR, limit=3)
    fee = await client.fetch_trading_fee(LINEAR)
    assert (fee["maker"], fee["taker"]) == (0.0002, 0.00055)
    tiers = await client.fetch_market_leverage_tiers(LINEAR)
    assert [tier["minNotional"] for tier in tiers] == [0, 3_000_000]
    book = await client.fetch_order_book(LINEAR)
    assert (book["bids"][0], book["asks"][0]) == ([2000.0, 5.0], [2001.0, 4.0])
    await client.create_order(LINEAR, "market", "buy", 2)
    venue.exchange.funded_until_ms["ETHUSDT"] = 0
    venue.set_levels([], [], "ETHUSDT", clear=False)
    (paid,) = await client.fetch_funding_history(LINEAR)
    assert paid["amount"] == pytest.approx(2 * 2000.5 * 0.0001), "ccxt shows the fee: paid is positive"
    assert len(await client.fetch_my_trades(LINEAR)) == 1, "funding is no trade"


async def test_books_are_watched_with_snapshots_and_deltas(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    book = await soon(client.watch_order_book(LINEAR))
    assert book["bids"][0] == [2000.0, 5.0]
    venue.set_levels([(200_000, 0), (199_980, 100)], [], "ETHUSDT", clear=False)
    while True:
        book = await soon(client.watch_order_book(LINEAR))
        if list(book["bids"]) == [[1999.9, 9.0], [1999.8, 1.0]]:
            break
    one = await soon(client.watch_bids_asks([LINEAR]))
    assert one[LINEAR]["bid"] == 1999.9
    ticker = await soon(client.watch_ticker(INVERSE))
    assert (ticker["symbol"], ticker["bid"]) == (INVERSE, 2000.0)


async def test_public_trades_are_watched(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    watching = asyncio.ensure_future(soon(client.watch_trades(LINEAR)))
    await venue.until_subscribed("publicTrade.ETHUSDT")
    venue.exchange.market_trade("ETHUSDT", "SELL", 200_000, 100, venue.clock_ms())
    venue.commit()
    (trade,) = await watching
    assert (trade["symbol"], trade["side"], trade["price"], trade["amount"]) == (LINEAR, "sell", 2000.0, 1.0)


async def test_orders_fills_positions_and_the_wallet_are_watched(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    assert await soon(client.watch_positions()) == [], "first what there is, by REST"
    watches = (client.watch_orders, client.watch_my_trades, client.watch_positions, client.watch_balance)
    tasks = [asyncio.ensure_future(soon(watch())) for watch in watches]
    await venue.until_subscribed("order", "execution", "position", "wallet")
    await client.create_order(LINEAR, "limit", "buy", 1, 2001, {"timeInForce": "IOC", "orderLinkId": "w1"})
    orders, trades, positions, balance = await asyncio.gather(*tasks)
    assert (orders[0]["symbol"], orders[0]["clientOrderId"]) == (LINEAR, "w1"), "a contract, not a spot pair"
    assert (trades[0]["symbol"], trades[0]["amount"], trades[0]["price"]) == (LINEAR, 1.0, 2001.0)
    assert (positions[0]["symbol"], positions[0]["side"], positions[0]["entryPrice"]) == (LINEAR, "long", 2001.0)
    assert balance["USDT"]["total"] < 10_000_000


REFUSED: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (errors.InsufficientFunds, "110007", {"amount": 5_000, "price": 2600, "side": "sell", "times": 4}),
    (errors.InvalidOrder, "110094", {"amount": 0.01, "price": 100, "side": "buy"}),
    (errors.InvalidOrder, "110017", {"params": {"reduceOnly": True}}),
    (errors.InvalidOrder, "110003", {"side": "buy", "price": 9000}),
    (errors.BadRequest, "10001", {"amount": 8_000}),
    (errors.BadRequest, "10001", {"params": {"orderLinkId": "no spaces please"}}),
    (errors.BadRequest, "10001", {"params": {"positionIdx": 1}}),
]


@pytest.mark.parametrize(("kind", "code", "wanted"), REFUSED)
async def test_what_bybit_refuses_is_refused_with_its_code(
    running: Running, kind: type[Exception], code: str, wanted: dict[str, Any]
) -> None:
    venue, client = running
    await client.load_markets()
    fields: dict[str, Any] = {"amount": 1, "price": 2000, "side": "sell", "params": {}, "times": 1} | wanted
    what = (fields["side"], fields["amount"], fields["price"])
    for _ in range(fields["times"] - 1):
        await client.create_order(LINEAR, "limit", *what, dict(fields["params"]))
    with pytest.raises(kind, match=f'"retCode":{code}'):
        await client.create_order(LINEAR, "limit", *what, dict(fields["params"]))
    assert len(venue.exchange.orders) == fields["times"] - 1


async def test_an_order_id_is_never_taken_twice(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    for expected in (None, "110072"):
        order = client.create_order(LINEAR, "limit", "sell", 1, 2000, {"timeInForce": "IOC", "orderLinkId": "twice"})
        if expected is None:
            await order
        else:
            with pytest.raises(errors.InvalidOrder, match=expected):
                await order
    assert len(venue.exchange.orders) == 1


async def test_leverage_and_position_mode(running: Running) -> None:
    _, client = running
    await client.load_markets()
    await client.set_leverage(7, LINEAR)
    assert (await client.fetch_leverage(LINEAR))["longLeverage"] == 7
    with pytest.raises(errors.BadRequest, match="110043"):
        await client.set_leverage(7, LINEAR)
    with pytest.raises(errors.NoChange, match="110025"):
        await client.set_position_mode(False, LINEAR)
    with pytest.raises(errors.BadRequest, match="110029"):
        await client.set_position_mode(True, LINEAR)


async def test_who_asks_too_often_is_turned_away(tmp_path: Path) -> None:
    limits = Limits(weight_per_minute=240, orders_per_ten_seconds=20)
    async with alone(BybitVenue, tmp_path, limits=limits) as (venue, port):
        venue.set_levels(BIDS, ASKS, "ETHUSDT")
        async with loopback_session(Loopback(port=port.port, ca_file=port.ca_file), HOSTS) as session:
            client = make_client(session)
            await client.load_markets()
            orders = [client.create_order(LINEAR, "limit", "sell", 1, 2000) for _ in range(6)]
            with pytest.raises(errors.RateLimitExceeded, match="10006"):
                await asyncio.gather(*orders)
            with pytest.raises(errors.RateLimitExceeded, match="403"):
                await asyncio.gather(*(client.fetch_time() for _ in range(60)))
            await client.close()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("maintenance", errors.ExchangeNotAvailable),
        ("rate_limited", errors.RateLimitExceeded),
        ("bad_gateway", errors.ExchangeNotAvailable),
        ("truncate", errors.BaseError),
        ("lost", errors.NetworkError),
    ],
)
async def test_bad_days_are_what_ccxt_calls_them(running: Running, kind: Any, error: type[Exception]) -> None:
    venue, client = running
    await client.load_markets()
    venue.faults.arm(Fault(kind=kind, on="POST /v5/order/create"), time.time_ns() // 1_000_000)
    with pytest.raises(error):
        await client.create_order(LINEAR, "limit", "sell", 1, 2000, {"timeInForce": "IOC"})
