"""Venues and an oracle go wrong at once in a demonstration: each is suspended and back, and no quote is wrong."""

from pathlib import Path

import pytest

from tests.support.demo import Demo, slowness

SECONDS = 24
FAULTS = ("dislocate@binanceusdm", "gap@bybit", "html@okx", "bad_signature@pyth")
OVER_WITHIN_S = 150.0


def test_every_fault_ends_in_suspension_and_recovery_and_in_no_bad_quote(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "data", seconds=SECONDS, faults=FAULTS)
    try:
        code = demo.process.wait(OVER_WITHIN_S * slowness())
        told = demo.told()
        assert code == 0, told
        for fault in FAULTS:
            assert fault in told
        assert "no quote rests on bad data" in told
    finally:
        demo.end()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--fault", "gap"], "give --for as well"), (["--fault", "nonsense", "--for", "5"], "no fault is called")],
)
def test_a_fault_that_cannot_be_judged_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    demo = Demo(tmp_path / "data", options=arguments)
    try:
        assert demo.process.wait(OVER_WITHIN_S) == 2
        assert said in demo.told()
    finally:
        demo.end()
