"""What a person is told at a terminal: every command that stops, releases, tightens or loosens, and every refusal."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from api.cli import main
from domain.latch import ControlLatched
from domain.limit import Control
from tests.integration.http.test_server import served
from tests.support.shop import Shop

DONE, REFUSED, ASKED_WRONGLY, WAITS = 0, 1, 2, 3


class Terminal:
    """Run `ballast` as the holder of a key, and keep what it printed."""

    def __init__(self, shop: Shop, printed: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.shop = shop
        self._printed = printed
        self._patch = patch

    async def run(self, who: str, *words: str) -> tuple[int, str]:
        self._patch.setenv("BALLAST_KEY", self.shop.keys.get(who, who))
        status = await asyncio.to_thread(main, words)
        told = self._printed.readouterr()
        return status, told.out + told.err


@pytest.fixture
async def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Terminal]:
    shop = Shop()
    await shop.core.fold()
    async with served(shop) as (url, _, _):
        monkeypatch.setenv("BALLAST_URL", url)
        yield Terminal(shop, capsys, monkeypatch)


async def test_a_halt_and_its_release_say_what_is_so(terminal: Terminal):
    status, told = await terminal.run("operator", "halt", "--reason", "drill")
    assert (status, told.startswith("global is HALTED as of position ")) == (DONE, True)
    status, told = await terminal.run("operator", "halt", "--reason", "again")
    assert (status, told) == (DONE, "global was HALTED already: nothing was changed\n")
    status, told = await terminal.run("operator", "resume", "--reason", "over")
    why = "an operator may only halt: anything else may release something (HTTP 403, release_needs_risk)"
    assert (status, told) == (REFUSED, f"ballast: refused: {why}\n")
    status, told = await terminal.run("risk", "resume", "--reason", "over")
    assert (status, told.startswith("global is ACTIVE as of position ")) == (DONE, True)


async def test_what_waits_is_shown_and_bound_to_its_grant(terminal: Terminal):
    status, told = await terminal.run(
        "risk", "limits", "set", "net_delta", "asset:ETH", "41", "--reason", "deeper books"
    )
    assert (status, "nothing changed yet: another person must grant it" in told) == (WAITS, True)
    approval = told.split()[-1]
    status, told = await terminal.run("risk2", "limits", "waiting")
    assert status == DONE
    assert f"{approval}  asked by risk until " in told
    assert told.endswith(": deeper books\n    net_delta of asset:ETH: 40 to 41\n")
    status, told = await terminal.run("risk", "limits", "approve", approval)
    assert (status, "another person must grant it, by whatever key (HTTP 403, approval_own)" in told) == (REFUSED, True)
    status, told = await terminal.run("risk2", "limits", "approve", approval)
    assert (status, told.startswith("grant net_delta of asset:ETH: 40 to 41 (asked by risk until ")) == (DONE, True)
    assert b'"change_sha256":""' not in bytes(terminal.shop.core.asked[-1].body)
    assert await terminal.run("risk2", "limits", "waiting") == (DONE, "nothing waits for another person\n")
    status, told = await terminal.run("risk2", "limits", "approve", approval)
    assert (status, "(HTTP 409, approval_over)" in told) == (REFUSED, True)


async def test_a_limit_that_is_so_already_is_told_as_that(terminal: Terminal):
    words = ("limits", "set", "net_delta", "asset:ETH", "39", "--reason", "thin books")
    status, told = await terminal.run("risk", *words)
    assert (status, told.startswith("net_delta of asset:ETH is 39 as of position ")) == (DONE, True)
    told_again = (DONE, "net_delta of asset:ETH is 39 already: nothing was changed\n")
    assert await terminal.run("risk", *words) == told_again


async def test_a_file_is_told_as_what_differs(terminal: Terminal, tmp_path: Path):
    file = tmp_path / "limits.toml"
    file.write_text('reason = "r"\n[[limits]]\ncontrol = "net_delta"\nscope = "asset:ETH"\nvalue = "30"\n')
    status, told = await terminal.run("risk", "limits", "apply", str(file))
    assert (status, told.splitlines()[0]) == (DONE, "~ net_delta asset:ETH: 40 -> 30 base (tighter)")
    assert await terminal.run("risk", "limits", "apply", str(file)) == (DONE, "nothing would change\n")


async def test_what_latched_is_enabled_by_two(terminal: Terminal):
    control, scope = Control.REPEATED_EXECUTION, "asset:ETH"
    latched = ControlLatched(control=control, scope=scope, limit="3000", value="3001", text="a loop")
    terminal.shop.core.happened(latched)
    words = ("limits", "release", control, scope, "--reason", "the loop was found")
    status, told = await terminal.run("risk", *words)
    assert (status, "another person must grant it" in told) == (WAITS, True)
    status, told = await terminal.run("risk2", "limits", "approve", told.split()[-1])
    assert (status, told.startswith("grant repeated_execution of asset:ETH: latched to enabled")) == (DONE, True)
    assert terminal.shop.core.desk.book.latches == {}
    status, told = await terminal.run("risk", *words)
    assert (status, "(HTTP 404, unknown_subject)" in told) == (REFUSED, True)


@pytest.mark.parametrize(
    ("who", "words", "expected"),
    [
        ("risk", ("halt", "--reason", "x", "--scope", "galaxy"), "'galaxy' is no scope"),
        ("viewer", ("halt", "--reason", "x"), "the role viewer may not use this route (HTTP 403, role_forbidden)"),
        ("nobody's", ("halt", "--reason", "x"), "this API key is not known (HTTP 401, key_invalid)"),
        ("risk", ("limits", "set", "luck", "global", "1", "--reason", "x"), "'luck' is no control"),
        ("risk", ("limits", "approve", "nonsense"), "no such approval (HTTP 404, unknown_subject)"),
    ],
)
async def test_a_refusal_is_a_sentence(terminal: Terminal, who: str, words: tuple[str, ...], expected: str):
    status, told = await terminal.run(who, *words)
    assert (status, told.startswith("ballast: refused: "), expected in told) == (REFUSED, True, True)
    assert "{" not in told


async def test_a_house_that_is_not_there_is_told_with_what_still_works(terminal: Terminal):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens here
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        status, told = await terminal.run("risk", "halt", "--reason", "x", "--url", url)
        assert (status, "Nothing was asked of it" in told, "ballast kill" in told) == (ASKED_WRONGLY, True, True)
        status, told = await terminal.run("risk", "resume", "--reason", "x", "--url", url)
        assert (status, "ballast kill" in told) == (ASKED_WRONGLY, False)


@pytest.mark.parametrize("key", ["", "  ", "ke\ny", "schlüssel"])
async def test_a_key_that_can_be_none_is_not_sent(terminal: Terminal, key: str):
    status, told = await terminal.run(key, "halt", "--reason", "x")
    assert (status, "BALLAST_KEY" in told) == (ASKED_WRONGLY, True)
    assert terminal.shop.core.asked == []


@pytest.mark.parametrize(
    "words", [("migrate",), ("audit", "verify"), ("projections", "rebuild", "limits"), ("limits", "apply", "--dry-run")]
)
def test_a_database_that_does_not_answer_is_told_in_a_sentence(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "limits.toml"
    file.write_text('reason = "r"\n[[limits]]\ncontrol = "leverage"\nvalue = "3"\n')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens here
        dsn = f"postgres://nobody:secret@127.0.0.1:{taken.getsockname()[1]}/none"
        files = (str(file),) if words[0] == "limits" else ()
        assert main((*words, *files, "--dsn", dsn)) == ASKED_WRONGLY
    told = capsys.readouterr().err
    assert told.startswith("ballast: the database of the DSN cannot be used: ")
    assert "secret" not in told
