"""The rules of modes in a world: what they permit is all that happens, and who may let go of what a trigger holds."""

from collections.abc import Callable
from typing import Any

from commands.control import mode_of
from domain.book import Book
from domain.event import Event
from domain.log import StoredEvent
from domain.mode import PEOPLE, SEVERITY, Action, Mode, ModeChanged, Trigger, permits
from domain.order import OrderSubmissionRequested
from domain.quote import Side
from domain.request import RequestAccepted
from domain.triggers import returns
from tests.simulation.sim import Sim

Check = Callable[..., None]


class Modes:
    """Hold what the log does against the modes that the Book was in."""

    def __init__(self, sim: Sim, book: Book, check: Check) -> None:
        self.tripped: set[str] = set()
        self.returned: set[str] = set()
        self._sim = sim
        self._book = book
        self._check = check
        self.rules: dict[type[Event], Callable[[Any, StoredEvent], None]] = {
            RequestAccepted: self._accepted,
            OrderSubmissionRequested: self._sent,
            ModeChanged: self._changed,
        }

    def _accepted(self, event: RequestAccepted, stored: StoredEvent) -> None:
        book = self._book
        pair = book.pair(event.pair)
        action = Action.MINT if event.side is Side.MINT else Action.REDEEM
        mode = Mode.ACTIVE if pair is None else mode_of(book, pair)
        self._check(permits(mode, action), "what is accepted is permitted", stored.position, event.side, mode)

    def _sent(self, event: OrderSubmissionRequested, stored: StoredEvent) -> None:
        book, order = self._book, event.order
        underlying = book.underlying_of(order.venue, order.symbol) or ""
        mode = book.mode(f"venue:{order.venue}", f"asset:{underlying}")
        self._check(mode is not Mode.HALTED, "nothing is sent where trading is halted", stored.position, order.order_id)

    def _changed(self, event: ModeChanged, stored: StoredEvent) -> None:
        if event.trigger == PEOPLE:
            return
        self._sim.note("modes", event.scope, event.trigger, event.mode)
        if SEVERITY[event.mode] > SEVERITY[event.previous]:
            self.tripped.add(event.trigger)
            return
        self.returned.add(event.trigger)
        by_itself = event.author == "system" and (returns(event.trigger) or event.trigger == Trigger.LATCH)
        by_two = event.approved_by not in {"", event.author}
        self._check(by_itself or by_two, "what a trigger holds is let go by itself or by two", stored.position, event)
