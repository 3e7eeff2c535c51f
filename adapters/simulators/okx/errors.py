"""OKX's own words for a refusal: a code, a text and the HTTP status where the whole request is refused with it.

What refuses an item of a request is told in the item, with HTTP 200 and the envelope's code 1.
"""

from collections.abc import Mapping

import msgspec

from adapters.simulators.instruments import plain
from adapters.simulators.refusals import Refusal, Refused


class Worded(msgspec.Struct, frozen=True):
    """Hold one refusal's words; `{subject}` and `{limit}` are filled in."""

    code: int
    text: str
    status: int = 200


_BUSY = Worded(50011, "Rate limit reached. Please refer to API documentation and throttle requests accordingly.", 429)
_PARAMETER = Worded(51000, "Parameter {subject} error", 400)
_OVER = Worded(51101, "Order failed, the sz of the current order can't be more than {limit} (contracts).")
_LOTS = Worded(51121, "Order quantity must be a multiple of the lot size.")
_TICKS = Worded(51150, "The precision of the number of trades or the price exceeds the limit.")
_POOR = Worded(51008, "Order failed. Insufficient {subject} margin in account")

WORDS: Mapping[Refusal, Worded] = {
    Refusal.MISSING_KEY: Worded(50103, 'Request header "OK-ACCESS-KEY" cannot be empty.', 401),
    Refusal.BAD_KEY: Worded(50111, "Invalid OK-ACCESS-KEY.", 401),
    Refusal.BAD_SIGNATURE: Worded(50113, "Invalid signature.", 401),
    Refusal.BAD_PASSPHRASE: Worded(50105, 'Request header "OK-ACCESS-PASSPHRASE" incorrect.', 401),
    Refusal.STALE_REQUEST: Worded(50102, "Timestamp request expired.", 401),
    Refusal.EARLY_REQUEST: Worded(50102, "Timestamp request expired.", 401),
    Refusal.BAD_WINDOW: Worded(
        50036, "The expTime can't be earlier than the current system time. Please adjust the expTime and try again."
    ),
    Refusal.TOO_MANY_REQUESTS: _BUSY,
    Refusal.TOO_MANY_ORDERS: _BUSY,
    Refusal.UNKNOWN_PATH: Worded(404, "Request URL Not Found", 404),
    Refusal.MISSING: Worded(50014, "Parameter {subject} can not be empty.", 400),
    Refusal.MALFORMED: _PARAMETER,
    Refusal.NOT_REQUIRED: _PARAMETER,
    Refusal.BAD_COMBINATION: Worded(50016, "Parameter {subject} does not match its fellow.", 400),
    Refusal.NO_SESSION: Worded(60011, "Please log in"),
    Refusal.BAD_SIDE: Worded(51000, "Parameter side error", 400),
    Refusal.BAD_TYPE: Worded(51000, "Parameter ordType error", 400),
    Refusal.BAD_TIME_IN_FORCE: Worded(51000, "Parameter ordType error", 400),
    Refusal.BAD_POSITION_SIDE: Worded(51000, "Parameter posSide error", 400),
    Refusal.BAD_CLIENT_ID: Worded(51000, "Parameter clOrdId error", 400),
    Refusal.UNKNOWN_SYMBOL: Worded(51001, "Instrument ID, Instrument ID code or Spread ID doesn't exist."),
    Refusal.NOT_READY: Worded(50001, "Service temporarily unavailable. Please try again later.", 503),
    Refusal.SIZE_NOT_POSITIVE: Worded(51000, "Parameter sz error", 400),
    Refusal.SIZE_TOO_SMALL: Worded(51020, "Your order should meet or exceed the minimum order amount."),
    Refusal.SIZE_TOO_BIG: _OVER,
    Refusal.SIZE_PRECISION: _LOTS,
    Refusal.SIZE_STEP: _LOTS,
    Refusal.PRICE_NOT_POSITIVE: Worded(51000, "Parameter px error", 400),
    Refusal.PRICE_TOO_LOW: Worded(51122, "Order price should higher than the min price {limit}"),
    Refusal.PRICE_TOO_HIGH: Worded(51116, "Order price or trigger price exceeds {limit}."),
    Refusal.PRICE_PRECISION: _TICKS,
    Refusal.PRICE_STEP: _TICKS,
    Refusal.PRICE_BAND_ABOVE: Worded(51137, "The highest price limit for buy orders is {limit}."),
    Refusal.PRICE_BAND_BELOW: Worded(51138, "The lowest price limit for sell orders is {limit}."),
    Refusal.MIN_NOTIONAL: Worded(51020, "Your order should meet or exceed the minimum order amount."),
    Refusal.DUPLICATE_CLIENT_ID: Worded(51016, "Client order ID already exists."),
    Refusal.TOO_MANY_OPEN_ORDERS: Worded(51025, "Order count exceeds the limit."),
    Refusal.REDUCE_ONLY: Worded(
        51169,
        "Order failed because you don't have any positions in this direction for this contract to reduce or close.",
    ),
    Refusal.INSUFFICIENT_MARGIN: _POOR,
    Refusal.INSUFFICIENT_BALANCE: _POOR,
    Refusal.NO_COUNTERPARTY: Worded(51109, "No available offers."),
    Refusal.WOULD_TRIGGER: Worded(51280, "SL trigger price cannot be on this side of the last price ({subject})."),
    Refusal.TOO_MANY_CONDITIONAL: Worded(51025, "Order count exceeds the limit."),
    Refusal.UNKNOWN_ORDER: Worded(51603, "Order does not exist"),
    Refusal.CANCEL_UNKNOWN: Worded(
        51400, "Cancellation failed as the order has been filled, canceled or doesn't exist."
    ),
    Refusal.CANCEL_CLOSED: Worded(
        51400, "Cancellation failed as the order has been filled, canceled or doesn't exist."
    ),
    Refusal.BAD_LEVERAGE: Worded(59102, "Leverage exceeds the maximum limit. Please lower the leverage."),
}


class OkxError(Exception):
    """Refuse in words that only OKX has."""

    def __init__(self, code: int, text: str, status: int = 200) -> None:
        super().__init__(f"{code} {text}")
        self.worded = Worded(code, text, status)


def worded(error: Refused | OkxError) -> Worded:
    """Return the words of a refusal, filled in."""
    if isinstance(error, OkxError):
        return error.worded
    said = WORDS[error.kind]
    limit = "" if error.limit is None else plain(error.limit)
    return msgspec.structs.replace(said, text=said.text.format(subject=error.subject, limit=limit))
