"""Whatever is killed comes back, and the demonstration still ends with every invariant held."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.demo import ROOT, Demo, slowness, wait_for
from tests.support.trading import until_trading

RESTARTED_WITHIN_S = 5.0
COMMAND_WITHIN_S = 120.0
STALE_WITHIN_S = 15.0
BACK_WITHIN_S = 25.0  # after being fenced: a pause and a start
TAKEN_OVER = "another core took the book over"
ANSWERED_WITHIN_S = 12.0
# Each in its turn, in the middle of trading.
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


def _verified(demo: Demo) -> bool:
    command = [sys.executable, "-m", "api.cli", "audit", "verify", "--dsn", demo.card().auditor_dsn]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=COMMAND_WITHIN_S, check=False).returncode == 0


def _fenced(log: Path, times: int) -> bool | None:
    """Say whether a core told in its log, more often than before, that it is not the writer any more."""
    return True if log.read_text().count(TAKEN_OVER) > times else None


def test_of_two_cores_the_stale_one_stops_and_nothing_interleaves(demo: Demo) -> None:
    until_trading(demo)
    settings, said = demo.data_dir / "run" / "settings.json", demo.data_dir / "log" / "second_core.log"
    first_said = demo.data_dir / "log" / "core.log"
    before = first_said.read_text().count(TAKEN_OVER)
    command = [sys.executable, "-m", "api.cli", "up", "--config", str(settings), "--role", "core"]
    with said.open("wb") as output:
        second = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        wait_for(lambda: _fenced(first_said, before), STALE_WITHIN_S * slowness(), "the first core to stop", demo.told)
        assert second.poll() is None
        until_trading(demo)  # by the second
        # The first does not come back at once, lest they chase each other; when it does, the second stops and ends.
        wait_for(lambda: _fenced(said, 0), BACK_WITHIN_S * slowness(), "the second core to stop", demo.told)
        assert second.wait(STALE_WITHIN_S * slowness()) != 0
    finally:
        second.kill()
        second.wait()
    until_trading(demo)
    assert _verified(demo)


def test_the_api_answers_that_it_cannot_rather_than_hang(demo: Demo) -> None:
    card = demo.card()
    asked = {"pair": "USDT/USDe", "type_": "ALGO", "side": "MINT", "size": "1"}
    asked["benefactor"] = card.benefactors[0].address
    for role in ("core", "nats"):
        until_trading(demo)
        pid = demo.card().pids[role]
        os.kill(pid, signal.SIGSTOP)  # alive, and deaf: worse than dead
        try:
            answer = httpx.get(f"{card.url}/rfq", params=asked, timeout=ANSWERED_WITHIN_S)
        finally:
            os.kill(pid, signal.SIGKILL)
        assert (answer.status_code, answer.json()["error"]["error_code"]) == (400, "1"), role
        demo.pid_after(role, pid, RESTARTED_WITHIN_S * slowness())
    until_trading(demo)
    pid = demo.kill("postgres")
    with httpx.Client(base_url=card.url, timeout=ANSWERED_WITHIN_S) as http:
        viewer = {"Authorization": f"Bearer {card.keys.viewer}"}
        reads = [http.get("/v1/portfolio", headers=viewer).status_code for _ in range(5)]
        offered = [http.get("/asset-availability").status_code for _ in range(5)]
    assert {200, 503} >= set(reads)
    assert {200, 400} >= set(offered)
    demo.pid_after("postgres", pid, RESTARTED_WITHIN_S * slowness())
    until_trading(demo)


@pytest.mark.parametrize("role", KILLED)
def test_each_process_is_killed_in_turn_and_nothing_is_lost(demo: Demo, role: str) -> None:
    """That nothing is, the demonstration itself judges when it ends."""
    until_trading(demo)
    pid = demo.kill(role)
    demo.pid_after(role, pid, RESTARTED_WITHIN_S * slowness())
    until_trading(demo)


def test_a_bus_that_is_killed_and_loses_its_streams_gets_them_back(demo: Demo) -> None:
    pid = demo.kill("nats")
    # It is being restarted: what it writes again may stay.
    shutil.rmtree(demo.data_dir / "nats", ignore_errors=True)
    demo.pid_after("nats", pid, RESTARTED_WITHIN_S * slowness())
    until_trading(demo)
