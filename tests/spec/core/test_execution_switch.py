"""The worker's side of a dead-man's switch, in virtual time: armed, given more time, told when it is not, disarmed."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from api.execution.switch import GRACE_S, RENEW_S, Switch
from api.execution.worker import GUARD_S, Execution
from api.replica import Recorded, Replica
from commands.ports import Fenced
from domain.order import OrderAttempted, OrderRejected, OrderSubmissionRequested, TimeInForce
from domain.venue import Rejected, Unavailable, VenueFailure
from tests.simulation.loop import SimLoop
from tests.support.desk import Desk
from tests.support.given import START_US
from tests.support.model_venue import ModelVenue

VENUE = "binanceusdm"
SWITCH_S = 30


class Account:
    """A venue account whose switch is armed, unless `fails` says how it is not."""

    name, account = VENUE, "main"

    def __init__(self, switch_s: int | None = SWITCH_S) -> None:
        self.switch_s = switch_s
        self.fails: VenueFailure | None = None
        self.armed_s: list[float] = []
        self.disarmed = 0

    async def arm(self) -> None:
        await asyncio.sleep(0.05)
        if self.fails is not None:
            raise self.fails
        self.armed_s.append(round(asyncio.get_running_loop().time()))

    async def disarm(self) -> None:
        self.disarmed += 1


class Stand:
    """A desk whose worker keeps a switch; what it tells enters the book at once."""

    def __init__(self, loop: SimLoop, account: Account) -> None:
        self.loop = loop
        self.desk = Desk()
        self.lost = False
        self.told: list[str] = []
        self.account = account
        self.switch = Switch(account, Replica(self.desk.book, 1), self, self, self)

    def now_us(self) -> int:
        return START_US + self.loop.now_us

    def check(self) -> None:
        if self.lost:
            raise Fenced("lost")

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        del source, natural_key
        self.told.append(kind)
        self.desk.do(kind, msgspec.Raw(body))
        return None

    async def keep(self, seconds: float) -> None:
        """Run the switch for a while, then end it in order."""
        async with asyncio.timeout(seconds):
            await self.switch.run()


def stand(account: Account, body: Callable[[Stand], Awaitable[None]]) -> None:
    loop = SimLoop()
    try:
        loop.run_until_complete(body(Stand(loop, account)))
    finally:
        loop.close()


def open_order(desk: Desk) -> None:
    """Let an order be open at the venue, as far as anybody knows."""
    desk.accept(desk.quote("1.5"), nonce=1)
    assert any(order.attempt for order in desk.book.orders.values())


def test_it_is_armed_at_once_and_again_well_before_its_time_is_over() -> None:
    account = Account()

    async def body(made: Stand) -> None:
        with pytest.raises(TimeoutError):
            await made.keep(3 * RENEW_S + 1)
        assert made.told == []

    stand(account, body)
    assert account.armed_s == [0, 10, 20, 30]
    assert RENEW_S + GRACE_S < SWITCH_S


def test_a_venue_without_a_switch_is_left_alone_and_orders_may_rest() -> None:
    account = Account(switch_s=None)

    async def body(made: Stand) -> None:
        assert made.switch.holds
        with pytest.raises(TimeoutError):
            await made.keep(60)

    stand(account, body)
    assert (account.armed_s, account.disarmed) == ([], 0)


def test_a_refusal_is_told_at_once_and_that_it_is_armed_again_too() -> None:
    account = Account()
    account.fails = Rejected("not_authorised", "no permission")

    async def body(made: Stand) -> None:
        running = asyncio.create_task(made.switch.run())
        await asyncio.sleep(1)
        assert made.told == ["dependency.degraded"]
        assert made.desk.book.dependencies == {f"{VENUE}.switch": "Rejected: not_authorised: no permission"}
        assert not made.switch.holds
        account.fails = None
        await asyncio.sleep(5)
        assert made.told == ["dependency.degraded", "dependency.restored"]
        assert made.desk.book.dependencies == {}
        assert made.switch.holds
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    stand(account, body)


def test_a_renewal_that_fails_is_told_while_there_is_time_on_it_and_is_believed_no_longer_than_that() -> None:
    account = Account()

    async def body(made: Stand) -> None:
        running = asyncio.create_task(made.switch.run())
        await asyncio.sleep(1)
        account.fails = Unavailable("no connection")
        await asyncio.sleep(RENEW_S + GRACE_S - 2)
        assert made.told == []
        await asyncio.sleep(4)
        assert made.told == ["dependency.degraded"]
        assert made.switch.holds
        await asyncio.sleep(SWITCH_S - RENEW_S - GRACE_S - 2)
        assert not made.switch.holds
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    stand(account, body)


@pytest.mark.parametrize(("is_open", "lost", "disarmed"), [(False, False, 1), (True, False, 0), (False, True, 0)])
def test_it_is_disarmed_at_an_end_with_nothing_open_by_who_still_has_the_account(
    *, is_open: bool, lost: bool, disarmed: int
) -> None:
    account = Account()

    async def body(made: Stand) -> None:
        if is_open:
            open_order(made.desk)
        running = asyncio.create_task(made.switch.run())
        await asyncio.sleep(1)
        made.lost = lost
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    stand(account, body)
    assert account.disarmed == disarmed


@pytest.mark.parametrize(
    ("lifetime", "holds", "sent"),
    [
        (TimeInForce.POST_ONLY, False, 0),
        (TimeInForce.GTC, False, 0),
        (TimeInForce.IOC, False, 1),
        (TimeInForce.POST_ONLY, True, 1),
    ],
)
def test_what_may_rest_is_sent_only_while_the_switch_holds(*, lifetime: TimeInForce, holds: bool, sent: int) -> None:
    account, venue = Account(), ModelVenue(VENUE)
    account.fails = None if holds else Unavailable("no connection")

    async def body(made: Stand) -> None:
        worker = Execution(Replica(made.desk.book, 1), None, venue, made, made, made, made.switch)
        running = [asyncio.create_task(made.switch.run()), asyncio.create_task(worker.run())]
        await asyncio.sleep(0.2)
        made.desk.now_us = made.now_us()
        known = len(made.desk.events)
        made.desk.accept(made.desk.quote("1.5"), nonce=1)
        for event in made.desk.events[known:]:
            told = event
            if isinstance(event, OrderSubmissionRequested):
                told = msgspec.structs.replace(
                    event, order=msgspec.structs.replace(event.order, time_in_force=lifetime)
                )
            assert not isinstance(told, OrderAttempted) or told.attempt == 1
            worker.see(Recorded(told, 0, made.now_us()))
        await asyncio.sleep(GUARD_S + 1)
        assert len(venue.sent) == sent
        codes = [event.code for event in made.desk.events if isinstance(event, OrderRejected)]
        assert (codes == ["unavailable"]) is (sent == 0)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    stand(account, body)
