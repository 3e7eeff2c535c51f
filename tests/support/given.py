"""What a test is given to begin with: a policy, books, marks and witnesses, and what stands on the chain."""

import hashlib
from typing import Any

import msgspec

from domain.carry import MarkEvidence
from domain.depth import BookEvidence, Level
from domain.market import SourceKind, Witness
from domain.onchain import AssetTerms, ContractTerms
from domain.policy import Asset, Hedging, Instrument, Pair, Policy
from domain.quantity import Num
from domain.transaction import Errand, Fees, Transaction

BENEFACTOR = "0x00000000000000000000000000000000000000b1"
WETH = "0x00000000000000000000000000000000000000e1"
USDT = "0x00000000000000000000000000000000000000d1"
START_US = 1_700_000_000_000_000


def a_policy(**changes: Any) -> Policy:
    policy = Policy(
        issued="USDe",
        assets=(
            Asset(symbol="WETH", decimals=18, address=WETH, underlying="ETH"),
            Asset(symbol="USDT", decimals=6, address=USDT, underlying="USDT"),
        ),
        pairs=(
            Pair(
                name="WETH/USDe",
                collateral="WETH",
                hedging=Hedging.PERPETUAL,
                venue="binanceusdm",
                symbol="ETH/USDT:USDT",
                fee_bps=Num(5),
                buffer_bps=Num(2),
            ),
            Pair(
                name="USDT/USDe",
                collateral="USDT",
                hedging=Hedging.HOLD,
                venue="",
                symbol="",
                fee_bps=Num(0),
                buffer_bps=Num(0),
            ),
        ),
        instruments=(
            Instrument(
                venue="binanceusdm",
                account="main",
                symbol="ETH/USDT:USDT",
                base="ETH",
                quote="USDT",
                lot=Num("0.001"),
                tick=Num("0.01"),
                minimum_quantity=Num("0.001"),
                minimum_notional=Num(20),
                taker_fee_bps=Num(5),
            ),
        ),
        benefactors=(BENEFACTOR,),
        chain_id=1,
        minting_contract="0xe3490297a08d6fc8da46edb7b6142e4f461b62d3",
        gas=Num("0.5"),
        quote_lifetime_ms=15_000,
        order_expiry_min_ms=30_000,
        last_look_bps=Num(30),
        hedge_slippage_bps=Num(50),
        hedge_orders_max=4,
        hedge_retry_ms=250,
    )
    return msgspec.structs.replace(policy, **changes)


def a_book(bid: str = "2000", ask: str = "2000.1", *, age_ms: int = 20, depth: str = "50") -> BookEvidence:
    return BookEvidence(
        venue="binanceusdm",
        symbol="ETH/USDT:USDT",
        bids=(Level(Num(bid), Num(depth)), Level(Num(bid) - 1, Num(depth))),
        asks=(Level(Num(ask), Num(depth)), Level(Num(ask) + 1, Num(depth))),
        sequence=7,
        received_at_us=START_US,
        age_ms=age_ms,
    )


FUNDING_US = 8 * 3_600_000_000


def a_mark(mark: str = "2000.05", rate: str = "0.0001", **changes: Any) -> MarkEvidence:
    """Return a perpetual's mark a little above its index; its next funding is due in three hours."""
    evidence = MarkEvidence(
        venue="binanceusdm",
        symbol="ETH/USDT:USDT",
        mark=Num(mark),
        index=Num(2000),
        funding_rate=Num(rate),
        interval_ms=FUNDING_US // 1_000,
        next_funding_us=START_US + FUNDING_US * 3 // 8,
        age_ms=300,
    )
    return msgspec.structs.replace(evidence, **changes)


PEERS = ("bybit", "okx")
ORACLES = ("pyth", "redstone")


def a_witness(source: str = "bybit", mid: str | Num = "2000", **changes: Any) -> Witness:
    """Return a venue's sound word on ETH, two cents wide; anything may be said otherwise."""
    at = Num(mid)
    witness = Witness(
        source=source,
        kind=SourceKind.LINEAR,
        symbol="ETH/USDT:USDT",
        base="ETH",
        quote="USDT",
        bid=at - Num("0.01"),
        ask=at + Num("0.01"),
        sequence=1,
        age_ms=20,
    )
    return msgspec.structs.replace(witness, **changes)


def an_oracle(source: str = "pyth", price: str | Num = "2000", base: str = "ETH", **changes: Any) -> Witness:
    """Return an oracle's sound word, certain of its price."""
    at = Num(price)
    return a_witness(
        source, kind=SourceKind.ORACLE, symbol=f"{base}/USD", base=base, quote="USD", bid=at, ask=at, **changes
    )


def pegged(price: str = "1", stable: str = "USDT") -> tuple[Witness, ...]:
    """Return what both oracles say of a stable."""
    return tuple(an_oracle(name, price, stable) for name in ORACLES)


def agreeing(book: BookEvidence, *, peg: str = "1") -> tuple[Witness, ...]:
    """Return witnesses who agree with a book: itself, its peers, and the oracles."""
    own = a_witness(book.venue, symbol=book.symbol, bid=Num(0), ask=Num(0), sequence=book.sequence, age_ms=book.age_ms)
    if not book.bids or not book.asks:
        return (msgspec.structs.replace(own, lost="empty"), *pegged(peg))
    bid, ask = book.bids[0].price, book.asks[0].price
    mid = (bid + ask) * Num("0.5")
    return (
        msgspec.structs.replace(own, bid=bid, ask=ask),
        *(a_witness(peer, mid) for peer in PEERS),
        *(an_oracle(oracle, mid * Num(peg)) for oracle in ORACLES),
        *pegged(peg),
    )


SENDER = "0x00000000000000000000000000000000000000a5"
CUSTODIANS = ("0x00000000000000000000000000000000000000c1", "0x00000000000000000000000000000000000000c2")
DOLLARS = 10**18
GWEI = 10**9


def block_hash(number: int, fork: str = "") -> str:
    """Return the hash of a block, of another one at the same number for each fork."""
    return f"0x{fork or '0'}{number:063x}"


def a_transaction(nonce: int = 0, errand: Errand = Errand.SETTLE, *, gwei: int = 30, **changes: Any) -> Transaction:
    """Return a signed transaction; its hash follows from what is in it."""
    fees = Fees(max_fee_wei=gwei * GWEI, priority_fee_wei=gwei * GWEI // 10)
    transaction = Transaction(
        errand=errand, sender=SENDER, nonce=nonce, tx_hash="", raw="0x02f8", gas_limit=300_000, fees=fees
    )
    transaction = msgspec.structs.replace(transaction, **changes)
    if transaction.tx_hash:
        return transaction
    return msgspec.structs.replace(transaction, tx_hash="0x" + hashlib.sha256(repr(transaction).encode()).hexdigest())


def asset_terms(address: str, **changes: Any) -> AssetTerms:
    """Return the terms of a collateral that is no bottleneck."""
    terms = AssetTerms(
        address=address,
        stable=address == USDT,
        active=True,
        max_mint_per_block=2_000_000 * DOLLARS,
        max_redeem_per_block=1_000_000 * DOLLARS,
        hot_balance=10**24,
    )
    return msgspec.structs.replace(terms, **changes)


def some_terms(weth: AssetTerms | None = None, usdt: AssetTerms | None = None, **changes: Any) -> ContractTerms:
    """Return the terms of a contract that is no bottleneck."""
    terms = ContractTerms(
        block_number=100,
        block_hash=block_hash(100),
        global_max_mint_per_block=3_000_000 * DOLLARS,
        global_max_redeem_per_block=2_000_000 * DOLLARS,
        stables_delta_limit_bps=0,
        assets=(weth or asset_terms(WETH), usdt or asset_terms(USDT)),
    )
    return msgspec.structs.replace(terms, **changes)


def a_wallet(units: str = "1000000000", *, allowance: int | None = None, block: int = 100) -> dict[str, int]:
    """Return what the edge found of a benefactor's wallet: of a token with 18 decimals unless told otherwise."""
    atoms = int(Num(units) * DOLLARS)
    return {"block_number": block, "balance": atoms, "allowance": atoms if allowance is None else allowance}
