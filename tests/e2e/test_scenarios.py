"""What befalls the venues while benefactors trade ends with delta inside its band and every request accounted for."""

from pathlib import Path

import pytest

from tests.support.demo import Demo, slowness

SECONDS = 24
OVER_WITHIN_S = 150.0
JUDGED = (
    "befell the house",
    "delta ends inside its band",
    "every surprise is re-hedged",
    "an alert tells of every surprise",
    "every unknown order is resolved",
    "no order is sent twice",
)


STOPPED = (
    "it ends halted or reduced",
    "people are told of every stop",
    "nothing is done that a stop forbids",
    "collateral is intact",
    "the log says why",
)


@pytest.mark.parametrize("scenario", ["venue_outage", "adl", "partial_fills", "lost_ack"])
def test_what_befalls_the_venues_is_put_right(tmp_path: Path, scenario: str) -> None:
    demo = Demo(tmp_path / "data", seconds=SECONDS, options=["--scenario", scenario])
    try:
        code = demo.process.wait(OVER_WITHIN_S * slowness())
        told = demo.told()
        assert code == 0, told
        printed = " ".join(demo.output.read_text().replace("│", " ").split())
        assert scenario in printed
        for invariant in JUDGED:
            assert " ".join(invariant.split()[:3]) in printed
    finally:
        demo.end()


@pytest.mark.parametrize("scenario", ["breach", "depeg_10_10", "bybit_outage", "runaway_algo"])
def test_where_controls_must_act_it_ends_halted_or_reduced_with_collateral_intact(
    tmp_path: Path, scenario: str
) -> None:
    demo = Demo(tmp_path / "data", seconds=SECONDS, options=["--scenario", scenario])
    try:
        code = demo.process.wait(OVER_WITHIN_S * slowness())
        assert code == 0, demo.told()
        printed = " ".join(demo.output.read_text().replace("│", " ").split())
        for invariant in STOPPED:
            assert " ".join(invariant.split()[:4]) in printed
    finally:
        demo.end()


@pytest.mark.slow
def test_one_that_is_stopped_before_anything_befell_it_holds_too(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "data", options=["--scenario", "partial_fills"])
    try:
        demo.until_ready()
        assert demo.terminate() == 0, demo.told()
        assert "delta ends inside" in demo.output.read_text()
    finally:
        demo.end()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "flood"], "adl, breach, bybit_outage, depeg_10_10"),
        (["--scenario", "adl", "--for", "5"], "give --for 20 or more"),
    ],
)
def test_a_scenario_that_there_is_not_or_that_has_no_time_is_refused(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    demo = Demo(tmp_path / "data", options=arguments)
    try:
        assert demo.process.wait(OVER_WITHIN_S) == 2
        assert said in demo.told()
    finally:
        demo.end()
