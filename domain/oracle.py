"""What price oracles tell the house, once it is verified: prices, and the loss of them.

Prices are exact decimals in `quote` per `base`; times are integer microseconds since the Unix epoch, UTC. The age of an
oracle's price counts from when it was published, not from when it came.
"""

from decimal import Decimal

import msgspec


class OraclePrice(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one verified price.

    `feed` is the oracle's own name of it (a feed id, a data feed's name, a contract's address). `confidence` is the
    distance from the price within which the oracle is sure, in the same unit; zero where it tells none. `sequence`
    never falls from one price of a feed to the next: a slot, or the time of publication. `signers` are the addresses
    that vouch for it or, for what was read from a chain, the names of the endpoints that agreed.
    """

    oracle: str
    feed: str
    base: str
    quote: str
    price: Decimal
    confidence: Decimal
    published_at_us: int
    received_at_us: int
    sequence: int
    signers: tuple[str, ...]


class OracleLost(msgspec.Struct, frozen=True, kw_only=True):
    """Say that a feed can no longer be believed, and why; no `feed` means all of the oracle's. A price restores it."""

    oracle: str
    feed: str
    reason: str
    at_us: int


OracleEvent = OraclePrice | OracleLost
