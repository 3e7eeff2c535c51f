"""What the simulated OKX lists: perpetual swaps counted in contracts, margined in a stable or in the coin itself."""

from decimal import Decimal

from adapters.simulators.instruments import Instrument

PRICE_MAX = Decimal(10_000_000)


def _linear(base: str, *, contract: str, tick: str, most: int) -> Instrument:
    return Instrument(
        symbol=f"{base}-USDT-SWAP",
        base=base,
        quote="USDT",
        settle="USDT",
        kind="linear",
        contract_size=Decimal(contract),
        tick=Decimal(tick),
        step=Decimal("0.01"),
        quantity_min=Decimal("0.01"),
        quantity_max=Decimal(most),
        price_min=Decimal(tick),
        price_max=PRICE_MAX,
    )


def _inverse(base: str, *, contract: str, tick: str, most: int) -> Instrument:
    return Instrument(
        symbol=f"{base}-USD-SWAP",
        base=base,
        quote="USD",
        settle=base,
        kind="inverse",
        contract_size=Decimal(contract),
        tick=Decimal(tick),
        step=Decimal(1),
        quantity_min=Decimal(1),
        quantity_max=Decimal(most),
        price_min=Decimal(tick),
        price_max=PRICE_MAX,
    )


ETH_USDT = _linear("ETH", contract="0.1", tick="0.01", most=100_000)
BTC_USDT = _linear("BTC", contract="0.01", tick="0.1", most=100_000)
ETH_USD = _inverse("ETH", contract="10", tick="0.01", most=2_000_000)
BTC_USD = _inverse("BTC", contract="100", tick="0.1", most=500_000)
SWAPS: tuple[Instrument, ...] = (ETH_USDT, BTC_USDT, ETH_USD, BTC_USD)


def family(instrument: Instrument) -> str:
    """Return the instrument family, which is the name of its index, too."""
    return f"{instrument.base}-{instrument.quote}"
