"""What the execution worker tells the core of orders: each fact under a natural key, so that it enters once."""

from collections import Counter
from uuid import UUID

from api.execution.sweeping import SOURCE
from api.telling import readable, tell
from commands.order import RecordAbsent, RecordAcknowledged, RecordOutcomeUnknown, RecordRejected
from commands.ports import Facts
from domain.order_state import OpenOrder
from domain.quantity import num
from domain.venue import TERMINAL, Acknowledgement, OrderReport


class Reports:
    """Tell what became of orders; `counts` says how often each was told, by kind, rejections by their code."""

    def __init__(self, facts: Facts, venue: str) -> None:
        self.counts = Counter[str]()
        self._facts = facts
        self._venue = venue

    async def rejected(self, order_id: UUID, attempt: int, client_order_id: str, code: str, text: str) -> None:
        """Tell that the venue surely did not take an order."""
        self.counts[f"rejected.{code}"] += 1
        command = RecordRejected(order_id=order_id, attempt=attempt, code=code, text=readable(text))
        await tell(self._facts, SOURCE, "order.rejected", f"rejected|{client_order_id}", command)

    async def unknown(self, order_id: UUID, attempt: int, client_order_id: str, text: str) -> None:
        """Tell that nobody knows what became of an attempt."""
        self.counts["unknown"] += 1
        command = RecordOutcomeUnknown(order_id=order_id, attempt=attempt, text=readable(text))
        await tell(self._facts, SOURCE, "order.outcome_unknown", f"unknown|{client_order_id}", command)

    async def absent(self, order: OpenOrder) -> None:
        """Tell that the venue never had an order, and cannot get it any more."""
        self.counts["absent"] += 1
        text = f"{self._venue} does not know {order.client_order_id} after its validity"
        command = RecordAbsent(order_id=order.order.order_id, attempt=order.attempt, text=text)
        await tell(self._facts, SOURCE, "order.absent", f"absent|{order.client_order_id}", command)

    async def acknowledged(self, order_id: UUID, attempt: int, seen: Acknowledgement | OrderReport) -> None:
        """Tell what the venue says of an order that it has."""
        quantity = seen.accepted_quantity if isinstance(seen, Acknowledgement) else seen.quantity
        terminal = seen.status in TERMINAL
        self.counts["ended" if terminal else "acknowledged"] += 1
        command = RecordAcknowledged(
            order_id=order_id,
            attempt=attempt,
            venue_order_id=seen.venue_order_id,
            accepted_quantity=num(quantity),
            filled=num(seen.filled),
            terminal=terminal,
        )
        key = f"acknowledged|{seen.client_order_id}|{command.filled}|{terminal}|{command.accepted_quantity}"
        await tell(self._facts, SOURCE, "order.acknowledged", key, command)

    async def seen(self, order: OpenOrder, report: OrderReport) -> None:
        """Tell what the venue answered when it was asked for an order: that it was refused, or how far it is."""
        order_id, attempt = order.order.order_id, order.attempt
        if report.status == "rejected" and not report.filled and not order.venue_order_id:
            text = f"{self._venue} says that {report.venue_order_id} was rejected"
            await self.rejected(order_id, attempt, report.client_order_id, "rejected", text)
        else:
            await self.acknowledged(order_id, attempt, report)
