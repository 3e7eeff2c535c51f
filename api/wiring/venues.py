"""The account that hedges, at the real venue or at a simulator on this machine."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from adapters.exchange.binance_usdm import BinanceUsdm
from adapters.exchange.settings import Loopback, VenueSettings
from api.wiring.process import Process


@asynccontextmanager
async def open_venue(process: Process) -> AsyncGenerator[BinanceUsdm]:
    """Open the account that hedges."""
    wanted = process.settings.venue
    loopback = None
    if wanted.loopback_port:
        loopback = Loopback(port=wanted.loopback_port, ca_file=process.folder / wanted.loopback_ca)
    venue = BinanceUsdm(
        VenueSettings(
            account=wanted.account,
            api_key=process.secret(wanted.api_key),
            api_secret=process.secret(wanted.api_secret),
            symbols=wanted.symbols,
            venue=wanted.name,
            loopback=loopback,
        )
    )
    async with venue:
        yield venue
