"""Binance spot payloads into our reports. Pure: dicts in, reports out, `Unreadable` for anything else."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapters.exchange.fields import Payload, Unreadable, decimal, flag, identity, instant_us, side, status
from adapters.exchange.naming import Account, Market
from domain.venue import BalanceReport, FeeRates, FillReport, InstrumentReport, OrderReport

ZERO = Decimal(0)


def order(row: Payload, of: Account) -> OrderReport:
    """Read an order as REST tells it: asked for, just made, or just cancelled."""
    filled = decimal(row, "executedQty")
    return OrderReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("symbol")),
        venue_order_id=identity(row, "orderId"),
        client_order_id=identity(row, "origClientOrderId" if "origClientOrderId" in row else "clientOrderId"),
        side=side(row, "side"),
        status=status(row, "status"),
        quantity=decimal(row, "origQty"),
        filled=filled,
        limit_price=_limit(row, "type", "price"),
        average_price=_average(decimal(row, "cummulativeQuoteQty"), filled),
        reduce_only=False,
        at_us=instant_us(row, "transactTime" if "transactTime" in row else "updateTime"),
    )


def order_event(row: Payload, of: Account) -> OrderReport:
    """Read the order's state out of an executionReport; after a cancel `c` is the cancel's id and `C` the order's."""
    filled = decimal(row, "z")
    return OrderReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("s")),
        venue_order_id=identity(row, "i"),
        client_order_id=_client_order_id(row),
        side=side(row, "S"),
        status=status(row, "X"),
        quantity=decimal(row, "q"),
        filled=filled,
        limit_price=_limit(row, "o", "p"),
        average_price=_average(decimal(row, "Z"), filled),
        reduce_only=False,
        at_us=instant_us(row, "T"),
    )


def fill_event(row: Payload, of: Account) -> FillReport | None:
    """Read the fill out of an executionReport, None when it tells of none."""
    if row.get("x") != "TRADE":
        return None
    fee_asset = row.get("N")
    return FillReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("s")),
        trade_id=identity(row, "t"),
        venue_order_id=identity(row, "i"),
        client_order_id=_client_order_id(row),
        side=side(row, "S"),
        price=decimal(row, "L"),
        quantity=decimal(row, "l"),
        fee_asset="" if fee_asset is None else identity(row, "N"),
        fee_quantity=ZERO if fee_asset is None else decimal(row, "n"),
        liquidity="maker" if flag(row, "m") else "taker",
        kind="trade",
        source="stream",
        at_us=instant_us(row, "T"),
    )


def fill(row: Payload, of: Account, client_order_id: str | None) -> FillReport:
    """Read a fill as myTrades tells it; whose order it was, its caller knows."""
    return FillReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("symbol")),
        trade_id=identity(row, "id"),
        venue_order_id=identity(row, "orderId"),
        client_order_id=client_order_id,
        side="buy" if flag(row, "isBuyer") else "sell",
        price=decimal(row, "price"),
        quantity=decimal(row, "qty"),
        fee_asset=identity(row, "commissionAsset"),
        fee_quantity=decimal(row, "commission"),
        liquidity="maker" if flag(row, "isMaker") else "taker",
        kind="trade",
        source="sweep",
        at_us=instant_us(row, "time"),
    )


def balance(row: Payload, of: Account, account: Payload) -> BalanceReport:
    """Read one asset: what open orders lock is still ours."""
    free = decimal(row, "free")
    wallet = free + decimal(row, "locked")
    return BalanceReport(
        venue=of.venue,
        account=of.account,
        asset=identity(row, "asset"),
        wallet=wallet,
        margin=wallet,
        available=free,
        initial_margin=ZERO,
        maintenance_margin=ZERO,
        at_us=instant_us(account, "updateTime"),
    )


def fee_rates(row: Payload, of: Account) -> FeeRates:
    """Read what the account pays."""
    return FeeRates(
        venue=of.venue,
        symbol=of.symbol(row.get("symbol")),
        maker=decimal(row, "makerCommission"),
        taker=decimal(row, "takerCommission"),
    )


def instrument(item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
    """Read a listing out of ccxt's market and its raw filters; the least value's filter has had two names."""
    filters = {str(row["filterType"]): row for row in item["info"]["filters"]}
    prices, sizes = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    least = filters.get("NOTIONAL", filters.get("MIN_NOTIONAL"))
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
        notional_min=ZERO if least is None else decimal(least, "minNotional"),
        market_id=market.market_id,
        kind="spot",
    )


def _client_order_id(row: Payload) -> str:
    return identity(row, "C" if row.get("C") else "c")


def _limit(row: Payload, kind: str, price: str) -> Decimal | None:
    match row.get(kind):
        case "MARKET":
            return None
        case "LIMIT" | "LIMIT_MAKER":
            return decimal(row, price)
        case other:
            raise Unreadable(f"an order of type {other!r}")


def _average(value: Decimal, filled: Decimal) -> Decimal | None:
    return value / filled if filled else None
