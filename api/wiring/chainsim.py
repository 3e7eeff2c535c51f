"""The simulated chain's process: other people's nodes, a real EVM with the protocol's contracts, on this machine."""

from adapters.simulators.chain.deployment import Asset, DeploymentPlan, address_of
from adapters.simulators.chain.founding import start_founded
from adapters.simulators.chain.node import NodeSettings
from api.settings import Settings, SettingsError
from api.wiring.process import Process, until
from api.wiring.simulated_chain import ADMIN_TOKEN, CHAINSIM, ENDPOINTS, PORT, simulated_keys
from domain.policy import Hedging

ETHER = 10**18
# What the minting contract holds for redemptions at the start, and what each benefactor holds, in dollars about.
HOT_DOLLARS, FUNDS_DOLLARS = 20_000_000, 200_000_000
# About what a unit is worth, by underlying: only so that everybody begins with enough.
DOLLARS_ABOUT = {"ETH": 2_500, "BTC": 60_000}


async def run_chainsim(process: Process) -> None:
    """Be the chain, the same one after a restart: blocks by the clock, three endpoints, a door for faults."""
    settings, home = process.settings, process.settings.data_dir / CHAINSIM
    keys = simulated_keys(home)
    node_settings = NodeSettings(
        directory=home,
        chain_id=settings.chain.chain_id,
        endpoints=ENDPOINTS,
        port=int((home / PORT).read_text()),
        block_ms=settings.simulator.block_ms,
        admin_token=keys[ADMIN_TOKEN],
    )
    node, _ = await start_founded(node_settings, _plan(settings, keys))
    try:
        process.ready()
        await until(process.stop, node.failed())
    finally:
        await node.stop()


def _plan(settings: Settings, keys: dict[str, str]) -> DeploymentPlan:
    """Return what the settings suppose to be on the chain, each contract where they name it."""
    policy = settings.policy
    fixed = {
        "minting": settings.chain.minting_contract,
        "issued": settings.chain.issued_token,
        **{asset.symbol: asset.address for asset in policy.assets},
    }
    held = {pair.collateral for pair in policy.pairs if pair.hedging is Hedging.HOLD}
    if not policy.custodians:
        raise SettingsError("policy.custodians names nobody: a mint's collateral has nowhere to go")
    return DeploymentPlan(
        admin_key=keys["admin"],
        settler=address_of(keys["settler"]),
        gatekeeper=address_of(keys["gatekeeper"]),
        more_gatekeepers=(address_of(keys["killer"]),),
        collateral_manager=address_of(keys["manager"]),
        custodians=tuple(custodian.address for custodian in policy.custodians),
        benefactors=policy.benefactors,
        assets=tuple(_asset(each.symbol, each.decimals, each.underlying, held) for each in policy.assets),
        issued_symbol=policy.issued,
        fixed=fixed,
    )


def _asset(symbol: str, decimals: int, underlying: str, held: set[str]) -> Asset:
    dollars = DOLLARS_ABOUT.get(underlying, 1)
    return Asset(
        symbol=symbol,
        decimals=decimals,
        stable=symbol in held,
        kind="usdt" if symbol == "USDT" else "weth" if symbol == "WETH" else "erc20",
        hot=HOT_DOLLARS * 10**decimals // dollars,
        funds=FUNDS_DOLLARS * 10**decimals // dollars,
    )
