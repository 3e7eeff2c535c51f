"""The router beside HiGHS and beside simpler ways: time, the gap to the optimum, what it saves; time to hedge again.

`python -m benchmarks.router [--quick] [--json]`: 1,000 seeded stressed markets (`benchmarks.markets`) of eight venues
with three instruments and 200 levels a side, and the recorded books where they are.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Iterable

import msgspec

from benchmarks.markets import SIZE_DECADES, market
from benchmarks.report import Figure, Group, Line, at_least, at_most, machine, percentile, report
from benchmarks.router_books import problems, recorded_books
from benchmarks.router_lp import least
from benchmarks.router_naive import WAYS, naive
from benchmarks.router_rehedge import fill_to_rehedge
from domain.routing.problem import Problem, Routed
from domain.routing.router import route

ROUTE_P99_MS_GOAL = 2.0
# HiGHS reckons in floats: to a ten-thousandth of a dollar, and as many of each ten thousand dollars.
TOLERANCE = 1e-4
# Orders of 5,000 to 1,000,000 USD of one underlying, as a mint or a redemption makes them; and all of the generator's.
HEDGE_DECADES = 2.301
RUNS = 3


class Much(msgspec.Struct, frozen=True):
    """Say how many markets, recorded books and surprise fills."""

    markets: int
    books: int
    surprises: int


FULL = Much(markets=1_000, books=1_000, surprises=300)
QUICK = Much(markets=25, books=2, surprises=10)


class Gap(msgspec.Struct, frozen=True):
    """Hold how far a route is from HiGHS' optimum, and one lot of each leg, USD; and how far its own bound is."""

    cost: float
    optimum: float
    lot: float
    bound: float

    @property
    def tolerance(self) -> float:
        """Return what a float may be off."""
        return TOLERANCE * (1 + abs(self.optimum) / 10_000)

    @property
    def within(self) -> bool:
        """Say whether the cost lies within a lot of the optimum."""
        return self.cost - self.optimum <= self.lot + self.tolerance

    @property
    def proven(self) -> bool:
        """Say whether the certificate's own bound is the optimum."""
        return abs(self.bound - self.optimum) <= self.tolerance


class Saving(msgspec.Struct, frozen=True):
    """Hold a route's cost and that of each simpler way that brought as much, in basis points of what was traded."""

    ours: float
    naive: dict[str, float]
    failed: tuple[str, ...]

    @property
    def percent(self) -> float | None:
        """Return what the best of the simpler ways costs more, in percent of its cost; None where none brought all."""
        best = min(self.naive.values(), default=None)
        return None if best is None or best == 0 else (best - self.ours) / abs(best) * 100


def gap(problem: Problem, routed: Routed) -> Gap:
    """Compare a route with the linear programme for the same quantities."""
    brought = {
        target.underlying: abs(float(sum(leg.base for leg in routed.legs if leg.underlying == target.underlying)))
        for target in problem.targets
    }
    told = routed.certificate
    return Gap(float(told.cost_usd), least(problem, brought), float(told.lot_usd), float(told.bound_usd))


def saving(problem: Problem, routed: Routed) -> Saving | None:
    """Compare a route with the simpler ways; None where nothing was routed."""
    notional = float(sum(leg.notional_usd for leg in routed.legs))
    if not notional:
        return None
    others = naive(problem, routed)
    enough = {name: each for name, each in others.items() if each.left_usd < 1}
    return Saving(
        float(routed.certificate.cost_usd) / notional * 10_000,
        {name: each.cost / notional * 10_000 for name, each in enough.items()},
        tuple(sorted(others.keys() - enough.keys())),
    )


def timed(problem: Problem) -> float:
    """Return the median of some runs, seconds, certificate and all."""
    times: list[float] = []
    for _ in range(RUNS):
        started = time.perf_counter()
        route(problem)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def speed(much: Much) -> Group:
    """Time the router on orders as the desk makes them, and on everything that the generator makes."""
    loads = {
        "one underlying, 5,000 to 1 million USD": (1, HEDGE_DECADES),
        "one underlying, 5,000 to 20 million USD": (1, SIZE_DECADES),
        "one to three underlyings, 5,000 to 20 million USD each": (None, SIZE_DECADES),
    }
    lines: list[Line] = []
    first: tuple[float, float] | None = None
    for name, (underlyings, decades) in loads.items():
        times = sorted(
            timed(market(number, underlyings=underlyings, decades=decades)) for number in range(much.markets)
        )
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        first = first or (p50, p99)
        lines.append(Line(name, (f"{p50 * 1e6:,.0f}", f"{p99 * 1e6:,.0f}", f"{times[-1] * 1e6:,.0f}")))
    p50, p99 = first or (0.0, 0.0)
    return Group(
        title="Route and certify: 8 venues x 3 instruments x 200 levels a side",
        columns=("p50 us", "p99 us", "most us"),
        lines=tuple(lines),
        figures=(
            Figure("route_p50_us", round(p50 * 1e6, 1), "us", "told", met=True),
            at_most("route_p99_ms", p99 * 1e3, "ms", ROUTE_P99_MS_GOAL),
        ),
    )


def compared(name: str, given: Iterable[Problem]) -> tuple[list[Gap], list[Saving], tuple[Line, Line]]:
    """Compare the routes of some markets with HiGHS and with the simpler ways."""
    gaps: list[Gap] = []
    savings: list[Saving] = []
    for problem in given:
        routed = route(problem)
        gaps.append(gap(problem, routed))
        found = saving(problem, routed)
        savings += [] if found is None else [found]
    within, proven = sum(each.within for each in gaps), sum(each.proven for each in gaps)
    worst = max((each.cost - each.optimum for each in gaps), default=0.0)
    middle = statistics.median(each.cost - each.optimum for each in gaps) if gaps else 0.0
    cells = (f"{len(gaps):,}", f"{within:,}", f"{proven:,}", f"{middle:.4f}", f"{worst:.4f}")
    costs = [f"{statistics.median(each.ours for each in savings):.2f}" if savings else "-"]
    for way in WAYS:
        those = [each.naive[way] for each in savings if way in each.naive]
        missed = sum(way in each.failed for each in savings)
        costs.append(f"{statistics.median(those):.2f} ({missed} not brought)" if those else "-")
    return gaps, savings, (Line(name, cells), Line(name, tuple(costs)))


def quality(much: Much) -> tuple[Group, Group]:
    """Return how far the router is from the optimum, and how far the simpler ways are from it."""
    made = compared("stressed markets", (market(number) for number in range(much.markets)))
    kept = compared("recorded books", problems(recorded_books()[: much.books]))
    gaps, savings = made[0], [*made[1], *kept[1]]
    percents = [percent for each in savings if (percent := each.percent) is not None]
    goal = len(gaps)
    optimum = Group(
        title="Cost less the optimum of the linear relaxation (HiGHS), USD",
        columns=("markets", "within a lot", "bound = optimum", "median gap", "largest gap"),
        lines=(made[2][0], kept[2][0]),
        figures=(at_least("gap_within_one_lot", sum(each.within for each in gaps), "markets", goal),),
        peers={"recorded_gap_within_one_lot": sum(each.within for each in kept[0]), "recorded_books": len(kept[0])},
    )
    medians = {
        f"naive_{way}_bps": statistics.median(each.naive[way] for each in savings if way in each.naive) for way in WAYS
    }
    cheaper = Group(
        title="Expected cost, median, basis points of what was traded",
        columns=("router", *WAYS),
        lines=(made[2][1], kept[2][1]),
        figures=(
            Figure("saving_to_best_naive_percent", round(statistics.median(percents), 2) + 0.0, "%", "told", met=True),
        ),
        peers={"router_bps": statistics.median(each.ours for each in savings), **medians},
    )
    return optimum, cheaper


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="little of everything: does it run?")
    arguments = parser.parse_args()
    about = machine()
    much = QUICK if arguments.quick else FULL
    groups = [speed(much), *quality(much), asyncio.run(fill_to_rehedge(much.surprises))]
    report(groups, about, as_json=arguments.json)


if __name__ == "__main__":
    main()
