"""Orders that wait for a price, as each simulated venue takes, tells, refuses, triggers and ends them."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.exchange.signed import SignedBybit, SignedDeribit, SignedOkx, SignedSpot, SignedUsdm
from adapters.simulators.conditional import FIRST_ID
from domain.venue import VenueFailure
from tests.contract.venue_conditional import Stop, plant, signed
from tests.contract.venue_rig import WORSE_ASK, Bench, Rig, rigged
from tests.contract.venue_sweep import TRIGGER, leave_stops, waiting
from tests.contract.venue_switch import armed, until
from tests.integration.exchange.test_binance_spot_account import SPOT
from tests.integration.exchange.test_binance_usdm_account import USDM
from tests.integration.exchange.test_bybit_account import LINEAR as BYBIT
from tests.integration.exchange.test_deribit_account import INVERSE as DERIBIT
from tests.integration.exchange.test_okx_account import LINEAR as OKX
from tests.integration.exchange.test_sweeps import BENCHES

D = Decimal
# Binance, spot and derivatives: the stop order that would trigger; OKX, Bybit and Deribit: a price on the wrong side.
AT_ONCE = {
    "binanceusdm": "-2021",
    "binancecoinm": "-2021",
    "binance": "-2010",
    "bybit": "110093",
    "okx": "51280",
    "deribit": "11036",
}

# Spot has no such switch, and Deribit's ends what its own connection placed, whatever it is.
COUNTED = tuple(bench for bench in BENCHES if bench.venue not in {"binance", "deribit"})


@pytest.fixture
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(request.param, tmp_path, deposits={"ETH": D(100), "USDC": D(1_000_000)}) as made:
        yield made


every_venue = pytest.mark.parametrize("rig", BENCHES, indirect=True, ids=lambda bench: f"{bench.venue}-{bench.market}")


def at(bench: Bench) -> pytest.MarkDecorator:
    """Try one venue."""
    return pytest.mark.parametrize("rig", [bench], indirect=True, ids=[bench.venue])


def fall(rig: Rig) -> None:
    """Let the market fall to where the stops wait."""
    rig.book([(TRIGGER - 2, 50)], [(TRIGGER - 1, 50)])


@every_venue
async def test_a_stop_waits_and_is_placed_once_the_mark_has_come_to_it(rig: Rig) -> None:
    await leave_stops(rig, 1)
    rig.book([(TRIGGER + 10, 50)], [(TRIGGER + 11, 50)])
    assert (waiting(rig), rig.orders_kept) == ({"stop0"}, 0)
    fall(rig)
    assert (waiting(rig), rig.orders_kept) == (set(), 1)
    (order,) = rig.simulated.exchange.orders.values()
    assert (order.status, order.client_id, order.side) == ("FILLED", "stop0", "SELL")
    fall(rig)
    assert rig.orders_kept == 1


@every_venue
async def test_a_stop_that_would_trigger_at_once_is_refused_in_the_venues_words(rig: Rig) -> None:
    stop = Stop(market=rig.bench.market, quantity=rig.unit, trigger=D(2050), name="gone")
    with pytest.raises(VenueFailure, match=AT_ONCE[rig.bench.venue]):
        await plant(rig.settings(), stop)
    assert (waiting(rig), rig.orders_kept) == (set(), 0)


@every_venue
async def test_a_stop_is_remembered_by_a_venue_that_restarts(rig: Rig, tmp_path: Path) -> None:
    await leave_stops(rig, 2)
    await rig.stop()
    async with rigged(rig.bench, tmp_path, deposits={"ETH": D(100), "USDC": D(1_000_000)}) as again:
        assert waiting(again) == {"stop0", "stop1"}
        fall(again)
        assert waiting(again) == set()


@pytest.mark.parametrize("rig", COUNTED, indirect=True, ids=lambda bench: f"{bench.venue}-{bench.market}")
async def test_a_dead_mans_switch_leaves_what_waits_where_nothing_says_that_it_ends_it(rig: Rig) -> None:
    async with rig.account() as account:
        await armed(account)
        switch_s = account.switch_s
        await account.submit(rig.order(limit_price=WORSE_ASK, time_in_force="gtc"))
        await leave_stops(rig, 1)
    assert switch_s is not None
    rig.shift_clock((switch_s + 1) * 1_000)
    await until(lambda: not rig.simulated.exchange.open_orders(None))
    assert waiting(rig) == {"stop0"}


@at(USDM)
async def test_binance_takes_no_stop_where_plain_orders_are_placed_and_tells_none_among_them(rig: Rig) -> None:
    async with signed(rig.settings(), SignedUsdm) as venue:
        stop = {"symbol": "ETHUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "1", "stopPrice": "1950"}
        with pytest.raises(VenueFailure, match="-4120"):
            await venue.send("POST", "/fapi/v1/order", stop)
        await leave_stops(rig, 1)
        assert await venue.get("/fapi/v1/openOrders") == []
        await venue.delete("/fapi/v1/allOpenOrders", {"symbol": "ETHUSDT"})
        (told,) = await venue.get("/fapi/v1/openAlgoOrders")
        assert (told["orderType"], told["algoStatus"], told["triggerPrice"]) == ("STOP_MARKET", "NEW", "1950")
        assert (await venue.get("/fapi/v1/algoOrder", {"algoId": told["algoId"]}))["clientAlgoId"] == "stop0"
        await venue.delete("/fapi/v1/algoOrder", {"clientAlgoId": "stop0"})
        assert waiting(rig) == set()
        with pytest.raises(VenueFailure, match="-2011"):
            await venue.delete("/fapi/v1/algoOrder", {"clientAlgoId": "stop0"})


@at(SPOT)
async def test_binance_spot_tells_a_stop_among_the_others_not_working_and_cancels_it_by_its_id(rig: Rig) -> None:
    await leave_stops(rig, 1)
    async with signed(rig.settings(), SignedSpot) as venue:
        (told,) = await venue.get("/api/v3/openOrders")
        assert (told["type"], told["isWorking"], told["stopPrice"]) == ("STOP_LOSS", False, "1950")
        await venue.delete("/api/v3/order", {"symbol": "ETHUSDT", "orderId": told["orderId"]})
        assert waiting(rig) == set()


@at(BYBIT)
async def test_bybit_tells_and_cancels_by_filter_and_takes_ten_of_a_contract(rig: Rig) -> None:
    await leave_stops(rig, 10)
    with pytest.raises(VenueFailure, match="110009"):
        await plant(rig.settings(), Stop(market="ETHUSDT", quantity=D(1), trigger=TRIGGER, name="more"))
    linear: dict[str, Any] = {"category": "linear", "settleCoin": "USDT"}
    async with signed(rig.settings(), SignedBybit) as venue:
        for which, number in (("Order", 0), ("StopOrder", 10), ("tpslOrder", 0)):
            asked = {**linear, "orderFilter": which, "limit": 50}
            assert len((await venue.get("/v5/order/realtime", asked))["result"]["list"]) == number
        first = (await venue.get("/v5/order/realtime", {**linear, "limit": 3}))["result"]["list"][0]
        assert (first["orderStatus"], first["stopOrderType"], first["orderLinkId"]) == ("Untriggered", "Stop", "stop9")
        named = {"category": "linear", "symbol": "ETHUSDT", "orderId": first["orderId"]}
        await venue.post("/v5/order/cancel", named)
        await venue.post("/v5/order/cancel-all", {**linear, "orderFilter": "Order"})
        assert len(waiting(rig)) == 9
        await venue.post("/v5/order/cancel-all", linear)
        assert waiting(rig) == set()


@at(OKX)
async def test_okx_tells_one_type_a_request_and_ends_ten_at_a_time_each_for_itself(rig: Rig) -> None:
    await leave_stops(rig, 11)
    path = "/api/v5/trade/orders-algo-pending"
    async with signed(rig.settings(), SignedOkx) as venue:
        assert (await venue.get("/api/v5/trade/orders-pending"))["data"] == []
        for types in ("", "conditional,trigger", "nonsense"):
            with pytest.raises(VenueFailure, match=r"51000|50014"):
                await venue.get(path, {"ordType": types})
        assert (await venue.get(path, {"ordType": "twap"}))["data"] == []
        told = (await venue.get(path, {"ordType": "conditional,oco"}))["data"]
        items = [{"instId": each["instId"], "algoId": each["algoId"]} for each in told]
        with pytest.raises(VenueFailure, match="51000"):
            await venue.post("/api/v5/trade/cancel-algos", items)
        with pytest.raises(VenueFailure, match='"code":"2"'):
            await venue.post("/api/v5/trade/cancel-algos", [items[0], items[0]])
        assert len(waiting(rig)) == 10


@at(DERIBIT)
async def test_deribit_tells_triggers_by_type_and_ends_them_by_id(rig: Rig) -> None:
    answer = await plant(rig.settings(), Stop(market="ETH-PERPETUAL", quantity=D(1_000), trigger=TRIGGER, name="s"))
    order = answer["result"]["order"]
    assert (order["order_state"], order["order_type"], order["label"]) == ("untriggered", "stop_market", "s")
    path = "/api/v2/private/get_open_orders"
    async with signed(rig.settings(), SignedDeribit) as venue:
        for kind, number in (("all", 1), ("trigger_all", 1), ("limit", 0)):
            assert len((await venue.get(path, {"type": kind}))["result"]) == number
        await venue.get("/api/v2/private/cancel", {"order_id": order["order_id"]})
        assert waiting(rig) == set()


@at(DERIBIT)
async def test_deribit_ends_a_trigger_with_the_connection_that_placed_it(rig: Rig) -> None:
    await leave_stops(rig, 1)
    async with rig.account() as account:
        await armed(account)
        (socket,) = [each for each in rig.simulated.hub.sockets if each.session["ends_orders"]]
        socket.session["orders"].add(FIRST_ID)
    await until(lambda: waiting(rig) == set())
