"""What the execution worker tells of itself, by venue: orders by what became of them, the gate, our own order rate."""

from collections.abc import Callable
from typing import Protocol

from api.execution.worker import Execution
from api.http.metrics import Registry


class Budget(Protocol):
    """Show our own order rate at a venue."""

    @property
    def waiting(self) -> int:
        """Return how many orders and cancels wait for their turn."""
        ...

    @property
    def sent(self) -> int:
        """Return how many orders were let through."""
        ...

    @property
    def cancels(self) -> int:
        """Return how many cancels were let through."""
        ...

    @property
    def spent(self) -> int:
        """Return how many were not: there was no room in time."""
        ...


class Guard(Protocol):
    """Show whether what rests is guarded."""

    @property
    def holds(self) -> bool:
        """Say whether the venue's dead-man's switch is armed, or it has none."""
        ...


class ExecutionNumbers:
    """Gather the numbers for the heartbeat, of every account that is open."""

    def __init__(self, position: Callable[[], int]) -> None:
        self.registry = Registry()
        self._position = position
        self._open: dict[str, tuple[Execution, Budget, Guard]] = {}
        gauge = self.registry.gauge
        self._orders = gauge("ballast_orders_told", "Orders since the account opened, by what became of them.")
        self._busy = gauge("ballast_orders_busy", "Orders that are being sent, cancelled or asked about, by venue.")
        self._gate = gauge("ballast_orders_unanswered", "Orders that new ones wait for after a start, by venue.")
        self._waiting = gauge("ballast_order_rate_waiting", "Orders and cancels that wait for their turn, by venue.")
        self._rate = gauge("ballast_order_rate", "What passed our own order rate, or did not, by venue.")
        self._switch = gauge("ballast_switch_armed", "Whether the venue would cancel what rests if we died, by venue.")

    def show(self, execution: Execution, budget: Budget, guard: Guard) -> None:
        """Show an account from here on, instead of the one of its venue before."""
        self._open[execution.name] = (execution, budget, guard)

    def gather(self) -> int:
        """Bring the numbers up to date and return the position in the log."""
        for venue, (execution, budget, guard) in self._open.items():
            self._switch.set(int(guard.holds), venue=venue)
            for outcome, count in execution.reports.counts.items():
                self._orders.set(count, venue=venue, outcome=outcome)
            self._busy.set(execution.busy, venue=venue)
            self._gate.set(execution.gate.unanswered, venue=venue)
            self._waiting.set(budget.waiting, venue=venue)
            for passed, count in (("order", budget.sent), ("cancel", budget.cancels), ("spent", budget.spent)):
                self._rate.set(count, venue=venue, passed=passed)
        return self._position()
