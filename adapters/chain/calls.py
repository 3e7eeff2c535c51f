"""What the minting contract is called with: call data, encoded exactly and bounded before a node sees it. Pure.

The contract reverts without a word on inputs beyond the bounds of its types, so they are refused here by name.
"""

from typing import Any

from eth_abi.abi import encode
from eth_hash.auto import keccak

from adapters.chain.eip712 import AMOUNT_END, ORDER_TYPES, address_bytes, out_of_bounds
from adapters.chain.signature import CONTRACT_SIGNATURE_BYTES_MAX
from commands.chain_ports import MintingOrder, Route
from domain.refusal import Refusal, Rejected

OUT_OF_BOUNDS = "ORDER_OUT_OF_BOUNDS"
LEGS_MAX = 20
RATIO_WHOLE = 10_000
SIGNATURE_TYPES = {"EIP712": 0, "EIP1271": 1}
SELECTOR_BYTES = 4

_ORDER = "(string,uint8,uint120,uint128,address,address,address,uint128,uint128)"
_ROUTE = "(address[],uint128[])"
_SIGNATURE = "(uint8,bytes)"


def selector(signature: str) -> bytes:
    """Return the four bytes that name a function or an error."""
    return keccak(signature.encode())[:SELECTOR_BYTES]


MINT = selector(f"mint({_ORDER},{_ROUTE},{_SIGNATURE})")
REDEEM = selector(f"redeem({_ORDER},{_SIGNATURE})")
DISABLE_MINT_REDEEM = selector("disableMintRedeem()")
TRANSFER_TO_CUSTODY = selector("transferToCustody(address,address,uint128)")
BALANCE_OF = selector("balanceOf(address)")
ALLOWANCE = selector("allowance(address,address)")
TOKEN_CONFIG = selector("tokenConfig(address)")
GLOBAL_CONFIG = selector("globalConfig()")
USDE = selector("usde()")
TOTAL_SUPPLY = selector("totalSupply()")
DECIMALS = selector("decimals()")
STABLES_DELTA_LIMIT = selector("stablesDeltaLimit()")
IS_VALID_SIGNATURE = selector("isValidSignature(bytes32,bytes)")


def _address(text: str) -> bytes:
    try:
        return address_bytes(text)
    except ValueError:
        raise Rejected(OUT_OF_BOUNDS, "an address is 0x and 40 hex digits") from None


def _signature(order: MintingOrder) -> bytes:
    try:
        raw = bytes.fromhex(order.signature.removeprefix("0x"))
    except ValueError:
        raise Rejected(OUT_OF_BOUNDS, "a signature is 0x and hex digits") from None
    if not 0 < len(raw) <= CONTRACT_SIGNATURE_BYTES_MAX:
        raise Rejected(OUT_OF_BOUNDS, f"a signature has 1 to {CONTRACT_SIGNATURE_BYTES_MAX} bytes")
    return raw


def _order_words(order: MintingOrder, order_type: str) -> tuple[tuple[Any, ...], tuple[int, bytes]]:
    problem = out_of_bounds(order)
    if isinstance(problem, Refusal):
        raise Rejected(OUT_OF_BOUNDS, problem.text)
    if order.order_type != order_type:
        raise Rejected(OUT_OF_BOUNDS, f"an order to {order.order_type} is not called with {order_type}")
    if order.signature_type not in SIGNATURE_TYPES:
        raise Rejected(OUT_OF_BOUNDS, "signature_type is EIP712 or EIP1271")
    words = (
        order.order_id,
        ORDER_TYPES[order.order_type],
        order.expiry,
        order.nonce,
        _address(order.benefactor),
        _address(order.beneficiary),
        _address(order.collateral_asset),
        order.collateral_amount,
        order.usde_amount,
    )
    return words, (SIGNATURE_TYPES[order.signature_type], _signature(order))


def _legs(route: Route) -> tuple[list[bytes], list[int]]:
    if not 0 < len(route.addresses) <= LEGS_MAX or len(route.addresses) != len(route.ratios):
        raise Rejected(OUT_OF_BOUNDS, f"a route has 1 to {LEGS_MAX} custodians, and as many ratios")
    if any(ratio <= 0 for ratio in route.ratios) or sum(route.ratios) != RATIO_WHOLE:
        raise Rejected(OUT_OF_BOUNDS, f"the ratios of a route are above zero and {RATIO_WHOLE} in all")
    return [_address(each) for each in route.addresses], list(route.ratios)


def mint_calldata(order: MintingOrder, route: Route) -> bytes:
    """Return the call of a mint; raise `Rejected` for what the contract could not read."""
    words, signature = _order_words(order, "MINT")
    return MINT + encode([_ORDER, _ROUTE, _SIGNATURE], [words, _legs(route), signature])


def redeem_calldata(order: MintingOrder) -> bytes:
    """Return the call of a redeem; raise `Rejected` for what the contract could not read."""
    words, signature = _order_words(order, "REDEEM")
    return REDEEM + encode([_ORDER, _SIGNATURE], [words, signature])


def disable_mint_redeem() -> bytes:
    """Return the gatekeeper's call, which sets both global caps to zero."""
    return DISABLE_MINT_REDEEM


def transfer_to_custody(wallet: str, asset: str, amount: int) -> bytes:
    """Return the collateral manager's call: so many atoms of an asset from the contract to a custodian."""
    if not 0 < amount < AMOUNT_END:
        raise Rejected(OUT_OF_BOUNDS, "an amount lies from 1 to below 2^128")
    return TRANSFER_TO_CUSTODY + encode(["address", "address", "uint128"], [_address(wallet), _address(asset), amount])


def balance_of(owner: str) -> bytes:
    """Return the question for an owner's balance of a token."""
    return BALANCE_OF + encode(["address"], [_address(owner)])


def allowance(owner: str, spender: str) -> bytes:
    """Return the question for what an owner lets a spender take."""
    return ALLOWANCE + encode(["address", "address"], [_address(owner), _address(spender)])


def token_config(asset: str) -> bytes:
    """Return the question for an asset's parameters."""
    return TOKEN_CONFIG + encode(["address"], [_address(asset)])


def view_of(function: str, arguments: tuple[int, ...]) -> bytes:
    """Return the question to a view that takes numbers; `function` is declared with a `uint256` for each."""
    if function.partition("(")[2] != ",".join(["uint256"] * len(arguments)) + ")":
        raise Rejected(OUT_OF_BOUNDS, f"{function} does not take {len(arguments)} numbers")
    return selector(function) + encode(["uint256"] * len(arguments), list(arguments))


def is_valid_signature(order_hash: str, signature: str) -> bytes | None:
    """Return the question to a contract wallet (EIP-1271); None for what can be no signature of one."""
    try:
        digest, raw = (bytes.fromhex(text.removeprefix("0x")) for text in (order_hash, signature))
    except ValueError:
        return None
    if len(digest) != 32 or not 0 < len(raw) <= CONTRACT_SIGNATURE_BYTES_MAX:  # noqa: PLR2004 - a hash
        return None
    return IS_VALID_SIGNATURE + encode(["bytes32", "bytes"], [digest, raw])
