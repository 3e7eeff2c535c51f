"""What Deribit's codes mean.

Missing on purpose, because the order may be there all the same, or the venue does not know itself: 10001 and 11031
(general failures), 10028 and 10047 (too many), 10040 and 10041 (retry, settlement), 11051, 11094 (an unhandled error),
13008, and the two that time out on the way to the matching engine, 13888 and 13028.
"""

from collections.abc import Mapping

from domain.venue import RejectReason

REASONS: Mapping[str, RejectReason] = {
    "-32700": "malformed",
    "-32602": "malformed",
    "-32601": "malformed",
    "-32000": "malformed",
    "10000": "not_authorised",
    "10002": "size_or_price_step",
    "10003": "venue_rule",
    "10004": "unknown_order",
    "10005": "price_band",
    "10006": "price_band",
    "10007": "price_band",
    "10008": "price_band",
    "10009": "insufficient_margin",
    "10010": "unknown_order",
    "10011": "venue_rule",
    "10012": "venue_rule",
    "10013": "too_many_orders",
    "10014": "too_many_orders",
    "10015": "too_many_orders",
    "10016": "venue_rule",
    "10017": "venue_rule",
    "10018": "venue_rule",
    "10019": "venue_rule",
    "10020": "unknown_symbol",
    "10021": "size_or_price_step",
    "10022": "size_or_price_step",
    "10023": "size_or_price_step",
    "10025": "malformed",
    "10026": "size_or_price_step",
    "10027": "size_or_price_step",
    "10029": "not_authorised",
    "10030": "malformed",
    "10031": "malformed",
    "10032": "min_notional",
    "10033": "malformed",
    "10043": "size_or_price_step",
    "11008": "unknown_order",
    "11029": "malformed",
    "11030": "venue_rule",
    "11042": "not_authorised",
    "11043": "malformed",
    "11044": "unknown_order",
    "11047": "malformed",
    "11049": "malformed",
    "11050": "malformed",
    "11054": "post_only_would_take",
    "13002": "not_authorised",
    "13004": "not_authorised",
    "13009": "not_authorised",
    "13010": "malformed",
    "13016": "malformed",
    "13020": "unknown_symbol",
    "13021": "not_authorised",
}
# 11030 is "other_reject <reason>": what it says behind that word.
OTHER_REJECT = "11030"
OTHER_REASONS: Mapping[str, RejectReason] = {"reduce_only": "reduce_only"}
