"""JSON-RPC's methods over the chain, as one endpoint sees it: an endpoint may be blocks behind.

Called from the chain's thread only.
"""

import statistics
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from eth_hash.auto import keccak

from adapters.simulators.chain.blocks import Block
from adapters.simulators.chain.calls import Call, estimate, run
from adapters.simulators.chain.chain import Chain
from adapters.simulators.chain.evm import ValidationError, rlp
from adapters.simulators.chain.filters import read_filter
from adapters.simulators.chain.refused import INVALID_PARAMS, LIMIT_EXCEEDED, METHOD_NOT_FOUND, PRUNED, Refused
from adapters.simulators.chain.shapes import (
    Json,
    block_json,
    data,
    read_address,
    read_call,
    read_data,
    read_hash,
    read_quantity,
    receipt_json,
    transaction_json,
)

CLIENT = "BallastDevelopmentChain/1/py-evm"
LOG_BLOCKS_MAX = 10_000
LOGS_MAX = 10_000
FEE_HISTORY_BLOCKS_MAX = 1_024
PERCENTILES_MAX = 100
PERCENT_MAX = 100.0
CALLS_KEPT = 2_048
ERROR_CHARACTERS_MAX = 200
TIP_WEI = 10**9
TIPS_OF_BLOCKS = 20
EPOCHS_TO_FINALITY = 2

Params = Sequence[Any]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Say how an endpoint sees the chain: so many blocks behind; a private one takes transactions without telling."""

    lag_blocks: int = 0
    private: bool = False


class Methods:
    """Answer methods. `epoch_blocks` behind the head is safe, twice as many is final."""

    def __init__(self, chain: Chain, *, epoch_blocks: int) -> None:
        self._chain = chain
        self._history = chain.history
        self._epoch_blocks = epoch_blocks
        self._calls: OrderedDict[tuple[bytes, bytes, Call], bytes | Refused] = OrderedDict()
        self._table: Mapping[str, Callable[[Seen, Params], Any]] = {
            "eth_chainId": lambda _, __: hex(chain.terms.chain_id),
            "net_version": lambda _, __: str(chain.terms.chain_id),
            "net_listening": lambda _, __: True,
            "web3_clientVersion": lambda _, __: CLIENT,
            "eth_syncing": lambda _, __: False,
            "eth_accounts": lambda _, __: [],
            "eth_blockNumber": lambda seen, _: hex(self._head(seen).number),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getTransactionCount": self._transaction_count,
            "eth_getBalance": lambda seen, params: hex(self._state(seen, params, 1).get_balance(_address(params))),
            "eth_getCode": lambda seen, params: data(self._state(seen, params, 1).get_code(_address(params))),
            "eth_getStorageAt": self._storage_at,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_gasPrice": lambda seen, _: hex(self._next_base_fee(seen) + self._tip(seen)),
            "eth_maxPriorityFeePerGas": lambda seen, _: hex(self._tip(seen)),
            "eth_feeHistory": self._fee_history,
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getLogs": self._logs,
        }

    def answer(self, seen: Seen, method: str, params: Params) -> Any:
        """Return a method's result. Raise Refused when it has none."""
        found = self._table.get(method)
        if found is None:
            raise Refused(f"the method {method[:64]} does not exist/is not available", code=METHOD_NOT_FOUND)
        try:
            return found(seen, params)
        except IndexError:
            raise Refused("missing value for required argument", code=INVALID_PARAMS) from None
        except ValidationError as error:
            raise Refused(f"invalid argument: {error}"[:ERROR_CHARACTERS_MAX], code=INVALID_PARAMS) from error

    def _head(self, seen: Seen) -> Block:
        chain = self._history
        return chain.block(max(chain.first.number, chain.head.number - seen.lag_blocks)) or chain.head

    def _named(self, seen: Seen, name: object) -> Block | None:
        """Return the block of a tag, a number, or EIP-1898's object; None when there is none."""
        head = self._head(seen)
        if isinstance(name, dict):
            if "blockHash" not in name:
                return self._named(seen, name.get("blockNumber"))
            found = self._history.known(read_hash(name["blockHash"]))
            if found is not None and name.get("requireCanonical") and not self._history.is_canonical(found):
                raise Refused("hash is not currently canonical")
            return found
        match name:
            case "latest" | "pending" | None:
                return head
            case "earliest":
                number = 0
            case "safe":
                number = max(0, head.number - self._epoch_blocks)
            case "finalized":
                number = max(0, head.number - EPOCHS_TO_FINALITY * self._epoch_blocks)
            case _:
                number = read_quantity(name)
        if number < self._history.first.number:
            raise Refused("pruned history unavailable", code=PRUNED)
        return None if number > head.number else self._history.block(number)

    def _state(self, seen: Seen, params: Params, at: int) -> Any:
        return self._chain.view(self._needed(seen, params, at))

    def _needed(self, seen: Seen, params: Params, at: int) -> Block:
        found = self._named(seen, params[at] if len(params) > at else "latest")
        if found is None:
            raise Refused("header not found")
        return found

    def _block_by_number(self, seen: Seen, params: Params) -> Json | None:
        if params[0] == "pending":
            return self._pending(seen, full=_full(params))
        found = self._named(seen, params[0])
        return None if found is None else block_json(found, full=_full(params))

    def _pending(self, seen: Seen, *, full: bool) -> Json:
        head = self._head(seen)
        fee = self._next_base_fee(seen)
        waiting = [each for each in self._chain.pool.candidates(fee) if not self._chain.pool.is_private(each.tx_hash)]
        return {
            **block_json(head, full=False),
            "number": hex(head.number + 1),
            "hash": None,
            "parentHash": data(head.block_hash),
            "timestamp": hex(max(self._chain.terms.clock_s(), head.timestamp_s + 1)),
            "baseFeePerGas": hex(fee),
            "transactions": [transaction_json(each, None, None) if full else data(each.tx_hash) for each in waiting],
        }

    def _block_by_hash(self, seen: Seen, params: Params) -> Json | None:
        found = self._history.known(read_hash(params[0]))
        too_new = found is not None and found.number > self._head(seen).number
        return None if found is None or too_new else block_json(found, full=_full(params))

    def _block_receipts(self, seen: Seen, params: Params) -> list[Json] | None:
        found = self._named(seen, params[0])
        return None if found is None else [_receipt(found, index) for index in range(len(found.included))]

    def _transaction_count(self, seen: Seen, params: Params) -> str:
        address = _address(params)
        nonce = self._state(seen, params, 1).get_nonce(address)
        if len(params) > 1 and params[1] == "pending":
            nonce = self._chain.pool.next_nonce(address, nonce, private_too=seen.private)
        return hex(nonce)

    def _storage_at(self, seen: Seen, params: Params) -> str:
        value = self._state(seen, params, 2).get_storage(_address(params), read_quantity(params[1]))
        return data(value.to_bytes(32, "big"))

    def _call(self, seen: Seen, params: Params) -> str:
        call, block = read_call(params[0]), self._needed(seen, params, 1)
        key = (block.block_hash, block.root, call)
        kept = self._calls.get(key)
        if kept is None:
            try:
                kept = run(self._chain.view(block), call)
            except Refused as refused:
                kept = refused.with_traceback(None)
            self._calls[key] = kept
            if len(self._calls) > CALLS_KEPT:
                self._calls.popitem(last=False)
        if isinstance(kept, Refused):
            raise Refused(kept.message, code=kept.code, data=kept.data)
        return data(kept)

    def _estimate(self, seen: Seen, params: Params) -> str:
        block = self._needed(seen, params, 1)
        return hex(estimate(self._chain.view(block), read_call(params[0]), block.gas_limit))

    def _send(self, seen: Seen, params: Params) -> str:
        return data(self._chain.send(read_data(params[0]), private=seen.private).tx_hash)

    def _transaction(self, seen: Seen, params: Params) -> Json | None:
        tx_hash = read_hash(params[0])
        place = self._history.place(tx_hash)
        if place is not None and place[0].number <= self._head(seen).number:
            return transaction_json(place[1].signed, place[0], place[0].included.index(place[1]))
        if place is not None:
            return transaction_json(place[1].signed, None, None)
        waits = self._chain.pool.get(tx_hash, private_too=seen.private)
        return None if waits is None else transaction_json(waits, None, None)

    def _receipt(self, seen: Seen, params: Params) -> Json | None:
        place = self._history.place(read_hash(params[0]))
        if place is None or place[0].number > self._head(seen).number:
            return None
        return _receipt(place[0], place[0].included.index(place[1]))

    def _logs(self, seen: Seen, params: Params) -> list[Json]:
        wanted = read_filter(params[0])
        if "blockHash" in params[0]:
            found = self._history.known(read_hash(params[0]["blockHash"]))
            if found is None:
                raise Refused("unknown block")
            return list(wanted.found(found))
        head = self._head(seen)
        first = self._named(seen, params[0].get("fromBlock", "latest"))
        last = self._named(seen, params[0].get("toBlock", "latest")) or head
        if first is None:
            return []
        if last.number - first.number >= LOG_BLOCKS_MAX:
            raise Refused(f"exceed maximum block range: {LOG_BLOCKS_MAX}", code=LIMIT_EXCEEDED)
        logs: list[Json] = []
        for number in range(first.number, last.number + 1):
            block = self._history.block(number)
            if block is not None and block.included:
                logs.extend(wanted.found(block))
            if len(logs) > LOGS_MAX:
                raise Refused(f"query returned more than {LOGS_MAX} results", code=LIMIT_EXCEEDED)
        return logs

    def _next_base_fee(self, seen: Seen) -> int:
        return self._chain.base_fee_after(self._head(seen))

    def _tip(self, seen: Seen) -> int:
        """Return the median tip of the newest blocks' transactions."""
        head = self._head(seen)
        tips = [
            each.signed.tip_wei(block.base_fee_wei)
            for number in range(max(0, head.number - TIPS_OF_BLOCKS), head.number + 1)
            if (block := self._history.block(number)) is not None
            for each in block.included
        ]
        return max(1, statistics.median_low(tips)) if tips else TIP_WEI

    def _fee_history(self, seen: Seen, params: Params) -> Json:
        count = params[0] if isinstance(params[0], int) else read_quantity(params[0])
        newest = self._needed(seen, params, 1)
        percentiles = params[2] if len(params) > 2 and params[2] is not None else None  # noqa: PLR2004 - the third of three
        if percentiles is not None and not _are_percentiles(percentiles):
            raise Refused("invalid reward percentile", code=INVALID_PARAMS)
        count = max(0, min(count, FEE_HISTORY_BLOCKS_MAX, newest.number - self._history.first.number + 1))
        numbers = range(newest.number - count + 1, newest.number + 1)
        blocks = [block for number in numbers if (block := self._history.block(number)) is not None]
        fees = [block.base_fee_wei for block in blocks] + [self._chain.base_fee_after(newest)]
        history: Json = {
            "oldestBlock": hex(blocks[0].number if blocks else newest.number),
            "baseFeePerGas": [hex(fee) for fee in fees],
            "gasUsedRatio": [block.gas_used / block.gas_limit for block in blocks],
        }
        if percentiles:
            history["reward"] = [_rewards(block, percentiles) for block in blocks]
        return history


def _address(params: Params) -> bytes:
    return read_address(params[0])


def _full(params: Params) -> bool:
    return len(params) > 1 and params[1] is True


def _receipt(block: Block, index: int) -> Json:
    included = block.included[index]
    signed = included.signed
    made = None if signed.to else bytes(keccak(rlp.encode([signed.sender, signed.nonce])))[-20:]
    return receipt_json(included, block, index, made)


def _are_percentiles(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= PERCENTILES_MAX
        and all(isinstance(each, int | float) and 0 <= each <= PERCENT_MAX for each in value)
        and value == sorted(value)
    )


def _rewards(block: Block, percentiles: list[float]) -> list[str]:
    """Return the tips that so many percent of a block's gas paid no more than."""
    paid = sorted((each.signed.tip_wei(block.base_fee_wei), each.gas_used) for each in block.included)
    rewards: list[str] = []
    for percentile in percentiles:
        sum_gas, chosen = 0, 0
        for tip, gas in paid:
            sum_gas, chosen = sum_gas + gas, tip
            if sum_gas >= block.gas_used * percentile / PERCENT_MAX:
                break
        rewards.append(hex(chosen))
    return rewards
