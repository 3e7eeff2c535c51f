"""Flows, prices and terms for the gatekeeper's tests."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from domain.gatekeeping import Flow, Look, Rules, Terms
from domain.market import SourceKind, Witness
from domain.oracle import OraclePrice
from domain.policy import Asset
from domain.quantity import Num
from domain.quote import Side

WETH = "0x00000000000000000000000000000000000000e1"
USDT = "0x00000000000000000000000000000000000000d1"
START_US = 1_700_000_000_000_000
START_S = START_US // 1_000_000
DOLLAR = 10**18
MINTER = "0x00000000000000000000000000000000000000aa"
UNKNOWN = "0x00000000000000000000000000000000000000ff"
ASSETS = {
    WETH: Asset(symbol="WETH", decimals=18, address=WETH, underlying="ETH"),
    USDT: Asset(symbol="USDT", decimals=6, address=USDT, underlying="USDT"),
}


def terms(**changes: Any) -> Terms:
    return Terms(rules=msgspec.structs.replace(Rules(), **changes), assets=ASSETS)


def a_flow(side: Side = Side.MINT, *, issued: int = 2_000, number: int = 100, **changes: Any) -> Flow:
    """Return a mint or redemption of 1 WETH against whole dollars."""
    flow = Flow(
        side=side,
        asset=WETH,
        collateral=10**18,
        issued=issued * DOLLAR,
        block_number=number,
        block_hash=f"0x{number:064x}",
        at_s=START_S + number,
        tx_hash=f"0x{number:062x}aa",
        log_index=0,
        caller=MINTER,
    )
    return msgspec.structs.replace(flow, **changes)


def a_word(source: str, price: str, base: str = "ETH", **changes: Any) -> Witness:
    """Return an oracle's word, certain of its price."""
    at = Num(price)
    word = Witness(
        source=source,
        kind=SourceKind.ORACLE,
        symbol=f"{base}/USD",
        base=base,
        quote="USD",
        bid=at,
        ask=at,
        sequence=1,
        age_ms=0,
    )
    return msgspec.structs.replace(word, **changes)


def saying(prices: Mapping[str, Sequence[str]], age_ms: int = 0) -> Look:
    """Return sources who say these prices, one each, at any time."""

    def look(base: str, _as_of_us: int) -> tuple[Witness, ...]:
        said = prices.get(base, ())
        return tuple(a_word(f"oracle{at}", price, base, age_ms=age_ms) for at, price in enumerate(said))

    return look


MARKET = saying({"ETH": ("2000", "2000"), "USDT": ("1", "1")})
SILENCE = saying({})


def a_price(oracle: str = "pyth", price: str = "2000", *, base: str = "ETH", at_us: int = START_US) -> OraclePrice:
    return OraclePrice(
        oracle=oracle,
        feed=f"{oracle}:{base}",
        base=base,
        quote="USD",
        price=Num(price),
        confidence=Num(0),
        published_at_us=at_us,
        received_at_us=at_us,
        sequence=at_us,
        signers=(),
    )
