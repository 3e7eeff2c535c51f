"""What the simulators' own door does to the venues' accounts: positions closed by force, orders shown as they are kept.

A position is closed against the book, as the venue's own engine does it: the account hears of it by its stream, and
finds it in its history, in the venue's own words.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from adapters.simulators.instruments import Instrument
from adapters.simulators.ledger import OrderStatus, Origin
from adapters.simulators.venue import SimulatedVenue


class Forced(msgspec.Struct, frozen=True, kw_only=True):
    """Ask a venue to close part of a position: so much of it (base; dollars on inverse), or that share of it.

    `symbol` is the venue's own, or a base asset: then it is the largest position in it. `venue` may be left out where
    there is one only.
    """

    symbol: str
    kind: Literal["adl", "liquidation"]
    venue: str | None = None
    quantity: Decimal | None = None
    share: Decimal | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Show an order as its venue keeps it; sizes in order units."""

    order_id: int
    client_id: str
    symbol: str
    side: str
    origin: Origin
    status: OrderStatus
    quantity: Decimal
    filled: Decimal
    created_ms: int


class Accounts:
    """Act on the venues' accounts, one a venue."""

    def __init__(self, venues: Sequence[SimulatedVenue]) -> None:
        self._venues = {venue.name: venue for venue in venues}

    def orders(self) -> Mapping[str, list[Kept]]:
        """Return every order by venue, oldest first."""
        return {
            name: [
                Kept(
                    order_id=order.order_id,
                    client_id=order.client_id,
                    symbol=order.symbol,
                    side=order.side,
                    origin=order.origin,
                    status=order.status,
                    quantity=venue.exchange.instruments[order.symbol].quantity(order.quantity),
                    filled=venue.exchange.instruments[order.symbol].quantity(order.filled),
                    created_ms=order.created_ms,
                )
                for order in venue.exchange.orders.values()
            ]
            for name, venue in self._venues.items()
        }

    def close_by_force(self, wanted: Forced) -> Kept:
        """Close part of a position and return the venue's own order that did; raise ValueError on nonsense."""
        name = wanted.venue or (next(iter(self._venues)) if len(self._venues) == 1 else "")
        venue = self._venues.get(name)
        if venue is None:
            raise ValueError(f"venue must be one of {', '.join(sorted(self._venues))}")
        if wanted.kind == "adl" and not venue.policy.deleverages:
            raise ValueError(f"{name} deleverages nobody: losses are shared by all")
        instrument, held = _position(venue, wanted.symbol)
        lots = _lots(wanted, instrument, held)
        order = venue.exchange.force_close(instrument.symbol, lots, wanted.kind, venue.clock_ms())
        venue.commit()
        return next(kept for kept in self.orders()[name] if kept.order_id == order.order_id)


def _position(venue: SimulatedVenue, symbol: str) -> tuple[Instrument, Decimal]:
    """Return the largest position that goes by a name, in order units without its sign."""
    found = [
        (abs(venue.exchange.ledger.positions[each.symbol].quantity), each)
        for each in venue.exchange.instruments.values()
        if each.kind != "spot" and symbol in {each.symbol, each.base}
    ]
    held, instrument = max(found, key=lambda each: each[0], default=(Decimal(0), None))
    if instrument is None or not held:
        raise ValueError(f"{venue.name} holds no position in {symbol}")
    return instrument, held


def _lots(wanted: Forced, instrument: Instrument, held: Decimal) -> int:
    if (wanted.quantity is None) == (wanted.share is None):
        raise ValueError("give a quantity or a share")
    if wanted.quantity is not None:
        lots = int(wanted.quantity / instrument.contract_size / instrument.step)
    else:
        lots = int(held * (wanted.share or 0) / instrument.step)
    if not 1 <= lots <= held / instrument.step:
        raise ValueError(f"{held} {instrument.symbol} is held, in steps of {instrument.step}: no such part of it")
    return lots
