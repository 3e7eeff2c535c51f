"""Instruments: how venues list what we know of, and what they bill us there."""

import msgspec

from domain.instant import rfc3339
from domain.listing import InstrumentChanged, InstrumentListed, Tier, listing_key
from domain.quantity import Num
from projections.view import Row, Rows, View


class InstrumentLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show an instrument's listing, in the terms of `domain.listing.Listing`; `changed` names what changed last."""

    venue: str
    symbol: str
    kind: str
    base: str
    quote: str
    settle: str
    market_id: str
    contract_size: Num
    tick: Num
    step: Num
    quantity_min: Num
    quantity_max: Num
    notional_min: Num
    funding_interval_ms: int
    expiry_us: str
    maker_fee: Num
    taker_fee: Num
    margin_tiers: tuple[Tier, ...]
    changed: tuple[str, ...]
    since: str


class Instruments(Rows[InstrumentLine]):
    """Hold every instrument that was ever listed."""


def _listed(
    state: Instruments, event: InstrumentListed | InstrumentChanged, position: int, at_us: int
) -> tuple[Row[InstrumentLine], ...]:
    listing = event.listing
    line = InstrumentLine(
        venue=listing.venue,
        symbol=listing.symbol,
        kind=listing.kind,
        base=listing.base,
        quote=listing.quote,
        settle=listing.settle,
        market_id=listing.market_id,
        contract_size=listing.contract_size,
        tick=listing.tick,
        step=listing.step,
        quantity_min=listing.quantity_min,
        quantity_max=listing.quantity_max,
        notional_min=listing.notional_min,
        funding_interval_ms=listing.funding_interval_ms,
        expiry_us=str(listing.expiry_us),
        maker_fee=listing.maker_fee,
        taker_fee=listing.taker_fee,
        margin_tiers=listing.margin_tiers,
        changed=event.changed if isinstance(event, InstrumentChanged) else (),
        since=rfc3339(at_us),
    )
    return state.keep(listing_key(listing.venue, listing.symbol), position, line)


INSTRUMENTS = View(
    name="instruments",
    document=InstrumentLine,
    state=Instruments,
    steps={InstrumentListed: _listed, InstrumentChanged: _listed},
    lookups=frozenset({"venue", "base"}),
)
