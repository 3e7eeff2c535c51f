"""`ballast kill`: all else dead, it empties four venues and shuts the contract; alive, it keeps senders down."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.demo.door import KeptOrder
from api.settings import Settings
from api.wiring.trouble import open_door
from domain.gatekeeping import Caps
from tests.support.demo import Demo, slowness, wait_for
from tests.support.kill import STOPS, SYMBOLS, resolved, rest_everywhere, run_kill
from tests.support.supervised import is_alive

EACH = 5
# Other people's systems: the venues and the chain.
THE_WORLD = frozenset({"simulator", "chainsim"})
GLOBAL_CONFIG = "0xa7c1abe0"
GONE_S, BACK_S = 10.0, 30.0
STANDING = frozenset({"NEW", "PARTIALLY_FILLED"})


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path / "data")
    try:
        demo.until_ready()
        yield demo
    finally:
        demo.process.send_signal(signal.SIGCONT)
        demo.process.kill()
        demo.process.wait()
        demo.until_nothing_left(BACK_S)


async def _standing(settings: Settings) -> dict[str, list[KeptOrder]]:
    async with open_door(settings) as door:
        return {
            venue: [order for order in orders if order.status in STANDING]
            for venue, orders in (await door.orders()).items()
        }


def _standing_at(settings: Settings) -> dict[str, int]:
    return {venue: len(orders) for venue, orders in asyncio.run(_standing(settings)).items()}


def _caps(settings: Settings) -> Caps:
    call = {"to": settings.chain.minting_contract, "data": GLOBAL_CONFIG}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
    answer = httpx.post(settings.chain.rpc[0], json=asked).json()["result"]
    return Caps(int(answer[2:66], 16), int(answer[66:130], 16))


def test_with_everything_else_dead_no_order_stands_and_nothing_can_be_minted(running: Demo) -> None:
    settings, config = resolved(running.data_dir), running.data_dir / "run" / "kill.json"
    rehearsed = run_kill(config, "--dry-run")
    assert rehearsed.code == 0, rehearsed.told
    running.process.send_signal(signal.SIGSTOP)  # nobody is started again, and no benefactor trades
    pids = {role: pid for role, pid in running.card().pids.items() if role not in THE_WORLD}
    assert {"core", "execution", "chain", "api", "gatekeeper", "postgres", "nats"} <= pids.keys()
    for pid in set(pids.values()):
        os.kill(pid, signal.SIGKILL)
    asyncio.run(rest_everywhere(settings, EACH))
    before = _standing_at(settings)
    assert all(before[venue] >= EACH for venue in SYMBOLS), before
    assert not _caps(settings).shut

    killed = run_kill(config, "--yes")

    assert killed.code == 0, killed.told
    assert set(_standing_at(settings).values()) == {0}
    assert _caps(settings).shut
    ends = {end["venue"]: end for end in killed.report["venues"]}
    assert {venue: end["silent"] for venue, end in ends.items()} == dict.fromkeys(SYMBOLS, True)
    assert all(ends[venue]["cancelled"] >= EACH + STOPS for venue in SYMBOLS), ends
    assert {venue: end["conditional"] for venue, end in ends.items()} == dict.fromkeys(SYMBOLS, STOPS)
    looked = run_kill(config, "--dry-run", "--only", "venues")
    assert {end["cancelled"] for end in looked.report["venues"]} == {0}, looked.told
    assert not killed.report["halted"]["done"]
    assert not killed.report["leases"]["done"]
    assert killed.report["silence_ms"] > 0
    # What it did is written down, order by order, where no database is needed to read it.
    written = Path(killed.report["journal"]).read_text()
    assert written.count('"orders_found"') >= len(SYMBOLS)


def test_alive_senders_are_killed_kept_down_and_halted_until_a_person_lets_them_back(running: Demo) -> None:
    card, config = running.card(), running.data_dir / "run" / "kill.json"
    killed = run_kill(config, "--yes")
    assert killed.code == 0, killed.told
    assert {(each["role"], each["pid"]) for each in killed.report["senders"]["killed"]} == {
        (role, card.pids[role]) for role in ("execution", "chain")
    }
    assert killed.report["halted"]["done"]
    assert killed.report["leases"]["done"]
    wait_for(lambda: True if "senders stay down" in running.told() else None, GONE_S * slowness(), "the supervisor")
    assert not any(is_alive(card.pids[role]) for role in ("execution", "chain"))
    viewer = {"Authorization": f"Bearer {card.keys.viewer}"}
    modes = httpx.get(f"{card.url}/v1/mode", headers=viewer).json()
    assert "HALTED" in str(modes), modes
    (running.data_dir / "run" / "killed.json").unlink()
    for role in ("execution", "chain"):
        running.pid_after(role, card.pids[role], BACK_S * slowness())
