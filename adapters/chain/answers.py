"""What a quorum answers, in the book's words; what is of another shape is of another contract than it should be."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from adapters.chain.logs import Log
from adapters.chain.words import TokenTerms, number_word, token_terms
from adapters.rpc.wire import Malformed, Reverted
from domain.onchain import AssetTerms
from domain.refusal import Unavailable

T = TypeVar("T")


def parsed(logs: tuple[Log, ...], parse: Callable[[Sequence[Log]], tuple[T, ...]]) -> tuple[T, ...]:
    """Read logs that a quorum told of; raise `Unavailable` for one that the contract could not have written."""
    try:
        return parse(logs)
    except Malformed as error:
        raise Unavailable(f"contract_differs: a quorum tells of a log that is not of the contract: {error}") from None


def read(answer: bytes | Reverted, parse: Callable[[bytes], T], what: str) -> T:
    """Read what a quorum answered; what is of another shape is another contract than it should be."""
    if isinstance(answer, Reverted):
        raise Unavailable(f"contract_differs: {what} reverts")
    try:
        return parse(answer)
    except Malformed as error:
        raise Unavailable(f"contract_differs: {what}: {error}") from None


def asset_terms(asset: str, config: bytes | Reverted, balance: bytes | Reverted) -> AssetTerms:
    """Read one collateral's parameters and what the contract holds of it."""
    told: TokenTerms = read(config, token_terms, "tokenConfig")
    return AssetTerms(
        address=asset,
        stable=told.stable,
        active=told.active,
        max_mint_per_block=told.max_mint,
        max_redeem_per_block=told.max_redeem,
        hot_balance=read(balance, number_word, "the asset"),
    )
