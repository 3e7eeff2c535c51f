"""`ballast limits`: look at limits, change them, apply a file of them, grant or deny what waits for another person."""

import argparse
import importlib
import os
from pathlib import Path
from typing import Any

from api.settings import SettingsError

HOURS_DEFAULT = 24


def add_limits(commands: Any) -> None:
    """Add the command and what it can be asked."""
    limits = commands.add_parser("limits", help="look at limits and change them (BALLAST_KEY holds your API key)")
    asked = limits.add_subparsers(required=True, metavar="WHAT")
    _add(asked, "show", "print every limit in force, with what is used of it", _show)
    _add(asked, "waiting", "print every change that waits for another person", _waiting)
    change = _add(asked, "set", "set a limit: tightening counts at once, loosening waits for another person", _set)
    change.add_argument("control")
    change.add_argument("scope")
    change.add_argument("value", help="in the control's unit")
    change.add_argument("--reason", required=True)
    change.add_argument("--expires-at", default="", help="RFC 3339: from then on it is what was approved before")
    remove = _add(asked, "remove", "remove a limit, which waits for another person", _remove)
    remove.add_argument("control")
    remove.add_argument("scope")
    remove.add_argument("--reason", required=True)
    _add_apply(asked)
    release = _add(asked, "release", "enable again what a control latched, which waits for another person", _release)
    release.add_argument("control")
    release.add_argument("scope")
    release.add_argument("--reason", required=True)
    for name, told in (("approve", "grant what another person asked for"), ("deny", "deny it, or withdraw your own")):
        decide = _add(asked, name, told, _decide)
        decide.add_argument("approval", help="the id that the change was answered with")
        decide.set_defaults(decision="grant" if name == "approve" else "deny")


def _add_apply(asked: Any) -> None:
    apply = _add(asked, "apply", "ask for the limits of a file as one change, and print what differs", _apply)
    apply.add_argument("file", type=Path, help="TOML: reason, and [[limits]] with control, scope, value or remove")
    apply.add_argument("--dry-run", action="store_true", help="change nothing; decide the last day again under them")
    apply.add_argument("--dsn", help="of a role that may select, for the dry run; else BALLAST_DSN")
    apply.add_argument("--hours", type=int, default=HOURS_DEFAULT, help="how much the dry run decides again")


def _add(asked: Any, name: str, told: str, run: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = asked.add_parser(name, help=told)
    command.add_argument("--url", help="of the running Ballast; else BALLAST_URL, else http://127.0.0.1:8080")
    command.set_defaults(run=run)
    return command


def _tool(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _show(asked: argparse.Namespace) -> int:
    return _tool("api.limits.desk", "show_limits")(asked.url)


def _waiting(asked: argparse.Namespace) -> int:
    return _tool("api.limits.desk", "show_waiting")(asked.url)


def _set(asked: argparse.Namespace) -> int:
    limit = (asked.control, asked.scope, asked.value)
    return _tool("api.limits.desk", "set_limit")(asked.url, limit, asked.reason, asked.expires_at)


def _remove(asked: argparse.Namespace) -> int:
    return _tool("api.limits.desk", "set_limit")(asked.url, (asked.control, asked.scope, None), asked.reason, "")


def _release(asked: argparse.Namespace) -> int:
    return _tool("api.limits.desk", "release_latch")(asked.url, asked.control, asked.scope, asked.reason)


def _apply(asked: argparse.Namespace) -> int:
    wanted = _tool("api.limits.file", "read_limits")(asked.file)
    if not asked.dry_run:
        return _tool("api.limits.desk", "apply_limits")(asked.url, wanted)
    dsn = asked.dsn or os.environ.get("BALLAST_DSN")
    if not dsn:
        raise SettingsError("a dry run reads the log: give a role that may select by --dsn, or in BALLAST_DSN")
    if asked.hours <= 0:
        raise SettingsError("--hours is one or more")
    return _tool("api.wiring.rehearsing", "run_rehearsal")(dsn, wanted, asked.hours)


def _decide(asked: argparse.Namespace) -> int:
    return _tool("api.limits.desk", "decide")(asked.url, asked.approval, asked.decision)
