"""Settings of the chain: where it is, the contract, who sends for us, how far that may go, and when a block counts."""

import re
from collections.abc import Iterable

import msgspec

from domain.policy import Asset
from domain.quantity import Num

# A view that answers one number, asked nothing or what a whole unit of the token comes to.
_VIEW = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\((uint256)?\)")
RATIO_DECIMALS_MAX = 36


class SignerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name who signs: a private key for development, or a remote signer and the address it signs for."""

    key: str = ""
    signer_url: str = ""
    signer_address: str = ""
    signer_ca: str = ""
    signer_client: str = ""
    relay: str = ""  # a private relay: then transactions go there alone

    @property
    def named(self) -> bool:
        """Say whether anybody is named."""
        return bool(self.key or self.signer_url)


class SenderSettings(SignerSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name who signs mints and redeems, and how far one transaction may go, whatever was asked.

    `collateral_max` in units by asset, `issued_max` in issued dollars.
    """

    issued_max: Num = Num(5_000_000)
    collateral_max: dict[str, Num] = {}


class ManagerSettings(SignerSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name who calls `transferToCustody`, where the role is held by a key of ours and not by a multisig.

    Nobody named: proposals are for people. What one call may move is the sender's `collateral_max`.
    """


class RatioSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name who tells what a token stands for: a view without arguments, or one that is asked for a whole unit.

    Its answer has so many `decimals`; `source` is how the log names it.
    """

    asset: str
    contract: str
    function: str
    source: str
    decimals: int = 18


class FeeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set what is offered for gas, in gwei, and how it grows with each try."""

    priority_gwei: Num = Num(1)
    base_fee_percent: int = 200
    bump_percent: int = 25
    max_fee_gwei_max: Num = Num(300)
    priority_gwei_max: Num = Num(20)


class ChainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name the chain, the contract, and the endpoints that must agree.

    `ws` stands beside `rpc`, in the same order; an empty one is not listened to. Amounts of time in ms.
    """

    chain_id: int = 1
    minting_contract: str = "0xe3490297a08d6fc8da46edb7b6142e4f461b62d3"
    issued_token: str = "0x4c9edd5852cd905f086c759e8383e09bff1e68b3"  # noqa: S105 - an address
    rpc: tuple[str, ...] = ()
    ws: tuple[str, ...] = ()
    quorum: int = 1
    from_block: int = 0
    finality_blocks: int = 64
    terms_every_blocks: int = 5
    ratios: tuple[RatioSettings, ...] = ()
    stuck_blocks: int = 3
    poll_ms: int = 2_000
    quiet_poll_ms: int = 12_000
    head_age_ms_max: int = 120_000
    sender: SenderSettings = SenderSettings()
    manager: ManagerSettings = ManagerSettings()
    fees: FeeSettings = FeeSettings()


def ratio_faults(ratios: tuple[RatioSettings, ...], assets: Iterable[Asset]) -> str:
    """Say the first thing that is wrong with who tells ratios, "" where nothing is."""
    of_one = {asset.symbol: asset.ratio == 1 for asset in assets}
    for each in ratios:
        if of_one.get(each.asset, True):
            return f"chain.ratios of {each.asset} needs the asset under policy.assets, with a ratio other than 1"
        if not _VIEW.fullmatch(each.function):
            return f"chain.ratios of {each.asset} needs a function like stEthPerToken() or convertToAssets(uint256)"
        if not 0 <= each.decimals <= RATIO_DECIMALS_MAX or not each.source:
            return f"chain.ratios of {each.asset} needs 0 to {RATIO_DECIMALS_MAX} decimals, and a source"
    named = [each.asset for each in ratios]
    return "each asset's ratio is told by one source under chain.ratios" if len(set(named)) < len(named) else ""
