"""What every venue's dead-man's switch does: it cancels what rests when nobody shows a sign of life in time."""

import asyncio
import time
from collections.abc import Callable

import pytest

from adapters.exchange.account import VenueAccount
from domain.venue import VenueFailure
from tests.contract.venue_orders import RiggedContract
from tests.contract.venue_rig import WORSE_ASK, Rig
from tests.support.exchange import SOON_S


async def until(met: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(SOON_S):
        while not met():  # noqa: ASYNC110 - the venue tells nobody who is gone
            await asyncio.sleep(0.02)


async def armed(account: VenueAccount) -> None:
    """Arm the switch, once what it needs is up."""
    async with asyncio.timeout(SOON_S):
        while True:
            try:
                await account.arm()
            except VenueFailure:
                await asyncio.sleep(0.05)
            else:
                return


class SwitchContract(RiggedContract):
    """Try the switch of an account of a running venue."""

    async def test_what_rests_is_cancelled_when_the_switch_is_given_no_more_time(self, rig: Rig) -> None:
        account = rig.account()
        await account.open()
        assert account.switch_s is not None
        await armed(account)
        await account.submit(rig.order(limit_price=WORSE_ASK, time_in_force="gtc"))
        standing = rig.simulated.exchange.open_orders
        assert len(standing(None)) == 1
        await account.close()
        rig.shift_clock((account.switch_s + 1) * 1_000)
        await until(lambda: not standing(None))

    async def test_a_switch_that_is_given_time_again_cancels_nothing(self, rig: Rig) -> None:
        async with rig.account() as account:
            assert account.switch_s is not None
            await armed(account)
            await account.submit(rig.order(limit_price=WORSE_ASK, time_in_force="gtc"))
            before_ms = time.time_ns() // 1_000_000
            rig.shift_clock(900)
            await account.arm()
            assert not list(rig.simulated.countdowns.due(before_ms + account.switch_s * 1_000))
            rig.simulated.publish()
            assert len(rig.simulated.exchange.open_orders(None)) == 1

    async def test_a_switch_that_is_disarmed_cancels_nothing(self, rig: Rig) -> None:
        async with rig.account() as account:
            await armed(account)
            await account.disarm()
            assert not list(rig.simulated.countdowns.due(2**62))

    async def test_a_switch_that_cannot_be_armed_says_so(self, rig: Rig) -> None:
        async with rig.account() as account:
            await armed(account)
            rig.arm("maintenance", for_ms=60_000)
            rig.simulated.publish()
            await until(lambda: not rig.simulated.hub.sockets)
            with pytest.raises(VenueFailure):
                await account.arm()
