"""What hedges and requests owe each other: a request settled first is hedged then, one that fell is given back."""

from uuid import UUID

from commands.context import Context
from commands.envelope import Command, command
from commands.planning import plan_hedge
from commands.process import Arm, Message
from commands.rehedge import outside
from domain.book import Book
from domain.event import Event
from domain.ids import derive_id
from domain.policy import Hedging, Pair
from domain.refusal import Refusal
from domain.request import OpenRequest, RequestCancelled, RequestSettlementFailed
from domain.settlement import SettlementConfirmed, SettlementIncluded
from domain.wake import Wake


@command("hedge.open")
class StartHedge(Command, frozen=True, kw_only=True):
    """Plan the hedge of a request whose settlement stands in a block."""

    request_id: UUID


def react_fallen(book: Book, event: RequestCancelled | RequestSettlementFailed, at_us: int) -> tuple[Message, ...]:
    """Unwind what was traded for a request that fell."""
    pair = book.pair(event.pair)
    if pair is None or outside(book, book.asset(pair.collateral).underlying) == 0:
        return ()
    return (Arm(_unwinding(event.request_id, pair, at_us)),)


def react_settled(book: Book, event: SettlementConfirmed, at_us: int) -> tuple[Message, ...]:
    """Trade what became final before its hedge could be planned."""
    request = book.requests[event.request_id]
    pair = book.pair(request.accepted.pair)
    if pair is None or not _unhedged(book, request):
        return ()
    return (Arm(_unwinding(event.request_id, pair, at_us)),)


def _unwinding(request_id: UUID, pair: Pair, at_us: int) -> Wake:
    """Return the wake that trades what a request leaves open; it outlives the request."""
    return Wake(
        key=f"hedge.unwind|{request_id}",
        subject=derive_id(request_id, "unwind"),
        at_us=at_us,
        kind="hedge.unwind",
        body=f'{{"request_id":"{request_id}","pair":"{pair.name}"}}',
    )


def react_included(book: Book, event: SettlementIncluded, at_us: int) -> tuple[Message, ...]:
    """Plan the hedge of what is settled first, now that it stands in a block."""
    request, settlement = book.requests[event.request_id], book.settlements[event.settlement_id]
    if settlement.settled is None or not _unhedged(book, request):
        return ()
    wake = Wake(
        key=f"hedge.open|{event.request_id}|{event.receipt.block_hash}",
        subject=event.request_id,
        at_us=at_us,
        kind="hedge.open",
        body=f'{{"request_id":"{event.request_id}"}}',
    )
    return (Arm(wake),)


def _unhedged(book: Book, request: OpenRequest) -> bool:
    pair = book.pair(request.accepted.pair)
    return request.hedge_id is None and pair is not None and pair.hedging is Hedging.PERPETUAL


def start_hedge(book: Book, command: StartHedge, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `StartHedge`: refused like any order until it can be priced; of what no block holds any more, nothing."""
    request, policy = book.requests.get(command.request_id), book.policy
    if request is None or policy is None or not _unhedged(book, request):
        return ()
    settlement = book.settlements.get(request.settlement_id) if request.settlement_id is not None else None
    pair = book.pair(request.accepted.pair)
    if pair is None or settlement is None or settlement.settled is None:
        return ()
    return plan_hedge(book, pair, request.accepted, context)
