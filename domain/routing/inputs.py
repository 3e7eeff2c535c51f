"""What a router is asked for a book: from the ways that are open now, the policy's terms, and what is held already."""

import msgspec

from domain.account import AccountObserved, account_key
from domain.book import Book
from domain.carry import Forecast, MarkEvidence, find_mark, funding_forecast
from domain.consolidated import reach
from domain.instant import MILLISECOND_US
from domain.listing import listing_key
from domain.quantity import ZERO, Num, add, multiply, subtract
from domain.room import Rooms, holding, instrument_room, rank
from domain.routing.certificate import Excluded
from domain.routing.problem import Candidate, InstrumentKind, PenaltyStep, Problem, Target, VenueRoom
from domain.routing.terms import Routing
from domain.ways import Way, Ways


class Asked(msgspec.Struct, frozen=True, gc=False):
    """Ask for a signed base quantity over the ways of an underlying."""

    ways: Ways
    quantity: Num


def problem(book: Book, asked: tuple[Asked, ...], marks: tuple[MarkEvidence, ...], at_us: int) -> Problem:
    """Return the router's problem: candidates with their room and funding, and the room of their venue accounts.

    Levels beyond what an order may trade at are left out. What is held at venues that are closed now counts towards
    all gross notional, of which concentration is a share. Funding that is not believed counts adverse, and is named.
    """
    routing = book.policy.routing if book.policy is not None else Routing()
    everything = tuple(way for each in asked for way in each.ways.open)
    candidates: list[Candidate] = []
    doubts: list[Excluded] = []
    for each in asked:
        for way in each.ways.open:
            forecast = _forecast(book, routing, way, marks, at_us, sell=each.quantity < 0)
            candidates.append(_candidate(book, way, forecast.per_hour, at_us))
            if forecast.doubt:
                instrument = way.instrument
                reason = f"funding counts adverse: {forecast.doubt}"
                doubts.append(Excluded(venue=instrument.venue, symbol=instrument.symbol, reason=reason))
    return Problem(
        targets=tuple(
            Target(underlying=each.ways.underlying, quantity=each.quantity, reference_usd=each.ways.reference_usd)
            for each in asked
        ),
        candidates=tuple(candidates),
        venues=_rooms(book, routing, asked, everything),
        horizon_ms=routing.horizon_ms,
        excluded=tuple(item for each in asked for item in each.ways.excluded),
        doubts=tuple(doubts),
    )


def from_flat(asked: Problem) -> Problem:
    """Return a problem as it would be if nothing of its candidates were held: what the ideal book is routed from."""
    prices = {target.underlying: target.reference_usd for target in asked.targets}
    freed: dict[tuple[str, str], Num] = {}
    for each in asked.candidates:
        account = (each.venue, each.account)
        held = multiply(abs(each.position), prices[each.underlying])
        freed[account] = add(freed.get(account, ZERO), held)
    venues = tuple(
        msgspec.structs.replace(
            room,
            notional=max(subtract(room.notional, freed.get((room.venue, room.account), ZERO)), ZERO),
            notional_max=add(room.notional_max, freed.get((room.venue, room.account), ZERO)),
        )
        for room in asked.venues
    )
    candidates = tuple(msgspec.structs.replace(each, position=ZERO) for each in asked.candidates)
    return msgspec.structs.replace(asked, candidates=candidates, venues=venues)


def _candidate(book: Book, way: Way, funding_per_hour: Num, at_us: int) -> Candidate:
    instrument = way.instrument
    return Candidate(
        venue=instrument.venue,
        account=instrument.account,
        symbol=instrument.symbol,
        underlying=instrument.base,
        kind=_kind(book, way),
        lot=instrument.lot,
        minimum_quantity=instrument.minimum_quantity,
        minimum_notional=instrument.minimum_notional,
        bids=reach(book, way, sell=True),
        asks=reach(book, way, sell=False),
        usd_per_quote=way.stable.mid,
        taker_fee_bps=instrument.taker_fee_bps,
        room_buy=instrument_room(book, way, sell=False),
        room_sell=instrument_room(book, way, sell=True),
        funding_per_hour=funding_per_hour,
        expires_in_ms=_expires_in_ms(book, way, at_us),
        position=holding(book, instrument).position,
    )


def _kind(book: Book, way: Way) -> InstrumentKind:
    """Return how an instrument turns quantity into delta: what is linear and expires is a dated future."""
    kind = InstrumentKind(way.instrument.kind)
    return InstrumentKind.FUTURE if kind is InstrumentKind.LINEAR and _expiry_us(book, way) else kind


def _expiry_us(book: Book, way: Way) -> int:
    listed = book.outside.listings.get(listing_key(way.instrument.venue, way.instrument.symbol))
    return listed.expiry_us if listed is not None else 0


def _forecast(
    book: Book, routing: Routing, way: Way, marks: tuple[MarkEvidence, ...], at_us: int, *, sell: bool
) -> Forecast:
    """Return what a perpetual's funding is expected to be; nothing else is funded."""
    instrument = way.instrument
    if _kind(book, way) in {InstrumentKind.SPOT, InstrumentKind.FUTURE}:
        return Forecast(per_hour=ZERO)
    mark = find_mark(marks, instrument.venue, instrument.symbol)
    return funding_forecast(mark, routing.funding, now_us=at_us, horizon_ms=routing.horizon_ms, sell=sell)


def _expires_in_ms(book: Book, way: Way, at_us: int) -> int:
    expiry_us = _expiry_us(book, way)
    return max((expiry_us - at_us) // MILLISECOND_US, 1) if expiry_us else 0


def _rooms(
    book: Book, routing: Routing, asked: tuple[Asked, ...], everything: tuple[Way, ...]
) -> tuple[VenueRoom, ...]:
    accounts = {(way.instrument.venue, way.instrument.account): way for way in reversed(everything)}
    everywhere = {(each.venue, each.account) for each in (book.policy.instruments if book.policy is not None else ())}
    rooms, total = Rooms(book, everything), ZERO
    for account in sorted(everywhere):
        total = add(total, rooms.gross(*account))
    for each in asked:
        total = add(total, multiply(abs(each.quantity), each.ways.reference_usd))
    return tuple(
        VenueRoom(
            venue=venue,
            account=account,
            notional=rooms.gross(venue, account),
            notional_max=rooms.notional(way),
            steps=_steps(book, routing, (venue, account), total),
        )
        for (venue, account), way in sorted(accounts.items())
    )


def _steps(book: Book, routing: Routing, account: tuple[str, str], total: Num) -> tuple[PenaltyStep, ...]:
    """Return the marginal penalties of an account: what its rank costs at any size, and concentration above it."""
    ranked = _ranked(routing, book.outside.accounts.get(account_key(*account)))
    steps = {ZERO: ranked} if ranked > 0 else {}
    steps |= {multiply(each.share, total): add(each.bps, ranked) for each in routing.concentration}
    return tuple(PenaltyStep(start, bps) for start, bps in steps.items())


def _ranked(routing: Routing, seen: AccountObserved | None) -> Num:
    """Return what the worst rank for auto-deleveraging on an account is taken to be worth, bps."""
    if seen is None or not routing.ranks:
        return ZERO
    margin = ZERO
    for balance in seen.balances:
        margin = max(margin, balance.margin)
    worst = max((rank(held, margin) for held in seen.positions), default=ZERO)
    return max((each.bps for each in routing.ranks if worst >= each.rank), default=ZERO)
