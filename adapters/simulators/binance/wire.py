"""What the simulated venue writes on its wires: Binance USD-M's own field names, numbers as strings."""

from collections.abc import Mapping
from decimal import Decimal

from adapters.simulators.changes import Levels
from adapters.simulators.happenings import AccountChanged, OrderChanged
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.ledger import Income, Order, Trade
from adapters.simulators.sockets import Json

TIMES_IN_FORCE: Mapping[str, str] = {"POST": "GTX"}
AVERAGE = Decimal("0.00000001")


def order_row(order: Order, instrument: Instrument) -> Json:
    """Return an order as REST tells it."""
    price = plain(instrument.price(order.price))
    filled = instrument.quantity(order.filled)
    counted = {"cumBase": plain(order.cost), "pair": pair(instrument)}
    if instrument.kind == "linear":
        counted = {"cumQuote": plain(order.cost)}
    return counted | {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": price,
        "avgPrice": plain(_average(order, instrument)),
        "origQty": plain(instrument.quantity(order.quantity)),
        "executedQty": plain(filled),
        "cumQty": plain(filled),
        "timeInForce": _lifetime(order),
        "type": _type(order),
        "origType": _type(order),
        "side": order.side,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def trade_row(trade: Trade, instrument: Instrument) -> Json:
    """Return a fill as userTrades tells it."""
    value = plain(instrument.value(trade.quantity, trade.price))
    counted: Json = {"baseQty": value, "pair": pair(instrument), "marginAsset": instrument.settle}
    if instrument.kind == "linear":
        counted = {"quoteQty": value}
    return counted | {
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "symbol": trade.symbol,
        "side": trade.side,
        "positionSide": "BOTH",
        "price": plain(trade.price),
        "qty": plain(trade.quantity),
        "realizedPnl": plain(trade.realised),
        "commission": plain(trade.commission),
        "commissionAsset": trade.asset,
        "maker": trade.maker,
        "buyer": trade.side == "BUY",
        "time": trade.time_ms,
    }


def income_row(income: Income) -> Json:
    """Return a wallet change as income tells it."""
    return {
        "symbol": income.symbol,
        "incomeType": income.kind,
        "income": plain(income.amount),
        "asset": income.asset,
        "info": income.kind,
        "time": income.time_ms,
        "tranId": income.income_id,
        "tradeId": str(income.trade_id) if income.trade_id else "",
    }


def order_update(changed: OrderChanged) -> Json:
    """Return ORDER_TRADE_UPDATE for one change of an order."""
    order, instrument, trade, now_ms = changed.order, changed.instrument, changed.trade, changed.time_ms
    body: Json = {
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": _type(order),
        "f": _lifetime(order),
        "q": plain(instrument.quantity(order.quantity)),
        "p": plain(instrument.price(order.price)),
        "ap": plain(_average(order, instrument)),
        "sp": "0",
        "x": changed.execution,
        "X": order.status,
        "i": order.order_id,
        "l": plain(trade.quantity) if trade else "0",
        "z": plain(instrument.quantity(order.filled)),
        "L": plain(trade.price) if trade else "0",
        "n": plain(trade.commission) if trade else "0",
        "N": trade.asset if trade else instrument.settle,
        "T": now_ms,
        "t": trade.trade_id if trade else 0,
        "b": "0",
        "a": "0",
        "m": trade.maker if trade else False,
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": _type(order),
        "ps": "BOTH",
        "cp": False,
        "rp": plain(trade.realised) if trade else "0",
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": 0,
    }
    if instrument.kind == "inverse":
        body |= {"ma": instrument.settle}
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": now_ms, "o": body}


def account_update(changed: AccountChanged) -> Json:
    """Return ACCOUNT_UPDATE after a change of wallet or position."""
    position, instrument = changed.position, changed.instrument
    entry = plain(position.entry_price(instrument).quantize(AVERAGE))
    wallets = [
        {"a": asset, "wb": plain(wallet), "cw": plain(wallet), "bc": "0"} for asset, wallet in changed.wallets.items()
    ]
    return {
        "e": "ACCOUNT_UPDATE",
        "E": changed.time_ms,
        "T": changed.time_ms,
        "a": {
            "m": "ORDER" if changed.reason == "order" else "FUNDING_FEE",
            "B": wallets,
            "P": [
                {
                    "s": instrument.symbol,
                    "pa": plain(position.quantity),
                    "ep": entry,
                    "bep": entry,
                    "cr": "0",
                    "up": plain(position.unrealised(instrument, changed.mark)),
                    "mt": "cross",
                    "iw": "0",
                    "ps": "BOTH",
                }
            ],
        },
    }


def symbol_row(instrument: Instrument) -> Json:
    """Return an instrument as exchangeInfo tells it; COIN-M names some things otherwise and counts contracts."""
    inverse = instrument.kind == "inverse"
    own: Json = {"status": "TRADING"}
    if inverse:
        own = {"contractStatus": "TRADING", "contractSize": int(instrument.contract_size), "equalQtyPrecision": 4}
    return own | {
        "symbol": instrument.symbol,
        "pair": pair(instrument),
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.settle,
        "pricePrecision": max(0, -int(instrument.tick.as_tuple().exponent)),
        "quantityPrecision": max(0, -int(instrument.step.as_tuple().exponent)),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [*filters(instrument), *([] if inverse else [_least(instrument)]), _percent(instrument)],
    }


def filters(instrument: Instrument) -> list[Json]:
    """Return the filters that all three markets have."""
    sizes = {
        "minQty": plain(instrument.quantity_min),
        "maxQty": plain(instrument.quantity_max),
        "stepSize": plain(instrument.step),
    }
    prices = {
        "filterType": "PRICE_FILTER",
        "minPrice": plain(instrument.price_min),
        "maxPrice": plain(instrument.price_max),
        "tickSize": plain(instrument.tick),
    }
    return [
        prices,
        {"filterType": "LOT_SIZE"} | sizes,
        {"filterType": "MARKET_LOT_SIZE"} | sizes,
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
    ]


def pair(instrument: Instrument) -> str:
    """Return the pair that a contract is of."""
    return instrument.base + instrument.quote


def _least(instrument: Instrument) -> Json:
    return {"filterType": "MIN_NOTIONAL", "notional": plain(instrument.notional_min)}


def _percent(instrument: Instrument) -> Json:
    return {
        "filterType": "PERCENT_PRICE",
        "multiplierUp": plain(instrument.band_up),
        "multiplierDown": plain(instrument.band_down),
        "multiplierDecimal": "4",
    }


def rows(levels: Levels) -> list[list[str]]:
    """Return levels as pairs of strings."""
    return [[plain(price), plain(size)] for price, size in levels]


def _average(order: Order, instrument: Instrument) -> Decimal:
    return instrument.average(order.cost, instrument.quantity(order.filled)).quantize(AVERAGE)


def _lifetime(order: Order) -> str:
    return TIMES_IN_FORCE.get(order.time_in_force, order.time_in_force)


def _type(order: Order) -> str:
    return order.type if order.origin == "client" else "LIQUIDATION"
