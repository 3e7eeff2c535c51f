"""The chain as a quorum of endpoints tells it: heads, receipts, wallets, the contract's parameters and logs.

Everything that is asked names the block it is asked at, and an endpoint that lacks the block has no say: so one that
lags cannot answer that something has not happened.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self

from adapters.chain.answers import asset_terms, parsed, read
from adapters.chain.calls import (
    DECIMALS,
    GLOBAL_CONFIG,
    STABLES_DELTA_LIMIT,
    TOTAL_SUPPLY,
    USDE,
    allowance,
    balance_of,
    is_valid_signature,
    token_config,
    view_of,
)
from adapters.chain.errors import named
from adapters.chain.included import Included, receipt_at, transaction_of
from adapters.chain.logs import PARTIES, SETTLED, Log, Settled, parse_logs, parse_parties, parse_settled
from adapters.chain.settings import ChainSettings
from adapters.chain.waking import HeadLines
from adapters.chain.words import GlobalTerms, address_word, global_terms, is_magic, number_word
from adapters.rpc.client import Call, Client
from adapters.rpc.endpoints import ANSWER_BYTES_MAX, Endpoints, QuorumMissing, answers_at, together
from adapters.rpc.settings import RpcSettings
from adapters.rpc.wire import BlockName, Malformed, Refused, Reverted, address, quantity
from commands.chain_ports import IssuedTotal, View, Wallet
from domain.onchain import ContractTerms, PartyChange
from domain.refusal import Rejected, Unavailable
from domain.transaction import Block, Receipt

ASSETS_MAX = 64
ISSUED_DECIMALS = 18
# How often a block that a WebSocket told of is asked for at the faster pace, until the quorum has it.
CHASES_MAX = 10


def block_of(name: BlockName) -> Block:
    """Return a block in the book's words."""
    return Block(
        number=name.number,
        block_hash=name.block_hash,
        parent_hash=name.parent_hash,
        timestamp_s=name.timestamp_s,
        base_fee_wei=name.base_fee_wei,
    )


@contextlib.contextmanager
def asking() -> Any:
    """Turn what endpoints fail to agree on into `Unavailable`."""
    try:
        yield
    except QuorumMissing as error:
        raise Unavailable(str(error)) from None


class Chain:
    """Read one chain and its minting contract. Use as `async with`; nothing is asked at opening."""

    def __init__(self, settings: ChainSettings) -> None:
        self.settings = settings
        self.contract = address(settings.minting_contract, "the minting contract")
        rpc = RpcSettings(
            endpoints=settings.endpoints,
            quorum=settings.quorum,
            chain_id=settings.chain_id,
            ca_file=settings.ca_file,
            timeout_ms=settings.timeout_ms,
            lag_blocks_max=settings.lag_blocks_max,
        )
        self.endpoints = Endpoints(rpc)
        self.lines = HeadLines(rpc)
        self._resources = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the sessions, and listen for blocks."""
        await self.endpoints.open(self._resources)
        await self.lines.open(self._resources)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close every connection."""
        await self._resources.aclose()

    async def head(self) -> Block:
        """Return the newest block that a quorum has; raise `Unavailable` when it is too old to be the newest."""
        with asking():
            agreed = await self.endpoints.agree_at_head(Client.block_there)
        self._fresh(agreed.answer)
        return block_of(agreed.answer)

    def _fresh(self, head: BlockName) -> None:
        age_ms = int(time.time() * 1_000) - head.timestamp_s * 1_000
        if 0 < self.settings.head_age_ms_max < age_ms:
            raise Unavailable(f"chain_stands_still: the newest block that is agreed on is {age_ms} ms old")

    async def wait_head(self, after: Block | None) -> Block:
        """Wait for a head that differs from `after`; woken by WebSockets, else by the clock."""
        chases = 0
        while True:
            seen = self.lines.told
            head = await self.head()
            if after is None or head.block_hash != after.block_hash:
                return head
            # One that tells first tells of a block that the quorum is about to have: then it is asked for soon again.
            slow = self.lines.up and not chases
            wait_ms = self.settings.quiet_poll_ms if slow else self.settings.poll_ms
            told = await self.lines.wait(seen, wait_ms / 1_000)
            chases = CHASES_MAX if told else max(chases - 1, 0)

    async def block(self, number: int) -> Block | None:
        """Return the canonical block of a number, None when a quorum has none yet."""
        with asking():
            agreed = await self.endpoints.agree(lambda client: client.block(number))
        return None if agreed.answer is None else block_of(agreed.answer)

    async def receipt(self, tx_hash: str) -> Receipt | None:
        """Return a receipt on the canonical chain with what the contract refused; None when not included there."""

        async def ask(client: Client, number: int) -> Included | None:
            await client.block_there(number)
            return await receipt_at(client, tx_hash, number)

        with asking():
            included = (await self.endpoints.agree_at_head(ask)).answer
            if included is None:
                return None
            error = "" if included.succeeded else await self._why_failed(tx_hash, included)
        return included.receipt(tx_hash, error)

    async def _why_failed(self, tx_hash: str, included: Included) -> str:
        """Name a refusal by calling again where the transaction stood; "" when it does not fail there.

        The state before its block lacks what others did within it, and a block's caps are counted within it: where the
        call does not fail before, it is tried after.
        """

        async def ask(client: Client) -> tuple[int, tuple[bytes | Reverted, ...]]:
            call = await transaction_of(client, tx_hash)
            at = (included.block_number - 1, included.block_number)
            answers = await together(*(client.call(call, number, ANSWER_BYTES_MAX) for number in at))
            return call.gas, tuple(answers)

        try:
            gas_limit, answers = (await self.endpoints.agree(ask)).answer
        except QuorumMissing:
            return ""  # what is named is for people and for trying again; that it failed is certain without
        return included.error(gas_limit, answers)

    async def transaction_count(self, sender: str, number: int) -> int:
        """Return how many transactions of a sender are included up to a block."""

        async def ask(client: Client) -> tuple[BlockName, int]:
            head, count = await together(
                client.block_there(number), client.request("eth_getTransactionCount", sender, hex(number))
            )
            return head, quantity(count, "a transaction count")

        with asking():
            return (await self.endpoints.agree(ask)).answer[1]

    async def wallet(self, owner: str, token: str) -> Wallet:
        """Return an owner's balance of a token and its allowance to the contract, at one block."""
        calls = [Call(token, balance_of(owner)), Call(token, allowance(owner, self.contract))]
        with asking():
            agreed = await self.endpoints.agree_calls(calls)
        self._fresh(agreed.head)
        balance, allowed = (read(answer, number_word, "the token") for answer in agreed.answers)
        return Wallet(block_number=agreed.head.number, balance=balance, allowance=allowed)

    async def contract_signature(self, wallet: str, order_hash: str, signature: str) -> bool:
        """Ask a contract wallet whether a signature is its own; one without code, or that fails, says no."""
        data = is_valid_signature(order_hash, signature)
        if data is None:
            return False
        call = Call(wallet, data, sender=self.contract, gas=self.settings.contract_signature_gas)

        async def ask(client: Client, number: int) -> tuple[BlockName, bool]:
            head, (answer,) = await answers_at(client, number, [call])
            return head, is_magic(answer)

        with asking():
            head, valid = (await self.endpoints.agree_at_head(ask)).answer
        self._fresh(head)
        return valid

    async def _answers(self, number: int, calls: Sequence[Call]) -> tuple[BlockName, tuple[bytes | Reverted, ...]]:
        """Return what a quorum answers to calls at a block."""
        with asking():
            return (await self.endpoints.agree(lambda client: answers_at(client, number, calls))).answer

    async def call(self, to: str, data: bytes, number: int) -> bytes:
        """Return what a contract answers at a block; raise `Rejected` with its error when it refuses."""
        _, (answer,) = await self._answers(number, [Call(to, data)])
        if isinstance(answer, Reverted):
            raise Rejected(*named(answer.data))
        return answer

    async def terms(self, assets: Sequence[str], number: int) -> ContractTerms:
        """Return the contract's parameters and hot balances at a block."""
        if len(assets) > ASSETS_MAX:
            raise ValueError(f"{len(assets)} assets are more than {ASSETS_MAX}")
        assets = [asset.lower() for asset in assets]
        calls = [Call(self.contract, GLOBAL_CONFIG), Call(self.contract, STABLES_DELTA_LIMIT)]
        for asset in assets:
            calls += [Call(self.contract, token_config(asset)), Call(asset, balance_of(self.contract))]
        head, answers = await self._answers(number, calls)
        everywhere: GlobalTerms = read(answers[0], global_terms, "globalConfig")
        return ContractTerms(
            block_number=head.number,
            block_hash=head.block_hash,
            global_max_mint_per_block=everywhere.max_mint,
            global_max_redeem_per_block=everywhere.max_redeem,
            stables_delta_limit_bps=read(answers[1], number_word, "stablesDeltaLimit"),
            assets=tuple(asset_terms(asset, *answers[2 + 2 * at : 4 + 2 * at]) for at, asset in enumerate(assets)),
        )

    async def issued(self, number: int) -> IssuedTotal:
        """Return the total of the token that the contract issues, at a block.

        The contract names the token: one that is not the token of the settings, or counts otherwise, is told.
        """
        _, (named_token,) = await self._answers(number, [Call(self.contract, USDE)])
        token = read(named_token, address_word, "usde")
        if self.settings.issued_token and token != self.settings.issued_token:
            raise Unavailable(f"contract_differs: it issues {token}, not {self.settings.issued_token}")
        head, (total, decimals) = await self._answers(number, [Call(token, TOTAL_SUPPLY), Call(token, DECIMALS)])
        if read(decimals, number_word, "the issued token") != ISSUED_DECIMALS:
            raise Unavailable(f"contract_differs: the issued token has not {ISSUED_DECIMALS} decimals")
        return IssuedTotal(
            token=token,
            total=read(total, number_word, "the issued token"),
            block_number=head.number,
            block_hash=head.block_hash,
        )

    async def number_of(self, view: View, number: int) -> int:
        """Return what a view answers at a block; raise `Rejected` where it refuses or answers no number."""
        answer = await self.call(view.contract, view_of(view.function, view.arguments), number)
        try:
            return number_word(answer)
        except Malformed as error:
            raise Rejected("NO_NUMBER", f"{view.function} of {view.contract}: {error}") from None

    async def party_changes(self, first: int, last: int) -> Sequence[PartyChange]:
        """Return whitelist, delegation, custodian and asset changes logged in blocks `first` to `last`, in order."""
        return [each async for logs in self._logs(PARTIES, first, last) for each in parsed(logs, parse_parties)]

    async def settled_since(self, first: int, last: int) -> Sequence[Settled]:
        """Return the mints and redeems logged in blocks `first` to `last`, in order."""
        return [each async for logs in self._logs(SETTLED, first, last) for each in parsed(logs, parse_settled)]

    async def _logs(self, wanted: Mapping[str, object], first: int, last: int) -> AsyncIterator[tuple[Log, ...]]:
        for start in range(first, last + 1, self.settings.log_blocks_max):
            end = min(start + self.settings.log_blocks_max - 1, last)

            async def ask(client: Client, start: int = start, end: int = end) -> tuple[BlockName, tuple[Log, ...]]:
                # One that lacks the last block would answer that nothing happened in it.
                head = await client.block_there(end)
                return head, await self._logs_of(client, wanted, start, end)

            with asking():
                yield (await self.endpoints.agree(ask)).answer[1]

    async def _logs_of(self, client: Client, wanted: Mapping[str, object], first: int, last: int) -> tuple[Log, ...]:
        """Return one endpoint's logs; halve the range as long as it refuses, within the time an endpoint has."""
        asked = {
            "address": self.contract,
            "topics": [sorted(wanted)],
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }
        try:
            answer = await client.request("eth_getLogs", asked)
        except Refused:
            if first == last:
                raise
            middle = (first + last) // 2
            before = await self._logs_of(client, wanted, first, middle)
            return before + await self._logs_of(client, wanted, middle + 1, last)
        return parse_logs(answer, self.contract, wanted, first, last)
