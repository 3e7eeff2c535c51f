"""Deribit's own words for a refusal: a JSON-RPC error, over HTTP with status 400."""

from collections.abc import Mapping

import msgspec

from adapters.simulators.instruments import plain
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json

TOO_MANY = 429


class Worded(msgspec.Struct, frozen=True):
    """Hold one refusal's words; `{subject}` and `{limit}` are filled in, `reason` goes with it as data."""

    code: int
    text: str
    reason: str = ""
    status: int = 400


_UNAUTHORIZED = Worded(13009, "unauthorized", "invalid_token")
_PARAMETER = Worded(-32602, "Invalid params", "{subject}: wrong format")
_LOW = Worded(10005, "price_too_low {limit}")
_HIGH = Worded(10007, "price_too_high {limit}")
_TICK = Worded(10043, "price_wrong_tick")
_STEP = Worded(-32602, "Invalid params", "amount: must be a multiple of the minimum order size")

WORDS: Mapping[Refusal, Worded] = {
    Refusal.MISSING_KEY: Worded(10000, "authorization_required"),
    Refusal.BAD_KEY: Worded(13004, "invalid_credentials"),
    Refusal.BAD_SIGNATURE: _UNAUTHORIZED,
    Refusal.STALE_REQUEST: Worded(13009, "unauthorized", "timestamp is too far from the server's: {subject}"),
    Refusal.EARLY_REQUEST: Worded(13009, "unauthorized", "timestamp is too far from the server's: {subject}"),
    Refusal.TOO_MANY_REQUESTS: Worded(10028, "too_many_requests", status=TOO_MANY),
    Refusal.TOO_MANY_ORDERS: Worded(10047, "matching_engine_queue_full"),
    Refusal.UNKNOWN_PATH: Worded(-32601, "Method not found", "{subject}"),
    Refusal.MISSING: Worded(-32602, "Invalid params", "{subject}: missing"),
    Refusal.MALFORMED: _PARAMETER,
    Refusal.NOT_REQUIRED: _PARAMETER,
    Refusal.BAD_COMBINATION: Worded(11047, "unsupported_arg_combination", "{subject}"),
    Refusal.NO_SESSION: _UNAUTHORIZED,
    Refusal.BAD_SIDE: _PARAMETER,
    Refusal.BAD_TYPE: _PARAMETER,
    Refusal.BAD_TIME_IN_FORCE: _PARAMETER,
    Refusal.BAD_CLIENT_ID: Worded(-32602, "Invalid params", "label: too long"),
    Refusal.UNKNOWN_SYMBOL: Worded(13020, "not_found", "{subject}"),
    Refusal.NOT_READY: Worded(10040, "retry"),
    Refusal.SIZE_NOT_POSITIVE: Worded(10002, "qty_too_low"),
    Refusal.SIZE_TOO_SMALL: Worded(10002, "qty_too_low"),
    Refusal.SIZE_TOO_BIG: Worded(10021, "invalid_amount"),
    Refusal.SIZE_PRECISION: _STEP,
    Refusal.SIZE_STEP: _STEP,
    Refusal.PRICE_NOT_POSITIVE: Worded(10023, "invalid_price"),
    Refusal.PRICE_TOO_LOW: _LOW,
    Refusal.PRICE_TOO_HIGH: _HIGH,
    Refusal.PRICE_PRECISION: Worded(10026, "price_precision_exceeded"),
    Refusal.PRICE_STEP: _TICK,
    Refusal.PRICE_BAND_ABOVE: _HIGH,
    Refusal.PRICE_BAND_BELOW: _LOW,
    Refusal.MIN_NOTIONAL: Worded(10032, "whole_cost_too_low"),
    Refusal.TOO_MANY_OPEN_ORDERS: Worded(10014, "pme_max_future_open_orders {limit}"),
    Refusal.REDUCE_ONLY: Worded(11030, "other_reject reduce_only"),
    Refusal.INSUFFICIENT_MARGIN: Worded(10009, "not_enough_funds"),
    Refusal.NO_COUNTERPARTY: Worded(11030, "other_reject no_liquidity"),
    Refusal.POST_ONLY_WOULD_TAKE: Worded(11054, "post_only_reject"),
    Refusal.WOULD_TRIGGER: Worded(11036, "invalid_trigger_price"),
    Refusal.TOO_MANY_CONDITIONAL: Worded(11035, "no_more_triggers {limit}"),
    Refusal.UNKNOWN_ORDER: Worded(10004, "order_not_found"),
    Refusal.CANCEL_UNKNOWN: Worded(10004, "order_not_found"),
    Refusal.CANCEL_CLOSED: Worded(10010, "already_closed"),
}

# What this venue never says: it has no passphrase, window, position side, spot balance or leverage to set, and the
# same label may be used again and again.
UNSAID: frozenset[Refusal] = frozenset(
    {
        Refusal.BAD_PASSPHRASE,
        Refusal.BAD_WINDOW,
        Refusal.BAD_POSITION_SIDE,
        Refusal.DUPLICATE_CLIENT_ID,
        Refusal.INSUFFICIENT_BALANCE,
        Refusal.BAD_LEVERAGE,
    }
)


def envelope(now_ms: int, **told: object) -> Json:
    """Return an answer as every answer looks; `told` is its `result` or `error`, and its `id`."""
    at_us = now_ms * 1_000
    return {"jsonrpc": "2.0", **told, "usIn": at_us, "usOut": at_us, "usDiff": 0, "testnet": False}


def refused(error: Refused) -> tuple[int, Json]:
    """Return the HTTP status and the error of a refusal."""
    said = WORDS[error.kind]
    limit = "" if error.limit is None else plain(error.limit)
    told: Json = {"message": said.text.format(limit=limit).strip(), "code": said.code}
    if said.reason:
        told["data"] = {"reason": said.reason.format(subject=error.subject)}
    return said.status, told
