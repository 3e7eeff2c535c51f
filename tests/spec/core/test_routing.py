"""The router on markets small enough to be reckoned by hand."""

from decimal import Decimal

import msgspec
import pytest

from domain.codec import decoder, encode
from domain.quantity import Num
from domain.routing.certificate import Certificate, CostSplit, RoutedLeg
from domain.routing.merge import merge
from domain.routing.problem import Candidate, InstrumentKind, Problem, Routed, Target
from domain.routing.proving import total
from domain.routing.router import reasons_of, route, set_up
from tests.support.routes import HOUR_MS, candidate, problem, room

DAY_HOURS = 24


def legs(routed: Routed) -> dict[str, str]:
    return {leg.venue: str(leg.quantity) for leg in routed.legs}


def only(routed: Routed) -> RoutedLeg:
    (leg,) = routed.legs
    return leg


def test_levels_of_two_books_are_merged_by_price():
    a = candidate("a", asks="101x1 103x5")
    b = candidate("b", asks="102x2 104x5")
    routed = route(problem([a, b], "4"))
    assert legs(routed) == {"a": "2", "b": "2"}  # 101x1, 102x2, then 103x1
    cost = {leg.venue: leg.cost for leg in routed.legs}
    # a: middle 100, best 101: spread 2 x 1, depth 0 + 2; b: middle 100.5, spread 2 x 1.5, basis 2 x 0.5.
    assert cost["a"] == CostSplit(spread=Num(2), depth=Num(2))
    assert cost["b"] == CostSplit(spread=Num(3), basis=Num(1))
    certificate = routed.certificate
    assert (certificate.cost_usd, certificate.bound_usd, certificate.gap_usd) == (8, 8, 0)
    assert certificate.lot_usd == Num("0.6")  # two legs, a lot of 0.1 at 3 USD a base unit
    assert certificate.unrouted == ()


def test_a_sale_walks_the_bids():
    routed = route(problem([candidate("a", bids="99x1 98x1"), candidate("b", bids="98.5x5", asks="100x5")], "-2"))
    assert legs(routed) == {"a": "-1", "b": "-1"}
    leg = next(leg for leg in routed.legs if leg.venue == "b")
    assert (leg.base, leg.average_price, leg.worst_price, leg.notional_usd) == (
        -1,
        Num("98.5"),
        Num("98.5"),
        Num("98.5"),
    )


def test_a_fee_decides_between_equal_books():
    routed = route(problem([candidate("a", fee="5"), candidate("b", fee="2")], "1"))
    assert only(routed).venue == "b"
    assert only(routed).cost.fee == Num("0.0202")


def test_a_tie_goes_to_the_first_name_whatever_the_order():
    one, two = candidate("a"), candidate("b")
    assert only(route(problem([two, one], "1"))).venue == "a"
    assert encode(route(problem([two, one], "1"))) == encode(route(problem([one, two], "1")))


def test_funding_expected_over_the_horizon_is_counted():
    earns = candidate("a", fee="5", funding="0.0001")  # shorts are paid a basis point an hour
    plain = candidate("b", fee="2")
    assert only(route(problem([earns, plain], "-1", hours=0))).venue == "b"
    leg = only(route(problem([earns, plain], "-1", hours=8)))
    assert leg.venue == "a"
    assert leg.cost.funding == Num("-0.08")


def test_a_close_takes_the_worst_carry_first():
    """Shorts on three venues; buying back ends the one that pays most, though its book is the dearest."""
    pays = candidate("a", asks="101.3x10", position="-3", funding="-0.0002")
    little = candidate("b", position="-3", funding="-0.00005")
    earns = candidate("c", position="-3", funding="0.0001")
    routed = route(problem([earns, little, pays], "4", hours=DAY_HOURS))
    assert legs(routed) == {"a": "4"}  # a base unit costs 0.82 there, 0.88 at b and 1.24 at c
    # Where it may not go beyond closing, b takes the rest.
    pays = msgspec.structs.replace(pays, room_buy=Num(3))
    routed = route(problem([earns, little, pays], "4", hours=DAY_HOURS))
    assert legs(routed) == {"a": "3", "b": "1"}
    assert [leg.cost.funding for leg in routed.legs] == [Num("-1.44"), Num("-0.12")]


def test_spot_and_futures_have_no_funding():
    for kind in (InstrumentKind.SPOT, InstrumentKind.FUTURE):
        leg = only(route(problem([candidate("a", kind=kind, funding="0.01")], "1", hours=8)))
        assert leg.cost.funding == 0


def test_a_future_costs_the_basis_that_the_horizon_decays():
    # Its middle is 110, ten above: over a tenth of its life a tenth of that is lost.
    future = candidate(
        "a", kind=InstrumentKind.FUTURE, bids="109x10", asks="111x10", expires_in_ms=80 * HOUR_MS
    )  # fmt: skip
    leg = only(route(problem([future], "1", hours=8)))
    assert leg.cost == CostSplit(spread=Num(1), basis=Num(1))
    sold = only(route(problem([future], "-1", hours=8)))
    assert sold.cost == CostSplit(spread=Num(1), basis=Num(-1))
    # Beyond its expiry no more than all of it is lost.
    assert only(route(problem([future], "1", hours=200))).cost.basis == 10


def test_an_inverse_contract_is_sized_in_quote_units():
    inverse = candidate("a", kind=InstrumentKind.INVERSE, lot="10", bids="99x1", asks="100x2 125x8")
    routed = route(problem([inverse], "4", reference="100"))
    leg = only(routed)
    # 2 base units take 200 quote units at 100, the other 2 take 250 at 125.
    assert (leg.quantity, leg.base, leg.notional_usd) == (450, 4, 450)
    assert leg.average_price == Num("112.5")
    # With a lot of 100 only 400 fit: 200 at 125 are 1.6 base units.
    coarse = msgspec.structs.replace(inverse, lot=Num(100))
    routed = route(problem([coarse], "4"))
    assert (only(routed).quantity, only(routed).base, routed.left("ETH")) == (400, Num("3.6"), Num("0.4"))
    # The room counts in quote units too.
    assert only(route(problem([msgspec.structs.replace(inverse, room_buy=Num(300))], "4"))).quantity == 300


def test_a_quote_currency_below_a_dollar_is_cheaper_to_buy_with():
    routed = route(problem([candidate("a"), candidate("b", rate="0.99")], "1"))
    leg = only(routed)
    assert (leg.venue, leg.usd_per_quote, leg.notional_usd) == ("b", Num("0.99"), Num("99.99"))
    assert leg.cost == CostSplit(spread=Num("0.99"), basis=Num(-1))


def test_rooms_bind():
    small = candidate("a", asks="100.5x10", room="2")
    routed = route(problem([small, candidate("b")], "5"))
    assert legs(routed) == {"a": "2", "b": "3"}
    routed = route(problem([small], "5"))
    assert (legs(routed), routed.left("ETH"), routed.left("BTC")) == ({"a": "2"}, 3, 0)
    # What is left has no price: a lot of the leg is worth what its own pieces cost, half a dollar a base unit.
    assert (routed.certificate.gap_usd, routed.certificate.lot_usd) == (0, Num("0.05"))


def test_a_venues_room_is_shared_by_its_instruments():
    one, two = candidate("a", asks="100.5x10"), candidate("a", symbol="ETH-2", asks="100.6x10")
    rooms = [room("a", most="300"), room("b")]
    routed = route(problem([one, two, candidate("b")], "5", rooms=rooms))
    assert legs(routed) == {"a": "3", "b": "2"}


def test_what_reduces_needs_no_room_and_makes_some():
    short = candidate("a", position="-2", asks="100.5x10")
    other = candidate("a", symbol="ETH-2", asks="100.6x10")
    rooms = [room("a", notional="200", most="0"), room("b")]
    routed = route(problem([short, other, candidate("b", asks="105x10")], "5", rooms=rooms))
    # Two buy back the short, which frees room for two more; the dear venue takes the last.
    assert sum(leg.quantity for leg in routed.legs if leg.venue == "a") == 4
    assert legs(routed)["b"] == "1"


def test_what_extends_a_venue_shrinks_with_the_lots_of_what_reduces_it():
    short = candidate("a", position="-2", lot="1.5", asks="100.5x10", room="2")
    other = candidate("a", symbol="ETH-2", asks="100.6x10")
    routed = route(problem([short, other], "4", rooms=[room("a", notional="200", most="0")]))
    assert {leg.symbol: leg.quantity for leg in routed.legs} == {"ETH": Num("1.5"), "ETH-2": Num("1.5")}
    assert routed.left("ETH") == 1


def test_where_a_venue_has_no_room_what_reduces_and_what_extends_are_taken_together():
    close = candidate("a", symbol="held", asks="100x5", bids="97x5", position="-10")
    cheap = candidate("a", symbol="new", asks="98x5", bids="97x5")
    other = candidate("b", asks="99.5x9", bids="97x5")
    asked = problem([close, cheap, other], "4", rooms=[room("a", notional="1000", most="0"), room("b")])
    routed = route(asked)
    # By itself the close costs 100, dearer than elsewhere; with as much of the cheap one it comes to 99 each.
    assert {leg.symbol: str(leg.quantity) for leg in routed.legs} == {"held": "2", "new": "2"}
    desk, _ = set_up(asked, reasons_of(asked), [Decimal(4)])
    merge(desk)
    assert [walk.base for walk in desk.walks] == [2, 2, 0]  # found by the merge itself, not by exchanges


def test_penalties_move_what_exceeds_a_step():
    steps = (("200", "100"),)  # beyond 200 USD of gross a hundred basis points: 1 USD a base unit
    rooms = [room("a", steps=steps), room("b")]
    a, b = candidate("a", asks="100.5x10"), candidate("b", asks="101x10", bids="100x10")
    routed = route(problem([a, b], "5", rooms=rooms))
    assert legs(routed) == {"b": "3", "a": "2"}
    dear = msgspec.structs.replace(b, asks=candidate("b", asks="102x10").asks)
    routed = route(problem([a, dear], "5", rooms=rooms))
    assert legs(routed) == {"a": "5"}
    assert only(routed).cost.penalty == 3


def test_a_reduction_gets_its_penalty_back():
    steps = (("200", "100"),)
    rooms = [room("a", notional="500", steps=steps), room("b", notional="500")]
    a, b = candidate("a", position="-5", asks="101.5x10"), candidate("b", position="-5", asks="101x10")
    routed = route(problem([a, b], "5", rooms=rooms))
    assert legs(routed) == {"a": "3", "b": "2"}  # until a is down at its step
    assert next(leg.cost.penalty for leg in routed.legs if leg.venue == "a") == -3


def test_a_leg_below_its_minimum_is_given_up_or_raised():
    near, far = candidate("a", asks="101x0.3 103x9", notional="100"), candidate("b", asks="101.5x9", notional="10")
    # 0.3 at a would be 30 USD: either all of it goes to b, or a is raised to its minimum at 103.
    assert legs(route(problem([near, far], "2"))) == {"b": "2"}
    far = candidate("b", asks="150x9", notional="10")
    assert legs(route(problem([near, far], "2"))) == {"a": "2"}
    tiny = candidate("c", asks="100.1x9", minimum="5")
    assert legs(route(problem([tiny, candidate("d")], "4"))) == {"d": "4"}


def test_a_leg_is_raised_to_its_minimum_where_that_costs_less():
    # One base unit at a costs 0.5 and the rest there 1; b takes no less than two and costs 0.9.
    a, b = candidate("a", asks="100.5x2 104x9", bids="99.5x9"), candidate("b", asks="101x9", bids="99x9", minimum="2")
    routed = route(problem([a, b], "3"))
    assert legs(routed) == {"b": "2", "a": "1"}
    assert routed.certificate.gap_usd > 0  # the relaxation would take two of a and one of b


def test_less_than_every_minimum_is_left():
    routed = route(problem([candidate("a", minimum="5"), candidate("b", lot="3")], "2"))
    assert (routed.legs, routed.left("ETH")) == ((), 2)
    assert (routed.certificate.cost_usd, routed.certificate.bound_usd, routed.certificate.lot_usd) == (0, 0, 0)


def test_the_rest_of_a_lot_is_left_with_its_sign():
    assert route(problem([candidate("a")], "-1.57")).left("ETH") == Num("-0.07")


def test_nothing_wanted_nothing_routed():
    routed = route(problem([candidate("a")], "0"))
    assert (routed.legs, routed.certificate.unrouted, routed.certificate.gap_usd) == ((), (), 0)


def test_unsound_books_are_left_out_and_named():
    crossed = candidate("a", bids="102x1", asks="101x1")
    empty = candidate("b", bids="")
    stranger = candidate("c", underlying="BTC")
    roomless = candidate("d")
    nothing = candidate("e", asks="101x0")
    given = problem([crossed, empty, stranger, roomless, nothing, candidate("f")], "1",
                    rooms=[room(name) for name in "abcef"])  # fmt: skip
    routed = route(given)
    assert legs(routed) == {"f": "1"}
    assert {each.venue: each.reason for each in routed.certificate.excluded} == {
        "a": "its book is crossed or not above zero",
        "b": "a side of its book is empty",
        "c": "no target has its underlying",
        "d": "no room is given for its venue",
        "e": "its book is crossed or not above zero",
    }
    assert routed.certificate.candidates == 1


def test_a_book_is_believed_until_a_level_is_out_of_order():
    for asks in ("101x1 100.5x5", "101x1 102x0 103x5", "101x1 -3x5"):
        routed = route(problem([candidate("a", asks=asks)], "5"))
        assert (legs(routed), routed.left("ETH")) == ({"a": "1"}, 4)
    for bids in ("99x1 99.5x5", "99x1 98x0", "99x1 0x5"):
        assert legs(route(problem([candidate("a", bids=bids)], "-5"))) == {"a": "-1"}


def test_two_targets_share_a_venues_room_where_it_saves_most():
    def of(underlying: str, venue: str, asks: str) -> Candidate:
        return candidate(venue, symbol=underlying, underlying=underlying, asks=asks)

    # The good venue takes 300 USD. ETH would save 1 a unit there, BTC 5, though ETH's next piece is the cheapest.
    candidates = (of("ETH", "good", "100.1x9"), of("BTC", "good", "101x9"),
                  of("ETH", "other", "101.1x9"), of("BTC", "other", "106x9"))  # fmt: skip
    both = Problem(
        targets=tuple(Target(underlying=name, quantity=Num(2), reference_usd=Num(100)) for name in ("ETH", "BTC")),
        candidates=candidates,
        venues=(room("good", most="300"), room("other")),
        horizon_ms=0,
    )
    routed = route(both)
    assert {(leg.underlying, leg.venue): int(leg.quantity) for leg in routed.legs} == {
        ("BTC", "good"): 2,
        ("ETH", "good"): 1,
        ("ETH", "other"): 1,
    }
    assert routed.certificate.gap_usd == 0


def test_the_certificate_adds_up_and_survives_the_log():
    routed = route(
        problem([candidate("a", fee="3"), candidate("b", funding="0.00001", asks="100.7x2")], "5.55", hours=8)
    )
    certificate = routed.certificate
    assert certificate.legs == routed.legs
    assert certificate.cost_usd == sum((total(leg.cost) for leg in routed.legs), Decimal(0))
    assert certificate.gap_usd == certificate.cost_usd - certificate.bound_usd
    assert decoder(Certificate).decode(encode(certificate)) == certificate


def test_what_was_never_looked_at_does_not_change_the_hash():
    book = "101x1 102x1 120x1 130x1"
    given = problem([candidate("a", asks=book)], "1.5")
    changed = problem([candidate("a", asks="101x1 102x1 120x1 130x9")], "1.5")
    shown = problem([candidate("a", asks="101x1 102x7 120x1 130x1")], "1.5")
    same = problem([candidate("a", asks="101.0x1 102x1.00 120x1 130x1")], "1.5")
    hashed = route(given).certificate.inputs_sha256
    assert route(changed).certificate.inputs_sha256 == hashed == route(same).certificate.inputs_sha256
    assert route(shown).certificate.inputs_sha256 != hashed
    assert route(problem([candidate("a", asks=book, fee="1")], "1.5")).certificate.inputs_sha256 != hashed


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (problem([candidate("a"), candidate("a")], "1"), "a candidate is given twice"),
        (problem([candidate("a")], "1", rooms=[room("a"), room("a")]), "a venue's room is given twice"),
        (problem([candidate("a")], "1", reference="0"), "a reference must be above zero"),
        (problem([candidate("a", lot="0")], "1"), "must be above zero"),
        (problem([candidate("a", rate="0")], "1"), "must be above zero"),
        (problem([candidate("a")], "1", hours=-1), "a horizon must not be negative"),
        (problem([candidate("a")], "1", rooms=[room("a", steps=(("1", "5"), ("2", "4")))]), "must rise"),
        (problem([candidate("a")], "1", rooms=[room("a", steps=(("1", "-5"),))]), "must rise"),
    ],
)
def test_a_problem_that_contradicts_itself_is_refused(given: Problem, text: str):
    with pytest.raises(ValueError, match=text):
        route(given)


def test_a_target_given_twice_is_refused():
    target = Target(underlying="ETH", quantity=Num(1), reference_usd=Num(100))
    with pytest.raises(ValueError, match="a target is given twice"):
        route(Problem(targets=(target, target), candidates=(), venues=(), horizon_ms=0))
