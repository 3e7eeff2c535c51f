"""The chain, as the settings name it: endpoints that must agree, and the one sender who calls the contract for us."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from adapters.chain.custody import CustodyCalls
from adapters.chain.minting import MintingCalls
from adapters.chain.reading import Chain
from adapters.chain.settings import (
    GWEI,
    ChainSettings,
    FeeSettings,
    LimitSettings,
    MintingSettings,
    RemoteSignerSettings,
    SendingSettings,
)
from adapters.chain.signers import LocalSigner, RemoteSigner, Signer
from adapters.rpc.settings import Endpoint
from api.chain.settings import SignerSettings
from api.settings import SettingsError
from api.wiring.process import Process
from domain.pricing import ISSUED_DECIMALS
from domain.quantity import Num, Rounding, to_atoms


def chain_settings(process: Process) -> ChainSettings:
    """Return how to reach the chain; raise `SettingsError` when too few endpoints could agree."""
    wanted = process.settings.chain
    if not wanted.rpc:
        raise SettingsError("chain.rpc names no endpoint: mints and redeems end on chain, so it needs at least one")
    if not len(wanted.rpc) // 2 < wanted.quorum <= len(wanted.rpc):
        raise SettingsError(f"chain.quorum must be a majority of its {len(wanted.rpc)} rpc endpoints")
    if len(wanted.ws) > len(wanted.rpc):
        raise SettingsError("chain.ws stands beside chain.rpc: it has no more entries")
    sockets = (*wanted.ws, *("",) * (len(wanted.rpc) - len(wanted.ws)))
    endpoints = tuple(
        Endpoint(name=f"rpc{number}", url=process.secret(url), ws_url=process.secret(ws))
        for number, (url, ws) in enumerate(zip(wanted.rpc, sockets, strict=True), start=1)
    )
    return ChainSettings(
        endpoints=endpoints,
        quorum=wanted.quorum,
        chain_id=wanted.chain_id,
        minting_contract=wanted.minting_contract,
        issued_token=wanted.issued_token,
        poll_ms=wanted.poll_ms,
        quiet_poll_ms=wanted.quiet_poll_ms,
        head_age_ms_max=wanted.head_age_ms_max,
    )


@asynccontextmanager
async def open_chain(process: Process) -> AsyncGenerator[Chain]:
    """Open the endpoints; nothing is asked yet, so that one that is away keeps nobody from starting."""
    async with Chain(chain_settings(process)) as chain:
        yield chain


@asynccontextmanager
async def open_minting(process: Process, chain: Chain) -> AsyncGenerator[MintingCalls]:
    """Open the sender of mints and redeems, with bounds that bind whoever signs."""
    wanted = process.settings.chain.sender
    async with AsyncExitStack() as stack:
        if not wanted.named:
            raise SettingsError("chain.sender has neither a key nor a signer_url: nobody could sign a transaction")
        signer = await _open_signer(process, wanted, stack)
        settings = MintingSettings(
            fees=fee_settings(process),
            limits=_limits(process),
            relay=_relay(process, wanted),
        )
        yield await stack.enter_async_context(MintingCalls(chain, signer, settings))


@asynccontextmanager
async def open_manager(process: Process, chain: Chain, sender: str) -> AsyncGenerator[CustodyCalls | None]:
    """Open the contract's collateral manager, None where no key of ours is; it cannot be the `sender` of the rest."""
    wanted = process.settings.chain.manager
    async with AsyncExitStack() as stack:
        if not wanted.named:
            yield None
            return
        signer = await _open_signer(process, wanted, stack)
        if signer.address == sender:
            raise SettingsError("chain.manager is chain.sender: each counts its own nonces, so it needs another key")
        settings = SendingSettings(fees=fee_settings(process), relay=_relay(process, wanted))
        calls = CustodyCalls(chain, signer, settings, _limits(process).collateral_max)
        yield await stack.enter_async_context(calls)


def fee_settings(process: Process) -> FeeSettings:
    """Return what is offered for gas."""
    wanted = process.settings.chain.fees
    return FeeSettings(
        priority_fee_wei=_wei(wanted.priority_gwei),
        base_fee_percent=wanted.base_fee_percent,
        bump_percent=wanted.bump_percent,
        max_fee_wei_max=_wei(wanted.max_fee_gwei_max),
        priority_fee_wei_max=_wei(wanted.priority_gwei_max),
    )


def _wei(gwei: Num) -> int:
    return int(gwei * GWEI)


async def _open_signer(process: Process, wanted: SignerSettings, stack: AsyncExitStack) -> Signer:
    if wanted.signer_url:
        return await stack.enter_async_context(_remote(process, wanted))
    return LocalSigner(process.secret(wanted.key))


def _relay(process: Process, wanted: SignerSettings) -> Endpoint | None:
    return Endpoint(name="relay", url=process.secret(wanted.relay)) if wanted.relay else None


def _remote(process: Process, wanted: SignerSettings) -> RemoteSigner:
    def beside(file: str) -> Path | None:
        return process.folder / file if file else None

    return RemoteSigner(
        RemoteSignerSettings(
            url=process.secret(wanted.signer_url),
            address=wanted.signer_address,
            ca_file=beside(wanted.signer_ca),
            client_file=beside(wanted.signer_client),
        )
    )


def _limits(process: Process) -> LimitSettings:
    """Return what one transaction may move; an asset that is not named may not be moved at all."""
    wanted, assets = process.settings.chain.sender, {item.symbol: item for item in process.settings.policy.assets}
    strangers = wanted.collateral_max.keys() - assets.keys()
    if strangers:
        raise SettingsError(f"chain.sender.collateral_max names {', '.join(sorted(strangers))}, which is no asset")
    return LimitSettings(
        issued_max=to_atoms(wanted.issued_max, ISSUED_DECIMALS, Rounding.FLOOR),
        collateral_max={
            assets[symbol].address: to_atoms(units, assets[symbol].decimals, Rounding.FLOOR)
            for symbol, units in wanted.collateral_max.items()
        },
    )
