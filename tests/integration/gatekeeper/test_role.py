"""The gatekeeper as a process: its own key, endpoints and oracles; killed and started again; alone."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.simulators.oracles.hermes import FEEDS
from api.gatekeeping.settings import GatekeeperSettings
from api.settings import (
    LoopbackSettings,
    OracleSettings,
    PythSettings,
    RedstoneSettings,
    read_settings,
)
from domain.codec import encode
from domain.gatekeeping import Caps
from tests.integration.gatekeeper.stand import Stand
from tests.support.devchain import FIXED, devchain, plan_of
from tests.support.oracle_world import OracleWorld, oracle_world

ROOT = Path(__file__).resolve().parents[3]
SHUT = Caps(0, 0)
WITHIN_S = 30.0
LOOK_S = 0.05
PRICED = ("ETH", "BTC", "USDT")

CODE = """
import sys
from pathlib import Path
from api.settings import read_settings
from api.wiring.roles import run_roles
place = Path(sys.argv[1])
run_roles(["gatekeeper"], read_settings(place), place.parent)
"""


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds in another process, which signals nothing but what can be looked at."""
    async with asyncio.timeout(WITHIN_S):
        while not await holds():  # noqa: ASYNC110 - what is waited for is a file of another process
            await asyncio.sleep(LOOK_S)


class House(Stand):
    """Hold a chain that makes blocks, oracles over TLS, and the settings of a gatekeeper between them."""

    def __init__(self, chain: Any, world: OracleWorld, folder: Path) -> None:
        super().__init__(chain, folder / "gatekeeper")
        self.world = world
        (folder / "pyth.json").write_bytes(world.hermes.signer_set())
        (folder / "redstone.json").write_bytes(world.redstone.signer_set())
        base = read_settings(ROOT / "ballast.toml")
        settings = msgspec.structs.replace(
            base,
            services=msgspec.structs.replace(base.services, data_dir=str(folder)),
            chain=msgspec.structs.replace(base.chain, chain_id=chain.chain_id, minting_contract=FIXED["minting"]),
            loopback=LoopbackSettings(port=world.listener.port, ca=str(world.listener.ca_file)),
            oracles=OracleSettings(
                pyth=PythSettings(
                    feeds={base: FEEDS[base] for base in PRICED}, api_key="the-bearer", signers="pyth.json"
                ),
                redstone=RedstoneSettings(feeds=PRICED, api_key="the-key", signers="redstone.json"),
            ),
            gatekeeper=GatekeeperSettings(
                enabled=True,
                rpc=chain.urls,
                quorum=2,
                key=chain.keys["gatekeeper"],
                poll_ms=100,
                head_age_ms_max=0,
            ),
        )
        self.place = folder / "settings.json"
        self.place.write_bytes(encode(settings))
        self.log = folder / "gatekeeper.log"

    @contextlib.contextmanager
    def process(self) -> Generator[subprocess.Popen[bytes]]:
        """Run the role, with nothing in its environment that leads to a server of ours."""
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", CODE, str(self.place)], env=env, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)

    async def until(self, state: str, *, judged: int = 0, sent: bool = False) -> None:
        """Wait until the heartbeat says so, with the chain judged as far as that."""

        async def says() -> bool:
            if not (self.folder / "heartbeat.json").exists():
                return False
            found = self.heartbeat
            return found.state == state and found.judged >= judged and bool(found.transaction) >= sent

        await eventually(says)

    def worth(self) -> int:
        """Return about what an ether is worth, in dollars."""
        return int(self.world.world.price_of("ETH") or 0)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House]:
    async with oracle_world(tmp_path / "oracles") as world, devchain(plan=plan_of(fixed=True)) as chain:
        yield House(chain, world, tmp_path)


async def test_alone_in_its_process_it_lets_honest_mints_be_and_shuts_for_others(house: House):
    with house.process() as process:
        await house.until("watching")
        await house.mint(house.worth() * 99 // 100)
        await house.until("watching", judged=await house.chain.number())
        await house.mint(house.worth() * 4)
        await house.until("shutting")
        await house.chain.admin.mine()
        await house.until("shut")
        assert await house.caps() == SHUT
        assert house.heartbeat.pid == process.pid
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 10) == 0
    assert await house.sent() == 1
    log = house.log.read_text()
    assert "contract_shut" in log
    assert house.chain.keys["gatekeeper"].removeprefix("0x") not in log


async def test_killed_with_its_transaction_on_the_way_it_shuts_the_contract_once(house: House):
    with house.process() as process:
        await house.until("watching")
        await house.mint(house.worth() * 4)
        await house.until("shutting", sent=True)
        process.kill()
        await asyncio.to_thread(process.wait, 10)
    sent = house.heartbeat.transaction
    await house.chain.admin.forget()
    (house.folder / "heartbeat.json").unlink()
    with house.process():
        await house.until("shutting")

        async def there() -> bool:
            return await house.chain.rpc("eth_getTransactionByHash", sent) is not None

        await eventually(there)
        await house.chain.admin.mine()
        await house.until("shut")
    assert await house.caps() == SHUT
    assert await house.sent() == 1


async def test_oracles_that_are_gone_leave_it_watching_without_prices_and_it_says_so(house: House):
    with house.process():
        await house.until("watching")
        await house.world.listener.stop()
        await house.until("unpriced")
        await house.mint(house.worth())
        await house.until("unpriced", judged=await house.chain.number())
        assert await house.caps() != SHUT
