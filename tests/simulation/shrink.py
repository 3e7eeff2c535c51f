"""Make a failing world smaller: fewer faults, in order first in, first out, fewer commands, and still failing."""

from collections.abc import Callable, Sequence

import msgspec

from tests.simulation.faults import Plan

ATTEMPTS_MAX = 250
"""Worlds one shrinking may run."""


def fixed(plan: Plan, fired: Sequence[str]) -> Plan:
    """Return the plan that names the faults which fired instead of their rates: the same world, as data."""
    return msgspec.structs.replace(plan, rates={}, forced=frozenset(fired))


def shrink(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """Return a smaller plan for which `fails` still holds; `plan` is one for which it does.

    Faults are taken away in halves, quarters, … then one by one, until none can go.
    """
    attempts = 0

    def still(candidate: Plan) -> bool:
        nonlocal attempts
        attempts += 1
        return attempts <= ATTEMPTS_MAX and fails(candidate)

    for simpler in ({"readers": False}, {"share": 0.0}, *({"commands": count} for count in range(1, plan.commands))):
        candidate = msgspec.structs.replace(plan, **simpler)
        if still(candidate):
            plan = candidate
            if "commands" in simpler:
                break
    keys = sorted(plan.forced)
    size = max(1, len(keys) // 2)
    while keys:
        removed = False
        for start in range(0, len(keys), size):
            kept = keys[:start] + keys[start + size :]
            candidate = msgspec.structs.replace(plan, forced=frozenset(kept))
            if still(candidate):
                plan, keys, removed = candidate, kept, True
                break
        if not removed:
            if size == 1:
                break
            size = max(1, size // 2)
    return plan
