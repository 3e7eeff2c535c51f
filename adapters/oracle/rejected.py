"""Why what an oracle sent is not believed: one exception, a stable code, and the bounds of a sensible price."""

from decimal import Decimal
from typing import Literal

from domain.quantity import EXACT

RejectCode = Literal[
    # It cannot be read.
    "malformed",
    "truncated",
    "trailing_bytes",
    "version_unknown",
    "message_unknown",
    "count_wrong",
    # It was not signed by whom it must be.
    "emitter_unknown",
    "signers_not_ascending",
    "signer_unknown",
    "signer_differs",
    "signature_invalid",
    "signer_contradicts",
    "quorum_missing",
    "proof_invalid",
    # It was signed, and still cannot be meant.
    "feed_differs",
    "feed_repeated",
    "timestamps_differ",
    "exponent_out_of_bounds",
    "price_out_of_bounds",
    "confidence_out_of_bounds",
    "time_out_of_bounds",
    # It is not what was asked for, or not of now.
    "feed_unknown",
    "feed_missing",
    "from_the_future",
    "too_old",
    "contract_differs",
]

# A price in dollars beyond this is no price of anything that is traded here, but a shifted exponent.
PRICE_MAX = Decimal(10) ** 12
EXPONENT_MIN, EXPONENT_MAX = -18, 12
SECONDS_MAX = 10**10
"""Seconds since the epoch until the year 2286: what is later was not meant as seconds."""


class OracleRejected(Exception):
    """Refuse what an oracle sent. `code` is stable; `text` is for people and holds no secret."""

    def __init__(self, code: RejectCode, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code: RejectCode = code
        self.text = text


def scaled(mantissa: int, exponent: int) -> Decimal:
    """Return mantissa x 10^exponent exactly; refuse an exponent that no price has."""
    if not EXPONENT_MIN <= exponent <= EXPONENT_MAX:
        raise OracleRejected("exponent_out_of_bounds", f"an exponent of {exponent}")
    if abs(mantissa) >= 10**40:
        raise OracleRejected("price_out_of_bounds", "more digits than any price has")
    return EXACT.scaleb(EXACT.create_decimal(mantissa), exponent)


def sensible(price: Decimal, confidence: Decimal) -> None:
    """Refuse a price that is not above zero or absurdly high, and a confidence as wide as the price itself."""
    if not 0 < price <= PRICE_MAX:
        raise OracleRejected("price_out_of_bounds", f"a price of {price:f}")
    if not 0 <= confidence < price:
        raise OracleRejected("confidence_out_of_bounds", f"a confidence of {confidence:f} around {price:f}")


def sensible_time(seconds: int) -> None:
    """Refuse a time of publication that is none."""
    if not 0 < seconds <= SECONDS_MAX:
        raise OracleRejected("time_out_of_bounds", f"published at second {seconds}")
