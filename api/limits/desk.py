"""What a person does with limits from a terminal, over HTTP with a key: look, change, apply a file, grant, deny."""

import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from api.desk import ask, told, why
from api.limits.file import LimitsWanted, differences
from api.settings import SettingsError
from domain.instant import parse_rfc3339
from domain.limit import Control, Limit, limit_key
from domain.quantity import num

DONE = 0
PAGES_MAX = 100


def show_limits(url: str | None) -> int:
    """Print every limit in force, with what is used of it."""
    lines = [
        (f"{row['control']} {row['scope']}", f"{row['value']} {row['unit']}", _used(row), _until(row))
        for row in _rows(url, "limits")
        if row["in_force"]
    ]
    _table(("limit", "value", "used", ""), lines)
    return DONE


def show_waiting(url: str | None) -> int:
    """Print every change that waits for another person: what it would make of what, who asks for it and why."""
    waiting = tuple(_rows(url, "approvals", state="waiting"))
    for row in waiting:
        sys.stdout.write(f"{row['approval_id']}  {_asked(row)}\n")
        sys.stdout.write("".join(f"    {line}\n" for line in row["text"].split("; ")))
    if not waiting:
        sys.stdout.write("nothing waits for another person\n")
    return DONE


def set_limit(url: str | None, limit: tuple[str, str, str | None], reason: str, expires_at: str) -> int:
    """Set a limit (control, scope, value) or remove it (None); return 0 when it counts, 3 when it waits, 1 refused."""
    control, scope, value = limit
    body: dict[str, Any] = {"control": control, "scope": scope, "value": value, "reason": reason}
    if expires_at:
        body["expires_at"] = expires_at
    wanted = f"{control} of {scope} is {'removed' if value is None else value}"
    return told(ask(url, "POST", "/v1/limits", body), wanted, f"{wanted} already: nothing was changed")


def release_latch(url: str | None, control: str, scope: str, reason: str) -> int:
    """Ask that a latched control be enabled again; return 3 when it waits, 1 when it was refused."""
    body = {"control": control, "scope": scope, "reason": reason}
    done = f"{control} of {scope} is enabled"
    return told(ask(url, "POST", "/v1/latches/release", body), done, f"{done} already: nothing was changed")


def apply_limits(url: str | None, wanted: LimitsWanted) -> int:
    """Print how a file differs from what is in force, and ask for it as one change."""
    lines = differences(wanted.limits, _in_force(url))
    sys.stdout.write("".join(f"{line}\n" for line in lines) or "nothing would change\n")
    if not lines:
        return DONE
    return told(ask(url, "POST", "/v1/limits/apply", wanted.body()), "done", "it is so already: nothing was changed")


def decide(url: str | None, approval: str, decision: str) -> int:
    """Grant or deny a change that waits, and say which it was; return 0 when it is done, 1 when it was refused.

    The grant is bound to the change that is shown, so that no other can be granted by this.
    """
    body = {"decision": decision}
    for row in _rows(url, "approvals", state="waiting"):
        if row["approval_id"] == approval.lower():
            sys.stdout.write(f"{decision} {row['text']} ({_asked(row)})\n")
            body["change_sha256"] = row["change_sha256"]
    path = f"/v1/approvals/{urllib.parse.quote(approval, safe='')}"
    return told(ask(url, "POST", path, body), "done", "it is so already: nothing was changed")


def _asked(row: dict[str, Any]) -> str:
    return f"asked by {row['author']} until {row['expires_at']}: {row['reason']}"


def _rows(url: str | None, view: str, **query: str) -> Iterator[dict[str, Any]]:
    for _ in range(PAGES_MAX):
        status, answer = ask(url, "GET", f"/v1/{view}?{urllib.parse.urlencode(query)}")
        if status != HTTPStatus.OK:
            raise SettingsError(f"/v1/{view} was refused: {why(status, answer)}")
        yield from answer[view]
        if answer["next"] is None:
            return
        query = {**query, "after": str(answer["next"])}


def _in_force(url: str | None) -> Mapping[str, Limit]:
    rows = (row for row in _rows(url, "limits") if row["in_force"] and row["control"] in tuple(Control))
    limits = (_limit(row) for row in rows)
    return {limit_key(limit.control, limit.scope): limit for limit in limits}


def _limit(row: dict[str, Any]) -> Limit:
    return Limit(
        Control(row["control"]),
        row["scope"],
        num(row["value"]),
        row["unit"],
        parse_rfc3339(row["expires_at"]) if row["expires_at"] else 0,
        None if row["returns_to"] is None else num(row["returns_to"]),
    )


def _used(row: dict[str, Any]) -> str:
    used, share = row.get("used"), row.get("share_bps")
    if used is None:
        return ""
    return f"{used} {row['unit']}" + (f" ({int(share) // 100}%)" if share is not None else "")


def _until(row: dict[str, Any]) -> str:
    return f"until {row['expires_at']}, then {row['returns_to']}" if row.get("expires_at") else ""


def _table(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> None:
    widths = [max(len(line[place]) for line in (head, *lines)) for place in range(len(head))]
    for line in (head, *lines):
        shown = "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True))
        sys.stdout.write(f"{shown.rstrip()}\n")
