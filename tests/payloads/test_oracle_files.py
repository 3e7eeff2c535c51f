"""`ballast oracle verify` on files: prices and exit code 0, the reason and 1, or 2 for what was asked wrongly."""

import base64
import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.oracle.signers import ROUTERS, SignersUnreadable, parse_signer_set, written
from api.cli import main
from tests.support.oracle_vectors import GATEWAY, PAYLOADS, REDSTONE, pyth_vectors, recorded

ROOT = Path(__file__).parents[2]
VECTORS = pyth_vectors()
EACH = pytest.mark.parametrize("vector", VECTORS, ids=[str(at) for at in range(len(VECTORS))])


class Asked:
    """Run the command in this process, on files of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capsys = capsys

    def __call__(self, oracle: str, content: str | bytes, signers: object = None) -> tuple[int, Any, str]:
        """Return the exit code, what was printed, and what was said."""
        file = self._folder / "update"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        arguments = ["oracle", "verify", oracle, str(file)]
        if signers is not None:
            (self._folder / "signers.json").write_text(signers if isinstance(signers, str) else json.dumps(signers))
            arguments += ["--signers", str(self._folder / "signers.json")]
        code = main(arguments)
        told = self._capsys.readouterr()
        return code, json.loads(told.out) if told.out else None, told.err


@pytest.fixture
def asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Asked:
    return Asked(tmp_path, capsys)


def signers_of(vector: dict[str, Any]) -> dict[str, Any]:
    return {"quorum": len(vector["signers"]), "addresses": vector["signers"]}


@EACH
def test_every_pyth_vector_verifies_to_its_signers_and_values(asked: Asked, vector: dict[str, Any]) -> None:
    code, told, said = asked("pyth", vector["hex"], signers_of(vector))
    assert (code, said) == (0, "")
    assert told["signers"] == vector["signers"]
    assert told["slot"] == vector["slot"]
    stated = [{key: value for key, value in each.items() if key != "in_merkle_root"} for each in vector["updates"]]
    assert told["messages"] == stated
    assert [price["feed"] for price in told["prices"]] == [each["feed_id"] for each in stated if each["type"] == 0]


@recorded
def test_one_process_from_the_command_line(tmp_path: Path) -> None:
    """Routers by default, hex or base64; the exit code and both streams as a shell sees them."""
    routed = bytes.fromhex(VECTORS[-1]["hex"])
    file = tmp_path / "update"
    command = [sys.executable, "-m", "api.cli", "oracle", "verify", "pyth", str(file)]
    for content in (routed.hex().encode(), b"0x" + routed.hex().upper().encode() + b"\n", base64.encodebytes(routed)):
        file.write_bytes(content)
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env={**os.environ}
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert [price["price"] for price in json.loads(done.stdout)["prices"]] == ["76612.50530278", "2380.26076043"]
    file.write_text((routed[:200] + bytes((routed[200] ^ 1,)) + routed[201:]).hex())
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env={**os.environ}
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ballast: signature_invalid: ")


@recorded
def test_what_was_recorded_of_redstone_verifies(asked: Asked) -> None:
    code, told, _ = asked("redstone", GATEWAY.read_bytes())
    assert code == 0
    assert (told["packages"], len(told["prices"])) == (250, 50)
    assert all(len(price["signers"]) == 5 for price in told["prices"])
    for name in PAYLOADS:
        code, told, _ = asked("redstone", (REDSTONE / name).read_text())
        assert code == 0
        assert told["prices"][0]["feed"] == "ETH"
        assert len(told["prices"][0]["signers"]) == 3


@recorded
def test_one_package_that_does_not_stand_fails_the_whole(asked: Asked) -> None:
    sound = json.loads(GATEWAY.read_bytes())
    last = list(sound)[-1]
    spoiled = copy.deepcopy(sound)
    spoiled[last][4]["dataPoints"][0]["value"] *= 2
    assert asked("redstone", json.dumps(spoiled))[0] == 1
    stranger = copy.deepcopy(sound)
    stranger[last][4] |= {"signature": sound["BTC"][3]["signature"], "signerAddress": None}
    code, told, said = asked("redstone", json.dumps(stranger))
    assert (code, told) == (1, None)
    assert said
    few = {**sound, last: sound[last][:2]}
    code, _, said = asked("redstone", json.dumps(few))
    assert code == 1
    assert said.startswith("ballast: quorum_missing: ")
    assert asked("redstone", json.dumps(few), {"quorum": 2, "addresses": dict(enumerate_signers(sound[last]))})[0] == 0


def enumerate_signers(packages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(str(at), package["signerAddress"]) for at, package in enumerate(packages)]


@recorded
@pytest.mark.parametrize("content", ["", "PNAU", "zz", "{}", "[]", "null", '{"ETH": 1}', "504e4155", "00" * 40])
def test_what_is_no_update_is_a_failure_with_its_reason(asked: Asked, content: str) -> None:
    for oracle in ("pyth", "redstone"):
        code, told, said = asked(oracle, content)
        assert (code, told) == (1, None)
        assert said.startswith("ballast: ")
        assert "Traceback" not in said


@recorded
@pytest.mark.parametrize(
    "signers",
    [
        "",
        "[]",
        "{}",
        '{"quorum": "3", "addresses": {}}',
        '{"quorum": true, "addresses": {"0": "0x41534bb176e461a3fb30479400f210549ecce638"}}',
        '{"quorum": 1, "addresses": ["0x41534bb176e461a3fb30479400f210549ecce638"]}',
        '{"quorum": 0, "addresses": {"0": "0x41534bb176e461a3fb30479400f210549ecce638"}}',
        '{"quorum": 2, "addresses": {"0": "0x41534bb176e461a3fb30479400f210549ecce638"}}',
        '{"quorum": 1, "addresses": {"x": "0x41534bb176e461a3fb30479400f210549ecce638"}}',
        '{"quorum": 1, "addresses": {"256": "0x41534bb176e461a3fb30479400f210549ecce638"}}',
        '{"quorum": 1, "addresses": {"00": "0x41534bb176e461a3fb30479400f210549ecce638"}}',
        '{"quorum": 1, "addresses": {"0": "0x41534bb176e461a3fb30479400f210549ecce6"}}',
        '{"quorum": 1, "addresses": {"0": "0x41534bb176e461a3fb30479400f210549ecce63g"}}',
        '{"quorum": 1, "addresses": {"0": 5}}',
        '{"quorum": 1, "quorum": 2, "addresses": {"0": "0x41534bb176e461a3fb30479400f210549ecce638"}}',
        (
            '{"quorum": 2, "addresses": {"0": "0x41534bb176e461a3fb30479400f210549ecce638",'
            ' "1": "41534bb176e461a3fb30479400f210549ecce638"}}'
        ),
    ],
)
def test_a_signer_set_that_is_none_was_asked_wrongly(asked: Asked, signers: str) -> None:
    code, told, said = asked("pyth", VECTORS[-1]["hex"], signers)
    assert (code, told) == (2, None)
    assert said.startswith("ballast: ")
    with pytest.raises(SignersUnreadable):
        parse_signer_set(signers)


def test_a_file_that_is_not_there_was_asked_wrongly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["pyth", str(tmp_path / "none")], ["redstone", str(tmp_path)]):
        assert main(["oracle", "verify", *arguments]) == 2
        assert capsys.readouterr().err.startswith("ballast: cannot read")
    for arguments in (["oracle"], ["oracle", "verify"], ["oracle", "verify", "chainlink", "x"]):
        with pytest.raises(SystemExit) as told:
            main(arguments)
        assert told.value.code == 2


def test_a_signer_set_is_read_as_it_is_written() -> None:
    assert parse_signer_set(written(ROUTERS)).addresses == ROUTERS.addresses
