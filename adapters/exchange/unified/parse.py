"""ccxt's unified structures into our reports, numbers asked for as strings. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeVar

from adapters.exchange.fields import Payload, Unreadable, identity, instant_us, number, part
from adapters.exchange.naming import Account, Market, kind_of
from domain.venue import (
    HOUR_MS,
    BalanceReport,
    FeeRates,
    FillReport,
    FundingReport,
    InstrumentReport,
    MarkReport,
    OrderReport,
    OrderStatus,
    PositionReport,
    Side,
)

ZERO = Decimal(0)
V = TypeVar("V")
_SIDES: Mapping[object, Side] = {"buy": "buy", "sell": "sell"}
_STATUSES: Mapping[object, OrderStatus] = {
    "open": "new",
    "closed": "filled",
    "canceled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
}
_INTERVALS: Mapping[object, int] = {f"{hours}h": hours * HOUR_MS for hours in (1, 2, 4, 8, 12, 24)}


def market(item: Mapping[str, Any]) -> Market | None:
    """Name a market by its symbol; one whose contract has no told size (as Hyperliquid's) counts units."""
    kind = kind_of(item)
    if kind is None:
        return None
    size = item.get("contractSize")
    return Market(
        key=str(item["symbol"]),
        market_id=str(item["id"]),
        symbol=str(item["symbol"]),
        kind=kind,
        base=str(item["base"]),
        quote=str(item["quote"]),
        settle=str(item["settle"] or item["quote"]),
        contract_size=Decimal(1) if kind == "spot" or size is None else Decimal(str(size)),
        expiry_us=int(item.get("expiry") or 0) * 1_000,
    )


def instrument(item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
    """Read a listing; a bound that ccxt does not know is 0."""
    size, steps, limits = market.contract_size, item["precision"], item["limits"]
    return InstrumentReport(
        venue=venue,
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        settle=market.settle,
        tick=number(steps, "price"),
        step=number(steps, "amount") * size,
        quantity_min=_or_zero(limits["amount"], "min") * size,
        quantity_max=_or_zero(limits["amount"], "max") * size,
        notional_min=_or_zero(limits["cost"], "min"),
        market_id=market.market_id,
        kind=market.kind,
        contract_size=size,
        expiry_us=market.expiry_us,
    )


def funding_interval_ms(row: Payload) -> int | None:
    """Return how often a perpetual pays, told as such or by its next two times; None when it is not told."""
    told = _INTERVALS.get(row.get("interval"))
    if told is not None:
        return told
    due, after = row.get("fundingTimestamp"), row.get("nextFundingTimestamp")
    if isinstance(due, int) and isinstance(after, int) and after > due:
        return after - due
    return None


def order(row: Payload, of: Account) -> OrderReport:
    """Read an order."""
    market = of.market(row.get("symbol"))
    filled = number(row, "filled") * market.contract_size
    status = _known(_STATUSES, row.get("status"))
    return OrderReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        venue_order_id=identity(row, "id"),
        client_order_id=str(row.get("clientOrderId") or ""),
        side=_known(_SIDES, row.get("side")),
        status="partially_filled" if status == "new" and filled else status,
        quantity=number(row, "amount") * market.contract_size,
        filled=filled,
        limit_price=_or_zero(row, "price") or None,
        average_price=(_or_zero(row, "average") or None) if filled else None,
        reduce_only=row.get("reduceOnly") is True,
        at_us=instant_us(row, "lastUpdateTimestamp" if row.get("lastUpdateTimestamp") else "timestamp"),
    )


def fill(row: Payload, of: Account, source: Literal["stream", "sweep"]) -> FillReport:
    """Read a fill; its fee has the sign that ccxt gives it, which is not everywhere the same."""
    market = of.market(row.get("symbol"))
    paid = part(row, "fee") if row.get("fee") else {"currency": "", "cost": "0"}
    return FillReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        trade_id=identity(row, "id"),
        venue_order_id=identity(row, "order"),
        client_order_id=None,
        side=_known(_SIDES, row.get("side")),
        price=number(row, "price"),
        quantity=number(row, "amount") * market.contract_size,
        fee_asset=str(paid.get("currency") or ""),
        fee_quantity=number(paid, "cost"),
        liquidity="maker" if row.get("takerOrMaker") == "maker" else "taker",
        kind="trade",
        source=source,
        at_us=instant_us(row, "timestamp"),
    )


def funding(row: Payload, of: Account) -> FundingReport:
    """Read one funding payment."""
    return FundingReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("symbol")),
        payment_id=identity(row, "id"),
        asset=identity(row, "code"),
        amount=number(row, "amount"),
        at_us=instant_us(row, "timestamp"),
    )


def position(row: Payload, of: Account) -> PositionReport:
    """Read a position; ccxt tells size and side apart, and calls a flat one what it likes."""
    market = of.market(row.get("symbol"))
    size = abs(number(row, "contracts")) * market.contract_size
    if size and row.get("side") not in {"long", "short"}:
        raise Unreadable(f"side {row.get('side')!r}, not a position's")
    return PositionReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        quantity=-size if row.get("side") == "short" else size,
        entry_price=number(row, "entryPrice") if size else None,
        mark_price=_or_zero(row, "markPrice"),
        unrealised_profit=_or_zero(row, "unrealizedPnl"),
        liquidation_price=_or_zero(row, "liquidationPrice") or None,
        initial_margin=_or_zero(row, "initialMargin"),
        maintenance_margin=_or_zero(row, "maintenanceMargin"),
        at_us=instant_us(row, "timestamp") if row.get("timestamp") else 0,
    )


def balances(answer: Payload, of: Account) -> Sequence[BalanceReport]:
    """Read the assets: unified balances know no margins."""
    found: list[BalanceReport] = []
    for asset in answer["total"]:
        row = answer[asset]
        total = _or_zero(row, "total")
        if total:
            found.append(
                BalanceReport(
                    venue=of.venue,
                    account=of.account,
                    asset=str(asset),
                    wallet=total,
                    margin=total,
                    available=_or_zero(row, "free"),
                    initial_margin=_or_zero(row, "used"),
                    maintenance_margin=ZERO,
                    at_us=instant_us(answer, "timestamp") if answer.get("timestamp") else 0,
                )
            )
    return found


def mark(row: Payload, of: Account, interval_ms: int) -> MarkReport:
    """Read mark, index and funding; a venue whose funding rate comes without a mark is unreadable here."""
    return MarkReport(
        venue=of.venue,
        symbol=of.symbol(row.get("symbol")),
        mark_price=number(row, "markPrice"),
        index_price=number(row, "indexPrice"),
        funding_rate=number(row, "fundingRate"),
        funding_interval_ms=interval_ms,
        next_funding_us=instant_us(row, "fundingTimestamp"),
        at_us=instant_us(row, "timestamp"),
    )


def fee_rates(row: Payload, of: Account) -> FeeRates:
    """Read what the account pays."""
    return FeeRates(
        venue=of.venue, symbol=of.symbol(row.get("symbol")), maker=number(row, "maker"), taker=number(row, "taker")
    )


def _or_zero(row: Payload, name: str) -> Decimal:
    return ZERO if row.get(name) is None else number(row, name)


def _known(table: Mapping[object, V], value: object) -> V:
    found = table.get(value)
    if found is None:
        raise Unreadable(f"{value!r} is none of {', '.join(map(str, table))}")
    return found
