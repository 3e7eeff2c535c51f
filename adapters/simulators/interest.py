"""How much of a contract everybody holds at a simulated venue: others a fixed worth of dollars, the account its own."""

from decimal import ROUND_FLOOR, Decimal

from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import Instrument

OTHERS_DOLLARS = Decimal(5_000_000_000)


def open_interest(exchange: Exchange, instrument: Instrument) -> Decimal:
    """Return a contract's open interest in order units: the venue's contracts, or its amounts."""
    each = instrument.notional(Decimal(1), exchange.mark(instrument.symbol))
    others = (OTHERS_DOLLARS / each / instrument.step).to_integral_value(ROUND_FLOOR) * instrument.step
    return others + abs(exchange.ledger.positions[instrument.symbol].quantity)
