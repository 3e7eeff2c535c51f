"""The order of things: which of a request's hedge and settlement comes first, and what follows when one of them fails.

`hedge_first`: the settlement is asked for once the hedge is complete; a hedge that fails cancels the request.
`on_inclusion`: the settlement is asked for at acceptance; once it stands in a block its hedge is planned on fresh
evidence, and stays though the block is given up. In both, what a request leaves untraded is carried and unwound.
"""

from commands.process import Message, Record
from domain.book import Book
from domain.hedge import HedgeAbandoned, HedgeCompleted
from domain.ids import derive_id
from domain.policy import Hedging, Pair, SettlementOrder
from domain.quote import Side
from domain.request import OpenRequest, RequestAccepted, RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.route import NO_ROUTE, choose_route
from domain.settlement import SettlementConfirmed, SettlementReverted, SettlementSubmissionRequested


def settles_first(book: Book, pair: Pair) -> bool:
    """Say whether a pair's requests are settled before they are hedged, or need no hedge."""
    policy = book.policy
    on_inclusion = policy is not None and policy.settlement_order is SettlementOrder.ON_INCLUSION
    return pair.hedging is Hedging.HOLD or on_inclusion


def _ask(book: Book, request: OpenRequest) -> Record:
    accepted = request.accepted
    collateral = accepted.collateral
    route = choose_route(book, collateral.asset, collateral.atoms) if accepted.side is Side.MINT else NO_ROUTE
    return Record(
        SettlementSubmissionRequested(
            settlement_id=derive_id(accepted.request_id, "settlement"),
            request_id=accepted.request_id,
            side=accepted.side,
            collateral=accepted.collateral,
            issued=accepted.issued,
            custodians=route.custodians,
            ratios=route.ratios,
        )
    )


def react_accepted(book: Book, event: RequestAccepted, _at_us: int) -> tuple[Message, ...]:
    """Settle at once what needs no hedge, or needs it later."""
    pair, request = book.pair(event.pair), book.requests[event.request_id]
    return (_ask(book, request),) if pair is not None and settles_first(book, pair) else ()


def react_hedged(book: Book, event: HedgeCompleted, _at_us: int) -> tuple[Message, ...]:
    """Settle what is hedged; an unwind has no request left to settle, and what was settled first is under way."""
    request = book.requests.get(event.request_id)
    return (_ask(book, request),) if request is not None and request.settlement_id is None else ()


def react_abandoned(book: Book, event: HedgeAbandoned, _at_us: int) -> tuple[Message, ...]:
    """Cancel the request whose hedge failed, unless it is being settled: nothing of the benefactor was taken yet."""
    request = book.requests.get(event.request_id)
    if request is None or request.settlement_id is not None:
        return ()
    cancelled = RequestCancelled(request_id=event.request_id, pair=request.accepted.pair, text=event.text)
    return (Record(cancelled),)


def react_confirmed(_book: Book, event: SettlementConfirmed, _at_us: int) -> tuple[Message, ...]:
    """Complete the request."""
    return (Record(RequestCompleted(request_id=event.request_id, settlement_id=event.settlement_id)),)


def react_reverted(book: Book, event: SettlementReverted, _at_us: int) -> tuple[Message, ...]:
    """Let the request fall."""
    failed = RequestSettlementFailed(
        request_id=event.request_id,
        settlement_id=event.settlement_id,
        pair=book.requests[event.request_id].accepted.pair,
        text=event.text,
    )
    return (Record(failed),)
