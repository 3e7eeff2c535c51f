"""What every store of read models and every reader of the log must do, whoever keeps them."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import pytest

from benchmarks.mint_log import START_US
from domain.log import StoredEvent
from projections import folding
from projections.catalogue import VIEWS
from projections.fills import FILLS
from projections.folding import Folding, start
from projections.history import as_of
from projections.orders import ORDERS
from projections.ports import (
    PAGE_ROWS_MAX,
    Change,
    CheckpointMoved,
    LogReader,
    NotThereYet,
    PositionAhead,
    Query,
    SchemaChanged,
    StoredRow,
    ViewStore,
)
from projections.positions import POSITIONS
from projections.query import cursor
from projections.view import Row, View
from tests.support.told import busy_log, folded, shown, shown_fold, whole_history, whole_table

EVENTS = 1_200


class World(Protocol):
    """A log with a reader, and a store over it."""

    @property
    def store(self) -> ViewStore: ...

    @property
    def reader(self) -> LogReader: ...

    async def append(self, events: Sequence[StoredEvent]) -> None: ...

    async def wait_for(self, view: str, position: int, timeout_s: float) -> int: ...


class Shape(msgspec.Struct):
    """A state of another shape."""

    rows: dict[str, Row[dict[str, str]]] = {}


async def follow(world: World, views: Sequence[View], log: Sequence[StoredEvent], run: int = 100) -> Folding:
    """Fold a log into the store, a run at a time."""
    both = Folding([start(view) for view in views])
    for begin in range(0, len(log), run):
        both.follow(log[begin : begin + run])
        await world.store.apply(both.take())
    return both


async def listing(world: World, view: View, **asked: Any) -> list[StoredRow]:
    """Page through what a query asks for."""
    rows: list[StoredRow] = []
    query = Query(**asked)
    while True:
        page = await world.store.page(view, query)
        assert len(page.rows) <= query.limit
        rows += page.rows
        if not page.next:
            return rows
        query = msgspec.structs.replace(query, after=page.next)


class ViewStoreContract:
    """Subclass with a fixture `world`."""

    async def test_an_empty_store_says_so(self, world: World):
        page = await world.store.page(ORDERS, Query())
        assert (list(page.rows), page.next, page.as_of_position, page.as_of_us) == ([], "", 0, None)
        assert await world.store.checkpoints(["orders", "fills"]) == {}
        assert await world.store.snapshot(ORDERS, 10) is None
        page = await as_of(ORDERS, 0, Query(), world.store, world.reader)
        assert (list(page.rows), page.next, page.as_of_position, page.as_of_us) == ([], "", 0, None)

    async def test_the_table_is_the_fold_of_the_log(self, world: World):
        log = busy_log(EVENTS)
        await world.append(log)
        await follow(world, tuple(VIEWS.values()), log)
        for view in VIEWS.values():
            assert await whole_table(view, world.store, limit=17) == shown_fold(folded(view, log)), view.name
        places = await world.store.checkpoints(list(VIEWS))
        assert {name: (place.position, place.schema) for name, place in places.items()} == {
            name: (EVENTS, view.schema) for name, view in VIEWS.items()
        }

    async def test_a_page_names_the_moment_it_was_read_at(self, world: World):
        log = busy_log(EVENTS)
        await world.append(log)
        await follow(world, (FILLS,), log[:1_000])
        page = await world.store.page(FILLS, Query(limit=3))
        assert (page.as_of_position, page.as_of_us) == (1_000, log[999].recorded_at_us)
        assert page.next == cursor(page.rows[-1])

    async def test_queries_narrow_and_turn_the_listing(self, world: World):
        log = busy_log(EVENTS)
        await world.append(log)
        await follow(world, (ORDERS, FILLS), log)
        everything = await listing(world, ORDERS, limit=50)
        assert len(everything) > 40
        assert await listing(world, ORDERS, limit=7, newest_first=True) == everything[::-1]
        assert await listing(world, ORDERS, limit=7, open=True) == [row for row in everything if row.open]
        assert await listing(world, ORDERS, limit=7, open=False) == [row for row in everything if not row.open]
        fills = await listing(world, FILLS, limit=100)
        order_id = str(msgspec.json.decode(fills[5].document)["order_id"])
        wanted = [row for row in fills if msgspec.json.decode(row.document)["order_id"] == order_id]
        assert await listing(world, FILLS, limit=1, field="order_id", equals=order_id) == wanted
        assert await listing(world, FILLS, field="order_id", equals="nobody") == []

    @pytest.mark.parametrize(
        "query",
        [
            Query(limit=0),
            Query(limit=PAGE_ROWS_MAX + 1),
            Query(after="x"),
            Query(after="1"),
            Query(after="-1.x"),
            Query(after="²." + "x"),
            Query(after=f"{1 << 63}.x"),
            Query(field="venue", equals="x"),
            Query(field="document' or true --", equals="x"),
        ],
    )
    async def test_a_bad_query_is_refused(self, world: World, query: Query):
        await world.append(busy_log(10))
        with pytest.raises(ValueError, match=r"page|cursor|asked by"):
            await world.store.page(ORDERS, query)
        with pytest.raises(ValueError, match=r"page|cursor|asked by"):
            await as_of(ORDERS, 5, query, world.store, world.reader)

    async def test_a_change_counts_only_where_the_checkpoint_stands(self, world: World):
        log = busy_log(300)
        await world.append(log)
        both = await follow(world, (ORDERS, FILLS), log[:200])
        before = await whole_table(ORDERS, world.store)
        both.follow(log[200:])
        orders, fills = both.take()
        for wrong in (orders.before - 1, 0, 250):
            with pytest.raises(CheckpointMoved, match="orders is at 200"):
                await world.store.apply([fills, change_from(orders, wrong)])
        assert await whole_table(ORDERS, world.store) == before
        assert (await world.store.checkpoints(["fills"]))["fills"].position == 200
        await world.store.apply([orders, fills])
        assert (await world.store.checkpoints(["fills"]))["fills"].position == 300
        with pytest.raises(CheckpointMoved):
            await world.store.apply([orders, fills])

    async def test_a_table_of_another_version_is_not_written(self, world: World):
        log = busy_log(100)
        await world.append(log)
        await follow(world, (ORDERS,), log)
        other = dataclasses.replace(ORDERS, state=Shape)
        change = Change(view=other, before=100, position=101, rows=())
        with pytest.raises(SchemaChanged, match="orders"):
            await world.store.apply([change])

    async def test_history_is_the_fold_of_what_there_was(self, world: World, monkeypatch):
        monkeypatch.setattr(folding, "SNAPSHOT_EVENTS", 250)
        log = busy_log(EVENTS)
        await world.append(log)
        await follow(world, tuple(VIEWS.values()), log, run=77)
        for view in VIEWS.values():
            for position in (0, 1, 3, 249, 308, 309, 777, 1_000, EVENTS):
                then = await whole_history(view, position, world.store, world.reader, limit=23)
                assert then == shown_fold(folded(view, log[:position])), (view.name, position)
            assert then == await whole_table(view, world.store)

    async def test_history_begins_at_the_last_snapshot(self, world: World, monkeypatch):
        monkeypatch.setattr(folding, "SNAPSHOT_EVENTS", 250)
        log = busy_log(EVENTS)
        await world.append(log)
        await follow(world, (ORDERS,), log, run=100)
        for position, begun in ((299, None), (300, 300), (599, 300), (900, 900), (5_000, 1_200)):
            kept = await world.store.snapshot(ORDERS, position)
            assert (None if kept is None else kept.position) == begun
        other = dataclasses.replace(ORDERS, state=Shape)
        assert await world.store.snapshot(other, 1_000) is None

    async def test_history_answers_queries_like_the_table(self, world: World, monkeypatch):
        monkeypatch.setattr(folding, "SNAPSHOT_EVENTS", 250)
        log = busy_log(EVENTS)
        await world.append(log)
        await follow(world, (ORDERS, FILLS), log, run=50)
        order_id = str(msgspec.json.decode((await listing(world, FILLS))[5].document)["order_id"])
        for view, query in (
            (ORDERS, Query(limit=9, newest_first=True)),
            (ORDERS, Query(limit=9, open=True)),
            (ORDERS, Query(limit=9, open=False)),
            (FILLS, Query(limit=1, field="order_id", equals=order_id)),
        ):
            now = await world.store.page(view, query)
            then = await as_of(view, EVENTS, query, world.store, world.reader)
            assert shown(then.rows) == shown(now.rows)
            assert (then.next, then.as_of_position, then.as_of_us) == (now.next, now.as_of_position, now.as_of_us)

    async def test_history_reaches_beyond_the_table_and_not_beyond_the_log(self, world: World):
        log = busy_log(300)
        await world.append(log)
        await follow(world, (POSITIONS,), log[:100])
        then = await whole_history(POSITIONS, 300, world.store, world.reader)
        assert then == shown_fold(folded(POSITIONS, log))
        with pytest.raises(PositionAhead, match="the log ends at 300"):
            await as_of(POSITIONS, 301, Query(), world.store, world.reader)
        with pytest.raises(ValueError, match="not negative"):
            await as_of(POSITIONS, -1, Query(), world.store, world.reader)

    async def test_an_instant_means_the_last_event_recorded_by_then(self, world: World):
        assert await world.reader.head() == 0
        assert await world.reader.position_at(START_US) == 0
        log = busy_log(300)
        await world.append(log)
        assert await world.reader.head() == 300
        assert await world.reader.position_at(log[0].recorded_at_us - 1) == 0
        for event in (log[150], log[299]):
            last = max(each.position for each in log if each.recorded_at_us == event.recorded_at_us)
            assert await world.reader.position_at(event.recorded_at_us) == last
        assert await world.reader.position_at(log[299].recorded_at_us + 10**9) == 300
        assert await world.reader.recorded_at_us(300) == log[299].recorded_at_us
        assert await world.reader.recorded_at_us(301) is None

    async def test_pages_of_the_log_leave_out_what_is_not_needed_and_nothing_else(self, world: World):
        log = busy_log(300)
        await world.append(log)
        page = await world.reader.page(100, 50, frozenset({"quote.issued.v1", "quote.used.v1"}))
        assert (page.position, page.last) == (150, False)
        assert [(event.position, event.topic, event.state, event.metadata) for event in page.events] == [
            (event.position, event.topic, event.state, event.metadata)
            for event in log[100:150]
            if event.topic not in {"quote.issued.v1", "quote.used.v1"}
        ]
        page = await world.reader.page(100, 50, frozenset(), 120)
        assert (page.position, page.last, len(page.events)) == (120, False, 20)
        page = await world.reader.page(290, 50, frozenset())
        assert (page.position, page.last, len(page.events)) == (300, True, 10)
        page = await world.reader.page(300, 50, frozenset())
        assert (page.position, page.last, len(page.events)) == (300, True, 0)

    async def test_a_waiter_is_told_when_the_view_gets_there(self, world: World):
        log = busy_log(300)
        await world.append(log)
        with pytest.raises(NotThereYet, match="fills is at 0, not at 1") as caught:
            await world.wait_for("fills", 1, 0.05)
        assert (caught.value.view, caught.value.wanted, caught.value.position) == ("fills", 1, 0)
        await follow(world, (FILLS,), log)
        assert await world.wait_for("fills", 300, 5) == 300
        with pytest.raises(NotThereYet, match="fills is at 300, not at 301"):
            await world.wait_for("fills", 301, 0.05)


def change_from(change: Change, before: int) -> Change:
    """Return the change as if it began elsewhere."""
    return msgspec.structs.replace(change, before=before)
