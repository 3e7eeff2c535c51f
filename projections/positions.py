"""Positions: what each contract holds, as the sum of its unique fills."""

import msgspec

from domain.fill import FillRecorded, Position, after_fill
from domain.instant import rfc3339
from domain.pricing import PRICE_STEP
from domain.quantity import Num, Rounding, round_to
from projections.view import LateRows, Row, View


class PositionLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a position: signed base units, average entry (to 18 places), profit and fees in quote."""

    venue: str
    account: str
    symbol: str
    quantity: Num
    entry_price: Num
    realised: Num
    fees: Num
    fills: int
    updated_at: str


class Positions(LateRows[PositionLine]):
    """Hold every position, flat ones too: there are as many as contracts were ever traded."""

    held: dict[str, Position] = msgspec.field(default_factory=dict[str, Position])


def filled(held: dict[str, Position], fill: FillRecorded) -> str:
    """Fold a fill into the position that it belongs to; return the position's key."""
    key = f"{fill.venue}|{fill.account}|{fill.symbol}"
    before = held.get(key) or Position(fill.venue, fill.account, fill.symbol)
    held[key] = after_fill(before, fill)
    return key


def position_line(position: Position, at_us: int) -> PositionLine:
    """Return a position's line."""
    return PositionLine(
        venue=position.venue,
        account=position.account,
        symbol=position.symbol,
        quantity=position.quantity,
        entry_price=round_to(position.entry_price, PRICE_STEP, Rounding.NEAREST),
        realised=position.realised,
        fees=position.fees,
        fills=position.fills,
        updated_at=rfc3339(at_us),
    )


def _filled(state: Positions, event: FillRecorded, position: int, at_us: int) -> tuple[Row[PositionLine], ...]:
    state.touch(filled(state.held, event), position, at_us)
    return ()


def _lines(state: Positions) -> tuple[Row[PositionLine], ...]:
    return state.write(lambda key, at_us: position_line(state.held[key], at_us))


POSITIONS = View(name="positions", document=PositionLine, state=Positions, steps={FillRecorded: _filled}, render=_lines)
