"""What people see of the treasury: open proposals, and what came of earlier ones."""

import json

from domain.event import Event
from projections.treasury import TREASURY
from tests.spec.treasury.test_treasury import CUSTODIANS, ETHER, FUNDER, SAFE, Treasurer
from tests.support.told import lines


def shown(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(line["direction"], line["amount"], line["state"]) for line in lines(TREASURY, *events)]


def test_each_proposal_is_shown_with_what_came_of_it():
    treasurer = Treasurer()
    told = [*treasurer.holds("41"), *treasurer.holds("70"), *treasurer.holds("20"), *treasurer.holds("5")]
    assert shown(told) == [
        ("custody", str(21 * ETHER), "withdrawn"),
        ("custody", str(50 * ETHER), "completed"),
        ("topup", str(15 * ETHER), "open"),
    ]
    first, second, third = lines(TREASURY, *told)
    assert first["ended_at"] > first["proposed_at"]
    assert "would not bring" in first["text"]
    assert f"holds {20 * ETHER} in block 103" in second["text"]
    assert (second["custodians"], second["safe"]) == (list(CUSTODIANS), SAFE)
    assert len(json.loads(second["safe_json"])["transactions"]) == len(second["parts"]) == 2
    assert (third["funder"], third["safe_json"], third["ended_at"]) == (FUNDER, "", "")
