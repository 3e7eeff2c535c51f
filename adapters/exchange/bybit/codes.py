"""What Bybit's v5 codes mean.

Missing on purpose, because the order may be there all the same: 110072 and 110030 (the id is taken, perhaps by the very
order that is being sent), 10014 (a duplicate request), 110079 (the order is being processed), and what the venue says
when it does not know itself: 10000, 10016, 10019, 170007.
"""

from collections.abc import Mapping

from domain.venue import RejectReason

REASONS: Mapping[str, RejectReason] = {
    "10001": "malformed",
    "10003": "not_authorised",
    "10004": "not_authorised",
    "10005": "not_authorised",
    "10007": "not_authorised",
    "10008": "not_authorised",
    "10009": "not_authorised",
    "10010": "not_authorised",
    "10017": "malformed",
    "10024": "venue_rule",
    "10027": "venue_rule",
    "10028": "venue_rule",
    "10029": "venue_rule",
    "33004": "not_authorised",
    "110001": "unknown_order",
    "110003": "price_band",
    "110004": "insufficient_margin",
    "110005": "venue_rule",
    "110006": "insufficient_margin",
    "110007": "insufficient_margin",
    "110008": "unknown_order",
    "110009": "too_many_orders",
    "110010": "unknown_order",
    "110011": "venue_rule",
    "110012": "insufficient_margin",
    "110014": "insufficient_margin",
    "110016": "venue_rule",
    "110017": "reduce_only",
    "110019": "malformed",
    "110020": "too_many_orders",
    "110021": "venue_rule",
    "110022": "venue_rule",
    "110023": "venue_rule",
    "110031": "venue_rule",
    "110032": "malformed",
    "110040": "venue_rule",
    "110042": "venue_rule",
    "110044": "insufficient_margin",
    "110045": "insufficient_margin",
    "110049": "size_or_price_step",
    "110051": "insufficient_margin",
    "110052": "insufficient_margin",
    "110053": "insufficient_margin",
    "110063": "venue_rule",
    "110066": "venue_rule",
    "110067": "venue_rule",
    "110074": "unknown_symbol",
    "110094": "min_notional",
}

# How an order that was taken and then cancelled by the venue says why.
REFUSED_LATER: Mapping[str, RejectReason] = {
    "EC_PostOnlyWillTakeLiquidity": "post_only_would_take",
    "EC_InvalidSymbolStatus": "venue_rule",
    "EC_LimitOrderInvalidPrice": "price_band",
    "EC_InvalidPriceScale": "size_or_price_step",
    "EC_QtyCannotBeZero": "size_or_price_step",
    "EC_DuplicatedClOrdID": "duplicate_client_order_id",
}
