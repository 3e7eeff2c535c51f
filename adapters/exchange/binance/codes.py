"""What Binance's codes mean.

-4116 (the client order id is taken by an open order) is missing on purpose: the order that took it may be the one that
is being sent.
"""

from collections.abc import Mapping

from domain.venue import RejectReason

FUTURES_REASONS: Mapping[str, RejectReason] = {
    "-1022": "not_authorised",
    "-1100": "malformed",
    "-1101": "malformed",
    "-1102": "malformed",
    "-1103": "malformed",
    "-1104": "malformed",
    "-1105": "malformed",
    "-1106": "malformed",
    "-1111": "size_or_price_step",
    "-1115": "malformed",
    "-1116": "malformed",
    "-1117": "malformed",
    "-1121": "unknown_symbol",
    "-2011": "unknown_order",
    "-2013": "unknown_order",
    "-2014": "not_authorised",
    "-2015": "not_authorised",
    "-2018": "insufficient_margin",
    "-2019": "insufficient_margin",
    "-2022": "reduce_only",
    "-2024": "insufficient_margin",
    "-2025": "too_many_orders",
    "-2026": "venue_rule",
    "-2027": "venue_rule",
    "-2028": "venue_rule",
    "-4001": "size_or_price_step",
    "-4002": "size_or_price_step",
    "-4003": "size_or_price_step",
    "-4004": "size_or_price_step",
    "-4005": "size_or_price_step",
    "-4013": "size_or_price_step",
    "-4014": "size_or_price_step",
    "-4016": "price_band",
    "-4023": "size_or_price_step",
    "-4024": "price_band",
    "-4061": "venue_rule",
    "-4131": "price_band",
    "-4164": "min_notional",
    "-4192": "venue_rule",
    "-4400": "venue_rule",
    "-5021": "venue_rule",
    "-5022": "post_only_would_take",
}

SPOT_REASONS: Mapping[str, RejectReason] = {
    "-20124": "unknown_order",
    "-1022": "not_authorised",
    "-1100": "malformed",
    "-1101": "malformed",
    "-1102": "malformed",
    "-1103": "malformed",
    "-1104": "malformed",
    "-1105": "malformed",
    "-1106": "malformed",
    "-1111": "size_or_price_step",
    "-1115": "malformed",
    "-1116": "malformed",
    "-1117": "malformed",
    "-1121": "unknown_symbol",
    "-2011": "unknown_order",
    "-2013": "unknown_order",
    "-2014": "not_authorised",
    "-2015": "not_authorised",
}
# -1013 and -2010 cover many refusals, told apart by their words only; of some, ccxt leaves nothing but the words. A
# duplicate order is missing on purpose.
_SPOT_WORDS: Mapping[str, Mapping[str, RejectReason]] = {
    "-1013": {
        "PRICE_FILTER": "size_or_price_step",
        "LOT_SIZE": "size_or_price_step",
        "NOTIONAL": "min_notional",
        "PERCENT_PRICE": "price_band",
        "MAX_POSITION": "venue_rule",
        "MAX_NUM_ORDERS": "too_many_orders",
    },
    "-2010": {
        "insufficient balance": "insufficient_margin",
        "immediately match": "post_only_would_take",
        "Market is closed": "venue_rule",
        "not permitted": "venue_rule",
    },
}


def spot_order_reason(code: str, text: str) -> RejectReason | None:
    """Say what a code of spot that covers many refusals means by its words; None when it is another or unknown."""
    known = _SPOT_WORDS["-2010"] if code == "" else _SPOT_WORDS.get(code, {})
    return next((reason for words, reason in known.items() if words in text), None)
