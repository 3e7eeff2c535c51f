"""Binance's futures payloads into our reports. Pure: dicts in, reports out, `Unreadable` for anything else.

USD-M and COIN-M differ in what they count: COIN-M counts contracts of so many USD, and here they become USD.
No float survives. The raw payload is read, not ccxt's unified one: its strings are exact and nothing is merged into it,
and ccxt's `cost` of a COIN-M event is price times contracts, which is nothing at all.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from adapters.exchange.fields import (
    Payload,
    Unreadable,
    decimal,
    flag,
    identity,
    instant_us,
    not_negative,
    number,
    part,
    side,
    status,
)
from adapters.exchange.naming import Account, Market
from domain.venue import (
    HOUR_MS,
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
FUNDING_INTERVAL_MS = 8 * HOUR_MS


def order(row: Payload, of: Account) -> OrderReport:
    """Read an order as REST tells it."""
    market = of.market(row.get("symbol"))
    filled = decimal(row, "executedQty") * market.contract_size
    return OrderReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        venue_order_id=identity(row, "orderId"),
        client_order_id=identity(row, "clientOrderId"),
        side=side(row, "side"),
        status=status(row, "status"),
        quantity=decimal(row, "origQty") * market.contract_size,
        filled=filled,
        limit_price=decimal(row, "price") or None,
        average_price=decimal(row, "avgPrice") if filled else None,
        reduce_only=flag(row, "reduceOnly"),
        at_us=instant_us(row, "updateTime"),
    )


def order_event(event: Payload, of: Account) -> OrderReport:
    """Read the order's state out of an ORDER_TRADE_UPDATE."""
    row = _one_way(part(event, "o"), "ps")
    market = of.market(row.get("s"))
    filled = decimal(row, "z") * market.contract_size
    return OrderReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        venue_order_id=identity(row, "i"),
        client_order_id=identity(row, "c"),
        side=side(row, "S"),
        status=status(row, "X"),
        quantity=decimal(row, "q") * market.contract_size,
        filled=filled,
        limit_price=decimal(row, "p") or None,
        average_price=decimal(row, "ap") if filled else None,
        reduce_only=flag(row, "R"),
        at_us=instant_us(row, "T"),
    )


def fill_event(event: Payload, of: Account) -> FillReport | None:
    """Read the fill out of an ORDER_TRADE_UPDATE, None when it tells of none."""
    row = _one_way(part(event, "o"), "ps")
    if row.get("x") not in {"TRADE", "CALCULATED"}:
        return None
    market = of.market(row.get("s"))
    client_order_id = identity(row, "c")
    return FillReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        trade_id=identity(row, "t"),
        venue_order_id=identity(row, "i"),
        client_order_id=client_order_id,
        side=side(row, "S"),
        price=decimal(row, "L"),
        quantity=decimal(row, "l") * market.contract_size,
        fee_asset=str(row.get("N") or ""),
        fee_quantity=decimal(row, "n") if row.get("N") else Decimal(0),
        liquidity="maker" if flag(row, "m") else "taker",
        kind=fill_kind(client_order_id),
        source="stream",
        at_us=instant_us(row, "T"),
    )


def fill(row: Payload, of: Account, client_order_id: str | None) -> FillReport:
    """Read a fill as userTrades tells it; whose order it was, its caller knows."""
    market = of.market(_one_way(row, "positionSide").get("symbol"))
    return FillReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        trade_id=identity(row, "id"),
        venue_order_id=identity(row, "orderId"),
        client_order_id=client_order_id,
        side=side(row, "side"),
        price=decimal(row, "price"),
        quantity=decimal(row, "qty") * market.contract_size,
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


def position(row: Payload, of: Account, margins: Payload) -> PositionReport:
    """Read a position of one-way mode. `margins` is the row that tells its margins: itself, or on COIN-M another."""
    if row.get("positionSide") != "BOTH":
        raise Unreadable(f"position side {row.get('positionSide')!r}: the account must be in one-way mode")
    market = of.market(row.get("symbol"))
    quantity = decimal(row, "positionAmt") * market.contract_size
    return PositionReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        quantity=quantity,
        entry_price=decimal(row, "entryPrice") if quantity else None,
        mark_price=decimal(row, "markPrice"),
        unrealised_profit=decimal(row, "unRealizedProfit"),
        liquidation_price=decimal(row, "liquidationPrice") or None,
        initial_margin=decimal(margins, "initialMargin"),
        maintenance_margin=decimal(margins, "maintMargin"),
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
    """Read mark, index and funding; a dated future's rate is empty, since it pays none."""
    return MarkReport(
        venue=of.venue,
        symbol=of.symbol(row.get("symbol")),
        mark_price=decimal(row, "markPrice"),
        index_price=decimal(row, "indexPrice"),
        funding_rate=decimal(row, "lastFundingRate") if funding_interval_ms else Decimal(0),
        funding_interval_ms=funding_interval_ms,
        next_funding_us=instant_us(row, "nextFundingTime"),
        at_us=instant_us(row, "time"),
    )


def open_interest(row: Payload, of: Account, symbol: str) -> Decimal:
    """Read the open interest, in contracts (a unit each on linear ones), of the symbol that was asked for."""
    if of.symbol(row.get("symbol")) != symbol:
        raise Unreadable(f"the open interest of {row.get('symbol')}")
    return not_negative(row, "openInterest") * of.named(symbol).contract_size


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
    prices, sizes, least = filters["PRICE_FILTER"], filters["LOT_SIZE"], filters.get("MIN_NOTIONAL")
    size = market.contract_size
    return InstrumentReport(
        venue=venue,
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        settle=market.settle,
        tick=decimal(prices, "tickSize"),
        step=decimal(sizes, "stepSize") * size,
        quantity_min=decimal(sizes, "minQty") * size,
        quantity_max=decimal(sizes, "maxQty") * size,
        notional_min=Decimal(0) if least is None else decimal(least, "notional"),
        market_id=market.market_id,
        kind=market.kind,
        contract_size=size,
        expiry_us=market.expiry_us,
    )


def margin_tiers(row: Payload, floor: str) -> tuple[MarginTier, ...]:
    """Read one symbol's brackets, lowest first; `floor` names where one begins.

    Their rates are JSON numbers: taken at their shortest spelling.
    """
    tiers = [
        MarginTier(
            notional_from=number(bracket, floor),
            maintenance_rate=number(bracket, "maintMarginRatio"),
            leverage_max=number(bracket, "initialLeverage"),
        )
        for bracket in row["brackets"]
    ]
    return tuple(sorted(tiers, key=lambda tier: tier.notional_from))


def funding_intervals(rows: Sequence[Payload]) -> Mapping[str, int]:
    """Read in how many milliseconds each market pays that is not as most are."""
    return {str(row["symbol"]): int(number(row, "fundingIntervalHours")) * HOUR_MS for row in rows}


def _one_way(row: Payload, name: str) -> Payload:
    """Return a row, unless it is about one of hedge mode's two positions; some rows do not say."""
    if row.get(name, "BOTH") != "BOTH":
        raise Unreadable(f"position side {row[name]!r}: the account must be in one-way mode")
    return row


def check_countdown(answer: object, market_id: str, for_ms: int) -> None:
    """Take it that a market's countdown is set only when the venue says so of that market and time."""
    told = answer if isinstance(answer, dict) else {}
    if told.get("symbol") != market_id or str(told.get("countdownTime")) != str(for_ms):  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - JSON
        raise Unreadable("a countdown that was not confirmed")
