"""The simulated OKX's order endpoints: items in, an answer for each item out. No I/O."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from adapters.simulators.admission import OrderRequest
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import parse_decimal
from adapters.simulators.ledger import Order, OrderType, TimeInForce, Trade
from adapters.simulators.matching import Side
from adapters.simulators.okx import wire
from adapters.simulators.okx.errors import OkxError, worded
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json

PAGE_MAX = 100
BATCH_MAX = 20
DAY_MS = 24 * 3_600_000
FILLS_MS = 3 * DAY_MS
HISTORY_MS = 90 * DAY_MS
CLIENT_ID = re.compile(r"[A-Za-z0-9]{1,32}")
SIDES: Mapping[str, Side] = {"buy": "BUY", "sell": "SELL"}
_TYPES: Mapping[str, tuple[OrderType, TimeInForce]] = {
    "limit": ("LIMIT", "GTC"),
    "post_only": ("LIMIT", "POST"),
    "ioc": ("LIMIT", "IOC"),
    "fok": ("LIMIT", "FOK"),
    "market": ("MARKET", "IOC"),
    "optimal_limit_ioc": ("MARKET", "IOC"),
}
_FLAGS: Mapping[str, bool] = {"true": True, "false": False}

Item = Mapping[str, Any]
Parameters = Mapping[str, str]
Act = Callable[[Exchange, Item, int], Order]


def read_items(body: str) -> Sequence[Item]:
    """Return the items of a body, which is one or a list of them."""
    try:
        read: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise OkxError(50002, "JSON syntax error", 400) from None
    items = read if isinstance(read, list) else [read]
    if not all(isinstance(item, dict) for item in items):
        raise OkxError(50002, "JSON syntax error", 400)
    if not items:
        raise OkxError(50000, "Body for POST request cannot be empty.", 400)
    if len(items) > BATCH_MAX:
        raise OkxError(51111, f"Maximum {BATCH_MAX} orders can be placed in bulk.")
    return items


def act_on(exchange: Exchange, items: Sequence[Item], act: Act, now_ms: int) -> Json:
    """Do each item and say of each what became of it: none, some or all may have failed."""
    rows = [_done(exchange, item, act, now_ms) for item in items]
    failed = sum(row["sCode"] != "0" for row in rows)
    code, text = ("1", "All operations failed") if failed == len(rows) else ("2", "Bulk operation partially succeeded.")
    code, text = (code, text) if failed else ("0", "")
    return {"code": code, "msg": text, "data": rows, "inTime": str(now_ms * 1_000), "outTime": str(now_ms * 1_000)}


def place(exchange: Exchange, item: Item, now_ms: int) -> Order:
    """Accept an order."""
    return exchange.place(read_order(exchange, item), now_ms)


def too_late(_exchange: Exchange, _item: Item, _now_ms: int) -> Order:
    """Refuse an order whose own time to be taken has passed."""
    raise Refused(Refusal.BAD_WINDOW)


def cancel(exchange: Exchange, item: Item, now_ms: int) -> Order:
    """Cancel an order."""
    if not word(item, "ordId") and not word(item, "clOrdId"):
        raise OkxError(51003, "Either client order ID or order ID is required.")
    symbol = exchange.instrument(word(item, "instId")).symbol
    return exchange.cancel(symbol, wire.inside(word(item, "ordId"), "ordId"), word(item, "clOrdId") or None, now_ms)


def read_order(exchange: Exchange, item: Item) -> OrderRequest:
    """Return the order that an item's words spell; refuse unknown words and what their combinations forbid."""
    for name in ("instId", "tdMode", "side", "ordType", "sz"):
        if not word(item, name):
            raise Refused(Refusal.MISSING, name)
    symbol = exchange.instrument(word(item, "instId")).symbol
    side = SIDES.get(word(item, "side"))
    kind = _TYPES.get(word(item, "ordType"))
    if side is None:
        raise Refused(Refusal.BAD_SIDE)
    if kind is None:
        raise Refused(Refusal.BAD_TYPE)
    if word(item, "tdMode") != "cross":
        raise Refused(Refusal.MALFORMED, "tdMode")
    if word(item, "posSide") not in {"", "net"}:
        raise Refused(Refusal.BAD_POSITION_SIDE)
    client_id = word(item, "clOrdId")
    if client_id and not CLIENT_ID.fullmatch(client_id):
        raise Refused(Refusal.BAD_CLIENT_ID)
    price = word(item, "px")
    if kind[0] == "LIMIT" and not price:
        raise OkxError(51204, "The price for the limit order cannot be empty.")
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=kind[0],
        quantity=parse_decimal(word(item, "sz"), "sz"),
        price=parse_decimal(price, "px") if kind[0] == "LIMIT" else None,
        time_in_force=kind[1],
        reduce_only=flag(item, "reduceOnly"),
        client_id=client_id or None,
    )


def order_rows(exchange: Exchange, parameters: Parameters, _now_ms: int) -> list[Json]:
    """Tell one order."""
    symbol = exchange.instrument(parameters.get("instId")).symbol
    order_id, client_id = wire.inside(parameters.get("ordId"), "ordId"), parameters.get("clOrdId") or None
    if order_id is None and client_id is None:
        raise OkxError(51003, "Either client order ID or order ID is required.")
    order = exchange.order(symbol, order_id, client_id)
    return [wire.order_row(order, exchange.instruments[symbol])]


def pending_rows(exchange: Exchange, parameters: Parameters, _now_ms: int) -> list[Json]:
    """Tell open orders, newest first."""
    symbol = _asked_symbol(exchange, parameters)
    if not _is_swap(parameters):
        return []
    after = wire.inside(parameters.get("after"), "after")
    found = [order for order in exchange.open_orders(symbol) if after is None or order.order_id < after]
    newest = sorted(found, key=lambda order: -order.order_id)[: page_size(parameters)]
    return [wire.order_row(order, exchange.instruments[order.symbol]) for order in newest]


def fill_rows(exchange: Exchange, parameters: Parameters, now_ms: int, reach_ms: int) -> list[Json]:
    """Tell fills of the time that is reached, newest first."""
    symbol = _asked_symbol(exchange, parameters)
    if not _is_swap(parameters):
        return []
    begin, end = moment(parameters, "begin", 0), moment(parameters, "end", now_ms + DAY_MS)
    begin = max(begin, now_ms - reach_ms)
    order_id = wire.inside(parameters.get("ordId"), "ordId")
    after = wire.inside(parameters.get("after"), "after")
    rows: list[Json] = []
    for trade in _newest(exchange):
        asked = symbol in {None, trade.symbol} and order_id in {None, trade.order_id}
        if asked and begin <= trade.time_ms <= end and (after is None or trade.trade_id < after):
            rows.append(wire.fill_row(trade, exchange.orders[trade.order_id]))
        if len(rows) == page_size(parameters):
            break
    return rows


def bill_rows(exchange: Exchange, parameters: Parameters, now_ms: int) -> list[Json]:
    """Tell funding payments, newest first; other kinds of bills are not kept."""
    if parameters.get("type", "8") != "8" or not _is_swap(parameters):
        return []
    begin, end = moment(parameters, "begin", 0), moment(parameters, "end", now_ms + DAY_MS)
    after = wire.inside(parameters.get("after"), "after")
    rows = [
        wire.bill_row(income)
        for income in reversed(exchange.ledger.income)
        if income.kind == "FUNDING_FEE"
        and parameters.get("ccy", income.asset) == income.asset
        and begin <= income.time_ms <= end
        and (after is None or income.income_id < after)
    ]
    return rows[: page_size(parameters)]


def page_size(parameters: Parameters) -> int:
    """Return how many rows are wanted, within the bounds."""
    return min(PAGE_MAX, max(1, moment(parameters, "limit", PAGE_MAX)))


def moment(parameters: Parameters, name: str, default: int) -> int:
    """Return a whole number, or the default when it is absent; refuse anything else."""
    text = parameters.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):  # noqa: PLR2004 - digits of a 64-bit number
        raise Refused(Refusal.MALFORMED, name)
    return int(text)


def _done(exchange: Exchange, item: Item, act: Act, now_ms: int) -> Json:
    row = {"ordId": "", "clOrdId": word(item, "clOrdId"), "tag": "", "ts": str(now_ms)}
    try:
        order = act(exchange, item, now_ms)
    except (Refused, OkxError) as error:
        said = worded(error)
        return row | {"sCode": str(said.code), "sMsg": said.text}
    placed = {"ordId": wire.outside(order.order_id), "clOrdId": order.client_id}
    return row | placed | {"sCode": "0", "sMsg": "Order placed" if act is place else ""}


def _newest(exchange: Exchange) -> Iterator[Trade]:
    return reversed(exchange.ledger.trades)


def _asked_symbol(exchange: Exchange, parameters: Parameters) -> str | None:
    asked = parameters.get("instId")
    return exchange.instrument(asked).symbol if asked else None


def _is_swap(parameters: Parameters) -> bool:
    return parameters.get("instType", "SWAP") == "SWAP"


def word(item: Item, name: str) -> str:
    """Return a field as the word it is spelt with, empty when absent; refuse what is none."""
    value = item.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused(Refusal.MALFORMED, name)
    return str(value)


def flag(item: Item, name: str) -> bool:
    """Return a flag, false when absent; refuse what is none."""
    value = item.get(name, False)
    found = value if isinstance(value, bool) else _FLAGS.get(str(value))
    if found is None:
        raise Refused(Refusal.MALFORMED, name)
    return found
