"""Certificates: what a routing decision rested on, what it should cost, and how far that can be from the least."""

import msgspec

from domain.quantity import ZERO, Num


class CostSplit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Split an expected cost, USD, positive when it costs us.

    `spread` is half of each book's own spread, `depth` what walking beyond the best price adds, `fee` the taker's fee,
    `basis` what the venue's middle lies from the reference against us, `funding` what is expected to be paid over the
    horizon (negative when earned), `penalty` what concentration, margin and the rank for auto-deleveraging are taken to
    be worth: no cash, but it chose the legs.
    """

    spread: Num = ZERO
    depth: Num = ZERO
    fee: Num = ZERO
    basis: Num = ZERO
    funding: Num = ZERO
    penalty: Num = ZERO


class RoutedLeg(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold one chosen leg of an underlying.

    `quantity` is signed, in the units orders are made in (base; quote on inverse contracts), a multiple of the lot;
    `base` is the signed delta it brings in base units; prices are quote per base; `notional_usd` is positive.
    """

    venue: str
    account: str
    symbol: str
    underlying: str
    quantity: Num
    base: Num
    average_price: Num
    worst_price: Num
    middle: Num
    usd_per_quote: Num
    notional_usd: Num
    cost: CostSplit


class Excluded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Name an instrument that might have been traded, and why it was not considered."""

    venue: str
    symbol: str
    reason: str


class Unrouted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say which signed base quantity of an underlying no venue could take: less than a lot, or there was no room."""

    underlying: str
    quantity: Num


class Certificate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Prove a routing decision: anybody with its inputs computes the same legs, cost and bound.

    `inputs_sha256` is over the canonical JSON of the problem as far as it was read (`domain.routing.proving`).
    `cost_usd` is what the legs are expected to cost, all of `CostSplit` added; `bound_usd` is what no choice can beat
    for the base that the legs bring: the optimum of the linear relaxation (fractions of lots, no minimum sizes), by
    duality; `gap_usd` their difference; `lot_usd` the marginal cost of one lot of each leg, within which the gap should
    lie. `candidates` is how many instruments were considered; `doubts` name those of which something was not believed
    and counted adverse.
    """

    inputs_sha256: str
    horizon_ms: int
    candidates: int
    legs: tuple[RoutedLeg, ...]
    cost_usd: Num
    bound_usd: Num
    gap_usd: Num
    lot_usd: Num
    unrouted: tuple[Unrouted, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    doubts: tuple[Excluded, ...] = ()
