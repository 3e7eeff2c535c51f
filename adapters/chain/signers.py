"""Who holds the key: this process, for development, or a signer of its own behind TLS."""

import asyncio
import contextlib
import ssl
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import aiohttp

from adapters.chain.settings import RemoteSignerSettings
from adapters.chain.transactions import RAW_BYTES_MAX, Unsigned
from adapters.rpc.client import SessionProvider, silence
from adapters.rpc.web3_library import Account, AsyncWeb3, RPCEndpoint, Web3RPCError
from adapters.rpc.wire import address, octets
from domain.refusal import Rejected, Unavailable

SIGNER_REFUSED = "SIGNER_REFUSED"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Signer(Protocol):
    """Sign transactions for one address. What comes back is checked by whoever asks."""

    @property
    def address(self) -> str:
        """Return the address that is signed for, lower case."""
        ...

    async def sign(self, asked: Unsigned) -> bytes:
        """Return the signed transaction; raise `Rejected` when the signer refuses, `Unavailable` when it is away."""
        ...


class LocalSigner:
    """Sign with a key in this process; it stands in no text."""

    def __init__(self, private_key: str) -> None:
        try:
            self._account: Any = Account.from_key(private_key)
        except Exception:  # noqa: BLE001 - whatever it says may hold the key
            raise ValueError("a private key is 0x and 64 hex digits") from None
        self._address = str(self._account.address).lower()

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"LocalSigner({self._address})"

    @property
    def address(self) -> str:
        """Return the key's address, lower case."""
        return self._address

    async def sign(self, asked: Unsigned) -> bytes:
        """Return the signed transaction."""
        signed: Any = self._account.sign_transaction(
            {
                "type": 2,
                "chainId": asked.chain_id,
                "nonce": asked.nonce,
                "maxPriorityFeePerGas": asked.fees.priority_fee_wei,
                "maxFeePerGas": asked.fees.max_fee_wei,
                "gas": asked.gas_limit,
                "to": bytes.fromhex(asked.to[2:]),
                "value": asked.value,
                "data": asked.data,
            }
        )
        return bytes(signed.raw_transaction)


class RemoteSigner:
    """Ask a signer that speaks `eth_signTransaction` (web3signer, clef). Use as `async with`."""

    def __init__(self, settings: RemoteSignerSettings) -> None:
        told = urlsplit(settings.url)
        if told.scheme != "https" and not (told.scheme == "http" and told.hostname in LOOPBACK):
            raise ValueError("a remote signer is reached over https")
        self._settings = settings
        self._address = address(settings.address.lower(), "the signer's address")
        self._resources = contextlib.AsyncExitStack()
        self._web3: AsyncWeb3[Any] | None = None

    async def __aenter__(self) -> Self:
        """Open a session; nothing is asked yet."""
        settings = self._settings
        context = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
        if settings.client_file is not None:
            context.load_cert_chain(settings.client_file)
        session = await self._resources.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context),
                timeout=aiohttp.ClientTimeout(total=settings.timeout_ms / 1_000),
            )
        )
        self._web3 = AsyncWeb3(SessionProvider(settings.url, session), middleware=[])
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close the session."""
        await self._resources.aclose()

    @property
    def address(self) -> str:
        """Return the address that is signed for, lower case."""
        return self._address

    async def sign(self, asked: Unsigned) -> bytes:
        """Ask once; signing is no sending, so that an answer that is lost costs nothing."""
        if self._web3 is None:
            raise RuntimeError("open first")
        transaction = {
            "type": "0x2",
            "chainId": hex(asked.chain_id),
            "from": asked.sender,
            "to": asked.to,
            "nonce": hex(asked.nonce),
            "gas": hex(asked.gas_limit),
            "maxFeePerGas": hex(asked.fees.max_fee_wei),
            "maxPriorityFeePerGas": hex(asked.fees.priority_fee_wei),
            "value": hex(asked.value),
            "data": "0x" + asked.data.hex(),
        }
        try:
            async with asyncio.timeout(self._settings.timeout_ms / 1_000):
                answer = await self._web3.manager.coro_request(RPCEndpoint("eth_signTransaction"), [transaction])
            # clef answers an object that holds the bytes beside the fields.
            return octets(answer.get("raw") if isinstance(answer, dict) else answer, "a signature", RAW_BYTES_MAX)
        except Web3RPCError as error:
            code = ((error.rpc_response or {}).get("error") or {}).get("code")
            raise Rejected(SIGNER_REFUSED, f"the signer refuses with error {code}") from None
        except Exception as error:  # noqa: BLE001 - whatever is made of its answer, nothing was signed that is used
            raise Unavailable(f"signer_away: {silence(error)}") from None
