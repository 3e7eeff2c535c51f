"""Following requests from acceptance to their end, for those who wait for a transaction.

It keeps of each open request how far it is, and of the last ones that ended what they came to. A waiter is woken by the
event that changes its request and by nothing else; there are only so many waiters.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from api.http.ports import Progress
from api.replica import Recorded, Replica
from domain.event import Event
from domain.onchain import ContractTerms, PartyKind
from domain.request import RequestAccepted, RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.settlement import (
    OpenSettlement,
    SettlementConfirmed,
    SettlementIncluded,
    SettlementReorged,
    SettlementReplaced,
    SettlementSubmissionRequested,
    SettlementSubmitted,
)
from domain.transaction import Errand

ENDED_MAX = 20_000
WAITERS_MAX = 4_096

Change = Callable[[Progress, Any], Progress]


def _replaced(progress: Progress, **changes: object) -> Progress:
    return msgspec.structs.replace(progress, **changes)


def _submitted(progress: Progress, event: SettlementSubmitted) -> Progress:
    return _replaced(progress, state="submitted", tx=event.transaction.tx_hash)


def _instead(progress: Progress, event: SettlementReplaced) -> Progress:
    """Follow the call to its new hash; a cancel is nobody's answer."""
    if event.transaction.errand is Errand.CANCEL:
        return progress
    return _replaced(progress, tx=event.transaction.tx_hash)


_CHANGES: dict[type[Event], Change] = {
    SettlementSubmissionRequested: lambda progress, _: _replaced(progress, state="settling"),
    SettlementSubmitted: _submitted,
    SettlementReplaced: _instead,
    SettlementIncluded: lambda progress, _: _replaced(progress, state="included"),
    SettlementReorged: lambda progress, _: _replaced(progress, state="submitted"),
    SettlementConfirmed: lambda progress, event: _replaced(progress, state="confirmed", tx=event.reference),
    RequestCompleted: lambda progress, _: _replaced(progress, state="completed", over=True),
    RequestSettlementFailed: lambda progress, event: _replaced(
        progress, state="settlement_failed", over=True, fell=event.text
    ),
    RequestCancelled: lambda progress, event: _replaced(progress, state="cancelled", over=True, fell=event.text),
}


def _last_call(settlement: OpenSettlement | None) -> str:
    calls = [each.tx_hash for each in (settlement.transactions if settlement is not None else ())]
    return next((tx_hash for tx_hash in reversed(calls) if settlement and not settlement.is_cancel(tx_hash)), "")


class Following:
    """Know how far requests are. `see` every event that the replica folds, in order."""

    def __init__(self, replica: Replica) -> None:
        self.position = replica.position
        self._replica = replica
        self._open: dict[UUID, Progress] = {}
        self._ended: OrderedDict[UUID, Progress] = OrderedDict()
        self._waiting: dict[UUID, set[asyncio.Future[None]]] = {}
        self._waiters = 0
        book = replica.book
        for request_id, request in book.requests.items():
            held = book.settlements.get(request.settlement_id) if request.settlement_id is not None else None
            self._open[request_id] = Progress(state=request.stage.value, tx=_last_call(held))

    def see(self, recorded: Recorded) -> None:
        """Take one event of the log."""
        self.position = recorded.position
        event = recorded.event
        if isinstance(event, RequestAccepted):
            self._open[event.request_id] = Progress(state="accepted")
            self._wake(event.request_id)
            return
        change = _CHANGES.get(type(event))
        if change is None:
            return
        request_id: UUID = getattr(event, "request_id")  # noqa: B009 # each type in the table has one
        progress = self._open.get(request_id)
        if progress is None:
            return
        changed = change(progress, event)
        if changed.over:
            del self._open[request_id]
            self._ended[request_id] = changed
            if len(self._ended) > ENDED_MAX:
                self._ended.popitem(last=False)
        else:
            self._open[request_id] = changed
        self._wake(request_id)

    def _wake(self, request_id: UUID) -> None:
        for waiter in self._waiting.get(request_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def transaction(self, request_id: UUID, position: int, timeout_s: float) -> Progress | None:
        """Wait until a request has a transaction or is over; see `api.http.ports.Requests`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            progress = self._open.get(request_id) or self._ended.get(request_id)
            if progress is None and self.position >= position:
                return None
            if progress is not None and (progress.tx or progress.over):
                return progress
            left_s = deadline - loop.time()
            if left_s <= 0 or self._waiters >= WAITERS_MAX:
                return progress or Progress(state="accepted")
            await self._changed(request_id, left_s)

    async def _changed(self, request_id: UUID, timeout_s: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._waiting.setdefault(request_id, set())
        waiters.add(waiter)
        self._waiters += 1
        try:
            await asyncio.wait((waiter,), timeout=timeout_s)
        finally:
            self._waiters -= 1
            waiters.discard(waiter)
            if not waiters:
                self._waiting.pop(request_id, None)

    def may_sign(self, signer: str, benefactor: str) -> bool:
        """Say whether the chain was seen to let an address sign for a benefactor."""
        return signer == benefactor or self._replica.book.onchain.admitted(PartyKind.DELEGATE, signer, benefactor)

    def terms(self) -> ContractTerms | None:
        """Return the minting contract's parameters as seen last, None before they were."""
        return self._replica.book.onchain.terms
