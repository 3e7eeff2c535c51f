"""The oracles that are heard: as the settings name them, at the real hosts or at a simulator on this machine."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from adapters.oracle.chain_feeds import ChainFeeds
from adapters.oracle.gateway import Redstone
from adapters.oracle.hermes import Hermes
from adapters.oracle.settings import ChainSettings, Endpoint, HermesSettings, Loopback, RedstoneSettings
from adapters.oracle.signers import REDSTONE_PRODUCTION, ROUTERS, SignerSet, SignersUnreadable, parse_signer_set
from api.settings import SettingsError
from api.wiring.process import Process

Oracle = Hermes | Redstone | ChainFeeds


@asynccontextmanager
async def open_oracles(process: Process) -> AsyncGenerator[list[Oracle]]:
    """Open every oracle that the settings name feeds of."""
    wanted, where = process.settings.oracles, process.settings.loopback
    loopback = Loopback(port=where.port, ca_file=process.folder / where.ca) if where.port else None
    oracles: list[Oracle] = []
    if wanted.pyth.feeds:
        settings = HermesSettings(
            feeds=wanted.pyth.feeds,
            signers=_signers(process, wanted.pyth.signers, ROUTERS),
            api_key=process.secret(wanted.pyth.api_key),
            loopback=loopback,
        )
        oracles.append(Hermes(settings))
    if wanted.redstone.feeds:
        feeds = {name: name for name in wanted.redstone.feeds}
        signers = _signers(process, wanted.redstone.signers, REDSTONE_PRODUCTION)
        key = process.secret(wanted.redstone.api_key)
        oracles.append(Redstone(RedstoneSettings(feeds=feeds, signers=signers, api_key=key, loopback=loopback)))
    if wanted.chain.chainlink or wanted.chain.pyth:
        oracles.append(ChainFeeds(_chain(process)))
    async with AsyncExitStack() as stack:
        for oracle in oracles:
            await stack.enter_async_context(oracle)
        yield oracles


def _chain(process: Process) -> ChainSettings:
    wanted = process.settings.oracles.chain
    if not len(wanted.rpc) // 2 < wanted.quorum <= len(wanted.rpc):
        raise SettingsError(f"oracles.chain.quorum must be a majority of its {len(wanted.rpc)} rpc endpoints")
    endpoints = tuple(
        Endpoint(name=f"rpc{number}", url=process.secret(url)) for number, url in enumerate(wanted.rpc, start=1)
    )
    return ChainSettings(
        endpoints=endpoints,
        quorum=wanted.quorum,
        chainlink=wanted.chainlink,
        pyth=wanted.pyth,
        chain_id=process.settings.chain.chain_id,
    )


def _signers(process: Process, file: str, production: SignerSet) -> SignerSet:
    if not file:
        return production
    place: Path = process.folder / file
    try:
        return parse_signer_set(place.read_bytes())
    except OSError as error:
        raise SettingsError(f"the signers file {place} cannot be read: {error.strerror}") from error
    except SignersUnreadable as error:
        raise SettingsError(f"{place}: {error}") from error
