"""What `eth_call` and `eth_estimateGas` run: a message against a state, whose changes are undone."""

from typing import Any

import msgspec
from eth_hash.auto import keccak

from adapters.simulators.chain.evm import Message, Revert, State, ValidationError, VMError, rlp
from adapters.simulators.chain.refused import REVERTED, Refused

GAS_MAX = 50_000_000
TRANSACTION_GAS = 21_000
CREATION_GAS = 32_000
ZERO_BYTE_GAS, BYTE_GAS, FLOOR_TOKEN_GAS = 4, 16, 10
INITCODE_WORD_GAS = 2
WORD_BYTES = 32
# A call hands on at most 63 of 64 parts of its gas, so what is needed may be more than what is used.
ESTIMATES_MAX = 8
ERROR_SELECTOR = bytes.fromhex("08c379a0")
PANIC_SELECTOR = bytes.fromhex("4e487b71")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a call; `to` is empty for a creation, wei for value."""

    sender: bytes
    to: bytes
    data: bytes
    value: int = 0
    gas: int = GAS_MAX
    gas_price: int = 0


def run(state: State, call: Call) -> bytes:
    """Return what a call returns. Raise Refused when it fails, with the data of a revert."""
    computation = _computed(state, call, min(call.gas, GAS_MAX))
    _check(computation)
    return bytes(computation.output)


def estimate(state: State, call: Call, gas_limit: int) -> int:
    """Return gas that a transaction of this call succeeds with, little above the least. Raise Refused if it fails."""
    intrinsic, floor = _intrinsic_gas(call)
    most = min(call.gas, gas_limit)
    if intrinsic > most:
        raise Refused(f"gas required exceeds allowance ({most})")
    computation = _computed(state, call, most - intrinsic)
    _check(computation, most)
    wanted = most - int(computation.get_gas_remaining())
    for _ in range(ESTIMATES_MAX):
        if wanted >= most:
            break
        if not _computed(state, call, wanted - intrinsic).is_error:
            return max(wanted, floor)
        wanted = wanted * 64 // 63 + 1
    return max(most, floor)


def revert_message(output: bytes) -> str:
    """Return a revert's message as geth words it."""
    if output[:4] == ERROR_SELECTOR and len(output) >= 4 + 2 * WORD_BYTES:
        size = int.from_bytes(output[4 + WORD_BYTES : 4 + 2 * WORD_BYTES], "big")
        text = output[4 + 2 * WORD_BYTES :][:size].decode("utf-8", "replace")
        return f"execution reverted: {text}"
    if output[:4] == PANIC_SELECTOR and len(output) == 4 + WORD_BYTES:
        return f"execution reverted: panic code 0x{int.from_bytes(output[4:], 'big'):02x}"
    return "execution reverted"


def _check(computation: Any, gas: int | None = None) -> None:
    if not computation.is_error:
        return
    error = computation.error
    if isinstance(error, Revert):
        output = bytes(computation.output)
        raise Refused(revert_message(output), code=REVERTED, data=f"0x{output.hex()}") from error
    text = type(error).__name__
    if text == "OutOfGas":
        raise Refused("out of gas" if gas is None else f"gas required exceeds allowance ({gas})") from error
    if text == "InsufficientFunds":
        raise Refused("insufficient funds for transfer") from error
    raise Refused(f"{text}: {error}") from error


def _computed(state: State, call: Call, gas: int) -> Any:
    snapshot = state.snapshot()
    try:
        context = state.get_transaction_context_class()(gas_price=call.gas_price, origin=call.sender)
        state.mark_address_warm(call.sender)
        state.mark_address_warm(state.coinbase)
        if not call.to:
            nonce = state.get_nonce(call.sender)
            address = bytes(keccak(rlp.encode([call.sender, nonce])))[-20:]
            state.mark_address_warm(address)
            state.increment_nonce(call.sender)
            message = Message(
                gas=gas, to=b"", sender=call.sender, value=call.value, data=b"", code=call.data, create_address=address
            )
            return state.computation_class.apply_create_message(state, message, context)
        state.mark_address_warm(call.to)
        message = Message(
            gas=gas,
            to=call.to,
            sender=call.sender,
            value=call.value,
            data=call.data,
            code=state.get_code(call.to),
        )
        return state.computation_class.apply_message(state, message, context)
    except (VMError, ValidationError) as error:
        raise Refused(f"{type(error).__name__}: {error}") from error
    finally:
        state.revert(snapshot)
        state.clear_transient_storage()


def _intrinsic_gas(call: Call) -> tuple[int, int]:
    """Return what a transaction costs before it runs, and the floor that its data sets."""
    zeros = call.data.count(0)
    others = len(call.data) - zeros
    intrinsic = TRANSACTION_GAS + zeros * ZERO_BYTE_GAS + others * BYTE_GAS
    if not call.to:
        intrinsic += CREATION_GAS + INITCODE_WORD_GAS * -(-len(call.data) // WORD_BYTES)
    return intrinsic, TRANSACTION_GAS + FLOOR_TOKEN_GAS * (zeros + 4 * others)
