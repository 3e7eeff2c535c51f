"""What is watched on chain: the contract, the token that it issues, and what other tokens stand for."""

import msgspec

from commands.chain_ports import ChainReader, View
from domain.policy import Asset

# The argument of a view that takes one: it is asked what a whole unit of the token comes to.
TAKES_UNITS = "(uint256)"


class RatioSource(msgspec.Struct, frozen=True, kw_only=True):
    """Name where an asset's ratio is told: a view of a contract, whose answer has so many decimals."""

    asset: str
    contract: str
    function: str
    source: str
    decimals: int = 18

    def view(self, asset: Asset) -> View:
        """Return the question."""
        arguments = (10**asset.decimals,) if self.function.endswith(TAKES_UNITS) else ()
        return View(contract=self.contract, function=self.function, arguments=arguments)


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what is watched: the chain, from the block of the contract's deployment on.

    Its terms and the issued token's total are read every `terms_blocks`, ratios as often as they may move.
    """

    reader: ChainReader
    finality_blocks: int
    first_block: int
    terms_blocks: int = 5
    ratios: tuple[RatioSource, ...] = ()
