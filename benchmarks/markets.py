"""Made-up stressed markets for the router: fixed by their number, the same on every machine.

Only `random.Random(number).random()` is drawn from, whose sequence Python guarantees. Published parameters, a market:

- one underlying (half of the markets), two (a third) or three, of BTC, ETH and SOL at 60,000, 2,500 and 140 USD, moved
  by up to 20 %; eight venues with three instruments each: a linear perpetual, an inverse perpetual, and a spot market
  (even venues) or a dated future (odd ones), of underlyings in turn;
- 200 levels a side; the gap from one to the next is one tick in 60 % of cases, otherwise up to 20 ticks; sizes are
  exponential around 20,000 USD a level (a tenth of that on thin venues) in whole lots;
- middles lie up to 8 bps off the reference, up to 80 on a dislocated venue, futures 150 at most above; spreads are up
  to 2 bps, 30 on a wide venue; taker fees are 2 to 6 bps, 10 on spot;
- funding is up to 0.01 % for eight hours either way, up to 0.3 % on a squeezed instrument; horizon eight hours;
- positions: none (40 %), or up to 400,000 USD either way, so that some legs reduce and others extend;
- rooms: wide (50 %) or so tight that they bind; penalty steps at 0.3, 1 and 3 million USD of gross of 1, 4 and 15 bps;
- each venue is thin, dislocated or wide with a chance of 20 % each, each instrument squeezed with 15 %; 3 % of books
  are crossed and 3 % have an empty side;
- targets: 5,000 to 20 million USD, evenly in the logarithm, bought or sold; lots are 0.001 BTC, 0.01 ETH, 0.1 SOL, on
  inverse contracts 1 USD (10 on odd venues); minimum notional 5 USD, 100 on every fourth venue.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from random import Random

import msgspec

from domain.depth import Level
from domain.quantity import ZERO, Num
from domain.routing.problem import Candidate, InstrumentKind, PenaltyStep, Problem, Target, VenueRoom

VENUES, INSTRUMENTS, LEVELS = 8, 3, 200
HORIZON_MS = 8 * 3_600_000
SIZE_USD_LEAST, SIZE_DECADES = 5_000, 3.602  # up to 20 million
DAY_MS = 86_400_000


class Coin(msgspec.Struct, frozen=True):
    """Hold what an underlying's instruments have in common."""

    name: str
    price: int
    tick: Decimal
    lot: Decimal


COINS = (
    Coin("BTC", 60_000, Decimal("0.1"), Decimal("0.001")),
    Coin("ETH", 2_500, Decimal("0.01"), Decimal("0.01")),
    Coin("SOL", 140, Decimal("0.001"), Decimal("0.1")),
)
STEPS = (
    PenaltyStep(Num(300_000), Num(1)),
    PenaltyStep(Num(1_000_000), Num(4)),
    PenaltyStep(Num(3_000_000), Num(15)),
)


class Chance:
    """Draw from one sequence of uniform numbers."""

    def __init__(self, number: int) -> None:
        """Begin a sequence by its number."""
        self._next = Random(number).random

    def between(self, low: float, high: float) -> float:
        """Return a number between two."""
        return low + (high - low) * self._next()

    def one_in(self, share: float) -> bool:
        """Say yes with a chance."""
        return self._next() < share

    def size(self, mean: float) -> float:
        """Return an exponential size: a sum of logarithms would need a library's function, halvings do not."""
        size, piece = 0.0, mean
        while self._next() < 0.5:
            size += piece * 0.7
        return size + piece * self._next()


def market(
    number: int, *, levels: int = LEVELS, underlyings: int | None = None, decades: float = SIZE_DECADES
) -> Problem:
    """Return the market of a number; `underlyings` fixes how many targets it has, `decades` how large they may be."""
    chance = Chance(number)
    drawn = chance.between(0, 6)
    count = underlyings or (1 if drawn < 3 else 2 if drawn < 5 else 3)
    first = int(chance.between(0, len(COINS)))
    coins = [COINS[(first + offset) % len(COINS)] for offset in range(count)]
    references = {coin.name: _rounded(coin.price * chance.between(0.8, 1.2), coin.tick) for coin in coins}
    venues: list[VenueRoom] = []
    candidates: list[Candidate] = []
    for venue in range(VENUES):
        made = [_instrument(chance, venue, place, coins[(venue + place) % count], references, levels)
                for place in range(INSTRUMENTS)]  # fmt: skip
        candidates += made
        gross = sum((abs(each.position) * references[each.underlying] for each in made), ZERO)
        room = chance.between(2e6, 2e7) if chance.one_in(0.5) else chance.between(1_000, 600_000)
        venues.append(
            VenueRoom(
                venue=f"v{venue}",
                account="hedge",
                notional=gross,
                notional_max=_rounded(room, Decimal(1)),
                steps=STEPS if chance.one_in(0.8) else (),
            )
        )
    return Problem(
        targets=tuple(_target(chance, coin, references[coin.name], decades) for coin in coins),
        candidates=tuple(candidates),
        venues=tuple(venues),
        horizon_ms=HORIZON_MS,
    )


def _target(chance: Chance, coin: Coin, reference: Num, decades: float) -> Target:
    usd = SIZE_USD_LEAST * 10 ** chance.between(0, decades)
    quantity = _rounded(usd / float(reference), coin.lot)
    return Target(underlying=coin.name, quantity=-quantity if chance.one_in(0.6) else quantity, reference_usd=reference)


def _instrument(
    chance: Chance, venue: int, place: int, coin: Coin, references: dict[str, Num], levels: int
) -> Candidate:
    last = InstrumentKind.FUTURE if venue % 2 else InstrumentKind.SPOT
    kind = (InstrumentKind.LINEAR, InstrumentKind.INVERSE, last)[place]
    reference = references[coin.name]
    # A venue is thin, dislocated or wide as a whole: drawn from its own number, not once an instrument.
    mood = Chance(1_000_003 * (venue + 1) + int(reference))
    thin, dislocated, wide = mood.one_in(0.2), mood.one_in(0.2), mood.one_in(0.2)
    off = chance.between(-80, 80) if dislocated else chance.between(-8, 8)
    if kind is InstrumentKind.FUTURE:
        off += chance.between(0, 150)
    middle = float(reference) * (1 + off / 10_000)
    half = middle * chance.between(0, 15 if wide else 1) / 10_000
    mean = (2_000 if thin else 20_000) / float(reference)
    broken = chance.between(0, 1)
    bids = _side(chance, coin, middle - half, mean, -levels)
    asks = _side(chance, coin, max(middle + half, float(bids[0].price) + float(coin.tick)), mean, levels)
    if broken < 0.03:
        bids, asks = asks, bids
    elif broken < 0.06:
        bids = ()
    inverse, squeezed = kind is InstrumentKind.INVERSE, chance.one_in(0.15)
    rate = chance.between(-3e-3, 3e-3) if squeezed else chance.between(-1e-4, 1e-4)
    held = 0.0 if chance.one_in(0.4) else chance.between(-400_000, 400_000) / float(reference)
    room = chance.between(1e6, 1e7) if chance.one_in(0.7) else chance.between(100, 300_000)
    lot = Decimal(10 if venue % 2 else 1) if inverse else coin.lot
    units = _rounded(room if inverse else room / float(reference), lot)
    return Candidate(
        venue=f"v{venue}",
        account="hedge",
        symbol=f"{coin.name}-{kind.value}",
        underlying=coin.name,
        kind=kind,
        lot=Num(lot),
        minimum_quantity=Num(lot),
        minimum_notional=Num(5 if venue % 4 else 100),
        bids=bids,
        asks=asks,
        usd_per_quote=Num(1) if inverse else _rounded(chance.between(0.999, 1.001), Decimal("0.00001")),
        taker_fee_bps=Num(10) if kind is InstrumentKind.SPOT else _rounded(chance.between(2, 6), Decimal("0.1")),
        room_buy=units,
        room_sell=units,
        funding_per_hour=_rounded(rate / 8, Decimal("1e-9")),
        expires_in_ms=int(chance.between(5, 180)) * DAY_MS if kind is InstrumentKind.FUTURE else 0,
        position=_rounded(held, coin.lot),
    )


def _side(chance: Chance, coin: Coin, price: float, mean: float, levels: int) -> tuple[Level, ...]:
    """Return levels away from a price: upwards, or downwards where `levels` is negative."""
    way = 1 if levels > 0 else -1
    ticks = int(price / float(coin.tick))
    made: list[Level] = []
    for _ in range(abs(levels)):
        lots = 1 + int(chance.size(mean) / float(coin.lot))
        made.append(Level(Num(coin.tick * ticks), Num(coin.lot * lots)))
        ticks += way * (1 if chance.one_in(0.6) else int(chance.between(2, 20)))
    return tuple(made)


def _rounded(value: float, step: Decimal) -> Num:
    return Num((Decimal(value) / step).to_integral_value(rounding=ROUND_HALF_EVEN) * step)
