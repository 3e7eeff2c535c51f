"""The treasury: what people were asked to move into or out of the contract, and what came of it."""

import msgspec

from domain.instant import rfc3339
from domain.treasury import (
    CustodyFailed,
    CustodyProposed,
    CustodySubmitted,
    CustodyTransferred,
    Direction,
    ProposalCompleted,
    ProposalWithdrawn,
    TopupProposed,
)
from projections.view import Row, Rows, View


class CallLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show the newest transaction of a call of ours; `state` is submitted, confirmed or failed, amounts atoms as text.

    `block_number` is that of a confirmed one, else 0.
    """

    custodian: str
    amount: str
    tx_hash: str
    sender: str
    nonce: int
    state: str
    block_number: int


class TreasuryLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a proposal; `state` is open, withdrawn or completed. Amounts in atoms of `asset`, as text.

    `calls` are those that carried it out by a key of ours, where one is set.
    `safe_json` is the file to import in the Safe's Transaction Builder; empty for a top-up.
    """

    proposal_id: str
    direction: Direction
    asset: str
    amount: str
    hot: str
    owed: str
    funder: str
    custodians: tuple[str, ...]
    parts: tuple[str, ...]
    safe: str
    safe_json: str
    state: str
    text: str
    proposed_at: str
    ended_at: str
    calls: tuple[CallLine, ...] = ()


class Treasury(Rows[TreasuryLine]):
    """Hold the open proposals."""


def _topup(state: Treasury, event: TopupProposed, position: int, at_us: int) -> tuple[Row[TreasuryLine], ...]:
    line = TreasuryLine(
        proposal_id=str(event.proposal_id),
        direction=Direction.TOPUP,
        asset=event.amount.asset,
        amount=str(event.amount.atoms),
        hot=str(event.hot.atoms),
        owed=str(event.owed.atoms),
        funder=event.funder,
        custodians=(),
        parts=(),
        safe="",
        safe_json="",
        state="open",
        text=event.text,
        proposed_at=rfc3339(at_us),
        ended_at="",
    )
    return state.keep(line.proposal_id, position, line)


def _custody(state: Treasury, event: CustodyProposed, position: int, at_us: int) -> tuple[Row[TreasuryLine], ...]:
    line = TreasuryLine(
        proposal_id=str(event.proposal_id),
        direction=Direction.CUSTODY,
        asset=event.amount.asset,
        amount=str(event.amount.atoms),
        hot=str(event.hot.atoms),
        owed=str(event.owed.atoms),
        funder="",
        custodians=event.custodians,
        parts=tuple(map(str, event.parts)),
        safe=event.safe,
        safe_json=event.safe_json,
        state="open",
        text=event.text,
        proposed_at=rfc3339(at_us),
        ended_at="",
    )
    return state.keep(line.proposal_id, position, line)


def _withdrawn(state: Treasury, event: ProposalWithdrawn, position: int, at_us: int) -> tuple[Row[TreasuryLine], ...]:
    return _ended(state, str(event.proposal_id), position, ("withdrawn", event.text, rfc3339(at_us)))


def _completed(state: Treasury, event: ProposalCompleted, position: int, at_us: int) -> tuple[Row[TreasuryLine], ...]:
    text = f"the contract held {event.hot_before.atoms} and holds {event.hot_after.atoms} in block {event.block_number}"
    return _ended(state, str(event.proposal_id), position, ("completed", text, rfc3339(at_us)))


def _submitted(state: Treasury, event: CustodySubmitted, position: int, _at_us: int) -> tuple[Row[TreasuryLine], ...]:
    transaction = event.transaction
    call = CallLine(
        custodian=event.custodian,
        amount=str(event.amount.atoms),
        tx_hash=transaction.tx_hash,
        sender=transaction.sender,
        nonce=transaction.nonce,
        state="submitted",
        block_number=0,
    )
    return _called(state, str(event.proposal_id), position, call)


def _transferred(
    state: Treasury, event: CustodyTransferred, position: int, _at_us: int
) -> tuple[Row[TreasuryLine], ...]:
    key, receipt = str(event.proposal_id), event.receipt
    last = state.rows[key].document.calls[-1]
    done = msgspec.structs.replace(last, tx_hash=receipt.tx_hash, state="confirmed", block_number=receipt.block_number)
    return _called(state, key, position, done)


def _failed(state: Treasury, event: CustodyFailed, position: int, _at_us: int) -> tuple[Row[TreasuryLine], ...]:
    key = str(event.proposal_id)
    last = state.rows[key].document.calls[-1]
    return _called(state, key, position, msgspec.structs.replace(last, tx_hash=event.tx_hash, state="failed"))


def _called(state: Treasury, key: str, position: int, call: CallLine) -> tuple[Row[TreasuryLine], ...]:
    """Show a call: in the place of the last one when it is at the same nonce."""
    line = state.rows[key].document
    before = tuple(each for each in line.calls if each.nonce != call.nonce)
    return state.keep(key, position, msgspec.structs.replace(line, calls=(*before, call)))


def _ended(state: Treasury, key: str, position: int, end: tuple[str, str, str]) -> tuple[Row[TreasuryLine], ...]:
    line = state.rows[key].document  # a log is folded from its beginning: what ends was proposed
    what, text, at = end
    return state.close(key, position, msgspec.structs.replace(line, state=what, text=text, ended_at=at))


TREASURY = View(
    name="treasury",
    document=TreasuryLine,
    state=Treasury,
    steps={
        TopupProposed: _topup,
        CustodyProposed: _custody,
        ProposalWithdrawn: _withdrawn,
        ProposalCompleted: _completed,
        CustodySubmitted: _submitted,
        CustodyTransferred: _transferred,
        CustodyFailed: _failed,
    },
)
