"""One example of every event there is, made of values that are easily lost: long decimals, huge integers, odd text."""

from collections.abc import Callable
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin
from uuid import UUID

import msgspec

from commands.handler import Metadata
from domain.event import Event
from domain.ids import natural_id
from domain.policy import Hedging
from domain.quantity import Amount, Num

INTEGERS = {"nonce": (1 << 120) - 1, "expiry_us": ((1 << 128) - 1) * 1_000_000, "chain_id": 1, "settled": 5 * 10**27}
"""Fields whose integers are larger than 64 bits where they come from."""
INTEGER = 1_700_000_000_123_456
DECIMALS = ("2000.050000000000000001", "-0.00000001", "123456789012345678.5", "1500")
TEXT = 'a "quoted" text, ünïcode, a tab\t and a \\ backslash'
ATOMS = 2**90 + 1


def example(event_type: type[Event]) -> Event:
    """Return the example of an event type, the same each time."""
    return cast("Event", _struct(event_type, event_type.TOPIC))


def metadata_example() -> Metadata:
    """Return an example of what is stored beside each event."""
    return cast("Metadata", _struct(Metadata, "metadata"))


def _struct(struct_type: type[msgspec.Struct], path: str) -> msgspec.Struct:
    fields = msgspec.structs.fields(struct_type)
    return struct_type(**{field.name: _value(field.type, f"{path}.{field.name}") for field in fields})


_SIMPLE: dict[Any, Callable[[str], object]] = {
    str: lambda _path: TEXT,
    bool: lambda _path: True,
    int: lambda path: INTEGERS.get(path.rsplit(".", 1)[1], INTEGER),
    UUID: natural_id,
    Num: lambda path: Num(DECIMALS[sum(path.encode()) % len(DECIMALS)]),
    Amount: lambda _path: Amount("WETH", ATOMS),
}


def _value(wanted: Any, path: str) -> object:
    """Return a value of a field's type; a type without an example is an error, so that none is passed over."""
    origin = get_origin(wanted)
    if origin in {Union, UnionType}:
        return _value(next(part for part in get_args(wanted) if part is not NoneType), path)
    if origin is tuple:
        return (_value(get_args(wanted)[0], f"{path}.0"), _value(get_args(wanted)[0], f"{path}.1"))
    if wanted in _SIMPLE:
        return _SIMPLE[wanted](path)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return Hedging.PERPETUAL if wanted is Hedging else next(iter(wanted))
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return _struct(wanted, path)
    raise TypeError(f"{path} needs an example of {wanted}")
