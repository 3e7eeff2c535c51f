"""Gauges of the whole: what accounts have at venues, on whom the assets depend, and what backs the dollar.

They are measured by the laws of margin, claims, backing and stress, at the marks of the Book.
"""

from collections.abc import Callable, Iterable

from domain.backing import backing
from domain.claims import Claims, Party, claims_and_margins
from domain.controls.reading import Gauge, Look, Reading
from domain.controls.shares import all_told
from domain.limit import Control
from domain.margin import Margin
from domain.mode import GLOBAL
from domain.quantity import ZERO, Num
from domain.stress import stress


def _accounts(look: Look) -> tuple[Margin, ...]:
    return look.once("claims", lambda: claims_and_margins(look.book))[1]


def _claims(look: Look) -> Claims:
    return look.once("claims", lambda: claims_and_margins(look.book))[0]


def _of_account(of: Callable[[Margin], Num | None], *, unseen: Num | None) -> Gauge:
    """Measure each account of a venue; one that was never seen counts as `unseen` where margin is not looked at."""

    def gauge(look: Look, scope: str) -> Iterable[Reading]:
        policy = look.book.policy
        looks = policy is not None and policy.routing.margin_rate > 0
        for each in _accounts(look):
            venue = f"venue:{each.venue}"
            if scope not in {GLOBAL, venue}:
                continue
            if each.observed_at_us == 0 and not looks and not each.unknown:
                if unseen is not None:
                    yield Reading(venue, unseen)
            elif each.observed_at_us and not each.unknown and of(each) is None:
                continue  # nothing is held there
            else:
                yield Reading(venue, of(each))

    return gauge


def _unsettled(look: Look, scope: str) -> Iterable[Reading]:
    for claim in _claims(look).lines:
        venue = f"venue:{claim.id}"
        if claim.party is Party.VENUE and scope in {GLOBAL, venue}:
            yield Reading(venue, claim.unsettled)


def _share(party: Party) -> Gauge:
    """Measure each claim of a kind; of venues only once every account was told: before, the whole is not known."""

    def gauge(look: Look, scope: str) -> Iterable[Reading]:
        found, known = _claims(look), party is not Party.VENUE or all_told(look.book)
        for claim in found.lines:
            subject = f"{party.value}:{claim.id}"
            if claim.party is party and scope in {GLOBAL, subject}:
                yield Reading(subject, found.share_bps(claim) if known else None)

    return gauge


def _backing(look: Look, scope: str) -> Iterable[Reading]:
    """Measure the least ratio; what is missing counts as a part of no less than the floor: first dollars are few."""
    found = backing(look.book)
    if found.ratio is None and not found.unknown:
        return ()  # nothing was issued: there is nothing to back
    return (Reading(scope, found.held),)


def _stress(look: Look, scope: str) -> Iterable[Reading]:
    """Measure the worst stress against the reserve; without a reserve there is nothing to hold it against."""
    found = stress(look.book, _claims(look))
    if found.reserve <= 0 and not found.unknown:
        return ()
    return (Reading(scope, found.share_bps),)


STATES: dict[Control, Gauge] = {
    Control.BACKING_RATIO: _backing,
    Control.STRESS_LOSS: _stress,
    Control.MARGIN_RATIO: _of_account(lambda each: each.ratio, unseen=ZERO),
    Control.LIQUIDATION_DISTANCE: _of_account(lambda each: each.distance_bps, unseen=None),
    Control.LEVERAGE: _of_account(lambda each: each.leverage, unseen=ZERO),
    Control.VENUE_CONCENTRATION: _share(Party.VENUE),
    Control.CUSTODIAN_CONCENTRATION: _share(Party.CUSTODIAN),
    Control.STABLE_CONCENTRATION: _share(Party.STABLE),
    Control.UNSETTLED_PROFIT: _unsettled,
}
"""How each of these is measured."""
