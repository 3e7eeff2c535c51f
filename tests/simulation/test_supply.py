"""Under faults, kills and reorganisations what settled explains every count of the supply, whenever it is told."""

import pytest

import domain.supply
from domain.log import StoredEvent
from domain.supply import SupplyObserved
from tests.simulation.auditor import Auditor
from tests.simulation.run import run_seed

SEEDS = range(8)


def test_whatever_befalls_the_house_settlements_explain_the_supply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count at every look instead of every ten minutes, so that counts and settlements meet."""
    monkeypatch.setattr(domain.supply, "EVERY_US", 1)
    totals: list[int] = []
    judge = Auditor.supply_observed

    def judged(auditor: Auditor, event: SupplyObserved, stored: StoredEvent) -> None:
        totals.append(event.total)
        judge(auditor, event, stored)

    monkeypatch.setattr(Auditor, "supply_observed", judged)
    for seed in SEEDS:
        result = run_seed(seed)
        assert not result.violations, (seed, result.violations)
    assert sum(total > 0 for total in totals) >= len(SEEDS)
