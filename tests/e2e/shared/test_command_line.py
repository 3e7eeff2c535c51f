"""What a person does from a terminal to a house that runs: stop it, prove its log, rebuild a read model."""

import os
import subprocess
import sys

import httpx
import psycopg

from tests.support.demo import ROOT, Card, Demo, free_port
from tests.support.trader import Log

DONE_WITHIN_S = 120.0


def _ballast(*arguments: object, key: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api.cli", *map(str, arguments)]
    env = {**os.environ, "BALLAST_KEY": key}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=DONE_WITHIN_S, check=False, env=env
    )


def _minted(card: Card) -> list[str]:
    return httpx.get(f"{card.url}/asset-availability").json()["mint"]


def _shown(card: Card, view: str, position: int) -> None:
    """Wait until a read model shows a position."""
    bearer = {"Authorization": f"Bearer {card.keys.viewer}"}
    answer = httpx.get(f"{card.url}/v1/{view}", params={"wait_for": position}, headers=bearer, timeout=15)
    assert answer.status_code == 200, answer.text


def test_a_person_halts_and_only_another_releases(card: Card) -> None:
    log = Log(card.auditor_dsn)
    scope = ("--scope", "pair:USDT/USDe", "--url", card.url, "--reason", "an exercise")
    assert "USDT/USDe" in _minted(card)
    assert _ballast("halt", *scope, key=card.keys.viewer).returncode == 1
    halted = _ballast("halt", *scope, key=card.keys.risk)
    assert halted.returncode == 0, halted.stderr
    _shown(card, "mode", log.head())
    assert "USDT/USDe" not in _minted(card)
    himself = _ballast("resume", *scope, key=card.keys.risk)
    assert himself.returncode == 3
    assert "ballast limits approve" in himself.stdout
    assert "USDT/USDe" not in _minted(card)
    assert _ballast("resume", *scope, key=card.keys.risk2).returncode == 0
    _shown(card, "mode", log.head())
    assert "USDT/USDe" in _minted(card)
    changes = [(event["mode"], event["author"]) for event in log.events("mode.changed.v2")][-2:]
    assert changes == [("HALTED", "rita"), ("ACTIVE", "rolf")]


def test_it_verifies_the_log_and_finds_what_is_wrong(card: Card) -> None:
    held = _ballast("audit", "verify", "--dsn", card.auditor_dsn)
    assert held.returncode == 0, held.stderr
    with psycopg.connect(card.auditor_dsn) as auditor:
        row = auditor.execute("select notification_id, encode(chain_hash, 'hex') from stored_events limit 1").fetchone()
    assert row is not None
    for expected, code in ((f"{row[0]}:{row[1]}", 0), (f"{row[0]}:{'00' * 32}", 1), (f"{10**9}:{row[1]}", 1)):
        told = _ballast("audit", "verify", "--dsn", card.auditor_dsn, "--expect", expected)
        assert told.returncode == code, told.stdout + told.stderr


def test_a_read_model_is_rebuilt_beside_the_one_in_use(card: Card) -> None:
    before = Log(card.auditor_dsn).head()
    rebuilt = _ballast("projections", "rebuild", "portfolio", "--dsn", card.postgres)
    assert rebuilt.returncode == 0, rebuilt.stderr
    _shown(card, "portfolio", before)
    assert _ballast("projections", "rebuild", "no_such", "--dsn", card.postgres).returncode == 2


def test_what_was_asked_wrongly_is_said_in_a_sentence(card: Card) -> None:
    for arguments in (("halt", "--reason", "x", "--url", "nowhere"), ("audit", "verify"), ("up", "--config", "none")):
        told = _ballast(*arguments, key=card.keys.viewer)
        assert told.returncode == 2, arguments
        assert "Traceback" not in told.stderr
        assert told.stderr.startswith("ballast: ")


def test_a_second_demonstration_in_the_same_directory_leaves_the_first_alone(demo: Demo) -> None:
    before = demo.card()
    second = _ballast("demo", "--data-dir", demo.data_dir, "--port", free_port())
    assert second.returncode in {1, 2}, second.stderr
    assert "Traceback" not in second.stderr
    assert "another Ballast runs in" in second.stderr
    assert demo.card() == before
