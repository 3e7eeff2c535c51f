"""Blocks, transactions, receipts and logs as JSON-RPC shows them, and the reading of its parameters."""

from typing import Any

from adapters.simulators.chain.blocks import Block, Included, Log
from adapters.simulators.chain.calls import GAS_MAX, Call
from adapters.simulators.chain.evm import PragueBlockHeader, rlp
from adapters.simulators.chain.refused import INVALID_PARAMS, Refused
from adapters.simulators.chain.transactions import LEGACY, Signed

Json = dict[str, Any]
ADDRESS_BYTES = 20
HASH_BYTES = 32
QUANTITY_DIGITS_MAX = 64
ZERO_ADDRESS = bytes(ADDRESS_BYTES)


def data(value: bytes) -> str:
    """Return bytes as hex with 0x."""
    return f"0x{value.hex()}"


def read_data(value: object, size: int | None = None) -> bytes:
    """Return the bytes of hex with 0x. Raise Refused when it is none, or not of that size."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise Refused("invalid argument: hex string without 0x prefix", code=INVALID_PARAMS)
    try:
        read = bytes.fromhex(value[2:])
    except ValueError:
        raise Refused("invalid argument: not hex", code=INVALID_PARAMS) from None
    if size is not None and len(read) != size:
        raise Refused(f"invalid argument: hex string has {len(read)} bytes, want {size}", code=INVALID_PARAMS)
    return read


def read_address(value: object) -> bytes:
    """Return an address."""
    return read_data(value, ADDRESS_BYTES)


def read_hash(value: object) -> bytes:
    """Return a hash."""
    return read_data(value, HASH_BYTES)


def read_quantity(value: object) -> int:
    """Return a number given as hex with 0x."""
    if not isinstance(value, str) or not value.startswith("0x") or not 0 < len(value) - 2 <= QUANTITY_DIGITS_MAX:
        raise Refused("invalid argument: not a quantity", code=INVALID_PARAMS)
    try:
        return int(value, 16)
    except ValueError:
        raise Refused("invalid argument: not a quantity", code=INVALID_PARAMS) from None


def read_call(value: object) -> Call:
    """Return the call that `eth_call` and `eth_estimateGas` get."""
    if not isinstance(value, dict):
        raise Refused("invalid argument 0: not an object", code=INVALID_PARAMS)
    given: dict[str, object] = {str(key): each for key, each in value.items() if each is not None}
    body = given.get("input", given.get("data", "0x"))
    return Call(
        sender=read_address(given["from"]) if "from" in given else ZERO_ADDRESS,
        to=read_address(given["to"]) if "to" in given else b"",
        data=read_data(body),
        value=read_quantity(given.get("value", "0x0")),
        gas=read_quantity(given["gas"]) if "gas" in given else GAS_MAX,
    )


def block_json(block: Block, *, full: bool) -> Json:
    """Return a block, with its transactions whole or as hashes."""
    transactions = [
        transaction_json(each.signed, block, index) if full else data(each.tx_hash)
        for index, each in enumerate(block.included)
    ]
    size = len(block.header) + sum(len(each.raw) for each in block.included)
    return {**header_json(block), "size": hex(size), "transactions": transactions, "uncles": [], "withdrawals": []}


def header_json(block: Block) -> Json:
    """Return a block's header, as `newHeads` tells it."""
    header: Any = rlp.decode(block.header, sedes=PragueBlockHeader)
    return {
        "number": hex(block.number),
        "hash": data(block.block_hash),
        "parentHash": data(block.parent_hash),
        "sha3Uncles": data(header.uncles_hash),
        "miner": data(header.coinbase),
        "stateRoot": data(header.state_root),
        "transactionsRoot": data(header.transaction_root),
        "receiptsRoot": data(header.receipt_root),
        "logsBloom": data(block.bloom),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "gasLimit": hex(block.gas_limit),
        "gasUsed": hex(block.gas_used),
        "timestamp": hex(block.timestamp_s),
        "extraData": data(header.extra_data),
        "mixHash": data(header.mix_hash),
        "nonce": data(header.nonce),
        "baseFeePerGas": hex(block.base_fee_wei),
        "withdrawalsRoot": data(header.withdrawals_root),
        "blobGasUsed": hex(header.blob_gas_used),
        "excessBlobGas": hex(header.excess_blob_gas),
        "parentBeaconBlockRoot": data(header.parent_beacon_block_root),
        "requestsHash": data(header.requests_hash),
    }


def transaction_json(signed: Signed, block: Block | None, index: int | None) -> Json:
    """Return a transaction, where it is included or, without a block, as it waits."""
    price = signed.max_fee if block is None else signed.price_wei(block.base_fee_wei)
    shown: Json = {
        "blockHash": None if block is None else data(block.block_hash),
        "blockNumber": None if block is None else hex(block.number),
        "transactionIndex": None if index is None else hex(index),
        "from": data(signed.sender),
        "gas": hex(signed.gas),
        "gasPrice": hex(price),
        "hash": data(signed.tx_hash),
        "input": data(signed.data),
        "nonce": hex(signed.nonce),
        "to": data(signed.to) if signed.to else None,
        "value": hex(signed.value),
        "type": hex(signed.type_id),
        "chainId": None if signed.chain_id is None else hex(signed.chain_id),
        "r": hex(signed.r),
        "s": hex(signed.s),
    }
    if signed.type_id == LEGACY:
        return {**shown, "v": hex(signed.y_parity + (27 if signed.chain_id is None else 35 + 2 * signed.chain_id))}
    listed = [
        {"address": data(address), "storageKeys": [data(key.to_bytes(32, "big")) for key in keys]}
        for address, keys in signed.access_list
    ]
    return {
        **shown,
        "v": hex(signed.y_parity),
        "yParity": hex(signed.y_parity),
        "accessList": listed,
        "maxFeePerGas": hex(signed.max_fee),
        "maxPriorityFeePerGas": hex(signed.priority_fee),
    }


def receipt_json(included: Included, block: Block, index: int, created: bytes | None) -> Json:
    """Return a receipt; `created` is the address of a contract that it made."""
    signed = included.signed
    return {
        "transactionHash": data(included.tx_hash),
        "transactionIndex": hex(index),
        "blockHash": data(block.block_hash),
        "blockNumber": hex(block.number),
        "from": data(signed.sender),
        "to": data(signed.to) if signed.to else None,
        "contractAddress": None if created is None else data(created),
        "status": "0x1" if included.succeeded else "0x0",
        "type": hex(signed.type_id),
        "gasUsed": hex(included.gas_used),
        "cumulativeGasUsed": hex(included.gas_cumulative),
        "effectiveGasPrice": hex(signed.price_wei(block.base_fee_wei)),
        "logsBloom": data(included.bloom),
        "logs": [
            log_json(log, included, block, index, included.first_log + at) for at, log in enumerate(included.logs)
        ],
    }


def log_json(
    log: Log, included: Included, block: Block, tx_index: int, log_index: int, *, removed: bool = False
) -> Json:
    """Return a log and its place."""
    return {
        "address": data(log.address),
        "topics": [data(topic) for topic in log.topics],
        "data": data(log.data),
        "blockNumber": hex(block.number),
        "blockHash": data(block.block_hash),
        "blockTimestamp": hex(block.timestamp_s),
        "transactionHash": data(included.tx_hash),
        "transactionIndex": hex(tx_index),
        "logIndex": hex(log_index),
        "removed": removed,
    }
