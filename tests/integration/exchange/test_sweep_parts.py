"""Parts of an account: none hides another, all pages are read, and payloads are read as the venues document them."""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapters.exchange.binance.sweep import CoinmSweep, SpotSweep, UsdmSweep
from adapters.exchange.bybit.sweep import BybitSweep
from adapters.exchange.deribit.sweep import DeribitSweep
from adapters.exchange.okx.sweep import OkxSweep
from adapters.exchange.parts import AccountSweep
from adapters.exchange.settings import VenueSettings
from adapters.exchange.signed import SignedOkx, SignedSpot, SignedUsdm, SignedVenue
from adapters.exchange.sweep import open_sweep
from domain.sweep import Resting
from domain.venue import Rejected, Unknown
from tests.contract.venue_conditional import signed
from tests.contract.venue_rig import Bench, Rig, rigged
from tests.contract.venue_sweep import leave_stops, rest, waiting
from tests.integration.exchange.test_binance_spot_account import SPOT
from tests.integration.exchange.test_binance_usdm_account import USDM
from tests.integration.exchange.test_bybit_account import LINEAR as BYBIT
from tests.integration.exchange.test_okx_account import LINEAR as OKX

D = Decimal
Answers = Mapping[str, Any]


@pytest.fixture
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(request.param, tmp_path, deposits={"ETH": D(100), "USDC": D(1_000_000)}) as made:
        yield made


def at(*benches: Bench) -> pytest.MarkDecorator:
    """Try these venues."""
    return pytest.mark.parametrize("rig", benches, indirect=True, ids=[bench.venue for bench in benches])


def swept(rig: Rig, **changes: Any) -> AbstractAsyncContextManager[AccountSweep]:
    return open_sweep(rig.settings(symbols=(), **changes))


@at(USDM)
@pytest.mark.parametrize("kind", ["maintenance", "timeout", "html", "truncate", "reset"])
async def test_a_service_that_does_not_tell_hides_no_other_and_holds_none_up(rig: Rig, kind: Any) -> None:
    rest(rig, rig.listed, "plain", D(1990))
    rig.simulated.commit()
    await leave_stops(rig, 1)
    async with swept(rig, timeout_ms=300) as sweep:
        seen = (await sweep.look()).orders
        rig.arm(kind, "GET /fapi/v1/openAlgoOrders", times=1_000)
        told = await sweep.clear(())
        assert [(order.client_order_id, order.kind) for order in told.orders] == [("plain", "plain")]
        assert [(part.part, part.refused) for part in told.untold] == [("algo orders", False)]
        assert not rig.simulated.exchange.open_orders(None)
        assert waiting(rig) == {"stop0"}
        # What was seen there before is ended all the same.
        await sweep.clear(seen)
        assert waiting(rig) == set()


@at(BYBIT)
async def test_a_part_that_is_not_told_is_emptied_unseen_where_the_venue_can(rig: Rig) -> None:
    rest(rig, rig.listed, "plain", D(1990))
    rig.simulated.commit()
    await leave_stops(rig, 2)
    rig.arm("html", "GET /v5/order/realtime", times=1_000)
    async with swept(rig) as sweep:
        told = await sweep.clear(())
        assert {part.part for part in told.untold} == {part.name for part in sweep.parts} - {"spread"}
    assert not rig.simulated.exchange.open_orders(None)
    assert waiting(rig) == set()


@at(OKX)
async def test_every_page_of_every_type_is_told_and_ended(rig: Rig) -> None:
    await leave_stops(rig, 125)
    async with signed(rig.settings(), SignedOkx) as venue:
        for kind in ("trigger", "move_order_stop", "iceberg", "twap", "chase"):
            item = {"instId": rig.bench.market, "tdMode": "cross", "side": "sell", "ordType": kind, "sz": "1"}
            price = {"triggerPx": "1900", "orderPx": "-1"} if kind == "trigger" else {}
            await venue.post("/api/v5/trade/order-algo", {**item, **price, "algoClOrdId": kind.replace("_", "")})
    async with swept(rig) as sweep:
        found = (await sweep.clear(())).orders
        assert len(found) == 130
        assert {order.type for order in found} == {
            "conditional",
            "trigger",
            "move_order_stop",
            "iceberg",
            "twap",
            "chase",
        }
        assert (await sweep.look()).orders == ()
    assert waiting(rig) == set()


@at(USDM, SPOT)
async def test_what_works_through_time_at_binance_is_ended_too(rig: Rig) -> None:
    market = "spot" if rig.is_spot else "futures"
    root = f"/sapi/v1/algo/{market}"
    asked = {"symbol": "ETHUSDT", "side": "SELL", "quantity": "5", "duration": 600, "clientAlgoId": "slices"}
    async with signed(rig.settings(), SignedSpot) as venue:
        await venue.send("POST", f"{root}/newOrderTwap", asked)
        assert (await venue.get(f"{root}/openOrders"))["total"] == 1
    async with signed(rig.settings(), SignedSpot if rig.is_spot else SignedUsdm) as venue:
        listed = "/api/v3/openOrders" if rig.is_spot else "/fapi/v1/openAlgoOrders"
        assert await venue.get(listed) == []
    async with swept(rig) as sweep:
        (found,) = (await sweep.clear(())).orders
        assert (found.client_order_id, found.kind, found.part, found.type) == ("slices", "conditional", "twap", "TWAP")
        assert (await sweep.look()).orders == ()
    assert waiting(rig) == set()


async def test_a_part_that_the_settings_leave_out_is_not_asked_for_and_an_unknown_one_is_a_mistake() -> None:
    settings = VenueSettings(venue="bybit", account="main", api_key="k", api_secret="s", symbols=())
    async with open_sweep(settings, ("spread", "option")) as sweep:
        assert [part.name for part in sweep.parts] == ["linear USDT", "linear USDC", "inverse", "spot"]
    with pytest.raises(ValueError, match=re.escape("bybit has no part spreads: its parts are linear USDT, ")):
        async with open_sweep(settings, ("spreads",)):
            raise AssertionError("opened")


# Payloads as the venues document them. -------------------------------------------------------------------------------


class Told(SignedVenue):
    """Answer what is asked for from a table, by method and path or by path and one of its words; remember it."""

    host = "nowhere"
    code = re.compile("x")
    reasons: ClassVar[Mapping[str, Any]] = {}
    clock_codes = frozenset()
    clock_path = "/"

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, Any]] = []
        self.ahead_ms = 0

    def beside(self, other: type[SignedVenue]) -> SignedVenue:
        del other
        return self

    async def send(self, method: str, path: str, asked: Mapping[str, Any]) -> Any:
        return self._answer(method, path, dict(asked))

    async def post(self, path: str, body: Any) -> Any:
        return self._answer("POST", path, body)

    def sign(self, method: str, path: str, query: str, body: str) -> tuple[str, dict[str, str]]:
        raise NotImplementedError

    def failed(self, status: int, answer: Any) -> bool:
        raise NotImplementedError

    def told_ms(self, answer: Any) -> int:
        raise NotImplementedError

    def _answer(self, method: str, path: str, said: Any) -> Any:
        self.asked.append((method, path, said))
        words = {str(each) for each in said.values()} if isinstance(said, dict) else set[str]()
        named = next(
            (key for key in self.answers if key.partition("?")[0] == path and key.partition("?")[2] in words), path
        )
        found = self.answers.get(named, self.answers.get("*"))
        if isinstance(found, Exception):
            raise found
        return found

    def done(self, method: str) -> list[tuple[str, Any]]:
        return [(path, said) for told, path, said in self.asked if told == method]


async def sweeping(kind: Callable[..., AccountSweep], name: str, answers: Answers) -> tuple[AccountSweep, Told]:
    venue = Told(answers)
    settings = VenueSettings(venue=name, account="main", api_key="k", api_secret="s", symbols=())
    return kind(settings, venue), venue


def said(orders: tuple[Resting, ...]) -> list[tuple[str, str, str, str, str, str]]:
    return [(o.part, o.market, o.venue_order_id, o.client_order_id, o.kind, o.type) for o in orders]


BINANCE_ALGO = json.loads(
    """[{"algoId": 2148627, "clientAlgoId": "MRumok0dkhrP4kCm12AHaB", "algoType": "CONDITIONAL",
    "orderType": "TAKE_PROFIT", "symbol": "BNBUSDT", "side": "SELL", "positionSide": "BOTH", "timeInForce": "GTC",
    "quantity": "0.01", "algoStatus": "NEW", "actualOrderId": "", "actualPrice": "0.00000", "triggerPrice": "750.000",
    "price": "750.000", "icebergQuantity": null, "workingType": "CONTRACT_PRICE", "closePosition": false,
    "priceProtect": false, "reduceOnly": false, "createTime": 1750514941540, "updateTime": 1750514941540,
    "triggerTime": 0, "goodTillDate": 0}]"""
)
BINANCE_TWAP = json.loads(
    """{"total": 1, "orders": [{"algoId": 14517, "symbol": "ETHUSDT", "side": "SELL", "positionSide": "SHORT",
    "totalQty": "5.000", "executedQty": "0.000", "executedAmt": "0.00000000", "avgPrice": "0.00",
    "clientAlgoId": "d7096549481642f8a0bb69e9e2e31f2e", "bookTime": 1649756817004, "endTime": 0,
    "algoStatus": "WORKING", "algoType": "VP", "urgency": "LOW"}]}"""
)
BINANCE_SPOT = json.loads(
    """[{"symbol": "LTCBTC", "orderId": 1, "orderListId": -1, "clientOrderId": "myOrder1", "price": "0.1",
    "origQty": "1.0", "executedQty": "0.0", "cummulativeQuoteQty": "0.0", "status": "NEW", "timeInForce": "GTC",
    "type": "LIMIT", "side": "BUY", "stopPrice": "0.0", "icebergQty": "0.0", "time": 1499827319559,
    "updateTime": 1499827319559, "isWorking": true},
    {"symbol": "LTCBTC", "orderId": 2, "orderListId": 7, "clientOrderId": "leg", "price": "0.1", "origQty": "1.0",
    "executedQty": "0.0", "status": "NEW", "type": "STOP_LOSS_LIMIT", "side": "SELL", "stopPrice": "0.09",
    "isWorking": false}]"""
)


async def test_binance_futures_are_read_from_three_lists_and_ended_in_three_ways() -> None:
    answers = {"/fapi/v1/openAlgoOrders": BINANCE_ALGO, "/sapi/v1/algo/futures/openOrders": BINANCE_TWAP, "*": []}
    sweep, venue = await sweeping(UsdmSweep, "binanceusdm", answers)
    told = await sweep.clear(())
    assert said(told.orders) == [
        ("algo orders", "BNBUSDT", "2148627", "MRumok0dkhrP4kCm12AHaB", "conditional", "TAKE_PROFIT"),
        ("twap", "ETHUSDT", "14517", "d7096549481642f8a0bb69e9e2e31f2e", "conditional", "VP"),
    ]
    assert sorted(venue.done("DELETE")) == [
        ("/fapi/v1/algoOpenOrders", {"symbol": "BNBUSDT"}),
        ("/sapi/v1/algo/futures/order", {"algoId": "14517"}),
    ]


async def test_binance_coin_margined_has_the_algo_service_too() -> None:
    sweep, venue = await sweeping(CoinmSweep, "binancecoinm", {"/dapi/v1/openAlgoOrders": BINANCE_ALGO, "*": []})
    assert [order.kind for order in (await sweep.clear(())).orders] == ["conditional"]
    assert venue.done("DELETE") == [("/dapi/v1/algoOpenOrders", {"symbol": "BNBUSDT"})]


async def test_binance_spot_tells_stops_among_its_orders() -> None:
    answers = {"/api/v3/openOrders": BINANCE_SPOT, "*": {"total": 0, "orders": []}}
    sweep, venue = await sweeping(SpotSweep, "binance", answers)
    assert [(order.kind, order.type) for order in (await sweep.clear(())).orders] == [
        ("plain", "LIMIT"),
        ("conditional", "STOP_LOSS_LIMIT"),
    ]
    assert venue.done("DELETE") == [("/api/v3/openOrders", {"symbol": "LTCBTC"})]


def _bybit(*orders: Mapping[str, str]) -> Any:
    return {"retCode": 0, "retMsg": "OK", "result": {"list": list(orders), "nextPageCursor": ""}, "time": 1}


BYBIT_STOP = {
    "orderId": "a",
    "orderLinkId": "",
    "symbol": "BTCUSDT",
    "orderStatus": "Untriggered",
    "stopOrderType": "tpslOrder",
}
BYBIT_PLAIN = {"orderId": "b", "orderLinkId": "l", "symbol": "BTCUSDT", "orderStatus": "New", "stopOrderType": ""}


@pytest.mark.parametrize(
    ("orders", "filters"),
    [
        ((BYBIT_PLAIN,), ["Order"]),
        ((BYBIT_STOP,), ["StopOrder", "tpslOrder", "OcoOrder", "BidirectionalTpslOrder"]),
        ((BYBIT_PLAIN, BYBIT_STOP), ["Order", "StopOrder", "tpslOrder", "OcoOrder", "BidirectionalTpslOrder"]),
    ],
)
async def test_bybit_spot_is_asked_to_end_each_kind_that_stands(orders: Any, filters: list[str]) -> None:
    sweep, venue = await sweeping(BybitSweep, "bybit", {"/v5/order/realtime?spot": _bybit(*orders), "*": _bybit()})
    told = await sweep.clear(())
    assert [order.kind for order in told.orders] == [
        "conditional" if order["orderStatus"] == "Untriggered" else "plain" for order in orders
    ]
    assert [body["orderFilter"] for _, body in venue.done("POST")] == filters


async def test_bybit_spreads_are_ended_at_once() -> None:
    row = {"orderId": "s", "orderLinkId": "", "symbol": "SOLUSDT_SOL/USDT", "orderStatus": "New"}
    sweep, venue = await sweeping(BybitSweep, "bybit", {"/v5/spread/order/realtime": _bybit(row), "*": _bybit()})
    assert [order.market for order in (await sweep.clear(())).orders] == ["spread:SOLUSDT_SOL/USDT"]
    assert venue.done("POST") == [("/v5/spread/order/cancel-all", {"cancelAll": True})]


def _okx(*rows: Mapping[str, Any]) -> Any:
    return {"code": "0", "msg": "", "data": list(rows)}


OKX_TRAIL = {
    "algoId": "681096944655273984",
    "algoClOrdId": "",
    "instId": "BTC-USDT-SWAP",
    "ordType": "move_order_stop",
    "state": "live",
}


@pytest.mark.parametrize("failure", [Rejected("malformed", "51000"), Unknown("lost")])
async def test_okx_is_asked_the_old_way_where_trailing_orders_are_not_ended_the_documented_one(
    failure: Exception,
) -> None:
    answers = {
        "/api/v5/trade/orders-algo-pending?move_order_stop": _okx(OKX_TRAIL),
        "/api/v5/trade/cancel-algos": failure,
        "*": _okx(),
    }
    sweep, venue = await sweeping(OkxSweep, "okx", answers)
    told = await sweep.clear(())
    assert said(told.orders) == [
        ("algo move_order_stop", "BTC-USDT-SWAP", "681096944655273984", "", "conditional", "move_order_stop")
    ]
    items = [{"instId": "BTC-USDT-SWAP", "algoId": "681096944655273984"}]
    assert venue.done("POST") == [
        ("/api/v5/trade/cancel-algos", items),
        ("/api/v5/trade/cancel-advance-algos", items),
    ]
    assert told.failed == ()


async def test_okx_spreads_are_ended_at_once() -> None:
    row = {"sprdId": "BTC-USDT_BTC-USDT-SWAP", "ordId": "312269865356374016", "clOrdId": "b1", "state": "live"}
    sweep, venue = await sweeping(OkxSweep, "okx", {"/api/v5/sprd/orders-pending": _okx(row), "*": _okx()})
    assert [order.market for order in (await sweep.clear(())).orders] == ["BTC-USDT_BTC-USDT-SWAP"]
    assert venue.done("POST") == [("/api/v5/sprd/mass-cancel", {})]


DERIBIT_TRIGGER = json.loads(
    """{"jsonrpc": "2.0", "result": [{"triggered": false, "trigger": "last_price", "trigger_price": 3.2,
    "time_in_force": "good_til_cancelled", "reduce_only": false, "price": "market_price", "post_only": false,
    "order_type": "stop_market", "order_state": "untriggered", "order_id": "ETH-SLTS-250756", "max_show": 10,
    "last_update_timestamp": 1556701235, "label": "", "is_liquidation": false, "instrument_name": "ETH-PERPETUAL",
    "direction": "sell", "creation_timestamp": 1556701235, "api": true, "amount": 10}]}"""
)


async def test_deribit_tells_triggers_among_its_orders() -> None:
    sweep, venue = await sweeping(DeribitSweep, "deribit", {"/api/v2/private/get_open_orders": DERIBIT_TRIGGER})
    assert said((await sweep.clear(())).orders) == [
        ("orders", "ETH-PERPETUAL", "ETH-SLTS-250756", "", "conditional", "stop_market")
    ]
    assert venue.done("GET")[-1] == ("/api/v2/private/cancel_all", {})


async def test_what_cannot_be_read_is_not_taken_for_nothing_and_a_failed_cancel_is_told() -> None:
    answers = {"/fapi/v1/openAlgoOrders": {"orders": []}, "/fapi/v1/openOrders": [{"symbol": "X", "orderId": 1}]}
    sweep, _ = await sweeping(UsdmSweep, "binanceusdm", {**answers, "/fapi/v1/allOpenOrders": Unknown("lost")})
    told = await sweep.clear(())
    assert {part.part for part in told.untold} == {"algo orders", "twap"}
    assert told.failed == ("orders: Unknown: lost",)
