"""Requests: each mint and redeem that was accepted, with its hedge and its settlement, until it is over."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from domain.hedge import HedgeAbandoned, HedgeCompleted, HedgePlanned
from domain.instant import rfc3339
from domain.quantity import Num
from domain.quote import Side
from domain.request import RequestAccepted, RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.settlement import (
    SettlementConfirmed,
    SettlementIncluded,
    SettlementReorged,
    SettlementReplaced,
    SettlementReverted,
    SettlementSubmissionRequested,
    SettlementSubmitted,
)
from domain.transaction import Errand
from projections.view import Row, Rows, View


class RequestState(StrEnum):
    """Say how far a request is. HEDGE_ABANDONED: a residual is untraded, a person was told.

    SUBMITTED: a transaction may be under way. INCLUDED: it stands in a block, which may yet be given up.
    """

    ACCEPTED = "accepted"
    HEDGING = "hedging"
    HEDGED = "hedged"
    HEDGE_ABANDONED = "hedge_abandoned"
    SETTLING = "settling"
    SUBMITTED = "submitted"
    INCLUDED = "included"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    COMPLETED = "completed"
    SETTLEMENT_FAILED = "settlement_failed"
    CANCELLED = "cancelled"


class RequestLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a request: amounts in atoms, as text; hedge quantities in signed base units (negative sells).

    `tx` is the call that settles it: the newest one submitted, or the one that is in `block`. `transactions` are all
    the calls so far, `attempts` how often it was begun anew.
    """

    request_id: UUID
    order_id: str
    quote_id: UUID
    pair: str
    side: Side
    benefactor: str
    beneficiary: str
    signer: str
    nonce: str
    collateral_asset: str
    collateral_atoms: str
    issued_asset: str
    issued_atoms: str
    order_hash: str
    state: RequestState
    hedge_id: UUID | None
    hedge_quantity: Num | None
    hedge_filled: Num | None
    hedge_residual: Num | None
    settlement_id: UUID | None
    tx: str
    transactions: tuple[str, ...]
    attempts: int
    block: int | None
    text: str
    expires_at: str
    accepted_at: str
    updated_at: str


class Requests(Rows[RequestLine]):
    """Hold the requests that are not over."""


def _accepted(state: Requests, event: RequestAccepted, position: int, at_us: int) -> tuple[Row[RequestLine], ...]:
    line = RequestLine(
        request_id=event.request_id,
        order_id=event.order_id,
        quote_id=event.quote_id,
        pair=event.pair,
        side=event.side,
        benefactor=event.benefactor,
        beneficiary=event.beneficiary,
        signer=event.signer,
        nonce=str(event.nonce),
        collateral_asset=event.collateral.asset,
        collateral_atoms=str(event.collateral.atoms),
        issued_asset=event.issued.asset,
        issued_atoms=str(event.issued.atoms),
        order_hash=event.order_hash,
        state=RequestState.ACCEPTED,
        hedge_id=None,
        hedge_quantity=None,
        hedge_filled=None,
        hedge_residual=None,
        settlement_id=None,
        tx="",
        transactions=(),
        attempts=0,
        block=None,
        text="",
        expires_at=rfc3339(event.expiry_us),
        accepted_at=rfc3339(event.accepted_at_us),
        updated_at=rfc3339(at_us),
    )
    return state.keep(str(event.request_id), position, line)


def _planned(_line: RequestLine, event: HedgePlanned) -> dict[str, object]:
    return {"state": RequestState.HEDGING, "hedge_id": event.hedge_id, "hedge_quantity": event.quantity}


def _hedged(_line: RequestLine, event: HedgeCompleted) -> dict[str, object]:
    return {"state": RequestState.HEDGED, "hedge_filled": event.filled}


def _abandoned(_line: RequestLine, event: HedgeAbandoned) -> dict[str, object]:
    return {
        "state": RequestState.HEDGE_ABANDONED,
        "hedge_filled": event.filled,
        "hedge_residual": event.residual,
        "text": event.text,
    }


def _settling(_line: RequestLine, event: SettlementSubmissionRequested) -> dict[str, object]:
    return {"state": RequestState.SETTLING, "settlement_id": event.settlement_id}


def _submitted(line: RequestLine, event: SettlementSubmitted) -> dict[str, object]:
    tx = event.transaction.tx_hash
    calls = (*line.transactions, tx)
    return {"state": RequestState.SUBMITTED, "tx": tx, "transactions": calls, "attempts": event.attempt, "block": None}


def _replaced(line: RequestLine, event: SettlementReplaced) -> dict[str, object]:
    if event.transaction.errand is Errand.CANCEL:
        return {"text": "its nonce is being used up by nothing"}
    tx = event.transaction.tx_hash
    return {"tx": tx, "transactions": (*line.transactions, tx)}


def _included(line: RequestLine, event: SettlementIncluded) -> dict[str, object]:
    receipt = event.receipt
    if receipt.tx_hash not in line.transactions:
        return {"text": f"cancelled by {receipt.tx_hash}"}
    if not receipt.succeeded:
        return {"text": f"{receipt.error or 'the call'} failed in block {receipt.block_number}"}
    return {"state": RequestState.INCLUDED, "tx": receipt.tx_hash, "block": receipt.block_number, "text": ""}


def _reorged(line: RequestLine, event: SettlementReorged) -> dict[str, object]:
    if event.tx_hash != line.tx or line.block is None:
        return {}
    return {
        "state": RequestState.SUBMITTED,
        "block": None,
        "text": f"block {event.block_number}, in which it stood, was given up",
    }


def _settled(_line: RequestLine, event: SettlementConfirmed) -> dict[str, object]:
    return {
        "state": RequestState.CONFIRMED,
        "settlement_id": event.settlement_id,
        "tx": event.reference,
        "text": "",
    }


def _reverted(_line: RequestLine, event: SettlementReverted) -> dict[str, object]:
    return {"state": RequestState.REVERTED, "block": None, "text": event.text}


def _completed(_line: RequestLine, _event: RequestCompleted) -> dict[str, object]:
    return {"state": RequestState.COMPLETED}


def _failed(_line: RequestLine, event: RequestSettlementFailed) -> dict[str, object]:
    return {"state": RequestState.SETTLEMENT_FAILED, "text": event.text}


def _cancelled(_line: RequestLine, event: RequestCancelled) -> dict[str, object]:
    return {"state": RequestState.CANCELLED, "text": event.text}


def _step(
    news: Callable[[RequestLine, Any], dict[str, object]], *, over: bool = False
) -> Callable[..., tuple[Row[Any], ...]]:
    """Return the step that writes what an event says into its request's line, if the request is open.

    The unwinding of a failed request's hedge comes after its end, and is no longer part of it.
    """

    def step(state: Requests, event: Any, position: int, at_us: int) -> tuple[Row[RequestLine], ...]:
        key = str(event.request_id)
        line = state.find(key)
        if line is None:
            return ()
        changed = msgspec.structs.replace(line, updated_at=rfc3339(at_us), **news(line, event))
        return state.close(key, position, changed) if over else state.keep(key, position, changed)

    return step


REQUESTS = View(
    name="requests",
    document=RequestLine,
    state=Requests,
    steps={
        RequestAccepted: _accepted,
        HedgePlanned: _step(_planned),
        HedgeCompleted: _step(_hedged),
        HedgeAbandoned: _step(_abandoned),
        SettlementSubmissionRequested: _step(_settling),
        SettlementSubmitted: _step(_submitted),
        SettlementReplaced: _step(_replaced),
        SettlementIncluded: _step(_included),
        SettlementReorged: _step(_reorged),
        SettlementConfirmed: _step(_settled),
        SettlementReverted: _step(_reverted),
        RequestCompleted: _step(_completed, over=True),
        RequestSettlementFailed: _step(_failed, over=True),
        RequestCancelled: _step(_cancelled, over=True),
    },
    lookups=frozenset({"order_id", "quote_id", "benefactor"}),
)
