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
from domain.settlement import SettlementConfirmed, SettlementReverted, SettlementSubmissionRequested
from projections.view import Row, Rows, View


class RequestState(StrEnum):
    """Say how far a request is. HEDGE_ABANDONED: a residual is untraded, a person was told."""

    ACCEPTED = "accepted"
    HEDGING = "hedging"
    HEDGED = "hedged"
    HEDGE_ABANDONED = "hedge_abandoned"
    SETTLING = "settling"
    SETTLED = "settled"
    REVERTED = "reverted"
    COMPLETED = "completed"
    SETTLEMENT_FAILED = "settlement_failed"
    CANCELLED = "cancelled"


class RequestLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a request: amounts in atoms, as text; hedge quantities in signed base units (negative sells).

    `tx` is the transaction that settled it, empty until it is final.
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
        text="",
        expires_at=rfc3339(event.expiry_us),
        accepted_at=rfc3339(event.accepted_at_us),
        updated_at=rfc3339(at_us),
    )
    return state.keep(str(event.request_id), position, line)


def _planned(event: HedgePlanned) -> dict[str, object]:
    return {"state": RequestState.HEDGING, "hedge_id": event.hedge_id, "hedge_quantity": event.quantity}


def _hedged(event: HedgeCompleted) -> dict[str, object]:
    return {"state": RequestState.HEDGED, "hedge_filled": event.filled}


def _abandoned(event: HedgeAbandoned) -> dict[str, object]:
    return {
        "state": RequestState.HEDGE_ABANDONED,
        "hedge_filled": event.filled,
        "hedge_residual": event.residual,
        "text": event.text,
    }


def _settling(event: SettlementSubmissionRequested) -> dict[str, object]:
    return {"state": RequestState.SETTLING, "settlement_id": event.settlement_id}


def _settled(event: SettlementConfirmed) -> dict[str, object]:
    return {"state": RequestState.SETTLED, "settlement_id": event.settlement_id, "tx": event.reference}


def _reverted(event: SettlementReverted) -> dict[str, object]:
    return {"state": RequestState.REVERTED, "text": event.text}


def _completed(_event: RequestCompleted) -> dict[str, object]:
    return {"state": RequestState.COMPLETED}


def _failed(event: RequestSettlementFailed) -> dict[str, object]:
    return {"state": RequestState.SETTLEMENT_FAILED, "text": event.text}


def _cancelled(event: RequestCancelled) -> dict[str, object]:
    return {"state": RequestState.CANCELLED, "text": event.text}


def _step(news: Callable[[Any], dict[str, object]], *, over: bool = False) -> Callable[..., tuple[Row[Any], ...]]:
    """Return the step that writes what an event says into its request's line, if the request is open.

    The unwinding of a failed request's hedge comes after its end, and is no longer part of it.
    """

    def step(state: Requests, event: Any, position: int, at_us: int) -> tuple[Row[RequestLine], ...]:
        key = str(event.request_id)
        line = state.find(key)
        if line is None:
            return ()
        changed = msgspec.structs.replace(line, updated_at=rfc3339(at_us), **news(event))
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
        SettlementConfirmed: _step(_settled),
        SettlementReverted: _step(_reverted),
        RequestCompleted: _step(_completed, over=True),
        RequestSettlementFailed: _step(_failed, over=True),
        RequestCancelled: _step(_cancelled, over=True),
    },
    lookups=frozenset({"order_id", "quote_id", "benefactor"}),
)
