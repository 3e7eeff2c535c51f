"""The laws of history and restart, over drawn logs, cuts and snapshots."""

import asyncio
from collections.abc import Sequence
from functools import cache
from unittest import mock

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.projecting import restore
from domain.event import Event
from domain.hedge import HedgeAbandoned, HedgeRerouted, Purpose
from domain.internalisation import FlowInternalised
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
from tests.spec.core.test_costs import a_cost
from tests.spec.projections.test_hedge_views import DAY_S, paid
from tests.spec.projections.test_quote_views import quote
from tests.spec.projections.test_views import accepted, fill, order, planned, raised, uid
from tests.support import routed
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
        msgspec.structs.replace(planned(purpose=Purpose.UNWIND), hedge_id=uid(51)),
    ]
    quotes = [quote(60), quote(61, 5), QuoteUsed(quote_id=uid(61), request_id=uid(20)), quote(62, 100), quote(63, 101)]
    funded = [paid("1"), paid("-2", 86_400), paid("3", 700_000), paid("4", 86_400, "BNB")]
    netted = [
        FlowInternalised(hedge_id=uid(number), request_id=uid(20), underlying="ETH", quantity=Num(1), saved_usd=Num(1))
        for number in (80, 81)
    ]
    hedged = [a_cost(90), a_cost(91), routed.filled(7, "bybit", "1", "3000", None)]
    return [
        *(dependency, modes, [put, removed, put], alert, [raised(2)], bad_order, rejected, reverted, quotes),
        *(torn(), funded, netted, hedged),
    ]


def torn() -> list[Event]:
    """Return the life of a hedge that is rerouted and given up."""
    hedge = {"hedge_id": uid(70)}
    told = [
        routed.planned(routed.leg("bybit", "-1"), routed.leg("deribit", "-1"), hedge=uid(70)),
        routed.ordered(71, "bybit", "-1", uid(70)),
        routed.ordered(72, "deribit", "-3000", uid(70)),
        routed.filled(71, "bybit", "-0.25", "3000", 71),
        routed.closed(71, "0.25", Ending.EXPIRED),
        routed.rerouted(routed.leg("binanceusdm", "-0.75"), quantity="-0.75"),
        routed.filled(72, "deribit", "-3000", "3000", 72),
        routed.closed(72, "3000"),
        routed.abandoned("-1.25", "-0.75"),
        routed.filled(73, "bybit", "-0.25", "3000", 71),
    ]
    whose = (OrderClosed, HedgeRerouted, HedgeAbandoned)
    return [msgspec.structs.replace(each, **hedge) if isinstance(each, whose) else each for each in told]


LIVES = lives()
TURNS = [number for number, life in enumerate(LIVES) for _ in life]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    turns=st.permutations(TURNS),
    name=st.sampled_from(sorted(name for name, view in VIEWS.items() if view.shared is None)),
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


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(
    told=st.lists(st.tuples(st.sampled_from((0, 1, 8)), st.sampled_from((-2, 0, 1, 8, 9))), min_size=4, max_size=9),
    cuts=st.lists(st.integers(1, 4), max_size=3),
    every=st.integers(1, 3),
)
@example(told=[(0, 0), (8, 0), (0, 8), (0, 7)], cuts=[2], every=1)
@example(told=[(0, 0), (7, 0), (0, 7), (0, 7)], cuts=[2], every=1)
def test_days_that_have_passed_stay_as_they_were(told: list[tuple[int, int]], cuts: list[int], every: int):
    """Each payment is told some days after the one before, and was made some days before it was told."""
    days, now = list[tuple[Event, int]](), 0
    for number, (passed, ago) in enumerate(told):
        now += passed
        days.append((paid(str(number + 1), (now - ago) * DAY_S), now * DAY_S))
    log = logged(*days)
    with mock.patch.object(folding, "SNAPSHOT_EVENTS", every):
        asyncio.run(check(VIEWS["costs"], log, cuts, list(range(len(log) + 1)), 5))
