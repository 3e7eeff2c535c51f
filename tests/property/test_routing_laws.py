"""Laws of the router on any market: it takes nothing that is not there, beats no bound, and depends on no order."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.codec import encode
from domain.depth import Level
from domain.quantity import Num
from domain.routing.problem import Candidate, InstrumentKind, PenaltyStep, Problem, Routed, Target, VenueRoom
from domain.routing.proving import total
from domain.routing.router import route

COINS = {"BTC": Decimal(1000), "ETH": Decimal(100)}
VENUES = ("a", "b", "c")
CENT, MILLI, DUST = Decimal("0.01"), Decimal("0.001"), Decimal("1e-12")

cents = st.integers(1, 400)


@st.composite
def sides(draw: st.DrawFn, start: int, way: int) -> tuple[Level, ...]:
    gaps = draw(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 3000)), min_size=1, max_size=6))
    made: list[Level] = []
    price = start
    for gap, size in gaps:
        made.append(Level(Num(CENT * price), Num(MILLI * size)))
        price += way * (gap + 1)
    return tuple(made)


@st.composite
def candidates(draw: st.DrawFn, venue: str, name: str, underlying: str) -> Candidate:
    middle = int(COINS[underlying] * 100) + draw(st.integers(-150, 150))
    half = draw(st.integers(1, 60))
    bids, asks = draw(sides(middle - half, -1)), draw(sides(middle + half, 1))
    if draw(st.integers(0, 19)) == 0:
        bids, asks = draw(st.sampled_from([(asks, bids), ((), asks), (bids, ())]))
    kind = draw(st.sampled_from(list(InstrumentKind)))
    inverse = kind is InstrumentKind.INVERSE
    lot = Num(draw(st.sampled_from(["1", "10"] if inverse else ["0.001", "0.01", "0.1"])))
    return Candidate(
        venue=venue,
        account="hedge",
        symbol=name,
        underlying=underlying,
        kind=kind,
        lot=lot,
        minimum_quantity=Num(lot * draw(st.integers(1, 3))),
        minimum_notional=Num(draw(st.sampled_from([0, 0, 5, 50]))),
        bids=bids,
        asks=asks,
        usd_per_quote=Num(draw(st.sampled_from(["1", "0.999", "1.002"]))),
        taker_fee_bps=Num(draw(st.integers(0, 10))),
        room_buy=Num(lot * draw(st.integers(0, 5000))),
        room_sell=Num(lot * draw(st.integers(0, 5000))),
        funding_per_hour=Num(draw(st.integers(-5, 5)) * Decimal("0.0001")),
        expires_in_ms=draw(st.sampled_from([0, 3_600_000, 10**9])) if kind is InstrumentKind.FUTURE else 0,
        position=Num(MILLI * draw(st.one_of(st.just(0), st.integers(-3000, 3000)))),
    )


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    wanted = draw(st.lists(st.sampled_from(sorted(COINS)), min_size=1, max_size=2, unique=True))
    made = [
        draw(candidates(venue, f"{underlying}-{number}", underlying))
        for venue in VENUES
        for number, underlying in enumerate(draw(st.lists(st.sampled_from(wanted), max_size=3)))
    ]
    rooms: list[VenueRoom] = []
    for venue in VENUES:
        gross = sum((abs(each.position) * COINS[each.underlying] for each in made if each.venue == venue), Decimal(0))
        starts = sorted(draw(st.lists(st.integers(0, 3000), max_size=3, unique=True)))
        fines = sorted(draw(st.lists(st.integers(0, 300), min_size=len(starts), max_size=len(starts))))
        rooms.append(
            VenueRoom(
                venue=venue,
                account="hedge",
                notional=Num(gross),
                notional_max=Num(draw(st.sampled_from([0, 50, 500, 10**6]))),
                steps=tuple(PenaltyStep(Num(a), Num(b)) for a, b in zip(starts, fines, strict=True)),
            )
        )
    targets = tuple(
        Target(underlying=name, quantity=Num(MILLI * draw(st.integers(-9000, 9000))), reference_usd=Num(COINS[name]))
        for name in wanted
    )
    return Problem(
        targets=targets, candidates=tuple(made), venues=tuple(rooms), horizon_ms=draw(st.integers(0, 48)) * 3_600_000
    )


def traded(problem: Problem, routed: Routed) -> list[tuple[Candidate, Decimal, Decimal]]:
    """Return each leg's candidate, its quantity in units and its base, both without sign."""
    by_name = {(each.venue, each.symbol): each for each in problem.candidates}
    return [(by_name[leg.venue, leg.symbol], abs(leg.quantity), abs(leg.base)) for leg in routed.legs]


@given(problems())
@settings(max_examples=80, deadline=None)
def test_legs_and_what_is_left_add_up_to_the_target(problem: Problem):
    routed = route(problem)
    for target in problem.targets:
        base = sum((leg.base for leg in routed.legs if leg.underlying == target.underlying), Decimal(0))
        left = routed.left(target.underlying)
        assert abs(base + left - target.quantity) <= DUST
        assert left == 0 or (left > 0) is (target.quantity > 0)
        assert all(
            (leg.quantity > 0) is (target.quantity > 0) for leg in routed.legs if leg.underlying == target.underlying
        )


@given(problems())
@settings(max_examples=80, deadline=None)
def test_orders_are_whole_lots_not_below_a_minimum_and_within_the_rooms(problem: Problem):
    routed = route(problem)
    wanted = {target.underlying: target for target in problem.targets}
    gross = {room.venue: Decimal(0) for room in problem.venues}
    for candidate, units, base in traded(problem, routed):
        target = wanted[candidate.underlying]
        buying = target.quantity > 0
        assert units % candidate.lot == 0
        assert units >= candidate.minimum_quantity
        assert (
            units * (1 if candidate.kind is InstrumentKind.INVERSE else candidate.bids[0].price)
            >= candidate.minimum_notional
        )
        assert units <= (candidate.room_buy if buying else candidate.room_sell)
        held = candidate.position
        after = held + base * (1 if buying else -1)
        gross[candidate.venue] += (abs(after) - abs(held)) * target.reference_usd
    for room in problem.venues:
        assert gross[room.venue] <= room.notional_max + CENT * CENT


@given(problems())
@settings(max_examples=80, deadline=None)
def test_only_levels_of_a_sound_book_are_taken(problem: Problem):
    for candidate, units, base in traded(problem, route(problem)):
        bids, asks = candidate.bids, candidate.asks
        assert bids
        assert asks
        assert bids[0].price < asks[0].price
        buying = next(t.quantity > 0 for t in problem.targets if t.underlying == candidate.underlying)
        side = asks if buying else bids
        assert base <= sum((level.quantity for level in side), Decimal(0)) + DUST
        if candidate.kind is InstrumentKind.INVERSE:
            assert units <= sum((level.quantity * level.price for level in side), Decimal(0)) + DUST
        else:
            assert units == base


@given(problems())
@settings(max_examples=80, deadline=None)
def test_no_choice_beats_the_bound(problem: Problem):
    certificate = route(problem).certificate
    assert certificate.gap_usd >= 0
    assert certificate.cost_usd == sum((total(leg.cost) for leg in certificate.legs), Decimal(0))
    assert certificate.lot_usd >= 0


@given(problems(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_a_problem_is_given_does_not_matter(problem: Problem, chance: object):
    shuffled: dict[str, list[object]] = {}
    for name in ("targets", "candidates", "venues"):
        shuffled[name] = list(getattr(problem, name))
        chance.shuffle(shuffled[name])  # type: ignore[attr-defined] - hypothesis' own random
    other = msgspec.structs.replace(problem, **{name: tuple(each) for name, each in shuffled.items()})
    assert encode(route(other)) == encode(route(problem)) == encode(route(problem))


@given(problems())
@settings(max_examples=80, deadline=None)
def test_one_venue_more_never_costs_more_than_a_lot(problem: Problem):
    """What is left counts too, so that only problems routed in full both times are compared."""
    less = msgspec.structs.replace(
        problem, candidates=tuple(each for each in problem.candidates if each.venue != VENUES[-1])
    )
    with_all, without = route(problem).certificate, route(less).certificate
    if not with_all.unrouted and not without.unrouted:
        assert with_all.bound_usd <= without.cost_usd
        assert with_all.cost_usd - with_all.gap_usd <= without.cost_usd


@given(problems())
@settings(max_examples=80, deadline=None)
def test_nothing_that_would_fit_is_left(problem: Problem):
    """A lot that fits the target, its book, its room and its venue's is always taken."""
    routed = route(problem)
    taken = {(candidate.venue, candidate.symbol): (units, base) for candidate, units, base in traded(problem, routed)}
    steep = {room.venue for room in problem.venues if room.notional_max < 10**6}
    for candidate in problem.candidates:
        target = next(each for each in problem.targets if each.underlying == candidate.underlying)
        bids, asks = candidate.bids, candidate.asks
        if candidate.venue in steep or not bids or not asks or bids[0].price >= asks[0].price:
            continue
        buying = target.quantity > 0
        side = asks if buying else bids
        units, _ = taken.get((candidate.venue, candidate.symbol), (Decimal(0), Decimal(0)))
        least = max(candidate.lot, candidate.minimum_quantity - units)
        if candidate.kind is InstrumentKind.INVERSE or units == 0:
            continue  # their next lot's base, or their minimum, is not so simply told
        fits = units + least <= (candidate.room_buy if buying else candidate.room_sell)
        fits = fits and units + least <= sum((level.quantity for level in side), Decimal(0))
        assert not fits or abs(routed.left(candidate.underlying)) < least
