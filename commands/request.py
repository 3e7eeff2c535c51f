"""Accepting: a signed order meets its quote, passes every check, and its hedge is planned in the same breath."""

from decimal import Decimal
from uuid import UUID

from commands.admission import (
    EIP1271,
    check_active,
    check_amounts,
    check_chain,
    check_delegate,
    check_rights,
    check_signature,
    check_wallet,
)
from commands.chain_ports import Wallet
from commands.context import Context
from commands.control import Accepted, check_asked, check_backing, check_mode
from commands.envelope import Command, command
from commands.planning import plan_hedge
from commands.settling import settles_first
from domain.basis import rest_on
from domain.book import Book, underlying_exposure
from domain.event import Event
from domain.ids import natural_id
from domain.instant import MILLISECOND_US, SECOND_US
from domain.market import BPS_STEP
from domain.policy import Hedging, Pair, Policy
from domain.pricing import Pricing, price
from domain.quantity import BPS, Amount, Rounding, divide, multiply, round_to, subtract
from domain.quote import QuoteIssued, QuoteUsed, Side
from domain.refusal import Reason, Refusal, least
from domain.request import RequestAccepted

NONCE_END = 1 << 120


@command("request.accept")
class AcceptRequest(Command, frozen=True, kw_only=True):
    """Ask to mint or redeem on a quote. `signer` was recovered from `signature` over `order_hash` at the edge.

    Amounts are atoms; `expiry` is seconds since the Unix epoch; addresses are lower case. What the edge found on chain:
    the `wallet` of the benefactor in what he gives, and for EIP-1271 what his own contract says of the signature.
    """

    order_id: str
    order_type: str
    expiry: int
    nonce: int
    benefactor: str
    beneficiary: str
    collateral_asset: str
    collateral_amount: int
    issued_amount: int
    signature: str
    signature_type: str
    order_hash: str
    signer: str
    wallet: Wallet | None = None
    contract_signature: bool | None = None


def accept_request(book: Book, command: AcceptRequest, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `AcceptRequest`."""
    policy = book.policy
    if policy is None:
        return Refusal(reason=Reason.POLICY_MISSING, text="the book has no policy yet")
    if command.order_type not in Side.__members__:
        return Refusal(reason=Reason.ORDER_TYPE_INVALID, text=f"an order is MINT or REDEEM, not {command.order_type!r}")
    pair = find_pair(book, command.collateral_asset)
    if isinstance(pair, Refusal):
        return pair
    side = Side(command.order_type)
    refusal = (
        check_active(book, pair)
        or _check_asker(book, pair, side, command)
        or check_mode(book, pair, side)
        or check_chain(book, pair, side, command.wallet)
    )
    if refusal is not None:
        return refusal
    quote = _find_quote(book, command.order_id, context.at_us)
    if isinstance(quote, Refusal):
        return quote
    refusal = _check_match(pair, quote, command) or _check_freshness(book, policy, command, context.at_us)
    return refusal or _promise(book, policy, pair, quote, command, context)


def _promise(
    book: Book, policy: Policy, pair: Pair, quote: QuoteIssued, command: AcceptRequest, context: Context
) -> tuple[Event, ...] | Refusal:
    """Price the quote's size again, test every limit with it, and plan its hedge."""
    basis = rest_on(book, pair, context.evidence, context.witnesses)
    if isinstance(basis, Refusal):
        return basis
    priced = price(book, pair, quote.side, quote.size, basis)
    if isinstance(priced, Refusal):
        return priced
    accepted = _accepted(quote, command, context)
    used = QuoteUsed(quote_id=quote.quote_id, request_id=accepted.request_id)
    planned = plan_hedge(book, pair, accepted, context, basis.ways) if pair.hedging is Hedging.PERPETUAL else None
    hedge = planned[0] if isinstance(planned, tuple) else None
    change = Accepted(change=underlying_exposure(book, accepted), hedge=hedge)
    refusal = least(
        planned if isinstance(planned, Refusal) else None,
        check_asked(book, pair, quote.side, priced, context.at_us, change),
        check_backing(book, quote.side, quote.collateral),
        check_amounts(book, pair, quote.side, quote.collateral, quote.issued),
        check_delegate(book, quote, accepted.signer),
        _last_look(policy, quote, priced),
    )
    if refusal is not None or isinstance(planned, Refusal):
        return refusal or ()
    if planned is None or settles_first(book, pair):  # it is planned anew when the settlement stands in a block
        return used, accepted
    return used, accepted, *planned


def find_pair(book: Book, collateral: str) -> Pair | Refusal:
    """Return the pair of a collateral's contract address."""
    for pair in book.policy.pairs if book.policy is not None else ():
        if book.asset(pair.collateral).address == collateral:
            return pair
    return Refusal(reason=Reason.ASSET_UNSUPPORTED, text=f"{collateral} is no collateral here")


def _check_asker(book: Book, pair: Pair, side: Side, command: AcceptRequest) -> Refusal | None:
    """Refuse who may not ask, be paid or sign, and whose wallet does not cover what he gives."""
    given = (
        Amount(pair.collateral, command.collateral_amount)
        if side is Side.MINT
        else Amount(book.policy.issued if book.policy is not None else "", command.issued_amount)
    )
    return (
        check_rights(book, command.benefactor, command.beneficiary, _signer(command))
        or check_signature(command.signature_type, contract_signature=command.contract_signature)
        or check_wallet(book, side, command.benefactor, given, command.wallet)
    )


def _signer(command: AcceptRequest) -> str:
    """Return who signed: a contract wallet signs for itself."""
    return command.benefactor if command.signature_type == EIP1271 else command.signer


def quote_key(order_id: str) -> UUID | None:
    """Return the quote that an order id names: `RFQ-` in front is optional, case does not matter."""
    text = order_id.strip().lower().removeprefix("rfq-")
    try:
        return UUID(text)
    except ValueError:
        return None


def _find_quote(book: Book, order_id: str, at_us: int) -> QuoteIssued | Refusal:
    key = quote_key(order_id)
    if key is not None and key in book.used_quotes:
        return Refusal(reason=Reason.QUOTE_USED, text=f"{order_id} was used already")
    found = book.quotes.get(key) if key is not None else None
    if found is None:
        return Refusal(reason=Reason.QUOTE_UNKNOWN, text=f"{order_id} is no quote of this book")
    if at_us >= found.quote.expires_at_us:
        return Refusal(reason=Reason.QUOTE_EXPIRED, text=f"{order_id} has expired: ask for a new quote")
    return found.quote


def _check_match(pair: Pair, quote: QuoteIssued, command: AcceptRequest) -> Refusal | None:
    differs = [
        name
        for name, same in (
            ("order_type", command.order_type == quote.side.value),
            ("benefactor", command.benefactor == quote.benefactor),
            ("collateral_asset", quote.pair == pair.name and quote.collateral.asset == pair.collateral),
            ("collateral_amount", command.collateral_amount == quote.collateral.atoms),
            ("usde_amount", command.issued_amount == quote.issued.atoms),
        )
        if not same
    ]
    if differs:
        return Refusal(reason=Reason.QUOTE_MISMATCH, text=f"the order differs from its quote in {', '.join(differs)}")
    return None


def _check_freshness(book: Book, policy: Policy, command: AcceptRequest, at_us: int) -> Refusal | None:
    if command.expiry * SECOND_US < at_us + policy.order_expiry_min_ms * MILLISECOND_US:
        text = f"an order must not expire within {policy.order_expiry_min_ms} ms"
        return Refusal(reason=Reason.ORDER_EXPIRED, text=text)
    if not 0 < command.nonce < NONCE_END:
        return Refusal(reason=Reason.NONCE_INVALID, text="a nonce lies between 1 and 2^120 - 1")
    if book.nonce_used(command.benefactor, command.nonce):
        return Refusal(reason=Reason.NONCE_USED, text=f"nonce {command.nonce} was used (its low 64 bits count)")
    return None


def _last_look(policy: Policy, quote: QuoteIssued, now: Pricing) -> Refusal | None:
    """Refuse when the same size, priced now, is worse for the book by more than the band."""
    if quote.side is Side.MINT:
        promised, fair = Decimal(quote.issued.atoms), Decimal(now.issued.atoms)
    else:
        promised, fair = Decimal(quote.collateral.atoms), Decimal(now.collateral.atoms)
    moved = multiply(divide(subtract(promised, fair), promised), BPS)
    if moved > policy.last_look_bps:
        text = (
            f"the market moved {round_to(moved, BPS_STEP, Rounding.NEAREST)} bps against the quote: ask for a new one"
        )
        return Refusal(reason=Reason.MARKET_MOVED, text=text)
    return None


def _accepted(quote: QuoteIssued, command: AcceptRequest, context: Context) -> RequestAccepted:
    return RequestAccepted(
        request_id=natural_id("request", command.order_hash),
        order_id=command.order_id,
        quote_id=quote.quote_id,
        pair=quote.pair,
        side=quote.side,
        benefactor=command.benefactor,
        beneficiary=command.beneficiary,
        signer=_signer(command),
        nonce=command.nonce,
        expiry_us=command.expiry * SECOND_US,
        collateral=quote.collateral,
        issued=quote.issued,
        order_hash=command.order_hash,
        signature=command.signature,
        accepted_at_us=context.at_us,
        signature_type=command.signature_type,
    )
