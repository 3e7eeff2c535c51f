"""A venue is brought to silence whatever it answers, and called silent only when it is."""

import asyncio

import msgspec
import pytest

from api.killing.report import VenueEnd
from api.killing.venues import EMPTY_SWEEPS
from domain.sweep import Untold
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
    assert venue.calls == ["look", "cancel", "look", "look", "positions"]
    assert end.positions == venue.held
    assert end.silent_ms is not None


async def test_an_order_that_comes_after_an_empty_sweep_is_found_and_silence_is_counted_anew() -> None:
    venue = MemoryVenue()
    sweeps = 0

    def late(call: str) -> None:
        nonlocal sweeps
        sweeps += call == "look"
        if call == "look" and sweeps == 2:
            venue.open.append("late")

    venue.on_call = late
    end = await silenced(venue)
    assert (end.silent, end.cancelled, end.sweeps, venue.open) == (True, 1, 4, [])


async def test_empty_sweeps_before_the_senders_are_stopped_do_not_count() -> None:
    venue, stopped = MemoryVenue(), asyncio.Event()
    running = asyncio.create_task(silence(venue).run(stopped, 0))
    await until(lambda: venue.calls.count("look") >= 5)
    assert not running.done()
    venue.open.append("on its way")
    stopped.set()
    end = await running
    assert (end.silent, end.cancelled, venue.open) == (True, 1, [])


@pytest.mark.parametrize("trouble", [LOST, AWAY, Rejected("venue_rule", "later"), RuntimeError("a defect")])
async def test_what_fails_is_asked_again(trouble: Exception) -> None:
    venue = MemoryVenue("1")
    venue.troubles = {"look": [trouble], "cancel": [trouble]}
    end = await silenced(venue)
    assert (end.silent, venue.open) == (True, [])
    assert venue.calls[:5] == ["look", "look", "cancel", "look", "cancel"]


async def test_what_was_seen_is_cancelled_while_its_part_is_not_told() -> None:
    venue = MemoryVenue("1")
    venue.troubles = {"cancel": [LOST]}

    def spoil(call: str) -> None:
        if call == "look":
            looks = venue.calls.count("look")
            venue.untold = Untold(part="orders", why="the answer was lost") if looks == 2 else None

    venue.on_call = spoil
    end = await silenced(venue)
    # Asked what stands, asked to cancel it (lost), not told what stands, asked to cancel it all the same.
    assert venue.calls[:4] == ["look", "cancel", "look", "cancel"]
    assert (end.silent, venue.open, end.untold) == (True, [], ())


async def test_what_waits_for_a_price_is_counted_apart() -> None:
    venue = MemoryVenue("1", "2", stops=("3",))
    end = await silenced(venue)
    assert (end.silent, end.cancelled, end.conditional) == (True, 3, 1)
    assert (venue.open, venue.stops) == ([], [])


async def test_a_part_that_is_refused_hides_no_other_and_is_given_up_soon_but_never_called_silent() -> None:
    venue = MemoryVenue("1", stops=("3",))
    venue.untold = Untold(part="stops", why="Rejected: the key may not", refused=True)
    end = await silenced(venue, within_s=3_600)
    assert (end.silent, end.silent_ms, venue.open, venue.stops) == (False, None, [], ["3"])
    assert end.untold == (venue.untold,)
    assert "NOT KNOWN: stops: Rejected: the key may not" in end.error
    assert end.positions == venue.held


async def test_a_part_that_is_not_answered_is_asked_for_until_the_bound() -> None:
    venue = MemoryVenue("1")
    venue.untold = Untold(part="stops", why="Unknown: no answer")
    end = await silenced(venue, within_s=0.1)
    assert (end.silent, end.silent_ms, venue.open) == (False, None, [])
    assert end.sweeps > EMPTY_SWEEPS
    assert end.untold == (venue.untold,)


async def test_a_refused_part_is_not_given_up_while_another_is_not_answered_or_orders_stand() -> None:
    venue = MemoryVenue("1")
    venue.untold = Untold(part="stops", why="Rejected: the key may not", refused=True)
    venue.troubles = {"cancel": [LOST] * 5}
    end = await silenced(venue)
    assert venue.open == []
    assert venue.calls.count("cancel") > 5
    assert not end.silent


async def test_an_order_that_lands_after_two_empty_sweeps_is_found_by_the_last_one() -> None:
    venue = MemoryVenue()

    def land(call: str) -> None:
        if call == "look" and venue.calls.count("look") == EMPTY_SWEEPS + 1:
            venue.open.append("late")

    venue.on_call = land
    end = await silenced(venue, late_s=1)
    assert (end.silent, end.cancelled, venue.open) == (True, 1, [])
    assert end.sweeps >= 2 * EMPTY_SWEEPS + 1


async def test_silence_is_told_as_of_the_second_empty_sweep_though_a_last_one_follows() -> None:
    venue, journal, stopped = MemoryVenue("1"), Lines(), asyncio.Event()
    stopped.set()
    terms = msgspec.structs.replace(QUICK, late_s=1)
    asked = silence(venue, terms, journal)
    running = asyncio.create_task(asked.run(stopped, asyncio.get_running_loop().time()))
    await until(lambda: any(what == "venue_empty" for what, _ in journal.notes))
    assert not running.done()
    assert asked.progress == "no order stands; one last look follows"
    end = await running
    assert end.silent_ms is not None
    assert end.silent_ms < 1_000
    assert asked.progress is None


async def test_how_it_stands_is_said_while_it_goes_on() -> None:
    venue = MemoryVenue("1", stops=("3",))
    venue.deaf = {"cancel"}
    asked = silence(venue)
    running = asyncio.create_task(asked.run(asyncio.Event(), 0))
    assert asked.progress == "it was not asked yet (0 sweeps)"
    await until(lambda: "cancel" in venue.calls)
    venue.deaf = set()
    venue.troubles = {"cancel": [LOST] * 100_000}
    await until(lambda: venue.calls.count("cancel") >= 3)
    assert asked.progress is not None
    assert "the answer was lost" in asked.progress
    running.cancel()


async def test_a_clock_that_differs_is_told() -> None:
    venue = MemoryVenue()
    venue.ahead_ms = 7_000
    assert (await silenced(venue)).ahead_ms == 7_000


async def test_a_cancel_whose_answer_is_lost_is_looked_at_not_believed() -> None:
    venue = MemoryVenue("1")
    venue.after = {"cancel": [LOST]}
    end = await silenced(venue)
    assert (end.silent, venue.open) == (True, [])


async def test_a_failed_sweep_breaks_the_row_of_empty_ones() -> None:
    venue = MemoryVenue()

    def spoil(_call: str) -> None:
        if len(venue.calls) == 2:
            venue.after["look"] = [LOST]

    venue.on_call = spoil
    end = await silenced(venue)
    assert (end.silent, end.sweeps) == (True, 4)


async def test_an_account_that_cannot_be_opened_is_opened_again() -> None:
    venue = MemoryVenue("1")
    venue.troubles = {"open": [AWAY, RuntimeError("a defect")]}
    end = await silenced(venue)
    assert (end.silent, venue.openings) == (True, 3)


@pytest.mark.parametrize("deaf", ["look", "cancel"])
async def test_a_venue_that_never_answers_is_given_up_within_its_bound_and_said_not_to_be_silent(deaf: str) -> None:
    venue = MemoryVenue("1")
    venue.deaf = {deaf}
    end = await silenced(venue, ask_s=0.01, within_s=0.1)
    assert (end.silent, end.silent_ms, end.positions) == (False, None, None)
    assert "not silent within 0.1 s" in end.error
    assert "stands" in end.error or "no answer" in end.error


async def test_an_order_that_cannot_be_cancelled_is_never_called_silence() -> None:
    venue = MemoryVenue("1")
    venue.troubles = {"cancel": [Rejected("venue_rule", "no cancels now")] * 10_000}
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
    assert "cancel" not in venue.calls


async def test_a_look_says_what_is_wrong_with_an_account() -> None:
    venue = MemoryVenue()
    venue.troubles = {"look": [Rejected("not_authorised", "a bad key")]}
    end = await silence(venue).look()
    assert (end.silent, end.positions) == (False, None)
    assert "a bad key" in end.error


async def test_a_look_that_is_not_told_a_part_is_no_clean_look() -> None:
    venue = MemoryVenue("1", stops=("3",))
    venue.untold = Untold(part="stops", why="Rejected: the key may not", refused=True)
    end = await silence(venue).look()
    assert (end.silent, end.cancelled, end.untold) == (False, 1, (venue.untold,))
    assert end.positions == venue.held
    assert venue.calls == ["look", "positions"]


async def test_every_order_that_was_found_is_written_down() -> None:
    venue, journal, stopped = MemoryVenue("1", "2"), Lines(), asyncio.Event()
    stopped.set()
    await silence(venue, journal=journal).run(stopped, 0)
    found = [told["orders"] for what, told in journal.notes if what == "orders_found"]
    assert found == [["ETH 1", "ETH 2"]]
