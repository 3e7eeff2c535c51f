"""Finding out what a venue wrote down of an order that it took without saying so.

A question that fails here says nothing about the order: only what is found counts, and the rest is Unknown.
"""

import asyncio

from adapters.exchange.dialect import Dialect, acknowledge
from adapters.exchange.failures import Failures
from domain.venue import Acknowledgement, Rejected, Unavailable, Unknown, VenueOrder

TRIES = 5
PAUSE_S = 0.2


async def read_back(dialect: Dialect, failures: Failures, order: VenueOrder) -> Acknowledgement:
    """Find out what the venue wrote down of an order that it took without saying so."""
    for _ in range(TRIES):
        try:
            found = await failures.asked(dialect.read_back(order))
        except Rejected as rejected:
            # This refuses the question, not the order.
            if rejected.reason != "unknown_order":
                raise Unknown(f"sent, but not to be read back: {rejected.text}") from None
            found = None
        except Unavailable as unavailable:
            raise Unknown(f"sent, but not to be read back: {unavailable}") from None
        if isinstance(found, Rejected):
            raise found
        if found is not None:
            return acknowledge(found)
        await asyncio.sleep(PAUSE_S)
    raise Unknown("sent, but not to be found yet")
