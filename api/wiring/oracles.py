"""The command line's door to the oracles: verify a saved update against a signer set."""

import json
import sys
from pathlib import Path
from typing import Literal

from adapters.oracle.files import FILE_BYTES_MAX, pyth_report, redstone_report
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.signers import REDSTONE_PRODUCTION, ROUTERS, SignerSet, SignersUnreadable, parse_signer_set
from api.settings import SettingsError


def run_oracle_verify(oracle: Literal["pyth", "redstone"], file: Path, signers_file: Path | None) -> int:
    """Print a file's verified prices as JSON and return 0, or its reason to standard error and return 1.

    Freshness is printed, not judged. A file that is not there, and a signer set that is none, are settings errors.
    """
    content = _read(file)
    production = ROUTERS if oracle == "pyth" else REDSTONE_PRODUCTION
    signers = production if signers_file is None else _signers(signers_file)
    try:
        report = (pyth_report if oracle == "pyth" else redstone_report)(content, signers)
    except OracleRejected as error:
        sys.stderr.write(f"ballast: {error}\n")
        return 1
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0


def _signers(file: Path) -> SignerSet:
    try:
        return parse_signer_set(_read(file))
    except SignersUnreadable as error:
        raise SettingsError(f"{file}: {error}") from error


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        raise SettingsError(f"{file} has more than {FILE_BYTES_MAX} bytes")
    return content
