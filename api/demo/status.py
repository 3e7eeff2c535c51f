"""What a demonstration shows while it runs and when it ends."""

import time
from collections.abc import Mapping, Sequence
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from api.demo.benefactors import Tally
from api.demo.checks import Verdict, underlyings
from api.replica import Replica
from domain.exposure import exposure

PLAIN_EVERY_S = 5.0


class Status:
    """Draw the state of the house: live in a terminal, a line every few seconds elsewhere."""

    def __init__(self, console: Console, url: str, replica: Replica, tally: Tally) -> None:
        self._console = console
        self._url = url
        self._replica = replica
        self._tally = tally
        self._pids: Mapping[str, int] = {}
        self._started = time.monotonic()
        self._printed = 0.0
        self._before = (self._started, 0)
        self._rate = 0.0
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """End drawing."""
        if self._live is not None:
            self._live.stop()

    def pids(self, pids: Mapping[str, int]) -> None:
        """Show these processes."""
        self._pids = dict(pids)

    def draw(self, note: str = "") -> None:
        """Show the state as it is now."""
        now = time.monotonic()
        then, position = self._before
        if now - then >= 1:
            self._rate = (self._replica.position - position) / (now - then)
            self._before = (now, self._replica.position)
        if self._live is not None:
            self._live.update(self._picture(note))
        elif now - self._printed >= PLAIN_EVERY_S:
            self._printed = now
            self._console.print(self._line(note), highlight=False, soft_wrap=True)

    def _line(self, note: str) -> str:
        book, tally = self._replica.book, self._tally
        exposures = ", ".join(
            f"{underlying} [{here.interval.low}, {here.interval.high}]"
            for underlying in underlyings(book)
            for here in (exposure(book, underlying),)
        )
        refused = sum(tally.refused.values())
        return (
            f"{now_s(self._started):>5.0f} s  events {self._replica.position} ({self._rate:.0f}/s)  "
            f"quoted {tally.quoted}  accepted {tally.accepted}  refused {refused}  open {len(book.requests)}  "
            f"transactions {tally.transactions} {tally.last_transaction[:10]}  "
            f"exposure {exposures}  unknown {sum(order.unknown for order in book.orders.values())}  {note}"
        )

    def _picture(self, note: str) -> Group:
        roles = "  ".join(f"{role} {pid}" for role, pid in sorted(self._pids.items()))
        modes = ", ".join(f"{scope} {mode}" for scope, mode in self._replica.book.modes.items()) or "ACTIVE"
        return Group(
            Text(f"Ballast demonstration at {self._url}   mode {modes}", style="bold"),
            Text(self._line(note)),
            Text(f"processes: {roles}", style="dim"),
        )


def now_s(started: float) -> float:
    """Return seconds since a start."""
    return time.monotonic() - started


def print_summary(console: Console, verdicts: Sequence[Verdict], tally: Tally) -> None:
    """Print what happened and which invariants held."""
    table = Table(title="Invariants", title_justify="left", show_lines=False)
    table.add_column("")
    table.add_column("invariant")
    table.add_column("found")
    for verdict in verdicts:
        mark = Text("held", style="green") if verdict.held else Text("BROKEN", style="bold red")
        table.add_row(mark, verdict.invariant, verdict.found)
    console.print(f"quoted {tally.quoted}, accepted {tally.accepted}, unreachable {tally.unreachable}")
    for reason, count in tally.refused.most_common():
        console.print(f"refused {count} times: {reason}", highlight=False)
    console.print(table)
