"""What each venue's switch asks for and refuses, and what it leaves alone: the traps between its page and its deed."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.exchange.binance.parse import check_countdown
from adapters.exchange.bybit.dialect import GUARD_TOPIC
from adapters.exchange.fields import Unreadable
from adapters.exchange.venues import DIALECTS
from adapters.simulators.countdowns import ALL
from adapters.simulators.sockets import Socket
from domain.venue import Rejected, Unavailable, Unknown
from tests.contract.venue_rig import WORSE_ASK, Rig, rigged
from tests.contract.venue_switch import armed, until
from tests.integration.exchange.test_binance_usdm_account import USDM
from tests.integration.exchange.test_bybit_account import LINEAR as BYBIT
from tests.integration.exchange.test_deribit_account import INVERSE as DERIBIT
from tests.integration.exchange.test_okx_account import LINEAR as OKX
from tests.support.exchange import ccxt_client

D = Decimal


def standing(rig: Rig) -> list[str]:
    return [order.client_id for order in rig.simulated.exchange.open_orders(None)]


def is_asked(socket: Socket) -> bool:
    """Say whether the venue waits for a socket's sign of life."""
    return bool(socket.session.get("asked")) and not socket.session["heard"]


async def asking(rig: Rig, ccxt_id: str, call: str, asked: dict[str, Any]) -> Any:
    """Ask a venue through ccxt's own raw call."""
    port: Any = rig._port  # pyright: ignore[reportPrivateUsage] - the rig's own

    async with ccxt_client(ccxt_id, port, tuple(DIALECTS[ccxt_id].hosts), password="open-sesame") as client:
        return await getattr(client, call)(asked)


@pytest.mark.parametrize("told", [{"symbol": "BTCUSDT", "countdownTime": "30000"}, {"symbol": "ETHUSDT"}, [], "<html>"])
def test_a_countdown_is_set_only_when_the_venue_says_so(told: object) -> None:
    check_countdown({"symbol": "ETHUSDT", "countdownTime": "30000"}, "ETHUSDT", 30_000)
    with pytest.raises(Unreadable, match="not confirmed"):
        check_countdown(told, "ETHUSDT", 30_000)


async def test_binance_counts_each_symbol_by_itself(tmp_path: Path) -> None:
    async with rigged(USDM, tmp_path) as rig, rig.account() as account:
        exchange = rig.simulated.exchange
        await account.submit(rig.order(limit_price=WORSE_ASK, time_in_force="gtc"))
        rig.simulated.count_down("BTCUSDT", 1_000)
        rig.shift_clock(1_500)
        rig.simulated.publish()
        assert len(exchange.open_orders(None)) == 1
        rig.simulated.count_down("ETHUSDT", 1_000)
        rig.shift_clock(3_000)
        rig.simulated.publish()
        assert exchange.open_orders(None) == []


async def test_a_venue_that_restarts_goes_on_counting(tmp_path: Path) -> None:
    async with rigged(OKX, tmp_path) as rig, rig.account() as account:
        await account.arm()
        await account.submit(rig.order(limit_price=WORSE_ASK, time_in_force="gtc"))
    async with rigged(OKX, tmp_path) as rig:
        assert len(rig.simulated.exchange.open_orders(None)) == 1
        assert ALL in rig.simulated.countdowns
        rig.shift_clock(31_000)
        await until(lambda: not standing(rig))
        assert ALL not in rig.simulated.countdowns


@pytest.mark.parametrize("seconds", ["9", "121", "-1", "x", ""])
async def test_okx_counts_between_ten_seconds_and_two_minutes(tmp_path: Path, seconds: str) -> None:
    async with rigged(OKX, tmp_path) as rig:
        with pytest.raises(Exception, match='"code":"51000"'):
            await asking(rig, "okx", "privatePostTradeCancelAllAfter", {"timeOut": seconds})
        assert ALL not in rig.simulated.countdowns


async def test_okx_takes_a_countdown_once_a_second_and_ours_waits_for_that(tmp_path: Path) -> None:
    async with rigged(OKX, tmp_path) as rig, rig.account() as account:
        await account.arm()
        with pytest.raises(Exception, match="50011"):
            await asking(rig, "okx", "privatePostTradeCancelAllAfter", {"timeOut": "30"})
        await account.arm()


async def test_bybit_protects_only_who_was_set_up_for_it(tmp_path: Path) -> None:
    async with rigged(BYBIT, tmp_path) as rig, rig.account() as account:
        simulated: Any = rig.simulated
        simulated.protection.allowed = False
        for _ in range(100):
            if simulated.hub.listeners("execution"):
                break
            await asyncio.sleep(0.05)
        with pytest.raises(Rejected) as caught:
            await account.arm()
        assert caught.value.reason == "not_authorised"


async def test_bybit_needs_the_stream_to_take_part_and_forgives_a_short_loss(tmp_path: Path) -> None:
    async with rigged(BYBIT, tmp_path) as rig, rig.account() as account:
        await armed(account)
        await account.submit(rig.order(limit_price=WORSE_ASK, time_in_force="gtc"))
        rig.drop_sockets()
        await until(lambda: ALL in rig.simulated.countdowns)
        with pytest.raises((Unavailable, Unknown)):
            await account.arm()
        await armed(account)
        assert rig.simulated.hub.listeners(GUARD_TOPIC)
        assert ALL not in rig.simulated.countdowns
        rig.shift_clock(31_000)
        rig.simulated.publish()
        assert len(standing(rig)) == 1


async def test_deribit_cancels_only_what_was_ordered_on_the_connection_that_ended(tmp_path: Path) -> None:
    """An order over REST is nobody's: this is why ours go over a connection of their own."""
    async with rigged(DERIBIT, tmp_path) as rig:
        asked = {"instrument_name": "ETH-PERPETUAL", "amount": "1000", "type": "limit", "price": "2002"}
        await asking(rig, "deribit", "privateGetSell", {**asked, "label": "by-rest"})
        async with rig.account() as account:
            ours = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
            await account.submit(ours)
            assert standing(rig) == ["by-rest", ours.value.client_order_id]
        await until(lambda: standing(rig) == ["by-rest"])


async def test_deribit_refuses_on_the_connection_and_it_stays(tmp_path: Path) -> None:
    async with rigged(DERIBIT, tmp_path) as rig, rig.account() as account:
        await account.submit(rig.order(limit_price=WORSE_ASK, time_in_force="gtc"))
        with pytest.raises(Rejected) as caught:
            await account.submit(rig.order(limit_price=D(1999), time_in_force="gtx"))
        assert caught.value.reason == "post_only_would_take"
        rig.arm("rate_limited", "create", times=1)
        with pytest.raises(Unknown):
            await account.submit(rig.order(limit_price=WORSE_ASK, time_in_force="gtc"))
        assert len(standing(rig)) == 1


async def test_deribit_that_does_not_answer_on_the_connection_leaves_the_order_unknown(tmp_path: Path) -> None:
    async with rigged(DERIBIT, tmp_path) as rig, rig.account() as account:
        approved = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
        rig.arm("timeout", "create", times=1)
        with pytest.raises(Unknown):
            await account.submit(approved)
        found = await account.order_state(rig.symbol, approved.value.client_order_id)
        assert found is not None
        assert found.status == "new"


async def test_deribit_without_its_connection_is_given_nothing_that_rests(tmp_path: Path) -> None:
    async with rigged(DERIBIT, tmp_path) as rig, rig.account() as account:
        resting = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
        await account.submit(resting)
        rig.arm("maintenance", "websocket", for_ms=60_000)
        rig.simulated.hub.drop_all()
        await until(lambda: not standing(rig))
        with pytest.raises((Unavailable, Unknown)):
            await account.arm()
        with pytest.raises((Unavailable, Unknown)):
            await account.submit(rig.order(limit_price=WORSE_ASK, time_in_force="gtc"))
        assert (await account.submit(rig.order())).status == "filled"
        state = await account.order_state(rig.symbol, resting.value.client_order_id)
        assert state is not None
        assert state.status == "canceled"


async def test_deribit_hangs_up_on_who_answers_no_heartbeat(tmp_path: Path) -> None:
    """Ours answers: a minute of the venue's time, in which it asked again and again, ends nothing."""
    async with rigged(DERIBIT, tmp_path) as rig, rig.account() as account:
        await account.submit(rig.order(limit_price=WORSE_ASK, time_in_force="gtc"))
        for ahead_ms in range(10_000, 60_000, 10_000):
            rig.shift_clock(ahead_ms)
            rig.simulated.publish()
            await until(lambda: not [each for each in rig.simulated.hub.sockets if is_asked(each)])
        assert len(standing(rig)) == 1
