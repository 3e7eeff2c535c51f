"""What the simulated OKX writes on its wires: v5's own field names; every number, time and flag is text."""

from collections.abc import Mapping
from decimal import Decimal

from adapters.simulators.changes import Levels
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.interest import open_interest
from adapters.simulators.ledger import Ending, Income, Order, Origin, Trade
from adapters.simulators.okx.instruments import family
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json

# The venue's ids have eighteen digits; ours count from one.
FIRST_ID = 680_800_000_000_000_000
AVERAGE = Decimal("0.00000001")
FEE_GROUPS: Mapping[str, str] = {"linear": "1", "inverse": "2"}
_STATES: Mapping[str, str] = {"NEW": "live", "PARTIALLY_FILLED": "partially_filled", "FILLED": "filled"}
_TYPES: Mapping[str, str] = {"GTC": "limit", "IOC": "ioc", "FOK": "fok", "POST": "post_only"}
_CATEGORIES: Mapping[Origin, str] = {"client": "normal", "liquidation": "full_liquidation", "adl": "adl"}
_SUB_TYPES: Mapping[tuple[Origin, str], str] = {
    ("client", "BUY"): "1",
    ("client", "SELL"): "2",
    ("liquidation", "BUY"): "106",
    ("liquidation", "SELL"): "107",
    ("adl", "BUY"): "127",
    ("adl", "SELL"): "128",
}
_ENDINGS: Mapping[Ending, str] = {
    "asked": "1",
    "lifetime": "14",
    "post_only": "31",
    "reduce_only": "23",
    "self_trade": "32",
    "unfilled": "0",
}


def envelope(rows: list[Json]) -> Json:
    """Return an answer that says yes."""
    return {"code": "0", "msg": "", "data": rows}


def refusal(code: int, text: str) -> Json:
    """Return an answer that says no to the whole request."""
    return {"code": str(code), "msg": text, "data": []}


def outside(number: int) -> str:
    """Return one of our ids as the venue writes it."""
    return str(FIRST_ID + number)


def inside(text: str | None, name: str) -> int | None:
    """Return an id as we count it, None when absent; refuse what is none."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):  # noqa: PLR2004 - digits of a 64-bit number
        raise Refused(Refusal.MALFORMED, name)
    return int(text) - FIRST_ID


def instrument_row(instrument: Instrument) -> Json:
    """Return a listing as public/instruments tells it."""
    linear = instrument.kind == "linear"
    return {
        "instType": "SWAP",
        "instId": instrument.symbol,
        "instFamily": family(instrument),
        "uly": family(instrument),
        "category": "1",
        "groupId": FEE_GROUPS[instrument.kind],
        "baseCcy": "",
        "quoteCcy": "",
        "settleCcy": instrument.settle,
        "ctVal": plain(instrument.contract_size),
        "ctMult": "1",
        "ctValCcy": instrument.base if linear else instrument.quote,
        "ctType": instrument.kind,
        "optType": "",
        "stk": "",
        "listTime": "1569398400000",
        "expTime": "",
        "lever": str(instrument.leverage_max),
        "tickSz": plain(instrument.tick),
        "lotSz": plain(instrument.step),
        "minSz": plain(instrument.quantity_min),
        "maxLmtSz": plain(instrument.quantity_max),
        "maxMktSz": plain(instrument.quantity_max),
        "alias": "",
        "state": "live",
        "ruleType": "normal",
    }


def order_row(order: Order, instrument: Instrument, trade: Trade | None = None) -> Json:
    """Return an order as REST and the stream tell it, with the fill that the event is about."""
    average = instrument.average(order.cost, instrument.quantity(order.filled))
    told = {
        "instType": "SWAP",
        "instId": order.symbol,
        "ordId": outside(order.order_id),
        "clOrdId": order.client_id,
        "tag": "",
        "px": plain(instrument.price(order.price)) if order.type == "LIMIT" else "",
        "sz": plain(instrument.quantity(order.quantity)),
        "ordType": _TYPES[order.time_in_force] if order.type == "LIMIT" else "market",
        "side": order.side.lower(),
        "posSide": "net",
        "tdMode": "cross",
        "ccy": "",
        "accFillSz": plain(instrument.quantity(order.filled)),
        "avgPx": plain(average.quantize(AVERAGE)) if order.filled else "",
        "state": _STATES.get(order.status, "canceled"),
        "lever": "5",
        "feeCcy": instrument.settle,
        "pnl": "0",
        "category": _CATEGORIES[order.origin],
        "reduceOnly": "true" if order.reduce_only else "false",
        "cancelSource": _cancel_source(order),
        "cTime": str(order.created_ms),
        "uTime": str(order.updated_ms),
        "code": "0",
        "msg": "",
    }
    return told | _filled(trade)


def fill_row(trade: Trade, order: Order) -> Json:
    """Return a fill as trade/fills tells it."""
    return {
        "instType": "SWAP",
        "instId": trade.symbol,
        "tradeId": _trade_id(trade),
        "ordId": outside(trade.order_id),
        "clOrdId": order.client_id,
        "billId": outside(trade.trade_id),
        "subType": _SUB_TYPES[trade.origin, trade.side],
        "tag": "",
        "fillPx": plain(trade.price),
        "fillSz": plain(trade.quantity),
        "fillPnl": plain(trade.realised),
        "side": trade.side.lower(),
        "posSide": "net",
        "execType": _exec_type(trade),
        "feeCcy": trade.asset,
        "fee": plain(-trade.commission),
        "feeRate": "",
        "fillTime": str(trade.time_ms),
        "ts": str(trade.time_ms + 1),
    }


def bill_row(income: Income) -> Json:
    """Return a funding payment as account/bills tells it."""
    return {
        "billId": outside(income.income_id),
        "type": "8",
        "subType": "173" if income.amount < 0 else "174",
        "instType": "SWAP",
        "instId": income.symbol,
        "mgnMode": "cross",
        "ccy": income.asset,
        "balChg": plain(income.amount),
        "posBalChg": "0",
        "pnl": plain(income.amount),
        "fee": "0",
        "ordId": "",
        "tradeId": "",
        "execType": "",
        "ts": str(income.time_ms),
    }


def levels(found: Levels) -> list[list[str]]:
    """Return levels as the venue writes them: price, size, what is always nought, and a number of orders."""
    return [[plain(price), plain(size), "0", "1" if size else "0"] for price, size in found]


def _filled(trade: Trade | None) -> Json:
    if trade is None:
        names = ("fillPx", "tradeId", "fillTime", "execType", "fillFeeCcy")
        return {**dict.fromkeys(names, ""), "fillSz": "0", "fillFee": "0", "fillPnl": "0"}
    return {
        "fillPx": plain(trade.price),
        "fillSz": plain(trade.quantity),
        "fillPnl": plain(trade.realised),
        "fillTime": str(trade.time_ms),
        "tradeId": _trade_id(trade),
        "execType": _exec_type(trade),
        "fillFee": plain(-trade.commission),
        "fillFeeCcy": trade.asset,
    }


def _trade_id(trade: Trade) -> str:
    """Return a trade's id: negative where the venue's own engine made it."""
    return f"{'' if trade.origin == 'client' else '-'}{trade.trade_id}"


def _exec_type(trade: Trade) -> str:
    if trade.origin != "client":
        return ""
    return "M" if trade.maker else "T"


def _cancel_source(order: Order) -> str:
    if order.is_open or order.status == "FILLED":
        return ""
    if order.ending == "lifetime" and order.time_in_force == "FOK":
        return "13"
    return _ENDINGS.get(order.ending, "0")


def interest_row(instrument: Instrument, exchange: Exchange, now_ms: int) -> Json:
    """Tell a swap's open interest: in contracts, in coins, and in dollars."""
    contracts, mark = open_interest(exchange, instrument), exchange.mark(instrument.symbol)
    dollars = instrument.notional(contracts, mark)
    return {
        "instType": "SWAP",
        "instId": instrument.symbol,
        "oi": plain(contracts),
        "oiCcy": plain((dollars / mark).quantize(Decimal("0.00000001"))),
        "oiUsd": plain(dollars),
        "ts": str(now_ms),
    }
