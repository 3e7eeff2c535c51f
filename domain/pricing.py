"""What a mint or a redeem costs: walk the hedge's book, add the fees, round against the taker.

A stable counts at market, at the worse end for the taker of what its sources say: what a hedge is paid in, and one that
is held. The latter is never priced better than par: the minting contract lets no stable be minted or redeemed for more
than its face (`stablesDeltaLimit`), and a promise that would revert is none.
"""

from decimal import Decimal

import msgspec

from domain.basis import Basis, check_peg
from domain.book import Book
from domain.depth import BookEvidence, sell_into, spend_on
from domain.market import BPS_STEP, distance_bps
from domain.policy import Instrument, Pair
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
from domain.quote import Decomposition, Side, Source
from domain.reference import Reference
from domain.refusal import Reason, Refusal

ISSUED_DECIMALS = 18
PAR = Num(1)


class Pricing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a priced size: what goes in, what comes out, what the hedge would trade, and why it costs that."""

    collateral: Amount
    issued: Amount
    price: Num
    notional: Num  # USD of the hedge, or of the collateral where it is held
    reference: Num  # the hedge venue's mid, in what the hedge is paid in; of a stable that is held, its price
    decomposition: Decomposition
    sources: tuple[Source, ...]


def price(book: Book, pair: Pair, side: Side, size: Decimal, basis: Basis) -> Pricing | Refusal:
    """Price `size` units of what goes in: collateral for a mint, the issued dollar for a redeem."""
    refusal = check_peg(book, basis, side)
    if refusal is not None:
        return refusal
    if basis.seen is None:
        return _price_held(book, pair, side, size, basis)
    instrument = book.instrument(pair.venue, pair.symbol)
    if side is Side.MINT:
        return _price_hedged_mint(book, pair, instrument, size, (basis.seen, basis))
    return _price_hedged_redeem(book, pair, instrument, size, (basis.seen, basis))


def stable_price(stable: Reference, side: Side) -> Num:
    """Return what a stable counts for: its lowest bid when we are paid in it, its highest ask when we pay in it."""
    return stable.lower if side is Side.MINT else stable.upper


def held_price(stable: Reference, side: Side) -> Num:
    """Return what a stable that is held counts for: as at market, and never better than par for the taker."""
    return min(stable.lower, PAR) if side is Side.MINT else max(stable.upper, PAR)


def _less(value: Decimal, bps: Decimal) -> Num:
    """Take `bps` off a value."""
    return divide(multiply(value, subtract(BPS, bps)), BPS)


def _below_gas(gas: Decimal) -> Refusal:
    return Refusal(reason=Reason.SIZE_BELOW_GAS, text=f"the size does not cover {gas} of gas", value=str(gas))


def _too_deep(pair: Pair) -> Refusal:
    return Refusal(
        reason=Reason.DEPTH_INSUFFICIENT, text=f"{pair.symbol} on {pair.venue} is not deep enough for this size"
    )


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
    parts = _parts(book, pair, (basis.stable.mid, basis.stable.mid), ZERO, (at, basis.stable.mid))
    return _pricing(book, pair, (collateral, issued), value, basis.stable.mid, parts, basis.sources)


def _price_hedged_mint(
    book: Book, pair: Pair, instrument: Instrument, size: Decimal, judged: tuple[BookEvidence, Basis]
) -> Pricing | Refusal:
    seen, basis = judged
    sold, received = sell_into(seen.bids, size)
    if sold < size:
        return _too_deep(pair)
    at = stable_price(basis.stable, Side.MINT)
    gas, fees = _gas(book), add(add(instrument.taker_fee_bps, pair.fee_bps), pair.buffer_bps)
    value = multiply(received, at)
    issued = to_atoms(subtract(_less(value, fees), gas), ISSUED_DECIMALS, Rounding.FLOOR)
    collateral = to_atoms(size, book.asset(pair.collateral).decimals, Rounding.CEILING)
    if issued <= 0 or collateral <= 0:
        return _below_gas(gas)
    stable = basis.stable.mid
    prices = (multiply(seen.mid, stable), multiply(divide(received, size), stable))
    parts = _parts(book, pair, prices, instrument.taker_fee_bps, (at, stable))
    return _pricing(book, pair, (collateral, issued), value, seen.mid, parts, basis.sources)


def _price_hedged_redeem(
    book: Book, pair: Pair, instrument: Instrument, size: Decimal, judged: tuple[BookEvidence, Basis]
) -> Pricing | Refusal:
    seen, basis = judged
    at = stable_price(basis.stable, Side.REDEEM)
    gas, fees = _gas(book), add(add(instrument.taker_fee_bps, pair.fee_bps), pair.buffer_bps)
    value = _less(subtract(size, gas), fees)
    if value <= 0:
        return _below_gas(gas)
    budget = divide(value, at)
    bought, spent = spend_on(seen.asks, budget)
    if spent < budget:
        return _too_deep(pair)
    collateral = to_atoms(bought, book.asset(pair.collateral).decimals, Rounding.FLOOR)
    issued = to_atoms(size, ISSUED_DECIMALS, Rounding.CEILING)
    if collateral <= 0:
        return _below_gas(gas)
    stable = basis.stable.mid
    prices = (multiply(seen.mid, stable), multiply(divide(spent, bought), stable))
    parts = _parts(book, pair, prices, instrument.taker_fee_bps, (at, stable))
    return _pricing(book, pair, (collateral, issued), value, seen.mid, parts, basis.sources)


PRICE_STEP = Decimal("0.000000000000000001")


def _parts(
    book: Book, pair: Pair, prices: tuple[Num, Num], venue_fee_bps: Num, stable: tuple[Num, Num]
) -> Decomposition:
    reference, hedge_price = prices
    at, mid = stable
    return Decomposition(
        reference=round_to(reference, PRICE_STEP, Rounding.NEAREST),
        hedge_price=round_to(hedge_price, PRICE_STEP, Rounding.NEAREST),
        hedge_cost_bps=round_to(distance_bps(hedge_price, reference), BPS_STEP, Rounding.UP),
        venue_fee_bps=venue_fee_bps,
        fee_bps=pair.fee_bps,
        buffer_bps=pair.buffer_bps,
        gas=Amount(_issued_symbol(book), to_atoms(_gas(book), ISSUED_DECIMALS, Rounding.CEILING)),
        stable_price=round_to(at, PRICE_STEP, Rounding.NEAREST),
        stable_cost_bps=round_to(distance_bps(at, mid), BPS_STEP, Rounding.UP),
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


def limit_price(instrument: Instrument, *, sell: bool, reference: Decimal, slippage_bps: Decimal) -> Num:
    """Return the worst price a hedge order accepts: the reference less (or plus) the slippage, on a tick, inside it."""
    sign = Decimal(-1) if sell else Decimal(1)
    edge = divide(multiply(reference, add(BPS, slippage_bps * sign)), BPS)
    return round_to(edge, instrument.tick, Rounding.CEILING if sell else Rounding.FLOOR)
