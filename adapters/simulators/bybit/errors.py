"""Bybit's own words for a refusal: a retCode and a text, almost always with HTTP 200."""

from collections.abc import Mapping

import msgspec

from adapters.simulators.instruments import plain
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json


class Worded(msgspec.Struct, frozen=True):
    """Hold one refusal's words; `{subject}` and `{limit}` are filled in."""

    code: int
    text: str
    status: int = 200


_QUANTITY = Worded(10001, "Qty invalid")
_PRICE = Worded(10001, "Price invalid")
_BAND = Worded(110003, "Order price exceeds the allowable range.")
_GONE = Worded(110001, "order not exists or too late to cancel")
_PARAMETER = Worded(10001, "params error: {subject} invalid")
_STALE = Worded(10002, "invalid request, please check your server timestamp or recv_window param. {subject}")

WORDS: Mapping[Refusal, Worded] = {
    Refusal.MISSING_KEY: Worded(10001, "empty value: apiTimestamp[] apiKey[] apiSignature[]"),
    Refusal.BAD_KEY: Worded(10003, "API key is invalid."),
    Refusal.BAD_SIGNATURE: Worded(10004, "error sign! origin_string[{subject}]"),
    Refusal.STALE_REQUEST: _STALE,
    Refusal.EARLY_REQUEST: _STALE,
    Refusal.BAD_WINDOW: _STALE,
    Refusal.TOO_MANY_REQUESTS: Worded(10018, "The IP has exceeded its rate limit."),
    Refusal.TOO_MANY_ORDERS: Worded(10006, "Too many visits. Exceeded the API Rate Limit."),
    Refusal.UNKNOWN_PATH: Worded(10017, "Route not found: {subject}", 404),
    Refusal.MISSING: _PARAMETER,
    Refusal.MALFORMED: _PARAMETER,
    Refusal.NOT_REQUIRED: _PARAMETER,
    Refusal.BAD_COMBINATION: _PARAMETER,
    Refusal.BAD_SIDE: Worded(10001, "Side invalid"),
    Refusal.BAD_TYPE: Worded(10001, "OrderType invalid"),
    Refusal.BAD_TIME_IN_FORCE: Worded(10001, "TimeInForce invalid"),
    Refusal.BAD_POSITION_SIDE: Worded(10001, "position idx not match position mode"),
    Refusal.BAD_CLIENT_ID: Worded(10001, "OrderLinkId invalid"),
    Refusal.UNKNOWN_SYMBOL: Worded(10001, "params error: symbol invalid {subject}"),
    Refusal.NOT_READY: Worded(10016, "System error. Please try again later."),
    Refusal.SIZE_NOT_POSITIVE: _QUANTITY,
    Refusal.SIZE_TOO_SMALL: Worded(10001, "The number of contracts exceeds minimum limit allowed"),
    Refusal.SIZE_TOO_BIG: Worded(10001, "The number of contracts exceeds maximum limit allowed: too large"),
    Refusal.SIZE_PRECISION: _QUANTITY,
    Refusal.SIZE_STEP: _QUANTITY,
    Refusal.PRICE_NOT_POSITIVE: _PRICE,
    Refusal.PRICE_TOO_LOW: _PRICE,
    Refusal.PRICE_TOO_HIGH: _PRICE,
    Refusal.PRICE_PRECISION: _PRICE,
    Refusal.PRICE_STEP: _PRICE,
    Refusal.PRICE_BAND_ABOVE: _BAND,
    Refusal.PRICE_BAND_BELOW: _BAND,
    Refusal.MIN_NOTIONAL: Worded(110094, "Order does not meet minimum order value {limit}USDT"),
    Refusal.DUPLICATE_CLIENT_ID: Worded(110072, "OrderLinkedID is duplicate"),
    Refusal.TOO_MANY_OPEN_ORDERS: Worded(110020, "Not allowed to have more than 500 active orders"),
    Refusal.REDUCE_ONLY: Worded(110017, "current position is zero, cannot fix reduce-only order qty"),
    Refusal.INSUFFICIENT_MARGIN: Worded(110007, "ab not enough for new order"),
    Refusal.NO_COUNTERPARTY: _BAND,
    Refusal.WOULD_TRIGGER: Worded(110093, "expect the price to come to the trigger: it {subject} past it already"),
    Refusal.TOO_MANY_CONDITIONAL: Worded(110009, "The number of stop orders exceeds the maximum allowable limit."),
    Refusal.UNKNOWN_ORDER: _GONE,
    Refusal.CANCEL_UNKNOWN: _GONE,
    Refusal.CANCEL_CLOSED: _GONE,
    Refusal.BAD_LEVERAGE: Worded(110013, "cannot set leverage {subject}"),
}

# What this venue never says: nobody has a passphrase or a session, nothing is bought with a balance, and an order
# that may only make is taken first and cancelled then.
UNSAID: frozenset[Refusal] = frozenset(
    {Refusal.BAD_PASSPHRASE, Refusal.NO_SESSION, Refusal.INSUFFICIENT_BALANCE, Refusal.POST_ONLY_WOULD_TAKE}
)


class BybitError(Exception):
    """Refuse in words that only Bybit has."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


def envelope(result: Json, now_ms: int, code: int = 0, text: str = "OK") -> Json:
    """Return an answer as every answer looks."""
    return {"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": now_ms}


def refused(error: Refused | BybitError, now_ms: int) -> tuple[int, Json]:
    """Return the HTTP status and body of a refusal."""
    if isinstance(error, BybitError):
        return 200, envelope({}, now_ms, error.code, error.text)
    said = WORDS[error.kind]
    limit = "" if error.limit is None else plain(error.limit)
    return said.status, envelope({}, now_ms, said.code, said.text.format(subject=error.subject, limit=limit))
