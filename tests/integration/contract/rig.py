"""An EVM in the hand: accounts, a block number and a clock that stand until they are moved, no node and no blocks.

A call is a message at the top of a transaction: it either leaves its changes and logs or raises `Reverted`.
"""

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from eth.exceptions import Revert
from eth.vm.chain_context import ChainContext
from eth.vm.forks.prague import PragueVM
from eth.vm.message import Message
from eth_abi.abi import decode, encode
from eth_hash.auto import keccak
from eth_typing import Address

GAS = 30_000_000
START = 1_800_000_000
CANONICAL = Path(__file__).parents[3] / "adapters" / "chain" / "abi.json"
Abi = Sequence[dict[str, Any]]


@cache
def canonical_abi() -> Abi:
    return json.loads(CANONICAL.read_text())


def type_of(argument: dict[str, Any]) -> str:
    kind = str(argument["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(type_of, argument['components']))}){kind.removeprefix('tuple')}"


def signature_of(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(map(type_of, entry['inputs']))})"


def selector_of(entry: dict[str, Any]) -> bytes:
    return keccak(signature_of(entry).encode())[:4]


def topic_of(entry: dict[str, Any]) -> bytes:
    return keccak(signature_of(entry).encode())


class Reverted(Exception):
    """Hold why a call failed: an error's name, "Error: text", "Panic: code", or "" where nothing was said."""

    @property
    def reason(self) -> str:
        return str(self.args[0])


@cache
def _error_names() -> dict[bytes, str]:
    names = {selector_of(entry): str(entry["name"]) for entry in canonical_abi() if entry["type"] == "error"}
    return names | {keccak(b"OnlyMinter()")[:4]: "OnlyMinter"}


def reason_of(data: bytes) -> str:
    """Say what a revert's bytes say."""
    if not data:
        return ""
    if data[:4] == keccak(b"Error(string)")[:4]:
        return f"Error: {decode(['string'], data[4:])[0]}"
    if data[:4] == keccak(b"Panic(uint256)")[:4]:
        return f"Panic: {decode(['uint256'], data[4:])[0]}"
    return _error_names()[data]


class Log(NamedTuple):
    address: str
    topics: tuple[bytes, ...]
    data: bytes


class Outcome(NamedTuple):
    output: bytes
    logs: tuple[Log, ...]
    gas_used: int


class Evm:
    """Hold accounts at one state, and run messages on them."""

    def __init__(self, chain_id: int = 31337) -> None:
        self._chain = ChainContext(chain_id)
        self._database = AtomicDB(MemoryDB())
        self._header = PragueVM.create_genesis_header(timestamp=START, gas_limit=GAS, base_fee_per_gas=0)
        self._header = self._header.copy(state_root=BLANK_ROOT_HASH)
        self.state: Any = PragueVM.build_state(self._database, self._header, self._chain, ())
        self._created = 0
        self._inside = False
        self.move(number=1, timestamp=START)

    @property
    def timestamp(self) -> int:
        return int(self.state.timestamp)

    @property
    def number(self) -> int:
        return int(self.state.block_number)

    def move(self, *, number: int | None = None, timestamp: int | None = None) -> None:
        """Stand at another block, or another time."""
        self._header = self._header.copy(
            block_number=self.number if number is None else number,
            timestamp=self.timestamp if timestamp is None else timestamp,
        )
        self.state.execution_context = PragueVM.create_execution_context(self._header, (), self._chain)

    @contextmanager
    def rewound(self) -> Generator[None]:
        """Take back whatever happens inside."""
        number, timestamp = self.number, self.timestamp
        snapshot = self.state.snapshot()
        try:
            yield
        finally:
            self.state.revert(snapshot)
            self.move(number=number, timestamp=timestamp)

    @contextmanager
    def one_transaction(self) -> Generator[None]:
        """Make the calls inside in one transaction: what is transient stays until its end."""
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            self.state.clear_transient_storage()

    def create(self, sender: str, code: bytes) -> str:
        self._created += 1
        address = keccak(b"created" + self._created.to_bytes(4, "big"))[-20:]
        self._run(sender, b"", b"", code, create_address=address)
        return "0x" + address.hex()

    def send(self, sender: str, to: str, data: bytes, ether: int = 0) -> Outcome:
        address = bytes.fromhex(to[2:])
        return self._run(sender, address, data, self.state.get_code(address), ether=ether)

    def balance(self, account: str) -> int:
        return int(self.state.get_balance(bytes.fromhex(account[2:])))

    def give(self, account: str, ether: int) -> None:
        self.state.set_balance(bytes.fromhex(account[2:]), ether)

    def _run(self, sender: str, to: bytes, data: bytes, code: bytes, *, ether: int = 0, create_address: Any = None):
        origin = Address(bytes.fromhex(sender[2:]))
        message = Message(GAS, Address(to), origin, ether, data, code, create_address=create_address)
        context = self.state.get_transaction_context_class()(gas_price=0, origin=origin)
        kind = self.state.computation_class
        run = kind.apply_message if create_address is None else kind.apply_create_message
        done = run(self.state, message, context)
        if not self._inside:
            self.state.clear_transient_storage()
        if done.is_error:
            if not isinstance(done.error, Revert):
                raise done.error
            raise Reverted(reason_of(done.output))
        logs = tuple(
            Log("0x" + address.hex(), tuple(topic.to_bytes(32, "big") for topic in topics), bytes(words))
            for address, topics, words in done.get_log_entries()
        )
        return Outcome(bytes(done.output), logs, GAS - done.get_gas_remaining())


class Contract:
    """Speak to one contract by its ABI: `ask` answers and changes nothing, `send` changes and answers its logs."""

    def __init__(self, evm: Evm, address: str, abi: Abi) -> None:
        self.evm = evm
        self.address = address
        self.abi = abi
        self._functions = {entry["name"]: entry for entry in abi if entry["type"] == "function"}
        self._events = {topic_of(entry): entry for entry in abi if entry["type"] == "event"}

    def data(self, name: str, *values: Any) -> bytes:
        entry = self._functions[name]
        return selector_of(entry) + encode([type_of(each) for each in entry["inputs"]], values)

    def send(self, sender: str, name: str, *values: Any, ether: int = 0) -> Outcome:
        return self.evm.send(sender, self.address, self.data(name, *values), ether)

    def ask(self, name: str, *values: Any, sender: str = "0x" + 40 * "0") -> Any:
        with self.evm.rewound():
            output = self.evm.send(sender, self.address, self.data(name, *values)).output
        found = decode([type_of(each) for each in self._functions[name]["outputs"]], output)
        return found[0] if len(found) == 1 else found

    def events(self, outcome: Outcome) -> list[tuple[str, dict[str, Any]]]:
        """Return this contract's logs, named; an indexed text is its hash."""
        return [self._event(log) for log in outcome.logs if log.address == self.address]

    def _event(self, log: Log) -> tuple[str, dict[str, Any]]:
        entry = self._events[log.topics[0]]
        inputs: list[dict[str, Any]] = entry["inputs"]
        plain = [each for each in inputs if not each["indexed"]]
        values = dict(
            zip((each["name"] for each in plain), decode([type_of(each) for each in plain], log.data), strict=True)
        )
        indexed = [each for each in inputs if each["indexed"]]
        for each, topic in zip(indexed, log.topics[1:], strict=True):
            kind = "bytes32" if each["type"] == "string" else each["type"]
            values[each["name"]] = decode([kind], topic)[0]
        return entry["name"], values
