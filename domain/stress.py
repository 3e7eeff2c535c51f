"""Stress: what the worst that has happened to others would cost us, each by itself, held against the reserve.

A venue is lost while what it owes is at the worst of its marks, and what was hedged there is traded elsewhere. A stable
falls, and all that is held in it, and the entry value of shorts that are paid in it, fall with it. The price leaps by a
quarter while everything open is at its worst corner. Funding stands against what is held for a whole year.
"""

from collections.abc import Iterator

import msgspec

from domain.claims import Claims, Party, claims, stables
from domain.evacuation import Evacuation, evacuations
from domain.exposure import exposure, underlyings
from domain.holdings import accounts, kept
from domain.quantity import BPS, ZERO, Num, add, divide, multiply, subtract
from domain.risk_terms import Risk
from domain.state import Book
from domain.worth import worth

VENUE, STABLE, PRICE_DOWN, PRICE_UP, FUNDING = "venue", "stable", "price_down", "price_up", "funding"


class Scenario(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tell what one event would cost, USD, at least nothing; None: it has no price. `id` is whom it befalls."""

    kind: str
    id: str
    loss: Num | None
    text: str


class Stress(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold every scenario, the worst of those that are known, and which part of the reserve it takes, bps.

    `share_bps` is None where no reserve is set, or nothing is known; `unknown` names what has no loss.
    """

    scenarios: tuple[Scenario, ...]
    worst: Scenario | None
    reserve: Num
    share_bps: Num | None
    unknown: tuple[str, ...] = ()


def stress(book: Book, owed: Claims | None = None) -> Stress:
    """Return what each scenario would cost; `owed` are the Book's claims, where they are known already."""
    policy = book.policy
    if policy is None:
        return Stress(scenarios=(), worst=None, reserve=ZERO, share_bps=None)
    terms = policy.risk
    owed = claims(book) if owed is None else owed
    found = (
        *_venues(owed, evacuations(book), terms),
        *_stables(owed, terms),
        *_prices(book, terms),
        _funding(book, terms),
    )
    known = [each for each in found if each.loss is not None]
    unknown = tuple(f"{each.kind} {each.id}".rstrip() for each in found if each.loss is None)
    worst = max(known, key=lambda each: each.loss or ZERO, default=None)
    share = None
    if worst is not None and worst.loss is not None and terms.reserve > ZERO and not unknown:
        share = divide(multiply(worst.loss, BPS), terms.reserve)
    return Stress(scenarios=found, worst=worst, reserve=terms.reserve, share_bps=share, unknown=unknown)


def _venues(owed: Claims, moves: tuple[Evacuation, ...], terms: Risk) -> Iterator[Scenario]:
    """Return the loss of each venue: what it owes but does not give back, and trading its hedges elsewhere."""
    lost = subtract(Num(1), terms.venue_recovery)
    for claim in owed.lines:
        if claim.party is not Party.VENUE:
            continue
        loss = None if claim.value is None else multiply(max(claim.value.high, ZERO), lost)
        for move in moves:
            if move.venue == claim.id:
                again = move.rehedge_cost
                loss = None if loss is None or again is None else add(loss, again)
        text = f"{claim.id} is lost and gives back {terms.venue_recovery} of what it owes"
        yield Scenario(kind=VENUE, id=claim.id, loss=loss, text=text)


def _stables(owed: Claims, terms: Risk) -> Iterator[Scenario]:
    own = {each.asset: each.bps for each in terms.stable_discounts}
    for claim in owed.lines:
        if claim.party is Party.STABLE:
            bps = own.get(claim.id, terms.stable_discount_bps)
            loss = None
            if claim.sensitivity is not None:
                loss = divide(multiply(max(claim.sensitivity.high, ZERO), bps), BPS)
            yield Scenario(kind=STABLE, id=claim.id, loss=loss, text=f"{claim.id} falls by {bps} bps")


def _prices(book: Book, terms: Risk) -> Iterator[Scenario]:
    paid = set(stables(book.policy)) if book.policy is not None else set[str]()
    for underlying in underlyings(book):
        if underlying in paid:
            continue  # it falls by its own discount
        interval = exposure(book, underlying).interval
        unit = worth(book, underlying)
        for kind, open_delta, way in ((PRICE_DOWN, interval.high, "falls"), (PRICE_UP, -interval.low, "rises")):
            exposed = max(open_delta, ZERO)
            loss: Num | None = ZERO
            if exposed:
                loss = None if unit is None else _moved(exposed, unit.high, terms)
            yield Scenario(
                kind=kind, id=underlying, loss=loss, text=f"{underlying} {way} by {terms.price_shock_bps} bps"
            )


def _moved(units: Num, price: Num, terms: Risk) -> Num:
    return divide(multiply(multiply(units, price), terms.price_shock_bps), BPS)


def _funding(book: Book, terms: Risk) -> Scenario:
    """Return a year of funding against the greater side, all that may be held there counted."""
    shorts: Num | None = ZERO
    longs: Num = ZERO
    for venue, account in accounts(book):
        for each in kept(book, venue, account):
            if not each.most:
                continue
            if each.prices is None or each.paid is None:
                shorts = None
                continue
            if shorts is not None and each.quantity <= ZERO:
                shorts = add(shorts, each.notional(each.most))
            else:
                longs = add(longs, each.notional(each.most))
    loss = None if shorts is None else multiply(max(shorts, longs), terms.funding_worst_per_year)
    text = f"funding of {terms.funding_worst_per_year} a year is paid on all that is held"
    return Scenario(kind=FUNDING, id="", loss=loss, text=text)
