"""A venue is brought to silence whatever it answers, and called silent only when it is."""

import asyncio

import msgspec
import pytest

from api.killing.report import VenueEnd
from domain.venue import Rejected, Unavailable, Unknown
from tests.spec.kill.fakes import QUICK, Lines, MemoryVenue, silence, until

LOST = Unknown("the answer was lost")
AWAY = Unavailable("no connection")


async def silenced(venue: MemoryVenue, **changes: float) -> VenueEnd:
    stopped = asyncio.Event()
    stopped.set()
    terms = msgspec.structs.replace(QUICK, **changes)
    return await silence(venue, terms).run(stopped, asyncio.get_running_loop().time())


async def test_what_stands_is_cancelled_and_two_sweeps_find_none() -> None:
    venue = MemoryVenue("1", "2")
    end = await silenced(venue)
    assert (end.silent, end.cancelled, end.sweeps, venue.open) == (True, 2, 3, [])
    assert venue.calls == ["open_orders", "cancel_all", "open_orders", "open_orders", "positions"]
    assert end.positions == venue.held
    assert end.silent_ms is not None


async def test_an_order_that_comes_after_an_empty_sweep_is_found_and_silence_is_counted_anew() -> None:
    venue = MemoryVenue()
    sweeps = 0

    def late(call: str) -> None:
        nonlocal sweeps
        sweeps += call == "open_orders"
        if call == "open_orders" and sweeps == 2:
            venue.open.append("late")

    venue.on_call = late
    end = await silenced(venue)
    assert (end.silent, end.cancelled, end.sweeps, venue.open) == (True, 1, 4, [])


async def test_empty_sweeps_before_the_senders_are_stopped_do_not_count() -> None:
    venue, stopped = MemoryVenue(), asyncio.Event()
    running = asyncio.create_task(silence(venue).run(stopped, 0))
    await until(lambda: venue.calls.count("open_orders") >= 5)
    assert not running.done()
    venue.open.append("on its way")
    stopped.set()
    end = await running
    assert (end.silent, end.cancelled, venue.open) == (True, 1, [])


@pytest.mark.parametrize("trouble", [LOST, AWAY, Rejected("venue_rule", "later"), RuntimeError("a defect")])
async def test_a_failed_question_is_asked_again_and_what_was_seen_is_cancelled_meanwhile(trouble: Exception) -> None:
    venue = MemoryVenue("1")
    venue.troubles = {"cancel_all": [trouble]}

    def spoil(call: str) -> None:
        if call == "cancel_all" and len(venue.calls) == 2:
            venue.troubles["open_orders"] = [trouble]

    venue.on_call = spoil
    end = await silenced(venue)
    assert end.silent
    # Asked what stands, asked to cancel it (refused), not told what stands, asked to cancel it all the same.
    assert venue.calls[:4] == ["open_orders", "cancel_all", "open_orders", "cancel_all"]
    assert venue.open == []


async def test_a_cancel_whose_answer_is_lost_is_looked_at_not_believed() -> None:
    venue = MemoryVenue("1")
    venue.after = {"cancel_all": [LOST]}
    end = await silenced(venue)
    assert (end.silent, venue.open) == (True, [])


async def test_a_failed_sweep_breaks_the_row_of_empty_ones() -> None:
    venue = MemoryVenue()

    def spoil(_call: str) -> None:
        if len(venue.calls) == 2:
            venue.after["open_orders"] = [LOST]

    venue.on_call = spoil
    end = await silenced(venue)
    assert (end.silent, end.sweeps) == (True, 4)


async def test_an_account_that_cannot_be_opened_is_opened_again() -> None:
    venue = MemoryVenue("1")
    venue.troubles = {"open": [AWAY, RuntimeError("a defect")]}
    end = await silenced(venue)
    assert (end.silent, venue.openings) == (True, 3)


@pytest.mark.parametrize("deaf", ["open_orders", "cancel_all"])
async def test_a_venue_that_never_answers_is_given_up_within_its_bound_and_said_not_to_be_silent(deaf: str) -> None:
    venue = MemoryVenue("1")
    venue.deaf = {deaf}
    end = await silenced(venue, ask_s=0.01, within_s=0.1)
    assert (end.silent, end.silent_ms, end.positions) == (False, None, None)
    assert "not silent within 0.1 s" in end.error
    assert "stands" in end.error or "no answer" in end.error


async def test_an_order_that_cannot_be_cancelled_is_never_called_silence() -> None:
    venue = MemoryVenue("1")
    venue.troubles = {"cancel_all": [Rejected("venue_rule", "no cancels now")] * 10_000}
    end = await silenced(venue, within_s=0.1)
    assert not end.silent
    assert end.sweeps > 2
    assert venue.open == ["1"]


async def test_positions_that_are_not_told_leave_a_silent_venue_silent_and_are_not_taken_for_none() -> None:
    venue = MemoryVenue("1")
    venue.troubles = {"positions": [LOST]}
    end = await silenced(venue)
    assert (end.silent, end.positions) == (True, None)


async def test_a_look_changes_nothing() -> None:
    venue = MemoryVenue("1")
    end = await silence(venue).look()
    assert (end.silent, end.cancelled, venue.open) == (True, 1, ["1"])
    assert "cancel_all" not in venue.calls


async def test_a_look_says_what_is_wrong_with_an_account() -> None:
    venue = MemoryVenue()
    venue.troubles = {"open_orders": [Rejected("not_authorised", "a bad key")]}
    end = await silence(venue).look()
    assert (end.silent, end.positions) == (False, None)
    assert "a bad key" in end.error


async def test_every_order_that_was_found_is_written_down() -> None:
    venue, journal, stopped = MemoryVenue("1", "2"), Lines(), asyncio.Event()
    stopped.set()
    await silence(venue, journal=journal).run(stopped, 0)
    found = [told["orders"] for what, told in journal.notes if what == "orders_found"]
    assert found == [["ETH 1", "ETH 2"]]
