"""Whatever is killed comes back, and the demonstration still ends with every invariant held."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.demo import GONE_WITHIN_S, ROOT, Demo, slowness, wait_for
from tests.support.supervised import is_alive
from tests.support.trader import Log

RESTARTED_WITHIN_S = 5.0
TRADING_WITHIN_S = 25.0
COMMAND_WITHIN_S = 60.0
STALE_WITHIN_S = 15.0
BACK_WITHIN_S = 25.0  # after being fenced: a pause and a start
TAKEN_OVER = "another core took the book over"
ANSWERED_WITHIN_S = 12.0
SHORT_S = 8
# Each in its turn, in the middle of trading. NATS loses its streams as well, once.
KILLED = (
    "core",
    "postgres",
    "nats",
    "execution",
    "chain",
    "chainsim",
    "simulator",
    "projections",
    "api",
    "market",
    "gatekeeper",
)


@contextmanager
def _running(data_dir: Path, *, seconds: float | None = None, replay: Path | None = None) -> Generator[Demo]:
    demo = Demo(data_dir, seconds=seconds, replay=replay)
    try:
        demo.until_ready()
        yield demo
    finally:
        demo.end()


def _completed(log: Log) -> int:
    return len(log.events("request.completed.v1"))


def _until_trading(demo: Demo) -> None:
    """Wait until a request that was accepted from now on is completed."""
    log = Log(demo.card().auditor_dsn)
    before = wait_for(lambda: _tried(log), TRADING_WITHIN_S, "the log", demo.told)
    wait_for(lambda: _more(log, before), TRADING_WITHIN_S * slowness(), "requests completed again", demo.told)


def _tried(log: Log) -> int | None:
    try:
        return _completed(log)
    except OSError:
        return None


def _more(log: Log, before: int) -> bool | None:
    found = _tried(log)
    return True if found is not None and found > before + 2 else None


def _verified(demo: Demo) -> bool:
    command = [sys.executable, "-m", "api.cli", "audit", "verify", "--dsn", demo.card().auditor_dsn]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=COMMAND_WITHIN_S, check=False).returncode == 0


def test_each_process_is_killed_in_turn_and_nothing_is_lost(tmp_path: Path) -> None:
    with _running(tmp_path / "data") as demo:
        _until_trading(demo)
        for role in KILLED:
            pid = demo.kill(role)
            demo.pid_after(role, pid, RESTARTED_WITHIN_S * slowness())
            _until_trading(demo)
        pid = demo.kill("nats")
        shutil.rmtree(
            demo.data_dir / "nats", ignore_errors=True
        )  # it is being restarted: what it writes again may stay
        demo.pid_after("nats", pid, RESTARTED_WITHIN_S * slowness())
        _until_trading(demo)
        assert demo.terminate() == 0, demo.told()
        assert not demo.card_path.exists()
        demo.until_nothing_left()


def test_a_killed_parent_leaves_no_orphan_and_its_data_goes_on(tmp_path: Path) -> None:
    with _running(tmp_path / "data") as demo:
        _until_trading(demo)
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


def _fenced(log: Path, times: int) -> bool | None:
    """Say whether a core told in its log, more often than before, that it is not the writer any more."""
    return True if log.read_text().count(TAKEN_OVER) > times else None


def test_of_two_cores_the_stale_one_stops_and_nothing_interleaves(demo: Demo) -> None:
    _until_trading(demo)
    settings, said = demo.data_dir / "run" / "settings.json", demo.data_dir / "log" / "second_core.log"
    first_said = demo.data_dir / "log" / "core.log"
    before = first_said.read_text().count(TAKEN_OVER)
    command = [sys.executable, "-m", "api.cli", "up", "--config", str(settings), "--role", "core"]
    with said.open("wb") as output:
        second = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        wait_for(lambda: _fenced(first_said, before), STALE_WITHIN_S * slowness(), "the first core to stop", demo.told)
        assert second.poll() is None
        _until_trading(demo)  # by the second
        # The first does not come back at once, lest they chase each other; when it does, the second stops and ends.
        wait_for(lambda: _fenced(said, 0), BACK_WITHIN_S * slowness(), "the second core to stop", demo.told)
        assert second.wait(STALE_WITHIN_S * slowness()) != 0
    finally:
        second.kill()
        second.wait()
    _until_trading(demo)
    assert _verified(demo)


def test_the_api_answers_that_it_cannot_rather_than_hang(demo: Demo) -> None:
    card = demo.card()
    asked = {"pair": "USDT/USDe", "type_": "ALGO", "side": "MINT", "size": "1"}
    asked["benefactor"] = card.benefactors[0].address
    for role in ("core", "nats"):
        _until_trading(demo)
        pid = demo.card().pids[role]
        os.kill(pid, signal.SIGSTOP)  # alive, and deaf: worse than dead
        try:
            answer = httpx.get(f"{card.url}/rfq", params=asked, timeout=ANSWERED_WITHIN_S)
        finally:
            os.kill(pid, signal.SIGKILL)
        assert (answer.status_code, answer.json()["error"]["error_code"]) == (400, "1"), role
        demo.pid_after(role, pid, RESTARTED_WITHIN_S * slowness())
    _until_trading(demo)
    pid = demo.kill("postgres")
    with httpx.Client(base_url=card.url, timeout=ANSWERED_WITHIN_S) as http:
        viewer = {"Authorization": f"Bearer {card.keys.viewer}"}
        reads = [http.get("/v1/portfolio", headers=viewer).status_code for _ in range(5)]
        offered = [http.get("/asset-availability").status_code for _ in range(5)]
    assert {200, 503} >= set(reads)
    assert {200, 400} >= set(offered)
    demo.pid_after("postgres", pid, RESTARTED_WITHIN_S * slowness())
    _until_trading(demo)
