"""Binance's own words for a refusal: a code, a text, an HTTP status."""

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.simulators.instruments import plain
from adapters.simulators.refusals import Refusal, Refused


class Worded(msgspec.Struct, frozen=True):
    """Hold one refusal's words; `{subject}` and `{limit}` are filled in."""

    code: int
    text: str
    status: int = 400


_MANDATORY = "Mandatory parameter '{subject}' was not sent, was empty/null, or malformed."
_PRECISION = Worded(-1111, "Precision is over the maximum defined for this asset.")
_UNKNOWN = Worded(-2011, "Unknown order sent.")

WORDS: Mapping[Refusal, Worded] = {
    Refusal.MISSING_KEY: Worded(-2014, "API-key format invalid.", 401),
    Refusal.BAD_KEY: Worded(-2015, "Invalid API-key, IP, or permissions for action.", 401),
    Refusal.BAD_SIGNATURE: Worded(-1022, "Signature for this request is not valid."),
    Refusal.STALE_REQUEST: Worded(-1021, "Timestamp for this request is outside of the recvWindow."),
    Refusal.EARLY_REQUEST: Worded(-1021, "Timestamp for this request was 1000ms ahead of the server's time."),
    Refusal.BAD_WINDOW: Worded(-1131, "recvWindow must be less than 60000."),
    Refusal.TOO_MANY_REQUESTS: Worded(
        -1003, "Too many requests; current limit of IP is {limit} requests per minute.", 429
    ),
    Refusal.TOO_MANY_ORDERS: Worded(-1015, "Too many new orders; current limit is per {subject}.", 429),
    Refusal.UNKNOWN_PATH: Worded(-5000, "Path {subject} is invalid", 404),
    Refusal.MISSING: Worded(-1102, _MANDATORY),
    Refusal.MALFORMED: Worded(-1102, _MANDATORY),
    Refusal.NOT_REQUIRED: Worded(-1106, "Parameter '{subject}' sent when not required."),
    Refusal.BAD_COMBINATION: Worded(-1128, "Combination of optional parameters invalid."),
    Refusal.NO_SESSION: Worded(-1125, "This listenKey does not exist."),
    Refusal.BAD_SIDE: Worded(-1117, "Invalid side."),
    Refusal.BAD_TYPE: Worded(-1116, "Invalid orderType."),
    Refusal.BAD_TIME_IN_FORCE: Worded(-1115, "Invalid timeInForce."),
    Refusal.BAD_POSITION_SIDE: Worded(-4061, "Order's position side does not match user's setting."),
    Refusal.BAD_CLIENT_ID: Worded(-1100, "Illegal characters found in parameter 'newClientOrderId'."),
    Refusal.UNKNOWN_SYMBOL: Worded(-1121, "Invalid symbol."),
    Refusal.NOT_READY: Worded(-1001, "Internal error; unable to process your request. Please try again.", 503),
    Refusal.SIZE_NOT_POSITIVE: Worded(-4003, "Quantity less than or equal to zero."),
    Refusal.SIZE_TOO_SMALL: Worded(-4004, "Quantity less than min quantity. Min quantity: {limit}"),
    Refusal.SIZE_TOO_BIG: Worded(-4005, "Quantity greater than max quantity. Max quantity: {limit}"),
    Refusal.SIZE_PRECISION: _PRECISION,
    Refusal.SIZE_STEP: Worded(-4023, "Quantity not increased by step size. Step size: {limit}"),
    Refusal.PRICE_NOT_POSITIVE: Worded(-4001, "Price less than 0."),
    Refusal.PRICE_TOO_LOW: Worded(-4013, "Price less than min price. Min price: {limit}"),
    Refusal.PRICE_TOO_HIGH: Worded(-4002, "Price greater than max price. Max price: {limit}"),
    Refusal.PRICE_PRECISION: _PRECISION,
    Refusal.PRICE_STEP: Worded(-4014, "Price not increased by tick size. Tick size: {limit}"),
    Refusal.PRICE_BAND_ABOVE: Worded(-4016, "Limit price can't be higher than {limit}."),
    Refusal.PRICE_BAND_BELOW: Worded(-4024, "Limit price can't be lower than {limit}."),
    Refusal.MIN_NOTIONAL: Worded(
        -4164, "Order's notional must be no smaller than {limit} (unless you choose reduce only)."
    ),
    Refusal.DUPLICATE_CLIENT_ID: Worded(-4116, "ClientOrderId is duplicated."),
    Refusal.TOO_MANY_OPEN_ORDERS: Worded(-2025, "Reach max open order limit."),
    Refusal.REDUCE_ONLY: Worded(-2022, "ReduceOnly Order is rejected."),
    Refusal.INSUFFICIENT_MARGIN: Worded(-2019, "Margin is insufficient."),
    Refusal.INSUFFICIENT_BALANCE: Worded(-2010, "Account has insufficient balance for requested action."),
    Refusal.NO_COUNTERPARTY: Worded(
        -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."
    ),
    Refusal.POST_ONLY_WOULD_TAKE: Worded(
        -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected."
    ),
    Refusal.WOULD_TRIGGER: Worded(-2021, "Order would immediately trigger."),
    Refusal.TOO_MANY_CONDITIONAL: Worded(-4045, "Reach max stop order limit."),
    Refusal.UNKNOWN_ORDER: Worded(-2013, "Order does not exist."),
    Refusal.CANCEL_UNKNOWN: _UNKNOWN,
    Refusal.CANCEL_CLOSED: _UNKNOWN,
    Refusal.BAD_LEVERAGE: Worded(-4028, "Leverage {subject} is not valid"),
}


def _filter(name: str) -> Worded:
    return Worded(-1013, f"Filter failure: {name}")


_LOT, _PRICE, _BAND = _filter("LOT_SIZE"), _filter("PRICE_FILTER"), _filter("PERCENT_PRICE_BY_SIDE")
# Spot speaks of filters, and folds into -2010 what the futures tell apart.
SPOT_WORDS: Mapping[Refusal, Worded] = {
    **WORDS,
    Refusal.SIZE_NOT_POSITIVE: Worded(-1013, "Invalid quantity."),
    Refusal.SIZE_TOO_SMALL: _LOT,
    Refusal.SIZE_TOO_BIG: _LOT,
    Refusal.SIZE_STEP: _LOT,
    Refusal.PRICE_NOT_POSITIVE: Worded(-1013, "Invalid price."),
    Refusal.PRICE_TOO_LOW: _PRICE,
    Refusal.PRICE_TOO_HIGH: _PRICE,
    Refusal.PRICE_STEP: _PRICE,
    Refusal.PRICE_BAND_ABOVE: _BAND,
    Refusal.PRICE_BAND_BELOW: _BAND,
    Refusal.NO_COUNTERPARTY: _BAND,
    Refusal.MIN_NOTIONAL: _filter("NOTIONAL"),
    Refusal.TOO_MANY_OPEN_ORDERS: _filter("MAX_NUM_ORDERS"),
    Refusal.DUPLICATE_CLIENT_ID: Worded(-2010, "Duplicate order sent."),
    Refusal.POST_ONLY_WOULD_TAKE: Worded(-2010, "Order would immediately match and take."),
    Refusal.WOULD_TRIGGER: Worded(-2010, "Stop price would trigger immediately."),
    Refusal.TOO_MANY_CONDITIONAL: _filter("MAX_NUM_ALGO_ORDERS"),
}


class BinanceError(Exception):
    """Refuse in words that only Binance has."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.status = status


def worded(error: Refused | BinanceError, words: Mapping[Refusal, Worded] = WORDS) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and body of a refusal."""
    if isinstance(error, BinanceError):
        return error.status, {"code": error.code, "msg": error.text}
    said = words[error.kind]
    limit = "" if error.limit is None else plain(error.limit)
    return said.status, {"code": said.code, "msg": said.text.format(subject=error.subject, limit=limit)}
