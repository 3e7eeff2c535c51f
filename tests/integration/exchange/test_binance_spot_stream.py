"""Binance spot's own stream: a subscription that is refused, a stream that the venue ends on an open socket."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.exchange.account import VenueAccount
from adapters.simulators.binance.spot import BinanceSpot
from adapters.simulators.refusals import Refusal, Refused
from domain.venue import Connected, Disconnected, FillReport, OrderReport
from tests.contract.venue_rig import WORSE_ASK, Rig, rigged
from tests.integration.exchange.test_binance_spot_account import SPOT
from tests.support.exchange import listening


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(SPOT, tmp_path) as made:
        yield made


@pytest.fixture
async def venue(rig: Rig) -> AsyncIterator[VenueAccount]:
    async with rig.account() as made:
        yield made


async def test_a_stream_that_the_venue_ends_is_taken_up_again(rig: Rig, venue: VenueAccount) -> None:
    simulated = rig.simulated
    assert isinstance(simulated, BinanceSpot)
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        simulated.end_account_stream()
        down = await account.until(Disconnected, lambda event: "ended the stream" in event.reason)
        await account.until(Connected, after=account.heard.index(down))
        await venue.submit(rig.order())
        await account.until(FillReport)


async def test_a_refused_subscription_is_tried_again(
    rig: Rig, venue: VenueAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ccxt raises KeyError('spot') at the first refusal and then waits for an answer that never comes."""
    refused: list[Any] = []

    def refuse(_params: object) -> None:
        refused.append(_params)
        raise Refused(Refusal.BAD_SIGNATURE)

    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        with monkeypatch.context() as patched:
            patched.setattr(rig.simulated, "_check_signed", refuse)
            rig.drop_sockets()
            down = await account.until(Disconnected)
            while len(refused) < 2:
                await venue.balances()
            assert not venue.is_listening
        await account.until(Connected, after=account.heard.index(down))
        await venue.submit(rig.order())
        await account.until(FillReport)


async def test_a_cancelled_order_is_told_under_its_own_name(rig: Rig, venue: VenueAccount) -> None:
    approved = rig.order(limit_price=WORSE_ASK, time_in_force="gtc")
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        await venue.submit(approved)
        await venue.cancel(rig.symbol, approved.value.client_order_id)
        told = await account.until(OrderReport, lambda report: report.status == "canceled")
        assert told.client_order_id == approved.value.client_order_id
