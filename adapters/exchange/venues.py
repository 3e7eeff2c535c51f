"""Every venue that we speak with, by its id in ccxt: those that may be hedged on have a dialect here."""

from collections.abc import Mapping, Sequence

from adapters.exchange.account import VenueAccount
from adapters.exchange.binance.coinm import BinanceCoinmDialect
from adapters.exchange.binance.spot import BinanceSpotDialect
from adapters.exchange.binance.usdm import BinanceUsdmDialect
from adapters.exchange.bybit.dialect import BybitDialect
from adapters.exchange.client import make_client
from adapters.exchange.connection import loopback_session
from adapters.exchange.deribit.dialect import DeribitDialect
from adapters.exchange.dialect import Dialect
from adapters.exchange.failures import Failures
from adapters.exchange.listing import listed
from adapters.exchange.okx.dialect import OkxDialect
from adapters.exchange.settings import Loopback, VenueSettings
from adapters.exchange.unified.dialect import unified
from domain.venue import InstrumentReport

DIALECTS: Mapping[str, type[Dialect]] = {
    "binance": BinanceSpotDialect,
    "binancecoinm": BinanceCoinmDialect,
    "binanceusdm": BinanceUsdmDialect,
    "bybit": BybitDialect,
    "deribit": DeribitDialect,
    "okx": OkxDialect,
}


def dialect_of(venue: str) -> type[Dialect]:
    """Return the dialect of a venue; one that has none of its own is looked at through ccxt's unified methods."""
    return DIALECTS.get(venue) or unified(venue)


def open_account(settings: VenueSettings) -> VenueAccount:
    """Return the account of the settings' venue, not yet opened: use as `async with`."""
    return VenueAccount(settings, dialect_of(settings.venue))


async def listings(venue: str, symbols: Sequence[str], loopback: Loopback | None = None) -> Sequence[InstrumentReport]:
    """Return a venue's listings of these symbols, asked without a key; margin tiers are told to accounts only.

    Raise `VenueUnsuitable` for a symbol that is not listed under that very name, else the failures of `domain.venue`.
    """
    speaks = dialect_of(venue)
    settings = VenueSettings(
        venue=venue, account="", api_key="", api_secret="", symbols=tuple(symbols), loopback=loopback
    )
    failures = Failures(speaks.code, speaks.reason, ())
    session = None if loopback is None else loopback_session(loopback, speaks.hosts)
    try:
        client = make_client(speaks.ccxt_id, settings, speaks.own_settings(settings), session, paced=True)
        try:
            await failures.asked(client.load_markets())
            return tuple((await listed(speaks, client, failures, symbols, venue)).values())
        finally:
            await client.close()
    finally:
        if session is not None:
            await session.close()
