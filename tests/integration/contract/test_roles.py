"""Who may do what: roles, the single admin, custodians and assets, custody, and how the contract is made."""

from typing import Any

import pytest

from tests.integration.contract.rig import Reverted
from tests.integration.contract.stage import (
    ADMIN,
    ASSET,
    BENEFACTOR,
    CEFFU,
    COPPER,
    GATEKEEPER,
    MANAGER,
    NATIVE,
    SETTLER,
    STABLE,
    STRANGER,
    UNIT,
    ZERO,
    Stage,
    role,
)

MINTER, REDEEMER, GATEKEEPING = role("MINTER_ROLE"), role("REDEEMER_ROLE"), role("GATEKEEPER_ROLE")
MANAGING, ADMINISTRATION = role("COLLATERAL_MANAGER_ROLE"), role("DEFAULT_ADMIN_ROLE")
CALLS: dict[str, tuple[bytes, tuple[Any, ...]]] = {
    "setGlobalMaxMintPerBlock": (ADMINISTRATION, (1,)),
    "setGlobalMaxRedeemPerBlock": (ADMINISTRATION, (1,)),
    "setMaxMintPerBlock": (ADMINISTRATION, (1, COPPER)),
    "setMaxRedeemPerBlock": (ADMINISTRATION, (1, COPPER)),
    "setStablesDeltaLimit": (ADMINISTRATION, (1,)),
    "setTokenType": (ADMINISTRATION, (COPPER, 1)),
    "addSupportedAsset": (ADMINISTRATION, (COPPER, (0, True, 1, 1))),
    "removeSupportedAsset": (ADMINISTRATION, (COPPER,)),
    "addCustodianAddress": (ADMINISTRATION, (STRANGER,)),
    "removeCustodianAddress": (ADMINISTRATION, (COPPER,)),
    "addWhitelistedBenefactor": (ADMINISTRATION, (STRANGER,)),
    "removeWhitelistedBenefactor": (ADMINISTRATION, (BENEFACTOR,)),
    "grantRole": (ADMINISTRATION, (MINTER, STRANGER)),
    "revokeRole": (ADMINISTRATION, (MINTER, SETTLER)),
    "transferAdmin": (ADMINISTRATION, (STRANGER,)),
    "disableMintRedeem": (GATEKEEPING, ()),
    "removeMinterRole": (GATEKEEPING, (SETTLER,)),
    "removeRedeemerRole": (GATEKEEPING, (SETTLER,)),
    "removeCollateralManagerRole": (GATEKEEPING, (MANAGER,)),
    "transferToCustody": (MANAGING, (COPPER, NATIVE, 0)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_of_a_role_is_refused_to_everyone_else(stage: Stage, name: str):
    wanted, values = CALLS[name]
    holder = {ADMINISTRATION: ADMIN, GATEKEEPING: GATEKEEPER, MANAGING: MANAGER}[wanted]
    for sender in {ADMIN, GATEKEEPER, MANAGER, SETTLER, STRANGER} - {holder}:
        with pytest.raises(Reverted) as told:
            stage.minting.send(sender, name, *values)
        assert told.value.reason == f"Error: AccessControl: account {sender} is missing role 0x{wanted.hex()}"


@pytest.mark.parametrize(
    ("call", "taken"),
    [("removeMinterRole", MINTER), ("removeRedeemerRole", REDEEMER), ("removeCollateralManagerRole", MANAGING)],
)
def test_the_gatekeeper_takes_roles_away(stage: Stage, call: str, taken: bytes):
    holder = MANAGER if taken == MANAGING else SETTLER
    outcome = stage.minting.send(GATEKEEPER, call, holder)
    told = {"role": taken, "account": holder, "sender": GATEKEEPER}
    assert stage.minting.events(outcome) == [("RoleRevoked", told)]
    assert stage.minting.ask("hasRole", taken, holder) is False
    assert stage.minting.send(GATEKEEPER, call, holder).logs == ()


def test_a_minter_without_his_role_mints_no_more(stage: Stage):
    stage.minting.send(GATEKEEPER, "removeMinterRole", SETTLER)
    with pytest.raises(Reverted, match="is missing role"):
        stage.mint(stage.order())


def test_roles_are_granted_and_revoked_once_each(stage: Stage):
    minting = stage.minting
    told = {"role": MINTER, "account": STRANGER, "sender": ADMIN}
    assert minting.events(minting.send(ADMIN, "grantRole", MINTER, STRANGER)) == [("RoleGranted", told)]
    assert minting.send(ADMIN, "grantRole", MINTER, STRANGER).logs == ()
    assert minting.events(minting.send(ADMIN, "revokeRole", MINTER, STRANGER)) == [("RoleRevoked", told)]
    assert minting.send(ADMIN, "revokeRole", MINTER, STRANGER).logs == ()
    assert minting.ask("getRoleAdmin", MINTER) == ADMINISTRATION == minting.ask("DEFAULT_ADMIN_ROLE")


def test_a_role_is_renounced_by_its_holder_alone(stage: Stage):
    minting = stage.minting
    with pytest.raises(Reverted, match="can only renounce roles for self"):
        minting.send(STRANGER, "renounceRole", MINTER, SETTLER)
    minting.send(SETTLER, "renounceRole", MINTER, SETTLER)
    assert minting.ask("hasRole", MINTER, SETTLER) is False


@pytest.mark.parametrize("call", ["grantRole", "revokeRole", "renounceRole"])
def test_the_admins_role_changes_hands_in_no_other_way(stage: Stage, call: str):
    with pytest.raises(Reverted, match="InvalidAdminChange"):
        stage.minting.send(ADMIN, call, ADMINISTRATION, ADMIN)


def test_the_admin_hands_over_in_two_steps(stage: Stage):
    minting = stage.minting
    with pytest.raises(Reverted, match="InvalidAdminChange"):
        minting.send(ADMIN, "transferAdmin", ADMIN)
    with pytest.raises(Reverted, match="NotPendingAdmin"):
        minting.send(STRANGER, "acceptAdmin")
    pair = {"oldAdmin": ADMIN, "newAdmin": STRANGER}
    outcome = minting.send(ADMIN, "transferAdmin", STRANGER)
    assert minting.events(outcome) == [("AdminTransferRequested", pair)]
    assert minting.ask("owner") == ADMIN
    with pytest.raises(Reverted, match="NotPendingAdmin"):
        minting.send(BENEFACTOR, "acceptAdmin")
    assert [name for name, _ in minting.events(minting.send(STRANGER, "acceptAdmin"))] == [
        "AdminTransferred",
        "RoleRevoked",
        "RoleGranted",
    ]
    assert minting.ask("owner") == STRANGER
    assert minting.ask("hasRole", ADMINISTRATION, ADMIN) is False
    with pytest.raises(Reverted, match="NotPendingAdmin"):
        minting.send(STRANGER, "acceptAdmin")


def test_the_interfaces_that_it_has_are_named(stage: Stage):
    known = {"7965db0b": True, "01ffc9a7": True, "ffffffff": False, "36372b07": False}
    found = {each: stage.minting.ask("supportsInterface", bytes.fromhex(each)) for each in known}
    assert found == known


# Custodians, benefactors, assets


def test_custodians_come_and_go_once(stage: Stage):
    minting = stage.minting
    for custodian in (ZERO, stage.usde.address, COPPER):
        with pytest.raises(Reverted, match="InvalidCustodianAddress"):
            minting.send(ADMIN, "addCustodianAddress", custodian)
    with pytest.raises(Reverted, match="InvalidCustodianAddress"):
        minting.send(ADMIN, "removeCustodianAddress", STRANGER)
    outcome = minting.send(ADMIN, "addCustodianAddress", STRANGER)
    assert minting.events(outcome) == [("CustodianAddressAdded", {"custodian": STRANGER})]
    assert minting.ask("isCustodianAddress", STRANGER) is True
    outcome = minting.send(ADMIN, "removeCustodianAddress", STRANGER)
    assert minting.events(outcome) == [("CustodianAddressRemoved", {"custodian": STRANGER})]
    assert minting.ask("isCustodianAddress", STRANGER) is False


def test_benefactors_come_and_go_once(stage: Stage):
    for benefactor in (ZERO, BENEFACTOR):
        with pytest.raises(Reverted, match="InvalidBenefactorAddress"):
            stage.minting.send(ADMIN, "addWhitelistedBenefactor", benefactor)
    with pytest.raises(Reverted, match="InvalidAddress"):
        stage.minting.send(ADMIN, "removeWhitelistedBenefactor", STRANGER)


def test_assets_come_and_go_once(stage: Stage):
    minting, config = stage.minting, (ASSET, False, 1, 2)
    for asset in (ZERO, stage.usde.address, stage.dai.address):
        with pytest.raises(Reverted, match="InvalidAssetAddress"):
            minting.send(ADMIN, "addSupportedAsset", asset, config)
    for empty in ((STABLE, True, 0, 1), (STABLE, True, 1, 0)):
        with pytest.raises(Reverted, match="InvalidAmount"):
            minting.send(ADMIN, "addSupportedAsset", STRANGER, empty)
    with pytest.raises(Reverted, match="InvalidAssetAddress"):
        minting.send(ADMIN, "removeSupportedAsset", STRANGER)
    outcome = minting.send(ADMIN, "addSupportedAsset", STRANGER, config)
    assert minting.events(outcome) == [("AssetAdded", {"asset": STRANGER})]
    assert minting.ask("isSupportedAsset", STRANGER) is True
    assert minting.ask("tokenConfig", STRANGER) == (ASSET, True, 1, 2)
    outcome = minting.send(ADMIN, "removeSupportedAsset", STRANGER)
    assert minting.events(outcome) == [("AssetRemoved", {"asset": STRANGER})]
    assert minting.ask("isSupportedAsset", STRANGER) is False


def test_the_type_of_a_token_is_one_of_two(stage: Stage):
    minting, asset = stage.minting, stage.dai.address
    outcome = minting.send(ADMIN, "setTokenType", asset, ASSET)
    assert minting.events(outcome) == [("TokenTypeSet", {"token": asset, "tokenType": ASSET})]
    with pytest.raises(Reverted, match="UnsupportedAsset"):
        minting.send(ADMIN, "setTokenType", STRANGER, ASSET)
    with pytest.raises(Reverted) as told:
        minting.send(ADMIN, "setTokenType", asset, 2)
    assert told.value.reason == ""


# Custody


def test_collateral_is_moved_to_custodians_alone(stage: Stage):
    minting = stage.minting
    for wallet in (ZERO, STRANGER):
        with pytest.raises(Reverted, match="InvalidAddress"):
            minting.send(MANAGER, "transferToCustody", wallet, stage.dai.address, 1)
    outcome = minting.send(MANAGER, "transferToCustody", CEFFU, stage.usdt.address, 5)
    told = {"wallet": CEFFU, "asset": stage.usdt.address, "amount": 5}
    assert minting.events(outcome) == [("CustodyTransfer", told)]
    assert stage.usdt.ask("balanceOf", CEFFU) == 5


def test_ether_is_moved_to_custodians_too(stage: Stage):
    minting = stage.minting
    with pytest.raises(Reverted, match="TransferFailed"):
        minting.send(MANAGER, "transferToCustody", CEFFU, NATIVE, 1)
    stage.evm.give(minting.address, 3)
    minting.send(MANAGER, "transferToCustody", CEFFU, NATIVE, 2)
    assert (stage.evm.balance(CEFFU), stage.evm.balance(minting.address)) == (2, 1)


def test_more_than_there_is_is_not_moved(stage: Stage):
    with pytest.raises(Reverted, match="transfer amount exceeds balance"):
        stage.minting.send(MANAGER, "transferToCustody", CEFFU, stage.usdc.address, 10_000_000 * UNIT + 1)


# The constructor


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no dollar": ({"usde": ZERO}, "InvalidUSDeAddress"),
    "no wrapped ether": ({"weth": ZERO}, "InvalidZeroAddress"),
    "no configurations": ({"configs": []}, "NoAssetsProvided"),
    "no assets": ({"assets": []}, "NoAssetsProvided"),
    "no admin": ({"admin": ZERO}, "InvalidZeroAddress"),
    "fewer assets than configurations": ({"assets": [COPPER]}, "InvalidAssetAddress"),
    "a custodian twice": ({"custodians": [COPPER, COPPER]}, "InvalidCustodianAddress"),
    "a custodian that is nobody": ({"custodians": [ZERO]}, "InvalidCustodianAddress"),
    "an asset twice": ({"assets": [COPPER] * 2, "configs": [(0, True, 1, 1)] * 2}, "InvalidAssetAddress"),
    "an asset that is nobody": ({"assets": [ZERO], "configs": [(0, True, 1, 1)]}, "InvalidAssetAddress"),
    "an asset without a cap": ({"assets": [COPPER], "configs": [(0, True, 0, 1)]}, "InvalidAmount"),
}


@pytest.mark.parametrize("flaw", BROKEN)
def test_a_contract_that_would_be_broken_is_not_made(stage: Stage, flaw: str):
    changed, wanted = BROKEN[flaw]
    with pytest.raises(Reverted) as told:
        stage.deploy(**changed)
    assert told.value.reason == wanted


def test_whoever_deploys_keeps_nothing(stage: Stage):
    minting = stage.deploy()
    assert minting.ask("owner") == ADMIN
    assert minting.ask("hasRole", ADMINISTRATION, STRANGER) is False
    assert stage.deploy(admin=STRANGER).ask("owner") == STRANGER
    assert minting.ask("stablesDeltaLimit") == 0
    assert minting.ask("usde") == stage.usde.address


def test_the_dollar_is_no_custodian_nor_collateral(stage: Stage):
    dollar = stage.usde.address
    with pytest.raises(Reverted, match="InvalidCustodianAddress"):
        stage.deploy(custodians=[dollar])
    with pytest.raises(Reverted, match="InvalidAssetAddress"):
        stage.deploy(assets=[dollar], configs=[(0, True, 1, 1)])
