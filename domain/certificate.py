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
    """Hold one chosen leg.

    `quantity` is signed, in the units orders are made in (base; quote on inverse contracts), a multiple of the lot;
    `base` is the signed delta it brings in base units; prices are quote per base; `notional_usd` is positive.
    """

    venue: str
    account: str
    symbol: str
    quantity: Num
    base: Num
    average_price: Num
    worst_price: Num
    middle: Num
    notional_usd: Num
    cost: CostSplit


class Excluded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Name an instrument that might have been traded, and why it was not considered."""

    venue: str
    symbol: str
    reason: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Prove a routing decision: anybody with its inputs computes the same legs, cost and bound.

    `inputs_sha256` is over the canonical JSON of the `Problem`. `cost_usd` is what the legs are expected to cost, all
    of `CostSplit` added; `bound_usd` is the optimum of the linear relaxation (fractions of lots, no minimum sizes),
    which no choice can beat; `gap_usd` their difference; `lot_usd` the marginal cost of one lot a leg, within which the
    gap should lie. `unrouted` is the signed base quantity that no venue could take.
    """

    inputs_sha256: str
    horizon_ms: int
    candidates: int
    legs: tuple[RoutedLeg, ...]
    cost_usd: Num
    bound_usd: Num
    gap_usd: Num
    lot_usd: Num
    unrouted: Num = ZERO
    excluded: tuple[Excluded, ...] = ()
