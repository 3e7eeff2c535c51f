"""What a failed venue call means. One table, conservative: what is not surely refused or surely unsent is unknown.

- Nothing was sent: the connection never came to be (`ClientConnectorError` as ccxt's cause) -> Unavailable.
- Refused by a code that the venue gives before doing anything -> Rejected.
- Everything else is Unknown: every `OperationFailed` (timeouts, resets, 5xx, rate limits, clocks), a plain
  `ExchangeError` (a truncated body looks like one), a TypeError, an answer without an id, a code nobody listed.
- -4116 (the client order id is taken by an open order) is Unknown on purpose: the order that took it may be this one.
"""

import re
from collections.abc import Mapping

import aiohttp
from ccxt.base.errors import ExchangeError, OperationFailed

from domain.venue import Rejected, RejectReason, Unavailable, Unknown, VenueFailure

_CODE = re.compile(r'"code"\s*:\s*(-?\d+)')
TEXT_MAX = 300

REASONS: Mapping[int, RejectReason] = {
    -1022: "not_authorised",
    -1100: "malformed",
    -1101: "malformed",
    -1102: "malformed",
    -1103: "malformed",
    -1104: "malformed",
    -1105: "malformed",
    -1106: "malformed",
    -1111: "size_or_price_step",
    -1115: "malformed",
    -1116: "malformed",
    -1117: "malformed",
    -1121: "unknown_symbol",
    -2011: "unknown_order",
    -2013: "unknown_order",
    -2014: "not_authorised",
    -2015: "not_authorised",
    -2018: "insufficient_margin",
    -2019: "insufficient_margin",
    -2022: "reduce_only",
    -2024: "insufficient_margin",
    -2025: "too_many_orders",
    -2026: "venue_rule",
    -2027: "venue_rule",
    -2028: "venue_rule",
    -4001: "size_or_price_step",
    -4002: "size_or_price_step",
    -4003: "size_or_price_step",
    -4004: "size_or_price_step",
    -4005: "size_or_price_step",
    -4013: "size_or_price_step",
    -4014: "size_or_price_step",
    -4016: "price_band",
    -4023: "size_or_price_step",
    -4024: "price_band",
    -4061: "venue_rule",
    -4131: "price_band",
    -4164: "min_notional",
    -4192: "venue_rule",
    -4400: "venue_rule",
    -5021: "venue_rule",
    -5022: "post_only_would_take",
}


def venue_code(error: BaseException) -> int | None:
    """Return the venue's code that an error of ccxt carries in its text, if any."""
    found = _CODE.search(str(error))
    return int(found.group(1)) if found else None


def classify(error: Exception) -> VenueFailure:
    """Say what an error out of a ccxt call means."""
    text = f"{type(error).__name__}: {error}"[:TEXT_MAX]
    if isinstance(error.__cause__, aiohttp.ClientConnectorError):
        return Unavailable(text)
    if isinstance(error, OperationFailed) or type(error) is ExchangeError or not isinstance(error, ExchangeError):
        return Unknown(text)
    reason = REASONS.get(venue_code(error) or 0)
    return Unknown(text) if reason is None else Rejected(reason, text)
