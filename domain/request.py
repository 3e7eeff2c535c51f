"""Requests: a mint or a redeem that was accepted, and what became of it."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.quantity import Amount
from domain.quote import Side


@catalogued
class RequestAccepted(Event, frozen=True, kw_only=True, tag="request.accepted.v2"):
    """A signed order matched its quote and passed every check; the book now owes its settlement."""

    request_id: UUID
    order_id: str
    quote_id: UUID
    pair: str
    side: Side
    benefactor: str
    beneficiary: str
    signer: str
    nonce: int
    expiry_us: int
    collateral: Amount
    issued: Amount
    order_hash: str
    signature: str
    accepted_at_us: int
    signature_type: str = "EIP712"

    @property
    def originator(self) -> UUID:
        """Return the request's id."""
        return self.request_id


@catalogued
class RequestCompleted(Event, frozen=True, kw_only=True, tag="request.completed.v1"):
    """A request was hedged and settled."""

    request_id: UUID
    settlement_id: UUID

    @property
    def originator(self) -> UUID:
        """Return the request's id."""
        return self.request_id


@catalogued
class RequestSettlementFailed(Event, frozen=True, kw_only=True, tag="request.settlement_failed.v1"):
    """The settlement of a request surely did not happen; its hedge is unwound."""

    request_id: UUID
    settlement_id: UUID
    pair: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the request's id."""
        return self.request_id


@catalogued
class RequestCancelled(Event, frozen=True, kw_only=True, tag="request.cancelled.v1"):
    """A request ended before any transaction was permitted; nothing of the benefactor was taken."""

    request_id: UUID
    pair: str
    text: str

    @property
    def originator(self) -> UUID:
        """Return the request's id."""
        return self.request_id


class Stage(StrEnum):
    """Say how far an open request is."""

    HEDGING = "hedging"
    SETTLING = "settling"
    SETTLED = "settled"  # its collateral has moved and is counted as backing


class OpenRequest(msgspec.Struct, frozen=True, gc=False):
    """Hold a request that is owed; collateral may or may not arrive until it is closed."""

    accepted: RequestAccepted
    stage: Stage
    hedge_id: UUID | None = None
    settlement_id: UUID | None = None
