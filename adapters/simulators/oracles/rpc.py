"""Simulated Ethereum endpoints that know only the oracles' contracts: several over one chain, each with its own faults.

Answers depend on the block alone, so honest endpoints agree. Methods: `eth_chainId`, `eth_blockNumber`,
`eth_getBlockByNumber`, `eth_call` of Chainlink's aggregators and Pyth's `getPriceUnsafe`.
"""

import asyncio
import datetime as dt
import ssl
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec
from aiohttp import web
from eth_hash.auto import keccak

from adapters.simulators.certificates import ensure_certificates
from adapters.simulators.oracles.gate import PAGE, ClockMs, PriceOf
from adapters.simulators.venue import wall_clock_ms

LOOPBACK = "127.0.0.1"
CHAIN_ID = 1
BLOCK_MS = 12_000
BLOCKS_KEPT = 512
FLOOD_BYTES = 4 << 20
DECIMALS, EXPONENT = 8, -8
ROUND_PHASE = 5 << 64
WORD = 32
PYTH_CONTRACT = "0x4305fb66699c3b2702d4d05cf36551390a4c69c6"
REVERT = {"code": 3, "message": "execution reverted", "data": "0x14aebe68"}

EndpointFault = Literal[
    "", "lie", "lag", "boast", "fork", "timeout", "html", "truncate", "garbage", "error", "stranger", "flood"
]
"""What an endpoint does: another price, blocks behind, claims of blocks nobody has, another fork's hashes, no answer, a
web page, half a body, a body of nonsense, JSON-RPC errors, another chain's id, a body of megabytes."""


class SimulatedChain:
    """Be the chain that endpoints show. `aggregators` are addresses by base asset, `pyth` feed ids."""

    def __init__(
        self,
        price_of: PriceOf,
        aggregators: Mapping[str, str],
        pyth: Mapping[str, str],
        *,
        clock_ms: ClockMs = wall_clock_ms,
        block_ms: int = BLOCK_MS,
    ) -> None:
        self.clock_ms = clock_ms
        self._price_of = price_of
        self._block_ms = block_ms
        self._aggregators = {address.lower(): base for base, address in aggregators.items()}
        self._pyth = {feed.lower(): base for base, feed in pyth.items()}
        self._seen: dict[int, dict[str, int]] = {}
        self.descriptions: dict[str, str] = {}

    @property
    def number(self) -> int:
        """Return the newest block's number."""
        return self.clock_ms() // self._block_ms

    def timestamp(self, number: int) -> int:
        """Return when a block was made, in seconds."""
        return number * self._block_ms // 1_000

    def answer(self, number: int, to: str, data: bytes, factor: Decimal) -> bytes | None:
        """Return what a contract answers at a block, None where it reverts."""
        base = self._aggregators.get(to.lower())
        selector = data[:4].hex()
        if base is not None:
            return self._aggregator(base, selector, number, factor)
        if to.lower() == PYTH_CONTRACT and selector == "96834ad3" and data[4:].hex() in self._pyth:
            atoms = self._atoms(self._pyth[data[4:].hex()], number, factor)
            return _words(atoms, atoms // 2_000, EXPONENT, self.timestamp(number))
        return None

    def _aggregator(self, base: str, selector: str, number: int, factor: Decimal) -> bytes | None:
        match selector:
            case "feaf968c":
                updated_s = self.timestamp(number)
                return _words(
                    ROUND_PHASE + number, self._atoms(base, number, factor), updated_s, updated_s, ROUND_PHASE + number
                )
            case "313ce567":
                return _words(DECIMALS)
            case "7284e416":
                text = self.descriptions.get(base, f"{base} / USD").encode()
                return _words(WORD, len(text)) + text.ljust(WORD, b"\0")
            case _:
                return None

    def _atoms(self, base: str, number: int, factor: Decimal) -> int:
        """Return a price as it stood when a block was first looked at."""
        prices = self._seen.setdefault(number, {})
        if len(self._seen) > BLOCKS_KEPT:
            del self._seen[min(self._seen)]
        if base not in prices:
            prices[base] = int((self._price_of(base) or Decimal(0)) * 10**DECIMALS)
        return int(prices[base] * factor)


class SimulatedEndpoint:
    """Be one endpoint of a chain, on a port of its own. `fault` may be changed while it runs."""

    def __init__(self, chain: SimulatedChain) -> None:
        self.fault: EndpointFault = ""
        self.factor = Decimal("1.05")
        self.lag_blocks = 50
        self.asked = 0
        self._chain = chain
        self._closed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, tls_directory: Path) -> Path:
        """Open the port; return the file of the authority to trust."""
        certificates = ensure_certificates(tls_directory, ("localhost", LOOPBACK), now=dt.datetime.now(dt.UTC))
        context: ssl.SSLContext = certificates.server_context()
        app = web.Application()
        app.router.add_post("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, 0, ssl_context=context).start()
        self.url = f"https://{LOOPBACK}:{self._runner.addresses[0][1]}/v3/a-secret-key"
        return certificates.ca_file

    async def stop(self) -> None:
        """Close the port."""
        self._closed.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        asked: Any = msgspec.json.decode(await request.read())
        match self.fault:
            case "timeout":
                await self._closed.wait()
            case "html":
                return web.Response(text=PAGE, content_type="text/html")
            case "flood":
                return web.Response(body=b" " * FLOOD_BYTES, content_type="application/json")
            case "garbage":
                return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": {"number": "lots"}})
            case "error":
                error = {"code": -32005, "message": "rate limited"}
                return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "error": error})
            case _:
                pass
        body = {"jsonrpc": "2.0", "id": asked["id"], **self._outcome(asked["method"], asked["params"])}
        encoded = msgspec.json.encode(body)
        if self.fault == "truncate":
            encoded = encoded[: len(encoded) // 2]
        return web.Response(body=encoded, content_type="application/json")

    def _outcome(self, method: str, params: list[Any]) -> dict[str, Any]:
        match method:
            case "eth_chainId":
                return {"result": hex(CHAIN_ID + (self.fault == "stranger"))}
            case "eth_blockNumber":
                return {"result": hex(self._number())}
            case "eth_getBlockByNumber":
                number = self._named(params[0])
                return {"result": None if number is None else self._block(number)}
            case "eth_call":
                number = self._named(params[1])
                if number is None:
                    return {"error": {"code": -32000, "message": "header not found"}}
                factor = self.factor if self.fault == "lie" else Decimal(1)
                answer = self._chain.answer(number, params[0]["to"], bytes.fromhex(params[0]["data"][2:]), factor)
                return {"error": REVERT} if answer is None else {"result": f"0x{answer.hex()}"}
            case _:
                return {"error": {"code": -32601, "message": "the method does not exist"}}

    def _number(self) -> int:
        newest = self._chain.number
        return newest + 10**6 if self.fault == "boast" else newest - self.lag_blocks * (self.fault == "lag")

    def _named(self, name: str) -> int | None:
        number = self._number() if name == "latest" else int(name, 16)
        return None if number > self._number() else number

    def _block(self, number: int) -> dict[str, Any]:
        fork = "another" if self.fault == "fork" else "the"
        return {
            "number": hex(number),
            "hash": f"0x{keccak(f'{fork} chain {number}'.encode()).hex()}",
            "parentHash": f"0x{keccak(f'{fork} chain {number - 1}'.encode()).hex()}",
            "timestamp": hex(self._chain.timestamp(number)),
            "transactions": [],
        }


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(WORD, "big", signed=value < 0) for value in values)
