"""Bybit's v5 payloads into our reports. Pure: dicts in, reports out, `Unreadable` for anything else.

Market ids repeat between categories (ETHUSDT is a perpetual and a spot pair), so everything is named `category:id`.
Contracts are coins on linear and dollars on inverse: units already. Numbers are strings; "" where there is none.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from adapters.exchange.bybit.codes import REFUSED_LATER
from adapters.exchange.bybit.listing import HOUR_MS, interval_ms
from adapters.exchange.fields import Payload, Unreadable, decimal, flag, identity, instant_us, not_negative, part
from adapters.exchange.naming import Account
from domain.venue import (
    BalanceReport,
    FeeRates,
    FillReport,
    FundingReport,
    MarkReport,
    OrderReport,
    OrderStatus,
    PositionReport,
    Rejected,
    Side,
    TimeInForce,
)

TIMES_IN_FORCE: Mapping[TimeInForce, str] = {"gtc": "GTC", "ioc": "IOC", "fok": "FOK", "gtx": "PostOnly"}
FUNDING = "Funding"
_SIDES: Mapping[str, Side] = {"Buy": "buy", "Sell": "sell"}
_STATUSES: Mapping[str, OrderStatus] = {
    "Created": "new",
    "New": "new",
    "PartiallyFilled": "partially_filled",
    "Filled": "filled",
    "Cancelled": "canceled",
    "PartiallyFilledCanceled": "canceled",
    "Rejected": "rejected",
}
# Conditional orders that wait, or ended waiting, are no orders of the book.
WAITING = frozenset({"Untriggered", "Triggered", "Deactivated"})
# Cancelled by the order's own terms, as other venues say "expired".
_LIVED_OUT = frozenset({"EC_NoImmediateQtyToFill", "EC_CancelForNoFullFill", "EC_NoEnoughQtyToFill"})
_FILLS: Mapping[str, Literal["trade", "liquidation", "adl"]] = {
    "Trade": "trade",
    "BlockTrade": "trade",
    "MovePosition": "trade",
    "FutureSpread": "trade",
    "AdlTrade": "adl",
    "BustTrade": "liquidation",
}
# What ends a dated contract: its position is traded away at the settlement price.
_ENDINGS = frozenset({"Settle", "Delivery"})


def result(answer: object) -> Payload:
    """Return what an answer is about. A web page, a list or an error in its place is unreadable."""
    if not isinstance(answer, dict) or answer.get("retCode") != 0:
        raise Unreadable("an answer without a retCode of 0")
    return part(answer, "result")  # pyright: ignore[reportUnknownArgumentType] - JSON object


def rows(answer: object) -> list[Payload]:
    """Return an answer's list."""
    return row_list(result(answer), "list")


def row_list(row: Payload, name: str) -> list[Payload]:
    """Return a field that is a list of objects."""
    found = row.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):  # pyright: ignore[reportUnknownVariableType] - JSON
        raise Unreadable(f"{name} is {type(found).__name__}, not a list of objects")  # pyright: ignore[reportUnknownArgumentType] - JSON
    return found  # pyright: ignore[reportUnknownVariableType] - checked above


def answered_us(answer: Payload) -> int:
    """Return when the venue answered: rows without a time of their own are as of then."""
    return instant_us(answer, "time")


def order(row: Payload, category: str, of: Account) -> OrderReport:
    """Read an order, told by REST or by stream. A market order's price is only the venue's bound of slippage."""
    filled = decimal(row, "cumExecQty")
    return OrderReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(f"{category}:{row.get('symbol')}"),
        venue_order_id=identity(row, "orderId"),
        client_order_id=_client_id(row),
        side=_side(row),
        status=_status(row),
        quantity=decimal(row, "qty"),
        filled=filled,
        limit_price=None if row.get("orderType") == "Market" else decimal(row, "price") or None,
        average_price=decimal(row, "avgPrice") if filled else None,
        reduce_only=flag(row, "reduceOnly"),
        at_us=instant_us(row, "updatedTime"),
    )


def refusal(row: Payload) -> Rejected | None:
    """Return why an order that was answered with an id was refused after all; None when it was not.

    One that traded was not refused, and one that lived out its terms (immediate or cancel) was not either.
    """
    told = str(row.get("rejectReason") or "")
    reason = REFUSED_LATER.get(told)
    if decimal(row, "cumExecQty"):
        return None
    if row.get("orderStatus") == "Rejected":
        return Rejected(reason or "venue_rule", f"taken, then rejected: {told}")
    if row.get("orderStatus") == "Cancelled" and reason is not None:
        return Rejected(reason, f"taken, then cancelled: {told}")
    return None


def is_fill(row: Payload, category: str, of: Account) -> bool:
    """Say whether an execution changes a position; funding does not. An unknown kind is unreadable."""
    kind = identity(row, "execType")
    if kind == FUNDING:
        return False
    if kind in _ENDINGS and not of.market(f"{category}:{row.get('symbol')}").expiry_us:
        # A perpetual has no end; what its "settlement" would do to a position is not for us to guess.
        raise Unreadable(f"{kind} of a contract that does not end")
    if kind not in _FILLS and kind not in _ENDINGS:
        raise Unreadable(f"unknown kind of execution {kind!r}")
    return True


def fill(row: Payload, category: str, of: Account, source: Literal["stream", "sweep"]) -> FillReport:
    """Read an execution that `is_fill`."""
    market = of.market(f"{category}:{row.get('symbol')}")
    client_order_id = _client_id(row)
    return FillReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        trade_id=identity(row, "execId"),
        venue_order_id=identity(row, "orderId"),
        client_order_id=client_order_id or None,
        side=_side(row),
        price=decimal(row, "execPrice"),
        quantity=decimal(row, "execQty"),
        fee_asset=str(row.get("feeCurrency") or row.get("feeCoin") or market.settle),
        fee_quantity=decimal(row, "execFee") if row.get("execFee") != "" else Decimal(0),
        liquidity="maker" if flag(row, "isMaker") else "taker",
        kind=_FILLS.get(identity(row, "execType"), "trade"),
        source=source,
        at_us=instant_us(row, "execTime"),
    )


def funding(row: Payload, category: str, of: Account) -> FundingReport:
    """Read a funding payment out of the executions: its fee is what was paid."""
    if row.get("execType") != FUNDING:
        raise Unreadable(f"{row.get('execType')!r} among funding payments")
    market = of.market(f"{category}:{row.get('symbol')}")
    return FundingReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        payment_id=identity(row, "execId"),
        asset=str(row.get("feeCurrency") or market.settle),
        amount=-decimal(row, "execFee"),
        at_us=instant_us(row, "execTime"),
    )


def position(row: Payload, category: str, of: Account) -> PositionReport | None:
    """Read a position of one-way mode, None when it is flat; a row of hedge mode is unreadable to us."""
    if row.get("positionIdx") != 0:
        raise Unreadable(f"position index {row.get('positionIdx')!r}: the account must be in one-way mode")
    size = decimal(row, "size")
    if not size:
        return None
    return PositionReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(f"{category}:{row.get('symbol')}"),
        quantity=size if _side(row) == "buy" else -size,
        entry_price=decimal(row, "avgPrice"),
        mark_price=decimal(row, "markPrice"),
        unrealised_profit=decimal(row, "unrealisedPnl"),
        liquidation_price=decimal(row, "liqPrice") or None if row.get("liqPrice") != "" else None,
        initial_margin=decimal(row, "positionIM"),
        maintenance_margin=decimal(row, "positionMM"),
        at_us=instant_us(row, "updatedTime"),
    )


def balance(row: Payload, of: Account, at_us: int) -> BalanceReport:
    """Read one coin of a unified account.

    The venue tells what new orders may use for the account as a whole only, in dollars; per coin it is what neither
    positions nor orders tie up, which is never more.
    """
    margin = decimal(row, "equity")
    initial = decimal(row, "totalOrderIM") + decimal(row, "totalPositionIM")
    return BalanceReport(
        venue=of.venue,
        account=of.account,
        asset=identity(row, "coin"),
        wallet=decimal(row, "walletBalance"),
        margin=margin,
        available=max(Decimal(0), margin - initial - decimal(row, "locked")),
        initial_margin=initial,
        maintenance_margin=decimal(row, "totalPositionMM"),
        at_us=at_us,
    )


def mark(row: Payload, category: str, of: Account, at_us: int) -> MarkReport:
    """Read mark, index and funding out of a ticker."""
    return MarkReport(
        venue=of.venue,
        symbol=of.symbol(f"{category}:{row.get('symbol')}"),
        mark_price=decimal(row, "markPrice"),
        index_price=decimal(row, "indexPrice"),
        funding_rate=decimal(row, "fundingRate"),
        funding_interval_ms=interval_ms(row, "fundingIntervalHour", HOUR_MS),
        next_funding_us=instant_us(row, "nextFundingTime"),
        at_us=at_us,
    )


def open_interest(row: Payload) -> Decimal:
    """Read the open interest out of a ticker: base units, dollars on inverse contracts."""
    return not_negative(row, "openInterest")


def fee_rates(row: Payload, category: str, of: Account) -> FeeRates:
    """Read what the account pays."""
    return FeeRates(
        venue=of.venue,
        symbol=of.symbol(f"{category}:{row.get('symbol')}"),
        maker=decimal(row, "makerFeeRate"),
        taker=decimal(row, "takerFeeRate"),
    )


def _client_id(row: Payload) -> str:
    """Return our order id, "" on orders that nobody named: the venue's own."""
    found = row.get("orderLinkId")
    if not isinstance(found, str):
        raise Unreadable(f"orderLinkId is {found!r}, not an id")
    return found


def _side(row: Payload) -> Side:
    found = _SIDES.get(str(row.get("side")))
    if found is None:
        raise Unreadable(f"side is {row.get('side')!r}")
    return found


def _status(row: Payload) -> OrderStatus:
    found = _STATUSES.get(str(row.get("orderStatus")))
    if found is None:
        raise Unreadable(f"orderStatus is {row.get('orderStatus')!r}")
    if found == "canceled" and row.get("rejectReason") in _LIVED_OUT:
        return "expired"
    return found
