"""What a mint or a redeem costs: walk the hedge's book, add the fees, round against the taker."""

from decimal import Decimal

import msgspec

from domain.book import Book
from domain.depth import BookEvidence, sell_into, spend_on
from domain.policy import Hedging, Instrument, Pair
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
from domain.refusal import Reason, Refusal

ISSUED_DECIMALS = 18


class Pricing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold a priced size: what goes in, what comes out, what the hedge would trade, and why it costs that."""

    collateral: Amount
    issued: Amount
    price: Num
    notional: Num  # USD of the hedge, or of the collateral where it is held
    reference: Num
    decomposition: Decomposition
    sources: tuple[Source, ...]


def find_evidence(pair: Pair, evidence: tuple[BookEvidence, ...]) -> BookEvidence | None:
    """Return the evidence of the pair's hedge instrument."""
    for item in evidence:
        if item.venue == pair.venue and item.symbol == pair.symbol:
            return item
    return None


def check_evidence(book: Book, pair: Pair, evidence: tuple[BookEvidence, ...]) -> BookEvidence | Refusal:
    """Return evidence that a decision may rest on: there, sound, and younger than the limit on quote age."""
    found = find_evidence(pair, evidence)
    if found is None or not found.sound:
        text = f"no sound book of {pair.symbol} on {pair.venue}: no price without a source"
        return Refusal(reason=Reason.REFERENCE_MISSING, text=text)
    limit = book.limit("quote_age")
    if limit is None:
        return Refusal(
            reason=Reason.LIMIT_MISSING, text="no quote_age limit is set", control="quote_age", scope="global"
        )
    if found.age_ms > limit.value:
        return Refusal(
            reason=Reason.REFERENCE_STALE,
            text=f"the book of {pair.symbol} on {pair.venue} is {found.age_ms} ms old",
            control="quote_age",
            scope="global",
            limit=str(limit.value),
            value=str(found.age_ms),
        )
    return found


def price(book: Book, pair: Pair, side: Side, size: Decimal, evidence: tuple[BookEvidence, ...]) -> Pricing | Refusal:
    """Price `size` units of what goes in: collateral for a mint, the issued dollar for a redeem."""
    if pair.hedging is Hedging.HOLD:
        return _price_held(book, pair, side, size)
    found = check_evidence(book, pair, evidence)
    if isinstance(found, Refusal):
        return found
    instrument = book.instrument(pair.venue, pair.symbol)
    if side is Side.MINT:
        return _price_hedged_mint(book, pair, instrument, size, found)
    return _price_hedged_redeem(book, pair, instrument, size, found)


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


def _price_held(book: Book, pair: Pair, side: Side, size: Decimal) -> Pricing | Refusal:
    """Price a stable at par, less fees: its market price comes with the market plane."""
    asset, gas = book.asset(pair.collateral), _gas(book)
    fees = add(pair.fee_bps, pair.buffer_bps)
    if side is Side.MINT:
        collateral = to_atoms(size, asset.decimals, Rounding.CEILING)
        issued = to_atoms(subtract(_less(size, fees), gas), ISSUED_DECIMALS, Rounding.FLOOR)
    else:
        issued = to_atoms(size, ISSUED_DECIMALS, Rounding.CEILING)
        collateral = to_atoms(_less(subtract(size, gas), fees), asset.decimals, Rounding.FLOOR)
    if issued <= 0 or collateral <= 0:
        return _below_gas(gas)
    par = Num(1)
    parts = _parts(book, pair, par, par, ZERO)
    return _pricing(book, pair, (collateral, issued), size, par, parts, ())


def _price_hedged_mint(
    book: Book, pair: Pair, instrument: Instrument, size: Decimal, seen: BookEvidence
) -> Pricing | Refusal:
    sold, received = sell_into(seen.bids, size)
    if sold < size:
        return _too_deep(pair)
    gas, fees = _gas(book), add(add(instrument.taker_fee_bps, pair.fee_bps), pair.buffer_bps)
    issued = to_atoms(subtract(_less(received, fees), gas), ISSUED_DECIMALS, Rounding.FLOOR)
    collateral = to_atoms(size, book.asset(pair.collateral).decimals, Rounding.CEILING)
    if issued <= 0 or collateral <= 0:
        return _below_gas(gas)
    parts = _parts(book, pair, seen.mid, divide(received, size), instrument.taker_fee_bps)
    return _pricing(book, pair, (collateral, issued), received, seen.mid, parts, (_source(seen),))


def _price_hedged_redeem(
    book: Book, pair: Pair, instrument: Instrument, size: Decimal, seen: BookEvidence
) -> Pricing | Refusal:
    gas, fees = _gas(book), add(add(instrument.taker_fee_bps, pair.fee_bps), pair.buffer_bps)
    budget = _less(subtract(size, gas), fees)
    if budget <= 0:
        return _below_gas(gas)
    bought, spent = spend_on(seen.asks, budget)
    if spent < budget:
        return _too_deep(pair)
    collateral = to_atoms(bought, book.asset(pair.collateral).decimals, Rounding.FLOOR)
    issued = to_atoms(size, ISSUED_DECIMALS, Rounding.CEILING)
    if collateral <= 0:
        return _below_gas(gas)
    parts = _parts(book, pair, seen.mid, divide(spent, bought), instrument.taker_fee_bps)
    return _pricing(book, pair, (collateral, issued), budget, seen.mid, parts, (_source(seen),))


def _source(seen: BookEvidence) -> Source:
    return Source(
        venue=seen.venue,
        symbol=seen.symbol,
        sequence=seen.sequence,
        age_ms=seen.age_ms,
        bid=seen.bids[0].price,
        ask=seen.asks[0].price,
    )


PRICE_STEP = Decimal("0.000000000000000001")
BPS_STEP = Decimal("0.0001")


def _parts(book: Book, pair: Pair, reference: Num, hedge_price: Num, venue_fee_bps: Num) -> Decomposition:
    distance = multiply(divide(abs(subtract(reference, hedge_price)), reference), BPS)
    return Decomposition(
        reference=round_to(reference, PRICE_STEP, Rounding.NEAREST),
        hedge_price=round_to(hedge_price, PRICE_STEP, Rounding.NEAREST),
        hedge_cost_bps=round_to(distance, BPS_STEP, Rounding.UP),
        venue_fee_bps=venue_fee_bps,
        fee_bps=pair.fee_bps,
        buffer_bps=pair.buffer_bps,
        gas=Amount(_issued_symbol(book), to_atoms(_gas(book), ISSUED_DECIMALS, Rounding.CEILING)),
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
