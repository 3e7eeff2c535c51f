"""One JSON-RPC endpoint over web3: bounded bodies and times, its chain checked before anything it says is believed."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import msgspec

from adapters.rpc.settings import Endpoint, RpcSettings
from adapters.rpc.web3_library import AsyncJSONBaseProvider, AsyncWeb3, RPCEndpoint, RPCResponse, Web3RPCError
from adapters.rpc.wire import BlockName, Malformed, Refused, Reverted, block_name, octets, quantity, refusal, reverted

BODY_BYTES_MAX = 4 << 20
JSON_HEADERS = {"Content-Type": "application/json"}
HTTP_OK = 200


class Silent(Exception):
    """Say why an endpoint gave no answer to count; the text holds no URL."""


class Call(msgspec.Struct, frozen=True):
    """Ask a contract: its address and the call data; `sender` "" is anybody, `gas` 0 what the node allows."""

    to: str
    data: bytes
    sender: str = ""
    gas: int = 0
    value: int = 0


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
        """Ask once; raise what aiohttp and web3 raise, and `Silent` for a page that is no answer."""
        asked = self.form_request(method, params)
        encoded = self.encode_rpc_dict(asked)
        async with self._session.post(self._url, data=encoded, headers=JSON_HEADERS, allow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise Silent("an answer too long")
        answer: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            answer = self.decode_rpc_response(bytes(body))
        # Some tell an error of the protocol under a status of HTTP.
        if response.status != HTTP_OK and not (isinstance(answer, dict) and "error" in answer):
            raise Silent(f"HTTP {response.status}")
        if not isinstance(answer, dict):
            raise Silent("no JSON object")
        if "error" not in answer and answer.get("id") != asked.get("id"):
            raise Silent("an answer to another question")
        return answer  # pyright: ignore[reportReturnType] # web3 checks the rest of its shape


class Client:
    """Ask one endpoint. Raise `Refused` for an error of the protocol, `Malformed`, `Silent`, or what aiohttp raises."""

    def __init__(self, endpoint: Endpoint, settings: RpcSettings, session: aiohttp.ClientSession) -> None:
        self.name = endpoint.name
        self._settings = settings
        self._web3: AsyncWeb3[Any] = AsyncWeb3(SessionProvider(endpoint.url, session), middleware=[])
        self._right_chain = False

    async def request(self, method: str, *params: Any) -> Any:
        """Return what the endpoint answers, unread."""
        if not self._right_chain:
            chain_id = quantity(await self._request("eth_chainId", ()), "a chain's id")
            if chain_id != self._settings.chain_id:
                raise Silent("another chain")
            self._right_chain = True
        return await self._request(method, params)

    async def _request(self, method: str, params: tuple[Any, ...]) -> Any:
        for left in range(self._settings.retries, -1, -1):
            try:
                # Without web3's formatters: what comes is read strictly, by us.
                return await self._web3.manager.coro_request(RPCEndpoint(method), list(params))
            except Web3RPCError as error:
                raise refusal((error.rpc_response or {}).get("error")) from None
            except aiohttp.ClientConnectionError:
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    async def newest(self) -> int:
        """Return the number of the newest block the endpoint says it has."""
        return quantity(await self.request("eth_blockNumber"), "a block's number")

    async def block(self, number: int) -> BlockName | None:
        """Return a block of the endpoint's chain, None when it has none of that number."""
        answer = await self.request("eth_getBlockByNumber", hex(number), False)  # noqa: FBT003 - JSON-RPC's own order
        return None if answer is None else block_name(answer, number)

    async def block_there(self, number: int) -> BlockName:
        """Return a block that the endpoint must have."""
        found = await self.block(number)
        if found is None:
            raise Silent("it lacks the block")
        return found

    async def call(self, call: Call, number: int, bytes_max: int) -> bytes | Reverted:
        """Return what a contract answers at a block."""
        asked = {"to": call.to, "data": "0x" + call.data.hex()}
        asked |= {"from": call.sender} if call.sender else {}
        asked |= {"gas": hex(call.gas)} if call.gas else {}
        asked |= {"value": hex(call.value)} if call.value else {}
        try:
            return octets(await self.request("eth_call", asked, hex(number)), "an answer", bytes_max)
        except Refused as error:
            failed = reverted(error)
            if failed is None:
                raise
            return failed


def silence(error: Exception) -> str:
    """Say by its kind alone why an endpoint gave no answer: texts of libraries and of nodes may hold anything."""
    first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    match first:
        case Silent() | Malformed() | Refused():
            return str(first)
        case asyncio.TimeoutError():
            return "TimeoutError"
        case _:
            return type(first).__name__
