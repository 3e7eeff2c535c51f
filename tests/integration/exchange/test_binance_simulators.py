"""The simulated Binance markets as unmodified ccxt.pro sees them: COIN-M counts contracts, spot moves coins."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from adapters.simulators.binance.spot import BinanceSpot
from adapters.simulators.binance.venue import BinanceCoinm, BinanceVenue
from adapters.simulators.listener import Listener as Port
from adapters.simulators.venue import SimulatedVenue
from tests.support.exchange import ASKS, BIDS, alone, ccxt_client

D = Decimal
SOON_S = 30.0
OPTIONS: dict[str, Any] = {
    "fetchCurrencies": False,
    "fetchMargins": False,
    "watchPositions": {"fetchPositionsSnapshot": False},
    "warnOnFetchOpenOrdersWithoutSymbol": False,
}
SPOT_OPTIONS = OPTIONS | {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}
MARKETS: dict[str, tuple[Callable[..., SimulatedVenue], str, dict[str, Any], dict[str, Decimal]]] = {
    "binanceusdm": (BinanceVenue, "ETH/USDT:USDT", OPTIONS, {"USDT": D(1_000_000)}),
    "binancecoinm": (BinanceCoinm, "ETH/USD:ETH", OPTIONS, {"ETH": D(100)}),
    "binance": (BinanceSpot, "ETH/USDT", SPOT_OPTIONS, {"ETH": D(100), "USDT": D(1_000_000)}),
}
# As a market: its first instrument at two thousand dollars, in its own ticks and lots.
LOTS = {"binanceusdm": 1, "binancecoinm": 1, "binance": 10}


class Seen:
    """One market with a ccxt.pro client on it."""

    def __init__(self, venue: Any, port: Port, client: Any, symbol: str) -> None:
        self.venue, self.port, self.client, self.symbol = venue, port, client, symbol

    async def soon(self, waiting: Any) -> Any:
        async with asyncio.timeout(SOON_S):
            return await waiting

    async def until(self, watch: Callable[[], Any], accept: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(SOON_S):
            while not accept(found := await watch()):
                pass
            return found


@pytest.fixture(params=list(MARKETS))
async def seen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Seen]:
    kind, symbol, options, deposits = MARKETS[request.param]
    async with (
        alone(kind, tmp_path, deposits=deposits) as (venue, port),
        ccxt_client(request.param, port, venue.hosts, options=options) as client,
    ):
        lots = LOTS[request.param]
        bids, asks = ([(price, size * lots) for price, size in side] for side in (BIDS, ASKS))
        venue.set_levels(bids, asks)
        await client.load_markets()
        yield Seen(venue, port, client, symbol)


async def sell(seen: Seen, price: str, amount: float = 1, **params: Any) -> Any:
    return await seen.client.create_order(seen.symbol, "limit", "sell", amount, float(price), params)


async def test_a_market_is_listed_as_what_it_is(seen: Seen) -> None:
    market = seen.client.market(seen.symbol)
    kinds = {"binanceusdm": "linear", "binancecoinm": "inverse", "binance": "spot"}
    assert market[kinds[seen.venue.name]]
    assert market["precision"]["price"] in {0.01, "0.01"}
    expected = {"binanceusdm": D(1), "binancecoinm": D(10), "binance": None}[seen.venue.name]
    assert expected is None or D(str(market["contractSize"])) == expected


async def test_an_order_is_made_asked_for_and_cancelled(seen: Seen) -> None:
    made = await sell(seen, "2050", clientOrderId="a-1")
    assert (made["status"], made["clientOrderId"]) == ("open", "a-1")
    asked = await seen.client.fetch_order(None, seen.symbol, {"clientOrderId": "a-1"})
    assert (asked["id"], asked["status"], D(str(asked["remaining"]))) == (made["id"], "open", D(1))
    assert [each["id"] for each in await seen.client.fetch_open_orders(seen.symbol)] == [made["id"]]
    gone = await seen.client.cancel_order(made["id"], seen.symbol)
    assert gone["status"] == "canceled"
    assert (await seen.client.fetch_order(made["id"], seen.symbol))["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        await seen.client.cancel_order(made["id"], seen.symbol)
    with pytest.raises(ccxt.OrderNotFound):
        await seen.client.fetch_order(None, seen.symbol, {"clientOrderId": "nobody"})


async def test_a_fill_is_in_the_answer_in_the_history_and_in_the_balance(seen: Seen) -> None:
    made = await sell(seen, "2000", timeInForce="IOC")
    assert (made["status"], D(str(made["filled"])), D(str(made["average"]))) == ("closed", D(1), D(2000))
    (trade,) = await seen.client.fetch_my_trades(seen.symbol)
    assert (trade["side"], trade["takerOrMaker"], D(str(trade["amount"]))) == ("sell", "taker", D(1))
    assert D(str(trade["fee"]["cost"])) > 0
    fee_in = {"binanceusdm": "USDT", "binancecoinm": "ETH", "binance": "USDT"}[seen.venue.name]
    assert trade["fee"]["currency"] == fee_in
    balance = await seen.client.fetch_balance()
    exchange = seen.venue.exchange
    assert D(str(balance[fee_in]["total"])) == exchange.ledger.equity(fee_in, exchange.marks).quantize(D("1e-8"))


async def subscribed(venue: SimulatedVenue, topic: str) -> None:
    """Wait until somebody is told of topics that are called so."""
    async with asyncio.timeout(SOON_S):
        while not any(topic in each.lower() for socket in venue.hub.sockets for each in socket.topics):  # noqa: ASYNC110 - the venue tells nobody who listens
            await asyncio.sleep(0.02)


async def test_orders_and_books_and_trades_are_watched(seen: Seen) -> None:
    orders = asyncio.create_task(seen.soon(seen.client.watch_orders(seen.symbol)))
    book = await seen.soon(seen.client.watch_order_book(seen.symbol))
    assert [float(value) for value in book["asks"][0][:1]] == [2000.01]
    watching = asyncio.create_task(seen.soon(seen.client.watch_trades(seen.symbol)))
    await subscribed(seen.venue, "trade")
    await sell(seen, "2000", timeInForce="IOC", clientOrderId="w-1")
    found = await seen.until(lambda: orders, lambda rows: rows[-1]["clientOrderId"] == "w-1")
    assert found[-1]["symbol"] == seen.symbol
    assert D(str((await watching)[-1]["price"])) == D(2000)
    seen.venue.set_levels([], [(200_001, 0)], clear=False)
    await seen.until(
        lambda: seen.client.watch_order_book(seen.symbol), lambda rows: float(rows["asks"][0][0]) == 2000.1
    )


# What is asked, ccxt's class for it, and what the venue says.
POOR, MAKER, FAR = {"amount": 9_000.0}, {"postOnly": True}, {"price": "1500"}
REFUSALS: dict[str, list[tuple[dict[str, Any], type[Exception], str]]] = {
    "binanceusdm": [
        (POOR, ccxt.InsufficientFunds, '"code":-2019'),
        (MAKER, ccxt.OrderNotFillable, '"code":-5022'),
        (FAR, ccxt.ExchangeError, '"code":-4024'),
    ],
    "binancecoinm": [
        ({"amount": 900_000.0}, ccxt.InsufficientFunds, '"code":-2019'),
        (MAKER, ccxt.ExchangeError, '"code":-5022'),
        (FAR, ccxt.ExchangeError, '"code":-4024'),
    ],
    "binance": [
        (POOR, ccxt.InsufficientFunds, "insufficient balance"),
        (MAKER, ccxt.OrderImmediatelyFillable, "immediately match and take"),
        (FAR, ccxt.ExchangeError, "PERCENT_PRICE_BY_SIDE"),
    ],
}


async def test_refusals_are_the_true_markets(seen: Seen) -> None:
    for asked, error, said in REFUSALS[seen.venue.name]:
        lasts = {"postOnly": True} if asked is MAKER else {"timeInForce": "IOC"}
        with pytest.raises(error) as caught:
            await sell(seen, asked.get("price", "2000"), asked.get("amount", 1.0), **lasts)
        assert said in str(caught.value)
    assert dict(seen.venue.exchange.orders) == {}


async def test_a_client_id_is_taken_while_its_order_is_open(seen: Seen) -> None:
    await sell(seen, "2050", clientOrderId="a-1")
    with pytest.raises(ccxt.ExchangeError, match="uplicate"):
        await sell(seen, "2051", clientOrderId="a-1")


async def test_positions_and_their_margin(seen: Seen) -> None:
    if seen.venue.name == "binance":
        await sell(seen, "2000", timeInForce="IOC")
        balance = await seen.client.fetch_balance()
        assert (D(str(balance["ETH"]["total"])), D(str(balance["USDT"]["total"]))) == (D(99), D(1_001_998))
        return
    await sell(seen, "2000", timeInForce="IOC")
    (position,) = [each for each in await seen.client.fetch_positions([seen.symbol]) if float(each["contracts"] or 0)]
    assert (position["side"], D(str(position["contracts"])), D(str(position["entryPrice"]))) == ("short", D(1), D(2000))
    assert {each["symbol"] for each in (await seen.client.fetch_leverages()).values()} >= {seen.symbol}
    tiers = await seen.client.fetch_leverage_tiers([seen.symbol])
    assert len(tiers[seen.symbol]) == 2


async def test_the_account_stream_may_end(tmp_path: Path) -> None:
    async with (
        alone(BinanceSpot, tmp_path, deposits={"ETH": D(1)}) as (venue, port),
        ccxt_client("binance", port, venue.hosts, options=SPOT_OPTIONS) as client,
    ):
        venue.set_levels(BIDS, ASKS)
        watching = asyncio.create_task(client.watch_orders("ETH/USDT"))
        await subscribed(venue, "account")
        venue.end_account_stream()
        assert venue.hub.listeners("account") == []
        await client.create_order("ETH/USDT", "limit", "sell", 0.5, 2050.0)
        done, _ = await asyncio.wait((watching,), timeout=0.5)
        assert not done, "the trap: ccxt waits on"
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_a_wrong_signature_is_refused_on_the_socket_api(tmp_path: Path) -> None:
    async with (
        alone(BinanceSpot, tmp_path) as (venue, port),
        ccxt_client("binance", port, venue.hosts, options=SPOT_OPTIONS, secret="wrong") as client,
    ):
        socket = await client.session.ws_connect("wss://ws-api.binance.com/ws-api/v3")
        async with socket:
            asked = {"id": 7, "method": "userDataStream.subscribe.signature", "params": client.sign_params({})}
            await socket.send_json(asked)
            answer = await socket.receive_json()
            assert (answer["id"], answer["status"], answer["error"]["code"]) == (7, 400, -1022)
            await socket.send_json({"id": 8, "method": "order.place"})
            assert (await socket.receive_json())["error"]["code"] == -1000
            await socket.send_str("not json")
            assert (await socket.receive_json())["error"]["code"] == -1135
