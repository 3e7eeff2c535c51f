"""The minting contract: its parameters and hot balances as seen last, and what changed in them when."""

import msgspec

from domain.instant import rfc3339
from domain.onchain import AssetTerms, ContractChanged, ContractObserved, ContractTerms
from projections.view import Row, Rows, View

KEY = "contract"


class AssetTermsLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a collateral's parameters: caps in atoms of the issued dollar a block, the balance in its own atoms."""

    address: str
    stable: bool
    active: bool
    max_mint_per_block: str
    max_redeem_per_block: str
    hot_balance: str


class ContractLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show the contract. Caps in atoms a block, as text; `changed` names the parameters that changed last."""

    block_number: int
    block_hash: str
    global_max_mint_per_block: str
    global_max_redeem_per_block: str
    stables_delta_limit_bps: int
    assets: tuple[AssetTermsLine, ...]
    changed: tuple[str, ...]
    changed_at: str
    observed_at: str


class Contract(Rows[ContractLine]):
    """Hold the one contract."""


_GLOBAL = ("global_max_mint_per_block", "global_max_redeem_per_block", "stables_delta_limit_bps")
_ASSET = ("stable", "active", "max_mint_per_block", "max_redeem_per_block")


def changes(before: ContractTerms, after: ContractTerms) -> tuple[str, ...]:
    """Return the parameters that differ, each with what it was and is, such as `global_max_mint_per_block 5 -> 0`.

    A balance is no parameter.
    """
    found = [_told(name, getattr(before, name), getattr(after, name)) for name in _GLOBAL]
    old = {asset.address: asset for asset in before.assets}
    new = {asset.address: asset for asset in after.assets}
    for address in sorted({*old, *new}):
        was, now = old.get(address), new.get(address)
        if was is None or now is None:
            found.append(f"{address} {'gone' if now is None else 'new'}")
        else:
            found += [_told(f"{address} {name}", getattr(was, name), getattr(now, name)) for name in _ASSET]
    return tuple(each for each in found if each)


def _told(name: str, was: object, now: object) -> str:
    return "" if was == now else f"{name} {was} -> {now}"


def _asset(asset: AssetTerms) -> AssetTermsLine:
    return AssetTermsLine(
        address=asset.address,
        stable=asset.stable,
        active=asset.active,
        max_mint_per_block=str(asset.max_mint_per_block),
        max_redeem_per_block=str(asset.max_redeem_per_block),
        hot_balance=str(asset.hot_balance),
    )


def _seen(
    state: Contract, event: ContractObserved | ContractChanged, position: int, at_us: int
) -> tuple[Row[ContractLine], ...]:
    terms, before, at = event.terms, state.find(KEY), rfc3339(at_us)
    changed = changes(event.before, terms) if isinstance(event, ContractChanged) else ()
    line = ContractLine(
        block_number=terms.block_number,
        block_hash=terms.block_hash,
        global_max_mint_per_block=str(terms.global_max_mint_per_block),
        global_max_redeem_per_block=str(terms.global_max_redeem_per_block),
        stables_delta_limit_bps=terms.stables_delta_limit_bps,
        assets=tuple(_asset(asset) for asset in terms.assets),
        changed=changed or (before.changed if before is not None else ()),
        changed_at=at if changed or before is None else before.changed_at,
        observed_at=at,
    )
    return state.keep(KEY, position, line)


CONTRACT = View(
    name="contract",
    document=ContractLine,
    state=Contract,
    steps={ContractObserved: _seen, ContractChanged: _seen},
)
