"""The benchmark runs, and its last line is the object that programs read."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from benchmarks.report import Group, at_least, at_most, machine, percentile, report, within


async def test_the_quick_run_ends_with_one_json_object() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.event_store", "--quick", "--json"),
        cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.PIPE,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0
    said = json.loads(output.splitlines()[-1])
    assert said.keys() == {"figures", "peers", "machine"}
    names = [figure["name"] for figure in said["figures"]]
    assert names[:4] == [
        "append_ratio_to_stock_64",
        "append_ratio_to_stock_512",
        "append_p99_ms_64",
        "rebuild_events_per_s",
    ]
    assert "append_flatness" in names
    assert all(figure.keys() == {"name", "value", "unit", "goal", "met"} for figure in said["figures"])
    assert all(figure["value"] > 0 for figure in said["figures"])
    assert {"cores", "fsync_us"} <= said["machine"].keys()
    assert said["peers"]


def test_figures_are_judged_by_their_goals() -> None:
    assert [at_least("f", value, "u", 22).met for value in (21.9, 22, 23)] == [False, True, True]
    assert [at_most("f", value, "u", 6).met for value in (5, 6, 6.1)] == [True, True, False]
    assert [within("f", value, "u", 0.85, 1.15).met for value in (0.8, 0.85, 1.15, 1.2)] == [False, True, True, False]
    assert within("f", 1.23456789, "u", 0, 2).value == 1.235


def test_percentiles_are_of_the_values_there() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1.0)) == (51, 100, 100)
    assert percentile([7.0], 0.99) == 7


def test_a_report_without_json_prints_the_table_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    group = Group("Title", ("n",), (), (at_least("figure_name", 3, "ratio", 2),), {"peer": 1.0})
    report([group], machine(tmp_path), as_json=False)
    printed = capsys.readouterr().out
    assert "figure_name" in printed
    assert "{" not in printed
