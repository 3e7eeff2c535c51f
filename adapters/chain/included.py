"""How an included transaction went: its receipt as one endpoint tells it, checked against that endpoint's own chain."""

from collections.abc import Sequence
from typing import Any

import msgspec

from adapters.chain.errors import OUT_OF_GAS, named
from adapters.rpc.client import Call, Client, Silent
from adapters.rpc.wire import WORD_END, Malformed, Reverted, address, fields, octets, quantity, word
from domain.transaction import Receipt


class Included(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a receipt before what failed has its name."""

    block_number: int
    block_hash: str
    succeeded: bool
    gas_used: int
    gas_price_wei: int

    def receipt(self, tx_hash: str, error: str) -> Receipt:
        """Return it in the book's words."""
        return Receipt(
            tx_hash=tx_hash,
            block_number=self.block_number,
            block_hash=self.block_hash,
            succeeded=self.succeeded,
            gas_used=self.gas_used,
            gas_price_wei=self.gas_price_wei,
            error=error,
        )

    def error(self, gas_limit: int, answers: Sequence[bytes | Reverted]) -> str:
        """Return the name of the first failure among calls made again; "" when none fails."""
        failed = [answer for answer in answers if isinstance(answer, Reverted)]
        if self.gas_used >= gas_limit and not any(answer.data for answer in failed):
            return OUT_OF_GAS
        return named(failed[0].data)[0] if failed else ""


def parse_receipt(answer: Any, tx_hash: str) -> Included:
    """Return what a node's receipt says of the transaction that was asked for."""
    told = fields(answer, "a receipt")
    if word(told.get("transactionHash"), "a receipt's transaction") != tx_hash:
        raise Malformed("the receipt of another transaction")
    return Included(
        block_number=quantity(told.get("blockNumber"), "a receipt's block"),
        block_hash=word(told.get("blockHash"), "a receipt's block"),
        succeeded=quantity(told.get("status"), "a receipt's status", 2) == 1,
        gas_used=quantity(told.get("gasUsed"), "gas used"),
        gas_price_wei=quantity(told.get("effectiveGasPrice"), "a gas price", WORD_END),
    )


async def receipt_at(client: Client, tx_hash: str, number: int) -> Included | None:
    """Return a receipt of one endpoint's canonical chain up to a block, None when there is none."""
    answer = await client.request("eth_getTransactionReceipt", tx_hash)
    if answer is None:
        return None
    # Some answer for a transaction in the pool, with nothing where the block should be.
    if fields(answer, "a receipt").get("blockNumber") is None:
        return None
    included = parse_receipt(answer, tx_hash)
    if included.block_number > number:
        return None
    block = await client.block_there(included.block_number)
    # A receipt that is left over from a fork is none.
    return included if block.block_hash == included.block_hash else None


def parse_transaction(answer: Any, tx_hash: str) -> Call:
    """Return a transaction as a call that can be made again."""
    told = fields(answer, "a transaction")
    if word(told.get("hash"), "a transaction's hash") != tx_hash:
        raise Malformed("another transaction")
    return Call(
        address(told.get("to"), "a transaction's target"),
        octets(told.get("input"), "a transaction's input"),
        sender=address(told.get("from"), "a transaction's sender"),
        gas=quantity(told.get("gas"), "a gas limit"),
        value=quantity(told.get("value"), "a transaction's value", WORD_END),
    )


async def transaction_of(client: Client, tx_hash: str) -> Call:
    """Return an included transaction as one endpoint tells it."""
    answer = await client.request("eth_getTransactionByHash", tx_hash)
    if answer is None:
        raise Silent("it lacks the transaction")
    return parse_transaction(answer, tx_hash)
