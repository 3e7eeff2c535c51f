"""What a test or a demonstration may do to the chain itself: in process, or at `POST /admin/<verb>` with a token.

Each verb is a struct that says what it wants and answers with plain JSON.
"""

import asyncio
import hmac
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web

from adapters.simulators.chain.blocks import Block
from adapters.simulators.chain.chain import Chain
from adapters.simulators.chain.evm import State
from adapters.simulators.chain.faults import ChainFault, ChainFaults
from adapters.simulators.chain.refused import INVALID_PARAMS, Refused
from adapters.simulators.chain.shapes import data, read_address, read_data, read_hash
from adapters.simulators.venue import wall_clock_ms

BLOCKS_AT_ONCE_MAX = 1_024
BASE_FEE_WEI_MAX = 10**15
ADDRESS_DIGITS = 42
Out = TypeVar("Out")


class Mined(msgspec.Struct, frozen=True, kw_only=True):
    """Name a block."""

    number: int
    hash: str


class _Verb(Protocol):
    async def run(self, admin: "ChainAdmin") -> Any: ...


class Mine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make blocks; the first at `timestamp`, if that is given."""

    blocks: int = 1
    timestamp: int | None = None

    async def run(self, admin: "ChainAdmin") -> Any:
        """Do it."""
        return await admin.mine(self.blocks, timestamp=self.timestamp)


class Reorg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put other blocks in the place of the last `depth`."""

    depth: int
    blocks: int | None = None
    include: list[str] | None = None
    drop: list[str] = []

    async def run(self, admin: "ChainAdmin") -> Any:
        """Do it."""
        return await admin.reorg(self.depth, blocks=self.blocks, include=self.include, drop=self.drop)


class Switch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make a known block the head."""

    hash: str

    async def run(self, admin: "ChainAdmin") -> Any:
        """Do it."""
        return await admin.switch(self.hash)


class Hold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold a transaction (by hash) or a sender (by address)."""

    name: str

    async def run(self, admin: "ChainAdmin") -> Any:
        """Do it."""
        await admin.hold(self.name)
        return {}


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let what was held go."""

    name: str

    async def run(self, admin: "ChainAdmin") -> Any:
        """Do it."""
        await admin.release(self.name)
        return {}


class Forget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let the pool forget transactions, or, without `hashes`, everything."""

    hashes: list[str] | None = None

    async def run(self, admin: "ChainAdmin") -> Any:
        """Do it."""
        return {"forgotten": await admin.forget(self.hashes)}


class SetBalance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give an account a balance of ether, wei as a string."""

    address: str
    wei: str

    async def run(self, admin: "ChainAdmin") -> Any:
        """Do it."""
        await admin.set_balance(self.address, int(self.wei))
        return {}


class NextBaseFee(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set the base fee of the next block, wei."""

    wei: int

    async def run(self, admin: "ChainAdmin") -> Any:
        """Do it."""
        await admin.next_base_fee(self.wei)
        return {}


VERBS: dict[str, type[_Verb]] = {
    "mine": Mine,
    "reorg": Reorg,
    "switch": Switch,
    "hold": Hold,
    "release": Release,
    "forget": Forget,
    "set_balance": SetBalance,
    "next_base_fee": NextBaseFee,
}


class ChainAdmin:
    """Do to the chain what only its administrator may. Every method runs on the chain's thread."""

    def __init__(self, chain: Chain, faults: ChainFaults, thread: Executor) -> None:
        self._chain = chain
        self._faults = faults
        self._thread = thread

    async def mine(self, blocks: int = 1, *, timestamp: int | None = None) -> Mined:
        """Make blocks of what waits; return the last."""
        if not 0 < blocks <= BLOCKS_AT_ONCE_MAX:
            raise Refused(f"blocks is 1 to {BLOCKS_AT_ONCE_MAX}", code=INVALID_PARAMS)
        mined = await self._run(lambda: self._chain.mine(timestamp))
        for _ in range(blocks - 1):
            mined = await self._run(self._chain.mine)
        return _named(mined)

    async def reorg(
        self, depth: int, *, blocks: int | None = None, include: list[str] | None = None, drop: list[str] | None = None
    ) -> Mined:
        """Put `blocks` new ones (one more, by default) in the place of the last `depth`; return the new head.

        Transactions return to the pool, but for `drop`. `include` are the only ones the new blocks may have, None
        leaves it to the pool.
        """
        count = depth + 1 if blocks is None else blocks
        if not 0 < count <= BLOCKS_AT_ONCE_MAX:
            raise Refused(f"blocks is 1 to {BLOCKS_AT_ONCE_MAX}", code=INVALID_PARAMS)
        only = None if include is None else [read_hash(each) for each in include]
        dropped = [read_hash(each) for each in drop or ()]
        return _named((await self._run(lambda: self._chain.reorg(depth, count, only, dropped)))[-1])

    async def switch(self, block_hash: str) -> Mined:
        """Make a known block the head again, whichever side it is on."""
        return _named(await self._run(lambda: self._chain.switch(read_hash(block_hash))))

    async def hold(self, name: str) -> None:
        """Hold a transaction, by hash, until it is released or replaced; or all of a sender's, by address."""
        await self._run(lambda: self._chain.hold(_held(name), held=True))

    async def release(self, name: str) -> None:
        """Let what was held go."""
        await self._run(lambda: self._chain.hold(_held(name), held=False))

    async def forget(self, hashes: list[str] | None = None) -> list[str]:
        """Let the pool forget transactions, all of them for None; return their hashes."""
        wanted = None if hashes is None else [read_hash(each) for each in hashes]
        return [data(each.tx_hash) for each in await self._run(lambda: self._chain.forget(wanted))]

    async def set_balance(self, address: str, wei: int) -> None:
        """Give an account a balance of ether."""
        await self._change(lambda state: state.set_balance(read_address(address), wei))

    async def set_code(self, address: str, code: str) -> None:
        """Put code at an address."""
        await self._change(lambda state: state.set_code(read_address(address), read_data(code)))

    async def set_storage(self, address: str, slot: int, value: int) -> None:
        """Put a value into a contract's slot."""
        await self._change(lambda state: state.set_storage(read_address(address), slot, value))

    async def next_base_fee(self, wei: int) -> None:
        """Set the base fee of the next block."""
        if not 0 <= wei <= BASE_FEE_WEI_MAX:
            raise Refused(f"a base fee is 0 to {BASE_FEE_WEI_MAX} wei", code=INVALID_PARAMS)

        def act() -> None:
            self._chain.base_fee_wei_next = wei

        await self._run(act)

    async def arm(self, fault: ChainFault) -> None:
        """Arm a fault of an endpoint. Raise ValueError when it is nonsense."""
        self._faults.arm(fault, wall_clock_ms())

    async def disarm(self) -> None:
        """Disarm every fault."""
        self._faults.clear()

    async def status(self) -> dict[str, Any]:
        """Return the head, the pool's hashes, what is held, and the faults that happened."""

        def look() -> dict[str, Any]:
            pool = self._chain.pool
            return {
                "number": self._chain.history.head.number,
                "hash": data(self._chain.history.head.block_hash),
                "pool": [data(each.tx_hash) for each in pool],
                "held": [data(each) for each in sorted(pool.held)],
                "faults": dict(self._faults.counts),
            }

        return await self._run(look)

    async def _change(self, change: Callable[[State], Any]) -> None:
        await self._run(lambda: self._chain.change(change))

    async def _run(self, act: Callable[[], Out]) -> Out:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)


class AdminDoor:
    """Answer the administrator's requests over HTTP."""

    def __init__(self, admin: ChainAdmin, token: str | None) -> None:
        self._admin = admin
        self._token = token

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Check the token and do what is asked."""
        given = request.headers.get("Authorization", "")
        if self._token is None or not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return web.Response(status=401, text="admin token, please")
        verb = request.path.removeprefix("/admin/")
        try:
            done = await self._do(verb, request)
        except (msgspec.DecodeError, ValueError, Refused) as error:
            return web.Response(status=400, text=str(error))
        if done is None:
            return web.Response(status=404, text="no such verb")
        return web.Response(body=msgspec.json.encode(done), content_type="application/json")

    async def _do(self, verb: str, request: web.Request) -> Any:
        if verb == "faults" and request.method == "POST":
            await self._admin.arm(msgspec.json.decode(await request.read(), type=ChainFault))
        elif verb == "faults" and request.method == "DELETE":
            await self._admin.disarm()
        elif request.method == "POST" and verb in VERBS:
            wanted: _Verb = msgspec.json.decode(await request.read() or b"{}", type=VERBS[verb])
            return await wanted.run(self._admin)
        elif verb not in {"status", "faults"} or request.method != "GET":
            return None
        return await self._admin.status()


def _named(block: Block) -> Mined:
    return Mined(number=block.number, hash=data(block.block_hash))


def _held(name: str) -> bytes:
    return read_address(name) if len(name) == ADDRESS_DIGITS else read_hash(name)
