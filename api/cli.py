"""`ballast`: one command for whoever starts it, stops it, looks into it or proves it."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from api.settings import SettingsError, read_settings
from api.wiring.roles import ROLES, WITHIN, run_roles

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 found something wrong, 2 was asked wrongly."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        return asked.run(asked)
    except SettingsError as error:
        sys.stderr.write(f"ballast: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ballast", description="Hedging system of a delta-neutral synthetic dollar.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="run on the settings of a file")
    up.add_argument("--config", type=Path, default=Path("ballast.toml"))
    up.add_argument("--role", action="append", choices=sorted({*ROLES, *WITHIN}), help="run only this role, here")
    up.set_defaults(run=_up)
    return parser


def _up(asked: argparse.Namespace) -> int:
    settings = read_settings(asked.config)
    run_roles(asked.role, settings, asked.config.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
