"""`ballast`: one command for whoever starts it, stops it, looks into it or proves it."""

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.limits.command_line import add_limits
from api.settings import SettingsError, read_settings
from api.starting import CannotStart, held

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
SEEDS_DEFAULT = 1_000
_DEFAULTS = Path(__file__).parents[1] / "ballast.toml"

URGENT = -20
DONE, WRONG, ASKED_WRONGLY = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 found something wrong, 2 was asked wrongly."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("picows").setLevel(logging.WARNING)  # every socket that opens is not news
    try:
        return asked.run(asked)
    except SettingsError as error:
        sys.stderr.write(f"ballast: {error}\n")
        return ASKED_WRONGLY
    except CannotStart as error:
        sys.stderr.write(f"ballast: {error}\n")
        return WRONG


def _tool(module: str, name: str) -> Any:
    """Import what a command needs when it is asked for, so that every other one starts without it."""
    return getattr(importlib.import_module(module), name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ballast", description="Hedging system of a delta-neutral synthetic dollar.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_running(commands)
    _add_stopping(commands)
    add_limits(commands)
    _add_proving(commands)
    _add_oracle(commands)
    return parser


def _add_running(commands: Any) -> None:
    demo = commands.add_parser(
        "demo", help="run everything on simulated venues and oracles, with benefactors who trade"
    )
    demo.add_argument("--port", type=int, default=8080, help="of the HTTP API")
    demo.add_argument("--data-dir", type=Path, default=Path(".ballast"), help="made if it is not there")
    demo.add_argument("--for", dest="seconds", type=float, help="end by itself so many seconds after readiness")
    demo.add_argument("--seed", type=int, help="fixes the inputs, not how they interleave")
    demo.add_argument(
        "--replay",
        type=Path,
        help="a recording of raw USD-M lines (gz) as the ETHUSDT market; the other venues follow it",
    )
    demo.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[@SOURCE]",
        help="let a simulated venue or oracle go wrong for a while, and judge what was done; with --for",
    )
    demo.add_argument(
        "--scenario",
        metavar="NAME",
        help="let something befall the venues while benefactors trade, and judge what was done: venue_outage, adl, "
        "partial_fills, lost_ack, breach, depeg_10_10, bybit_outage, runaway_algo",
    )
    demo.set_defaults(run=_demo)
    up = commands.add_parser("up", help="run on the settings of a file, on given servers or embedded ones")
    up.add_argument("--config", type=Path, default=Path("ballast.toml"))
    up.add_argument("--role", action="append", help="run only this role, in this process; may be repeated")
    up.set_defaults(run=_up)


def _add_stopping(commands: Any) -> None:
    for name, told in (("halt", "only cancels and queries from here on"), ("resume", "release what another halted")):
        command = commands.add_parser(name, help=f"{told} (BALLAST_KEY holds your API key)")
        command.add_argument("--scope", default="global", help="global, venue:<id>, asset:<underlying>, pair:<name>")
        command.add_argument("--reason", required=True)
        command.add_argument("--url", help="of the running Ballast; else BALLAST_URL, else http://127.0.0.1:8080")
        command.set_defaults(run=_mode, mode="HALTED" if name == "halt" else "ACTIVE")
    _add_kill(commands)


def _add_kill(commands: Any) -> None:
    kill = commands.add_parser(
        "kill", help="stop the senders, cancel every order at every venue, shut the contract; needs nothing that runs"
    )
    kill.add_argument("--reason", required=True)
    kill.add_argument("--config", type=Path, default=Path("ballast.toml"), help="whose [kill] names keys of its own")
    kill.add_argument("--data-dir", default="", help="of the house, where it is not as the file says")
    kill.add_argument("--only", action="append", choices=("senders", "venues", "chain"), help="may be repeated")
    kill.add_argument("--yes", action="store_true", help="do not ask")
    kill.add_argument("--dry-run", action="store_true", help="try every key, show what stands, change nothing")
    kill.add_argument("--hold", action="store_true", help="then keep leases and go on sweeping until interrupted")
    kill.add_argument("--json", action="store_true", help="report as JSON")
    kill.set_defaults(run=_kill)


def _add_proving(commands: Any) -> None:
    migrate = commands.add_parser("migrate", help="bring the schema up to date")
    migrate.add_argument("--dsn", help="of the owner; else BALLAST_DSN")
    migrate.set_defaults(run=_migrate)
    audit = commands.add_parser("audit", help="prove the log").add_subparsers(required=True, metavar="WHAT")
    verify = audit.add_parser("verify", help="walk the hash chain")
    verify.add_argument("--dsn", help="of a role that may select; else BALLAST_DSN")
    verify.add_argument("--expect", metavar="POSITION:HASH", help="a head noted earlier, which must still be there")
    verify.set_defaults(run=_verify)
    models = commands.add_parser("projections", help="look after read models").add_subparsers(
        required=True, metavar="WHAT"
    )
    rebuild = models.add_parser("rebuild", help="fold the log into a new table and swap it in")
    rebuild.add_argument("name")
    rebuild.add_argument("--dsn", help="of the owner; else BALLAST_DSN")
    rebuild.set_defaults(run=_rebuild)
    simulate = commands.add_parser("simulate", help="search the simulated world for what breaks an invariant")
    simulate.add_argument("--seeds", type=int, default=SEEDS_DEFAULT)
    simulate.add_argument("--first", type=int, default=0, help="the first seed")
    simulate.set_defaults(run=_simulate)


def _add_oracle(commands: Any) -> None:
    oracle = commands.add_parser("oracle", help="what the price oracles say").add_subparsers(
        required=True, metavar="WHAT"
    )
    verify = oracle.add_parser("verify", help="verify a saved update; print its prices as JSON")
    verify.add_argument("oracle", choices=("pyth", "redstone"))
    verify.add_argument(
        "file", type=Path, help="Pyth: an update in hex or base64; RedStone: gateway JSON or payload hex"
    )
    verify.add_argument("--signers", type=Path, help='JSON {"quorum": n, "addresses": {"<index>": "0x..."}}')
    verify.set_defaults(run=_verify_oracle)


def _dsn(asked: argparse.Namespace) -> str:
    dsn = asked.dsn or os.environ.get("BALLAST_DSN")
    if not dsn:
        raise SettingsError("give the database by --dsn, or in BALLAST_DSN, where others cannot read its password")
    return dsn


def _migrate(asked: argparse.Namespace) -> int:
    return _tool("api.wiring.tools", "run_migrate")(_dsn(asked))


def _verify(asked: argparse.Namespace) -> int:
    return _tool("api.wiring.tools", "run_verify")(_dsn(asked), asked.expect)


def _verify_oracle(asked: argparse.Namespace) -> int:
    return _tool("api.wiring.oracles", "run_oracle_verify")(asked.oracle, asked.file, asked.signers)


def _rebuild(asked: argparse.Namespace) -> int:
    return _tool("api.wiring.tools", "run_rebuild")(asked.name, _dsn(asked))


def _simulate(asked: argparse.Namespace) -> int:
    return _tool("api.wiring.tools", "run_simulate")(asked.seeds, asked.first)


def _demo(asked: argparse.Namespace) -> int:
    if asked.replay is not None and not asked.replay.is_file():
        raise SettingsError(f"there is no recording {asked.replay}")
    if asked.fault and asked.seconds is None:
        raise SettingsError("a fault is judged at the end: give --for as well")
    with held(asked.data_dir):
        # One that was killed left its card behind: away with it before anybody takes it for ours.
        (asked.data_dir / "demo.json").unlink(missing_ok=True)
        return _run_demo(asked)


def _run_demo(asked: argparse.Namespace) -> int:
    settings, fresh_seed = _tool("api.wiring.demo", "DemoSettings"), _tool("api.wiring.demo", "fresh_seed")
    wanted = settings(
        data_dir=asked.data_dir,
        port=asked.port,
        seconds=asked.seconds,
        seed=fresh_seed() if asked.seed is None else asked.seed,
        replay=asked.replay,
        faults=tuple(map(_tool("api.demo.faults", "parse_fault"), asked.fault)),
        scenario=_tool("api.demo.scenarios", "parse_scenario")(asked.scenario, asked.seconds) if asked.scenario else "",
    )
    return _on_uvloop(_tool("api.wiring.demo", "run_demo")(wanted, read_settings(_DEFAULTS)))


def _up(asked: argparse.Namespace) -> int:
    settings, folder = read_settings(asked.config), asked.config.parent
    if asked.role:
        known = _tool("api.wiring.roles", "known_roles")()
        strangers = sorted(set(asked.role) - known)
        if strangers:
            raise SettingsError(f"no role is called {', '.join(strangers)}: {', '.join(sorted(known))}")
        _tool("api.wiring.roles", "run_roles")(asked.role, settings, folder)
        return DONE
    with held(settings.data_dir):
        return _on_uvloop(_tool("api.wiring.up", "run_up")(settings, folder))


def _kill(asked: argparse.Namespace) -> int:
    with contextlib.suppress(OSError):  # where we may: before whatever else keeps the machine busy
        os.setpriority(os.PRIO_PROCESS, 0, URGENT)
    wanted = _tool("api.wiring.kill", "KillAsked")(
        config=asked.config,
        reason=asked.reason,
        data_dir=asked.data_dir,
        parts=tuple(asked.only or ()),
        yes=asked.yes,
        dry_run=asked.dry_run,
        as_json=asked.json,
        hold=asked.hold,
    )
    return _tool("api.wiring.kill", "run_kill")(wanted)


def _mode(asked: argparse.Namespace) -> int:
    return _tool("api.desk", "change_mode")(asked.url, asked.mode, asked.scope, asked.reason)


def _on_uvloop(work: Any) -> int:
    uvloop = importlib.import_module("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


if __name__ == "__main__":
    sys.exit(main())
