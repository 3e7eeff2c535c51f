"""What stands in the way of new orders while a fault says so: they are refused, or find less than the book shows."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from adapters.simulators.faults import Faults, Reason
from adapters.simulators.instruments import Instrument
from adapters.simulators.ledger import Order
from adapters.simulators.matching import Book
from adapters.simulators.refusals import Refusal, Refused

REFUSALS: Mapping[Reason, Refusal] = {
    "margin": Refusal.INSUFFICIENT_MARGIN,
    "open_orders": Refusal.TOO_MANY_OPEN_ORDERS,
    "rate": Refusal.TOO_MANY_ORDERS,
    "not_ready": Refusal.NOT_READY,
}


def nothing_lasts() -> int:
    """Return a time: of an exchange that has no faults it does not matter which."""
    return 0


class Hindrances:
    """Ask the armed faults about each new order. Faults may call its book by symbol or base asset."""

    def __init__(self, faults: Faults | None = None, now_ms: Callable[[], int] = nothing_lasts) -> None:
        self._faults = faults or Faults()
        self._now_ms = now_ms

    def check(self, instrument: Instrument) -> None:
        """Raise `Refused` while new orders are refused."""
        fault = self._faults.take(("reject_orders",), (instrument.symbol, instrument.base), self._now_ms())
        if fault is None:
            return
        refusal = REFUSALS[fault.reason]
        if refusal is Refusal.INSUFFICIENT_MARGIN and instrument.kind == "spot":
            raise Refused(Refusal.INSUFFICIENT_BALANCE, instrument.quote)
        raise Refused(refusal, instrument.settle)

    def found(self, book: Book, order: Order, limit: int | None, wanted: int, instrument: Instrument) -> int:
        """Return how many lots of an order that cannot rest find somebody, of those it wants.

        What rests is left alone: the part that found nobody would stand crossed in a book that shows more.
        """
        if order.type == "LIMIT" and order.time_in_force in {"GTC", "POST"}:
            return wanted
        fault = self._faults.take(("thin",), (instrument.symbol, instrument.base), self._now_ms())
        if fault is None:
            return wanted
        shown = sum(quantity for _, quantity in book.within(order.side, limit))
        return min(wanted, int(Decimal(shown) * fault.factor))
