"""Quoting: a benefactor asks for a price and is promised one, or told why not."""

from commands.admission import check_active, check_amounts, check_benefactor
from commands.context import Context
from commands.control import check_asked, check_mode
from commands.envelope import Command, command
from domain.basis import rest_on
from domain.book import Book
from domain.event import Event
from domain.ids import derive_id
from domain.instant import MILLISECOND_US
from domain.policy import Pair, Policy
from domain.pricing import price
from domain.quantity import Num, significant
from domain.quote import QuoteIssued, Side
from domain.refusal import Reason, Refusal, least
from domain.soft_action import check_reach, soft_action


@command("quote.issue")
class IssueQuote(Command, frozen=True, kw_only=True):
    """Ask for a price. `size` is in units of what goes in: collateral for MINT, issued dollars for REDEEM."""

    pair: str
    side: str
    kind: str
    size: Num
    benefactor: str


def find_pair(book: Book, name: str) -> Pair | Refusal:
    """Return the pair, or why there is none."""
    pair = book.pair(name)
    if pair is None:
        return Refusal(reason=Reason.PAIR_UNSUPPORTED, text=f"{name} is not a pair of this book")
    return pair


def _check_size(policy: Policy, size: Num) -> Refusal | None:
    if size <= 0:
        return Refusal(reason=Reason.SIZE_NOT_POSITIVE, text="a size must be above zero")
    if significant(size) > policy.size_digits_max:
        text = f"a size has at most {policy.size_digits_max} significant figures"
        return Refusal(reason=Reason.SIZE_TOO_PRECISE, text=text)
    return None


def issue_quote(book: Book, command: IssueQuote, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `IssueQuote`."""
    policy = book.policy
    if policy is None:
        return Refusal(reason=Reason.POLICY_MISSING, text="the book has no policy yet")
    pair = find_pair(book, command.pair)
    if isinstance(pair, Refusal):
        return pair
    if command.side not in Side.__members__:
        return Refusal(reason=Reason.SIDE_UNSUPPORTED, text=f"a side is MINT or REDEEM, not {command.side!r}")
    side = Side(command.side)
    refusal = (
        check_active(book, pair)
        or _check_size(policy, command.size)
        or check_benefactor(book, command.benefactor)
        or check_mode(book, pair, side)
    )
    if refusal is not None:
        return refusal
    basis = rest_on(book, pair, context.evidence, context.witnesses)
    if isinstance(basis, Refusal):
        return basis
    priced = price(book, pair, side, command.size, basis, soft_action(book, pair, side).wider_bps)
    if isinstance(priced, Refusal):
        return priced
    refusal = least(
        check_asked(book, pair, side, priced, context.at_us),
        check_reach(book, pair, side, priced.notional),
        check_amounts(book, pair, side, priced.collateral, priced.issued),
    )
    if refusal is not None:
        return refusal
    return (
        QuoteIssued(
            quote_id=derive_id(context.command_id, "quote"),
            pair=pair.name,
            side=side,
            kind=command.kind,
            size=command.size,
            benefactor=command.benefactor,
            collateral=priced.collateral,
            issued=priced.issued,
            price=priced.price,
            decomposition=priced.decomposition,
            sources=priced.sources,
            issued_at_us=context.at_us,
            expires_at_us=context.at_us + policy.quote_lifetime_ms * MILLISECOND_US,
        ),
    )
