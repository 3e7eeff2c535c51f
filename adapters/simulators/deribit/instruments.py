"""What the simulated Deribit lists. Amounts are dollars on inverse perpetuals, coins on linear ones, never contracts.

`contract_size` of the listing only says how many of them a contract would be.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from adapters.simulators.instruments import Instrument

MAKER = Decimal(0)
TAKER = Decimal("0.0005")
LEVERAGE_MAX = 50


def _perpetual(
    name: str, base: str, kind: Literal["linear", "inverse"], *, tick: str, step: str, quantity_max: str
) -> Instrument:
    return Instrument(
        symbol=name,
        base=base,
        quote="USD" if kind == "inverse" else "USDC",
        settle=base if kind == "inverse" else "USDC",
        kind=kind,
        tick=Decimal(tick),
        step=Decimal(step),
        quantity_min=Decimal(step),
        quantity_max=Decimal(quantity_max),
        price_min=Decimal(tick),
        price_max=Decimal(2_000_000),
        maintenance_rate=Decimal("0.01"),
        leverage_max=LEVERAGE_MAX,
        maker_rate=MAKER,
        taker_rate=TAKER,
    )


ETH_PERPETUAL = _perpetual("ETH-PERPETUAL", "ETH", "inverse", tick="0.05", step="1", quantity_max="10000000")
BTC_PERPETUAL = _perpetual("BTC-PERPETUAL", "BTC", "inverse", tick="0.5", step="10", quantity_max="10000000")
ETH_USDC = _perpetual("ETH_USDC-PERPETUAL", "ETH", "linear", tick="0.05", step="0.001", quantity_max="10000")
PERPETUALS: tuple[Instrument, ...] = (ETH_PERPETUAL, BTC_PERPETUAL, ETH_USDC)
# What the listings call a contract.
CONTRACTS: Mapping[str, Decimal] = {
    ETH_PERPETUAL.symbol: Decimal(1),
    BTC_PERPETUAL.symbol: Decimal(10),
    ETH_USDC.symbol: Decimal("0.001"),
}
