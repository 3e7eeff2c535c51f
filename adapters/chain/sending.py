"""Call the minting contract as one sender: try, price, sign, send. Limits here bind whatever the signer would sign.

Only calls of the contract with no value and with a selector that this sender is for are ever signed, and, to cancel,
an empty transaction to the sender itself.
"""

import contextlib
from collections import Counter
from collections.abc import Mapping
from typing import Self

from adapters.chain.calls import SELECTOR_BYTES
from adapters.chain.errors import named
from adapters.chain.reading import Chain, asking
from adapters.chain.settings import SendingSettings
from adapters.chain.signers import Signer
from adapters.chain.taking import BUSY, GAS_LIMIT, NONCE_TOO_LOW, TAKEN, meaning
from adapters.chain.transactions import NotAsAsked, Unsigned, check_signed, tx_hash_of
from adapters.rpc.client import Call, Client, Silent
from adapters.rpc.endpoints import Endpoints
from adapters.rpc.settings import RpcSettings
from adapters.rpc.wire import Refused, Reverted, quantity, word
from domain.refusal import Rejected, Unavailable, Unknown
from domain.transaction import Errand, Fees, Transaction

LIMIT_CALL, LIMIT_FEES, LIMIT_GAS, SIGNER_LIED = "LIMIT_CALL", "LIMIT_FEES", "LIMIT_GAS", "SIGNER_LIED"
ESTIMATE_PERCENT = 125  # storage that others write between the estimate and inclusion costs gas too
NONCE_END = 1 << 64  # EIP-2681
TRIES_MAX = 64
PERCENT = 100


class Sending:
    """Send one sender's calls of the contract. Use as `async with`; `allowed` are the selectors it is for."""

    def __init__(self, chain: Chain, signer: Signer, settings: SendingSettings, allowed: frozenset[bytes]) -> None:
        fees = settings.fees
        if not 0 < fees.priority_fee_wei <= fees.priority_fee_wei_max <= fees.max_fee_wei_max:
            raise ValueError("fees: 0 < priority_fee_wei <= priority_fee_wei_max <= max_fee_wei_max")
        self._chain = chain
        self._signer = signer
        self._settings = settings
        self._allowed = allowed
        self._relay = None if settings.relay is None else _relay(chain, settings)
        self._resources = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the relay's session, if there is one."""
        if self._relay is not None:
            await self._relay.open(self._resources)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close it."""
        await self._resources.aclose()

    @property
    def sender(self) -> str:
        """Return the sender's address, lower case."""
        return self._signer.address

    async def preflight(self, data: bytes, gas_limit: int) -> int:
        """Try a call at the head; return the gas limit to use: at least `gas_limit`, more where nodes say so."""
        call = Call(self._chain.contract, data, sender=self.sender, gas=self._settings.gas_limit_max)
        with asking():
            agreed = await self._chain.endpoints.agree_calls([call])
        (answer,) = agreed.answers
        if isinstance(answer, Reverted):
            raise Rejected(*named(answer.data))
        needed = await self._estimate(call)
        if max(needed, gas_limit) > self._settings.gas_limit_max:
            raise Rejected(GAS_LIMIT, f"the call needs {needed} of gas, above {self._settings.gas_limit_max}")
        return min(max(gas_limit, needed * ESTIMATE_PERCENT // PERCENT), self._settings.gas_limit_max)

    async def _estimate(self, call: Call) -> int:
        """Return the lower middle of what the endpoints estimate; zero when none does, since it only ever adds.

        One that lies can so neither stop the call nor raise its limit beyond what an honest one says.
        """

        async def ask(client: Client) -> int:
            asked = {"from": call.sender, "to": call.to, "data": "0x" + call.data.hex()}
            return quantity(await client.request("eth_estimateGas", asked), "an estimate")

        quorum = self._chain.settings.quorum
        endpoints = self._chain.endpoints
        told, _ = await endpoints.each(endpoints.clients, ask, lambda told: len(told) >= quorum)
        return sorted(told.values())[(len(told) - 1) // 2] if told else 0

    async def fees(self, tries: int) -> Fees:
        """Return what to offer now: the base fee with room to rise, and a priority fee that grows with each try.

        Raise `Unavailable` while the chain asks for more than the configured bound.
        """
        wanted = self._settings.fees
        base = (await self._chain.head()).base_fee_wei
        priority = wanted.priority_fee_wei
        for _ in range(min(max(tries, 0), TRIES_MAX)):
            priority = min(priority * (PERCENT + wanted.bump_percent) // PERCENT, wanted.priority_fee_wei_max)
        if base + priority > wanted.max_fee_wei_max:
            raise Unavailable(
                f"fees_above_bound: a base fee of {base} and {priority} pass the bound of {wanted.max_fee_wei_max} wei"
            )
        offered = base * wanted.base_fee_percent // PERCENT + priority
        return Fees(max_fee_wei=min(offered, wanted.max_fee_wei_max), priority_fee_wei=priority)

    async def sign(self, errand: Errand, data: bytes, nonce: int, gas_limit: int, fees: Fees) -> Transaction:
        """Return the signed transaction, unsent. A CANCEL carries no data and goes to the sender itself."""
        cancel = errand is Errand.CANCEL
        if not cancel and data[:SELECTOR_BYTES] not in self._allowed:
            raise Rejected(LIMIT_CALL, "this sender is not for that call")
        asked = Unsigned(
            chain_id=self._chain.settings.chain_id,
            sender=self.sender,
            nonce=nonce,
            fees=fees,
            gas_limit=gas_limit,
            to=self.sender if cancel else self._chain.contract,
            value=0,
            data=b"" if cancel else data,
        )
        self._check_bounds(asked)
        raw = await self._signer.sign(asked)
        try:
            check_signed(asked, raw)
        except NotAsAsked as error:
            raise Rejected(SIGNER_LIED, f"what the signer gave is not what was asked: {error}") from None
        return Transaction(
            errand=errand,
            sender=self.sender,
            nonce=nonce,
            tx_hash=tx_hash_of(raw),
            raw="0x" + raw.hex(),
            gas_limit=gas_limit,
            fees=fees,
        )

    def _check_bounds(self, asked: Unsigned) -> None:
        bounds = self._settings.fees
        if not 0 < asked.fees.priority_fee_wei <= asked.fees.max_fee_wei <= bounds.max_fee_wei_max:
            raise Rejected(
                LIMIT_FEES, f"a fee of {asked.fees.max_fee_wei} wei is not from 1 to {bounds.max_fee_wei_max}"
            )
        if asked.fees.priority_fee_wei > bounds.priority_fee_wei_max:
            raise Rejected(LIMIT_FEES, f"a priority fee of {asked.fees.priority_fee_wei} wei is above its bound")
        if not 0 < asked.gas_limit <= self._settings.gas_limit_max:
            raise Rejected(LIMIT_GAS, f"{asked.gas_limit} of gas is not from 1 to {self._settings.gas_limit_max}")
        if not 0 <= asked.nonce < NONCE_END:
            raise Rejected(LIMIT_CALL, "a nonce that no transaction can have")

    async def broadcast(self, transaction: Transaction) -> None:
        """Send the same bytes to everybody who is to have them; done when one has taken them."""

        async def send(client: Client) -> str:
            try:
                answer = await client.request("eth_sendRawTransaction", transaction.raw)
            except Refused as error:
                code = meaning(error)
                if code == BUSY:
                    raise Silent("it is busy") from None
                return code
            if word(answer, "a transaction's hash") != transaction.tx_hash:
                raise Silent("another hash")
            return TAKEN

        to = self._chain.endpoints if self._relay is None else self._relay
        told, silent = await to.each(to.clients, send, lambda told: TAKEN in told.values())
        if TAKEN in told.values():
            return
        code = _commonest(told)
        if code == NONCE_TOO_LOW and await self._is_known(transaction.tx_hash):
            return
        quorum = 1 if self._relay is not None else self._chain.settings.quorum
        if len(told) >= quorum:
            raise Rejected(code, f"no endpoint takes the transaction ({_list(told)})")
        if not told and all(why in _NOT_SENT for why in silent.values()):
            raise Unavailable(f"no endpoint is there to take the transaction ({_list(silent)})")
        raise Unknown(f"no endpoint says that it took the transaction ({_list(silent | told)})")

    async def _is_known(self, tx_hash: str) -> bool:
        """Say whether the nonce was used by this very transaction."""

        async def ask(client: Client) -> bool:
            return await client.request("eth_getTransactionByHash", tx_hash) is not None

        with contextlib.suppress(Unavailable), asking():
            return (await self._chain.endpoints.agree(ask)).answer
        return False


# Why an endpoint surely never had the bytes.
_NOT_SENT = frozenset({"ClientConnectorError", "ClientConnectorDNSError", "ConnectionRefusedError", "another chain"})


def _relay(chain: Chain, settings: SendingSettings) -> Endpoints:
    if settings.relay is None:
        raise AssertionError("asked for a relay that is not configured")
    ours = chain.settings
    return Endpoints(
        RpcSettings(
            endpoints=(settings.relay,),
            quorum=1,
            chain_id=ours.chain_id,
            ca_file=ours.ca_file,
            timeout_ms=ours.timeout_ms,
        )
    )


def _commonest(told: Mapping[str, str]) -> str:
    """Return what most say; of equals the first in the alphabet, so that the same answers give the same code."""
    return min(Counter(told.values()).items(), key=lambda item: (-item[1], item[0]), default=("", 0))[0]


def _list(told: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {why}" for name, why in sorted(told.items()))
