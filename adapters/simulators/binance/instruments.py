"""What the simulated Binance lists, with the filters of 2024: the recorded lines of the shared data obey them."""

from decimal import Decimal

from adapters.simulators.instruments import Instrument

SPOT_FEE = Decimal("0.001")


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
        second_tier_from=Decimal(50_000_000),
    )


def _inverse(symbol: str, base: str, *, contract_size: int, tick: str, second_tier_from: int) -> Instrument:
    return Instrument(
        symbol=symbol,
        base=base,
        quote="USD",
        settle=base,
        kind="inverse",
        contract_size=Decimal(contract_size),
        tick=Decimal(tick),
        step=Decimal(1),
        quantity_min=Decimal(1),
        quantity_max=Decimal(1_000_000),
        price_min=Decimal(tick),
        price_max=Decimal(4520958),
        second_tier_from=Decimal(second_tier_from),
    )


def _spot(symbol: str, base: str, quote: str, *, tick: str, step: str, quantity_max: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        settle=quote,
        kind="spot",
        tick=Decimal(tick),
        step=Decimal(step),
        quantity_min=Decimal(step),
        quantity_max=Decimal(quantity_max),
        price_min=Decimal(tick),
        price_max=Decimal(1_000_000),
        notional_min=Decimal(5),
        maker_rate=SPOT_FEE,
        taker_rate=SPOT_FEE,
    )


ETHUSDT = _linear("ETHUSDT", "ETH", tick="0.01", step="0.001", notional_min="20", quantity_max="10000")
BTCUSDT = _linear("BTCUSDT", "BTC", tick="0.10", step="0.001", notional_min="100", quantity_max="1000")
USDM: tuple[Instrument, ...] = (ETHUSDT, BTCUSDT)

ETHUSD = _inverse("ETHUSD_PERP", "ETH", contract_size=10, tick="0.01", second_tier_from=20_000)
BTCUSD = _inverse("BTCUSD_PERP", "BTC", contract_size=100, tick="0.1", second_tier_from=1_000)
COINM: tuple[Instrument, ...] = (ETHUSD, BTCUSD)

SPOT: tuple[Instrument, ...] = (
    _spot("ETHUSDT", "ETH", "USDT", tick="0.01", step="0.0001", quantity_max="9000"),
    _spot("BTCUSDT", "BTC", "USDT", tick="0.01", step="0.00001", quantity_max="9000"),
    _spot("USDCUSDT", "USDC", "USDT", tick="0.0001", step="1", quantity_max="10000000"),
    _spot("USDEUSDT", "USDE", "USDT", tick="0.0001", step="1", quantity_max="10000000"),
)
