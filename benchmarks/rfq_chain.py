"""The chain of the RFQ benchmark: a wallet that covers everything, and what the core is told of the contract.

What a node costs is not measured: its answers are at hand at once.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from adapters.nats.connection import Connection
from adapters.nats.inbox import InboxPublisher
from api.settings import Settings
from api.telling import tell
from benchmarks.rfq_load import BENEFACTOR
from commands.chain_ports import Wallet
from domain.onchain import AssetTerms, ContractTerms, PartyChange, PartyKind

SOURCE = "chain"
PLENTY = 1 << 120
BLOCK, BLOCK_HASH = 1, "0x" + "11" * 32


class PlentifulChain:
    """Tell that everyone has and has approved enough of everything."""

    async def wallet(self, owner: str, token: str) -> Wallet:
        """Return plenty."""
        del owner, token  # all have the same
        return Wallet(block_number=BLOCK, balance=PLENTY, allowance=PLENTY)

    async def contract_signature(self, wallet: str, order_hash: str, signature: str) -> bool:
        """Own to no signature."""
        del wallet, order_hash, signature  # no contract is asked here
        return False


@asynccontextmanager
async def open_plenty(_process: object) -> AsyncGenerator[PlentifulChain]:
    """Stand in for the endpoints."""
    yield PlentifulChain()


async def show_contract(bus: Connection, settings: Settings) -> None:
    """Tell the core what the contract watch would: the benefactor, the custodians, and terms that are no bottleneck."""
    facts = InboxPublisher(bus, settings.book.prefix)
    parties = [(PartyKind.BENEFACTOR, BENEFACTOR)]
    parties += [(PartyKind.CUSTODIAN, custodian.address) for custodian in settings.policy.custodians]
    for kind, party in parties:
        change = PartyChange(
            kind=kind,
            party=party,
            owner="",
            admitted=True,
            block_number=BLOCK,
            block_hash=BLOCK_HASH,
            tx_hash=BLOCK_HASH,
            log_index=0,
        )
        await tell(facts, SOURCE, "party.record", f"{kind}|{party}", {"change": change})
    assets = tuple(
        AssetTerms(
            address=asset.address,
            stable=False,
            active=True,
            max_mint_per_block=PLENTY,
            max_redeem_per_block=PLENTY,
            hot_balance=PLENTY,
        )
        for asset in settings.policy.assets
    )
    terms = ContractTerms(
        block_number=BLOCK,
        block_hash=BLOCK_HASH,
        global_max_mint_per_block=PLENTY,
        global_max_redeem_per_block=PLENTY,
        stables_delta_limit_bps=0,
        assets=assets,
    )
    await tell(facts, SOURCE, "contract.observe", "terms", {"terms": terms})
