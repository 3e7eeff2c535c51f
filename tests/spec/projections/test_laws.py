"""The laws of history and restart, over drawn logs, cuts and snapshots."""

import asyncio
from collections.abc import Sequence
from functools import cache
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from api.projecting import restore
from domain.event import Event
from domain.hedge import HedgeAbandoned, Purpose
from domain.limit import Control, LimitRemoved, LimitSet
from domain.log import StoredEvent
from domain.mode import Mode, ModeChanged
from domain.order import Ending, OrderAttempted, OrderClosed, OrderOutcomeUnknown, OrderRejected, OrderSide
from domain.quantity import Num
from domain.quote import QuoteUsed
from domain.request import RequestSettlementFailed
from domain.settlement import SettlementReverted
from domain.watch import AlertAcknowledged, AlertResolved, DependencyDegraded, DependencyRestored
from projections import folding
from projections.catalogue import VIEWS
from projections.folding import Folding
from projections.view import View
from tests.spec.projections.test_quote_views import quote
from tests.spec.projections.test_views import accepted, fill, order, planned, raised, uid
from tests.support.memory_views import MemoryLog, MemoryViewStore
from tests.support.told import busy_log, folded, logged, shown_fold, whole_history, whole_table

LENGTH = 900
SEEDS = (1, 2, 3)


@cache
def drawn(seed: int) -> Sequence[StoredEvent]:
    return busy_log(LENGTH, seed)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    seed=st.sampled_from(SEEDS),
    name=st.sampled_from(sorted(VIEWS)),
    cuts=st.lists(st.integers(1, LENGTH), max_size=6),
    every=st.integers(1, 400),
    asked=st.lists(st.integers(0, LENGTH), min_size=1, max_size=4),
    limit=st.integers(1, 60),
)
def test_a_view_stopped_anywhere_and_asked_about_any_moment_is_the_fold_of_the_log(
    seed: int, name: str, cuts: list[int], every: int, asked: list[int], limit: int
):
    with mock.patch.object(folding, "SNAPSHOT_EVENTS", every):
        asyncio.run(check(VIEWS[name], drawn(seed), cuts, asked, limit))


async def check(view: View, log: Sequence[StoredEvent], cuts: list[int], asked: list[int], limit: int) -> None:
    """Fold a log with a crash at every cut; compare table and history with one fold from the start."""
    reader = MemoryLog()
    store = MemoryViewStore(reader)
    for end in sorted({*cuts, len(log)}):
        begin = len(reader.events)
        reader.extend(log[begin:end])
        both = Folding(await restore((view,), store, reader))
        assert both.position == begin
        both.follow(log[begin:end])
        await store.apply(both.take())
    assert await whole_table(view, store, limit) == shown_fold(folded(view, log))
    for position in asked:
        then = await whole_history(view, position, store, reader, limit)
        assert then == shown_fold(folded(view, log[:position]))


def lives() -> Sequence[Sequence[Event]]:
    """Return what happens to a few subjects, the odd endings too, each in its order."""
    dependency = [DependencyDegraded(dependency="x", text="down"), DependencyRestored(dependency="x", text="up")]
    modes = [ModeChanged(scope="g", mode=mode, previous=Mode.ACTIVE, author="ada", reason="") for mode in Mode]
    put = LimitSet(control=Control.NET_DELTA, scope="asset:ETH", value=Num(3), unit="base", author="ada", reason="")
    removed = LimitRemoved(control=Control.NET_DELTA, scope="asset:ETH", author="ada", reason="")
    alert = [
        raised(1),
        AlertAcknowledged(alert_id=uid(1), author="ada", text="seen"),
        AlertResolved(alert_id=uid(1), text="over"),
        AlertAcknowledged(alert_id=uid(1), author="ada", text="too late"),
    ]
    bad_order = [
        order(1),
        OrderAttempted(order_id=uid(1), attempt=1, client_order_id="bl1", send_before_us=0),
        OrderOutcomeUnknown(order_id=uid(1), attempt=1, text="timed out"),
        fill(1, OrderSide.SELL, "1", "3000", 1),
        OrderClosed(order_id=uid(1), hedge_id=uid(50), ending=Ending.EXPIRED, filled=Num(1)),
        fill(2, OrderSide.SELL, "1", "3001", 1),
    ]
    rejected = [
        order(2),
        OrderRejected(order_id=uid(2), attempt=1, code="1", text="no"),
        OrderClosed(order_id=uid(2), hedge_id=uid(50), ending=Ending.REJECTED, filled=Num(0)),
    ]
    reverted = [
        accepted(),
        planned(),
        HedgeAbandoned(hedge_id=uid(50), request_id=uid(20), filled=Num(0), residual=Num(-2), text="no depth"),
        SettlementReverted(settlement_id=uid(30), request_id=uid(20), text="reverted"),
        RequestSettlementFailed(request_id=uid(20), settlement_id=uid(30), pair="WETH/USDe", text="failed"),
        planned(purpose=Purpose.UNWIND),
    ]
    quotes = [quote(60), quote(61, 5), QuoteUsed(quote_id=uid(61), request_id=uid(20)), quote(62, 100), quote(63, 101)]
    return [dependency, modes, [put, removed, put], alert, [raised(2)], bad_order, rejected, reverted, quotes]


LIVES = lives()
TURNS = [number for number, life in enumerate(LIVES) for _ in life]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    turns=st.permutations(TURNS),
    name=st.sampled_from(sorted(set(VIEWS) - {"exposure"})),
    cuts=st.lists(st.integers(1, len(TURNS)), max_size=5),
    every=st.integers(1, 20),
    asked=st.lists(st.integers(0, len(TURNS)), min_size=1, max_size=4),
    limit=st.integers(1, 5),
)
def test_lives_that_go_wrong_are_told_alike_by_table_history_and_restart(
    turns: list[int], name: str, cuts: list[int], every: int, asked: list[int], limit: int
):
    left = [iter(life) for life in LIVES]
    log = logged(*((next(left[turn]), 4 * second) for second, turn in enumerate(turns)))
    with mock.patch.object(folding, "SNAPSHOT_EVENTS", every):
        asyncio.run(check(VIEWS[name], log, cuts, asked, limit))
