"""The minting contract of the model chain: its state, what it checks and in which order, what a call changes."""

from collections.abc import Iterable
from typing import Any

import msgspec

from commands.chain_ports import MintingOrder, Route
from domain.onchain import AssetTerms, ContractTerms, PartyKind
from domain.transaction import Block, Errand, Fees, Transaction
from tests.support.given import USDT, WETH

SENDER = "0x00000000000000000000000000000000000000aa"
SYMBOLS = {WETH: "WETH", USDT: "USDT"}
CAP_PER_BLOCK = 10**24
LOW_BITS = (1 << 64) - 1


class Call(msgspec.Struct, frozen=True):
    """What a raw transaction of the model says."""

    errand: Errand
    order: MintingOrder
    route: Route
    sender: str
    nonce: int
    fees: Fees


class State(msgspec.Struct, frozen=True):
    """The chain's state after a block."""

    custody: dict[str, int] = {}
    supply: int = 0
    nonces: dict[str, int] = {}
    orders: frozenset[tuple[str, int]] = frozenset()
    settled: frozenset[str] = frozenset()
    parties: frozenset[str] = frozenset()


def read_raw(transaction: Transaction) -> Call:
    """Read a transaction's bytes."""
    return msgspec.json.decode(bytes.fromhex(transaction.raw.removeprefix("0x")), type=Call)


def with_parties(state: State, changes: Iterable[tuple[PartyKind, str, bool]]) -> State:
    parties = set(state.parties)
    for kind, party, admitted in changes:
        (parties.add if admitted else parties.discard)(f"{kind}|{party}")
    return msgspec.structs.replace(state, parties=frozenset(parties))


def settled_by(state: State, order: MintingOrder) -> State:
    symbol, sign = SYMBOLS[order.collateral_asset], 1 if order.order_type == "MINT" else -1
    held = state.custody.get(symbol, 0) + sign * order.collateral_amount
    return msgspec.structs.replace(
        state,
        custody={**state.custody, symbol: held},
        supply=state.supply + sign * order.usde_amount,
        orders=state.orders | {(order.benefactor, order.nonce & LOW_BITS)},
        settled=state.settled | {order.order_id},
    )


def refuse(state: State, order: MintingOrder, route: Route, timestamp_s: int) -> str:
    """Return the contract's error for a call at a state, in the contract's order of checks."""
    mint = order.order_type == "MINT"
    held = state.custody.get(SYMBOLS[order.collateral_asset], 0)
    checks: tuple[tuple[Any, str], ...] = (
        (f"benefactor|{order.benefactor}" in state.parties, "BenefactorNotWhitelisted"),
        (timestamp_s <= order.expiry, "SignatureExpired"),
        (not mint or _is_route(state, route), "InvalidRoute"),
        ((order.benefactor, order.nonce & LOW_BITS) not in state.orders, "InvalidNonce"),
        (mint or (held >= order.collateral_amount and state.supply >= order.usde_amount), "TransferFailed"),
    )
    return next((error for holds, error in checks if not holds), "")


def _is_route(state: State, route: Route) -> bool:
    admitted = all(f"custodian|{each}" in state.parties for each in route.addresses)
    return admitted and bool(route.addresses) and sum(route.ratios) == 10_000


def terms_at(block: Block, state: State, mint_cap: int) -> ContractTerms:
    """Return the contract's parameters at a block, with the state after it."""
    assets = tuple(
        AssetTerms(
            address=address,
            stable=symbol == "USDT",
            active=True,
            max_mint_per_block=mint_cap,
            max_redeem_per_block=CAP_PER_BLOCK,
            hot_balance=state.custody.get(symbol, 0),
        )
        for address, symbol in SYMBOLS.items()
    )
    return ContractTerms(
        block_number=block.number,
        block_hash=block.block_hash,
        global_max_mint_per_block=mint_cap,
        global_max_redeem_per_block=CAP_PER_BLOCK,
        stables_delta_limit_bps=0,
        assets=assets,
    )
