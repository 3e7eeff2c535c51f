"""The simulated OKX's algo orders: told by type, ended ten at a time, apart from the plain ones. No I/O.

Stops, triggers and profits wait for the mark, whatever price is asked for; trailing, iceberg, TWAP and chase orders
stand and can be ended, and do nothing else. "Cancel all after" is documented for pending orders "through order book":
whether algo orders go with them is not, and they do not here. `cancel-advance-algos`, out of the documentation since
2025-04-24 and reported to live on, is not known here.
"""

from collections.abc import Mapping, Sequence

from adapters.simulators.admission import OrderRequest
from adapters.simulators.conditional import Conditional, ConditionalRequest, Way
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import parse_decimal, plain
from adapters.simulators.ledger import ZERO
from adapters.simulators.okx import wire
from adapters.simulators.okx.errors import OkxError, worded
from adapters.simulators.okx.orders import CLIENT_ID, SIDES, Item, Parameters, flag, page_size, word
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json

PLACE, CANCEL, PENDING = "/api/v5/trade/order-algo", "/api/v5/trade/cancel-algos", "/api/v5/trade/orders-algo-pending"
BATCH_MAX = 10
AT_MARKET = "-1"
WORKING = frozenset({"move_order_stop", "iceberg", "twap", "chase"})
TOGETHER = {"conditional", "oco"}
TYPES = frozenset({"conditional", "oco", "trigger"}) | WORKING
# Of `conditional` and `oco`, which price is waited for: a stop, or else a profit; and which way the mark goes to it.
_WAYS: Mapping[tuple[str, str], Way] = {
    ("sl", "BUY"): "rises",
    ("sl", "SELL"): "falls",
    ("tp", "BUY"): "falls",
    ("tp", "SELL"): "rises",
}


def place(exchange: Exchange, item: Item, now_ms: int) -> Json:
    """Keep an algo order; a refusal is told in the item."""
    row: Json = {"algoId": "", "clOrdId": "", "algoClOrdId": word(item, "algoClOrdId"), "tag": ""}
    try:
        made = exchange.place_conditional(_read(exchange, item), now_ms)
    except (Refused, OkxError) as error:
        said = worded(error)
        failed = row | {"sCode": str(said.code), "sMsg": said.text}
        return {"code": "1", "msg": "All operations failed", "data": [failed]}
    return wire.envelope([row | {"algoId": wire.outside(made.conditional_id), "sCode": "0", "sMsg": ""}])


def cancel(exchange: Exchange, items: Sequence[Item], now_ms: int) -> Json:
    """End some, and say of each what became of it."""
    if len(items) > BATCH_MAX:
        raise OkxError(51000, f"Parameter algoId error: at most {BATCH_MAX}.", 400)
    rows = [_ended(exchange, item, now_ms) for item in items]
    failed = sum(row["sCode"] != "0" for row in rows)
    if not failed:
        return wire.envelope(rows)
    some = failed < len(rows)
    return {"code": "2" if some else "1", "msg": "Bulk operation partially succeeded." if some else "", "data": rows}


def pending_rows(exchange: Exchange, parameters: Parameters, _now_ms: int) -> list[Json]:
    """Tell those of a type that wait, newest first: of one type, or of `conditional,oco` together."""
    told = parameters.get("ordType")
    if not told:
        raise Refused(Refusal.MISSING, "ordType")
    asked = set(told.split(","))
    if not asked <= TYPES or (len(asked) > 1 and asked != TOGETHER):
        raise Refused(Refusal.MALFORMED, "ordType")
    after = wire.inside(parameters.get("after"), "after")
    found = [
        each
        for each in exchange.conditionals.waiting()
        if each.kind in asked and (after is None or each.conditional_id < after)
    ]
    newest = sorted(found, key=lambda each: -each.conditional_id)[: page_size(parameters)]
    return [row(each) for each in newest]


def row(one: Conditional) -> Json:
    """Return an algo order as it is told while it waits."""
    order, kind = one.order, one.kind
    price, after = plain(one.price) if one.price is not None else "", plain(order.price) if order.price else AT_MARKET
    triggered = kind == "trigger"
    stops = not triggered and one.price is not None and _WAYS["sl", order.side] == one.way
    profits = not triggered and one.price is not None and not stops
    return {
        "instType": "SWAP",
        "instId": order.symbol,
        "algoId": wire.outside(one.conditional_id),
        "algoClOrdId": one.client_id,
        "clOrdId": "",
        "ordId": "",
        "ordIdList": [],
        "ordType": kind,
        "side": order.side.lower(),
        "posSide": "net",
        "tdMode": "cross",
        "sz": plain(order.quantity),
        "state": "live",
        "triggerPx": price if triggered else "",
        "triggerPxType": "mark" if triggered else "",
        "ordPx": after if triggered else "",
        "slTriggerPx": price if stops else "",
        "slTriggerPxType": "mark" if stops else "",
        "slOrdPx": after if stops else "",
        "tpTriggerPx": price if profits else "",
        "tpTriggerPxType": "mark" if profits else "",
        "tpOrdPx": after if profits else "",
        "reduceOnly": "true" if order.reduce_only else "false",
        "failCode": "",
        "cTime": str(one.created_ms),
        "uTime": str(one.updated_ms),
    }


def _ended(exchange: Exchange, item: Item, now_ms: int) -> Json:
    told = word(item, "algoId")
    row: Json = {"algoId": told, "algoClOrdId": word(item, "algoClOrdId"), "clOrdId": "", "tag": ""}
    try:
        exchange.instrument(word(item, "instId"))
        exchange.cancel_conditional(wire.inside(told, "algoId"), word(item, "algoClOrdId") or None, now_ms)
    except Refused as error:
        said = worded(error)
        return row | {"sCode": str(said.code), "sMsg": said.text}
    return row | {"sCode": "0", "sMsg": ""}


def _read(exchange: Exchange, item: Item) -> ConditionalRequest:
    for name in ("instId", "tdMode", "side", "ordType", "sz"):
        if not word(item, name):
            raise Refused(Refusal.MISSING, name)
    symbol = exchange.instrument(word(item, "instId")).symbol
    side, kind, client_id = SIDES.get(word(item, "side")), word(item, "ordType"), word(item, "algoClOrdId")
    if side is None:
        raise Refused(Refusal.BAD_SIDE)
    if kind not in TYPES:
        raise Refused(Refusal.BAD_TYPE)
    if client_id and not CLIENT_ID.fullmatch(client_id):
        raise Refused(Refusal.BAD_CLIENT_ID)
    which = "sl" if word(item, "slTriggerPx") else "tp"
    names = ("triggerPx", "orderPx") if kind == "trigger" else (f"{which}TriggerPx", f"{which}OrdPx")
    trigger, price = (word(item, name) for name in names)
    if kind not in WORKING and not (trigger and price):
        raise Refused(Refusal.MISSING, names[0] if not trigger else names[1])
    limit = parse_decimal(price, names[1]) if price not in {"", AT_MARKET} else ZERO
    order = OrderRequest(
        symbol=symbol,
        side=side,
        type="LIMIT" if limit else "MARKET",
        quantity=parse_decimal(word(item, "sz"), "sz"),
        price=limit or None,
        time_in_force="GTC" if limit else "IOC",
        reduce_only=flag(item, "reduceOnly"),
        client_id=client_id or None,
    )
    way = _WAYS[which, side] if kind in TOGETHER else None
    waited = None if kind in WORKING else parse_decimal(trigger, names[0])
    return ConditionalRequest(kind=kind, order=order, price=waited, way=way)
