"""Views of risk say the same at any position, however the log was cut when it was folded, and wherever it broke off."""

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.log import StoredEvent
from projections import folding
from projections.catalogue import VIEWS
from projections.folding import Folding, start
from projections.view import Row
from tests.spec.projections.test_laws import check
from tests.support.risky import risky_log
from tests.support.told import folded, shown_fold

LENGTH = 600
SEEDS = (1, 2, 3, 4)
RISK = [*sorted(name for name, view in VIEWS.items() if view.shared is not None), "mode", "limit_history"]


@cache
def drawn(seed: int) -> Sequence[StoredEvent]:
    return risky_log(LENGTH, seed)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    seed=st.sampled_from(SEEDS),
    name=st.sampled_from(RISK),
    cuts=st.lists(st.integers(1, LENGTH), max_size=6),
    every=st.integers(1, 400),
    asked=st.lists(st.integers(0, LENGTH), min_size=1, max_size=3),
    limit=st.integers(1, 60),
)
def test_a_view_of_risk_at_any_position_is_the_fold_of_the_log_up_to_there(
    seed: int, name: str, cuts: list[int], every: int, asked: list[int], limit: int
):
    with mock.patch.object(folding, "SNAPSHOT_EVENTS", every):
        asyncio.run(check(VIEWS[name], drawn(seed), cuts, asked, limit))


@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(seed=st.sampled_from(SEEDS), cuts=st.lists(st.integers(1, LENGTH), max_size=8))
def test_views_that_share_a_book_come_to_what_each_comes_to_alone(seed: int, cuts: list[int]):
    log = drawn(seed)
    folds = [start(VIEWS[name]) for name in RISK]
    together, begin = Folding(folds), 0
    written: dict[str, dict[str, Row[Any]]] = {name: {} for name in RISK}
    for end in sorted({*cuts, LENGTH}):
        together.fold(log[begin:end], end)
        for change in together.take():
            written[change.view.name] |= {row.key: row for row in change.rows}
        begin = end
    for fold in folds:
        fold.changed = written[fold.view.name]
        assert shown_fold(fold) == shown_fold(folded(fold.view, log))
