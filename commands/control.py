"""The controls that a decision passes: modes, notional, net delta, collar. A missing limit refuses."""

from decimal import Decimal

from domain.basis import check_suspended
from domain.book import Book
from domain.exposure import exposure, with_request
from domain.limit import Control, Limit
from domain.market import BPS_STEP
from domain.mode import GLOBAL, SEVERITY, Mode, mildest
from domain.policy import Hedging, Pair
from domain.quantity import BPS, Amount, Num, Rounding, divide, multiply, round_to, subtract, to_units
from domain.quote import Side
from domain.refusal import Reason, Refusal


def need_limit(book: Book, control: Control, scope: str = GLOBAL) -> Limit | Refusal:
    """Return the limit, or the refusal that its absence is."""
    limit = book.limit(control, scope)
    if limit is None:
        text = f"no limit {control} is set for {scope}: nothing is allowed until one is"
        return Refusal(reason=Reason.LIMIT_MISSING, text=text, control=control, scope=scope)
    return limit


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
    mode = mode_of(book, pair)
    if mode is Mode.HALTED:
        return Refusal(reason=Reason.HALTED, text=f"{pair.name} is halted")
    if mode is Mode.REDUCE_ONLY and side is Side.MINT:
        return Refusal(reason=Reason.REDUCE_ONLY, text=f"{pair.name} takes no new mints now")
    return check_suspended(book, pair, side)


def check_notional(book: Book, notional: Decimal) -> Refusal | None:
    """Refuse a request or order above the limit on its USD value."""
    limit = need_limit(book, Control.ORDER_NOTIONAL)
    if isinstance(limit, Refusal):
        return limit
    if notional <= limit.value:
        return None
    return Refusal(
        reason=Reason.ORDER_NOTIONAL,
        text=f"{Num(notional)} USD is above the limit of {limit.value} USD for one request",
        control=limit.control,
        scope=limit.scope,
        limit=str(limit.value),
        value=str(Num(notional)),
    )


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


def check_collar(book: Book, price: Decimal, reference: Decimal) -> Refusal | None:
    """Refuse an order whose limit price lies too far from the reference, on either side."""
    limit = need_limit(book, Control.PRICE_COLLAR)
    if isinstance(limit, Refusal):
        return limit
    distance = multiply(divide(abs(subtract(price, reference)), reference), BPS)
    if distance <= limit.value:
        return None
    return Refusal(
        reason=Reason.PRICE_COLLAR,
        text=f"the limit price {Num(price)} lies more than {limit.value} bps from the reference {Num(reference)}",
        control=limit.control,
        scope=limit.scope,
        limit=str(limit.value),
        value=str(round_to(distance, BPS_STEP, Rounding.NEAREST)),
    )
