"""What is wrong with a policy by itself: what could not be followed is refused before it is adopted."""

from collections.abc import Iterable, Iterator

from domain import risk_terms
from domain.carry import FundingTerms
from domain.contract import INVERSE, LINEAR, SPOT, contract_of
from domain.execution import Style, StyleKind
from domain.policy import Policy
from domain.quantity import BPS, Num
from domain.rebalancing import terms as rebalancing_terms

# An underlying is hedged on at most so many instruments: a plan has no more legs.
WAYS_MAX = 16
# A leg is cut into no more slices.
SLICES_MAX = 100
# Nothing is funded, and no hedge is looked ahead for, longer.
HORIZON_MS_MAX = 366 * 24 * 3_600_000


def policy_faults(policy: Policy) -> str:
    """Say the first thing that is wrong with a policy, "" when it can be followed."""
    return next(_faults(policy), "")


def _faults(policy: Policy) -> Iterator[str]:
    yield from _own_tokens(policy)
    yield from _units(policy)
    keys = [item.key for item in policy.instruments]
    if len(set(keys)) < len(keys):
        yield "an instrument stands in the policy twice"
    if any(item.lot <= 0 or item.tick <= 0 for item in policy.instruments):
        yield "the lot and the tick of an instrument are above zero"
    for base in sorted({item.base for item in policy.instruments}):
        if len(policy.traded(base)) > WAYS_MAX:
            yield f"{base} is hedged on more than {WAYS_MAX} instruments"
    yield from _routing(policy)
    yield from _bands(policy)
    if not all(_followed(getattr(policy.styles, name)) for name in policy.styles.__struct_fields__):
        yield f"a style has one to {SLICES_MAX} slices, a time where it needs one, and shows something of an iceberg"
    for wrong in (rebalancing_terms.faults(policy.rebalancing), risk_terms.faults(policy.risk)):
        if wrong:
            yield wrong


def _own_tokens(policy: Policy) -> Iterator[str]:
    """Refuse to rest on ourselves: what we issued, or what stands or falls with it, is no collateral and no margin."""
    own = {policy.issued, *policy.risk.own_tokens}
    for asset in policy.assets:
        if not own.isdisjoint({asset.symbol, asset.underlying}):
            yield f"{asset.symbol} is our own token, or follows one: it cannot be collateral"
    for item in policy.instruments:
        if not own.isdisjoint({item.base, item.quote, contract_of(item.symbol).settle}):
            yield f"{item.symbol} is paid in our own token, or hedges one: it cannot be margin"


def _units(policy: Policy) -> Iterator[str]:
    """Refuse what is in other units than hedges are planned and counted in."""
    for item in policy.instruments:
        if item.kind == INVERSE:
            yield (
                f"{item.symbol} is not linear but inverse: exposure counts it exactly, but legs, slices, the rest of "
                "an order and the carry are base units while its orders are in quote units, so nothing is hedged on it"
            )
        elif item.kind not in {LINEAR, SPOT}:
            yield f"{item.symbol} is not linear nor spot: nobody knows what delta it has"
    paired = {pair.collateral for pair in policy.pairs}
    for asset in policy.assets:
        if asset.ratio <= 0:
            yield f"{asset.symbol} stands for some of its underlying: its ratio is above zero"
        elif asset.ratio != 1 and asset.symbol in paired:
            yield (
                f"{asset.symbol} stands for {asset.ratio} {asset.underlying} and its own price is not watched: it "
                "counts where it is held, but nothing is minted or redeemed for it"
            )


def _routing(policy: Policy) -> Iterator[str]:
    terms = policy.routing
    if not 0 < terms.horizon_ms <= HORIZON_MS_MAX:
        yield "routing looks ahead for some time, and for no more than a year"
    if not _rising((step.share, step.bps) for step in terms.concentration):
        yield "steps of concentration rise, in share and in bps, from zero up"
    if not _rising((step.rank, step.bps) for step in terms.ranks):
        yield "steps of rank rise, in rank and in bps, from zero up"
    if any(cap.notional < 0 for cap in terms.caps) or terms.margin_rate < 0 or not 0 <= terms.margin_floor < 1:
        yield "caps and the rate of margin are not negative, and the floor of margin is a part of one"
    if not _believable(terms.funding):
        yield "terms of funding have a persistence of one at most and bounds that are not negative"


def _believable(terms: FundingTerms) -> bool:
    bounds = (terms.adverse_per_hour, terms.per_hour_max, terms.persistence_per_hour)
    return min(bounds) >= 0 and terms.persistence_per_hour <= 1 and terms.mark_age_ms_max > 0


def _followed(style: Style) -> bool:
    times = {StyleKind.POST_THEN_CROSS: style.rest_ms, StyleKind.TWAP: style.over_ms, StyleKind.ICEBERG: style.shown}
    enough = times.get(style.kind, 1) > 0
    return enough and 1 <= style.slices <= SLICES_MAX and min(style.rest_ms, style.over_ms, style.jitter_bps) >= 0


def _rising(steps: Iterable[tuple[Num, Num]]) -> bool:
    before = (Num(-1), Num(-1))
    for step in steps:
        if step[0] <= before[0] or step[1] <= before[1] or min(step) < 0 or step[1] > BPS:
            return False
        before = step
    return True


def _bands(policy: Policy) -> Iterator[str]:
    named = [band.underlying for band in policy.bands]
    known = {asset.underlying for asset in policy.assets}
    if len(set(named)) < len(named) or not known.issuperset(named):
        yield "each band is of an underlying of the policy, and each has one"
    if any(band.width < 0 for band in policy.bands):
        yield "a band is not negative"
