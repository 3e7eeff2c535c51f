"""What the simulated Bybit writes of orders and executions: v5's own field names, numbers as strings, "" for none."""

from collections.abc import Mapping
from decimal import Decimal

from adapters.simulators.bybit.executions import Execution
from adapters.simulators.bybit.identities import funding_word, order_word, trade_word
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.ledger import ZERO, Ending, Order, OrderStatus, Origin
from adapters.simulators.matching import Side
from adapters.simulators.sockets import Json

AVERAGE = Decimal("0.00000001")
SIDES: Mapping[Side, str] = {"BUY": "Buy", "SELL": "Sell"}
LIFETIMES: Mapping[str, str] = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK", "POST": "PostOnly"}
_TYPES: Mapping[str, str] = {"LIMIT": "Limit", "MARKET": "Market"}
_STATUSES: Mapping[OrderStatus, str] = {
    "NEW": "New",
    "PARTIALLY_FILLED": "PartiallyFilled",
    "FILLED": "Filled",
    "CANCELED": "Cancelled",
    "EXPIRED": "Cancelled",
    "EXPIRED_IN_MATCH": "Cancelled",
}
_REASONS: Mapping[Ending, str] = {
    "": "EC_NoError",
    "asked": "EC_PerCancelRequest",
    "lifetime": "EC_NoImmediateQtyToFill",
    "post_only": "EC_PostOnlyWillTakeLiquidity",
    "reduce_only": "EC_NoError",
    "self_trade": "EC_BySelfMatch",
    "unfilled": "EC_NoImmediateQtyToFill",
}
_CANCELS: Mapping[Ending, str] = {"asked": "CancelByUser", "reduce_only": "CancelByReduceOnly"}
_MAKERS: Mapping[Origin, str] = {
    "client": "CreateByUser",
    "liquidation": "CreateByLiq",
    "adl": "CreateByAdl_PassThrough",
}


def order_row(order: Order, instrument: Instrument, fees: Decimal) -> Json:
    """Return an order as REST tells it; the stream adds its category."""
    filled = instrument.quantity(order.filled)
    left = instrument.quantity(order.quantity - order.filled) if order.is_open else ZERO
    return {
        "symbol": order.symbol,
        "orderId": order_word(order.order_id),
        "orderLinkId": order.client_id,
        "blockTradeId": "",
        "side": SIDES[order.side],
        "positionIdx": 0,
        "orderStatus": _STATUSES[order.status],
        "cancelType": _CANCELS.get(order.ending, "UNKNOWN"),
        "rejectReason": _reason(order),
        "timeInForce": LIFETIMES[order.time_in_force],
        "isLeverage": "",
        "price": plain(_price(order, instrument)),
        "qty": plain(instrument.quantity(order.quantity)),
        "avgPrice": plain(_average(order, instrument)) if filled else "",
        "leavesQty": plain(left),
        "leavesValue": plain(instrument.value(left, instrument.price(order.price)) if order.price else ZERO),
        "cumExecQty": plain(filled),
        "cumExecValue": plain(order.cost),
        "cumExecFee": plain(fees),
        "cumFeeDetail": {instrument.settle: plain(fees)} if filled else {},
        "orderType": _TYPES[order.type],
        "stopOrderType": "",
        "orderIv": "",
        "triggerPrice": "",
        "takeProfit": "",
        "stopLoss": "",
        "tpslMode": "",
        "triggerDirection": 0,
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": False,
        "createType": _MAKERS[order.origin],
        "smpType": "None",
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
    }


def execution_row(execution: Execution, instrument: Instrument, order: Order | None, mark: Decimal) -> Json:
    """Return an execution; `order` is the one that a fill is of."""
    if execution.trade is None or order is None:
        return _funding_row(execution, instrument, mark)
    trade = execution.trade
    return {
        "category": instrument.kind,
        "symbol": trade.symbol,
        "execId": trade_word(trade.trade_id),
        "orderId": order_word(trade.order_id),
        "orderLinkId": order.client_id,
        "orderPrice": plain(instrument.price(order.price)),
        "orderQty": plain(instrument.quantity(order.quantity)),
        "leavesQty": plain(instrument.quantity(order.quantity - order.filled)),
        "orderType": _TYPES[order.type],
        "stopOrderType": "",
        "createType": _MAKERS[trade.origin],
        "side": SIDES[trade.side],
        "execType": execution.kind,
        "execPrice": plain(trade.price),
        "execQty": plain(trade.quantity),
        "execValue": plain(instrument.value(trade.quantity, trade.price)),
        "execFee": plain(trade.commission),
        "feeCurrency": "",
        "feeRate": plain(instrument.maker_rate if trade.maker else instrument.taker_rate),
        "isMaker": trade.maker,
        "markPrice": plain(mark),
        "execTime": str(trade.time_ms),
        "seq": trade.trade_id,
    }


def _funding_row(execution: Execution, instrument: Instrument, mark: Decimal) -> Json:
    """Return a funding payment: its fee is what was paid, its size the position's."""
    assert execution.paid is not None, "what is no fill is a payment"  # noqa: S101 - a law, not input
    held, fee = execution.held, -execution.paid.amount
    value = abs(fee / instrument.funding_rate) if instrument.funding_rate else instrument.value(abs(held), mark)
    word = funding_word(execution.paid.income_id)
    # As seen from the position: negative when it earns.
    rate = instrument.funding_rate if held > 0 else -instrument.funding_rate
    return {
        "category": instrument.kind,
        "symbol": execution.symbol,
        "execId": word,
        "orderId": word,
        "orderLinkId": "",
        "orderPrice": "0",
        "orderQty": "0",
        "leavesQty": "0",
        "orderType": "UNKNOWN",
        "stopOrderType": "UNKNOWN",
        "createType": "",
        "side": SIDES["BUY" if held > 0 else "SELL"],
        "execType": "Funding",
        "execPrice": plain(instrument.average(value, abs(held)).quantize(instrument.tick)),
        "execQty": plain(abs(held)),
        "execValue": plain(value.quantize(AVERAGE)),
        "execFee": plain(fee),
        "feeCurrency": "",
        "feeRate": plain(rate),
        "isMaker": False,
        "markPrice": plain(mark),
        "execTime": str(execution.time_ms),
        "seq": execution.paid.income_id,
    }


def _average(order: Order, instrument: Instrument) -> Decimal:
    return instrument.average(order.cost, instrument.quantity(order.filled)).quantize(AVERAGE)


def _price(order: Order, instrument: Instrument) -> Decimal:
    """Return the price; of a market order, how far the venue would have let it slip."""
    if order.price or not order.filled:
        return instrument.price(order.price)
    bound = instrument.band_up if order.side == "BUY" else instrument.band_down
    return (_average(order, instrument) * bound).quantize(instrument.tick)


def _reason(order: Order) -> str:
    if order.ending == "lifetime" and order.time_in_force == "FOK":
        return "EC_CancelForNoFullFill"
    return _REASONS[order.ending]
