"""Why a simulated venue refuses: one neutral list that each dialect words with its own codes and texts."""

from decimal import Decimal
from enum import StrEnum, unique


@unique
class Refusal(StrEnum):
    """Name a reason. `subject` and `limit` of `Refused` say what it is about, where there is something to say."""

    # The door: who asks, how, how often. A gate raises these.
    MISSING_KEY = "missing_key"
    BAD_KEY = "bad_key"
    BAD_SIGNATURE = "bad_signature"
    BAD_PASSPHRASE = "bad_passphrase"  # noqa: S105 - a reason, not a secret
    STALE_REQUEST = "stale_request"
    EARLY_REQUEST = "early_request"
    BAD_WINDOW = "bad_window"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_MANY_ORDERS = "too_many_orders"
    UNKNOWN_PATH = "unknown_path"
    MISSING = "missing"
    MALFORMED = "malformed"
    NOT_REQUIRED = "not_required"
    BAD_COMBINATION = "bad_combination"
    NO_SESSION = "no_session"
    # The words of an order: a dialect raises these when it reads one.
    BAD_SIDE = "bad_side"
    BAD_TYPE = "bad_type"
    BAD_TIME_IN_FORCE = "bad_time_in_force"
    BAD_POSITION_SIDE = "bad_position_side"
    BAD_CLIENT_ID = "bad_client_id"
    # The engine's own, in order of precedence.
    UNKNOWN_SYMBOL = "unknown_symbol"
    NOT_READY = "not_ready"
    SIZE_NOT_POSITIVE = "size_not_positive"
    SIZE_TOO_SMALL = "size_too_small"
    SIZE_TOO_BIG = "size_too_big"
    SIZE_PRECISION = "size_precision"
    SIZE_STEP = "size_step"
    PRICE_NOT_POSITIVE = "price_not_positive"
    PRICE_TOO_LOW = "price_too_low"
    PRICE_TOO_HIGH = "price_too_high"
    PRICE_PRECISION = "price_precision"
    PRICE_STEP = "price_step"
    PRICE_BAND_ABOVE = "price_band_above"
    PRICE_BAND_BELOW = "price_band_below"
    MIN_NOTIONAL = "min_notional"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    TOO_MANY_OPEN_ORDERS = "too_many_open_orders"
    REDUCE_ONLY = "reduce_only"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    NO_COUNTERPARTY = "no_counterparty"
    POST_ONLY_WOULD_TAKE = "post_only_would_take"
    WOULD_TRIGGER = "would_trigger"
    TOO_MANY_CONDITIONAL = "too_many_conditional"
    UNKNOWN_ORDER = "unknown_order"
    CANCEL_UNKNOWN = "cancel_unknown"
    CANCEL_CLOSED = "cancel_closed"
    BAD_LEVERAGE = "bad_leverage"


class Refused(Exception):
    """Refuse a request. Nothing has happened: no order, no change of the account.

    `subject` names a parameter, an asset or a window; `limit` is the bound that was passed, in the venue's own units.
    """

    def __init__(self, kind: Refusal, subject: str = "", limit: Decimal | None = None) -> None:
        super().__init__(f"{kind} {subject}".strip())
        self.kind = kind
        self.subject = subject
        self.limit = limit
