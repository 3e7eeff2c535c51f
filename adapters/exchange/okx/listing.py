"""What OKX lists: contracts, lots, tiers and fees, in units and paid rates. Pure."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any

from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.fields import Payload, Unreadable
from adapters.exchange.naming import Account, Market
from adapters.exchange.okx.fields import negative, number, optional, price, rows, units
from domain.quantity import EXACT
from domain.venue import FeeRates, InstrumentReport, MarginTier

MONEY = Decimal("0.00000001")


def contract_size(info: Payload) -> Decimal:
    """Return how many units one contract is."""
    size = number(info, "ctVal") * (optional(info, "ctMult") or Decimal(1))
    if size <= 0:
        raise Unreadable(f"a contract of {size}")
    return size


def instrument(item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
    """Read a listing; the venue's sizes are contracts."""
    info: Payload = item["info"]
    if info.get("state") != "live":
        raise VenueUnsuitable(f"{market.market_id} is {info.get('state')!r}, not live")
    return InstrumentReport(
        venue=venue,
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        settle=market.settle,
        tick=price(info, "tickSz"),
        step=units(info, "lotSz", market),
        quantity_min=units(info, "minSz", market),
        quantity_max=min(units(info, "maxLmtSz", market), units(info, "maxMktSz", market)),
        notional_min=Decimal(0),
        market_id=market.market_id,
        kind=market.kind,
        contract_size=market.contract_size,
    )


def margin_tiers(found: Sequence[Payload], market: Market, reference: Decimal) -> tuple[MarginTier, ...]:
    """Read one market's tiers, lowest first. OKX bounds them in contracts: their notional is at a reference price."""
    tiers: list[MarginTier] = []
    for row in found:
        held = units(row, "minSz", market)
        notional = EXACT.multiply(held, reference) if market.kind == "linear" else EXACT.divide(held, reference)
        tier = MarginTier(
            notional_from=notional.quantize(MONEY, rounding=ROUND_DOWN, context=EXACT),
            maintenance_rate=number(row, "mmr"),
            leverage_max=price(row, "maxLever"),
        )
        tiers.append(tier)
    return tuple(sorted(tiers, key=lambda tier: tier.notional_from))


def reference_price(mark: Decimal, market: Market) -> Decimal:
    """Return a mark to one digit, so that tiers do not change with every move; the side that makes tiers begin sooner.

    2,681 is 2,000 for a linear market and 3,000 for an inverse one.
    """
    digit = Decimal(1).scaleb(mark.adjusted())
    return mark.quantize(digit, rounding=ROUND_DOWN if market.kind == "linear" else ROUND_UP)


def contracts(quantity: Decimal, market: Market) -> Decimal | None:
    """Return a quantity in contracts, None when it is no whole number of the contract's smallest decimal parts."""
    number = EXACT.divide(quantity, market.contract_size)
    return number if EXACT.multiply(number, market.contract_size) == quantity else None


def fee_rates(row: Payload, of: Account, symbol: str, fee_group: str) -> FeeRates:
    """Read what the account pays in a market: by its fee group where told, else `makerU` for what settles in a stable.

    ccxt takes `maker` first, which are the rates of coin-margined contracts.
    """
    for group in rows(row.get("feeGroup") or []):
        if group.get("groupId") == fee_group:
            return _rates(group, of, symbol, "maker", "taker")
    if of.named(symbol).kind == "linear":
        return _rates(row, of, symbol, "makerU", "takerU")
    return _rates(row, of, symbol, "maker", "taker")


def _rates(row: Payload, of: Account, symbol: str, maker: str, taker: str) -> FeeRates:
    return FeeRates(
        venue=of.venue, symbol=symbol, maker=negative(number(row, maker)), taker=negative(number(row, taker))
    )
