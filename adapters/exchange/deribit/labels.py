"""Which orders under a label are ours. A label is not unique: it may be used again, by a person in web pages too."""

import logging
from collections.abc import Sequence

from adapters.exchange.deribit.fields import identity, instant_us, label
from adapters.exchange.fields import Payload, Unreadable, flag
from adapters.exchange.naming import Market

_log = logging.getLogger(__name__)


def ours(found: Sequence[Payload], market: Market, client_order_id: str) -> Sequence[Payload]:
    """Return the orders under our id that can be ours, oldest first; that they are several is told aloud.

    What a person placed in the web pages under the same label is not ours. Where nothing but that is found, the
    question cannot be answered: `Unreadable`.
    """
    named = [row for row in found if label(row) == client_order_id and row.get("instrument_name") == market.market_id]
    mine = [row for row in named if flag(row, "api")]
    if named and not mine:
        raise Unreadable(f"{len(named)} orders under {client_order_id}, none of them placed by us")
    if len(mine) > 1:
        _log.warning("%d orders of ours under the label %s: the newest counts", len(mine), client_order_id)
    return sorted(mine, key=lambda row: (instant_us(row, "creation_timestamp"), _sequence(row)))


def _sequence(row: Payload) -> int:
    digits = identity(row, "order_id").rpartition("-")[2]
    if not digits.isdecimal():
        raise Unreadable(f"order_id is {digits!r}")
    return int(digits)
