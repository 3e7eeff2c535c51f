"""What a mint or a redeem costs: walk the books that its hedge may trade on, add the fees, round against the taker.

A stable counts at market, at the worse end for the taker of what its sources say: what a hedge is paid in, and one that
is held. The latter is never priced better than par: the minting contract lets no stable be minted or redeemed for more
than its face (`stablesDeltaLimit`), and a promise that would revert is none.
"""

from decimal import Decimal

import msgspec

from domain.basis import Basis, check_peg
from domain.book import Book
from domain.consolidated import Part, counted, kept, sell_across, spend_across
from domain.market import BPS_STEP, distance_bps
from domain.policy import Pair
from domain.quantity import (
    BPS,
    ZERO,
    Amount,
    Num,
    Rounding,
    add,
    divide,
    multiply,
    round_to,
    subtract,
    to_atoms,
    to_units,
)
from domain.quote import Decomposition, HedgeShare, Side, Source
from domain.reference import Reference
from domain.refusal import Reason, Refusal
from domain.ways import Ways

ISSUED_DECIMALS = 18
PAR = Num(1)


class Pricing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a priced size: what goes in, what comes out, what the hedge would trade, and why it costs that."""

    collateral: Amount
    issued: Amount
    price: Num
    notional: Num  # USD of the hedge, or of the collateral where it is held
    reference: Num  # the reference book's middle, in what is paid there; of a stable that is held, its price
    decomposition: Decomposition
    sources: tuple[Source, ...]


def price(book: Book, pair: Pair, side: Side, size: Decimal, basis: Basis, wider_bps: Num = ZERO) -> Pricing | Refusal:
    """Price `size` units of what goes in: collateral for a mint, the issued dollar for a redeem.

    `wider_bps` is added to the pair's buffer: what is promised while limits are near.
    """
    if wider_bps:
        pair = msgspec.structs.replace(pair, buffer_bps=add(pair.buffer_bps, wider_bps))
    if basis.ways is None:
        return check_peg(book, basis, side) or _price_held(book, pair, side, size, basis)
    ways = basis.ways.to_begin() if side is Side.MINT else basis.ways
    if isinstance(ways, Refusal):
        return ways
    hedged = _hedged_mint if side is Side.MINT else _hedged_redeem
    return hedged(book, pair, size, ways)


def held_price(stable: Reference, side: Side) -> Num:
    """Return what a stable that is held counts for: as at market, and never better than par for the taker."""
    return min(stable.lower, PAR) if side is Side.MINT else max(stable.upper, PAR)


def _less(value: Decimal, bps: Decimal) -> Num:
    """Take `bps` off a value."""
    return divide(multiply(value, subtract(BPS, bps)), BPS)


def _below_gas(gas: Decimal) -> Refusal:
    return Refusal(reason=Reason.SIZE_BELOW_GAS, text=f"the size does not cover {gas} of gas", value=str(gas))


def _gas(book: Book) -> Num:
    return book.policy.gas if book.policy else ZERO


def _issued_symbol(book: Book) -> str:
    return book.policy.issued if book.policy else ""


def _price_held(book: Book, pair: Pair, side: Side, size: Decimal, basis: Basis) -> Pricing | Refusal:
    asset, gas, at = book.asset(pair.collateral), _gas(book), held_price(basis.stable, side)
    fees = add(pair.fee_bps, pair.buffer_bps)
    if side is Side.MINT:
        value = multiply(size, at)
        collateral = to_atoms(size, asset.decimals, Rounding.CEILING)
        issued = to_atoms(subtract(_less(value, fees), gas), ISSUED_DECIMALS, Rounding.FLOOR)
    else:
        value = Num(size)
        issued = to_atoms(size, ISSUED_DECIMALS, Rounding.CEILING)
        collateral = to_atoms(divide(_less(subtract(size, gas), fees), at), asset.decimals, Rounding.FLOOR)
    if issued <= 0 or collateral <= 0:
        return _below_gas(gas)
    stable = basis.stable.mid
    walk = _Walk(reference=stable, hedge_price=stable, cost_bps=ZERO, fee_bps=ZERO, stable_price=at, stable_mid=stable)
    parts = _decomposed(book, pair, walk, ())
    return _pricing(book, pair, (collateral, issued), value, stable, parts, basis.sources)


def _hedged_mint(book: Book, pair: Pair, size: Decimal, ways: Ways) -> Pricing | Refusal:
    gas, own = _gas(book), add(pair.fee_bps, pair.buffer_bps)
    parts = sell_across(book, ways, size, own)
    if isinstance(parts, Refusal):
        return parts
    net = ZERO
    for part in parts:
        value = multiply(part.quote, counted(part.way, Side.MINT))
        net = add(net, divide(multiply(value, kept(part.way, own)), BPS))
    issued = to_atoms(subtract(net, gas), ISSUED_DECIMALS, Rounding.FLOOR)
    collateral = to_atoms(size, book.asset(pair.collateral).decimals, Rounding.CEILING)
    if issued <= 0 or collateral <= 0:
        return _below_gas(gas)
    return _priced(book, pair, Side.MINT, (collateral, issued), ways, parts)


def _hedged_redeem(book: Book, pair: Pair, size: Decimal, ways: Ways) -> Pricing | Refusal:
    gas, own = _gas(book), add(pair.fee_bps, pair.buffer_bps)
    dollars = subtract(size, gas)
    if dollars <= 0:
        return _below_gas(gas)
    parts = spend_across(book, ways, dollars, own)
    if isinstance(parts, Refusal):
        return parts
    bought = ZERO
    for part in parts:
        bought = add(bought, part.quantity)
    collateral = to_atoms(bought, book.asset(pair.collateral).decimals, Rounding.FLOOR)
    issued = to_atoms(size, ISSUED_DECIMALS, Rounding.CEILING)
    if collateral <= 0:
        return _below_gas(gas)
    return _priced(book, pair, Side.REDEEM, (collateral, issued), ways, parts)


PRICE_STEP = Decimal("0.000000000000000001")
PLACES = 18


def _told(value: Num) -> Num:
    """Round a price or a quantity as it is told; most have few places, and are told as they are."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -PLACES:
        return value
    return round_to(value, PRICE_STEP, Rounding.NEAREST)


class _Walk(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what a walk over the books came to: prices in dollars at the stables' middles, and what these count for."""

    reference: Num
    hedge_price: Num
    cost_bps: Num
    fee_bps: Num
    stable_price: Num
    stable_mid: Num


def _priced(book: Book, pair: Pair, side: Side, atoms: tuple[int, int], ways: Ways, parts: tuple[Part, ...]) -> Pricing:
    """Return the pricing of a walk; where several ways took part, each weighs by what was traded there."""
    quantity, quote, value, middle, fees = ZERO, ZERO, ZERO, ZERO, ZERO
    for part in parts:
        worth = multiply(part.quote, counted(part.way, side))
        quantity, quote, value = add(quantity, part.quantity), add(quote, part.quote), add(value, worth)
        middle = add(middle, multiply(part.quote, part.way.stable.mid))
        fees = add(fees, multiply(worth, part.way.instrument.taker_fee_bps))
    way = parts[0].way
    several = len(parts) > 1
    middle_price = ways.reference
    reference, hedge_price = multiply(middle_price, ways.first.stable.mid), divide(middle, quantity)
    away = subtract(reference, hedge_price) if side is Side.MINT else subtract(hedge_price, reference)
    walk = _Walk(
        reference=reference,
        hedge_price=hedge_price,
        cost_bps=divide(multiply(away, BPS), reference),
        fee_bps=round_to(divide(fees, value), BPS_STEP, Rounding.UP) if several else way.instrument.taker_fee_bps,
        stable_price=divide(value, quote) if several else counted(way, side),
        stable_mid=divide(middle, quote) if several else way.stable.mid,
    )
    decomposition = _decomposed(book, pair, walk, parts)
    return _pricing(book, pair, atoms, value, middle_price, decomposition, ways.sources)


def _decomposed(book: Book, pair: Pair, walk: _Walk, parts: tuple[Part, ...]) -> Decomposition:
    at, mid = walk.stable_price, walk.stable_mid
    return Decomposition(
        reference=_told(walk.reference),
        hedge_price=_told(walk.hedge_price),
        hedge_cost_bps=round_to(walk.cost_bps, BPS_STEP, Rounding.CEILING),
        venue_fee_bps=walk.fee_bps,
        fee_bps=pair.fee_bps,
        buffer_bps=pair.buffer_bps,
        gas=Amount(_issued_symbol(book), to_atoms(_gas(book), ISSUED_DECIMALS, Rounding.CEILING)),
        stable_price=_told(at),
        stable_cost_bps=ZERO if at == mid else round_to(distance_bps(at, mid), BPS_STEP, Rounding.UP),
        hedges=tuple(
            HedgeShare(
                venue=part.way.instrument.venue,
                symbol=part.way.instrument.symbol,
                quantity=_told(part.quantity),
                price=_told(divide(part.quote, part.quantity)),
                fee_bps=part.way.instrument.taker_fee_bps,
            )
            for part in parts
        ),
    )


def _pricing(
    book: Book,
    pair: Pair,
    atoms: tuple[int, int],
    notional: Decimal,
    reference: Num,
    parts: Decomposition,
    sources: tuple[Source, ...],
) -> Pricing:
    collateral, issued = atoms
    units = to_units(collateral, book.asset(pair.collateral).decimals)
    return Pricing(
        collateral=Amount(pair.collateral, collateral),
        issued=Amount(_issued_symbol(book), issued),
        price=round_to(divide(to_units(issued, ISSUED_DECIMALS), units), PRICE_STEP, Rounding.NEAREST),
        notional=round_to(notional, PRICE_STEP, Rounding.UP),
        reference=reference,
        decomposition=parts,
        sources=sources,
    )
