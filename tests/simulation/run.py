"""Run many seeds of the simulated world, and show the first that fails as small as it gets: `ballast simulate`."""

import sys
import time
from collections.abc import Iterable

from tests.simulation.faults import Plan, swarm
from tests.simulation.guard import guard
from tests.simulation.shrink import fixed, shrink
from tests.simulation.sites import SITES
from tests.simulation.verdict import Result, simulate
from tests.simulation.world import Parts

COMMANDS = (3, 12)
PROGRESS_EVERY = 100
TIMELINE_LINES = 120


def plan_of(seed: int) -> Plan:
    """Return the plan of a seed."""
    return swarm(seed, SITES, COMMANDS)


def run_seed(seed: int, parts: Parts | None = None) -> Result:
    """Run one seed, with the doors to the real world watched."""
    with guard():
        return simulate(plan_of(seed), parts)


def smallest(result: Result, parts: Parts | None = None) -> Result:
    """Return the smallest world found that breaks one of the same rules."""

    def run(plan: Plan) -> Result:
        with guard():
            return simulate(plan, parts)

    plan = fixed(result.plan, result.fired)
    if not run(plan).rules & result.rules:
        return result  # a late fault hides behind a rate; show the world as it is
    return run(shrink(plan, lambda candidate: bool(run(candidate).rules & result.rules)))


def report(result: Result) -> str:
    """Describe a failing world: what broke, under which faults, and what happened, last things last."""
    faults = ", ".join(sorted(result.plan.forced)) or "the rates of its seed"
    lines = [
        f"seed {result.plan.seed}: {len(result.violations)} violations after {result.virtual_s:.1f} simulated seconds",
        *(f"  {text}" for text in result.violations[:5]),
        f"  commands {result.plan.commands}, share of shuffled picks {result.plan.share}, faults: {faults}",
        result.timeline(TIMELINE_LINES),
    ]
    return "\n".join(lines)


def failures(seeds: Iterable[int]) -> list[Result]:
    """Return the results of the seeds that fail."""
    return [result for result in map(run_seed, seeds) if result.violations]


def main(seeds: int, first: int = 0) -> int:
    """Run `seeds` worlds from seed `first` on; return 0 if all held, 1 after showing the first that did not."""
    started, simulated_s, steps = time.monotonic(), 0.0, 0
    for done, seed in enumerate(range(first, first + seeds), 1):
        result = run_seed(seed)
        simulated_s += result.virtual_s
        steps += result.steps
        if result.violations:
            sys.stdout.write(f"seed {seed} failed; making it smaller\n{report(smallest(result))}\n")
            return 1
        if done % PROGRESS_EVERY == 0 or done == seeds:
            elapsed = time.monotonic() - started
            rate = f"{done / elapsed:.1f} seeds/s, {steps / elapsed:,.0f} steps/s"
            sys.stdout.write(f"{done} of {seeds} seeds held, {rate}, {simulated_s / 3600:.1f} simulated hours\n")
            sys.stdout.flush()
    return 0
