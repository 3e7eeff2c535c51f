"""What the simulated Bybit lists, with the true venue's filters. Inverse contracts are dollars, linear ones coins."""

from decimal import Decimal
from typing import Literal

from adapters.simulators.instruments import Instrument

MAKER = Decimal("0.0002")
TAKER = Decimal("0.00055")


def _perpetual(
    base: str,
    kind: Literal["linear", "inverse"],
    *,
    tick: str,
    step: str,
    quantity_max: str,
    price_max: str,
    notional_min: str = "0",
) -> Instrument:
    quote = "USDT" if kind == "linear" else "USD"
    return Instrument(
        symbol=f"{base}{quote}",
        base=base,
        quote=quote,
        settle=quote if kind == "linear" else base,
        kind=kind,
        tick=Decimal(tick),
        step=Decimal(step),
        quantity_min=Decimal(step),
        quantity_max=Decimal(quantity_max),
        price_min=Decimal(tick),
        price_max=Decimal(price_max),
        notional_min=Decimal(notional_min),
        maker_rate=MAKER,
        taker_rate=TAKER,
    )


ETHUSDT = _perpetual(
    "ETH", "linear", tick="0.01", step="0.01", quantity_max="7240", price_max="199999.98", notional_min="5"
)
BTCUSDT = _perpetual(
    "BTC", "linear", tick="0.10", step="0.001", quantity_max="1190", price_max="1999999.8", notional_min="5"
)
ETHUSD = _perpetual("ETH", "inverse", tick="0.01", step="1", quantity_max="4000000", price_max="199999.98")
PERPETUALS: tuple[Instrument, ...] = (ETHUSDT, BTCUSDT, ETHUSD)
