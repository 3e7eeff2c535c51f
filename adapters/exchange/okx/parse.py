"""OKX v5 payloads into our reports. Pure: dicts in, reports out, `Unreadable` for anything else.

Everything that OKX counts in contracts comes out in units: contracts x ctVal x ctMult, exactly. Its fees are negative
when paid and turn their sign here, once, for REST and stream alike. The raw payload is read, not ccxt's unified one,
which turns the sign of some of them only.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from adapters.exchange.failures import Reason
from adapters.exchange.fields import Payload, Unreadable
from adapters.exchange.naming import Account
from adapters.exchange.okx.fields import (
    check_net,
    flag,
    identity,
    instant_us,
    negative,
    number,
    only,
    optional,
    optional_price,
    or_zero,
    price,
    rows,
    side,
    state,
    text,
    units,
)
from domain.quantity import EXACT
from domain.venue import (
    BalanceReport,
    FillReport,
    FundingReport,
    MarkReport,
    OrderReport,
    PositionReport,
    Rejected,
    TimeInForce,
)

ORDER_TYPES: Mapping[TimeInForce, str] = {"gtc": "limit", "ioc": "ioc", "fok": "fok", "gtx": "post_only"}
# A market order that is at once or not, as the contracts' markets take it.
MARKET_ORDER = "optimal_limit_ioc"
POST_ONLY_TOOK = "31"
Kind = Literal["trade", "liquidation", "adl"]
# What made an order, as the stream says it; what is not here is a trade.
_CATEGORIES: Mapping[str, Kind] = {
    "full_liquidation": "liquidation",
    "partial_liquidation": "liquidation",
    "adl": "adl",
}
# The same as the history says it: partial liquidations and liquidations, then ADL, closing, buying and selling.
_SUB_TYPES: Mapping[str, Kind] = {
    **dict.fromkeys(("100", "101", "102", "103", "104", "105", "106", "107"), "liquidation"),
    **dict.fromkeys(("125", "126", "127", "128"), "adl"),
}


def check_item(answer: object, client_order_id: str, reason: Reason) -> None:
    """Read what became of the one item that was sent: an envelope may say success while the item says no."""
    item = only(rows(answer.get("data") if isinstance(answer, Mapping) else None))
    code, told = str(item.get("sCode")).partition("_")[0], str(item.get("sMsg"))
    refused = reason(code, told)
    if refused is not None:
        raise Rejected(refused, f"{code}: {told}")
    if code != "0" or item.get("clOrdId") != client_order_id or not item.get("ordId"):
        raise Unreadable(f"an answer that is no yes: {code}")


def order(row: Payload, of: Account) -> OrderReport:
    """Read an order, as REST and the stream tell it alike."""
    check_net(row)
    market = of.market(row.get("instId"))
    filled = units(row, "accFillSz", market)
    quantity = units(row, "sz", market)
    average = optional_price(row, "avgPx")
    if quantity <= 0 or not 0 <= filled <= quantity or (filled and not average):
        raise Unreadable(f"an order of {quantity} with {filled} filled at {average}")
    return OrderReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        venue_order_id=identity(row, "ordId"),
        client_order_id=text(row, "clOrdId"),
        side=side(row),
        status=state(row),
        quantity=quantity,
        filled=filled,
        limit_price=optional_price(row, "px"),
        average_price=average if filled else None,
        reduce_only=flag(row, "reduceOnly"),
        at_us=instant_us(row, "uTime"),
    )


def fill_event(row: Payload, of: Account) -> FillReport | None:
    """Read the fill out of an order's event, None when it tells of none."""
    if not row.get("tradeId") or not optional(row, "fillSz"):
        return None
    kind = _CATEGORIES.get(str(row.get("category")), "trade")
    fee = {"fee": row.get("fillFee"), "feeCcy": row.get("fillFeeCcy")}
    return _fill({**row, **fee}, of, kind, "stream", instant_us(row, "fillTime"))


def fill(row: Payload, of: Account) -> FillReport:
    """Read a fill as the history tells it."""
    kind = _SUB_TYPES.get(str(row.get("subType")), "trade")
    # The history's own `ts` is when it was written down, a little later.
    at_us = instant_us(row, "fillTime" if row.get("fillTime") else "ts")
    return _fill(row, of, kind, "sweep", at_us)


def position(row: Payload, of: Account) -> PositionReport:
    """Read a position of net mode and cross margin; any other mode is unreadable to us."""
    check_net(row)
    if row.get("mgnMode") != "cross":
        raise Unreadable(f"margin mode {row.get('mgnMode')!r}: positions must be cross")
    market = of.market(row.get("instId"))
    quantity = units(row, "pos", market)
    return PositionReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        quantity=quantity,
        entry_price=price(row, "avgPx") if quantity else None,
        mark_price=price(row, "markPx"),
        unrealised_profit=or_zero(row, "upl"),
        liquidation_price=optional_price(row, "liqPx"),
        initial_margin=or_zero(row, "imr"),
        maintenance_margin=or_zero(row, "mmr"),
        at_us=instant_us(row, "uTime"),
    )


def balance(row: Payload, of: Account) -> BalanceReport:
    """Read one asset; margins are blank while no position needs any."""
    return BalanceReport(
        venue=of.venue,
        account=of.account,
        asset=identity(row, "ccy"),
        wallet=number(row, "cashBal"),
        margin=number(row, "eq"),
        available=number(row, "availEq"),
        initial_margin=or_zero(row, "imr"),
        maintenance_margin=or_zero(row, "mmr"),
        at_us=instant_us(row, "uTime"),
    )


def mark(marked: Payload, indexed: Payload, funding_row: Payload, of: Account) -> MarkReport:
    """Read mark, index and funding, which three endpoints tell. `fundingTime` is the next payment."""
    return MarkReport(
        venue=of.venue,
        symbol=of.symbol(marked.get("instId")),
        mark_price=mark_price(marked),
        index_price=price(indexed, "idxPx"),
        funding_rate=number(funding_row, "fundingRate"),
        funding_interval_ms=funding_interval_ms(funding_row),
        next_funding_us=instant_us(funding_row, "fundingTime"),
        at_us=instant_us(marked, "ts"),
    )


def open_interest(row: Payload, of: Account, symbol: str) -> Decimal:
    """Read the open interest, told in contracts, of the symbol that was asked for."""
    if of.symbol(row.get("instId")) != symbol:
        raise Unreadable(f"the open interest of {row.get('instId')}")
    contracts = number(row, "oi")
    if contracts < 0:
        raise Unreadable(f"an open interest of {contracts}")
    return EXACT.multiply(contracts, of.named(symbol).contract_size)


def mark_price(row: Payload) -> Decimal:
    """Read the mark price."""
    return price(row, "markPx")


def funding_interval_ms(row: Payload) -> int:
    """Return the funding interval: the next payment but one less the next."""
    interval = (instant_us(row, "nextFundingTime") - instant_us(row, "fundingTime")) // 1_000
    if interval <= 0:
        raise Unreadable(f"a funding interval of {interval} ms")
    return interval


def funding(row: Payload, of: Account) -> FundingReport:
    """Read one funding payment out of the bills; of an isolated position it goes to the position's own balance."""
    amount = number(row, "balChg") or or_zero(row, "posBalChg")
    return FundingReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("instId")),
        payment_id=identity(row, "billId"),
        asset=identity(row, "ccy"),
        amount=amount,
        at_us=instant_us(row, "ts"),
    )


def _fill(row: Payload, of: Account, kind: Kind, source: Literal["stream", "sweep"], at_us: int) -> FillReport:
    market = of.market(row.get("instId"))
    quantity = units(row, "fillSz", market)
    if quantity <= 0:
        raise Unreadable(f"a fill of {quantity}")
    return FillReport(
        venue=of.venue,
        account=of.account,
        symbol=market.symbol,
        trade_id=identity(row, "tradeId"),
        venue_order_id=identity(row, "ordId"),
        client_order_id=text(row, "clOrdId") or None,
        side=side(row),
        price=price(row, "fillPx"),
        quantity=quantity,
        fee_asset=text(row, "feeCcy"),
        fee_quantity=negative(or_zero(row, "fee")),
        liquidity=_liquidity(row, kind),
        kind=kind,
        source=source,
        at_us=at_us,
    )


def _liquidity(row: Payload, kind: Kind) -> Literal["maker", "taker"]:
    match row.get("execType"):
        case "M":
            return "maker"
        case "T":
            return "taker"
        case "" | None if kind != "trade":  # the venue's own orders have none, and take
            return "taker"
        case other:
            raise Unreadable(f"execType is {other!r}")
