"""`ballast`: one command for whoever starts it, stops it, looks into it or proves it."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from api.settings import SettingsError, read_settings
from api.wiring.demo import DemoSettings, fresh_seed, run_demo
from api.wiring.roles import ROLES, WITHIN, run_roles

_DEFAULTS = Path(__file__).parents[1] / "ballast.toml"
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
    demo = commands.add_parser("demo", help="run everything on a simulated venue, with benefactors who trade")
    demo.add_argument("--port", type=int, default=8080, help="of the HTTP API")
    demo.add_argument("--data-dir", type=Path, default=Path(".ballast"), help="made if it is not there")
    demo.add_argument("--for", dest="seconds", type=float, help="end by itself after so many seconds")
    demo.add_argument("--seed", type=int, help="fixes the inputs, not how they interleave")
    demo.add_argument("--replay", type=Path, help="a recording of raw USD-M lines (gz) as the ETHUSDT market")
    demo.set_defaults(run=_demo)
    up = commands.add_parser("up", help="run on the settings of a file")
    up.add_argument("--config", type=Path, default=Path("ballast.toml"))
    up.add_argument("--role", action="append", choices=sorted({*ROLES, *WITHIN}), help="run only this role, here")
    up.set_defaults(run=_up)
    return parser


def _demo(asked: argparse.Namespace) -> int:
    wanted = DemoSettings(
        data_dir=asked.data_dir,
        port=asked.port,
        seconds=asked.seconds,
        seed=fresh_seed() if asked.seed is None else asked.seed,
        replay=asked.replay,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_demo(wanted, read_settings(_DEFAULTS)))


def _up(asked: argparse.Namespace) -> int:
    settings = read_settings(asked.config)
    run_roles(asked.role, settings, asked.config.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
