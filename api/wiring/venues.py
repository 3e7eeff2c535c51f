"""The venues: accounts that act, feeds that hear; at the real ones, or at a simulator on this machine."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from adapters.exchange.account import VenueAccount
from adapters.exchange.feeds.feed import VenueFeed
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.settings import Loopback, OrderRate
from adapters.exchange.settings import VenueSettings as AccountSettings
from adapters.exchange.venues import DIALECTS, listings, open_account
from api.settings import Settings, SettingsError, VenueSettings
from api.wiring.process import Process
from domain.venue import InstrumentReport


def loopback(process: Process) -> Loopback | None:
    """Return where the simulator is, if there is one."""
    wanted = process.settings.loopback
    return Loopback(port=wanted.port, ca_file=process.folder / wanted.ca) if wanted.port else None


def check_venues(settings: Settings) -> None:
    """Refuse to hear whom we have no feed for, and to hedge on whom has not passed the venue contract."""
    for venue in settings.venues:
        if min(venue.orders_per_s, venue.order_burst) < 0 or (venue.orders_per_s == 0) != (venue.order_burst == 0):
            raise SettingsError(f"{venue.name}: orders_per_s and order_burst are set together, or neither")
        if venue.public and venue.name not in DIALECTS:
            raise SettingsError(f"there is no feed for {venue.name}: set public = false, or leave it out")
    for item in settings.policy.instruments:
        if item.venue not in DIALECTS:
            raise SettingsError(f"{item.base} cannot be hedged on {item.venue}: it is unproven for hedging")


@asynccontextmanager
async def open_venue(process: Process, venue: VenueSettings) -> AsyncGenerator[VenueAccount]:
    """Open the account of a venue."""
    settings = AccountSettings(
        account=venue.account,
        api_key=process.secret(venue.api_key),
        api_secret=process.secret(venue.api_secret),
        passphrase=process.secret(venue.passphrase),
        symbols=venue.symbols,
        venue=venue.name,
        ccxt=venue.ccxt,
        loopback=loopback(process),
        order_rate=OrderRate(per_s=venue.orders_per_s, burst=venue.order_burst) if venue.orders_per_s else None,
    )
    async with open_account(settings) as account:
        yield account


@asynccontextmanager
async def open_feed(
    process: Process, venue: VenueSettings
) -> AsyncGenerator[tuple[VenueFeed, Sequence[InstrumentReport]]]:
    """Hear a venue's public market data; its instruments are as it lists them now."""
    where = loopback(process)
    listed = await listings(venue.name, venue.symbols, where)
    async with VenueFeed(FeedSettings(venue=venue.name, loopback=where), listed) as feed:
        yield feed, listed
