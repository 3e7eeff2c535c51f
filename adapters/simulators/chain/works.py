"""Transactions in a row, many to a block, each seen to succeed: what a deployment is made of."""

from collections.abc import Sequence
from typing import Any, Protocol

from eth_hash.auto import keccak

from adapters.simulators.chain.signing import Account, encode

GWEI = 10**9
TIP_WEI = GWEI
CALL_GAS = 1_500_000
WORD_BYTES = 32
BLOCKS_TO_SETTLE_MAX = 64
SENT_AT_ONCE_MAX = 48
# Calls whom the first word of the call's data names with the rest of it, and fails when that fails.
FORWARDER = "0x6020360360206000376000600060203603600060006000355af115601f57005b60006000fd"


class Target(Protocol):
    """What the transactions are sent to: a node that lets its administrator make blocks and set accounts."""

    async def rpc(self, method: str, *params: Any) -> Any:
        """Return a method's result."""
        ...

    async def mine(self) -> None:
        """Make a block of what waits."""
        ...

    async def set_balance(self, address: str, wei: int) -> None:
        """Give an account ether."""
        ...

    async def set_code(self, address: str, code: str) -> None:
        """Put code at an address."""
        ...


class Works:
    """Send transactions of one sender. `open` first; `settle` before anything rests on what was sent."""

    def __init__(self, target: Target, key: str) -> None:
        self.target = target
        self.sender = address_of(key)
        self._key = key
        self._nonce = self._chain_id = 0
        self._sent: list[tuple[str, str]] = []

    async def open(self) -> int:
        """Ask where the chain and the sender stand; return the chain's id."""
        self._chain_id = int(await self.target.rpc("eth_chainId"), 16)
        self._nonce = int(await self.target.rpc("eth_getTransactionCount", self.sender, "pending"), 16)
        return self._chain_id

    async def ask(self, to: str, signature: str, *arguments: Any) -> bytes:
        """Return what a call returns."""
        call = {"from": self.sender, "to": to, "data": data_of(signature, *arguments)}
        return bytes.fromhex((await self.target.rpc("eth_call", call, "latest"))[2:])

    async def do(self, to: str, signature: str, *arguments: Any, value: int = 0) -> None:
        """Send a call."""
        await self.send(to, data_of(signature, *arguments), what=signature, value=value)

    async def do_as(self, account: str, calls: Sequence[tuple[str, str, Sequence[Any]]]) -> None:
        """Have an account without code make calls, whoever has its key: it forwards ours for a moment."""
        await self.settle()
        await self.target.set_code(account, FORWARDER)
        for to, signature, arguments in calls:
            forwarded = f"0x{to[2:]:0>64}{data_of(signature, *arguments)[2:]}"
            await self.send(account, forwarded, what=signature)
        await self.settle()
        await self.target.set_code(account, "0x")

    async def send(self, to: str | None, data: str, *, what: str, value: int = 0, gas: int = CALL_GAS) -> str:
        """Sign and send a transaction, to nobody for a creation; return its hash."""
        if len(self._sent) >= SENT_AT_ONCE_MAX:
            await self.settle()
        rpc = self.target.rpc
        newest = await rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 - JSON-RPC's parameter has no name
        fields = {
            "chainId": self._chain_id,
            "nonce": self._nonce,
            "data": data,
            "value": value,
            "gas": gas,
            "maxFeePerGas": 4 * int(newest["baseFeePerGas"], 16) + TIP_WEI,
            "maxPriorityFeePerGas": TIP_WEI,
            **({} if to is None else {"to": _checksummed(to)}),
        }
        raw = bytes(Account.sign_transaction(fields, self._key).raw_transaction)
        tx_hash = str(await rpc("eth_sendRawTransaction", f"0x{raw.hex()}"))
        self._nonce += 1
        self._sent.append((tx_hash, what))
        return tx_hash

    async def settle(self) -> None:
        """Make blocks until everything sent is in one, and see that it succeeded."""
        for _ in range(BLOCKS_TO_SETTLE_MAX):
            waiting: list[tuple[str, str]] = []
            for tx_hash, what in self._sent:
                receipt = await self.target.rpc("eth_getTransactionReceipt", tx_hash)
                if receipt is None:
                    waiting.append((tx_hash, what))
                elif receipt["status"] != "0x1":
                    raise RuntimeError(f"the deployment's transaction failed: {what}")
            self._sent = waiting
            if not waiting:
                return
            await self.target.mine()
        raise RuntimeError(f"the deployment's transactions are not mined: {[what for _, what in self._sent]}")


def address_of(key: str) -> str:
    """Return a private key's address in lower case."""
    return str(Account.from_key(key).address).lower()


def data_of(signature: str, *arguments: Any) -> str:
    """Return a call's data; the types are those that the signature names."""
    types = signature[signature.index("(") :]
    return f"0x{(keccak(signature.encode())[:4] + encoded(types, arguments)).hex()}"


def encoded(types: str, values: Sequence[Any]) -> bytes:
    """Return a tuple's values as arguments are coded: without the offset that it would have as a value of its own."""
    if not values:
        return b""
    coded = encode([types], [tuple(values)])
    is_dynamic = "string" in types or "[]" in types
    return coded[WORD_BYTES:] if is_dynamic else coded


def _checksummed(address: str) -> str:
    """Return an address as eth_account wants it: a transaction's `to` is checked for its capitals."""
    digits = address.lower().removeprefix("0x")
    hashed = keccak(digits.encode()).hex()
    pairs = zip(digits, hashed, strict=False)
    return "0x" + "".join(digit.upper() if int(check, 16) > 7 else digit for digit, check in pairs)  # noqa: PLR2004 - EIP-55
