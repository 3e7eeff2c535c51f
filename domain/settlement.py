"""Settlements: the transaction that moves collateral and issued dollars."""

from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.quantity import Amount
from domain.quote import Side


@catalogued
class SettlementSubmissionRequested(Event, frozen=True, kw_only=True, tag="settlement.submission_requested.v1"):
    """The book means to settle a request on chain."""

    settlement_id: UUID
    request_id: UUID
    side: Side
    collateral: Amount
    issued: Amount

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


@catalogued
class SettlementConfirmed(Event, frozen=True, kw_only=True, tag="settlement.confirmed.v1"):
    """A settlement is final: collateral and issued dollars have moved."""

    settlement_id: UUID
    request_id: UUID
    side: Side
    collateral: Amount
    issued: Amount
    reference: str  # the transaction's hash

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


@catalogued
class SettlementReverted(Event, frozen=True, kw_only=True, tag="settlement.reverted.v1"):
    """A settlement surely did not happen and will not."""

    settlement_id: UUID
    request_id: UUID
    text: str

    @property
    def originator(self) -> UUID:
        """Return the settlement's id."""
        return self.settlement_id


class OpenSettlement(msgspec.Struct, frozen=True, gc=False):
    """Hold a settlement whose outcome is open."""

    requested: SettlementSubmissionRequested
