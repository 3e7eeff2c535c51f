"""Our own order rate, in virtual time: a burst, then so many a second, cancels first, and nobody waits in vain."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.exchange.budget import WAITING_MAX, OrderBudget
from adapters.exchange.settings import OrderRate
from adapters.exchange.venues import DIALECTS
from api.settings import SettingsError, read_settings
from api.wiring.venues import check_venues
from domain.venue import RateSpent
from tests.simulation.loop import SimLoop

LONG_S = 1_000.0


def simulate(main: Callable[[OrderBudget], Coroutine[Any, Any, None]], per_s: float = 2, burst: int = 3) -> None:
    loop = SimLoop()
    loop.run_until_complete(main(OrderBudget(OrderRate(per_s=per_s, burst=burst))))
    loop.close()


class Turns:
    """Remember who had a turn, and when."""

    def __init__(self) -> None:
        self.had: list[tuple[str, float]] = []

    async def take(self, name: str, turn: Awaitable[None]) -> None:
        await turn
        self.had.append((name, round(asyncio.get_running_loop().time() * 1_000)))


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    async def main(budget: OrderBudget) -> None:
        began_ms, turns = asyncio.get_running_loop().time() * 1_000, Turns()
        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                tasks.create_task(turns.take(f"{number}", budget.order(LONG_S)))
        assert [name for name, _ in turns.had] == ["0", "1", "2", "3", "4", "5"], "in their order"
        assert [at_ms - began_ms for _, at_ms in turns.had] == [0, 0, 0, 500, 1_000, 1_500]
        assert (budget.sent, budget.waiting, budget.spent) == (6, 0, 0)

    simulate(main)


def test_no_window_of_time_sees_more_than_the_rate_allows() -> None:
    async def main(budget: OrderBudget) -> None:
        turns = Turns()
        async with asyncio.TaskGroup() as tasks:
            for number in range(40):
                tasks.create_task(turns.take(f"{number}", budget.order(LONG_S)))
                await asyncio.sleep(0.03 * (number % 5))
        times = [at_ms for _, at_ms in turns.had]
        for first, start in enumerate(times):
            for last, end in enumerate(times[first:], first):
                assert last - first + 1 <= 3 + 2 * (end - start) / 1_000 + 1e-6

    simulate(main)


def test_cancels_go_first() -> None:
    async def main(budget: OrderBudget) -> None:
        turns = Turns()
        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(turns.take(f"order {number}", budget.order(LONG_S)))
            await asyncio.sleep(0.1)
            for number in range(2):
                tasks.create_task(turns.take(f"cancel {number}", budget.cancel()))
        names = [name for name, _ in turns.had]
        assert names == ["order 0", "order 1", "order 2", "cancel 0", "cancel 1", "order 3", "order 4"]
        assert (budget.sent, budget.cancels) == (5, 2)

    simulate(main)


def test_who_cannot_have_a_turn_in_time_is_told_at_once() -> None:
    async def main(budget: OrderBudget) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await budget.order(0.0)
        began_s = loop.time()
        with pytest.raises(RateSpent):
            await budget.order(0.4)
        assert loop.time() == began_s
        await budget.order(0.6)
        assert (budget.sent, budget.spent) == (4, 1)

    simulate(main)


def test_whom_cancels_have_made_too_late_is_told_when_his_time_has_passed() -> None:
    async def main(budget: OrderBudget) -> None:
        for _ in range(3):
            await budget.order(0.0)
        async with asyncio.TaskGroup() as tasks:
            order = tasks.create_task(asyncio.wait_for(asyncio.shield(_spent(budget, 0.6)), LONG_S))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            tasks.create_task(budget.cancel())
            assert await order
        assert (budget.sent, budget.cancels, budget.spent) == (3, 1, 1)
        await budget.order(LONG_S)

    simulate(main)


async def _spent(budget: OrderBudget, within_s: float) -> bool:
    with pytest.raises(RateSpent):
        await budget.order(within_s)
    return True


def test_who_gives_up_leaves_his_turn_to_the_next() -> None:
    async def main(budget: OrderBudget) -> None:
        for _ in range(3):
            await budget.order(0.0)
        began_s = asyncio.get_running_loop().time()
        first, second = (asyncio.create_task(budget.order(LONG_S)) for _ in range(2))
        await asyncio.sleep(0.2)
        first.cancel()
        await second
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(0.5)
        assert (budget.sent, budget.waiting) == (4, 0)

    simulate(main)


def test_a_turn_that_came_as_its_owner_gave_up_is_not_lost() -> None:
    async def main(budget: OrderBudget) -> None:
        for _ in range(3):
            await budget.order(0.0)
        waiting = asyncio.create_task(budget.order(LONG_S))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.5, waiting.cancel)
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
        assert asyncio.get_running_loop().time() == pytest.approx(0.5)
        await budget.order(0.0)
        assert budget.sent == 4

    simulate(main)


def test_quiet_times_save_up_no_more_than_a_burst() -> None:
    async def main(budget: OrderBudget) -> None:
        for _ in range(3):
            await budget.order(0.0)
        await asyncio.sleep(1_000)
        for _ in range(3):
            await budget.order(0.0)
        with pytest.raises(RateSpent):
            await budget.order(0.0)

    simulate(main)


def test_the_line_is_bounded() -> None:
    async def main(budget: OrderBudget) -> None:
        waiting = [asyncio.create_task(budget.cancel()) for _ in range(WAITING_MAX + 3)]
        await asyncio.sleep(0)
        with pytest.raises(RateSpent):
            await budget.cancel()
        assert budget.waiting == WAITING_MAX
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert budget.waiting == 0

    simulate(main)


DOCUMENTED = {
    "binance": ((10, 50),),
    "binancecoinm": ((60, 1_200),),
    "binanceusdm": ((10, 300), (60, 1_200)),
    "bybit": ((1, 10),),
    "deribit": ((1, 20), (60, 320)),
    "okx": ((2, 60),),
}


@pytest.mark.parametrize("venue", sorted(DIALECTS))
def test_each_venues_rate_stays_below_what_it_documents(venue: str) -> None:
    rate = DIALECTS[venue].order_rate
    for seconds, orders in DOCUMENTED[venue]:
        assert rate.burst + seconds * rate.per_s <= orders


@pytest.mark.parametrize(
    ("per_s", "burst", "sound"), [(0, 0, True), (5, 2, True), (5, 0, False), (0, 2, False), (-1, -1, False)]
)
def test_a_rate_of_the_settings_is_whole_or_left_out(per_s: int, burst: int, sound: bool) -> None:
    settings = read_settings(Path(__file__).parents[3] / "ballast.toml")
    venue = msgspec.structs.replace(settings.venues[0], orders_per_s=per_s, order_burst=burst)
    changed = msgspec.structs.replace(settings, venues=(venue,))
    if sound:
        check_venues(changed)
    else:
        with pytest.raises(SettingsError):
            check_venues(changed)
