"""What can be made to go wrong at an endpoint, and lies.

`timeout` never answers; `reset` drops the connection with nothing done, `lost` after it is done; `html`, `truncate`,
`rate_limited` and `error` answer so; `lag` is so many blocks behind, `stranger` is of another chain, `lie` tells other
values; `swallow` acknowledges transactions and forgets them; `refuse_websocket` takes no new WebSocket and drops those
there are.
"""

from collections import Counter
from typing import Any, Literal

import msgspec
from eth_hash.auto import keccak

FaultKind = Literal[
    "timeout",
    "reset",
    "lost",
    "html",
    "truncate",
    "rate_limited",
    "error",
    "lag",
    "stranger",
    "lie",
    "swallow",
    "refuse_websocket",
]
ANY = "*"
ARMED_MAX = 1_000
LAG_BLOCKS_MAX = 10_000
BOASTED_BLOCKS = 1_000
WORD_BYTES = 32
LIE_PARTS = 20
"""A lie about a number is a twentieth of it more, and at least one."""


class ChainFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a fault at an endpoint, for a method, `times` times or `for_ms`; with neither, until it is cleared."""

    kind: FaultKind
    endpoint: str = ANY
    method: str = ANY
    times: int | None = None
    for_ms: int | None = None
    lag_blocks: int = 5

    def check(self) -> None:
        """Raise ValueError when it asks for nonsense."""
        if (self.times is not None and self.times < 1) or (self.for_ms is not None and self.for_ms < 1):
            raise ValueError("times and for_ms are at least 1")
        if not 0 < self.lag_blocks <= LAG_BLOCKS_MAX:
            raise ValueError(f"lag_blocks is 1 to {LAG_BLOCKS_MAX}")


class _Armed:
    def __init__(self, fault: ChainFault, now_ms: int) -> None:
        self.fault = fault
        self.until_ms = None if fault.for_ms is None else now_ms + fault.for_ms
        self.left = fault.times

    def is_spent(self, now_ms: int) -> bool:
        return self.left == 0 or (self.until_ms is not None and now_ms >= self.until_ms)


class ChainFaults:
    """Hold the armed faults of every endpoint and count those that happened."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self.counts: Counter[str] = Counter()

    def arm(self, fault: ChainFault, now_ms: int) -> None:
        """Arm one more. Raise ValueError when it or their number is nonsense."""
        fault.check()
        self._armed = [armed for armed in self._armed if not armed.is_spent(now_ms)]
        if len(self._armed) >= ARMED_MAX:
            raise ValueError(f"more than {ARMED_MAX} faults are armed")
        self._armed.append(_Armed(fault, now_ms))

    def clear(self) -> None:
        """Disarm everything; what happened stays counted."""
        self._armed.clear()

    def take(self, kinds: tuple[FaultKind, ...], endpoint: str, method: str, now_ms: int) -> ChainFault | None:
        """Return the fault that happens here and now, if any; spend and count it."""
        for armed in self._armed:
            fault = armed.fault
            here = fault.endpoint in {endpoint, ANY} and fault.method in {method, ANY}
            if here and fault.kind in kinds and not armed.is_spent(now_ms):
                if armed.left is not None:
                    armed.left -= 1
                self.counts[f"{endpoint} {fault.kind}"] += 1
                return fault
        return None


def lied(method: str, result: Any) -> Any:
    """Return another value in a true one's place, of the same shape."""
    match method, result:
        case "eth_blockNumber", str():
            return hex(int(result, 16) + BOASTED_BLOCKS)
        case "eth_getCode", str():
            return "0x"
        case "eth_call", str():
            return _other_word(result)
        case "eth_getLogs", list():
            return []
        case "eth_getTransactionReceipt", dict():
            other = "0x0" if result["status"] == "0x1" else "0x1"
            return {**result, "status": other, "blockHash": _other_hash(result["blockHash"])}
        case "eth_getBlockByNumber" | "eth_getBlockByHash", {"hash": str() as told}:
            return {**result, "hash": _other_hash(told)}
        case "eth_getBalance" | "eth_getTransactionCount" | "eth_gasPrice" | "eth_estimateGas", str():
            return hex(_more(int(result, 16)))
        case _:
            return result


def _more(value: int) -> int:
    return value + max(1, value // LIE_PARTS)


def _other_word(result: str) -> str:
    """Change the last word of what a call returned."""
    told = bytes.fromhex(result[2:])
    last = int.from_bytes(told[-WORD_BYTES:], "big")
    changed = (_more(last) % 2 ** (8 * WORD_BYTES)).to_bytes(WORD_BYTES, "big")
    return f"0x{(told[:-WORD_BYTES] + changed).hex()}"


def _other_hash(told: str) -> str:
    return f"0x{keccak(told.encode()).hex()}"
