"""Faults on demand: what real venues do to their clients on bad days, counted, once or for a while.

After a request was done and kept: `timeout` never answers, `reset` drops the connection, `bad_gateway` says 502,
`truncate` stops in mid-body, `html` answers 200 with a web page. Before anything is done: `lost` drops the connection,
`rate_limited` says 429, `maintenance` says 503. On streams: `drop_user_events`, `duplicate_user_events`,
`delay_user_events`, `skip_depth` (a gap in the diffs), `mute_market` (silence on an open socket).
"""

from collections import Counter
from typing import Literal

import msgspec

FaultKind = Literal[
    "timeout",
    "reset",
    "bad_gateway",
    "truncate",
    "html",
    "lost",
    "rate_limited",
    "maintenance",
    "drop_user_events",
    "duplicate_user_events",
    "delay_user_events",
    "skip_depth",
    "mute_market",
]
BEFORE: tuple[FaultKind, ...] = ("maintenance", "rate_limited", "lost")
AFTER: tuple[FaultKind, ...] = ("timeout", "reset", "bad_gateway", "truncate", "html")
ANYWHERE = "*"
ARMED_MAX = 1000


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a fault.

    `on` is an endpoint such as `POST /fapi/v1/order`, or `*`. It happens `times` times, or until `for_ms` have passed
    since it was armed, or, with neither, once. `delay_ms` is for the kinds that delay.
    """

    kind: FaultKind
    on: str = ANYWHERE
    times: int | None = None
    for_ms: int | None = None
    delay_ms: int = 0


class _Armed:
    def __init__(self, fault: Fault, now_ms: int) -> None:
        self.fault = fault
        self.until_ms = None if fault.for_ms is None else now_ms + fault.for_ms
        self.left = fault.times if fault.times is not None else (1 if fault.for_ms is None else None)

    def is_spent(self, now_ms: int) -> bool:
        return self.left == 0 or (self.until_ms is not None and now_ms >= self.until_ms)


class Faults:
    """Hold the armed faults and count those that happened."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self.counts: Counter[str] = Counter()

    def arm(self, fault: Fault, now_ms: int) -> None:
        """Arm one more fault; the oldest that fits goes first."""
        if len(self._armed) >= ARMED_MAX:
            raise ValueError(f"more than {ARMED_MAX} faults are armed")
        self._armed.append(_Armed(fault, now_ms))

    def clear(self) -> None:
        """Disarm everything; what happened stays counted."""
        self._armed.clear()

    def take(self, kinds: tuple[FaultKind, ...], on: str, now_ms: int) -> Fault | None:
        """Return the fault that happens here and now, if any, and count it."""
        self._armed = [armed for armed in self._armed if not armed.is_spent(now_ms)]
        for armed in self._armed:
            if armed.fault.kind in kinds and armed.fault.on in {ANYWHERE, on}:
                if armed.left is not None:
                    armed.left -= 1
                self.counts[armed.fault.kind] += 1
                return armed.fault
        return None
