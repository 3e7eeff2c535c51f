"""A file of limits: what they should be, as one change; and how it differs from what is in force.

TOML: `reason`, and `[[limits]]` with `control`, `scope`, and either `value` (text or a whole number, in the control's
unit) with perhaps `expires_at`, or `remove = true`. Limits that the file does not name stay as they are.
"""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from api.settings import SettingsError
from commands.limit import LimitWanted
from domain.instant import parse_rfc3339, rfc3339
from domain.limit import Control, Limit, limit_key
from domain.limit_course import changed, course_of, loosens, same
from domain.limit_faults import first_kind
from domain.limits import CONTROLS
from domain.quantity import num

# A limit in force has not ended: any instant before all ends tells what is so now.
NOW = 0


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    control: str
    scope: str = "global"
    value: str | int | None = None
    expires_at: datetime | None = None
    remove: bool = False


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: str
    limits: tuple[_Entry, ...]


class LimitsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what a file asks for."""

    limits: tuple[LimitWanted, ...]
    reason: str

    def body(self) -> dict[str, Any]:
        """Return the request that asks a running Ballast for it."""
        return {
            "reason": self.reason,
            "limits": [
                {
                    "control": each.control,
                    "scope": each.scope,
                    "value": None if each.value is None else str(each.value),
                    "expires_at": rfc3339(each.expires_at_us) if each.expires_at_us else "",
                }
                for each in self.limits
            ],
        }


def read_limits(path: Path) -> LimitsWanted:
    """Read a file of limits; raise `SettingsError` with the place and the mend."""
    try:
        document = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Document)
    except FileNotFoundError as error:
        raise SettingsError(f"{path} does not exist") from error
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{path}: {error}") from error
    if not document.limits:
        raise SettingsError(f"{path}: it names no limit; write some as [[limits]]")
    names = [f"{each.control} {each.scope}" for each in document.limits]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise SettingsError(f"{path}: {twice} stands there twice")
    return LimitsWanted(
        limits=tuple(_wanted(each, f"{path}: {each.control} {each.scope}") for each in document.limits),
        reason=document.reason,
    )


def _wanted(entry: _Entry, where: str) -> LimitWanted:
    if entry.control not in tuple(Control):
        raise SettingsError(f"{where}: no control is called so: {', '.join(Control)}")
    if entry.remove is (entry.value is not None):
        raise SettingsError(f'{where}: give it a value, as text such as "250000", or remove = true')
    if entry.remove:
        if entry.expires_at is not None:
            raise SettingsError(f"{where}: a limit is removed for good: leave expires_at out")
        return LimitWanted(control=entry.control, scope=entry.scope, value=None)
    try:
        value = num(entry.value if entry.value is not None else "")
        expires_at_us = 0 if entry.expires_at is None else parse_rfc3339(entry.expires_at.isoformat())
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"{where}: {error}") from error
    return LimitWanted(control=entry.control, scope=entry.scope, value=value, expires_at_us=expires_at_us)


def differences(wanted: Sequence[LimitWanted], in_force: Mapping[str, Limit]) -> list[str]:
    """Return a line for each limit that would change, by its key in force: what it is, what it would be, which way."""
    return [
        line
        for each in wanted
        if (line := _difference(each, in_force.get(limit_key(each.control, each.scope)))) is not None
    ]


def _difference(wanted: LimitWanted, before: Limit | None) -> str | None:
    name, spec = f"{wanted.control} {wanted.scope}", CONTROLS[Control(wanted.control)]
    ends = f" until {rfc3339(wanted.expires_at_us)}" if wanted.expires_at_us else ""
    if before is None:
        return None if wanted.value is None else f"+ {name}: {wanted.value} {spec.unit}{ends} ({_new(wanted)})"
    if wanted.value is None:
        return f"- {name}: {before.value} {spec.unit} (removed: another person must grant it)"
    course = course_of(before)
    after = changed(course, wanted.value, wanted.expires_at_us)
    if same(course, after, NOW):
        return None
    was = f" until {rfc3339(before.expires_at_us)}" if before.expires_at_us else ""
    way = "looser: another person must grant it" if loosens(spec, course, after, NOW) else "tighter"
    return f"~ {name}: {before.value}{was} -> {wanted.value} {spec.unit}{ends} ({way})"


def _new(wanted: LimitWanted) -> str:
    first = first_kind(CONTROLS[Control(wanted.control)], wanted.scope)
    return "first of its control: another person must grant it" if first else "beside what is in force: tighter"
