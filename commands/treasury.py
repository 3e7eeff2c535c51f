"""The treasury: what the contract holds is held against its band whenever it is seen; people are asked to move it.

What counts is what is left after accepted redemptions. At most one proposal of an asset and direction is open; it is
withdrawn when carrying it out would no longer bring the contract into its band, and made anew where one is needed.
"""

from collections.abc import Iterator

import msgspec

from commands.process import Message, Record
from domain.book import Book
from domain.event import Event
from domain.ids import natural_id
from domain.onchain import ContractChanged, ContractObserved, PartyKind, split
from domain.policy import Asset, HotBand, Policy
from domain.quantity import Amount, Num, Rounding, to_atoms, to_units
from domain.quote import Side
from domain.route import NO_ROUTE, Split, choose_route
from domain.safe import SafeCall, safe_batch
from domain.treasury import (
    CustodyFailed,
    CustodyProposed,
    CustodyTransferred,
    Direction,
    Proposal,
    ProposalCompleted,
    ProposalWithdrawn,
    TopupProposed,
    treasury_id,
)


class _Hot(msgspec.Struct, frozen=True):
    """What the contract holds of an asset against its band, in atoms."""

    asset: Asset
    band: HotBand
    held: int
    owed: int
    block_number: int

    @property
    def free(self) -> int:
        return self.held - self.owed

    def atoms(self, units: Num) -> int:
        return to_atoms(units, self.asset.decimals, Rounding.FLOOR)

    def within(self, atoms: int) -> bool:
        return self.atoms(self.band.minimum) <= atoms <= self.atoms(self.band.maximum)


def react_terms(book: Book, _event: ContractObserved | ContractChanged, at_us: int) -> tuple[Message, ...]:
    """Propose, withdraw or complete: whatever what was seen of the contract asks for."""
    return _react(book, at_us)


def react_called(book: Book, _event: CustodyTransferred | CustodyFailed, at_us: int) -> tuple[Message, ...]:
    """Judge anew what a call of ours kept from ending, though nothing new is seen of the contract."""
    return _react(book, at_us)


def _react(book: Book, at_us: int) -> tuple[Message, ...]:
    policy = book.policy
    if policy is None:
        return ()
    banded = {band.asset for band in policy.treasury.bands}
    gone = tuple(
        _withdraw(proposal, "the policy has no band for it any more")
        for proposal in book.treasury.proposals.values()
        if proposal.asset not in banded and not book.treasury.under_way(proposal.proposal_id)
    )
    found = (event for band in policy.treasury.bands for event in _judge(book, policy, band, at_us))
    return tuple(map(Record, (*gone, *found)))


def _judge(book: Book, policy: Policy, band: HotBand, at_us: int) -> Iterator[Event]:
    asset = next((asset for asset in policy.assets if asset.symbol == band.asset), None)
    terms = book.onchain.terms
    seen = None if asset is None else book.onchain.asset(asset.address)
    if asset is None or seen is None or terms is None:
        return
    hot = _Hot(asset, band, seen.hot_balance, _owed(book, band.asset, terms.block_number), terms.block_number)
    for direction in Direction:
        proposal = book.treasury.open(band.asset, direction)
        end = None if proposal is None else _ended(book, proposal, hot)
        if end is not None:
            yield end
        needed = _needed(hot, direction)
        stale = proposal is not None and hot.block_number < proposal.paid_block
        if needed > 0 and not stale and (proposal is None or end is not None):
            yield _propose(book, policy, hot, direction, needed, at_us)


def _owed(book: Book, asset: str, block_number: int) -> int:
    """Return what accepted redemptions will still take out of the contract, as it was at a block."""
    owed = 0
    for request in book.requests.values():
        accepted = request.accepted
        if accepted.side is not Side.REDEEM or accepted.collateral.asset != asset:
            continue
        settlement = book.settlements.get(request.settlement_id) if request.settlement_id is not None else None
        paid = settlement.settled if settlement is not None else None
        if paid is None or paid.block_number > block_number:
            owed += accepted.collateral.atoms
    return owed


def _needed(hot: _Hot, direction: Direction) -> int:
    """Return the atoms to move so that the target is reached; none within the band."""
    if direction is Direction.TOPUP:
        return hot.atoms(hot.band.target) - hot.free if hot.free < hot.atoms(hot.band.minimum) else 0
    return min(hot.free - hot.atoms(hot.band.target), hot.held) if hot.free > hot.atoms(hot.band.maximum) else 0


def _ended(book: Book, proposal: Proposal, hot: _Hot) -> Event | None:
    """Say how an open proposal ends by what is seen now; None while it should still be carried out.

    Nothing ends while a call of it may yet happen, nor by what was seen before the last one did.
    """
    paid = bool(proposal.paid) and not proposal.unpaid
    if book.treasury.under_way(proposal.proposal_id) or (hot.block_number < proposal.paid_block and not paid):
        return None
    sign = 1 if proposal.direction is Direction.TOPUP else -1
    if sign * (hot.held - proposal.hot) >= proposal.amount or paid:
        asset = proposal.asset
        return ProposalCompleted(
            proposal_id=proposal.proposal_id,
            direction=proposal.direction,
            amount=Amount(asset, proposal.amount),
            hot_before=Amount(asset, proposal.hot),
            hot_after=Amount(asset, hot.held),
            block_number=hot.block_number,
        )
    if proposal.failed and proposal.paid:
        return _withdraw(proposal, "a call of it failed after others went through: its batch would pay those again")
    if sign * (hot.atoms(hot.band.target) - hot.free) <= 0:
        return _withdraw(proposal, "the contract holds what it should without it")
    if not hot.within(hot.free + sign * proposal.left):
        return _withdraw(proposal, "it would not bring the contract into its band any more")
    if proposal.direction is Direction.CUSTODY and not _admitted(book, proposal):
        return _withdraw(proposal, "its custodians are not those that the chain admits")
    return None


def _admitted(book: Book, proposal: Proposal) -> bool:
    chain = book.onchain
    if not proposal.custodians:  # nobody could take it: has that changed?
        return choose_route(book, proposal.asset, proposal.amount) == NO_ROUTE
    return all(chain.admitted(PartyKind.CUSTODIAN, address) for address in proposal.custodians)


def _withdraw(proposal: Proposal, text: str) -> ProposalWithdrawn:
    return ProposalWithdrawn(
        proposal_id=proposal.proposal_id, asset=proposal.asset, direction=proposal.direction, text=text
    )


def _propose(book: Book, policy: Policy, hot: _Hot, direction: Direction, needed: int, at_us: int) -> Event:
    symbol = hot.asset.symbol
    # The stream's version grows with every proposal and every end of one: no two proposals have one id.
    version = book.versions.get(treasury_id(symbol), 0)
    proposal_id = natural_id("proposal", symbol, direction.value, str(version))
    units = to_units(needed, hot.asset.decimals)
    amount, held, owed = (Amount(symbol, atoms) for atoms in (needed, hot.held, hot.owed))
    left = f"the contract has {to_units(hot.free, hot.asset.decimals)} {symbol} left after accepted redemptions"
    if direction is Direction.TOPUP:
        funder = hot.band.funder or "whoever holds it"
        return TopupProposed(
            proposal_id=proposal_id,
            amount=amount,
            hot=held,
            owed=owed,
            funder=hot.band.funder,
            token=hot.asset.address,
            contract=policy.minting_contract,
            text=f"{left}, below {hot.band.minimum}: {funder} should send {units} to {policy.minting_contract}",
        )
    route = choose_route(book, symbol, needed)
    parts = split(needed, route.ratios)
    text = f"{left}, above {hot.band.maximum}: {units} should go to custody"
    if route == NO_ROUTE:
        text += ", and no custodian of the policy is admitted on chain"
    return CustodyProposed(
        proposal_id=proposal_id,
        amount=amount,
        hot=held,
        owed=owed,
        custodians=route.custodians,
        parts=parts,
        safe=policy.treasury.safe,
        safe_json="" if route == NO_ROUTE else _batch(policy, hot.asset, route, parts, text, at_us),
        text=text,
    )


def _batch(policy: Policy, asset: Asset, route: Split, parts: tuple[int, ...], text: str, at_us: int) -> str:
    """Return the multisig's batch: a `transferToCustody` for each custodian that gets a part."""
    calls = [
        SafeCall(
            to=policy.minting_contract,
            function="transferToCustody",
            inputs=(
                ("wallet", "address", wallet),
                ("asset", "address", asset.address),
                ("amount", "uint128", str(part)),
            ),
        )
        for wallet, part in zip(route.custodians, parts, strict=True)
        if part > 0
    ]
    return safe_batch(
        calls,
        chain_id=policy.chain_id,
        safe=policy.treasury.safe,
        created_at_ms=at_us // 1_000,
        name=f"{asset.symbol} to custody",
        description=text,
    )
