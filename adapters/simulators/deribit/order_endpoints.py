"""The simulated Deribit's private methods: orders, fills, positions, money. No I/O.

Closed orders are told for half an hour and fills for a day; what is older is told to who asks for history.
"""

from collections.abc import Mapping
from decimal import Decimal

from adapters.simulators.admission import OrderRequest
from adapters.simulators.conditional import FIRST_ID, Conditional
from adapters.simulators.deribit import triggers
from adapters.simulators.deribit.market_endpoints import (
    ANY,
    HOUR_MS,
    Desk,
    Parameters,
    asks,
    currency,
    index_price,
    named,
    settling,
    whole,
)
from adapters.simulators.deribit.statement import position_row, summary_row, transaction_row
from adapters.simulators.deribit.wire import LIFETIMES, identity_of, number, order_row, trade_row
from adapters.simulators.instruments import Instrument, parse_decimal
from adapters.simulators.ledger import ZERO, Order, OrderType, TimeInForce, Trade
from adapters.simulators.matching import Side, opposite
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json

LABEL_MAX = 64
PAGE, PAGE_MAX = 10, 1_000
LOG_PAGE, LOG_PAGE_MAX = 100, 250
ORDERS_RECENT_MS = HOUR_MS // 2
FILLS_RECENT_MS = 24 * HOUR_MS
_TYPES: Mapping[str, OrderType] = {"limit": "LIMIT", "market": "MARKET"}
_TIMES: Mapping[str, TimeInForce] = {LIFETIMES[each]: each for each in ("GTC", "IOC", "FOK")}


def buy(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Buy."""
    return _trade(desk, parameters, "BUY", now_ms)


def sell(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Sell."""
    return _trade(desk, parameters, "SELL", now_ms)


def cancel(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Cancel one order."""
    number = identity_of(parameters.get("order_id", ""))
    if number >= FIRST_ID:
        return told_trigger(desk, desk.exchange.cancel_conditional(number, None, now_ms))
    order = _ordered(desk, parameters, Refusal.CANCEL_UNKNOWN)
    return told_order(desk, desk.exchange.cancel(order.symbol, order.order_id, None, now_ms))


def cancel_by_label(desk: Desk, parameters: Parameters, now_ms: int) -> int:
    """Cancel every open order with a label and tell how many they were."""
    found = [order for order in _labelled(desk, parameters) if order.is_open]
    for order in found:
        desk.exchange.cancel(order.symbol, order.order_id, None, now_ms)
    return len(found)


def cancel_all(desk: Desk, _parameters: Parameters, now_ms: int) -> int:
    """Cancel every open order and everything that waits for a price, and tell how many they were."""
    waiting = desk.exchange.conditionals.waiting()
    for each in waiting:
        desk.exchange.cancel_conditional(each.conditional_id, None, now_ms)
    return len(waiting) + len(desk.exchange.cancel_all(now_ms))


def get_open_orders(desk: Desk, parameters: Parameters, _now_ms: int) -> list[Json]:
    """Tell every open order, those that wait for a price among them, or one kind of them."""
    plain, waiting = triggers.kinds(parameters)
    orders = [told_order(desk, order) for order in desk.exchange.open_orders(None)] if plain else []
    return orders + ([told_trigger(desk, each) for each in desk.exchange.conditionals.waiting()] if waiting else [])


def get_order_state(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Tell an order."""
    order = _ordered(desk, parameters, Refusal.UNKNOWN_ORDER)
    if not _is_recent(order, now_ms):
        raise Refused(Refusal.UNKNOWN_ORDER)
    return told_order(desk, order)


def get_order_state_by_label(desk: Desk, parameters: Parameters, now_ms: int) -> list[Json]:
    """Tell every recent order with a label; none is no error."""
    return [told_order(desk, order) for order in _labelled(desk, parameters) if _is_recent(order, now_ms)]


def get_open_orders_by_instrument(desk: Desk, parameters: Parameters, _now_ms: int) -> list[Json]:
    """Tell the open orders of an instrument."""
    return [told_order(desk, order) for order in desk.exchange.open_orders(named(desk, parameters).symbol)]


def get_open_orders_by_currency(desk: Desk, parameters: Parameters, _now_ms: int) -> list[Json]:
    """Tell the open orders of a currency."""
    wanted = {each.symbol for each in settling(desk, currency(desk, parameters))}
    return [told_order(desk, order) for order in desk.exchange.open_orders(None) if order.symbol in wanted]


def get_order_history_by_instrument(desk: Desk, parameters: Parameters, now_ms: int) -> list[Json]:
    """Tell orders that are over, newest first; with `historical` (or `include_old`) the old ones, too."""
    symbol = named(desk, parameters).symbol
    old = asks(parameters, "historical") or asks(parameters, "include_old")
    found = [
        order
        for order in reversed(list(desk.exchange.orders.values()))
        if order.symbol == symbol
        and not order.is_open
        and (old or _is_recent(order, now_ms))
        and (order.filled or asks(parameters, "include_unfilled"))
    ]
    begin, count = whole(parameters, "offset") or 0, min(whole(parameters, "count") or PAGE * 2, PAGE_MAX)
    return [told_order(desk, order) for order in found[begin : begin + count]]


def get_user_trades_by_instrument(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Tell fills of an instrument by their place in it, newest first unless asked otherwise."""
    symbol = named(desk, parameters).symbol
    old = asks(parameters, "historical") or asks(parameters, "include_old")
    first_ms = max(whole(parameters, "start_timestamp") or 0, 0 if old else now_ms - FILLS_RECENT_MS)
    last_ms = whole(parameters, "end_timestamp") or now_ms
    first, last = whole(parameters, "start_seq") or 0, whole(parameters, "end_seq")
    found = [
        trade
        for trade in desk.exchange.ledger.trades
        if trade.symbol == symbol
        and first <= trade.trade_id
        and (last is None or trade.trade_id <= last)
        and first_ms <= trade.time_ms <= last_ms
    ]
    count = min(whole(parameters, "count") or PAGE, PAGE_MAX)
    forward = parameters.get("sorting", "default") == "asc" or (first and "sorting" not in parameters)
    page = found[:count] if forward else found[::-1][:count]
    return {"trades": [told_trade(desk, trade) for trade in page], "has_more": len(found) > len(page)}


def get_positions(desk: Desk, parameters: Parameters, _now_ms: int) -> list[Json]:
    """Tell positions: one that was closed is still told, as `zero`."""
    ledger = desk.exchange.ledger
    found = settling(desk, currency(desk, parameters, default=ANY))
    if parameters.get("kind", "future") != "future":
        return []
    traded = [each for each in found if ledger.positions[each.symbol].updated_ms]
    return [position_row(desk.exchange, each, index_price(desk, each)) for each in traded]


def get_position(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Tell one position, flat or not."""
    instrument = named(desk, parameters)
    return position_row(desk.exchange, instrument, index_price(desk, instrument))


def get_account_summaries(desk: Desk, _parameters: Parameters, now_ms: int) -> Json:
    """Tell every currency."""
    rows = [summary_row(desk.exchange, each, now_ms) for each in desk.exchange.ledger.wallets]
    return {"id": 1, "username": "simulated", "type": "main", "summaries": rows}


def get_account_summary(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Tell one currency; `extended`, what the account pays, too."""
    asked = currency(desk, parameters)
    if asked == ANY:
        raise Refused(Refusal.MALFORMED, "currency")
    row = summary_row(desk.exchange, asked, now_ms)
    listed = settling(desk, asked)
    if asks(parameters, "extended") and listed:
        fees = {"maker_fee": number(listed[0].maker_rate), "taker_fee": number(listed[0].taker_rate)}
        row["fees"] = [{"instrument_type": "perpetual", "fee_type": "relative", **fees}]
    return row


def get_transaction_log(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Tell what changed a balance, newest first, in pages; `continuation` is where the next one begins."""
    asked = currency(desk, parameters)
    start, end = whole(parameters, "start_timestamp"), whole(parameters, "end_timestamp")
    if start is None or end is None:
        raise Refused(Refusal.MISSING, "start_timestamp" if start is None else "end_timestamp")
    held: dict[str, Decimal] = {}
    found: list[Json] = []
    for row in desk.exchange.ledger.income:
        if row.kind == "COMMISSION":
            trade = desk.exchange.ledger.trades[row.trade_id - 1]
            signed = trade.quantity if trade.side == "BUY" else -trade.quantity
            held[row.symbol] = held.get(row.symbol, ZERO) + signed
        told = transaction_row(desk.exchange, row, held.get(row.symbol, ZERO))
        if told is not None and asked in {ANY, row.asset} and start <= row.time_ms <= end:
            found.append(told)
    below = whole(parameters, "continuation")
    newest_first = [row for row in reversed(found) if below is None or row["id"] <= below]
    count = min(whole(parameters, "count") or LOG_PAGE, LOG_PAGE_MAX)
    page, rest = newest_first[:count], newest_first[count:]
    return {"logs": page, "continuation": rest[0]["id"] if rest else None}


def told_order(desk: Desk, order: Order) -> Json:
    """Return an order in Deribit's words."""
    instrument = desk.exchange.instruments[order.symbol]
    return order_row(order, instrument, by_hand=order.order_id in desk.by_hand)


def told_trigger(desk: Desk, one: Conditional) -> Json:
    """Return what waits for a price in Deribit's words."""
    return triggers.row(one, desk.exchange.instruments[one.order.symbol])


def told_trade(desk: Desk, trade: Trade) -> Json:
    """Return a fill in Deribit's words."""
    instrument = desk.exchange.instruments[trade.symbol]
    mark = desk.exchange.marks.get(trade.symbol, trade.price)
    order = desk.exchange.orders[trade.order_id]
    return trade_row(trade, order, instrument, mark, index_price(desk, instrument))


def _trade(desk: Desk, parameters: Parameters, side: Side, now_ms: int) -> Json:
    if parameters.get("type") in triggers.TYPES:
        plain = {**parameters, "type": triggers.TYPES[parameters["type"]]}
        asked = triggers.read(_read(desk, plain, side), parameters)
        return {"order": told_trigger(desk, desk.exchange.place_conditional(asked, now_ms)), "trades": []}
    before = len(desk.exchange.ledger.trades)
    order = desk.exchange.place(_read(desk, parameters, side), now_ms)
    made = [trade for trade in desk.exchange.ledger.trades[before:] if trade.order_id == order.order_id]
    return {"order": told_order(desk, order), "trades": [told_trade(desk, trade) for trade in made]}


def _read(desk: Desk, parameters: Parameters, side: Side) -> OrderRequest:
    """Return the order that a request's words spell; refuse unknown words."""
    instrument = named(desk, parameters)
    kind = _TYPES.get(parameters.get("type", "limit"))
    if kind is None:
        raise Refused(Refusal.BAD_TYPE, "type")
    lifetime = _TIMES.get(parameters.get("time_in_force", LIFETIMES["GTC"]))
    if lifetime is None:
        raise Refused(Refusal.BAD_TIME_IN_FORCE, "time_in_force")
    label = parameters.get("label", "")
    if len(label) > LABEL_MAX:
        raise Refused(Refusal.BAD_CLIENT_ID, "label")
    if "amount" not in parameters:
        raise Refused(Refusal.MISSING, "amount")
    price = None
    if kind == "LIMIT":
        if "price" not in parameters:
            raise Refused(Refusal.MISSING, "price")
        price = parse_decimal(parameters["price"], "price")
    if asks(parameters, "post_only"):
        if price is None or lifetime != "GTC":
            raise Refused(Refusal.BAD_COMBINATION, "post_only")
        lifetime = "POST"
        if not asks(parameters, "reject_post_only"):
            price = _out_of_the_way(desk, instrument, side, price)
    return OrderRequest(
        symbol=instrument.symbol,
        side=side,
        type=kind,
        quantity=parse_decimal(parameters["amount"], "amount"),
        price=price,
        time_in_force=lifetime,
        reduce_only=asks(parameters, "reduce_only"),
        client_id=label or None,
    )


def _out_of_the_way(desk: Desk, instrument: Instrument, side: Side, price: Decimal) -> Decimal:
    """Return a price that does not take: unless told to refuse, the venue moves such an order behind the spread."""
    best = desk.exchange.books[instrument.symbol].best(opposite(side))
    if best is None:
        return price
    beside = instrument.price(best - 1 if side == "BUY" else best + 1)
    return min(price, beside) if side == "BUY" else max(price, beside)


def _ordered(desk: Desk, parameters: Parameters, refusal: Refusal) -> Order:
    text = parameters.get("order_id")
    if not text:
        raise Refused(Refusal.MISSING, "order_id")
    order = desk.exchange.orders.get(identity_of(text))
    if order is None:
        raise Refused(refusal)
    return order


def _labelled(desk: Desk, parameters: Parameters) -> list[Order]:
    label = parameters.get("label")
    if not label:
        raise Refused(Refusal.MISSING, "label")
    wanted = {each.symbol for each in settling(desk, currency(desk, parameters))}
    return [order for order in desk.exchange.orders_named(label) if order.symbol in wanted]


def _is_recent(order: Order, now_ms: int) -> bool:
    return order.is_open or order.updated_ms >= now_ms - ORDERS_RECENT_MS
