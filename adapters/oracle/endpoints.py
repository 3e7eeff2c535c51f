"""Several JSON-RPC endpoints asked the same at the same block: what a quorum answers alike is what the chain says.

One endpoint may lie, lag, hang or send web pages; fewer than the quorum that agree are no answer. A block's hash is
part of the answer, so endpoints on two forks do not agree by accident. URLs hold keys: endpoints are told by names.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import aiohttp
import msgspec
from eth_typing import HexStr

from adapters.oracle.asking import OracleUnavailable
from adapters.oracle.settings import ChainSettings
from adapters.oracle.web3_library import (
    AsyncJSONBaseProvider,
    AsyncWeb3,
    ContractLogicError,
    RPCEndpoint,
    RPCResponse,
)

BODY_BYTES_MAX = 1 << 20
JSON_HEADERS = {"Content-Type": "application/json"}
ANSWER_BYTES_MAX = 4_096
BLOCK_HASH_BYTES = 32
NUMBER_MAX = 1 << 63


class Call(msgspec.Struct, frozen=True):
    """Ask a contract: its address, with the capitals of its checksum, and the call data."""

    to: str
    data: bytes


class Head(msgspec.Struct, frozen=True):
    """Name a block."""

    number: int
    block_hash: bytes
    timestamp_s: int


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what a quorum said at one block; an answer is None where the contract reverted."""

    head: Head
    answers: tuple[bytes | None, ...]
    endpoints: tuple[str, ...]


class SessionProvider(AsyncJSONBaseProvider):
    """Ask over a session of ours, with a bounded body.

    web3's own HTTP provider waits for a lock in a thread: a call that is cancelled there can keep the lock for ever,
    and the process from ending. It also reads whatever is sent.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        super().__init__()
        self._url = url
        self._session = session

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Ask once; raise what aiohttp and web3 raise."""
        asked = self.encode_rpc_request(method, params)
        async with self._session.post(self._url, data=asked, headers=JSON_HEADERS, allow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise aiohttp.ClientPayloadError("the body is too long")
        return self.decode_rpc_response(bytes(body))


class _Silent(Exception):
    """Say why an endpoint gave no answer to count."""


class Endpoints:
    """Ask them all. Open before, close after; not for two readers at once."""

    def __init__(self, settings: ChainSettings) -> None:
        if not len(settings.endpoints) < 2 * settings.quorum <= 2 * len(settings.endpoints):
            raise ValueError(f"a quorum of {settings.quorum} is no majority of {len(settings.endpoints)} endpoints")
        if len({endpoint.name for endpoint in settings.endpoints}) != len(settings.endpoints):
            raise ValueError("two endpoints have one name")
        self._settings = settings
        self._clients: dict[str, AsyncWeb3[Any]] = {}
        self._right_chain: set[str] = set()

    async def open(self, resources: contextlib.AsyncExitStack) -> None:
        """Make the sessions; they are closed with the stack."""
        settings = self._settings
        context = None if settings.ca_file is None else ssl.create_default_context(cafile=str(settings.ca_file))
        timeout = aiohttp.ClientTimeout(total=settings.timeout_ms / 1_000)
        for endpoint in settings.endpoints:
            connector = aiohttp.TCPConnector() if context is None else aiohttp.TCPConnector(ssl=context)
            session = await resources.enter_async_context(
                aiohttp.ClientSession(connector=connector, timeout=timeout, raise_for_status=True)
            )
            # Each call is asked once: the next round asks again, and a slow endpoint is outvoted meanwhile.
            self._clients[endpoint.name] = AsyncWeb3(SessionProvider(endpoint.url, session), middleware=[])

    async def agree(self, calls: Sequence[Call]) -> Agreed:
        """Return what a quorum answers alike at one block; raise `OracleUnavailable` if none does."""
        numbers, silent = await self._each(list(self._clients), self._newest)
        for number in self._candidates(numbers):
            there = [name for name, newest in numbers.items() if newest >= number]

            def at(name: str, number: int = number) -> Awaitable[tuple[Head, tuple[bytes | None, ...]]]:
                return self._answers(name, number, calls)

            told, late = await self._each(there, at)
            silent |= late
            for answer in set(told.values()):
                alike = tuple(name for name, other in told.items() if other == answer)
                if len(alike) >= self._settings.quorum:
                    return Agreed(head=answer[0], answers=answer[1], endpoints=alike)
            if len(told) >= self._settings.quorum:
                silent |= dict.fromkeys(told, "it differs")
        told_of = ", ".join(f"{name}: {why}" for name, why in sorted(silent.items()))
        total = len(self._clients)
        raise OracleUnavailable(f"quorum_missing: no {self._settings.quorum} of {total} endpoints agree ({told_of})")

    def _candidates(self, numbers: Mapping[str, int]) -> list[int]:
        """Return the blocks to agree at: the newest that a quorum says it has, then what slower ones have.

        An endpoint may claim a block that nobody has; so what fewer than the quorum claim does not count, and when it
        filled the quorum up, the next lower head has the honest ones.
        """
        heads = sorted(numbers.values(), reverse=True)[self._settings.quorum - 1 :]
        if not heads:
            return []
        lowest = max(heads[0] - self._settings.lag_blocks_max, 0)
        found = {head for head in heads if head >= lowest}
        # Within a reorganisation the newest blocks differ: one before the last is tried as well.
        return sorted(found | {max(min(found) - 1, lowest)}, reverse=True)

    async def _each(self, names: Sequence[str], ask: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """Ask some endpoints at once; return who answered what, and why the others did not."""
        outcomes = await asyncio.gather(*(self._patiently(ask(name)) for name in names), return_exceptions=True)
        told: dict[str, Any] = {}
        silent: dict[str, str] = {}
        for name, outcome in zip(names, outcomes, strict=True):
            if isinstance(outcome, _Silent):
                silent[name] = str(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                told[name] = outcome
        return told, silent

    async def _patiently(self, asking: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(self._settings.timeout_ms / 1_000):
                return await asking
        except Exception as error:  # noqa: BLE001 - whatever web3 makes of an answer is that endpoint's failure
            first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            raise _Silent(str(first) if isinstance(first, _Silent) else type(first).__name__) from None

    async def _newest(self, name: str) -> int:
        eth = self._clients[name].eth
        if name not in self._right_chain:
            if await eth.chain_id != self._settings.chain_id:
                raise _Silent("another chain")
            self._right_chain.add(name)
        number = int(await eth.get_block_number())
        if not 0 <= number < NUMBER_MAX:
            raise _Silent("no block number")
        return number

    async def _answers(self, name: str, number: int, calls: Sequence[Call]) -> tuple[Head, tuple[bytes | None, ...]]:
        async with asyncio.TaskGroup() as tasks:
            block = tasks.create_task(self._block(name, number))
            answers = [tasks.create_task(self._answer(name, number, call)) for call in calls]
        return block.result(), tuple(answer.result() for answer in answers)

    async def _block(self, name: str, number: int) -> Head:
        block: Any = await self._clients[name].eth.get_block(number)
        head = Head(int(block["number"]), bytes(block["hash"]), int(block["timestamp"]))
        if head.number != number or len(head.block_hash) != BLOCK_HASH_BYTES:
            raise _Silent("another block")
        return head

    async def _answer(self, name: str, number: int, call: Call) -> bytes | None:
        asked: Any = {"to": call.to, "data": HexStr("0x" + call.data.hex())}
        try:
            # Without CCIP: an answer must not make us fetch what an endpoint names.
            answer = bytes(await self._clients[name].eth.call(asked, number, ccip_read_enabled=False))
        except ContractLogicError:
            return None
        if len(answer) > ANSWER_BYTES_MAX:
            raise _Silent("an answer too long")
        return answer
