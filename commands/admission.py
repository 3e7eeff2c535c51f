"""What the chain lets happen: who may ask and sign, what his wallet covers, and what the contract takes in a block.

While the contract was never seen, only the policy's whitelist counts; a policy that requires the chain accepts nothing
then. The contract checks all of this again: what is refused here is a transaction that would have failed.
"""

from decimal import Decimal

from commands.chain_ports import Wallet
from domain.book import Book
from domain.onchain import CHAIN, RATIO_SUM, AssetTerms, ContractTerms, PartyKind
from domain.policy import Pair, Policy
from domain.quantity import BPS, Amount, Num, divide, multiply, subtract, to_units
from domain.quote import QuoteIssued, Side
from domain.refusal import Reason, Refusal, least
from domain.request import OpenRequest
from domain.route import NO_ROUTE, choose_route
from domain.settlement import OpenSettlement, SettlementSubmissionRequested

# The contract compares a stable with the issued dollar after bringing it to the latter's decimals.
ISSUED_DECIMALS = 18
EIP712, EIP1271 = "EIP712", "EIP1271"


def check_benefactor(book: Book, benefactor: str) -> Refusal | None:
    """Refuse whom the policy's whitelist (empty: everyone) or the chain's does not name."""
    allowed = book.policy.benefactors if book.policy else ()
    chain = book.onchain
    if (allowed and benefactor not in allowed) or (
        chain.terms is not None and not chain.admitted(PartyKind.BENEFACTOR, benefactor)
    ):
        return Refusal(reason=Reason.BENEFACTOR_NOT_WHITELISTED, text=f"{benefactor or 'nobody'} is not whitelisted")
    return None


def check_rights(book: Book, benefactor: str, beneficiary: str, signer: str) -> Refusal | None:
    """Refuse a benefactor, and whom he was not seen to let be paid or sign for him."""
    refusal = check_benefactor(book, benefactor)
    if refusal is not None or _blind(book):
        return refusal
    chain = book.onchain
    if beneficiary != benefactor and not chain.admitted(PartyKind.BENEFICIARY, beneficiary, benefactor):
        text = f"{beneficiary} is not approved as a beneficiary of {benefactor}"
        return Refusal(reason=Reason.BENEFICIARY_NOT_APPROVED, text=text)
    if signer != benefactor and not chain.admitted(PartyKind.DELEGATE, signer, benefactor):
        text = f"signed by {signer}, neither the benefactor nor a delegate of his"
        return Refusal(reason=Reason.SIGNATURE_INVALID, text=text)
    return None


def _blind(book: Book) -> bool:
    """Say whether the chain is still to be seen: then nothing is judged by it, and nothing accepted."""
    return book.policy is not None and book.policy.chain_required and book.onchain.terms is None


def check_signature(signature_type: str, *, contract_signature: bool | None) -> Refusal | None:
    """Refuse a kind of signature that the contract does not know, or that a contract wallet does not own to."""
    if signature_type not in {EIP712, EIP1271}:
        return Refusal(reason=Reason.SIGNATURE_INVALID, text="a signature is of type EIP712 or EIP1271")
    if signature_type == EIP1271 and not contract_signature:
        return Refusal(reason=Reason.SIGNATURE_INVALID, text="the benefactor's wallet does not own to the signature")
    return None


def check_chain(book: Book, pair: Pair, side: Side, wallet: Wallet | None) -> Refusal | None:
    """Refuse to accept what rests on a chain that is required and not seen."""
    if book.policy is None or not book.policy.chain_required:
        return None
    text = ""
    if book.onchain.terms is None:
        text = "the contract was not seen yet"
    elif CHAIN in book.dependencies:
        text = f"the chain is degraded: {book.dependencies[CHAIN]}"
    elif wallet is None:
        text = "the benefactor's wallet was not seen"
    elif side is Side.MINT and choose_route(book, pair.collateral, 1) == NO_ROUTE:
        text = "no custodian of the policy is admitted on chain"
    return Refusal(reason=Reason.CHAIN_UNKNOWN, text=text) if text else None


def _waits(book: Book, request: OpenRequest, seen_block: int) -> bool:
    """Say whether no block up to the one that was seen has settled a request."""
    settlement = book.settlements.get(request.settlement_id) if request.settlement_id is not None else None
    if settlement is None or not settlement.receipts:  # of most that are open, and each is asked
        return True
    settled = settlement.settled
    return settled is None or settled.block_number > seen_block


def check_wallet(book: Book, side: Side, benefactor: str, given: Amount, wallet: Wallet | None) -> Refusal | None:
    """Refuse more than a benefactor has and approved of what he gives, less what his open requests will take of it."""
    if wallet is None:
        return None
    taken = 0
    mint = side is Side.MINT
    for request in book.requests.values():
        accepted = request.accepted
        if accepted.benefactor != benefactor or accepted.side is not side:
            continue
        gives = accepted.collateral if mint else accepted.issued
        if gives.asset == given.asset and _waits(book, request, wallet.block_number):
            taken += gives.atoms
    return _short(
        Reason.WALLET_BALANCE if mint else Reason.ISSUED_BALANCE, "has", given, wallet.balance - taken
    ) or _short(
        Reason.WALLET_ALLOWANCE if mint else Reason.ISSUED_ALLOWANCE, "has approved", given, wallet.allowance - taken
    )


def _short(reason: Reason, has: str, given: Amount, left: int) -> Refusal | None:
    if given.atoms <= left:
        return None
    text = f"the benefactor {has} {max(left, 0)} atoms of {given.asset} left, less than {given.atoms}"
    return Refusal(reason=reason, text=text, limit=str(max(left, 0)), value=str(given.atoms))


def check_active(book: Book, pair: Pair) -> Refusal | None:
    """Refuse a collateral that the contract does not take now."""
    asset = book.asset(pair.collateral)
    if book.onchain.terms is None:
        return None
    terms = book.onchain.asset(asset.address)
    if terms is not None and terms.active:
        return None
    return Refusal(reason=Reason.ASSET_INACTIVE, text=f"the contract does not take {asset.symbol} now")


def check_amounts(book: Book, pair: Pair, side: Side, collateral: Amount, issued: Amount) -> Refusal | None:
    """Refuse amounts that the contract would not let through: its caps, its hot balance, its limit on stables."""
    chain, policy = book.onchain, book.policy
    asset = chain.asset(book.asset(pair.collateral).address)
    if chain.terms is None or asset is None or policy is None:
        return None
    return least(
        _check_capacity(book, side, issued, pair.collateral, _caps(policy, chain.terms, asset, side)),
        _check_hot(book, chain.terms, side, collateral, asset),
        _check_stable(book, chain.terms, side, (collateral, issued), asset),
    )


def _caps(policy: Policy, terms: ContractTerms, asset: AssetTerms, side: Side) -> tuple[int, int]:
    """Return what is ours of the caps of an asset and of all, in atoms of issued dollars a block.

    A margin is left to other minters: theirs is not known before the block is.
    """
    mint = side is Side.MINT
    one = asset.max_mint_per_block if mint else asset.max_redeem_per_block
    every = terms.global_max_mint_per_block if mint else terms.global_max_redeem_per_block
    return _ours(one, policy), _ours(every, policy)


def _ours(cap: int, policy: Policy) -> int:
    return int(divide(multiply(Num(cap), subtract(BPS, policy.capacity_margin_bps)), BPS))


def _check_capacity(book: Book, side: Side, issued: Amount, symbol: str, caps: tuple[int, int]) -> Refusal | None:
    """Refuse what could not be in one block with all that may be in the same one."""
    if issued.atoms > min(caps):
        text = f"{issued.atoms} atoms are more than the {min(caps)} that fit into a block"
        return Refusal(reason=Reason.BLOCK_CAPACITY_SET, text=text, limit=str(min(caps)), value=str(issued.atoms))
    left = min(caps[0] - book.reserve(side, symbol), caps[1] - book.reserve(side))
    if issued.atoms <= left:
        return None
    text = f"{issued.atoms} atoms are more than the {max(left, 0)} that are left of a block"
    return Refusal(reason=Reason.BLOCK_CAPACITY_LEFT, text=text, limit=str(max(left, 0)), value=str(issued.atoms))


def _check_hot(book: Book, terms: ContractTerms, side: Side, collateral: Amount, asset: AssetTerms) -> Refusal | None:
    """Refuse a redeem of more than the contract itself holds, less what open redeems will take."""
    if side is Side.MINT:
        return None
    owed = sum(
        request.accepted.collateral.atoms
        for request in book.requests.values()
        if request.accepted.side is Side.REDEEM
        and request.accepted.collateral.asset == collateral.asset
        and _waits(book, request, terms.block_number)
    )
    left = max(asset.hot_balance - owed, 0)
    if collateral.atoms <= left:
        return None
    decimals = book.asset(collateral.asset).decimals
    return Refusal(
        reason=Reason.HOT_BALANCE,
        text=f"the contract has {to_units(left, decimals)} {collateral.asset} left to pay out",
        limit=str(to_units(left, decimals)),
        value=str(to_units(collateral.atoms, decimals)),
    )


def _check_stable(
    book: Book, terms: ContractTerms, side: Side, amounts: tuple[Amount, Amount], asset: AssetTerms
) -> Refusal | None:
    """Refuse what the contract's `verifyStablesLimit` would: computed as it does, in whole basis points."""
    collateral, issued = amounts
    if not asset.stable or issued.atoms <= 0:
        return None
    decimals = book.asset(collateral.asset).decimals
    normal = collateral.atoms * 10**ISSUED_DECIMALS // 10**decimals
    worse = issued.atoms > normal if side is Side.MINT else normal > issued.atoms
    bps = abs(issued.atoms - normal) * RATIO_SUM // issued.atoms
    if not worse or bps <= terms.stables_delta_limit_bps:
        return None
    text = f"{collateral.asset} would change hands {bps} bps from its face, {terms.stables_delta_limit_bps} are allowed"
    return Refusal(reason=Reason.STABLE_PRICE, text=text, limit=str(terms.stables_delta_limit_bps), value=str(bps))


def check_delegate(book: Book, quote: QuoteIssued, signer: str) -> Refusal | None:
    """Refuse a delegate's order that costs its benefactor too much of its value, gas and all: he may be a thief."""
    policy = book.policy
    if policy is None or signer == quote.benefactor:
        return None
    collateral = multiply(
        to_units(quote.collateral.atoms, book.asset(quote.collateral.asset).decimals), quote.decomposition.reference
    )
    issued = to_units(quote.issued.atoms, ISSUED_DECIMALS)
    given, got = (collateral, issued) if quote.side is Side.MINT else (issued, collateral)
    cost: Decimal = multiply(divide(subtract(given, got), given), BPS)
    if cost <= policy.delegate_slippage_bps_max:
        return None
    text = f"a delegate may not sign away more than {policy.delegate_slippage_bps_max} bps of an order's value"
    return Refusal(
        reason=Reason.DELEGATE_SLIPPAGE, text=text, limit=str(policy.delegate_slippage_bps_max), value=str(Num(cost))
    )


def check_route(book: Book, requested: SettlementSubmissionRequested) -> Refusal | None:
    """Refuse a route over a custodian that the chain does not admit (any more), or none where one is needed."""
    chain, policy = book.onchain, book.policy
    if chain.terms is None or requested.side is Side.REDEEM:
        return None
    gone = [each for each in requested.custodians if not chain.admitted(PartyKind.CUSTODIAN, each)]
    if gone or (policy is not None and policy.chain_required and not requested.custodians):
        text = f"{', '.join(gone) or 'no custodian'} is admitted on chain no more"
        return Refusal(reason=Reason.TRANSACTION_INVALID, text=text)
    return None


def check_sendable(book: Book, settlement: OpenSettlement) -> Refusal | None:
    """Refuse for now what the contract would: it takes no such asset, or what is under way fills its block."""
    chain, policy, asked = book.onchain, book.policy, settlement.requested
    if chain.terms is None or policy is None:
        return None
    asset = chain.asset(book.asset(asked.collateral.asset).address)
    if asset is None or not asset.active:
        return Refusal(reason=Reason.SETTLEMENT_WAITS, text=f"the contract does not take {asked.collateral.asset} now")
    sent = [
        each.requested
        for each in book.settlements.values()
        if each.transactions and each.settled is None and each.requested.side is asked.side and each is not settlement
    ]
    here = sum(each.issued.atoms for each in sent if each.collateral.asset == asked.collateral.asset)
    everywhere = sum(each.issued.atoms for each in sent)
    caps = _caps(policy, chain.terms, asset, asked.side)
    if here + asked.issued.atoms <= caps[0] and everywhere + asked.issued.atoms <= caps[1]:
        return None
    return Refusal(reason=Reason.SETTLEMENT_WAITS, text="what is under way fills the contract's block")
