"""What a person does to limits from a terminal: look, tighten, ask, grant; try a file before anybody asks for it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.demo import ROOT, Card
from tests.support.trader import Log

DONE_WITHIN_S = 120.0

FILE = """
reason = "before the quarter ends"

[[limits]]
control = "transfer_per_day"
value = "{value}"

[[limits]]
control = "order_notional"
value = "{order}"
"""


def _limits(card: Card, key: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api.cli", "limits", *map(str, arguments), "--url", card.url]
    env = {**os.environ, "BALLAST_KEY": key, "BALLAST_DSN": card.auditor_dsn}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=DONE_WITHIN_S, check=False, env=env
    )


def _approval(told: subprocess.CompletedProcess[str]) -> str:
    assert told.returncode == 3, told.stdout + told.stderr
    found = re.search(r"approve ([0-9a-f-]{36})", told.stdout)
    assert found, told.stdout
    return found[1]


def test_one_tightens_and_two_loosen(card: Card) -> None:
    log, limit = Log(card.auditor_dsn), ("transfer_notional", "global")
    shown = _limits(card, card.keys.viewer, "show")
    assert "transfer_notional global  5000000 USD" in re.sub(r" {2,}", "  ", shown.stdout), shown.stdout + shown.stderr
    assert _limits(card, card.keys.viewer, "set", *limit, "4000000", "--reason", "calm").returncode == 1
    assert _limits(card, card.keys.risk, "set", *limit, "4000000", "--reason", "calm").returncode == 0
    asked = _approval(_limits(card, card.keys.risk, "set", *limit, "4500000", "--reason", "calm"))
    himself = _limits(card, card.keys.risk, "approve", asked)
    assert himself.returncode == 1
    assert "approval_own" in himself.stderr
    assert _limits(card, card.keys.risk2, "approve", asked).returncode == 0
    assert "approval_over" in _limits(card, card.keys.risk2, "deny", asked).stderr
    gone = _approval(_limits(card, card.keys.risk2, "remove", *limit, "--reason", "calm"))
    assert _limits(card, card.keys.risk2, "deny", gone).returncode == 0
    changes = [event for event in log.events("limit.set.v2") if event["control"] == "transfer_notional"]
    told = [(event["value"], event["author"], event["approved_by"]) for event in changes]
    assert told == [("5000000", "system", ""), ("4000000", "rita", ""), ("4500000", "rita", "rolf")]


def test_a_file_is_tried_before_it_is_asked_for(card: Card, tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(FILE.format(value="15000000", order="1"))
    tried = _limits(card, "", "apply", file, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert "~ order_notional global: 250000 -> 1 USD (tighter)" in tried.stdout
    assert "it would count at once" in tried.stdout
    assert "quote.issue: accepted -> refused ORDER_NOTIONAL" in tried.stdout
    log = Log(card.auditor_dsn)
    assert [event for event in log.events("limit.set.v2") if event["control"] == "transfer_per_day"][1:] == []
    file.write_text(FILE.format(value="15000000", order="250001"))
    asked = _approval(_limits(card, card.keys.risk, "apply", file))
    waits = _limits(card, card.keys.viewer, "waiting")
    assert asked in waits.stdout, waits.stdout + waits.stderr
    assert _limits(card, card.keys.risk2, "approve", asked).returncode == 0
    changed = [event for event in log.events("limit.set.v2") if event["approval_id"] == asked]
    assert [(event["control"], event["value"]) for event in changed] == [
        ("transfer_per_day", "15000000"),
        ("order_notional", "250001"),
    ]
    file.write_text('reason = "odd"\n[[limits]]\ncontrol = "luck"\nvalue = "1"\n')
    odd = _limits(card, card.keys.risk, "apply", file)
    assert (odd.returncode, "no control is called so" in odd.stderr) == (2, True)
