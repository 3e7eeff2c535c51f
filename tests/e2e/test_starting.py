"""What cannot start says why in a sentence."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.support.demo import ROOT, free_port

REFUSED_WITHIN_S = 90.0


def _refused(data_dir: Path, *options: object) -> str:
    """Try a demonstration; return what it said on its way out."""
    command = [sys.executable, "-m", "api.cli", "demo", "--data-dir", str(data_dir), *map(str, options)]
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=REFUSED_WITHIN_S, check=False)
    assert tried.returncode in {1, 2}, tried.stderr
    assert "Traceback" not in tried.stderr
    return tried.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}" in _refused(tmp_path / "data", "--port", port)


def test_a_recording_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "no recording" in _refused(tmp_path / "data", "--port", free_port(), "--replay", tmp_path / "none.gz")


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot be used" in _refused(tmp_path / "file" / "data", "--port", free_port())
