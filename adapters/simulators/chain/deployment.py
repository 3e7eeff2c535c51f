"""Put the protocol's contracts on a chain for development: tokens, the minting contract, who may do what, and funds.

The same steps, by the same transactions, work on any node that lets its administrator make blocks and set code. A
contract may be put at an address of choice: its creation code is put there and asked what it returns, then run there by
a transaction for its storage and logs, and what it returned takes its place.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec
from eth_hash.auto import keccak

from adapters.simulators.chain.contracts.artefacts import artefact
from adapters.simulators.chain.signing import Account, encode

UNLIMITED = 2**256 - 1
ETHER = 10**18
GWEI = 10**9
TIP_WEI = GWEI
DEPLOY_GAS = 6_000_000
CALL_GAS = 1_500_000
WORD_BYTES = 32
BLOCKS_TO_SETTLE_MAX = 64
SENT_AT_ONCE_MAX = 48
MINTER, REDEEMER, GATEKEEPER, COLLATERAL_MANAGER = (
    keccak(name) for name in (b"MINTER_ROLE", b"REDEEMER_ROLE", b"GATEKEEPER_ROLE", b"COLLATERAL_MANAGER_ROLE")
)
CONFIG_TYPES = "(uint8,bool,uint128,uint128)"


class Target(Protocol):
    """What the contracts are put on."""

    async def rpc(self, method: str, *params: Any) -> Any:
        """Return a method's result."""
        ...

    async def mine(self) -> None:
        """Make a block of what waits."""
        ...

    async def set_balance(self, address: str, wei: int) -> None:
        """Give an account ether."""
        ...

    async def set_code(self, address: str, code: str) -> None:
        """Put code at an address."""
        ...


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

    `settler` may mint and redeem. Benefactors are whitelisted, funded, and approve without limit. `fixed` puts
    "minting", "issued" or an asset, by its symbol, at an address of choice. `issued_funds` are issued dollars that
    benefactors hold from the start, with nothing behind them.
    """

    admin_key: str
    settler: str
    gatekeeper: str
    collateral_manager: str
    custodians: tuple[str, ...]
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


def address_of(key: str) -> str:
    """Return a private key's address in lower case."""
    return str(Account.from_key(key).address).lower()


async def deploy(target: Target, plan: DeploymentPlan) -> Deployed:
    """Do everything. Raise RuntimeError when a transaction of it fails."""
    works = _Works(target, plan)
    await works.begin()
    assets = {asset.symbol: await works.create_asset(asset) for asset in plan.assets}
    issued = await works.create("issued", "issued", "(string,string,address)", _issued_terms(plan, works.admin))
    minting = await works.create("minting", "minting", *_minting_terms(plan, works.admin, issued, assets))
    await works.configure(minting, issued, assets)
    await works.fund(minting, issued, assets)
    return Deployed(
        chain_id=works.chain_id,
        minting=minting,
        issued=issued,
        assets=assets,
        custodians=tuple(each.lower() for each in plan.custodians),
        settler=plan.settler.lower(),
        gatekeeper=plan.gatekeeper.lower(),
        collateral_manager=plan.collateral_manager.lower(),
        admin=works.admin,
        benefactors=tuple(address_of(key) for key in plan.benefactor_keys),
        block_number=works.first_block,
    )


class _Works:
    """Send the transactions, many to a block, and see that each succeeded."""

    def __init__(self, target: Target, plan: DeploymentPlan) -> None:
        self._target = target
        self._plan = plan
        self._nonces: dict[str, int] = {}
        self._sent: list[tuple[str, str]] = []
        self.admin = address_of(plan.admin_key)
        self.chain_id = self.first_block = 0

    async def begin(self) -> None:
        """Give everyone ether, and the administrator what becomes wrapped ether too."""
        plan, rpc = self._plan, self._target.rpc
        self.chain_id = int(await rpc("eth_chainId"), 16)
        self.first_block = int(await rpc("eth_blockNumber"), 16)
        benefactors = [address_of(key) for key in plan.benefactor_keys]
        wrapped = sum(each.hot + each.funds * len(benefactors) for each in plan.assets if each.kind == "weth")
        await self._target.set_balance(self.admin, plan.ether_wei + wrapped)
        for address in {plan.settler, plan.gatekeeper, plan.collateral_manager, *benefactors} - {self.admin}:
            await self._target.set_balance(address, plan.ether_wei)

    async def create_asset(self, asset: Asset) -> str:
        """Create a collateral's token."""
        match asset.kind:
            case "weth":
                return await self.create("weth", asset.symbol, "()", ())
            case "usdt":
                terms = (asset.symbol, asset.symbol, self.admin)
                return await self.create("usdt", asset.symbol, "(string,string,address)", terms)
            case "erc20":
                terms = (asset.symbol, asset.symbol, asset.decimals, self.admin)
                return await self.create("erc20", asset.symbol, "(string,string,uint8,address)", terms)

    async def create(self, contract: str, name: str, types: str, terms: Sequence[Any]) -> str:
        """Create a contract, at a fixed address when the plan has one; return where it is."""
        code = artefact(contract).bytecode + _encoded(types, terms).hex()
        fixed = self._plan.fixed.get(name)
        if fixed is None:
            tx_hash = await self._send(self._plan.admin_key, None, code, what=f"create {name}", gas=DEPLOY_GAS)
            await self._settle()
            receipt = await self._target.rpc("eth_getTransactionReceipt", tx_hash)
            return str(receipt["contractAddress"]).lower()
        await self._target.set_code(fixed, code)
        call = {"from": self.admin, "to": fixed, "data": "0x", "gas": hex(DEPLOY_GAS)}
        runtime = await self._target.rpc("eth_call", call, "latest")
        await self._send(self._plan.admin_key, fixed, "0x", what=f"create {name} in place", gas=DEPLOY_GAS)
        await self._settle()
        await self._target.set_code(fixed, runtime)
        return fixed.lower()

    async def configure(self, minting: str, issued: str, assets: Mapping[str, str]) -> None:
        """Say who may do what. The first asset is taken away and added again, so that the logs tell of every one."""
        plan = self._plan
        await self._do(issued, "setMinter(address)", minting)
        await self._do(minting, "removeSupportedAsset(address)", assets[plan.assets[0].symbol])
        for asset in plan.assets:
            signature = f"addSupportedAsset(address,{CONFIG_TYPES})"
            await self._do(minting, signature, assets[asset.symbol], _token_config(asset))
        for role, account in (
            (MINTER, plan.settler),
            (REDEEMER, plan.settler),
            (GATEKEEPER, plan.gatekeeper),
            (COLLATERAL_MANAGER, plan.collateral_manager),
        ):
            await self._do(minting, "grantRole(bytes32,address)", role, account)
        await self._do(minting, "setStablesDeltaLimit(uint128)", plan.stables_delta_limit_bps)
        for key in plan.benefactor_keys:
            await self._do(minting, "addWhitelistedBenefactor(address)", address_of(key))
        await self._settle()

    async def fund(self, minting: str, issued: str, assets: Mapping[str, str]) -> None:
        """Give the contract its hot balance and benefactors their funds, and have them approve."""
        plan = self._plan
        holders = [address_of(key) for key in plan.benefactor_keys]
        for asset in plan.assets:
            token = assets[asset.symbol]
            wanted = [(minting, asset.hot), *((holder, asset.funds) for holder in holders)]
            if asset.kind == "weth":
                await self._send(plan.admin_key, token, _data("deposit()"), value=sum(each for _, each in wanted))
            verb = "transfer(address,uint256)" if asset.kind == "weth" else "mint(address,uint256)"
            for holder, atoms in wanted:
                if atoms:
                    await self._do(token, verb, holder, atoms)
            for key in plan.benefactor_keys:
                await self._send(key, token, _data("approve(address,uint256)", minting, UNLIMITED))
        for key in plan.benefactor_keys:
            await self._send(key, issued, _data("approve(address,uint256)", minting, UNLIMITED))
        if plan.issued_funds:
            await self._do(issued, "setMinter(address)", self.admin)
            for holder in holders:
                await self._do(issued, "mint(address,uint256)", holder, plan.issued_funds)
            await self._do(issued, "setMinter(address)", minting)
        await self._settle()

    async def _do(self, to: str, signature: str, *arguments: Any) -> None:
        await self._send(self._plan.admin_key, to, _data(signature, *arguments), what=signature)

    async def _send(
        self, key: str, to: str | None, data: str, *, what: str = "", value: int = 0, gas: int = CALL_GAS
    ) -> str:
        if len(self._sent) >= SENT_AT_ONCE_MAX:
            await self._settle()
        sender, rpc = address_of(key), self._target.rpc
        if sender not in self._nonces:
            self._nonces[sender] = int(await rpc("eth_getTransactionCount", sender, "latest"), 16)
        newest = await rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 - JSON-RPC's parameter has no name
        base_fee = int(newest["baseFeePerGas"], 16)
        fields = {
            "chainId": self.chain_id,
            "nonce": self._nonces[sender],
            "data": data,
            "value": value,
            "gas": gas,
            "maxFeePerGas": 4 * base_fee + TIP_WEI,
            "maxPriorityFeePerGas": TIP_WEI,
            **({} if to is None else {"to": _checksummed(to)}),
        }
        self._nonces[sender] += 1
        raw = bytes(Account.sign_transaction(fields, key).raw_transaction)
        tx_hash = str(await rpc("eth_sendRawTransaction", f"0x{raw.hex()}"))
        self._sent.append((tx_hash, what or data[:10]))
        return tx_hash

    async def _settle(self) -> None:
        """Make blocks until everything sent is in one, and see that it succeeded."""
        for _ in range(BLOCKS_TO_SETTLE_MAX):
            waiting: list[tuple[str, str]] = []
            for tx_hash, what in self._sent:
                receipt = await self._target.rpc("eth_getTransactionReceipt", tx_hash)
                if receipt is None:
                    waiting.append((tx_hash, what))
                elif receipt["status"] != "0x1":
                    raise RuntimeError(f"the deployment's transaction failed: {what}")
            self._sent = waiting
            if not waiting:
                return
            await self._target.mine()
        raise RuntimeError(f"the deployment's transactions are not mined: {[what for _, what in self._sent]}")


def _issued_terms(plan: DeploymentPlan, admin: str) -> tuple[Any, ...]:
    return (plan.issued_name, plan.issued_symbol, admin)


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


def _data(signature: str, *arguments: Any) -> str:
    """Return a call's data; the types are those that the signature names."""
    types = signature[signature.index("(") :]
    return f"0x{(keccak(signature.encode())[:4] + _encoded(types, arguments)).hex()}"


def _encoded(types: str, values: Sequence[Any]) -> bytes:
    """Return a tuple's values as arguments are coded: without the offset that it would have as a value of its own."""
    if not values:
        return b""
    coded = encode([types], [tuple(values)])
    is_dynamic = "string" in types or "[]" in types
    return coded[WORD_BYTES:] if is_dynamic else coded


def _checksummed(address: str) -> str:
    """Return an address as eth_account wants it: a transaction's `to` is checked for its capitals."""
    digits = address.lower().removeprefix("0x")
    hashed = keccak(digits.encode()).hex()
    pairs = zip(digits, hashed, strict=False)
    return "0x" + "".join(digit.upper() if int(check, 16) > 7 else digit for digit, check in pairs)  # noqa: PLR2004 - EIP-55
