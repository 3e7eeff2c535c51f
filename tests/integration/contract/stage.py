"""The minting contract deployed with its tokens and people, and the orders that they sign.

Everything is set up so that `order()`, signed by the benefactor and minted by the settler, goes through.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from eth_abi.abi import encode
from eth_hash.auto import keccak

from adapters.chain.eip712 import ORDER_TYPES, ContractDomain
from adapters.chain.signature import SignedOrder, address_of, sign_order
from adapters.simulators.chain.contracts.artefacts import artefact
from adapters.simulators.chain.contracts.compiling import compile_source
from tests.integration.contract.rig import Contract, Evm, Outcome, canonical_abi, type_of

UNIT = 10**18
CAP = 1_000_000 * UNIT  # of one asset
CAP_OF_ALL = 1_500_000 * UNIT
CHAIN_ID = 31337
NATIVE = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
ZERO = "0x" + 40 * "0"
LIFETIME_S = 60
HOSTILE = Path(__file__).with_name("hostile.vy")

EIP712, EIP1271 = 0, 1
STABLE, ASSET = 0, 1


def role(name: str) -> bytes:
    return keccak(name.encode()) if name != "DEFAULT_ADMIN_ROLE" else bytes(32)


def key_of(person: str) -> str:
    return "0x" + keccak(person.encode()).hex()


@cache
def address(person: str) -> str:
    return address_of(key_of(person))


ADMIN, SETTLER, GATEKEEPER, MANAGER = map(address, ("admin", "settler", "gatekeeper", "manager"))
BENEFACTOR, BENEFICIARY, DELEGATE, STRANGER = map(address, ("benefactor", "beneficiary", "delegate", "stranger"))
COPPER, CEFFU, COBO = map(address, ("copper", "ceffu", "cobo"))


def create(evm: Evm, name: str, *values: Any, sender: str = ADMIN) -> Contract:
    made = artefact(name)
    constructor = next((entry for entry in made.abi if entry["type"] == "constructor"), {"inputs": []})
    arguments = encode([type_of(each) for each in constructor["inputs"]], values)
    return Contract(evm, evm.create(sender, bytes.fromhex(made.bytecode[2:]) + arguments), made.abi)


@cache
def _hostile_code() -> Any:
    return compile_source("hostile", HOSTILE.read_text())


def create_hostile(evm: Evm) -> Contract:
    made = _hostile_code()
    return Contract(evm, evm.create(ADMIN, bytes.fromhex(made.bytecode[2:])), made.abi)


class Stage:
    """Hold the deployed contracts, and act for the people around them."""

    def __init__(self) -> None:
        self.evm = Evm(CHAIN_ID)
        self.evm.give(BENEFACTOR, 1_000 * UNIT)
        self.usde = create(self.evm, "issued", "USDe", "USDe", ADMIN)
        self.weth = create(self.evm, "weth")
        self.usdt = create(self.evm, "usdt", "Tether USD", "USDT", ADMIN)
        self.usdc = create(self.evm, "erc20", "USD Coin", "USDC", 6, ADMIN)
        self.dai = create(self.evm, "erc20", "Dai", "DAI", 18, ADMIN)
        self.wbtc = create(self.evm, "erc20", "Wrapped BTC", "WBTC", 8, ADMIN)
        self.wallet = create(self.evm, "wallet1271", BENEFACTOR)
        self.minting = self.deploy()
        self._admit()
        self._fund()
        self.domain = ContractDomain(chain_id=CHAIN_ID, verifying_contract=self.minting.address)

    def assets(self) -> dict[str, int]:
        stable = dict.fromkeys((self.usdt.address, self.usdc.address, self.dai.address), STABLE)
        return stable | dict.fromkeys((self.wbtc.address, self.weth.address, NATIVE), ASSET)

    def deploy(self, **changed: Any) -> Contract:
        assets = self.assets()
        arguments: dict[str, Any] = {
            "usde": self.usde.address,
            "weth": self.weth.address,
            "assets": list(assets),
            "configs": [(kind, False, CAP, CAP) for kind in assets.values()],
            "limits": (CAP_OF_ALL, CAP_OF_ALL),
            "custodians": [COPPER, CEFFU, COBO],
            "admin": ADMIN,
        }
        made = create(self.evm, "minting", *(arguments | changed).values(), sender=STRANGER)
        # It is spoken to by the canonical ABI, as the deployed V2 would be.
        return Contract(self.evm, made.address, canonical_abi())

    def _admit(self) -> None:
        self.usde.send(ADMIN, "setMinter", self.minting.address)
        for name, account in (
            ("MINTER_ROLE", SETTLER),
            ("REDEEMER_ROLE", SETTLER),
            ("COLLATERAL_MANAGER_ROLE", MANAGER),
            ("GATEKEEPER_ROLE", GATEKEEPER),
        ):
            self.minting.send(ADMIN, "grantRole", role(name), account)
        for benefactor in (BENEFACTOR, self.wallet.address):
            self.minting.send(ADMIN, "addWhitelistedBenefactor", benefactor)

    def _fund(self) -> None:
        self.weth.send(BENEFACTOR, "deposit", ether=500 * UNIT)
        everything = 2**256 - 1
        for token in (self.usdt, self.usdc, self.dai, self.wbtc):
            for holder in (BENEFACTOR, self.wallet.address, self.minting.address):
                token.send(ADMIN, "mint", holder, 10_000_000 * UNIT)
        for token in (self.usdt, self.usdc, self.dai, self.wbtc, self.weth, self.usde):
            token.send(BENEFACTOR, "approve", self.minting.address, everything)
            approval = token.data("approve", self.minting.address, everything)
            self.wallet.send(BENEFACTOR, "execute", token.address, approval)

    @contextmanager
    def rewound(self) -> Generator[None]:
        with self.evm.rewound():
            yield

    def order(self, **changed: Any) -> SignedOrder:
        plain = SignedOrder(
            order_id="RFQ-1",
            order_type="MINT",
            expiry=self.evm.timestamp + LIFETIME_S,
            nonce=7,
            benefactor=BENEFACTOR,
            beneficiary=BENEFACTOR,
            collateral_asset=self.dai.address,
            collateral_amount=100 * UNIT,
            usde_amount=100 * UNIT,
        )
        return msgspec.structs.replace(plain, **changed)

    def signed(self, order: SignedOrder, person: str = "benefactor", kind: int = EIP712) -> tuple[int, bytes]:
        return kind, bytes.fromhex(sign_order(self.domain, order, key_of(person))[2:])

    def mint(self, order: SignedOrder, **changed: Any) -> Outcome:
        """Mint as the settler, on the benefactor's signature, to one custodian; `call` is mint or mintWETH."""
        sender, call = changed.get("sender", SETTLER), changed.get("call", "mint")
        route = changed.get("route", ([COPPER], [10_000]))
        return self.minting.send(sender, call, words(order), route, changed.get("signature") or self.signed(order))

    def redeem(self, order: SignedOrder, **changed: Any) -> Outcome:
        sender = changed.get("sender", SETTLER)
        return self.minting.send(sender, "redeem", words(order), changed.get("signature") or self.signed(order))

    def holdings(self, token: Contract, *accounts: str) -> tuple[int, ...]:
        return tuple(token.ask("balanceOf", account) for account in accounts)


def words(order: SignedOrder) -> tuple[Any, ...]:
    """Return an order as the contract takes it."""
    return (order.order_id, ORDER_TYPES[order.order_type], *msgspec.structs.astuple(order)[2:])
