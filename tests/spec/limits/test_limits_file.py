"""A file of limits is read strictly, and told as what it would change."""

from pathlib import Path

import msgspec
import pytest

from api.limits.file import differences, read_limits
from api.settings import SettingsError
from domain.instant import parse_rfc3339
from domain.limit import Control, Limit, limit_key
from domain.quantity import Num

WHOLE = """
reason = "thin books"

[[limits]]
control = "order_notional"
value = "200000"

[[limits]]
control = "leverage"
scope = "venue:okx"
value = 4
expires_at = 2026-12-01T00:00:00Z

[[limits]]
control = "open_orders"
remove = true
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "limits.toml"
    path.write_text(text, encoding="utf-8")
    return path


def limit(control: Control, value: str, scope: str = "global", ends_us: int = 0) -> Limit:
    return Limit(control, scope, Num(value), "USD", ends_us)


def test_it_says_what_should_be(tmp_path: Path):
    wanted = read_limits(written(tmp_path, WHOLE))
    ends_us = parse_rfc3339("2026-12-01T00:00:00Z")
    told = [(each.control, each.scope, str(each.value), each.expires_at_us) for each in wanted.limits]
    assert told == [
        ("order_notional", "global", "200000", 0),
        ("leverage", "venue:okx", "4", ends_us),
        ("open_orders", "global", "None", 0),
    ]
    assert wanted.body() == {
        "reason": "thin books",
        "limits": [
            {"control": "order_notional", "scope": "global", "value": "200000", "expires_at": ""},
            {"control": "leverage", "scope": "venue:okx", "value": "4", "expires_at": "2026-12-01T00:00:00.000000Z"},
            {"control": "open_orders", "scope": "global", "value": None, "expires_at": ""},
        ],
    }


ENTRY = 'reason = "r"\n[[limits]]\ncontrol = "leverage"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "reason"),
        ('reason = "r"', "limits"),
        ('reason = "r"\nlimits = []', "names no limit"),
        (ENTRY, "give it a value"),
        (ENTRY + 'value = "4"\nremove = true', "give it a value"),
        (ENTRY + "value = 4.5", "float"),
        (ENTRY + 'value = "NaN"', "not a finite number"),
        (ENTRY + 'value = "1e99"', "a number has"),
        (ENTRY + 'value = "four"', "not a number"),
        (ENTRY + 'value = "4"\nexpires_at = 2026-12-01T00:00:00', "time zone"),
        (ENTRY + 'value = "4"\nexpires_at = 5', "expires_at"),
        (ENTRY + "remove = true\nexpires_at = 2026-12-01T00:00:00Z", "for good"),
        (ENTRY + 'value = "4"\nvlaue = "5"', "vlaue"),
        ('reason = "r"\n[[limits]]\ncontrol = "luck"\nvalue = "1"', "no control is called so"),
        ("reason = ", "limits.toml"),
        ("\udcff", "limits.toml"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path: Path, text: str, told: str):
    path = tmp_path / "limits.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError, match=told):
        read_limits(path)


def test_the_file_of_the_docs_can_be_read(tmp_path: Path):
    page = (Path(__file__).parents[3] / "docs" / "limits.md").read_text(encoding="utf-8")
    shown = page.partition('    reason = "')[2].partition("\nLimits that a file")[0]
    text = "\n".join(line.removeprefix("    ") for line in ('    reason = "' + shown).splitlines())
    wanted = read_limits(written(tmp_path, text))
    assert [each.control for each in wanted.limits] == ["order_notional", "leverage", "open_orders"]
    assert wanted.limits[1].expires_at_us == parse_rfc3339("2026-12-01T00:00:00Z")


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml does not exist"):
        read_limits(tmp_path / "nowhere.toml")


def test_each_difference_says_which_way_it_goes(tmp_path: Path):
    wanted = read_limits(written(tmp_path, WHOLE)).limits
    held = [limit(Control.ORDER_NOTIONAL, "250000"), limit(Control.OPEN_ORDERS, "2000")]
    in_force = {limit_key(each.control, each.scope): each for each in held}
    assert differences(wanted, in_force) == [
        "~ order_notional global: 250000 -> 200000 USD (tighter)",
        "+ leverage venue:okx: 4 ratio until 2026-12-01T00:00:00.000000Z (beside what is in force: tighter)",
        "- open_orders global: 2000 count (removed: another person must grant it)",
    ]
    assert differences(wanted, {})[0].endswith("200000 USD (first of its control: another person must grant it)")
    held = [limit(Control.ORDER_NOTIONAL, "150000"), limit(Control.LEVERAGE, "4", "venue:okx")]
    in_force = {limit_key(each.control, each.scope): each for each in held}
    assert differences(wanted, in_force) == [
        "~ order_notional global: 150000 -> 200000 USD (looser: another person must grant it)",
    ]


ENDS = "2026-12-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("value", "returns_to", "told"),
    [
        # What is asked for is 4 until the day, and what was approved for good from then on.
        ("4", "4", []),
        ("4", "5", []),
        ("3", None, [f"~ leverage venue:okx: 3 -> 4 ratio until {ENDS} (looser: another person must grant it)"]),
        (
            "3",
            "5",
            [f"~ leverage venue:okx: 3 until {ENDS} -> 4 ratio until {ENDS} (looser: another person must grant it)"],
        ),
        ("5", None, [f"~ leverage venue:okx: 5 -> 4 ratio until {ENDS} (tighter)"]),
    ],
)
def test_a_value_for_a_time_differs_by_its_whole_course(
    tmp_path: Path, value: str, returns_to: str | None, told: list[str]
):
    ends_us = parse_rfc3339(ENDS)
    entry = read_limits(written(tmp_path, WHOLE)).limits[1]
    held = Limit(Control.LEVERAGE, "venue:okx", Num(value), "ratio", ends_us if returns_to else 0)
    held = msgspec.structs.replace(held, returns_to=Num(returns_to) if returns_to else None)
    assert differences([entry], {limit_key(held.control, held.scope): held}) == told


def test_a_limit_stands_once_in_a_file(tmp_path: Path):
    twice = WHOLE + '[[limits]]\ncontrol = "order_notional"\nvalue = "1"\n'
    with pytest.raises(SettingsError, match="order_notional global stands there twice"):
        read_limits(written(tmp_path, twice))


def test_what_is_so_already_is_no_difference(tmp_path: Path):
    wanted = read_limits(written(tmp_path, WHOLE)).limits
    ends_us = parse_rfc3339("2026-12-01T00:00:00Z")
    held = [
        limit(Control.ORDER_NOTIONAL, "200000"),
        limit(Control.LEVERAGE, "4", "venue:okx", ends_us),
    ]
    assert differences(wanted, {limit_key(each.control, each.scope): each for each in held}) == []
