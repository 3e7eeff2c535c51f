"""The gatekeeper stands alone: what its process imports, and what it says when it is set up wrongly."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.gatekeeping.settings import GatekeeperSettings
from api.settings import Settings, SettingsError, read_settings
from api.wiring.gatekeeper import run_gatekeeper
from api.wiring.process import Process

ROOT = Path(__file__).resolve().parents[3]
KEY = "0x" + "07" * 32
# Clients of the house's servers, and what only other roles need.
STRANGERS = ("asyncpg", "nats", "adapters.postgres", "adapters.nats", "adapters.exchange", "ccxt", "commands.handler")

CODE = """
import json, sys
import api.wiring.roles, api.wiring.gatekeeper
print(json.dumps(sorted(sys.modules)))
"""


def test_its_process_loads_no_client_of_postgres_or_nats():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    loaded: list[str] = json.loads(done.stdout)
    found = [name for name in loaded if any(name == each or name.startswith(f"{each}.") for each in STRANGERS)]
    assert found == []


async def refused(tmp_path: Path, **changes: Any) -> str:
    base: Settings = read_settings(ROOT / "ballast.toml")
    wanted = msgspec.structs.replace(GatekeeperSettings(rpc=("http://127.0.0.1:1",), key=KEY), **changes)
    services = msgspec.structs.replace(base.services, data_dir=str(tmp_path))
    settings = msgspec.structs.replace(base, gatekeeper=wanted, services=services)
    process = Process(settings, tmp_path, lambda: None, asyncio.Event())
    with pytest.raises(SettingsError) as error:
        await run_gatekeeper(process)
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rpc": ()}, "gatekeeper.rpc names no endpoint"),
        ({"rpc": ("http://a", "http://b"), "quorum": 1}, "must be a majority of its 2"),
        ({"key": ""}, "gatekeeper.key names no key"),
        ({"key": "0x1234"}, "a private key is 0x and 64 hex digits"),
        ({"key": "env:BALLAST_NO_SUCH_KEY"}, "BALLAST_NO_SUCH_KEY is not set"),
    ],
)
async def test_settings_under_which_it_protects_nothing_are_refused(tmp_path: Path, changes: Any, text: str):
    said = await refused(tmp_path, **changes)
    assert text in said
    assert "1234" not in said
