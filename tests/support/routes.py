"""Problems for the router, short to write: one venue account each, books from `price x quantity` texts."""

from collections.abc import Sequence

from domain.depth import Level
from domain.quantity import Num
from domain.routing.problem import Candidate, InstrumentKind, PenaltyStep, Problem, Target, VenueRoom

HOUR_MS = 3_600_000


def levels(text: str) -> tuple[Level, ...]:
    """Read `"100x2 101x3"`."""
    pairs = (each.split("x") for each in text.split())
    return tuple(Level(Num(price), Num(quantity)) for price, quantity in pairs)


def candidate(
    venue: str,
    *,
    bids: str = "99x10",
    asks: str = "101x10",
    symbol: str = "ETH",
    underlying: str = "ETH",
    kind: InstrumentKind = InstrumentKind.LINEAR,
    lot: str = "0.1",
    minimum: str = "0",
    notional: str = "0",
    fee: str = "0",
    room: str = "1000000",
    funding: str = "0",
    position: str = "0",
    rate: str = "1",
    expires_in_ms: int = 0,
) -> Candidate:
    """Return an instrument with one book."""
    return Candidate(
        venue=venue,
        account="hedge",
        symbol=symbol,
        underlying=underlying,
        kind=kind,
        lot=Num(lot),
        minimum_quantity=Num(minimum),
        minimum_notional=Num(notional),
        bids=levels(bids),
        asks=levels(asks),
        usd_per_quote=Num(rate),
        taker_fee_bps=Num(fee),
        room_buy=Num(room),
        room_sell=Num(room),
        funding_per_hour=Num(funding),
        expires_in_ms=expires_in_ms,
        position=Num(position),
    )


def room(venue: str, *, notional: str = "0", most: str = "1000000", steps: Sequence[tuple[str, str]] = ()) -> VenueRoom:
    """Return a venue's room; `steps` are (from USD, bps)."""
    return VenueRoom(
        venue=venue,
        account="hedge",
        notional=Num(notional),
        notional_max=Num(most),
        steps=tuple(PenaltyStep(Num(start), Num(bps)) for start, bps in steps),
    )


def problem(
    candidates: Sequence[Candidate],
    quantity: str,
    *,
    rooms: Sequence[VenueRoom] | None = None,
    reference: str = "100",
    hours: int = 0,
    underlying: str = "ETH",
) -> Problem:
    """Return a problem of one target; every venue has plenty of room unless told otherwise."""
    names = dict.fromkeys(each.venue for each in candidates)
    return Problem(
        targets=(Target(underlying=underlying, quantity=Num(quantity), reference_usd=Num(reference)),),
        candidates=tuple(candidates),
        venues=tuple(rooms if rooms is not None else (room(name) for name in names)),
        horizon_ms=hours * HOUR_MS,
    )
