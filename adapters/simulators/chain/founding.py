"""Begin a chain that has the protocol's contracts on it.

They are deployed on a chain in memory, from which the real one goes on; the addresses follow from the plan alone. What
was deployed is kept beside the journal, and written before it: a chain with a journal has its contracts.
"""

import time
from typing import Any

import msgspec

from adapters.simulators.chain.deployment import Deployed, DeploymentPlan, deploy, welcome
from adapters.simulators.chain.journal import Kept
from adapters.simulators.chain.node import JOURNAL, NodeSettings, SimulatedNode

# Blocks are at least a second apart, and those of the deployment must not push the chain's time past everybody's.
DEPLOYED_BEFORE_S = 600


RECORD = "deployed.json"


class _Founded(msgspec.Struct, frozen=True, kw_only=True):
    contracts: bytes
    deployed: Deployed


class NodeTarget:
    """Let the deployment work on a node in this process."""

    def __init__(self, node: SimulatedNode) -> None:
        self._node = node

    async def rpc(self, method: str, *params: Any) -> Any:
        """Return a method's result."""
        return await self._node.call(method, *params)

    async def mine(self) -> None:
        """Make a block of what waits."""
        await self._node.admin.mine()

    async def set_balance(self, address: str, wei: int) -> None:
        """Give an account ether."""
        await self._node.admin.set_balance(address, wei)

    async def set_code(self, address: str, code: str) -> None:
        """Put code at an address."""
        await self._node.admin.set_code(address, code)


async def founded(settings: NodeSettings, plan: DeploymentPlan) -> tuple[Kept, Deployed]:
    """Deploy on a chain in memory; return that chain and what was deployed."""
    begun_s = int(time.time()) - DEPLOYED_BEFORE_S
    node = SimulatedNode(
        msgspec.structs.replace(
            settings, directory=None, tls=False, port=0, block_ms=0, begin=None, clock_s=lambda: begun_s
        )
    )
    await node.start()
    try:
        deployed = await deploy(NodeTarget(node), plan)
        return await node.kept(), deployed
    finally:
        await node.stop()


async def start_founded(settings: NodeSettings, plan: DeploymentPlan) -> tuple[SimulatedNode, Deployed]:
    """Start a node whose chain has the contracts, and has let in whom the plan names.

    Raise ValueError when the journal is of a chain with other contracts.
    """
    record = None if settings.directory is None else settings.directory / RECORD
    known = _known(settings, plan)
    kept: Kept | None = None
    if known is None:
        kept, known = await founded(settings, plan)
        if record is not None:
            record.parent.mkdir(parents=True, exist_ok=True)
            part = record.with_suffix(".part")
            part.write_bytes(msgspec.json.encode(_Founded(contracts=plan.contracts(), deployed=known)))
            part.replace(record)
    node = SimulatedNode(msgspec.structs.replace(settings, begin=kept))
    await node.start()
    if kept is None:
        try:
            known = await welcome(NodeTarget(node), plan, known)
        except BaseException:
            await node.stop()
            raise
    return node, known


def _known(settings: NodeSettings, plan: DeploymentPlan) -> Deployed | None:
    """Return what was deployed on the chain that a journal has; None where there is none."""
    if settings.directory is None or not (settings.directory / JOURNAL).exists():
        return None
    record = settings.directory / RECORD
    found = msgspec.json.decode(record.read_bytes(), type=_Founded) if record.exists() else None
    if found is None or found.contracts != plan.contracts():
        raise ValueError("the chain's journal is of another deployment: empty its directory")
    return found.deployed
