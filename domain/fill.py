"""Fills, and the positions that are their sum."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain import inverse
from domain.contract import INVERSE, contract_of
from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.order import OrderSide
from domain.quantity import ZERO, Num, add, divide, multiply, subtract


class FillKind(StrEnum):
    """Say what caused a fill."""

    TRADE = "trade"
    LIQUIDATION = "liquidation"
    ADL = "adl"


class FillSource(StrEnum):
    """Say how a fill was learnt."""

    STREAM = "stream"
    SWEEP = "sweep"
    RECONCILIATION = "reconciliation"


def fill_id(*key: str) -> UUID:
    """Return a fill's identity: (venue, account, symbol, trade id, venue order id, side), safe on every venue."""
    return natural_id("fill", *key)


@catalogued
class FillRecorded(Event, frozen=True, kw_only=True, tag="fill.recorded.v1"):
    """A venue traded for us. `quantity` is positive: base units, quote units on inverse contracts; `fee` costs us."""

    fill_id: UUID
    venue: str
    account: str
    symbol: str
    trade_id: str
    venue_order_id: str
    order_id: UUID | None  # None: no order of ours; a surprise
    side: OrderSide
    price: Num
    quantity: Num
    fee_asset: str
    fee: Num
    kind: FillKind
    source: FillSource
    traded_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the fill's own id: each fill is a stream of one event, so the log's key forbids a second."""
        return self.fill_id

    @property
    def signed(self) -> Num:
        """Return the quantity, negative when sold."""
        return self.quantity if self.side is OrderSide.BUY else Num(-self.quantity)


class Position(msgspec.Struct, frozen=True, gc=False):
    """Hold the sum of a contract's fills: signed base units, average entry price, realised profit and fees in quote.

    Of an inverse contract: signed quote units, profit and fees in base. `traded_at_us` is the venue's time of the
    latest fill: from there on its source is asked again.
    """

    venue: str
    account: str
    symbol: str
    quantity: Num = ZERO
    entry_price: Num = ZERO
    realised: Num = ZERO
    fees: Num = ZERO
    fills: int = 0
    traded_at_us: int = 0


def after_fill(position: Position, fill: FillRecorded) -> Position:
    """Fold one fill into a contract's position; profit is realised at the average entry price.

    That of an inverse contract is the harmonic mean, which keeps n/S0, its delta, what its fills made it.
    """
    signed, before = fill.signed, position.quantity
    after = add(before, signed)
    entry, realised = position.entry_price, position.realised
    inverted = contract_of(fill.symbol).kind == INVERSE
    if before == 0 or (before > 0) == (signed > 0):
        entry = _entry(before, entry, fill, inverted=inverted)
    else:
        closed = min(abs(before), fill.quantity) * (1 if before > 0 else -1)
        if inverted:
            realised = add(realised, inverse.profit(closed, entry, fill.price))
        else:
            realised = add(realised, multiply(closed, subtract(fill.price, entry)))
        if after == 0:
            entry = ZERO
        elif (after > 0) != (before > 0):
            entry = fill.price
    return Position(
        position.venue,
        position.account,
        position.symbol,
        after,
        entry,
        realised,
        add(position.fees, fill.fee),
        position.fills + 1,
        max(position.traded_at_us, fill.traded_at_us),
    )


def _entry(before: Num, entry: Num, fill: FillRecorded, *, inverted: bool) -> Num:
    if inverted:
        return inverse.mean_entry((before, entry), (fill.quantity, fill.price))
    paid = add(multiply(abs(before), entry), multiply(fill.quantity, fill.price))
    return divide(paid, add(abs(before), fill.quantity))
