"""A core begins with the settings' policy and limits, also when it was killed on the way to them."""

import asyncio

import msgspec
import pytest

from api.boot import BootRefused, begin
from api.core import Core
from api.settings import LimitSettings, Settings
from commands.handler import Handler
from domain.book import Book
from domain.limit import Control, limit_key
from domain.limits import CONTROLS, default_limits
from domain.quantity import Num
from tests.simulation.faults import Plan
from tests.simulation.world import settings
from tests.support.desk import Desk
from tests.support.still import EmptyLog, Still


async def boot(handler: Handler, wanted: Settings) -> Book:
    still = Still()
    core = Core(handler, EmptyLog(), still, still, still)
    running = asyncio.create_task(core.run())
    await begin(core, wanted)
    core.stop()
    await running
    return handler.book


def in_force(book: Book, wanted: Settings) -> dict[str, str]:
    return {
        key: str(book.limits[key].value)
        for item in wanted.limits
        if (key := limit_key(item.control, item.scope)) in book.limits
    }


async def test_what_the_settings_do_not_name_is_given_the_default_of_the_catalogue() -> None:
    wanted = settings(Plan(seed=1))
    book = await boot(Desk(limits=False, policy=wanted.book_policy()).handler, wanted)
    assert in_force(book, wanted) == {limit_key(item.control, item.scope): str(item.value) for item in wanted.limits}
    missing = {spec.control for spec in CONTROLS.values() if spec.valued and spec.control is not Control.NET_DELTA}
    assert missing <= {limit.control for limit in book.limits.values()}
    told = {limit_key(item.control, item.scope) for item in wanted.limits}
    defaults = {limit_key(control, scope): value for control, scope, value in default_limits()}
    for key in defaults.keys() - told:
        assert book.limits[key].value == defaults[key]
    assert book.limit(Control.NET_DELTA) is None


async def test_a_default_that_people_changed_or_removed_stays_so() -> None:
    wanted = settings(Plan(seed=1))
    desk = Desk(limits=False, policy=wanted.book_policy())
    await boot(desk.handler, wanted)
    desk.set_limit(Control.LEVERAGE, "7")
    desk.remove_limit(Control.OPEN_ORDERS)
    book = await boot(desk.handler, wanted)
    leverage = book.limit(Control.LEVERAGE)
    assert leverage is not None
    assert str(leverage.value) == "7"
    assert book.limit(Control.OPEN_ORDERS) is None


async def test_a_limit_of_the_settings_that_makes_no_sense_is_refused() -> None:
    wanted = settings(Plan(seed=1))
    odd = LimitSettings(control="order_notional", scope="venue:nowhere", value=Num(1))
    wanted = msgspec.structs.replace(wanted, limits=(*wanted.limits, odd))
    handler = Desk(limits=False, policy=wanted.book_policy()).handler
    still = Still()
    core = Core(handler, EmptyLog(), still, still, still)
    running = asyncio.create_task(core.run())
    with pytest.raises(BootRefused, match="SCOPE_INVALID"):
        await begin(core, wanted)
    core.stop()
    await running


@pytest.mark.parametrize("done", [0, 1, 3])
async def test_a_core_killed_half_way_through_its_beginning_goes_on_there(done: int) -> None:
    wanted = settings(Plan(seed=1))
    desk = Desk(limits=False, policy=wanted.book_policy())
    for item in wanted.limits[:done]:
        body = {"control": item.control, "scope": item.scope, "value": str(item.value), "reason": "initial settings"}
        desk.do("limit.set", body, actor="system")
    book = await boot(desk.handler, wanted)
    assert in_force(book, wanted) == {limit_key(item.control, item.scope): str(item.value) for item in wanted.limits}


async def test_a_limit_that_people_tightened_or_removed_stays_so() -> None:
    wanted = settings(Plan(seed=1))
    desk = Desk(limits=False, policy=wanted.book_policy())
    await boot(desk.handler, wanted)
    first, second = wanted.limits[:2]
    tightened = {"control": first.control, "scope": first.scope, "value": "1", "reason": "calm"}
    desk.do("limit.set", tightened, actor="risk")
    desk.remove_limit(second.control, scope=second.scope)
    book = await boot(desk.handler, wanted)
    assert str(book.limits[limit_key(first.control, first.scope)].value) == "1"
    assert limit_key(second.control, second.scope) not in book.limits
