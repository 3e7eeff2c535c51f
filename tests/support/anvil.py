"""anvil, started for a test and killed after it: the second chain that the contract tests run on."""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp

PLACE = Path("build/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
READY_S = 60.0
LISTENING = re.compile(rb"Listening on 127\.0\.0\.1:(\d+)")


def anvil_binary() -> Path | None:
    """Return where anvil is: named by BALLAST_ANVIL, or where the Makefile puts it; None where it is not."""
    named = os.environ.get("BALLAST_ANVIL")
    found = Path(named) if named else Path(__file__).resolve().parents[2] / PLACE
    return found if found.exists() else None


class RpcError(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message"))
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


async def ask(session: aiohttp.ClientSession, url: str, method: str, params: list[Any]) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with session.post(url, json=body) as response:
        answer = await response.json()
    if "error" in answer:
        raise RpcError(answer["error"])
    return answer["result"]


class Anvil:
    """Its administration, in the words of ours where it has them."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def rpc(self, method: str, *params: Any) -> Any:
        return await ask(self._session, self.url, method, list(params))

    async def mine(self, blocks: int = 1, *, timestamp: int | None = None) -> None:
        if timestamp is not None:
            await self.rpc("evm_setNextBlockTimestamp", hex(timestamp))
        for _ in range(blocks):
            await self.rpc("evm_mine")

    async def reorg(self, depth: int, *, include: list[str] | None = None) -> None:
        """anvil takes transactions only whole, does not pool those it takes out, and keeps the height."""
        raws = [await self.rpc("eth_getRawTransactionByHash", each) for each in include or ()]
        await self.rpc("anvil_reorg", depth, [[raw, 0] for raw in raws])

    async def forget(self, hashes: list[str] | None = None) -> None:
        if hashes is None:
            await self.rpc("anvil_dropAllTransactions")
        for each in hashes or ():
            await self.rpc("anvil_dropTransaction", each)

    async def set_balance(self, address: str, wei: int) -> None:
        await self.rpc("anvil_setBalance", address, hex(wei))

    async def set_code(self, address: str, code: str) -> None:
        await self.rpc("anvil_setCode", address, code)

    async def set_storage(self, address: str, slot: int, value: int) -> None:
        await self.rpc("anvil_setStorageAt", address, hex(slot), f"0x{value:064x}")

    async def next_base_fee(self, wei: int) -> None:
        await self.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))


@contextlib.asynccontextmanager
async def anvil(*, chain_id: int, block_ms: int = 0, epoch_blocks: int = 32) -> AsyncGenerator[Anvil]:
    """Run anvil on a port of its own; without `block_ms` blocks are made only when asked."""
    binary = anvil_binary()
    assert binary is not None, "the caller looked"
    ticking = ["--block-time", str(block_ms / 1000)] if block_ms else ["--no-mining"]
    process = await asyncio.create_subprocess_exec(
        str(binary),
        *("--port", "0", "--host", "127.0.0.1", "--chain-id", str(chain_id), "--accounts", "1"),
        *("--hardfork", "prague", "--slots-in-an-epoch", str(epoch_blocks), *ticking),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    drain: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(READY_S):
            while (found := LISTENING.search(line := await process.stdout.readline())) is None:
                assert line, "anvil ended before it listened"
        drain = asyncio.create_task(process.stdout.read())  # a full pipe would stop it
        async with aiohttp.ClientSession() as session:
            yield Anvil(session, f"http://127.0.0.1:{int(found[1])}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if drain is not None:
            await drain
