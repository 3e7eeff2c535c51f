"""What the simulated Binance lists, with the filters of 2024: the recorded lines of the shared data obey them."""

from decimal import Decimal

from adapters.simulators.instruments import Instrument


def _linear(symbol: str, base: str, *, tick: str, step: str, notional_min: str, quantity_max: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        base=base,
        quote="USDT",
        settle="USDT",
        kind="linear",
        tick=Decimal(tick),
        step=Decimal(step),
        quantity_min=Decimal(step),
        quantity_max=Decimal(quantity_max),
        price_min=Decimal(tick),
        price_max=Decimal(4529764),
        notional_min=Decimal(notional_min),
    )


ETHUSDT = _linear("ETHUSDT", "ETH", tick="0.01", step="0.001", notional_min="20", quantity_max="10000")
BTCUSDT = _linear("BTCUSDT", "BTC", tick="0.10", step="0.001", notional_min="100", quantity_max="1000")
USDM: tuple[Instrument, ...] = (ETHUSDT, BTCUSDT)
