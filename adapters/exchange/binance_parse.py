"""Binance USD-M payloads into our reports. Pure: dicts in, reports out, `Unreadable` for anything else.

No float survives. The raw payload is read, not ccxt's unified one: its strings are exact and nothing is merged into it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from adapters.exchange.fields import (
    Payload,
    Unreadable,
    decimal,
    flag,
    identity,
    instant_us,
    number,
    part,
    side,
    status,
)
from adapters.exchange.naming import Account, Market
from domain.venue import (
    Acknowledgement,
    BalanceReport,
    FeeRates,
    FillReport,
    FundingReport,
    InstrumentReport,
    MarginTier,
    MarkReport,
    OrderReport,
    PositionReport,
    TimeInForce,
)

_LIQUIDATION_PREFIX = "autoclose-"
_ADL_PREFIX = "adl_autoclose"
TIMES_IN_FORCE: Mapping[TimeInForce, str] = {"gtc": "GTC", "ioc": "IOC", "fok": "FOK", "gtx": "GTX"}
# What most of the venue's perpetuals pay by; the few others are told apart by fundingInfo.
FUNDING_INTERVAL_MS = 8 * 3_600_000


def acknowledgement(row: Payload) -> Acknowledgement:
    """Read the answer to a new order."""
    return Acknowledgement(
        venue_order_id=identity(row, "orderId"),
        client_order_id=identity(row, "clientOrderId"),
        status=status(row, "status"),
        filled=decimal(row, "executedQty"),
        accepted_quantity=decimal(row, "origQty"),
        at_us=instant_us(row, "updateTime"),
    )


def order(row: Payload, of: Account) -> OrderReport:
    """Read an order as REST tells it."""
    filled = decimal(row, "executedQty")
    return OrderReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("symbol")),
        venue_order_id=identity(row, "orderId"),
        client_order_id=identity(row, "clientOrderId"),
        side=side(row, "side"),
        status=status(row, "status"),
        quantity=decimal(row, "origQty"),
        filled=filled,
        limit_price=decimal(row, "price") or None,
        average_price=decimal(row, "avgPrice") if filled else None,
        reduce_only=flag(row, "reduceOnly"),
        at_us=instant_us(row, "updateTime"),
    )


def order_event(event: Payload, of: Account) -> OrderReport:
    """Read the order's state out of an ORDER_TRADE_UPDATE."""
    row = part(event, "o")
    filled = decimal(row, "z")
    return OrderReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("s")),
        venue_order_id=identity(row, "i"),
        client_order_id=identity(row, "c"),
        side=side(row, "S"),
        status=status(row, "X"),
        quantity=decimal(row, "q"),
        filled=filled,
        limit_price=decimal(row, "p") or None,
        average_price=decimal(row, "ap") if filled else None,
        reduce_only=flag(row, "R"),
        at_us=instant_us(row, "T"),
    )


def fill_event(event: Payload, of: Account) -> FillReport | None:
    """Read the fill out of an ORDER_TRADE_UPDATE, None when it tells of none."""
    row = part(event, "o")
    if row.get("x") not in {"TRADE", "CALCULATED"}:
        return None
    client_order_id = identity(row, "c")
    return FillReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("s")),
        trade_id=identity(row, "t"),
        venue_order_id=identity(row, "i"),
        client_order_id=client_order_id,
        side=side(row, "S"),
        price=decimal(row, "L"),
        quantity=decimal(row, "l"),
        fee_asset=str(row.get("N") or ""),
        fee_quantity=decimal(row, "n") if row.get("N") else Decimal(0),
        liquidity="maker" if flag(row, "m") else "taker",
        kind=fill_kind(client_order_id),
        source="stream",
        at_us=instant_us(row, "T"),
    )


def fill(row: Payload, of: Account, client_order_id: str | None) -> FillReport:
    """Read a fill as userTrades tells it; whose order it was, its caller knows."""
    return FillReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("symbol")),
        trade_id=identity(row, "id"),
        venue_order_id=identity(row, "orderId"),
        client_order_id=client_order_id,
        side=side(row, "side"),
        price=decimal(row, "price"),
        quantity=decimal(row, "qty"),
        fee_asset=str(row.get("commissionAsset") or ""),
        fee_quantity=decimal(row, "commission"),
        liquidity="maker" if flag(row, "maker") else "taker",
        kind=fill_kind(client_order_id),
        source="sweep",
        at_us=instant_us(row, "time"),
    )


def fill_kind(client_order_id: str | None) -> Literal["trade", "liquidation", "adl"]:
    """Say what made a fill: the venue's own engine names its orders."""
    if client_order_id is not None and client_order_id.startswith(_LIQUIDATION_PREFIX):
        return "liquidation"
    if client_order_id is not None and client_order_id.startswith(_ADL_PREFIX):
        return "adl"
    return "trade"


def position(row: Payload, of: Account) -> PositionReport:
    """Read a position of one-way mode; a row of hedge mode is unreadable to us."""
    if row.get("positionSide") != "BOTH":
        raise Unreadable(f"position side {row.get('positionSide')!r}: the account must be in one-way mode")
    quantity = decimal(row, "positionAmt")
    return PositionReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("symbol")),
        quantity=quantity,
        entry_price=decimal(row, "entryPrice") if quantity else None,
        mark_price=decimal(row, "markPrice"),
        unrealised_profit=decimal(row, "unRealizedProfit"),
        liquidation_price=decimal(row, "liquidationPrice") or None,
        initial_margin=decimal(row, "initialMargin"),
        maintenance_margin=decimal(row, "maintMargin"),
        at_us=instant_us(row, "updateTime"),
    )


def balance(row: Payload, of: Account) -> BalanceReport:
    """Read one asset of the account."""
    return BalanceReport(
        venue=of.venue,
        account=of.account,
        asset=str(row["asset"]),
        wallet=decimal(row, "walletBalance"),
        margin=decimal(row, "marginBalance"),
        available=decimal(row, "availableBalance"),
        initial_margin=decimal(row, "initialMargin"),
        maintenance_margin=decimal(row, "maintMargin"),
        at_us=instant_us(row, "updateTime"),
    )


def mark(row: Payload, of: Account, funding_interval_ms: int) -> MarkReport:
    """Read mark, index and funding."""
    return MarkReport(
        venue=of.venue,
        symbol=of.symbol(row.get("symbol")),
        mark_price=decimal(row, "markPrice"),
        index_price=decimal(row, "indexPrice"),
        funding_rate=decimal(row, "lastFundingRate"),
        funding_interval_ms=funding_interval_ms,
        next_funding_us=instant_us(row, "nextFundingTime"),
        at_us=instant_us(row, "time"),
    )


def fee_rates(row: Payload, of: Account) -> FeeRates:
    """Read what the account pays."""
    return FeeRates(
        venue=of.venue,
        symbol=of.symbol(row.get("symbol")),
        maker=decimal(row, "makerCommissionRate"),
        taker=decimal(row, "takerCommissionRate"),
    )


def funding(row: Payload, of: Account) -> FundingReport:
    """Read one funding payment out of the income history."""
    return FundingReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("symbol")),
        payment_id=identity(row, "tranId"),
        asset=str(row["asset"]),
        amount=decimal(row, "income"),
        at_us=instant_us(row, "time"),
    )


def instrument(item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
    """Read a listing out of ccxt's market and its raw filters."""
    filters = {str(row["filterType"]): row for row in item["info"]["filters"]}
    prices, sizes = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    return InstrumentReport(
        venue=venue,
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        settle=market.settle,
        tick=decimal(prices, "tickSize"),
        step=decimal(sizes, "stepSize"),
        quantity_min=decimal(sizes, "minQty"),
        quantity_max=decimal(sizes, "maxQty"),
        notional_min=decimal(filters["MIN_NOTIONAL"], "notional"),
        market_id=market.market_id,
        kind=market.kind,
        contract_size=market.contract_size,
        expiry_us=int(item.get("expiry") or 0) * 1_000,
    )


def margin_tiers(row: Payload) -> tuple[MarginTier, ...]:
    """Read one symbol's brackets, lowest first. Their rates are JSON numbers: taken at their shortest spelling."""
    tiers = [
        MarginTier(
            notional_from=number(bracket, "notionalFloor"),
            maintenance_rate=number(bracket, "maintMarginRatio"),
            leverage_max=number(bracket, "initialLeverage"),
        )
        for bracket in row["brackets"]
    ]
    return tuple(sorted(tiers, key=lambda tier: tier.notional_from))
