"""Begin a chain that has the protocol's contracts on it.

They are deployed on a chain in memory at each start, which takes a moment: the addresses follow from the plan alone.
A chain that begins goes on from there; one with a journal has them already.
"""

import time
from typing import Any

import msgspec

from adapters.simulators.chain.deployment import Deployed, DeploymentPlan, deploy
from adapters.simulators.chain.journal import Kept
from adapters.simulators.chain.node import NodeSettings, SimulatedNode

# Blocks are at least a second apart, and those of the deployment must not push the chain's time past everybody's.
DEPLOYED_BEFORE_S = 600


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
    """Start a node whose chain has the contracts. Raise ValueError when its journal is of another plan."""
    kept, deployed = await founded(settings, plan)
    node = SimulatedNode(msgspec.structs.replace(settings, begin=kept))
    await node.start()
    if await node.call("eth_getCode", deployed.minting, "latest") == "0x":
        await node.stop()
        raise ValueError("the chain's journal is of another deployment: empty its directory")
    return node, deployed
