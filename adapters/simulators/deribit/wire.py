"""What the simulated Deribit writes of orders, fills and books. Numbers are JSON numbers, ids carry their currency."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.ledger import Order, Origin, TimeInForce, Trade
from adapters.simulators.matching import Side
from adapters.simulators.sockets import Json

AVERAGE = Decimal("0.00000001")
MARKET_PRICE = "market_price"
SIDES: Mapping[Side, str] = {"BUY": "buy", "SELL": "sell"}
LIFETIMES: Mapping[TimeInForce, str] = {
    "GTC": "good_til_cancelled",
    "IOC": "immediate_or_cancel",
    "FOK": "fill_or_kill",
    "POST": "good_til_cancelled",
}
_PLAIN_IDS = "BTC"


def number(value: Decimal) -> msgspec.Raw:
    """Return a number as it is written into JSON: exact, and with a point."""
    text = plain(value)
    return msgspec.Raw((text if "." in text else f"{text}.0").encode())


def word(instrument: Instrument, identity: int) -> str:
    """Return an id: with its currency, unless that is BTC."""
    return str(identity) if instrument.settle == _PLAIN_IDS else f"{instrument.settle}-{identity}"


def identity_of(text: str) -> int:
    """Return the number in an id, 0 for a word that never was one."""
    digits = text.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < len("9" * 19) else 0


def order_row(order: Order, instrument: Instrument, *, by_hand: bool = False) -> Json:
    """Return an order; `by_hand` is one that a person placed in the venue's web pages."""
    filled = instrument.quantity(order.filled)
    average = instrument.average(order.cost, filled).quantize(AVERAGE)
    amount = number(instrument.quantity(order.quantity))
    row: Json = {
        "time_in_force": LIFETIMES[order.time_in_force],
        "reduce_only": order.reduce_only,
        "replaced": False,
        "price": number(instrument.price(order.price)) if order.price else MARKET_PRICE,
        "post_only": order.time_in_force == "POST",
        "order_type": _type(order.type, order.origin),
        "order_state": _state(order),
        "order_id": word(instrument, order.order_id),
        "max_show": amount,
        "last_update_timestamp": order.updated_ms,
        "label": order.client_id,
        "is_rebalance": False,
        "is_liquidation": order.origin != "client",
        "instrument_name": order.symbol,
        "filled_amount": number(filled),
        "direction": SIDES[order.side],
        "creation_timestamp": order.created_ms,
        "average_price": number(average),
        "api": order.origin == "client" and not by_hand,
        "web": by_hand,
        "amount": amount,
    }
    if order.ending == "asked":
        row["cancel_reason"] = "user_request"
    return row


def trade_row(trade: Trade, order: Order, instrument: Instrument, mark: Decimal, index: Decimal) -> Json:
    """Return a fill of the account. `liquidation` says which side of it the venue closed by force, if any."""
    liquidity = "M" if trade.maker else "T"
    row: Json = {
        "trade_seq": trade.trade_id,
        "trade_id": word(instrument, trade.trade_id),
        "timestamp": trade.time_ms,
        "tick_direction": 0,
        "state": _state(order),
        "self_trade": False,
        "risk_reducing": False,
        "reduce_only": order.reduce_only,
        "profit_loss": number(trade.realised),
        "price": number(trade.price),
        "post_only": order.time_in_force == "POST",
        "order_type": _type(order.type, trade.origin),
        "order_id": word(instrument, trade.order_id),
        "matching_id": None,
        "mark_price": number(mark),
        "mmp": False,
        "liquidity": liquidity,
        "label": order.client_id,
        "instrument_name": trade.symbol,
        "index_price": number(index),
        "fee_currency": trade.asset,
        "fee": number(trade.commission),
        "direction": SIDES[trade.side],
        "api": order.origin == "client",
        "amount": number(trade.quantity),
    }
    if trade.origin != "client":
        row["liquidation"] = liquidity
    return row


def _type(kind: str, origin: Origin) -> str:
    return kind.lower() if origin == "client" else "liquidation"


def _state(order: Order) -> str:
    if order.is_open:
        return "open"
    return "filled" if order.status == "FILLED" else "cancelled"
