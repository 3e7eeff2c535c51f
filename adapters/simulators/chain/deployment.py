"""Put the protocol's contracts on a chain for development: tokens, the minting contract, who may do what, and funds.

The same steps, by the same transactions, work on any node that lets its administrator make blocks and set code. A
contract may be put at an address of choice: its creation code is put there and asked what it returns, then run there by
a transaction for its storage and logs, and what it returned takes its place.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from eth_hash.auto import keccak

from adapters.simulators.chain.contracts.artefacts import artefact
from adapters.simulators.chain.works import Target, Works, address_of, encoded

UNLIMITED = 2**256 - 1
ETHER = 10**18
DEPLOY_GAS = 6_000_000
MINTER, REDEEMER, GATEKEEPER, COLLATERAL_MANAGER = (
    keccak(name) for name in (b"MINTER_ROLE", b"REDEEMER_ROLE", b"GATEKEEPER_ROLE", b"COLLATERAL_MANAGER_ROLE")
)
CONFIG_TYPES = "(uint8,bool,uint128,uint128)"


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """Describe one collateral. Caps are atoms of the issued dollar a block; `hot` and `funds` its own atoms.

    `hot` is what the minting contract holds for redemptions, `funds` what each benefactor holds.
    """

    symbol: str
    decimals: int
    stable: bool
    kind: Literal["erc20", "usdt", "weth"] = "erc20"
    max_mint_per_block: int = 200_000_000 * ETHER
    max_redeem_per_block: int = 10_000_000 * ETHER
    hot: int = 0
    funds: int = 0


ASSETS = (
    Asset(symbol="USDT", decimals=6, stable=True, kind="usdt", hot=5_000_000 * 10**6, funds=50_000_000 * 10**6),
    Asset(symbol="WETH", decimals=18, stable=False, kind="weth", hot=500 * ETHER, funds=5_000 * ETHER),
    Asset(symbol="WBTC", decimals=8, stable=False, hot=50 * 10**8, funds=500 * 10**8),
)


class DeploymentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Say what to deploy. Keys are hex; addresses hex in any case.

    `settler` may mint and redeem. Benefactors, named by address or by key, are whitelisted, funded, and approve without
    limit. `fixed` puts "minting", "issued" or an asset, by its symbol, at an address of choice. `issued_funds` are
    issued dollars that benefactors hold from the start, with nothing behind them.
    """

    admin_key: str
    settler: str
    gatekeeper: str
    collateral_manager: str
    custodians: tuple[str, ...]
    benefactors: tuple[str, ...] = ()
    benefactor_keys: tuple[str, ...] = ()
    assets: tuple[Asset, ...] = ASSETS
    issued_name: str = "USDe"
    issued_symbol: str = "USDe"
    global_max_mint_per_block: int = 200_000_000 * ETHER
    global_max_redeem_per_block: int = 10_000_000 * ETHER
    stables_delta_limit_bps: int = 100
    ether_wei: int = 1_000 * ETHER
    issued_funds: int = 0
    fixed: Mapping[str, str] = {}
    more_gatekeepers: tuple[str, ...] = ()

    def holders(self) -> tuple[str, ...]:
        """Return all benefactors' addresses in lower case."""
        named = [each.lower() for each in self.benefactors]
        return tuple(dict.fromkeys((*named, *(address_of(key) for key in self.benefactor_keys))))

    def roles(self) -> tuple[tuple[bytes, str], ...]:
        """Return who may do what."""
        return (
            (MINTER, self.settler),
            (REDEEMER, self.settler),
            (GATEKEEPER, self.gatekeeper),
            (COLLATERAL_MANAGER, self.collateral_manager),
            *((GATEKEEPER, address) for address in self.more_gatekeepers),
        )

    def contracts(self) -> bytes:
        """Return what the contracts themselves follow from: two plans with the same may share a chain."""
        terms = (
            address_of(self.admin_key),
            [each.lower() for each in self.custodians],
            [(each.symbol, each.decimals, each.stable, each.kind) for each in self.assets],
            (self.issued_name, self.issued_symbol),
            sorted((name, address.lower()) for name, address in self.fixed.items()),
        )
        return keccak(msgspec.json.encode(terms))


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """Tell what was deployed, addresses in lower case; `block_number` is the first whose logs matter."""

    chain_id: int
    minting: str
    issued: str
    assets: dict[str, str]
    custodians: tuple[str, ...]
    settler: str
    gatekeeper: str
    collateral_manager: str
    admin: str
    benefactors: tuple[str, ...]
    block_number: int


async def deploy(target: Target, plan: DeploymentPlan) -> Deployed:
    """Do everything. Raise RuntimeError when a transaction of it fails."""
    works = Works(target, plan.admin_key)
    chain_id = await works.open()
    first = int(await target.rpc("eth_blockNumber"), 16)
    await target.set_balance(works.sender, plan.ether_wei)
    assets = {asset.symbol: await _create_asset(works, plan, asset) for asset in plan.assets}
    terms = (plan.issued_name, plan.issued_symbol, works.sender)
    issued = await _create(works, plan, "issued", "issued", ("(string,string,address)", terms))
    minting = await _create(works, plan, "minting", "minting", _minting_terms(plan, works.sender, issued, assets))
    deployed = Deployed(
        chain_id=chain_id,
        minting=minting,
        issued=issued,
        assets=assets,
        custodians=tuple(each.lower() for each in plan.custodians),
        settler=plan.settler.lower(),
        gatekeeper=plan.gatekeeper.lower(),
        collateral_manager=plan.collateral_manager.lower(),
        admin=works.sender,
        benefactors=plan.holders(),
        block_number=first,
    )
    await _configure(works, plan, deployed)
    await _endow(works, plan, deployed, [(minting, asset, asset.hot) for asset in plan.assets])
    await works.settle()
    return await welcome(target, plan, deployed)


async def welcome(target: Target, plan: DeploymentPlan, deployed: Deployed) -> Deployed:
    """Let in whom the plan names and the contracts do not know yet; return what is deployed with them.

    Roles are granted, benefactors whitelisted, funded and have approved. Whoever has little ether gets some.
    """
    works = Works(target, plan.admin_key)
    await works.open()
    minting = deployed.minting
    everyone = (works.sender, *(account for _, account in plan.roles()), *plan.holders())
    for account in dict.fromkeys(each.lower() for each in everyone):
        if int(await target.rpc("eth_getBalance", account, "latest"), 16) < plan.ether_wei // 2:
            await target.set_balance(account, plan.ether_wei)
    for role, account in plan.roles():
        if not any(await works.ask(minting, "hasRole(bytes32,address)", role, account)):
            await works.do(minting, "grantRole(bytes32,address)", role, account)
    strangers = [
        holder
        for holder in plan.holders()
        if not any(await works.ask(minting, "isWhitelistedBenefactor(address)", holder))
    ]
    for holder in strangers:
        await works.do(minting, "addWhitelistedBenefactor(address)", holder)
    await _endow(works, plan, deployed, [(each, asset, asset.funds) for asset in plan.assets for each in strangers])
    if plan.issued_funds and strangers:
        await works.do(deployed.issued, "setMinter(address)", works.sender)
        for holder in strangers:
            await works.do(deployed.issued, "mint(address,uint256)", holder, plan.issued_funds)
        await works.do(deployed.issued, "setMinter(address)", minting)
    tokens = (*deployed.assets.values(), deployed.issued)
    for holder in strangers:
        await works.do_as(holder, [(token, "approve(address,uint256)", (minting, UNLIMITED)) for token in tokens])
    await works.settle()
    return msgspec.structs.replace(
        deployed,
        settler=plan.settler.lower(),
        gatekeeper=plan.gatekeeper.lower(),
        collateral_manager=plan.collateral_manager.lower(),
        benefactors=plan.holders(),
    )


async def _create_asset(works: Works, plan: DeploymentPlan, asset: Asset) -> str:
    named = (asset.symbol, asset.symbol)
    match asset.kind:
        case "weth":
            return await _create(works, plan, "weth", asset.symbol, ("()", ()))
        case "usdt":
            terms = ("(string,string,address)", (*named, works.sender))
            return await _create(works, plan, "usdt", asset.symbol, terms)
        case "erc20":
            terms = ("(string,string,uint8,address)", (*named, asset.decimals, works.sender))
            return await _create(works, plan, "erc20", asset.symbol, terms)


async def _create(
    works: Works, plan: DeploymentPlan, contract: str, name: str, terms: tuple[str, Sequence[Any]]
) -> str:
    """Create a contract, at a fixed address when the plan has one; return where it is."""
    code, rpc = artefact(contract).bytecode + encoded(*terms).hex(), works.target.rpc
    fixed = plan.fixed.get(name)
    if fixed is None:
        tx_hash = await works.send(None, code, what=f"create {name}", gas=DEPLOY_GAS)
        await works.settle()
        receipt = await rpc("eth_getTransactionReceipt", tx_hash)
        return str(receipt["contractAddress"]).lower()
    await works.target.set_code(fixed, code)
    call = {"from": works.sender, "to": fixed, "data": "0x", "gas": hex(DEPLOY_GAS)}
    runtime = await rpc("eth_call", call, "latest")
    await works.send(fixed, "0x", what=f"create {name} in place", gas=DEPLOY_GAS)
    await works.settle()
    await works.target.set_code(fixed, runtime)
    return fixed.lower()


async def _configure(works: Works, plan: DeploymentPlan, deployed: Deployed) -> None:
    """Let the contract mint and say what it takes. The first asset goes and comes: so the logs tell of every one."""
    minting, assets = deployed.minting, deployed.assets
    await works.do(deployed.issued, "setMinter(address)", minting)
    await works.do(minting, "removeSupportedAsset(address)", assets[plan.assets[0].symbol])
    for asset in plan.assets:
        signature = f"addSupportedAsset(address,{CONFIG_TYPES})"
        await works.do(minting, signature, assets[asset.symbol], _token_config(asset))
    await works.do(minting, "setStablesDeltaLimit(uint128)", plan.stables_delta_limit_bps)


async def _endow(
    works: Works, plan: DeploymentPlan, deployed: Deployed, wanted: Sequence[tuple[str, Asset, int]]
) -> None:
    """Give holders collateral: wrapped ether by wrapping some, other tokens by their administrator's leave."""
    wrapped = sum(atoms for _, asset, atoms in wanted if asset.kind == "weth")
    if wrapped:
        await works.target.set_balance(works.sender, plan.ether_wei + wrapped)
    for holder, asset, atoms in wanted:
        token = deployed.assets[asset.symbol]
        if atoms and asset.kind == "weth":
            await works.do(token, "deposit()", value=atoms)
            await works.do(token, "transfer(address,uint256)", holder, atoms)
        elif atoms:
            await works.do(token, "mint(address,uint256)", holder, atoms)


def _minting_terms(
    plan: DeploymentPlan, admin: str, issued: str, assets: Mapping[str, str]
) -> tuple[str, tuple[Any, ...]]:
    types = f"(address,address,address[],{CONFIG_TYPES}[],(uint128,uint128),address[],address)"
    weth = next((assets[asset.symbol] for asset in plan.assets if asset.kind == "weth"), issued)
    first = plan.assets[0]
    caps = (plan.global_max_mint_per_block, plan.global_max_redeem_per_block)
    terms = (issued, weth, [assets[first.symbol]], [_token_config(first)], caps, list(plan.custodians), admin)
    return types, terms


def _token_config(asset: Asset) -> tuple[int, bool, int, int]:
    return (0 if asset.stable else 1, True, asset.max_mint_per_block, asset.max_redeem_per_block)
