"""Sweeping a whole account at one venue: all its open orders whatever the market, an end to them, and what it holds."""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager

import aiohttp

from adapters.exchange.binance.sweep import CoinmSweep, SpotSweep, UsdmSweep
from adapters.exchange.bybit.sweep import BybitSweep
from adapters.exchange.connection import loopback_session
from adapters.exchange.deribit.sweep import DeribitSweep
from adapters.exchange.okx.sweep import OkxSweep
from adapters.exchange.parts import AccountSweep
from adapters.exchange.settings import VenueSettings
from adapters.exchange.signed import (
    SignedBybit,
    SignedCoinm,
    SignedDeribit,
    SignedOkx,
    SignedSpot,
    SignedUsdm,
    SignedVenue,
)

_SPEAKERS: Mapping[str, tuple[type[AccountSweep], type[SignedVenue]]] = {
    "binanceusdm": (UsdmSweep, SignedUsdm),
    "binancecoinm": (CoinmSweep, SignedCoinm),
    "binance": (SpotSweep, SignedSpot),
    "bybit": (BybitSweep, SignedBybit),
    "okx": (OkxSweep, SignedOkx),
    "deribit": (DeribitSweep, SignedDeribit),
}
SWEPT = frozenset(_SPEAKERS)


@asynccontextmanager
async def open_sweep(settings: VenueSettings, without: Collection[str] = ()) -> AsyncGenerator[AccountSweep]:
    """Open a sweep of one account; the settings' symbols do not matter.

    `without` are parts that the account does not have, and that are not asked for. ValueError for a venue or a part
    that is not known.
    """
    speaker = _SPEAKERS.get(settings.venue)
    if speaker is None:
        raise ValueError(f"{settings.venue!r} cannot be swept: none of {', '.join(sorted(SWEPT))}")
    sweep, venue = speaker
    hosts = frozenset({venue.host, *venue.hosts_beside})
    session = aiohttp.ClientSession() if settings.loopback is None else loopback_session(settings.loopback, hosts)
    async with session:
        yield sweep(settings, venue(settings, session), without)
