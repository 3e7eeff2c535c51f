"""Faults on demand: what real venues do to their clients on bad days, counted, a number of times or for a while.

On REST, after a request was done and kept: `timeout` never answers, `reset` drops the connection, `bad_gateway` says
502, `truncate` stops in mid-body, `html` answers 200 with a web page. Before anything is done: `lost` drops the
connection, `rate_limited` says 429, `maintenance` says 503, on WebSocket handshakes too. `vanish` does what was asked,
tells nobody, and takes the venue away altogether for `delay_ms`: an outage in the middle of a request.

On new orders: `thin` lets those that cannot rest trade only `factor` of what the book shows within their limit,
`reject_orders` refuses them for a `reason`, in the venue's own words.

On the account's stream: `drop_user_events`, `duplicate_user_events`, `delay_user_events`.

On market data: `gap` leaves a change of a book out, `duplicate` tells it twice, `reorder` tells it after the next one,
`crossed` puts a bid over the best ask, `freeze` keeps sockets open and silent altogether, `silence` silences market
data only, `disconnect` drops the sockets. `dislocate` moves prices away from the world's by `factor`; `clock_skew`
shifts the clock by `skew_ms`. `bad_signature` is for oracles.

What takes REST away everywhere (`on` `*`) for a while (`for_ms`) drops the sockets too and refuses new ones meanwhile.
"""

from collections import Counter
from decimal import Decimal
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
    "gap",
    "duplicate",
    "reorder",
    "crossed",
    "freeze",
    "silence",
    "disconnect",
    "dislocate",
    "clock_skew",
    "bad_signature",
    "thin",
    "reject_orders",
    "vanish",
]
Reason = Literal["margin", "open_orders", "rate", "not_ready"]
BEFORE: tuple[FaultKind, ...] = ("maintenance", "rate_limited", "lost")
# While one of these lasts everywhere, the venue is away for its sockets too.
OUTAGES: tuple[FaultKind, ...] = (
    "disconnect",
    "maintenance",
    "rate_limited",
    "bad_gateway",
    "html",
    "truncate",
    "lost",
)
AFTER: tuple[FaultKind, ...] = ("timeout", "reset", "bad_gateway", "truncate", "html", "vanish")
ANYWHERE = "*"
# What faults call the endpoints that take new orders, whatever a venue calls them.
ORDERS = "orders"
ARMED_MAX = 1000
SKEW_MAX_MS = 24 * 3_600_000


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a fault.

    `on` is an endpoint such as `POST /fapi/v1/order`, `orders` for those that take new orders, the symbol of a book, an
    event's name, or `*`. It happens `times` times, or until `for_ms` have passed since it was armed, or, with neither,
    once. `delay_ms` is for the kinds that delay or last by themselves, `factor` for `dislocate` (above zero) and `thin`
    (0: nobody is there), `skew_ms` for `clock_skew`, `reason` for `reject_orders`.
    """

    kind: FaultKind
    on: str = ANYWHERE
    times: int | None = None
    for_ms: int | None = None
    delay_ms: int = 0
    factor: Decimal = Decimal(1)
    skew_ms: int = 0
    reason: Reason = "margin"

    def check(self) -> None:
        """Raise ValueError when it asks for nonsense."""
        if (self.times is not None and self.times < 1) or (self.for_ms is not None and self.for_ms < 1):
            raise ValueError("times and for_ms are at least 1")
        if not self.factor.is_finite() or self.factor < 0 or (self.factor == 0 and self.kind != "thin"):
            raise ValueError("factor is above zero; of a thin book, zero is nobody")
        if self.kind == "thin" and self.factor > 1:
            raise ValueError("factor of a thin book is at most 1")
        if self.kind == "vanish" and self.delay_ms < 1:
            raise ValueError("delay_ms of an outage is at least 1")
        if abs(self.skew_ms) > SKEW_MAX_MS or self.delay_ms < 0:
            raise ValueError(f"skew_ms is within {SKEW_MAX_MS} either way, delay_ms not negative")


class _Armed:
    def __init__(self, fault: Fault, now_ms: int) -> None:
        self.fault = fault
        self.until_ms = None if fault.for_ms is None else now_ms + fault.for_ms
        self.left = fault.times if fault.times is not None else (1 if fault.for_ms is None else None)

    def is_spent(self, now_ms: int) -> bool:
        return self.left == 0 or (self.until_ms is not None and now_ms >= self.until_ms)


class Faults:
    """Hold the armed faults and count those that happened. Times are the machine's, not a skewed venue's."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self.counts: Counter[str] = Counter()

    def arm(self, fault: Fault, now_ms: int) -> None:
        """Arm one more fault; the oldest that fits goes first. Raise ValueError when it or their number is nonsense."""
        fault.check()
        self._armed = [armed for armed in self._armed if not armed.is_spent(now_ms)]
        if len(self._armed) >= ARMED_MAX:
            raise ValueError(f"more than {ARMED_MAX} faults are armed")
        self._armed.append(_Armed(fault, now_ms))

    def clear(self) -> None:
        """Disarm everything; what happened stays counted."""
        self._armed.clear()

    def take(self, kinds: tuple[FaultKind, ...], on: str | tuple[str, ...], now_ms: int) -> Fault | None:
        """Return the fault that happens here and now, if any, and count it. `on` are the names of here."""
        armed = self._first(kinds, on, now_ms)
        if armed is None:
            return None
        if armed.left is not None:
            armed.left -= 1
        self.counts[armed.fault.kind] += 1
        return armed.fault

    def lasting(self, kinds: tuple[FaultKind, ...], on: str | tuple[str, ...], now_ms: int) -> Fault | None:
        """Return the fault that would happen here and now; neither spend nor count it."""
        armed = self._first(kinds, on, now_ms)
        return None if armed is None else armed.fault

    def outage(self, now_ms: int) -> Fault | None:
        """Return the fault, if any, that takes the whole venue away for a while; neither spend nor count it."""
        for armed in self._armed:
            fault = armed.fault
            everywhere = fault.on == ANYWHERE and fault.for_ms is not None
            if fault.kind in OUTAGES and everywhere and not armed.is_spent(now_ms):
                return fault
        return None

    def _first(self, kinds: tuple[FaultKind, ...], on: str | tuple[str, ...], now_ms: int) -> _Armed | None:
        names = (on, ANYWHERE) if isinstance(on, str) else (*on, ANYWHERE)
        for armed in self._armed:
            if armed.fault.kind in kinds and armed.fault.on in names and not armed.is_spent(now_ms):
                return armed
        return None
