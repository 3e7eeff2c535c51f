"""The gatekeeper's process: its own key, its own endpoints, its own connections to the price sources, its own files.

It loads no client of Postgres or NATS: when they, or the rest of the house, are down or taken over, it goes on.
"""

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path

from adapters.chain.gatekeeper import ContractGate, ContractWatch, gate_sending
from adapters.chain.reading import Chain
from adapters.chain.settings import ChainSettings
from adapters.chain.signers import LocalSigner
from adapters.rpc.settings import Endpoint
from api.gatekeeping.gatekeeper import Gatekeeping, keep, listen
from api.gatekeeping.memory import Notebook, StateForeign
from api.gatekeeping.prices import Prices
from api.gatekeeping.settings import GatekeeperSettings
from api.gatekeeping.shutting import Shutter
from api.settings import Settings, SettingsError
from api.wiring.prices import open_oracles
from api.wiring.process import Process, until
from domain.gatekeeping import Terms
from domain.refusal import Rejected, Unavailable

_log = logging.getLogger("ballast.gatekeeper")


async def run_gatekeeper(process: Process) -> None:
    """Watch every mint and redemption on chain, and shut the contract for what the rules do not let through."""
    settings = process.settings
    wanted = settings.gatekeeper
    async with AsyncExitStack() as stack:
        chain = await stack.enter_async_context(Chain(_chain(process, wanted)))
        signer = _signer(process, wanted)
        sending = gate_sending(chain, signer, wanted.priority_fee_wei, wanted.max_fee_wei_max)
        gate = ContractGate(await stack.enter_async_context(sending))
        watched = ContractWatch(chain, gate.sender)
        oracles = await stack.enter_async_context(open_oracles(process))
        prices = Prices()
        shutter = Shutter(watched, gate, wanted)
        notebook = _notebook(settings, wanted)
        try:
            gatekeeping = Gatekeeping(watched, shutter, prices, _terms(settings), wanted, process.clock, notebook)
        except StateForeign as error:
            raise SettingsError(str(error)) from error

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                for oracle in oracles:
                    tasks.create_task(listen(prices, oracle))
                    tasks.create_task(oracle.failed())
                tasks.create_task(_say_whether_it_may(gate))
                tasks.create_task(keep(gatekeeping, wanted.poll_ms))
                process.ready()

        await until(process.stop, work())


async def _say_whether_it_may(gate: ContractGate) -> None:
    """Try the call once at the start: a key without the role should be found out before it is needed."""
    try:
        await gate.preflight()
    except Rejected as error:
        _log.critical("cannot_shut: %s may not shut the contract: %s", gate.sender, error)
    except Unavailable as error:
        _log.warning("it is not known yet whether %s may shut the contract: %s", gate.sender, error)
    else:
        _log.info("%s may shut the contract", gate.sender)


def _chain(process: Process, wanted: GatekeeperSettings) -> ChainSettings:
    if not wanted.rpc:
        raise SettingsError("gatekeeper.rpc names no endpoint: it needs its own")
    if not len(wanted.rpc) // 2 < wanted.quorum <= len(wanted.rpc):
        raise SettingsError(f"gatekeeper.quorum must be a majority of its {len(wanted.rpc)} rpc endpoints")
    endpoints = tuple(
        Endpoint(name=f"gatekeeper{number}", url=process.secret(url)) for number, url in enumerate(wanted.rpc, start=1)
    )
    return ChainSettings(
        endpoints=endpoints,
        quorum=wanted.quorum,
        chain_id=process.settings.chain.chain_id,
        minting_contract=process.settings.chain.minting_contract,
        timeout_ms=wanted.timeout_ms,
        poll_ms=wanted.poll_ms,
        head_age_ms_max=wanted.head_age_ms_max,
    )


def _signer(process: Process, wanted: GatekeeperSettings) -> LocalSigner:
    if not wanted.key:
        raise SettingsError("gatekeeper.key names no key: it needs its own, with GATEKEEPER_ROLE and nothing else")
    try:
        return LocalSigner(process.secret(wanted.key))
    except ValueError as error:
        raise SettingsError(f"gatekeeper.key: {error}") from None


def _notebook(settings: Settings, wanted: GatekeeperSettings) -> Notebook:
    folder = Path(wanted.folder) if wanted.folder else settings.data_dir / "gatekeeper"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"the gatekeeper's folder {folder} cannot be used: {error.strerror}") from error
    return Notebook(folder, settings.chain.chain_id, settings.chain.minting_contract)


def _terms(settings: Settings) -> Terms:
    return Terms(rules=settings.gatekeeper.rules, assets={asset.address: asset for asset in settings.policy.assets})
