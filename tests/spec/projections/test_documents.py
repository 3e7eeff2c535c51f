"""What every view shows: its name, the fields it can be asked by, and no number that a reader could bend."""

from typing import Any, get_args

import msgspec

from domain.event import CATALOGUE
from projections.catalogue import VIEWS


def test_every_view_is_in_the_catalogue_under_its_name_and_needs_known_topics():
    expected = "portfolio exposure positions orders fills quotes requests limits mode alerts dependencies "
    expected += "suspensions instruments balances margin funding transactions contract parties treasury hedges costs "
    expected += "internalised rebalancing limit_history approvals backing stress"
    assert set(VIEWS) == set(expected.split())
    for name, view in VIEWS.items():
        assert view.name == name
        assert view.topics <= set(CATALOGUE)


def test_lookups_are_text_fields_of_the_document():
    for view in VIEWS.values():
        if view.lookups:
            assert view.lookups <= set(view.document.__struct_fields__)


def numbers(wanted: Any, name: str = "") -> set[str]:
    """Return the names of the fields of a type, those of its parts too, that are written as JSON numbers."""
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        fields = msgspec.structs.fields(wanted)
        return {found for field in fields for found in numbers(field.type, field.encode_name)}
    if get_args(wanted):
        return {found for part in get_args(wanted) for found in numbers(part, name)}
    return {name} if wanted in {int, float} else set()


def test_documents_have_no_numbers_that_javascript_could_bend():
    """Counts and positions are whole numbers; everything with a unit is text, but for bounded times and settings."""
    whole = {"fills", "settlements", "attempt", "attempts", "cause_position", "sequence", "age_ms", "supply_block"}
    whole |= {"funding_interval_ms", "block", "block_number", "nonce", "stables_delta_limit_bps"}
    whole |= {
        "number",
        "round",
        "rounds_told",
        "orders_told",
        "fills_told",
        "candidates",
        "legs",
        "unknown",
        "surprises",
    }
    whole |= {"horizon_ms", "rest_ms", "over_ms", "slices", "jitter_bps", "share_bps", "band"}
    whole |= {"orders", "flat_ms", "rehedge_ms"}
    for view in VIEWS.values():
        assert numbers(view.document) <= whole, view.name
