# pragma version 0.4.3
# pragma evm-version cancun
"""
@title The minting contract
@notice Speaks the interface of EthenaMinting V2 exactly: functions, struct layouts, the signed type string, the order
        of its checks, errors and events. Enums are uint8 that must be 0 or 1. Where V2 panics on arithmetic, so does
        this. It differs where no caller can rely on it: inputs are bounded (ids of 128 bytes, 20 legs, signatures of
        2,048 bytes), and a token that reverts without a word, or has no code, reverts here without a word too.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

interface Issued:
    def mint(to: address, amount: uint256): nonpayable
    def burnFrom(account: address, amount: uint256): nonpayable

interface Wrapped:
    def withdraw(amount: uint256): nonpayable

interface Wallet:
    def isValidSignature(digest: bytes32, signature: Bytes[2048]) -> bytes4: view

struct Order:
    order_id: String[128]
    order_type: uint8
    expiry: uint120
    nonce: uint128
    benefactor: address
    beneficiary: address
    collateral_asset: address
    collateral_amount: uint128
    usde_amount: uint128

struct Route:
    addresses: DynArray[address, 20]
    ratios: DynArray[uint128, 20]

struct Signature:
    signature_type: uint8
    signature_bytes: Bytes[2048]

struct TokenConfig:
    tokenType: uint8
    isActive: bool
    maxMintPerBlock: uint128
    maxRedeemPerBlock: uint128

struct GlobalConfig:
    globalMaxMintPerBlock: uint128
    globalMaxRedeemPerBlock: uint128

struct BlockTotals:
    mintedPerBlock: uint128
    redeemedPerBlock: uint128

event Received:
    sender: address
    amount: uint256

event Mint:
    order_id: indexed(String[128])
    benefactor: indexed(address)
    beneficiary: indexed(address)
    minter: address
    collateral_asset: address
    collateral_amount: uint256
    usde_amount: uint256

event Redeem:
    order_id: indexed(String[128])
    benefactor: indexed(address)
    beneficiary: indexed(address)
    redeemer: address
    collateral_asset: address
    collateral_amount: uint256
    usde_amount: uint256

event AssetAdded:
    asset: indexed(address)

event AssetRemoved:
    asset: indexed(address)

event BenefactorAdded:
    benefactor: indexed(address)

event BenefactorRemoved:
    benefactor: indexed(address)

event BeneficiaryAdded:
    benefactor: indexed(address)
    beneficiary: indexed(address)

event BeneficiaryRemoved:
    benefactor: indexed(address)
    beneficiary: indexed(address)

event CustodianAddressAdded:
    custodian: indexed(address)

event CustodianAddressRemoved:
    custodian: indexed(address)

event CustodyTransfer:
    wallet: indexed(address)
    asset: indexed(address)
    amount: uint256

event USDeSet:
    USDe: indexed(address)

event MaxMintPerBlockChanged:
    oldMaxMintPerBlock: uint256
    newMaxMintPerBlock: uint256
    asset: indexed(address)

event MaxRedeemPerBlockChanged:
    oldMaxRedeemPerBlock: uint256
    newMaxRedeemPerBlock: uint256
    asset: indexed(address)

event DelegatedSignerInitiated:
    signer: indexed(address)
    delegator: indexed(address)

event DelegatedSignerAdded:
    signer: indexed(address)
    delegator: indexed(address)

event DelegatedSignerRemoved:
    signer: indexed(address)
    delegator: indexed(address)

event TokenTypeSet:
    token: indexed(address)
    tokenType: uint256

event RoleGranted:
    role: indexed(bytes32)
    account: indexed(address)
    sender: indexed(address)

event RoleRevoked:
    role: indexed(bytes32)
    account: indexed(address)
    sender: indexed(address)

event AdminTransferRequested:
    oldAdmin: indexed(address)
    newAdmin: indexed(address)

event AdminTransferred:
    oldAdmin: indexed(address)
    newAdmin: indexed(address)

MINT: constant(uint8) = 0
REDEEM: constant(uint8) = 1
STABLE: constant(uint8) = 0
EIP712: constant(uint8) = 0
REJECTED: constant(uint8) = 0
PENDING: constant(uint8) = 1
ACCEPTED: constant(uint8) = 2

# The trap: expiry and nonce are signed with each other's widths.
ORDER_TYPE: constant(bytes32) = keccak256(
    "Order(string order_id,uint8 order_type,uint128 expiry,uint120 nonce,address benefactor,address beneficiary,address collateral_asset,uint128 collateral_amount,uint128 usde_amount)"
)
EIP712_DOMAIN: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
EIP712_NAME: constant(bytes32) = keccak256("EthenaMinting")
EIP712_REVISION: constant(bytes32) = keccak256("1")
EIP1271_MAGIC: constant(bytes4) = 0x1626ba7e
# Half of the curve's order: a signature with a higher s has a twin that is as valid.
S_MAX: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

MINTER_ROLE: constant(bytes32) = keccak256("MINTER_ROLE")
REDEEMER_ROLE: constant(bytes32) = keccak256("REDEEMER_ROLE")
COLLATERAL_MANAGER_ROLE: constant(bytes32) = keccak256("COLLATERAL_MANAGER_ROLE")
GATEKEEPER_ROLE: constant(bytes32) = keccak256("GATEKEEPER_ROLE")
DEFAULT_ADMIN_ROLE: public(constant(bytes32)) = empty(bytes32)

NATIVE: constant(address) = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE
BPS: constant(uint256) = 10_000
LEGS_MAX: constant(uint256) = 20
ASSETS_MAX: constant(uint256) = 20
OVERFLOW: constant(uint256) = 17
DIVISION_BY_ZERO: constant(uint256) = 18

usde: public(immutable(address))
WETH: immutable(address)

benefactors: HashMap[address, bool]
beneficiaries: HashMap[address, HashMap[address, bool]]
custodians: HashMap[address, bool]
bitmaps: HashMap[address, HashMap[uint256, uint256]]
delegatedSigner: public(HashMap[address, HashMap[address, uint8]])
stablesDeltaLimit: public(uint128)
limits: GlobalConfig
totals: HashMap[uint256, BlockTotals]
assetTotals: HashMap[uint256, HashMap[address, BlockTotals]]
assets: HashMap[address, TokenConfig]
roles: HashMap[bytes32, HashMap[address, bool]]
admin: address
pendingAdmin: address
entered: transient(bool)


@deploy
def __init__(
    _usde: address,
    _weth: address,
    _assets: DynArray[address, ASSETS_MAX],
    _tokenConfig: DynArray[TokenConfig, ASSETS_MAX],
    _globalConfig: GlobalConfig,
    _custodians: DynArray[address, LEGS_MAX],
    _admin: address,
):
    if _usde == empty(address):
        raw_revert(method_id("InvalidUSDeAddress()"))
    if _weth == empty(address):
        raw_revert(method_id("InvalidZeroAddress()"))
    if len(_tokenConfig) == 0 or len(_assets) == 0:
        raw_revert(method_id("NoAssetsProvided()"))
    if _admin == empty(address):
        raw_revert(method_id("InvalidZeroAddress()"))
    usde = _usde
    WETH = _weth
    self._grant(DEFAULT_ADMIN_ROLE, msg.sender)
    if len(_tokenConfig) != len(_assets):
        raw_revert(method_id("InvalidAssetAddress()"))
    for custodian: address in _custodians:
        self._add_custodian(custodian, _usde)
    self.limits = _globalConfig
    for index: uint256 in range(len(_assets), bound=ASSETS_MAX):
        self._add_asset(_assets[index], _tokenConfig[index], _usde)
    if msg.sender != _admin:
        self._grant(DEFAULT_ADMIN_ROLE, _admin)
    log USDeSet(USDe=_usde)


@external
@payable
def __default__():
    assert len(msg.data) == 0  # plain ether only: a call that no function answers is an error
    log Received(sender=msg.sender, amount=msg.value)


# Minting and redeeming


@external
def mint(order: Order, route: Route, signature: Signature):
    self._enter()
    self._admit_mint(order, route, signature)
    self._pull(order, route)
    self._issue(order)
    self.entered = False


@external
def mintWETH(order: Order, route: Route, signature: Signature):
    self._enter()
    self._admit_mint(order, route, signature)
    self._pull_ether(order, route)
    self._issue(order)
    self.entered = False


@external
def redeem(order: Order, signature: Signature):
    self._enter()
    self._check_role(REDEEMER_ROLE)
    asset: address = order.collateral_asset
    if not self.assets[asset].isActive:
        raw_revert(method_id("UnsupportedAsset()"))
    of_asset: uint128 = self._sum(self.assetTotals[block.number][asset].redeemedPerBlock, order.usde_amount)
    if of_asset > self.assets[asset].maxRedeemPerBlock:
        raw_revert(method_id("MaxRedeemPerBlockExceeded()"))
    of_all: uint128 = self._sum(self.totals[block.number].redeemedPerBlock, order.usde_amount)
    if of_all > self.limits.globalMaxRedeemPerBlock:
        raw_revert(method_id("GlobalMaxRedeemPerBlockExceeded()"))
    assert order.order_type <= REDEEM
    if order.order_type != REDEEM:
        raw_revert(method_id("InvalidOrder()"))
    self._verify_order(order, signature)
    self._use_nonce(order.benefactor, order.nonce)
    self.assetTotals[block.number][asset].redeemedPerBlock = of_asset
    self.totals[block.number].redeemedPerBlock = of_all
    extcall Issued(usde).burnFrom(order.benefactor, convert(order.usde_amount, uint256))
    self._pay(order.beneficiary, asset, convert(order.collateral_amount, uint256))
    log Redeem(
        order_id=order.order_id,
        benefactor=order.benefactor,
        beneficiary=order.beneficiary,
        redeemer=msg.sender,
        collateral_asset=asset,
        collateral_amount=convert(order.collateral_amount, uint256),
        usde_amount=convert(order.usde_amount, uint256),
    )
    self.entered = False


@internal
def _admit_mint(order: Order, route: Route, signature: Signature):
    self._check_role(MINTER_ROLE)
    asset: address = order.collateral_asset
    if not self.assets[asset].isActive:
        raw_revert(method_id("UnsupportedAsset()"))
    of_asset: uint128 = self._sum(self.assetTotals[block.number][asset].mintedPerBlock, order.usde_amount)
    if of_asset > self.assets[asset].maxMintPerBlock:
        raw_revert(method_id("MaxMintPerBlockExceeded()"))
    of_all: uint128 = self._sum(self.totals[block.number].mintedPerBlock, order.usde_amount)
    if of_all > self.limits.globalMaxMintPerBlock:
        raw_revert(method_id("GlobalMaxMintPerBlockExceeded()"))
    assert order.order_type <= REDEEM
    if order.order_type != MINT:
        raw_revert(method_id("InvalidOrder()"))
    self._verify_order(order, signature)
    if not self._verify_route(route):
        raw_revert(method_id("InvalidRoute()"))
    self._use_nonce(order.benefactor, order.nonce)
    self.assetTotals[block.number][asset].mintedPerBlock = of_asset
    self.totals[block.number].mintedPerBlock = of_all


@internal
def _issue(order: Order):
    extcall Issued(usde).mint(order.beneficiary, convert(order.usde_amount, uint256))
    log Mint(
        order_id=order.order_id,
        benefactor=order.benefactor,
        beneficiary=order.beneficiary,
        minter=msg.sender,
        collateral_asset=order.collateral_asset,
        collateral_amount=convert(order.collateral_amount, uint256),
        usde_amount=convert(order.usde_amount, uint256),
    )


@internal
@pure
def _leg(amount: uint128, ratio: uint128) -> uint256:
    # Floored; what flooring leaves goes to the last address.
    product: uint256 = convert(amount, uint256) * convert(ratio, uint256)
    if product > convert(max_value(uint128), uint256):
        self._panic(OVERFLOW)
    return product // BPS


@internal
def _pull(order: Order, route: Route):
    asset: address = order.collateral_asset
    if not self.assets[asset].isActive or asset == NATIVE:
        raw_revert(method_id("UnsupportedAsset()"))
    moved: uint256 = 0
    count: uint256 = len(route.addresses)
    for index: uint256 in range(count, bound=LEGS_MAX):
        part: uint256 = self._leg(order.collateral_amount, route.ratios[index])
        self._move(asset, order.benefactor, route.addresses[index], part)
        moved += part
    rest: uint256 = convert(order.collateral_amount, uint256) - moved
    if rest > 0:
        self._move(asset, order.benefactor, route.addresses[count - 1], rest)


@internal
def _pull_ether(order: Order, route: Route):
    asset: address = order.collateral_asset
    if not self.assets[asset].isActive or asset == NATIVE or asset != WETH:
        raw_revert(method_id("UnsupportedAsset()"))
    amount: uint256 = convert(order.collateral_amount, uint256)
    self._move(asset, order.benefactor, self, amount)
    extcall Wrapped(WETH).withdraw(amount)
    moved: uint256 = 0
    count: uint256 = len(route.addresses)
    for index: uint256 in range(count, bound=LEGS_MAX):
        part: uint256 = self._leg(order.collateral_amount, route.ratios[index])
        self._send(route.addresses[index], part)
        moved += part
    if amount > moved:
        self._send(route.addresses[count - 1], amount - moved)


@internal
def _move(asset: address, owner: address, to: address, amount: uint256):
    # A token that answers nothing (USDT) is taken at its word; one that answers false is not.
    if not extcall IERC20(asset).transferFrom(owner, to, amount, default_return_value=True):
        raise "SafeERC20: ERC20 operation did not succeed"


@internal
def _pay(to: address, asset: address, amount: uint256):
    if asset == NATIVE:
        if self.balance < amount:
            raw_revert(method_id("InvalidAmount()"))
        self._send(to, amount)
        return
    if not self.assets[asset].isActive:
        raw_revert(method_id("UnsupportedAsset()"))
    self._transfer(asset, to, amount)


@internal
def _transfer(asset: address, to: address, amount: uint256):
    if not extcall IERC20(asset).transfer(to, amount, default_return_value=True):
        raise "SafeERC20: ERC20 operation did not succeed"


@internal
def _send(to: address, amount: uint256):
    if not raw_call(to, b"", value=amount, revert_on_failure=False):
        raw_revert(method_id("TransferFailed()"))


@external
def transferToCustody(wallet: address, asset: address, amount: uint128):
    self._enter()
    self._check_role(COLLATERAL_MANAGER_ROLE)
    if wallet == empty(address) or not self.custodians[wallet]:
        raw_revert(method_id("InvalidAddress()"))
    if asset == NATIVE:
        self._send(wallet, convert(amount, uint256))
    else:
        self._transfer(asset, wallet, convert(amount, uint256))
    log CustodyTransfer(wallet=wallet, asset=asset, amount=convert(amount, uint256))
    self.entered = False


# Verification


@external
@view
def verifyOrder(order: Order, signature: Signature) -> bytes32:
    return self._verify_order(order, signature)


@external
@view
def verifyRoute(route: Route) -> bool:
    return self._verify_route(route)


@external
@view
def verifyNonce(sender: address, nonce: uint128) -> (uint128, uint256, uint256):
    return self._verify_nonce(sender, nonce)


@external
@view
def verifyStablesLimit(
    collateralAmount: uint128, usdeAmount: uint128, collateralAsset: address, orderType: uint8
) -> bool:
    assert orderType <= REDEEM
    return self._within_stables_limit(collateralAmount, usdeAmount, collateralAsset, orderType)


@external
@view
def hashOrder(order: Order) -> bytes32:
    return self._hash_order(order)


@external
@pure
def encodeOrder(order: Order) -> Bytes[320]:
    return self._encode_order(order)


@external
@view
def getDomainSeparator() -> bytes32:
    return self._domain_separator()


@internal
@view
def _domain_separator() -> bytes32:
    return keccak256(abi_encode(EIP712_DOMAIN, EIP712_NAME, EIP712_REVISION, chain.id, self))


@internal
@pure
def _encode_order(order: Order) -> Bytes[320]:
    assert order.order_type <= REDEEM
    return abi_encode(
        ORDER_TYPE,
        keccak256(order.order_id),
        order.order_type,
        order.expiry,
        order.nonce,
        order.benefactor,
        order.beneficiary,
        order.collateral_asset,
        order.collateral_amount,
        order.usde_amount,
    )


@internal
@view
def _hash_order(order: Order) -> bytes32:
    return keccak256(concat(b"\x19\x01", self._domain_separator(), keccak256(self._encode_order(order))))


@internal
@view
def _verify_order(order: Order, signature: Signature) -> bytes32:
    digest: bytes32 = self._hash_order(order)
    assert signature.signature_type <= 1
    if signature.signature_type == EIP712:
        signer: address = self._recover(digest, signature.signature_bytes)
        if signer != order.benefactor and self.delegatedSigner[signer][order.benefactor] != ACCEPTED:
            raw_revert(method_id("InvalidEIP712Signature()"))
    elif staticcall Wallet(order.benefactor).isValidSignature(digest, signature.signature_bytes) != EIP1271_MAGIC:
        raw_revert(method_id("InvalidEIP1271Signature()"))
    if not self.benefactors[order.benefactor]:
        raw_revert(method_id("BenefactorNotWhitelisted()"))
    if order.benefactor != order.beneficiary and not self.beneficiaries[order.benefactor][order.beneficiary]:
        raw_revert(method_id("BeneficiaryNotApproved()"))
    if self.assets[order.collateral_asset].tokenType == STABLE:
        if not self._within_stables_limit(
            order.collateral_amount, order.usde_amount, order.collateral_asset, order.order_type
        ):
            raw_revert(method_id("InvalidStablePrice()"))
    if order.beneficiary == empty(address):
        raw_revert(method_id("InvalidAddress()"))
    if order.collateral_amount == 0 or order.usde_amount == 0:
        raw_revert(method_id("InvalidAmount()"))
    if block.timestamp > convert(order.expiry, uint256):
        raw_revert(method_id("SignatureExpired()"))
    return digest


@internal
@pure
def _recover(digest: bytes32, signature: Bytes[2048]) -> address:
    if len(signature) != 65:
        raise "ECDSA: invalid signature length"
    s: uint256 = extract32(signature, 32, output_type=uint256)
    if s > S_MAX:
        raise "ECDSA: invalid signature 's' value"
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    signer: address = ecrecover(digest, v, extract32(signature, 0, output_type=uint256), s)
    if signer == empty(address):
        raise "ECDSA: invalid signature"
    return signer


@internal
@view
def _verify_route(route: Route) -> bool:
    if len(route.addresses) != len(route.ratios) or len(route.addresses) == 0:
        return False
    total: uint256 = 0
    for index: uint256 in range(len(route.addresses), bound=LEGS_MAX):
        custodian: address = route.addresses[index]
        if not self.custodians[custodian] or custodian == empty(address) or route.ratios[index] == 0:
            return False
        total += convert(route.ratios[index], uint256)
        if total > convert(max_value(uint128), uint256):
            self._panic(OVERFLOW)
    return total == BPS


@internal
@view
def _verify_nonce(sender: address, nonce: uint128) -> (uint128, uint256, uint256):
    if nonce == 0:
        raw_revert(method_id("InvalidNonce()"))
    # Only the low 64 bits count: nonces that are equal modulo 2^64 collide.
    slot: uint256 = (convert(nonce, uint256) & convert(max_value(uint64), uint256)) >> 8
    bit: uint256 = 1 << (convert(nonce, uint256) & 255)
    word: uint256 = self.bitmaps[sender][slot]
    if word & bit != 0:
        raw_revert(method_id("InvalidNonce()"))
    return convert(slot, uint128), word, bit


@internal
def _use_nonce(sender: address, nonce: uint128):
    slot: uint128 = 0
    word: uint256 = 0
    bit: uint256 = 0
    slot, word, bit = self._verify_nonce(sender, nonce)
    self.bitmaps[sender][convert(slot, uint256)] = word | bit


@internal
@view
def _within_stables_limit(collateral: uint128, issued: uint128, asset: address, order_type: uint8) -> bool:
    issued_decimals: uint256 = convert(staticcall IERC20Detailed(usde).decimals(), uint256)
    asset_decimals: uint256 = convert(staticcall IERC20Detailed(asset).decimals(), uint256)
    normalised: uint256 = convert(collateral, uint256)
    if issued_decimals > asset_decimals:
        normalised = normalised * 10 ** (issued_decimals - asset_decimals)
        if normalised > convert(max_value(uint128), uint256):
            self._panic(OVERFLOW)
    else:
        normalised = normalised // 10 ** (asset_decimals - issued_decimals)
    wanted: uint256 = convert(issued, uint256)
    difference: uint256 = normalised - wanted if normalised > wanted else wanted - normalised
    if difference * BPS > convert(max_value(uint128), uint256):
        self._panic(OVERFLOW)
    if wanted == 0:
        self._panic(DIVISION_BY_ZERO)
    near: bool = difference * BPS // wanted <= convert(self.stablesDeltaLimit, uint256)
    # What favours the contract passes; what favours the benefactor must be near.
    if order_type == MINT:
        return wanted <= normalised or near
    return normalised <= wanted or near


@internal
@pure
def _sum(total: uint128, amount: uint128) -> uint128:
    result: uint256 = convert(total, uint256) + convert(amount, uint256)
    if result > convert(max_value(uint128), uint256):
        self._panic(OVERFLOW)
    return convert(result, uint128)


@internal
@pure
def _panic(code: uint256):
    raw_revert(abi_encode(code, method_id=method_id("Panic(uint256)")))


@internal
def _enter():
    if self.entered:
        raise "ReentrancyGuard: reentrant call"
    self.entered = True


# Benefactors, their signers and their beneficiaries


@external
def setDelegatedSigner(_delegateTo: address):
    self.delegatedSigner[_delegateTo][msg.sender] = PENDING
    log DelegatedSignerInitiated(signer=_delegateTo, delegator=msg.sender)


@external
def confirmDelegatedSigner(_delegatedBy: address):
    if self.delegatedSigner[msg.sender][_delegatedBy] != PENDING:
        raw_revert(method_id("DelegationNotInitiated()"))
    self.delegatedSigner[msg.sender][_delegatedBy] = ACCEPTED
    log DelegatedSignerAdded(signer=msg.sender, delegator=_delegatedBy)


@external
def removeDelegatedSigner(_removedSigner: address):
    self.delegatedSigner[_removedSigner][msg.sender] = REJECTED
    log DelegatedSignerRemoved(signer=_removedSigner, delegator=msg.sender)


@external
def setApprovedBeneficiary(beneficiary: address, status: bool):
    if self.beneficiaries[msg.sender][beneficiary] == status:
        raw_revert(method_id("InvalidBeneficiaryAddress()"))
    self.beneficiaries[msg.sender][beneficiary] = status
    if status:
        log BeneficiaryAdded(benefactor=msg.sender, beneficiary=beneficiary)
    else:
        log BeneficiaryRemoved(benefactor=msg.sender, beneficiary=beneficiary)


@external
def addWhitelistedBenefactor(benefactor: address):
    self._check_role(DEFAULT_ADMIN_ROLE)
    if benefactor == empty(address) or self.benefactors[benefactor]:
        raw_revert(method_id("InvalidBenefactorAddress()"))
    self.benefactors[benefactor] = True
    log BenefactorAdded(benefactor=benefactor)


@external
def removeWhitelistedBenefactor(benefactor: address):
    self._check_role(DEFAULT_ADMIN_ROLE)
    if not self.benefactors[benefactor]:
        raw_revert(method_id("InvalidAddress()"))
    self.benefactors[benefactor] = False
    log BenefactorRemoved(benefactor=benefactor)


@external
@view
def isWhitelistedBenefactor(benefactor: address) -> bool:
    return self.benefactors[benefactor]


@external
@view
def isApprovedBeneficiary(benefactor: address, beneficiary: address) -> bool:
    return self.beneficiaries[benefactor][beneficiary]


# Custodians, assets and limits


@external
def addCustodianAddress(custodian: address):
    self._check_role(DEFAULT_ADMIN_ROLE)
    self._add_custodian(custodian, usde)


@internal
def _add_custodian(custodian: address, issued: address):
    if custodian == empty(address) or custodian == issued or self.custodians[custodian]:
        raw_revert(method_id("InvalidCustodianAddress()"))
    self.custodians[custodian] = True
    log CustodianAddressAdded(custodian=custodian)


@external
def removeCustodianAddress(custodian: address):
    self._check_role(DEFAULT_ADMIN_ROLE)
    if not self.custodians[custodian]:
        raw_revert(method_id("InvalidCustodianAddress()"))
    self.custodians[custodian] = False
    log CustodianAddressRemoved(custodian=custodian)


@external
@view
def isCustodianAddress(custodian: address) -> bool:
    return self.custodians[custodian]


@external
def addSupportedAsset(asset: address, _tokenConfig: TokenConfig):
    self._check_role(DEFAULT_ADMIN_ROLE)
    self._add_asset(asset, _tokenConfig, usde)
    log AssetAdded(asset=asset)


@internal
def _add_asset(asset: address, config: TokenConfig, issued: address):
    if self.assets[asset].isActive or asset == empty(address) or asset == issued:
        raw_revert(method_id("InvalidAssetAddress()"))
    if config.maxMintPerBlock == 0 or config.maxRedeemPerBlock == 0:
        raw_revert(method_id("InvalidAmount()"))
    assert config.tokenType <= 1
    self.assets[asset] = TokenConfig(
        tokenType=config.tokenType,
        isActive=True,
        maxMintPerBlock=config.maxMintPerBlock,
        maxRedeemPerBlock=config.maxRedeemPerBlock,
    )


@external
def removeSupportedAsset(asset: address):
    self._check_role(DEFAULT_ADMIN_ROLE)
    if not self.assets[asset].isActive:
        raw_revert(method_id("InvalidAssetAddress()"))
    self.assets[asset] = empty(TokenConfig)
    log AssetRemoved(asset=asset)


@external
@view
def isSupportedAsset(asset: address) -> bool:
    return self.assets[asset].isActive


@external
def setTokenType(asset: address, tokenType: uint8):
    assert tokenType <= 1
    self._check_role(DEFAULT_ADMIN_ROLE)
    if not self.assets[asset].isActive:
        raw_revert(method_id("UnsupportedAsset()"))
    self.assets[asset].tokenType = tokenType
    log TokenTypeSet(token=asset, tokenType=convert(tokenType, uint256))


@external
def setMaxMintPerBlock(_maxMintPerBlock: uint128, asset: address):
    self._check_role(DEFAULT_ADMIN_ROLE)
    before: uint128 = self.assets[asset].maxMintPerBlock
    self.assets[asset].maxMintPerBlock = _maxMintPerBlock
    log MaxMintPerBlockChanged(
        oldMaxMintPerBlock=convert(before, uint256),
        newMaxMintPerBlock=convert(_maxMintPerBlock, uint256),
        asset=asset,
    )


@external
def setMaxRedeemPerBlock(_maxRedeemPerBlock: uint128, asset: address):
    self._check_role(DEFAULT_ADMIN_ROLE)
    before: uint128 = self.assets[asset].maxRedeemPerBlock
    self.assets[asset].maxRedeemPerBlock = _maxRedeemPerBlock
    log MaxRedeemPerBlockChanged(
        oldMaxRedeemPerBlock=convert(before, uint256),
        newMaxRedeemPerBlock=convert(_maxRedeemPerBlock, uint256),
        asset=asset,
    )


# As in V2, nothing is logged below: who must know polls.
@external
def setGlobalMaxMintPerBlock(_globalMaxMintPerBlock: uint128):
    self._check_role(DEFAULT_ADMIN_ROLE)
    self.limits.globalMaxMintPerBlock = _globalMaxMintPerBlock


@external
def setGlobalMaxRedeemPerBlock(_globalMaxRedeemPerBlock: uint128):
    self._check_role(DEFAULT_ADMIN_ROLE)
    self.limits.globalMaxRedeemPerBlock = _globalMaxRedeemPerBlock


@external
def setStablesDeltaLimit(_stablesDeltaLimit: uint128):
    self._check_role(DEFAULT_ADMIN_ROLE)
    self.stablesDeltaLimit = _stablesDeltaLimit


@external
def disableMintRedeem():
    self._check_role(GATEKEEPER_ROLE)
    self.limits = empty(GlobalConfig)


@external
@view
def tokenConfig(asset: address) -> (uint8, bool, uint128, uint128):
    config: TokenConfig = self.assets[asset]
    return config.tokenType, config.isActive, config.maxMintPerBlock, config.maxRedeemPerBlock


@external
@view
def globalConfig() -> (uint128, uint128):
    return self.limits.globalMaxMintPerBlock, self.limits.globalMaxRedeemPerBlock


@external
@view
def totalPerBlock(number: uint256) -> (uint128, uint128):
    return self.totals[number].mintedPerBlock, self.totals[number].redeemedPerBlock


@external
@view
def totalPerBlockPerAsset(number: uint256, asset: address) -> (uint128, uint128):
    totals: BlockTotals = self.assetTotals[number][asset]
    return totals.mintedPerBlock, totals.redeemedPerBlock


# Roles: OpenZeppelin's AccessControl with a single admin, who hands over in two steps


@external
@view
def supportsInterface(interfaceId: bytes4) -> bool:
    return interfaceId == 0x7965db0b or interfaceId == 0x01ffc9a7


@external
@view
def hasRole(role: bytes32, account: address) -> bool:
    return self.roles[role][account]


@external
@view
def getRoleAdmin(role: bytes32) -> bytes32:
    return DEFAULT_ADMIN_ROLE


@external
@view
def owner() -> address:
    return self.admin


@external
def grantRole(role: bytes32, account: address):
    self._check_role(DEFAULT_ADMIN_ROLE)
    self._check_not_admin(role)
    self._grant(role, account)


@external
def revokeRole(role: bytes32, account: address):
    self._check_role(DEFAULT_ADMIN_ROLE)
    self._check_not_admin(role)
    self._revoke(role, account)


@external
def renounceRole(role: bytes32, account: address):
    self._check_not_admin(role)
    if account != msg.sender:
        raise "AccessControl: can only renounce roles for self"
    self._revoke(role, account)


@external
def transferAdmin(newAdmin: address):
    self._check_role(DEFAULT_ADMIN_ROLE)
    if newAdmin == msg.sender:
        raw_revert(method_id("InvalidAdminChange()"))
    self.pendingAdmin = newAdmin
    log AdminTransferRequested(oldAdmin=self.admin, newAdmin=newAdmin)


@external
def acceptAdmin():
    if msg.sender != self.pendingAdmin:
        raw_revert(method_id("NotPendingAdmin()"))
    self._grant(DEFAULT_ADMIN_ROLE, msg.sender)


@external
def removeMinterRole(minter: address):
    self._check_role(GATEKEEPER_ROLE)
    self._revoke(MINTER_ROLE, minter)


@external
def removeRedeemerRole(redeemer: address):
    self._check_role(GATEKEEPER_ROLE)
    self._revoke(REDEEMER_ROLE, redeemer)


@external
def removeCollateralManagerRole(collateralManager: address):
    self._check_role(GATEKEEPER_ROLE)
    self._revoke(COLLATERAL_MANAGER_ROLE, collateralManager)


@internal
def _grant(role: bytes32, account: address):
    if role == DEFAULT_ADMIN_ROLE:
        log AdminTransferred(oldAdmin=self.admin, newAdmin=account)
        self._revoke(DEFAULT_ADMIN_ROLE, self.admin)
        self.admin = account
        self.pendingAdmin = empty(address)
    if not self.roles[role][account]:
        self.roles[role][account] = True
        log RoleGranted(role=role, account=account, sender=msg.sender)


@internal
def _revoke(role: bytes32, account: address):
    if self.roles[role][account]:
        self.roles[role][account] = False
        log RoleRevoked(role=role, account=account, sender=msg.sender)


@internal
@pure
def _check_not_admin(role: bytes32):
    if role == DEFAULT_ADMIN_ROLE:
        raw_revert(method_id("InvalidAdminChange()"))


@internal
@view
def _check_role(role: bytes32):
    if self.roles[role][msg.sender]:
        return
    account: uint256 = convert(msg.sender, uint256)
    number: uint256 = convert(role, uint256)
    half: uint256 = convert(max_value(uint128), uint256)
    text: Bytes[148] = concat(
        b"AccessControl: account 0x",
        slice(self._hex(account >> 128), 24, 8),
        self._hex(account & half),
        b" is missing role 0x",
        self._hex(number >> 128),
        self._hex(number & half),
    )
    raw_revert(abi_encode(text, method_id=method_id("Error(string)")))


@internal
@pure
def _hex(number: uint256) -> bytes32:
    # 128 bits as 32 lower-case hex digits.
    text: uint256 = 0
    for place: uint256 in range(32):
        digit: uint256 = (number >> (4 * place)) & 15
        letter: uint256 = digit + 48 if digit < 10 else digit + 87
        text |= letter << (8 * place)
    return convert(text, bytes32)
