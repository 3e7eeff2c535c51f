"""Exposure: what could be lost to whom, as intervals: by underlying, venue, custodian, stable and in all.

Read off the domain's own Book: deltas in units of the underlying, claims in USD.
"""

from typing import Any

import msgspec

from domain import exposure as law
from domain.book import Book
from domain.claims import Claim, Claims, Party, claims
from domain.exposure import underlyings
from domain.instant import rfc3339
from domain.limit import Control
from domain.mode import GLOBAL
from domain.quantity import BPS, ZERO, Num, divide, multiply
from domain.worth import NOTHING
from projections.booked import SEEN, Booked
from projections.figures import BPS_STEP, DOWN, UP, ends, figure, money
from projections.view import Row, View

__all__ = ["EXPOSURE", "ExposureLine", "Exposures", "line", "underlyings"]

UNDERLYING = "underlying"
TOTAL = Party.TOTAL.value
CONCENTRATION = {
    Party.VENUE: Control.VENUE_CONCENTRATION,
    Party.CUSTODIAN: Control.CUSTODIAN_CONCENTRATION,
    Party.STABLE: Control.STABLE_CONCENTRATION,
}


class ExposureLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an exposure: `kind` is underlying, venue, custodian, stable or total, `unit` base units or USD.

    Of an underlying: backing plus positions for certain, and the interval of what may be true; `beside` is the delta of
    contracts that nothing is hedged on. Of whoever owes or keeps something for us: what that is worth; backing,
    position, carry and beside are zero there, `unsettled` is profit not paid out, `sensitivity` what a stable's fall to
    nothing would take, `share_bps` the part of all assets. `worst` is the greatest absolute value in the interval.
    `limit` and `within` are None when no limit is set, a value is None where something has no price.
    """

    kind: str
    scope: str
    unit: str
    underlying: str
    backing: Num
    position: Num
    certain: Num | None
    low: Num | None
    high: Num | None
    worst: Num | None
    carry: Num
    beside: Num
    unsettled: Num | None
    sensitivity: Num | None
    share_bps: Num | None
    limit: Num | None
    within: bool | None
    updated_at: str


class Exposures(Booked[ExposureLine]):
    """Hold the lines of exposure."""


def line(book: Book, underlying: str, at_us: int) -> ExposureLine:
    """Return the line of one underlying."""
    here = law.exposure(book, underlying)
    limit = book.limit(Control.NET_DELTA, f"asset:{underlying}")
    worst = here.interval.worst
    return ExposureLine(
        kind=UNDERLYING,
        scope=f"asset:{underlying}",
        unit=underlying,
        underlying=underlying,
        backing=here.backing,
        position=here.position,
        certain=here.certain,
        low=here.interval.low,
        high=here.interval.high,
        worst=worst,
        carry=here.carry,
        beside=here.beside,
        unsettled=None,
        sensitivity=None,
        share_bps=None,
        limit=None if limit is None else limit.value,
        within=None if limit is None else worst <= limit.value,
        updated_at=rfc3339(at_us),
    )


def _claim(book: Book, found: Claims, party: Party, name: str, at_us: int) -> ExposureLine:
    """Return the line of whoever owes or keeps something; nothing, where nothing is known of him."""
    claim = found.total if party is Party.TOTAL else found.get(party, name) or _nothing(party, name)
    share = None if party is Party.TOTAL else found.share_bps(claim)
    limit = _limit_usd(book, found, party, name)
    worst = None if claim.value is None else claim.value.worst
    low, high = ends(claim.value)
    return ExposureLine(
        kind=party.value,
        scope=GLOBAL if party is Party.TOTAL else f"{party.value}:{name}",
        unit="USD",
        underlying="",
        backing=ZERO,
        position=ZERO,
        certain=money(claim.certain, DOWN),
        low=low,
        high=high,
        worst=money(worst),
        carry=ZERO,
        beside=ZERO,
        unsettled=money(claim.unsettled),
        sensitivity=None if claim.sensitivity is None else money(claim.sensitivity.worst),
        share_bps=figure(share, BPS_STEP, UP),
        limit=money(limit, DOWN),
        within=None if limit is None or worst is None else worst <= limit,
        updated_at=rfc3339(at_us),
    )


def _nothing(party: Party, name: str) -> Claim:
    return Claim(party=party, id=name, value=NOTHING, certain=ZERO, unsettled=ZERO, sensitivity=None)


def _limit_usd(book: Book, found: Claims, party: Party, name: str) -> Num | None:
    """Return a bound of concentration in USD: that part of all assets which the strictest limit allows."""
    if party is Party.TOTAL or found.total.value is None:
        return None
    control = CONCENTRATION[party]
    limits = (book.limit(control), book.limit(control, f"{party.value}:{name}"))
    shares = [limit.value for limit in limits if limit is not None]
    whole = max(found.total.value.low, found.floor)
    return divide(multiply(min(shares), whole), BPS) if shares else None


def _lines(state: Exposures) -> tuple[Row[Any], ...]:
    seen, book = state.seen, state.book
    rows: tuple[Row[Any], ...] = ()
    for underlying, since in seen.underlyings.items():
        rows += state.show(underlying, line(book, underlying, seen.moved_us), sort=since)
    found = claims(book)
    parties = (
        (Party.VENUE, seen.venues),
        (Party.CUSTODIAN, seen.custodians),
        (Party.STABLE, seen.stables),
    )
    for party, names in parties:
        for name, since in names.items():
            rows += state.show(f"{party.value}:{name}", _claim(book, found, party, name, seen.moved_us), sort=since)
    if book.policy is not None:
        total = _claim(book, found, Party.TOTAL, "", seen.moved_us)
        rows += state.show(TOTAL, total, sort=seen.adopted_position)
    return rows


EXPOSURE = View(
    name="exposure",
    document=ExposureLine,
    state=Exposures,
    steps={},
    lookups=frozenset({"kind"}),
    render=_lines,
    shared=SEEN,
)
