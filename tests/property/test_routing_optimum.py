"""The router beside HiGHS: on made-up stressed markets its bound is the optimum of the linear programme."""

import pytest

from benchmarks.markets import market
from benchmarks.router_lp import least, unroutable
from domain.quantity import Num
from domain.routing.problem import InstrumentKind, Problem
from domain.routing.router import route

# HiGHS reckons in floats: to a ten-thousandth of a dollar of some ten thousand.
TOLERANCE = 1e-4
LEVELS = 40
TENTH = Num("0.1")


def brought(problem: Problem) -> dict[str, float]:
    routed = route(problem)
    return {
        target.underlying: abs(
            float(sum((leg.base for leg in routed.legs if leg.underlying == target.underlying), Num(0)))
        )
        for target in problem.targets
    }


def worth_of_a_lot_of_each(problem: Problem) -> Num:
    lots = {(each.venue, each.symbol): each for each in problem.candidates}
    references = {target.underlying: target.reference_usd for target in problem.targets}
    total = Num(0)
    for leg in route(problem).legs:
        candidate = lots[leg.venue, leg.symbol]
        inverse = candidate.kind is InstrumentKind.INVERSE
        total += candidate.lot * (1 if inverse else references[leg.underlying])
    return total


@pytest.mark.parametrize("number", range(60))
def test_the_bound_is_the_optimum_and_the_cost_within_a_lot_of_it(number: int):
    problem = market(number, levels=LEVELS)
    certificate = route(problem).certificate
    optimum = least(problem, brought(problem))
    scale = 1 + abs(optimum) / 10_000
    assert float(certificate.bound_usd) == pytest.approx(optimum, abs=TOLERANCE * scale)
    assert float(certificate.cost_usd) - optimum <= float(certificate.lot_usd) + TOLERANCE * scale
    assert certificate.lot_usd <= worth_of_a_lot_of_each(problem) * TENTH  # a lot costs its costs, not its price


@pytest.mark.parametrize("number", range(40))
def test_no_more_could_have_been_routed(number: int):
    """Lots and minimums apart: at most ten instruments' minimum of 100 USD stay where a fraction might have gone."""
    problem = market(number, levels=LEVELS)
    routed = route(problem)
    wanted = {target.underlying: abs(float(target.quantity)) for target in problem.targets}
    left = sum(abs(float(routed.left(each.underlying) * each.reference_usd)) for each in problem.targets)
    assert left <= unroutable(problem, wanted) + 1_000


@pytest.mark.parametrize("number", range(30))
def test_where_no_prices_prove_the_optimum_the_bound_still_holds(number: int, monkeypatch: pytest.MonkeyPatch):
    """By weak duality: at most too low, never too high."""
    monkeypatch.setattr("domain.routing.router.optimise", lambda _: None)
    problem = market(number, levels=LEVELS)
    certificate = route(problem).certificate
    optimum = least(problem, brought(problem))
    assert float(certificate.bound_usd) <= optimum + TOLERANCE * (1 + abs(optimum) / 10_000)


@pytest.mark.parametrize("number", [42, 24])
def test_exchanges_that_are_cut_short_leave_an_honest_bound(number: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("domain.routing.exchange.EXCHANGES_MAX", 1)
    problem = market(number, levels=LEVELS)
    certificate = route(problem).certificate
    assert float(certificate.bound_usd) <= least(problem, brought(problem)) + TOLERANCE
    assert certificate.gap_usd >= 0
