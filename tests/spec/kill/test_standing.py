"""Senders stand in a list while they live, are killed from it, and none starts once the mark of a kill is there."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from api.standing import mark_of, require_unkilled, senders_in, set_mark, standing, stop_senders
from api.starting import CannotStart

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import sys
from pathlib import Path
from api.standing import standing
with standing(Path(sys.argv[1]), "execution"):
    sys.stdout.write("standing\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""
KILLED = {"at": "2026-01-01T00:00:00Z", "by": "rita", "reason": "a stolen key"}
WITHIN_S = 10.0


@contextlib.contextmanager
def sender(data_dir: Path) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(data_dir)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "standing\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_whoever_acts_stands_in_the_list_until_it_is_killed(tmp_path: Path) -> None:
    with sender(tmp_path) as process:
        assert senders_in(tmp_path) == [("execution", process.pid)]
        killed, living = stop_senders(tmp_path, WITHIN_S)
        assert (killed, living) == ((("execution", process.pid),), ())
        assert process.wait(WITHIN_S) == -signal.SIGKILL
    assert senders_in(tmp_path) == []


def test_one_that_is_stopped_by_a_signal_is_killed_too(tmp_path: Path) -> None:
    with sender(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        assert stop_senders(tmp_path, WITHIN_S)[1] == ()


def test_one_that_ended_by_itself_is_forgotten(tmp_path: Path) -> None:
    with standing(tmp_path, "chain"):
        assert senders_in(tmp_path) == [("chain", os.getpid())]
    assert senders_in(tmp_path) == []
    assert stop_senders(tmp_path, WITHIN_S) == ((), ())


def test_a_number_that_is_somebody_else_now_is_not_killed(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "senders"
    folder.mkdir(parents=True)
    (folder / f"execution.{os.getpid()}").write_text("left by a process that died, whose number we got")
    assert stop_senders(tmp_path, WITHIN_S) == ((), ())


def test_a_number_of_another_container_is_not_killed_and_is_said_to_live(tmp_path: Path) -> None:
    with standing(tmp_path, "execution"):
        (tmp_path / "run" / "senders" / f"execution.{os.getpid()}").write_text("counted elsewhere")
        killed, living = stop_senders(tmp_path, 0.05)
        assert living == [("execution", os.getpid())]
        assert killed == (("execution", os.getpid()),)


def test_after_a_kill_no_sender_starts_until_a_person_takes_the_mark_away(tmp_path: Path) -> None:
    assert set_mark(tmp_path, KILLED) == ""
    with pytest.raises(CannotStart, match="a stolen key"), standing(tmp_path, "execution"):
        pytest.fail("it stands")
    assert senders_in(tmp_path) == []
    mark_of(tmp_path).unlink()
    with standing(tmp_path, "execution"):
        pass


def test_a_mark_that_is_there_already_is_kept(tmp_path: Path) -> None:
    set_mark(tmp_path, KILLED)
    assert set_mark(tmp_path, {**KILLED, "reason": "another"}) == ""
    with pytest.raises(CannotStart, match="a stolen key"):
        require_unkilled(tmp_path)


def test_a_mark_that_cannot_be_read_keeps_everybody_out_as_well(tmp_path: Path) -> None:
    set_mark(tmp_path, KILLED)
    mark_of(tmp_path).write_bytes(b"\xff")
    with pytest.raises(CannotStart, match="cannot be read"):
        require_unkilled(tmp_path)


def test_a_mark_that_cannot_be_set_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file in its place")
    assert "run" in set_mark(tmp_path, KILLED)


def test_a_sender_that_cannot_be_listed_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file in its place")
    with pytest.raises(CannotStart, match="would not be stopped"), standing(tmp_path, "execution"):
        pytest.fail("it stands")
