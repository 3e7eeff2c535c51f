"""Recorded books as markets for the router: Binance's USD-M, COIN-M and spot books of ETH in the same six minutes.

Fees are Binance's published ones without discount (5, 5 and 10 bps); funding is one basis point for eight hours, the
horizon eight hours, the reference the spot market's middle. Spot is only bought: there is nothing to sell.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from adapters.exchange.feeds.dialect import Dialect
from benchmarks.feeds_recorded import AT_US, SHARED, Recording, recording, started
from domain.depth import Level
from domain.quantity import ZERO, Num, divide
from domain.routing.problem import Candidate, InstrumentKind, PenaltyStep, Problem, Target, VenueRoom

FOLDER = SHARED / "data/binance"
FILES = {
    "usdm_ethusdt_20240808.gz": (InstrumentKind.LINEAR, "0.001", "5"),
    "coinm_ethusd_perp_20240808.gz": (InstrumentKind.INVERSE, "10", "5"),
    "spot_ethusdt_20240808.gz": (InstrumentKind.SPOT, "0.0001", "10"),
}
EVERY_MS = 10_000
SIZES_USD = (10_000, 100_000, 1_000_000, 4_000_000)
LEVELS_MAX = 200
FUNDING_PER_HOUR = Num("0.0000125")
HORIZON_MS = 8 * 3_600_000
STEPS = (PenaltyStep(Num(500_000), Num(1)), PenaltyStep(Num(2_000_000), Num(4)))


class Sides(msgspec.Struct, frozen=True):
    """Hold a book's levels, best first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


def recorded_books(folder: Path = FOLDER) -> list[dict[str, Sides]]:
    """Return the books of every recording there is, every ten seconds; empty where a recording is missing."""
    if not all((folder / name).exists() for name in FILES):
        return []
    shown = {name: dict(_every(recording(folder / name))) for name in FILES}
    times = sorted(set.intersection(*(set(books) for books in shown.values())))
    return [{name: shown[name][time] for name in FILES} for time in times]


def _every(recorded: Recording) -> Iterator[tuple[int, Sides]]:
    dialect = recorded.dialect()
    symbol, inverse = recorded.listing.symbol, recorded.listing.kind == "inverse"
    due = 0
    for diff in started(recorded, dialect):
        at_ms = int(msgspec.json.decode(diff)["E"])
        if at_ms >= due:
            if due and (sides := _sides(dialect, symbol, inverse=inverse)) is not None:
                yield due // EVERY_MS, sides
            due = (at_ms // EVERY_MS + 1) * EVERY_MS
        dialect.receive(diff, AT_US)


def _sides(dialect: Dialect, symbol: str, *, inverse: bool) -> Sides | None:
    """Return a book's levels in base units: an inverse contract's are told in quote units."""
    book = dialect.book(symbol)
    bids, asks = (
        tuple(
            Level(Num(price), divide(quantity, price) if inverse else Num(quantity))
            for price, quantity in side[:LEVELS_MAX]
        )
        for side in (book.bids, book.asks)
    )
    return Sides(bids, asks) if bids and asks and bids[0].price < asks[0].price else None


def problems(books: list[dict[str, Sides]]) -> Iterator[Problem]:
    """Return a purchase and a sale of each size on each set of books."""
    for shown in books:
        spot = shown["spot_ethusdt_20240808.gz"]
        reference = divide(spot.bids[0].price + spot.asks[0].price, Num(2))
        for size in SIZES_USD:
            quantity = Num((Num(size) / reference).quantize(Num("0.001")))
            for signed in (quantity, -quantity):
                yield Problem(
                    targets=(Target(underlying="ETH", quantity=signed, reference_usd=reference),),
                    candidates=tuple(_candidate(name, sides) for name, sides in shown.items()),
                    venues=tuple(_room(name) for name in shown),
                    horizon_ms=HORIZON_MS,
                )


def _candidate(name: str, sides: Sides) -> Candidate:
    kind, lot, fee = FILES[name]
    plenty, perpetual = Num(10**9), kind is not InstrumentKind.SPOT
    return Candidate(
        venue=name.partition("_")[0],
        account="hedge",
        symbol="ETH",
        underlying="ETH",
        kind=kind,
        lot=Num(lot),
        minimum_quantity=Num(lot),
        minimum_notional=Num(5),
        bids=sides.bids,
        asks=sides.asks,
        usd_per_quote=Num(1),
        taker_fee_bps=Num(fee),
        room_buy=plenty,
        room_sell=plenty if perpetual else ZERO,
        funding_per_hour=FUNDING_PER_HOUR if perpetual else ZERO,
    )


def _room(name: str) -> VenueRoom:
    return VenueRoom(venue=name.partition("_")[0], account="hedge", notional=ZERO, notional_max=Num(10**9), steps=STEPS)
