"""The contract mirrored: its terms as polled, its parties as logged, and what a removal ends at once."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from commands.admission import check_active, check_rights, check_route
from commands.context import Context
from commands.envelope import Command, command
from commands.process import Arm, Message
from domain.book import Book
from domain.event import Event
from domain.onchain import (
    ContractChanged,
    ContractObserved,
    ContractTerms,
    PartyAdmitted,
    PartyChange,
    PartyKind,
    PartyRemoved,
)
from domain.policy import PolicyAdopted
from domain.refusal import Reason, Refusal
from domain.request import OpenRequest, RequestCancelled
from domain.settlement import SettlementCancelRequested
from domain.wake import Wake

# Collaterals whose terms are kept; a contract has a handful.
ASSETS_MAX = 256


@command("contract.observe")
class ObserveContract(Command, frozen=True, kw_only=True):
    """Report the contract's terms as they are at a block."""

    terms: ContractTerms


@command("party.record")
class RecordParty(Command, frozen=True, kw_only=True):
    """Report who was admitted (once that is final) or removed (as soon as it stands in a block)."""

    change: PartyChange


@command("request.revoke")
class RevokeRequest(Command, frozen=True, kw_only=True):
    """End a request that the chain no longer permits."""

    request_id: UUID


def observe_contract(book: Book, command: ObserveContract, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ObserveContract`: what is the same, or older than what is known, changes nothing."""
    before, terms = book.onchain.terms, command.terms
    if len(terms.assets) > ASSETS_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"a contract has at most {ASSETS_MAX} collaterals")
    if before is None:
        return (ContractObserved(terms=terms),)
    if terms.block_number < before.block_number or _at(terms, before) == before:
        return ()
    if _parameters(terms) == _parameters(before):
        return (ContractObserved(terms=terms),)
    return (ContractChanged(before=before, terms=terms),)


def _at(terms: ContractTerms, other: ContractTerms) -> ContractTerms:
    """Return terms as if seen at another's block."""
    return msgspec.structs.replace(terms, block_number=other.block_number, block_hash=other.block_hash)


def _parameters(terms: ContractTerms) -> ContractTerms:
    """Return terms without what moves by itself: blocks and balances."""
    assets = tuple(msgspec.structs.replace(asset, hot_balance=0) for asset in terms.assets)
    return msgspec.structs.replace(terms, block_number=0, block_hash="", assets=assets)


def record_party(book: Book, command: RecordParty, _context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RecordParty`: what is so already, or was undone since, changes nothing."""
    change, chain = command.change, book.onchain
    owned = change.kind in {PartyKind.BENEFICIARY, PartyKind.DELEGATE}
    if not change.party or owned != bool(change.owner):
        return Refusal(reason=Reason.VALUE_INVALID, text="only a beneficiary or delegate has an owner")
    if change.admitted == chain.admitted(change.kind, change.party, change.owner):
        return ()
    if not change.admitted:
        return (PartyRemoved(change=change),)
    return () if chain.removed_after(change) else (PartyAdmitted(change=change),)


def forbidden(book: Book, request: OpenRequest) -> str:
    """Say why the chain no longer permits an open request, the reason's name first; empty while it does."""
    accepted = request.accepted
    pair = book.pair(accepted.pair)
    settlement = book.settlements.get(request.settlement_id) if request.settlement_id is not None else None
    refusal = check_rights(book, accepted.benefactor, accepted.beneficiary, accepted.signer)
    if refusal is None and pair is not None:
        refusal = check_active(book, pair)
    if refusal is None and settlement is not None:
        refusal = check_route(book, settlement.requested)
    return f"{refusal.reason.name.lower()}: {refusal.text}" if refusal is not None else ""


def react_removed(
    book: Book, _event: PartyRemoved | ContractChanged | PolicyAdopted, at_us: int
) -> tuple[Message, ...]:
    """Have every request ended that is no longer permitted, each by a command of its own; none of them is sent now."""
    return tuple(Arm(wake) for wake in _revocations(book, at_us))


def _revocations(book: Book, at_us: int) -> Iterable[Wake]:
    for request_id, request in book.requests.items():
        if forbidden(book, request):
            yield Wake(
                key=f"request.revoke|{request_id}",
                subject=request_id,
                at_us=at_us,
                kind="request.revoke",
                body=f'{{"request_id":"{request_id}"}}',
            )


def revoke_request(book: Book, command: RevokeRequest, _context: Context) -> tuple[Event, ...]:
    """Decide `RevokeRequest`: what was never sent is cancelled; what may be on its way is to be cancelled on chain."""
    request = book.requests.get(command.request_id)
    text = forbidden(book, request) if request is not None else ""
    if request is None or not text:
        return ()
    settlement = book.settlements.get(request.settlement_id) if request.settlement_id is not None else None
    if settlement is None or not settlement.transactions:
        return (RequestCancelled(request_id=command.request_id, pair=request.accepted.pair, text=text),)
    if settlement.cancelling:
        return ()
    asked = settlement.requested
    return (SettlementCancelRequested(settlement_id=asked.settlement_id, request_id=asked.request_id, text=text),)
