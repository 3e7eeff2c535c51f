"""What a decision passes: modes, backing, and the controls of the catalogue as a decider asks for them.

What is measured and refused is in `domain.controls`; a missing limit refuses.
"""

from decimal import Decimal

import msgspec

from domain.basis import check_suspended
from domain.book import Book
from domain.controls import Probe, check, missing, strictest
from domain.exposure import exposure, with_request
from domain.hedge import HedgePlanned, PlannedLeg, Purpose
from domain.limit import Control, Limit
from domain.limits import Stage
from domain.market import BPS_STEP
from domain.mode import GLOBAL, SEVERITY, Action, Mode, forbid, mildest
from domain.order import Order
from domain.policy import Hedging, Pair
from domain.pricing import Pricing
from domain.quantity import BPS, ZERO, Amount, Num, Rounding, divide, multiply, round_to, subtract, to_units
from domain.quote import Side
from domain.refusal import Reason, Refusal


def need_limit(book: Book, control: Control, scope: str = GLOBAL) -> Limit | Refusal:
    """Return the limit, or the refusal that its absence is."""
    return book.limit(control, scope) or missing(control, scope)


def mode_of(book: Book, pair: Pair) -> Mode:
    """Return the strictest mode of the book, the pair and its asset; and that of the freest venue it is hedged on."""
    underlying = book.asset(pair.collateral).underlying
    own = book.mode(f"pair:{pair.name}", f"asset:{underlying}")
    if pair.hedging is Hedging.HOLD or book.policy is None:
        return own
    venues = mildest(book.modes, *(f"venue:{each.venue}" for each in book.policy.traded(underlying)))
    return max(own, venues, key=SEVERITY.__getitem__)


def check_mode(book: Book, pair: Pair, side: Side) -> Refusal | None:
    """Refuse what the modes of the book, the venue, the asset and the pair do not permit, what is lost or suspended."""
    mode, action = mode_of(book, pair), Action.MINT if side is Side.MINT else Action.REDEEM
    text = f"{pair.name} is halted" if mode is Mode.HALTED else f"{pair.name} takes no new mints now"
    return forbid(mode, action, text) or check_suspended(book, pair, side)


def check_backing(book: Book, side: Side, collateral: Amount) -> Refusal | None:
    """Refuse to owe collateral that is not there: what open redeems are owed is not there any more."""
    if side is Side.MINT:
        return None
    available = book.available(collateral.asset)
    if collateral.atoms <= available:
        return None
    decimals = book.asset(collateral.asset).decimals
    return Refusal(
        reason=Reason.BACKING_INSUFFICIENT,
        text=f"{to_units(available, decimals)} {collateral.asset} are there to be redeemed",
        value=str(to_units(collateral.atoms, decimals)),
        limit=str(to_units(available, decimals)),
    )


def check_delta(book: Book, underlying: str, backing_change: Decimal, trade: Decimal) -> Refusal | None:
    """Refuse when the worst corner of the exposure, with this request, would leave its limit."""
    limit = need_limit(book, Control.NET_DELTA, f"asset:{underlying}")
    if isinstance(limit, Refusal):
        return limit
    worst = with_request(exposure(book, underlying).interval, backing_change, trade).worst
    if worst <= limit.value:
        return None
    return Refusal(
        reason=Reason.NET_DELTA,
        text=f"worst-case delta would be {worst} {underlying}, above {limit.value}",
        control=limit.control,
        scope=limit.scope,
        limit=str(limit.value),
        value=str(worst),
    )


def check_collar(book: Book, leg: PlannedLeg, underlying: str) -> Refusal | None:
    """Refuse a leg whose limit price lies too far from the middle of its own book, on either side."""
    limit = strictest(book, Control.PRICE_COLLAR, f"asset:{underlying}", f"venue:{leg.venue}")
    if limit is None:
        return missing(Control.PRICE_COLLAR, GLOBAL)
    distance = multiply(divide(abs(subtract(leg.limit_price, leg.reference)), leg.reference), BPS)
    if distance <= limit.value:
        return None
    text = f"the limit price {leg.limit_price} lies more than {limit.value} bps from the reference {leg.reference}"
    return Refusal(
        reason=Reason.PRICE_COLLAR,
        text=text,
        control=limit.control,
        scope=limit.scope,
        limit=str(limit.value),
        value=str(round_to(distance, BPS_STEP, Rounding.NEAREST)),
    )


class Accepted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say what accepting would change: the backing, signed base units, and the hedge that was planned for it."""

    change: Num
    hedge: HedgePlanned | None = None


def check_asked(
    book: Book, pair: Pair, side: Side, priced: Pricing, at_us: int, accepted: Accepted | None = None
) -> Refusal | None:
    """Test every control of a mint or redeem: of a quote, or, with the hedge that it would bring, of its acceptance."""
    hedge = accepted.hedge if accepted is not None else None
    return check(
        book,
        Probe(
            stage=Stage.QUOTE if accepted is None else Stage.REQUEST,
            at_us=at_us,
            underlying=book.asset(pair.collateral).underlying,
            pair=pair.name,
            asset=pair.collateral,
            mint=side is Side.MINT,
            change=ZERO if accepted is None else accepted.change,
            quantity=ZERO if hedge is None else hedge.quantity,
            legs=() if hedge is None else hedge.legs,
            purpose=None if hedge is None else hedge.purpose,
            notional=priced.notional,
            issued=priced.issued.atoms,
            reference_usd=priced.decomposition.reference,
        ),
    )


class Sending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say for what orders are to be sent: the underlying, the purpose of their hedge, and when."""

    underlying: str
    purpose: Purpose
    at_us: int


def check_order(
    book: Book, order: Order, sending: Sending, prices: tuple[Num, Num], ahead: tuple[Order, ...] = ()
) -> Refusal | None:
    """Test every control of a venue order before its intent is recorded.

    `prices` are the middle of its own book, in quote and in dollars; `ahead` are the orders that the same decision
    records before it, which the Book does not hold yet.
    """
    reference, reference_usd = prices
    return check(
        book,
        Probe(
            stage=Stage.ORDER,
            at_us=sending.at_us,
            underlying=sending.underlying,
            notional=multiply(order.quantity, reference_usd),
            order=order,
            ahead=ahead,
            purpose=sending.purpose,
            reference=reference,
            reference_usd=reference_usd,
        ),
    )


def order_max(book: Book, underlying: str, venue: str) -> Limit | Refusal:
    """Return the limit on the value of one order there, USD, or the refusal that its absence is."""
    limit = strictest(book, Control.ORDER_NOTIONAL, f"asset:{underlying}", f"venue:{venue}")
    return limit if limit is not None else missing(Control.ORDER_NOTIONAL, GLOBAL)


def in_usd(book: Book, quote: str, price: Num) -> Num:
    """Return a price in dollars, by the mark of what it is told in; by its face where that was never marked."""
    mark = book.marks.assets.get(quote)
    return multiply(price, mark.mid) if mark is not None and mark.mid > 0 else price
