"""What the simulated Binance spot writes on its wires: its own field names, numbers as strings."""

from collections.abc import Iterable

from adapters.simulators.binance.wire import filters
from adapters.simulators.happenings import OrderChanged
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.ledger import Order, Trade
from adapters.simulators.sockets import Json


def order_row(order: Order, instrument: Instrument) -> Json:
    """Return an order as REST tells it when asked."""
    return _state(order, instrument) | {
        "clientOrderId": order.client_id,
        "stopPrice": "0",
        "icebergQty": "0",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "origQuoteOrderQty": "0",
    }


def made_row(order: Order, instrument: Instrument, trades: Iterable[Trade] | None) -> Json:
    """Return a new order as it is answered; with its fills in a FULL answer."""
    row = _state(order, instrument) | {"clientOrderId": order.client_id, "transactTime": order.updated_ms}
    if trades is not None:
        row["fills"] = [
            {
                "price": plain(trade.price),
                "qty": plain(trade.quantity),
                "commission": plain(trade.commission),
                "commissionAsset": trade.asset,
                "tradeId": trade.trade_id,
            }
            for trade in trades
        ]
    return row


def acknowledged_row(order: Order) -> Json:
    """Return a new order as an ACK answers it."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.created_ms,
    }


def cancelled_row(order: Order, instrument: Instrument, cancel_id: str) -> Json:
    """Return a cancelled order: `clientOrderId` is the cancel's own id."""
    return _state(order, instrument) | {
        "origClientOrderId": order.client_id,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
    }


def trade_row(trade: Trade) -> Json:
    """Return a fill as myTrades tells it."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": plain(trade.price),
        "qty": plain(trade.quantity),
        "quoteQty": plain(trade.price * trade.quantity),
        "commission": plain(trade.commission),
        "commissionAsset": trade.asset,
        "time": trade.time_ms,
        "isBuyer": trade.side == "BUY",
        "isMaker": trade.maker,
        "isBestMatch": True,
    }


def execution_report(changed: OrderChanged, cancel_id: str) -> Json:
    """Return executionReport for one change of an order; after a cancel, `c` is the cancel's id and `C` the order's."""
    order, instrument, trade = changed.order, changed.instrument, changed.trade
    cancelled = changed.execution == "CANCELED"
    return {
        "e": "executionReport",
        "E": changed.time_ms,
        "s": order.symbol,
        "c": cancel_id if cancelled else order.client_id,
        "S": order.side,
        "o": order_type(order),
        "f": _lifetime(order),
        "q": plain(instrument.quantity(order.quantity)),
        "p": plain(instrument.price(order.price)),
        "P": "0",
        "F": "0",
        "g": -1,
        "C": order.client_id if cancelled else "",
        "x": changed.execution,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": plain(trade.quantity) if trade else "0",
        "z": plain(instrument.quantity(order.filled)),
        "L": plain(trade.price) if trade else "0",
        "n": plain(trade.commission) if trade else "0",
        "N": trade.asset if trade else None,
        "T": changed.time_ms,
        "t": trade.trade_id if trade else -1,
        "w": order.is_open,
        "m": trade.maker if trade else False,
        "O": order.created_ms,
        "Z": plain(order.cost),
        "Y": plain(trade.price * trade.quantity) if trade else "0",
        "Q": "0",
        "V": "EXPIRE_MAKER",
    }


def symbol_row(instrument: Instrument) -> Json:
    """Return an instrument as exchangeInfo tells it."""
    bands = {
        "filterType": "PERCENT_PRICE_BY_SIDE",
        "bidMultiplierUp": plain(instrument.band_up),
        "bidMultiplierDown": "0.2",
        "askMultiplierUp": "5",
        "askMultiplierDown": plain(instrument.band_down),
        "avgPriceMins": 5,
    }
    least = {
        "filterType": "NOTIONAL",
        "minNotional": plain(instrument.notional_min),
        "applyMinToMarket": True,
        "maxNotional": "9000000",
        "applyMaxToMarket": False,
        "avgPriceMins": 5,
    }
    return {
        "symbol": instrument.symbol,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [*filters(instrument), bands, least],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
    }


def order_type(order: Order) -> str:
    """Return an order's type: a post-only order is a type here."""
    return "LIMIT_MAKER" if order.time_in_force == "POST" else order.type


def _state(order: Order, instrument: Instrument) -> Json:
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "price": plain(instrument.price(order.price)),
        "origQty": plain(instrument.quantity(order.quantity)),
        "executedQty": plain(instrument.quantity(order.filled)),
        "cummulativeQuoteQty": plain(order.cost),
        "status": order.status,
        "timeInForce": _lifetime(order),
        "type": order_type(order),
        "side": order.side,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def _lifetime(order: Order) -> str:
    return "GTC" if order.time_in_force == "POST" else order.time_in_force
