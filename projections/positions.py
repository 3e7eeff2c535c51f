"""Positions: what each contract holds, as the sum of its unique fills."""

import msgspec

from domain.fill import FillRecorded, Position, after_fill
from domain.instant import rfc3339
from domain.quantity import Num
from projections.view import Row, Rows, View


class PositionLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a position: signed base units, average entry price, realised profit and fees in quote units."""

    venue: str
    account: str
    symbol: str
    quantity: Num
    entry_price: Num
    realised: Num
    fees: Num
    fills: int
    updated_at: str


class Positions(Rows[PositionLine]):
    """Hold every position, flat ones too: there are as many as contracts were ever traded."""


def position_key(fill: FillRecorded) -> str:
    """Return the key of the position that a fill belongs to."""
    return f"{fill.venue}|{fill.account}|{fill.symbol}"


def after(line: PositionLine | None, fill: FillRecorded, at_us: int) -> PositionLine:
    """Return a position's line after one more fill."""
    if line is None:
        before = Position(fill.venue, fill.account, fill.symbol)
    else:
        before = Position(
            line.venue,
            line.account,
            line.symbol,
            line.quantity,
            line.entry_price,
            line.realised,
            line.fees,
            line.fills,
        )
    now = after_fill(before, fill)
    return PositionLine(
        venue=now.venue,
        account=now.account,
        symbol=now.symbol,
        quantity=now.quantity,
        entry_price=now.entry_price,
        realised=now.realised,
        fees=now.fees,
        fills=now.fills,
        updated_at=rfc3339(at_us),
    )


def _filled(state: Positions, event: FillRecorded, position: int, at_us: int) -> tuple[Row[PositionLine], ...]:
    key = position_key(event)
    return state.keep(key, position, after(state.find(key), event, at_us))


POSITIONS = View(name="positions", document=PositionLine, state=Positions, steps={FillRecorded: _filled})
