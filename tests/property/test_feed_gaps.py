"""No gap goes unseen: spoilt streams of every dialect, and what is believed against what was true."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.exchange.feeds.binance import Binance
from adapters.exchange.feeds.deribit import Deribit
from adapters.exchange.feeds.dialect import Acts, Dialect, Track
from benchmarks.feeds_streams import SCRIPTS, Run, spoilt

INJECTED = 60


@pytest.mark.parametrize("venue", SCRIPTS)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), rate=st.floats(0.02, 0.6))
def test_what_is_believed_was_true(venue: str, seed: int, rate: float) -> None:
    outcome = spoilt(venue, seed, INJECTED, rate)
    assert outcome.undetected == 0
    assert outcome.losses > 0


@pytest.mark.parametrize("venue", SCRIPTS)
def test_a_whole_stream_loses_nothing(venue: str) -> None:
    run = Run(SCRIPTS[venue](), 5, 0.0)
    for _ in range(500):
        run.step()
    assert (run.outcome.losses, run.outcome.undetected) == (0, 0)
    assert run.outcome.compared > 480
    assert run.dialect.resnapshots == 1


@pytest.mark.parametrize(("venue", "kind"), [("binanceusdm", Binance), ("binance", Binance), ("deribit", Deribit)])
def test_the_comparison_sees_a_dialect_that_does_not_look(
    venue: str, kind: type[Dialect], monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(self: Dialect, track: Track, _told: object) -> Acts:
        return track.changed

    monkeypatch.setattr(kind, "_gap", deaf)
    assert spoilt(venue, 3, 200, 0.1).undetected > 10
