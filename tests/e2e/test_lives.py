"""A demonstration that is killed whole goes on where it was; one on recorded data ends by itself."""

import os
import re
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.demo import GONE_WITHIN_S, Demo, wait_for
from tests.support.supervised import is_alive
from tests.support.trader import Log
from tests.support.trading import until_trading

SHORT_S = 8


@contextmanager
def _running(data_dir: Path, *, seconds: float | None = None, replay: Path | None = None) -> Generator[Demo]:
    demo = Demo(data_dir, seconds=seconds, replay=replay)
    try:
        demo.until_ready()
        yield demo
    finally:
        demo.end()


def test_a_killed_parent_leaves_no_orphan_and_its_data_goes_on(tmp_path: Path) -> None:
    with _running(tmp_path / "data") as demo:
        until_trading(demo)
        first = demo.card()
        head = Log(first.auditor_dsn).head()
        os.kill(demo.process.pid, signal.SIGKILL)
        demo.process.wait()
        demo.until_nothing_left()
        for pid in first.pids.values():
            wait_for(lambda pid=pid: None if is_alive(pid) else True, GONE_WITHIN_S, f"the end of {pid}")
    with _running(tmp_path / "data", seconds=SHORT_S) as again:
        assert again.card().keys == first.keys
        assert again.wait() == 0, again.told()  # it walks the whole chain, across the restart
        found = re.search(r"log at (\d+)", again.output.read_text().rpartition("Invariants")[2])
        assert found is not None
        assert int(found[1]) > head


def test_a_demonstration_on_recorded_data_ends_by_itself_with_0(tmp_path: Path, shared_data: Path) -> None:
    recording = shared_data / "data" / "binance" / "usdm_ethusdt_20240808.gz"
    if not recording.is_file():
        pytest.skip(f"no recorded market at {recording}: set BALLAST_SHARED")
    with _running(tmp_path / "data", seconds=SHORT_S, replay=recording) as demo:
        started = time.monotonic()
        assert demo.wait() == 0, demo.told()
        assert time.monotonic() - started >= SHORT_S - 1
        assert "accepted" in demo.told()
