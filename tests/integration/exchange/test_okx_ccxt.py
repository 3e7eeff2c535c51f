"""Unmodified ccxt.pro against the simulated OKX over TLS: all that it reads is there and means what it should."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
from ccxt.base import errors

from adapters.exchange.connection import loopback_session
from adapters.exchange.settings import Loopback
from adapters.simulators.faults import Fault
from adapters.simulators.limits import Limits
from adapters.simulators.okx.errors import WORDS
from adapters.simulators.okx.venue import OkxVenue
from adapters.simulators.refusals import Refusal
from tests.support.exchange import KEY, SECRET, alone

D = Decimal
LINEAR, INVERSE = "ETH/USDT:USDT", "ETH/USD:ETH"
ETH, USD = "ETH-USDT-SWAP", "ETH-USD-SWAP"
BIDS = [(200_000, 5_000), (199_990, 9_000)]
ASKS = [(200_100, 4_000), (200_200, 8_000)]
PASSPHRASE = "open-sesame"
SOON_S = 30.0

# ccxt's annotations call its coroutines dictionaries.
Running = tuple[OkxVenue, Any]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    deposits = {"ETH": D(1_000)}
    async with alone(OkxVenue, tmp_path, passphrase=PASSPHRASE, deposits=deposits) as (venue, port):
        for symbol in (ETH, USD):
            venue.set_levels(BIDS, ASKS, symbol)
        loopback = Loopback(port=port.port, ca_file=port.ca_file)
        async with loopback_session(loopback, frozenset(venue.hosts)) as session:
            config: Any = {"apiKey": KEY, "secret": SECRET, "password": PASSPHRASE, "session": session}
            client = ccxt.pro.okx(config | {"enableRateLimit": False})
            try:
                yield venue, client
            finally:
                await client.close()


async def soon(work: Any) -> Any:
    """Wait, for ccxt never times a watch out."""
    async with asyncio.timeout(SOON_S):
        return await work


async def again_and_again(call: Any, *arguments: Any, times: int = 60) -> None:
    for _ in range(times):
        await soon(call(*arguments))


async def until(is_so: Callable[[], Any]) -> None:
    """Let the simulator and ccxt, which give no signal of it, come to a state."""
    async with asyncio.timeout(SOON_S):
        while not is_so():  # noqa: ASYNC110 - neither side has an event to wait for
            await asyncio.sleep(0)


async def heard_by(venue: OkxVenue, *topics: str) -> None:
    await until(lambda: all(venue.hub.listeners(topic) for topic in topics))


async def test_the_markets_are_those_of_the_true_venue(running: Running) -> None:
    _, client = running
    markets = await client.load_markets()
    assert set(markets) == {LINEAR, "BTC/USDT:USDT", INVERSE, "BTC/USD:BTC"}
    eth, btc, inverse = markets[LINEAR], markets["BTC/USDT:USDT"], markets[INVERSE]
    assert (eth["contractSize"], eth["precision"]) == (0.1, {"amount": 0.01, "price": 0.01})
    assert (btc["contractSize"], btc["precision"]) == (0.01, {"amount": 0.01, "price": 0.1})
    assert (inverse["inverse"], inverse["settle"], inverse["contractSize"]) == (True, "ETH", 10.0)
    assert abs(await client.fetch_time() - time.time() * 1_000) < 5_000
    assert (await client.fetch_status())["status"] == "ok"


@pytest.mark.parametrize(("symbol", "amount", "coin"), [(LINEAR, 20, "USDT"), (INVERSE, 300, "ETH")])
async def test_an_order_a_fill_a_position_and_the_money(
    running: Running, symbol: str, amount: float, coin: str
) -> None:
    _, client = running
    await client.load_markets()
    before = (await client.fetch_balance())[coin]
    assert before["free"] == before["total"] > 0
    made = await client.create_order(symbol, "limit", "sell", amount, 2000, {"timeInForce": "IOC", "clOrdId": "a1"})
    told = (made["clientOrderId"], made["status"], made["filled"], made["amount"])
    assert told == ("a1", None, None, None), "create says nothing but the id"
    order = await client.fetch_order(None, symbol, {"clientOrderId": "a1"})
    assert (order["id"], order["status"], order["filled"], order["average"]) == (made["id"], "closed", amount, 2000.0)
    (trade,) = await client.fetch_my_trades(symbol)
    assert (trade["order"], trade["amount"], trade["price"], trade["side"]) == (made["id"], amount, 2000.0, "sell")
    assert (trade["takerOrMaker"], trade["fee"]["currency"]) == ("taker", coin)
    assert trade["fee"]["cost"] > 0
    (position,) = await client.fetch_positions()
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("short", amount, 2000.0)
    assert position["initialMargin"] > position["maintenanceMargin"] > 0
    assert position["liquidationPrice"] is None or position["liquidationPrice"] > 2000
    assert (position["marginMode"], position["hedged"]) == ("cross", False)
    after = (await client.fetch_balance())[coin]
    assert after["total"] == pytest.approx(before["total"] - trade["fee"]["cost"])
    assert after["free"] < after["total"]


async def test_sizes_are_truncated_silently_by_ccxt(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    await client.create_order(LINEAR, "limit", "sell", 1.239, 2500)
    (order,) = venue.exchange.open_orders(ETH)
    assert venue.exchange.instruments[ETH].quantity(order.quantity) == D("1.23"), "why sizes are checked and read back"


async def test_open_orders_are_found_by_our_id_and_cancelled(running: Running) -> None:
    _, client = running
    await client.load_markets()
    made = await client.create_order(LINEAR, "limit", "sell", 1, 2500, {"clOrdId": "rests"})
    assert [order["clientOrderId"] for order in await client.fetch_open_orders(LINEAR)] == ["rests"]
    await client.cancel_order(made["id"], LINEAR)
    assert await client.fetch_open_orders(LINEAR) == []
    assert (await client.fetch_order(made["id"], LINEAR))["status"] == "canceled"
    with pytest.raises(errors.OrderNotFound, match="51400"):
        await client.cancel_order(made["id"], LINEAR)
    with pytest.raises(errors.OrderNotFound, match="51603"):
        await client.fetch_order(None, LINEAR, {"clientOrderId": "nobody"})


async def test_a_post_only_order_that_would_take_is_accepted_and_cancelled(running: Running) -> None:
    _, client = running
    await client.load_markets()
    made = await client.create_order(LINEAR, "limit", "sell", 1, 1999, {"postOnly": True})
    order = await client.fetch_order(made["id"], LINEAR)
    assert (order["status"], order["filled"], order["info"]["cancelSource"]) == ("canceled", 0, "31")


async def test_marks_rates_tiers_and_funding(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    rate = await client.fetch_funding_rate(LINEAR)
    assert (rate["fundingRate"], rate["interval"], rate["markPrice"]) == (0.0001, "8h", None)
    assert rate["fundingTimestamp"] > time.time() * 1_000
    assert (await client.fetch_mark_price(LINEAR))["markPrice"] == 2000.5
    fee = await client.fetch_trading_fee(INVERSE)
    assert (fee["maker"], fee["taker"]) == (0.0002, 0.0005)
    tiers = await client.fetch_market_leverage_tiers(LINEAR)
    assert [tier["minNotional"] for tier in tiers] == [0, 10_000], "contracts, though ccxt calls them notional"
    book = await client.fetch_order_book(LINEAR)
    assert (book["bids"][0][:2], book["asks"][0][:2]) == ([2000.0, 50.0], [2001.0, 40.0])
    assert (await client.fetch_ticker(LINEAR))["bid"] == 2000.0
    await client.create_order(LINEAR, "market", "buy", 20)
    venue.exchange.funded_until_ms[ETH] = 0
    venue.set_levels([], [], ETH, clear=False)
    (paid,) = await client.fetch_funding_history(LINEAR)
    assert paid["amount"] == pytest.approx(-2 * 2000.5 * 0.0001)
    assert len(await client.fetch_my_trades(LINEAR)) == 1, "funding is no trade"


async def test_books_are_watched_with_snapshots_and_updates(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    book = await soon(client.watch_order_book(LINEAR))
    assert book["bids"][0] == [2000.0, 50.0]
    venue.set_levels([(200_000, 0), (199_980, 1_000)], [], ETH, clear=False)
    while True:
        book = await soon(client.watch_order_book(LINEAR))
        if list(book["bids"]) == [[1999.9, 90.0], [1999.8, 10.0]]:
            break
    top = await soon(client.watch_bids_asks([LINEAR]))
    assert top[LINEAR]["bid"] == 1999.9
    assert (await soon(client.watch_funding_rate(LINEAR)))["fundingRate"] == 0.0001
    assert (await soon(client.watch_mark_price(LINEAR)))["markPrice"] > 0


async def test_after_a_gap_unsubscribe_is_answered_and_ccxt_goes_on(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    await soon(client.watch_order_book(LINEAR))
    venue.faults.arm(Fault(kind="gap", on=ETH), time.time_ns() // 1_000_000)
    for bid in (199_997, 199_996):
        venue.set_levels([(bid, 1_000)], [], ETH, clear=False)
        venue.publish()
    with pytest.raises(errors.InvalidNonce):
        await again_and_again(client.watch_order_book, LINEAR)
    book = await soon(client.watch_order_book(LINEAR))
    assert [1999.97, 10.0] in list(book["bids"]), "what was skipped is there"


async def test_public_trades_are_watched(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    watching = asyncio.ensure_future(soon(client.watch_trades(LINEAR)))
    await heard_by(venue, f"trades:{ETH}")
    venue.exchange.market_trade(ETH, "SELL", 200_000, 1_000, venue.clock_ms())
    venue.commit()
    (trade,) = await watching
    assert (trade["symbol"], trade["side"], trade["price"], trade["amount"]) == (LINEAR, "sell", 2000.0, 10.0)


async def test_orders_fills_positions_and_the_account_are_watched(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    await soon(client.authenticate())
    watches = (client.watch_orders, client.watch_my_trades, client.watch_positions, client.watch_balance)
    balance = await soon(client.watch_balance())
    assert balance["USDT"]["total"] == 10_000_000, "how it stands comes first"
    assert await soon(client.watch_positions()) == []
    tasks = [asyncio.ensure_future(soon(watch())) for watch in watches]
    await heard_by(venue, "orders", "positions", "account")
    await client.create_order(LINEAR, "limit", "buy", 10, 2001, {"timeInForce": "IOC", "clOrdId": "w1"})
    orders, trades, positions, balance = await asyncio.gather(*tasks)
    assert (orders[0]["symbol"], orders[0]["clientOrderId"]) == (LINEAR, "w1")
    assert (trades[0]["symbol"], trades[0]["amount"], trades[0]["price"]) == (LINEAR, 10.0, 2001.0)
    assert (positions[0]["symbol"], positions[0]["side"], positions[0]["entryPrice"]) == (LINEAR, "long", 2001.0)
    assert balance["USDT"]["total"] < 10_000_000
    (swept,) = await client.fetch_my_trades(LINEAR)
    assert trades[0]["fee"]["cost"] == -swept["fee"]["cost"] < 0, "the same fee with the opposite sign"


async def test_the_orders_of_one_market_may_be_watched_alone(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    watching = asyncio.ensure_future(soon(client.watch_orders(LINEAR)))
    await heard_by(venue, f"orders:{ETH}")
    await client.create_order(INVERSE, "limit", "buy", 1, 2001, {"clOrdId": "other"})
    await client.create_order(LINEAR, "limit", "buy", 1, 2001, {"clOrdId": "wanted"})
    assert {order["clientOrderId"] for order in await watching} == {"wanted"}


async def test_a_refused_log_on_is_said_and_hangs_the_next_watch(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    client.password = "wrong"
    with pytest.raises(errors.AuthenticationError, match="60024"):
        await soon(client.watch_orders())
    client.password = PASSPHRASE
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await client.watch_orders()
    assert not venue.hub.listeners("orders"), "why a log-on without an answer drops the socket"


async def test_pings_are_texts(running: Running) -> None:
    _, client = running
    await client.load_markets()
    await soon(client.watch_order_book(LINEAR))
    socket = client.clients[client.get_url("books", "public")]
    before = socket.lastPong
    await socket.send("ping")
    await until(lambda: socket.lastPong != before)


REFUSED: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (errors.InsufficientFunds, "51008", {"amount": 90_000, "price": 2050, "side": "sell", "times": 3}),
    (errors.ExchangeError, "51169", {"params": {"reduceOnly": True}}),
    (errors.InvalidOrder, "51137", {"side": "buy", "price": 9000}),
    (errors.InvalidOrder, "51101", {"amount": 200_000}),
    (errors.BadRequest, "51000", {"params": {"clOrdId": "no-hyphens"}}),
    (errors.BadRequest, "51000", {"params": {"clOrdId": "x" * 33}}),
    (errors.BadRequest, "51000", {"params": {"posSide": "long"}}),
    (errors.BadRequest, "51000", {"params": {"tdMode": "isolated"}}),
    (errors.InvalidOrder, "51121", {"params": {"sz": "1.234"}}),
    (errors.BadSymbol, "51001", {"params": {"instId": "DOGE-USDT-SWAP"}}),
]


@pytest.mark.parametrize(("kind", "code", "wanted"), REFUSED)
async def test_what_okx_refuses_is_refused_with_its_items_code(
    running: Running, kind: type[Exception], code: str, wanted: dict[str, Any]
) -> None:
    venue, client = running
    await client.load_markets()
    fields: dict[str, Any] = {"amount": 1, "price": 2000, "side": "sell", "params": {}, "times": 1} | wanted
    order = (LINEAR, "limit", fields["side"], fields["amount"], fields["price"], fields["params"])
    with pytest.raises(kind, match=f'"sCode":"{code}"'):
        await again_and_again(client.create_order, *order, times=fields["times"])
    assert len(venue.exchange.orders) == fields["times"] - 1


async def test_each_item_of_a_batch_has_its_own_answer(running: Running) -> None:
    venue, client = running
    good = {"instId": ETH, "tdMode": "cross", "side": "sell", "ordType": "limit", "sz": "1", "px": "2500"}
    answer = await client.private_post_trade_batch_orders([good | {"clOrdId": "g1"}, good | {"sz": "0.001"}])
    assert (answer["code"], [item["sCode"] for item in answer["data"]]) == ("2", ["0", "51020"])
    assert (answer["data"][0]["clOrdId"], answer["data"][1]["ordId"]) == ("g1", "")
    with pytest.raises(errors.InvalidOrder, match='"sCode":"51016"'):
        await client.private_post_trade_batch_orders([good | {"clOrdId": "g1"}])
    assert len(venue.exchange.orders) == 1
    with pytest.raises(errors.BadRequest, match="50000"):
        await client.private_post_trade_batch_orders([])


async def test_an_order_that_comes_after_its_time_is_not_taken(running: Running) -> None:
    venue, client = running
    order = {"instId": ETH, "tdMode": "cross", "side": "sell", "ordType": "limit", "sz": "1", "px": "2500"}
    client.headers = {"expTime": str(client.milliseconds() - 1)}
    with pytest.raises(errors.ExchangeError, match='"sCode":"50036"'):
        await client.private_post_trade_batch_orders([order])
    assert len(venue.exchange.orders) == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"apiKey": "another"}, "50111"),
        ({"secret": "another"}, "50113"),
        ({"password": "another"}, "50105"),
        ({"timeDifference": 31_000}, "50102"),
        ({"timeDifference": -31_000}, "50102"),
    ],
)
async def test_the_door_is_kept(running: Running, changes: dict[str, Any], code: str) -> None:
    _, client = running
    for name, value in changes.items():
        if name in {"apiKey", "secret", "password"}:
            setattr(client, name, value)
        else:
            client.options[name] = value
    with pytest.raises((errors.AuthenticationError, errors.InvalidNonce), match=code):
        await client.private_get_account_balance()


async def test_leverage_is_set_and_told(running: Running) -> None:
    _, client = running
    await client.load_markets()
    await client.set_leverage(7, LINEAR, {"mgnMode": "cross"})
    assert (await client.fetch_leverage(LINEAR))["longLeverage"] == 7
    with pytest.raises(errors.ExchangeError, match="59102"):
        await client.set_leverage(120, LINEAR, {"mgnMode": "cross"})
    assert (await client.fetch_position_mode())["hedged"] is False


async def test_what_is_asked_wrongly_is_said_so(running: Running) -> None:
    _, client = running
    for ask, code in (
        (client.private_get_trade_order({"instId": ETH}), "51003"),
        (client.private_get_trade_order({"instId": ETH, "ordId": "x"}), "51000"),
        (client.private_get_trade_fills({"begin": "yesterday"}), "51000"),
        (client.public_get_public_instruments(), "50014"),
        (client.public_get_market_index_tickers({"instId": "DOGE-USDT"}), "51001"),
        (client.private_post_trade_cancel_order({"instId": ETH}), "51003"),
    ):
        with pytest.raises(errors.ExchangeError, match=code):
            await ask
    assert (await client.public_get_public_instruments({"instType": "SPOT"}))["data"] == []


async def test_who_asks_too_often_is_turned_away(tmp_path: Path) -> None:
    limits = Limits(weight_per_minute=40, orders_per_ten_seconds=5)
    async with alone(OkxVenue, tmp_path, limits=limits, passphrase=PASSPHRASE) as (venue, port):
        venue.set_levels(BIDS, ASKS, ETH)
        loopback = Loopback(port=port.port, ca_file=port.ca_file)
        async with loopback_session(loopback, frozenset(venue.hosts)) as session:
            config: Any = {"apiKey": KEY, "secret": SECRET, "password": PASSPHRASE, "session": session}
            client: Any = ccxt.pro.okx(config | {"enableRateLimit": False})
            await client.load_markets()
            with pytest.raises(errors.RateLimitExceeded, match="50011"):
                await again_and_again(client.create_order, LINEAR, "limit", "sell", 1, 2500)
            with pytest.raises(errors.RateLimitExceeded, match="50011"):
                await again_and_again(client.fetch_time)
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
    venue.faults.arm(Fault(kind=kind, on="POST /api/v5/trade/batch-orders"), time.time_ns() // 1_000_000)
    with pytest.raises(error):
        await client.create_order(LINEAR, "limit", "sell", 1, 2000, {"timeInForce": "IOC"})


async def test_a_page_instead_of_an_answer_is_an_order_without_an_id(running: Running) -> None:
    venue, client = running
    await client.load_markets()
    venue.faults.arm(Fault(kind="html", on="POST /api/v5/trade/batch-orders"), time.time_ns() // 1_000_000)
    made = await client.create_order(LINEAR, "limit", "sell", 1, 2000, {"timeInForce": "IOC"})
    assert made["id"] is None
    assert len(venue.exchange.orders) == 1, "and it was taken"


def test_every_refusal_has_okxs_words() -> None:
    assert set(WORDS) == set(Refusal) - {Refusal.POST_ONLY_WOULD_TAKE}, "which is accepted, then cancelled"
