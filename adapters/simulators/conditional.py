"""Conditional orders of a simulated account: what waits for the mark to pass a price, and is placed then. No I/O.

They stand apart from the book and hold back no margin: that is asked for when they trigger. What works through time
(TWAP, iceberg, chase) stands here as well, with no price that it waits for: it is told and ended as at the venue, and
its slices are not traded.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from adapters.simulators.admission import OrderRequest, Policy
from adapters.simulators.instruments import Instrument
from adapters.simulators.refusals import Refusal, Refused

# Far from the orders' own ids, which count from 1: venues that tell both in one list tell them apart.
FIRST_ID = 1_000_000_000

ConditionalStatus = Literal["waiting", "triggered", "refused", "cancelled"]
Way = Literal["rises", "falls"]


class ConditionalRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for `order` to be placed once the mark is at `price` or past it, coming from below (`rises`) or above.

    `kind` is the dialect's word for it. No `price`: it works through time. No `way`: whichever the mark has to go.
    """

    kind: str
    order: OrderRequest
    price: Decimal | None
    way: Way | None = None


class Conditional(msgspec.Struct, kw_only=True):
    """Hold one conditional order for ever; `order_id` is the order that it became."""

    conditional_id: int
    client_id: str
    kind: str
    order: OrderRequest
    price: Decimal | None
    way: Way
    created_ms: int
    updated_ms: int
    status: ConditionalStatus = "waiting"
    order_id: int = 0

    @property
    def is_waiting(self) -> bool:
        """Say whether it may still trigger."""
        return self.status == "waiting"

    def is_due(self, mark: Decimal) -> bool:
        """Say whether the mark has come to it."""
        if not self.is_waiting or self.price is None:
            return False
        return mark >= self.price if self.way == "rises" else mark <= self.price


class Conditionals:
    """Keep the conditional orders of one account. Ids are consecutive from `FIRST_ID`."""

    def __init__(self) -> None:
        self._all: dict[int, Conditional] = {}

    @property
    def all(self) -> Mapping[int, Conditional]:
        """Return every one by id, oldest first."""
        return self._all

    def admit(
        self, instrument: Instrument, asked: ConditionalRequest, mark: Decimal, policy: Policy, now_ms: int
    ) -> Conditional:
        """Return what is asked for, not yet kept; refuse what would trigger at once, and more than may wait."""
        order = asked.order
        instrument.lots(order.quantity)
        if order.price is not None:
            instrument.ticks(order.price)
        way: Way = asked.way or ("rises" if asked.price is None or asked.price >= mark else "falls")
        conditional_id = FIRST_ID + len(self._all)
        found = Conditional(
            conditional_id=conditional_id,
            client_id=order.client_id or "",
            kind=asked.kind,
            order=order,
            price=asked.price,
            way=way,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        if asked.price is not None:
            instrument.ticks(asked.price)
        if found.is_due(mark):
            raise Refused(Refusal.WOULD_TRIGGER, way)
        if len(self.waiting(order.symbol if policy.conditional_each else None)) >= policy.conditional_max:
            raise Refused(Refusal.TOO_MANY_CONDITIONAL, limit=Decimal(policy.conditional_max))
        return found

    def remember(self, conditional: Conditional) -> None:
        """Know one as it stands."""
        self._all[conditional.conditional_id] = conditional

    def waiting(self, symbol: str | None = None) -> list[Conditional]:
        """Return those that may still trigger, oldest first."""
        return [each for each in self._all.values() if each.is_waiting and symbol in {None, each.order.symbol}]

    def due(self, symbol: str, mark: Decimal) -> list[Conditional]:
        """Return those of a symbol that the mark has come to, oldest first."""
        return [each for each in self.waiting(symbol) if each.is_due(mark)]

    def find(self, conditional_id: int | None, client_id: str | None = None) -> Conditional:
        """Return one by id, or the newest with a client id; refuse when there is none."""
        if conditional_id is None and client_id is None:
            raise Refused(Refusal.MISSING, "algoId")
        found = self._all.get(conditional_id or 0) if conditional_id is not None else _newest(self._all, client_id)
        if found is None:
            raise Refused(Refusal.CANCEL_UNKNOWN, client_id or "")
        return found

    def is_taken(self, client_id: str) -> bool:
        """Say whether one that waits has that client id."""
        return any(each.client_id == client_id for each in self.waiting())


def _newest(among: Mapping[int, Conditional], client_id: str | None) -> Conditional | None:
    named: Iterable[Conditional] = (each for each in reversed(list(among.values())) if each.client_id == client_id)
    return next(iter(named), None)
