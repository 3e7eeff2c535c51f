"""Tending: one partner that is away stops nobody else, and is tried again."""

import asyncio
from collections.abc import Callable

import pytest

from api.market import tending
from api.market.tending import Tended


class Away(Exception):
    """Say that the partner is away."""


async def _told(_text: str) -> None:
    return None


async def test_a_partner_that_is_away_is_told_of_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tending, "PAUSE_S", 0.001)
    told: list[str] = []
    tries = 0
    back = asyncio.Event()

    async def work(opened: Callable[[], None]) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Away("maintenance")
        opened()
        back.set()
        await asyncio.Event().wait()

    async def tell(text: str) -> None:
        told.append(text)

    tended = Tended("a venue", work, (Away,), tell)
    task = asyncio.create_task(tended.run())
    assert not tended.there
    await asyncio.wait_for(back.wait(), 5)
    assert (tended.there, tended.failures, told) == (True, 2, ["Away: maintenance"] * 2)
    task.cancel()


async def test_a_group_of_nothing_but_absences_is_an_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tending, "PAUSE_S", 0.001)
    again = asyncio.Event()
    tries = 0

    async def work(_opened: Callable[[], None]) -> None:
        nonlocal tries
        tries += 1
        if tries > 1:
            again.set()
            await asyncio.Event().wait()
        raise ExceptionGroup("tasks", [Away("one"), Away("two")])

    task = asyncio.create_task(Tended("a venue", work, (Away,), _told).run())
    await asyncio.wait_for(again.wait(), 5)
    task.cancel()


async def test_what_is_not_an_absence_breaks_the_process() -> None:
    async def broken(_opened: Callable[[], None]) -> None:
        raise ExceptionGroup("tasks", [Away("one"), KeyError("ours")])

    with pytest.raises(ExceptionGroup, match="tasks"):
        await Tended("a venue", broken, (Away,), _told).run()


async def test_work_that_ends_by_itself_is_broken() -> None:
    async def done(_opened: Callable[[], None]) -> None:
        return None

    with pytest.raises(RuntimeError, match="a venue ended by itself"):
        await Tended("a venue", done, (Away,), _told).run()
