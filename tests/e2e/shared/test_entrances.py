"""What a demonstration shows to whoever finds it by demo.json: keys, addresses, pages."""

import asyncio
import stat
import subprocess
import sys

import httpx
import nats
import psycopg
import pytest

from api.http.roles import READ_MODELS
from tests.support.demo import ROLES, ROOT, Card, Demo, wait_for
from tests.support.supervised import is_alive

HEARD_WITHIN_S = 30.0
COMMAND_WITHIN_S = 120.0


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_the_card_has_the_contracts_shape_and_everybody_is_there(demo: Demo, card: Card) -> None:
    # `Card` forbids unknown and missing fields; the directory did not exist before.
    assert card.url == f"http://127.0.0.1:{demo.port}"
    assert card.pids.keys() >= ROLES
    assert all(is_alive(pid) for pid in card.pids.values())
    assert len({wallet.address for wallet in card.benefactors}) == len(card.benefactors) > 0
    assert len(set(vars_of(card))) == 5
    assert stat.S_IMODE(demo.card_path.stat().st_mode) == 0o600, "it holds keys"


def vars_of(card: Card) -> list[str]:
    keys = card.keys
    return [keys.viewer, keys.operator, keys.risk, keys.risk2, keys.auditor]


def test_keys_open_what_their_roles_may(card: Card) -> None:
    with httpx.Client(base_url=card.url) as http:
        assert http.get("/v1/portfolio").status_code == 401
        assert http.get("/v1/portfolio", headers=_bearer("bk_no_such_key")).status_code == 401
        assert http.get("/rfq", headers=_bearer("bk_no_such_key")).status_code == 401
        for key in vars_of(card):
            answer = http.get("/v1/portfolio", headers=_bearer(key))
            assert answer.status_code == 200, answer.text
            assert answer.json().keys() == {"as_of_position", "as_of", "portfolio", "next"}
        assert http.get("/v1/events", headers=_bearer(card.keys.auditor)).status_code == 200
        for key in (card.keys.viewer, card.keys.operator, card.keys.risk):
            assert http.get("/v1/events", headers=_bearer(key)).status_code == 403
        change = {"control": "net_delta", "scope": "asset:ETH", "value": "99", "reason": "a test"}
        for key in (card.keys.viewer, card.keys.operator, card.keys.auditor):
            assert http.post("/v1/limits", json=change, headers=_bearer(key)).status_code == 403
        assert http.post("/v1/limits", json=change, headers=_bearer(card.keys.risk)).status_code == 200
        # A limit above the one in force loosens, which needs a second person.
        loosened = http.post("/v1/limits", json={**change, "value": "100"}, headers=_bearer(card.keys.risk2))
        assert loosened.status_code == 202, loosened.text
        decide = f"/v1/approvals/{loosened.json()['approval_id']}"
        himself = http.post(decide, json={"decision": "grant"}, headers=_bearer(card.keys.risk2))
        assert (himself.status_code, himself.json()["error"]["error_code"]) == (403, "approval_own")
        assert http.post(decide, json={"decision": "grant"}, headers=_bearer(card.keys.risk)).status_code == 200


@pytest.mark.parametrize("view", [view for view in READ_MODELS if view != "events"])
def test_read_models_answer_now_later_and_from_history(card: Card, view: str) -> None:
    with httpx.Client(base_url=card.url, headers=_bearer(card.keys.viewer), timeout=15) as http:
        now = http.get(f"/v1/{view}").json()
        assert now["as_of_position"] > 0
        later = http.get(f"/v1/{view}", params={"wait_for": now["as_of_position"] + 1}).json()
        assert later["as_of_position"] > now["as_of_position"]
        then = http.get(f"/v1/{view}", params={"at": 5})
        assert then.status_code == 200, then.text
        assert then.json()["as_of_position"] == 5
        assert http.get(f"/v1/{view}", params={"at": "yesterday"}).status_code == 400


def test_the_owner_connects_and_the_auditor_may_only_select(card: Card) -> None:
    with psycopg.connect(card.postgres) as owner:
        assert owner.execute("select 1").fetchone() == (1,)
    with psycopg.connect(card.auditor_dsn, autocommit=True) as auditor:
        row = auditor.execute("select count(*) from stored_events").fetchone()
        assert row is not None
        assert row[0] > 0
        auditor.execute("set default_transaction_read_only = off")  # a convenience; the grants are what counts
        for statement in (
            "delete from stored_events",
            "update stored_events set state = ''",
            "insert into command_outcomes default values",
            "update writer_epoch set epoch = epoch + 1",
            "create table mine (i int)",
            "truncate stored_events",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                auditor.execute(statement.encode())


async def test_the_subscriber_hears_ladders_and_events_and_may_not_speak(card: Card) -> None:
    refused = asyncio.Event()

    async def note(error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            refused.set()

    client = await nats.connect(card.nats, error_cb=note)
    try:
        ladder = await client.subscribe("ballast.indicative.>")
        event = await client.subscribe("ballast.events.>")
        assert b"price" in (await ladder.next_msg(HEARD_WITHIN_S)).data
        assert "Ballast-Position" in ((await event.next_msg(HEARD_WITHIN_S)).headers or {})
        await client.publish("ballast.cmd.mode.change", b"{}")
        await client.flush()  # it may overtake the publication, so the refusal is awaited
        async with asyncio.timeout(HEARD_WITHIN_S):
            await refused.wait()
    finally:
        await client.close()


def test_the_console_loads_and_the_house_shows_itself(card: Card) -> None:
    with httpx.Client(base_url=card.url) as http:
        page = http.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert "<html" in page.text
        assert "Content-Security-Policy" in page.headers or "default-src" in page.text
        schema = http.get("/schema").json()
        assert schema["openapi"].startswith("3.")
        assert {"/rfq", "/order", "/v1/portfolio", "/health/ready"} <= schema["paths"].keys()
        metrics = http.get("/metrics").text
        assert "ballast_position" in metrics
        assert 'source="core"' in metrics
        assert http.get("/health/live").status_code == 200

        def ready() -> bool | None:
            return True if http.get("/health/ready").json()["ready"] else None

        wait_for(ready, HEARD_WITHIN_S, "readiness")


def test_the_library_opens_the_log_as_an_auditor(card: Card) -> None:
    shown = subprocess.run(
        [sys.executable, "examples/auditor.py", "--dsn", card.auditor_dsn],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=COMMAND_WITHIN_S,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "policy.adopted.v5" in shown.stdout
