"""Values of any of our types: events, commands, and what they are made of."""

from collections.abc import Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from domain.quantity import Num
from tests.property.numbers import anything

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    int: st.integers(-(2**160), 2**160),
    UUID: st.uuids(),
    Num: anything,
    NoneType: st.none(),
}


def values(wanted: Any) -> st.SearchStrategy[Any]:
    """Draw values of a field's type."""
    origin = get_origin(wanted)
    if origin in {Union, UnionType}:
        return st.one_of(*map(values, get_args(wanted)))
    if origin is tuple:
        return st.lists(values(get_args(wanted)[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(*map(values, get_args(wanted)), max_size=3)
    if wanted in SIMPLE:
        return SIMPLE[wanted]
    if issubclass(wanted, Enum):
        return st.sampled_from(wanted)
    fields = msgspec.structs.fields(wanted)
    return st.builds(wanted, **{field.name: values(field.type) for field in fields})
