"""Alerts reach whoever was away when they were raised, through the program that integrators are given."""

import re
import subprocess
import sys
from collections.abc import Sequence

import httpx
import pytest

from tests.support.demo import ROOT, Card

PRINTED_WITHIN_S = 120.0
COMES_AND_GOES_MAX = 40
# So many events may follow from a change in its append.
FOLLOWS_MAX = 16
SCOPE = "pair:USDT/USDe"


def _change(card: Card, key: str, mode: str) -> int:
    """Change the mode of the test's scope; return the position of the event that it is.

    What follows from it in the same append, such as an alert that is over, stands behind it.
    """
    body = {"scope": SCOPE, "mode": mode, "reason": "an exercise"}
    answer = httpx.post(f"{card.url}/v1/mode", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=15)
    assert answer.status_code == 200, answer.text
    last = int(answer.json()["position"])
    found = httpx.get(
        f"{card.url}/v1/events?after={max(0, last - FOLLOWS_MAX)}&limit={FOLLOWS_MAX}",
        headers={"Authorization": f"Bearer {card.keys.auditor}"},
        timeout=15,
    ).json()["events"]
    return max(
        each["position"] for each in found if each["topic"].startswith("mode.changed.") and each["position"] <= last
    )


def _subscriber(card: Card, count: int) -> Sequence[str]:
    return [
        sys.executable,
        "examples/alert_subscriber.py",
        *("--nats", card.nats, "--durable", "pager", "--from-start", "--count", str(count)),
    ]


def _positions(card: Card, count: int) -> list[int]:
    """Let the subscriber print so many alerts; return which events caused them."""
    told = subprocess.run(
        _subscriber(card, count), cwd=ROOT, capture_output=True, text=True, timeout=PRINTED_WITHIN_S, check=False
    )
    assert told.returncode == 0, told.stderr
    return [int(found) for found in re.findall(r"caused by event (\d+)", told.stdout)]


def _until_heard(card: Card, wanted: Sequence[int], heard: list[int]) -> list[int]:
    """Let a subscriber come and go, a connection for each alert, until it heard of every change that is wanted."""
    for _ in range(COMES_AND_GOES_MAX):
        if set(wanted) <= set(heard):
            return heard
        heard = heard + _positions(card, 1)
    raise AssertionError(f"of the changes at {wanted} only {heard} were told")


@pytest.fixture
def halted_twice(card: Card) -> list[int]:
    """Halt one pair and release it by another person; return the positions of both changes."""
    return [_change(card, card.keys.operator, "HALTED"), _change(card, card.keys.risk, "ACTIVE")]


def test_a_subscriber_that_was_away_catches_up_and_hears_each_once(card: Card, halted_twice: list[int]) -> None:
    heard = _until_heard(card, halted_twice, [])
    away = [_change(card, card.keys.operator, "HALTED"), _change(card, card.keys.risk, "ACTIVE")]
    heard = _until_heard(card, away, heard)
    assert len(heard) == len(set(heard)), "an alert was told twice"
    rows = httpx.get(f"{card.url}/v1/alerts?limit=1000", headers={"Authorization": f"Bearer {card.keys.viewer}"}).json()
    assert {*halted_twice, *away} <= {row["cause_position"] for row in rows["alerts"]}
