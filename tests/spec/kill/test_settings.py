"""The kill reads its own part of the settings, whatever else is wrong in them; and it lives without everything else."""

import subprocess
import sys
from pathlib import Path

import pytest

from api.killing.journal import KillJournal
from api.killing.settings_file import read_document
from api.settings import SettingsError, read_settings

ROOT = Path(__file__).resolve().parents[3]
FILE = """
[policy]
nonsense = 1
[services]
data_dir = "/data"
[[venues]]
name = "okx"
symbols = 3
[[venues]]
name = "bybit"
account = "second"
[[venues]]
name = "kraken"
private = false
[kill]
url = "http://127.0.0.1:1"
[[kill.venues]]
name = "okx"
api_key = "env:NOT_SET"
"""


def test_what_is_wrong_elsewhere_in_the_file_stops_no_kill(tmp_path: Path) -> None:
    place = tmp_path / "ballast.toml"
    place.write_text(FILE)
    with pytest.raises(SettingsError):
        read_settings(place)
    document = read_document(place)
    assert [each.name for each in document.kill.venues] == ["okx"]
    assert str(document.folder) == "/data/kill"
    assert str(read_document(place, "/elsewhere").folder) == "/elsewhere/kill"


def test_an_account_that_is_traded_without_a_key_of_the_kill_is_named(tmp_path: Path) -> None:
    place = tmp_path / "ballast.toml"
    place.write_text(FILE)
    assert [(each.name, each.account) for each in read_document(place).uncovered] == [("bybit", "second")]


def test_every_lease_of_a_sender_is_named(tmp_path: Path) -> None:
    place = tmp_path / "ballast.toml"
    place.write_text(FILE)
    assert read_document(place).leases == ("ballast:bybit:second", "ballast:okx:main", "ballast:chain")


@pytest.mark.parametrize("content", ["[kill]\nurll = 'x'", "[kill", "\xff"])
def test_a_fault_in_its_own_part_is_told(tmp_path: Path, content: str) -> None:
    place = tmp_path / "ballast.toml"
    place.write_bytes(content.encode("latin-1"))
    with pytest.raises(SettingsError):
        read_document(place)


def test_the_defaults_cover_every_account_of_the_defaults() -> None:
    document = read_document(ROOT / "ballast.toml")
    assert document.uncovered == ()
    assert document.kill == read_settings(ROOT / "ballast.toml").kill


def test_no_key_stands_in_a_repr() -> None:
    venue = read_document(ROOT / "ballast.toml").kill.venues[0]
    assert "env:" not in repr(venue)


def test_it_starts_without_loading_what_may_be_dead_or_slow() -> None:
    code = (
        "import sys, api.cli, api.wiring.kill, adapters.exchange.sweep\n"
        "heavy = ('asyncpg', 'nats', 'ccxt', 'web3', 'litestar', 'eventsourcing')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_journal_is_written_line_by_line_and_a_failing_disk_only_told(tmp_path: Path) -> None:
    journal = KillJournal(tmp_path / "kill" / "one.jsonl")
    journal.note("asked", by="rita")
    journal.note("ended", path=tmp_path)
    journal.close()
    lines = journal.path.read_text().splitlines()
    assert [line.partition('"what":')[2][:7] for line in lines] == ['"asked"', '"ended"']
    assert journal.error == ""
    (tmp_path / "file").write_text("")
    failing = KillJournal(tmp_path / "file" / "one.jsonl")
    failing.note("asked")
    failing.close()
    assert "not all is written down" in failing.error
