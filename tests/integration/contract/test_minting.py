"""What a mint and a redeem move and tell: tokens of every habit, wrapped and plain ether."""

import pytest
from eth_hash.auto import keccak

from tests.integration.contract.rig import Contract, Reverted
from tests.integration.contract.stage import (
    ADMIN,
    BENEFACTOR,
    BENEFICIARY,
    CEFFU,
    COPPER,
    NATIVE,
    SETTLER,
    STABLE,
    UNIT,
    Stage,
)


def test_a_mint_takes_collateral_to_the_custodians_and_issues(stage: Stage):
    outcome = stage.mint(stage.order(), route=([COPPER, CEFFU], [2_500, 7_500]))
    assert stage.holdings(stage.dai, COPPER, CEFFU) == (25 * UNIT, 75 * UNIT)
    assert stage.usde.ask("balanceOf", BENEFACTOR) == 100 * UNIT == stage.usde.ask("totalSupply")
    assert stage.minting.events(outcome) == [
        (
            "Mint",
            {
                "order_id": keccak(b"RFQ-1"),
                "benefactor": BENEFACTOR,
                "beneficiary": BENEFACTOR,
                "minter": SETTLER,
                "collateral_asset": stage.dai.address,
                "collateral_amount": 100 * UNIT,
                "usde_amount": 100 * UNIT,
            },
        )
    ]


def test_a_redeem_burns_and_pays_from_the_contracts_own_balance(stage: Stage):
    stage.mint(stage.order())
    stage.minting.send(BENEFACTOR, "setApprovedBeneficiary", BENEFICIARY, True)
    held = stage.dai.ask("balanceOf", stage.minting.address)
    order = stage.order(
        order_id="RFQ-2",
        order_type="REDEEM",
        nonce=8,
        beneficiary=BENEFICIARY,
        usde_amount=60 * UNIT,
        collateral_amount=60 * UNIT,
    )
    outcome = stage.redeem(order)
    assert stage.usde.ask("balanceOf", BENEFACTOR) == 40 * UNIT == stage.usde.ask("totalSupply")
    assert stage.holdings(stage.dai, BENEFICIARY, stage.minting.address) == (60 * UNIT, held - 60 * UNIT)
    [(name, told)] = stage.minting.events(outcome)
    assert (name, told["order_id"], told["redeemer"]) == ("Redeem", keccak(b"RFQ-2"), SETTLER)
    assert (told["benefactor"], told["beneficiary"]) == (BENEFACTOR, BENEFICIARY)
    assert (told["collateral_amount"], told["usde_amount"]) == (60 * UNIT, 60 * UNIT)


@pytest.mark.parametrize("token", ["usdt", "usdc"])
def test_a_token_is_moved_whether_it_answers_or_not(stage: Stage, token: str):
    collateral: Contract = getattr(stage, token)
    terms = {"collateral_asset": collateral.address, "collateral_amount": 100 * 10**6}
    stage.mint(stage.order(**terms))
    assert collateral.ask("balanceOf", COPPER) == 100 * 10**6
    before = collateral.ask("balanceOf", BENEFACTOR)
    stage.redeem(stage.order(**terms, order_type="REDEEM", nonce=8))
    assert collateral.ask("balanceOf", BENEFACTOR) == before + 100 * 10**6


def test_a_token_that_fails_without_a_word_fails_the_mint(stage: Stage):
    stage.usdt.send(ADMIN, "addBlackList", BENEFACTOR)
    with pytest.raises(Reverted) as told:
        stage.mint(stage.order(collateral_asset=stage.usdt.address, collateral_amount=100 * 10**6))
    assert told.value.reason == ""


def test_an_account_that_is_frozen_fails_the_mint_and_uses_up_nothing(stage: Stage):
    stage.usdc.send(ADMIN, "setFrozen", BENEFACTOR, True)
    order = stage.order(collateral_asset=stage.usdc.address, collateral_amount=100 * 10**6)
    with pytest.raises(Reverted, match="account is frozen"):
        stage.mint(order)
    assert stage.minting.ask("totalPerBlock", stage.evm.number) == (0, 0)
    stage.usdc.send(ADMIN, "setFrozen", BENEFACTOR, False)
    stage.mint(order)


@pytest.mark.parametrize("missing", ["balance", "allowance"])
def test_a_redeem_needs_the_dollars_and_the_leave_to_burn_them(stage: Stage, missing: str):
    stage.mint(stage.order())
    if missing == "balance":
        stage.usde.send(BENEFACTOR, "transfer", BENEFICIARY, 1)
    else:
        stage.usde.send(BENEFACTOR, "approve", stage.minting.address, 100 * UNIT - 1)
    with pytest.raises(Reverted) as told:
        stage.redeem(stage.order(order_type="REDEEM", nonce=8))
    wanted = {"balance": "burn amount exceeds balance", "allowance": "insufficient allowance"}
    assert told.value.reason == f"Error: ERC20: {wanted[missing]}"


def test_a_redeem_beyond_the_hot_balance_fails(stage: Stage):
    stage.mint(stage.order())
    drained = stage.dai.ask("balanceOf", stage.minting.address) - 100 * UNIT + 1
    stage.minting.send(ADMIN, "grantRole", keccak(b"COLLATERAL_MANAGER_ROLE"), ADMIN)
    stage.minting.send(ADMIN, "transferToCustody", COPPER, stage.dai.address, drained)
    with pytest.raises(Reverted, match="transfer amount exceeds balance"):
        stage.redeem(stage.order(order_type="REDEEM", nonce=8))


def test_only_the_minting_contract_issues(stage: Stage):
    with pytest.raises(Reverted, match="OnlyMinter"):
        stage.usde.send(SETTLER, "mint", SETTLER, 1)


# Ether


def test_wrapped_ether_is_minted_from_as_a_token_or_sent_on_as_ether(stage: Stage):
    order = stage.order(collateral_asset=stage.weth.address, collateral_amount=3)
    stage.mint(order, route=([COPPER, CEFFU], [5_000, 5_000]))
    assert stage.holdings(stage.weth, COPPER, CEFFU) == (1, 2)
    other = stage.order(collateral_asset=stage.weth.address, collateral_amount=3, nonce=8)
    outcome = stage.mint(other, call="mintWETH", route=([COPPER, CEFFU], [5_000, 5_000]))
    assert (stage.evm.balance(COPPER), stage.evm.balance(CEFFU)) == (1, 2)
    assert [name for name, _ in stage.minting.events(outcome)] == ["Received", "Mint"]
    assert stage.usde.ask("balanceOf", BENEFACTOR) == 200 * UNIT


def test_only_wrapped_ether_is_unwrapped(stage: Stage):
    with pytest.raises(Reverted, match="UnsupportedAsset"):
        stage.mint(stage.order(), call="mintWETH")


def test_a_custodian_that_takes_no_ether_fails_the_mint(stage: Stage):
    stage.minting.send(ADMIN, "addCustodianAddress", stage.dai.address)
    order = stage.order(collateral_asset=stage.weth.address, collateral_amount=3)
    with pytest.raises(Reverted, match="TransferFailed"):
        stage.mint(order, call="mintWETH", route=([stage.dai.address], [10_000]))


def test_plain_ether_is_redeemed_but_never_minted_from(stage: Stage):
    with pytest.raises(Reverted, match="UnsupportedAsset"):
        stage.mint(stage.order(collateral_asset=NATIVE, collateral_amount=1))
    stage.mint(stage.order())
    stage.minting.send(BENEFACTOR, "setApprovedBeneficiary", BENEFICIARY, True)
    order = stage.order(
        order_type="REDEEM", nonce=8, beneficiary=BENEFICIARY, collateral_asset=NATIVE, collateral_amount=2
    )
    stage.evm.give(stage.minting.address, 1)
    with pytest.raises(Reverted, match="InvalidAmount"):
        stage.redeem(order)
    stage.evm.give(stage.minting.address, 2)
    stage.redeem(order)
    assert (stage.evm.balance(BENEFICIARY), stage.evm.balance(stage.minting.address)) == (2, 0)


def test_a_beneficiary_that_takes_no_ether_fails_the_redeem(stage: Stage):
    stage.mint(stage.order())
    stage.evm.give(stage.minting.address, 5)
    stage.minting.send(BENEFACTOR, "setApprovedBeneficiary", stage.usdc.address, True)
    order = stage.order(
        order_type="REDEEM", nonce=8, beneficiary=stage.usdc.address, collateral_asset=NATIVE, collateral_amount=2
    )
    with pytest.raises(Reverted, match="TransferFailed"):
        stage.redeem(order)


def test_ether_that_arrives_is_told_and_calls_to_nothing_fail(stage: Stage):
    outcome = stage.evm.send(BENEFACTOR, stage.minting.address, b"", 5)
    assert stage.minting.events(outcome) == [("Received", {"sender": BENEFACTOR, "amount": 5})]
    with pytest.raises(Reverted) as told:
        stage.evm.send(BENEFACTOR, stage.minting.address, b"\x00\x01\x02\x03")
    assert told.value.reason == ""


# The habits of the tokens


def test_an_allowance_of_the_usdt_like_token_is_reset_before_it_is_changed(stage: Stage):
    stage.usdt.send(BENEFACTOR, "approve", COPPER, 5)
    with pytest.raises(Reverted):
        stage.usdt.send(BENEFACTOR, "approve", COPPER, 6)
    stage.usdt.send(BENEFACTOR, "approve", COPPER, 0)
    assert stage.usdt.send(BENEFACTOR, "approve", COPPER, 6).output == b""
    assert stage.usdt.ask("allowance", BENEFACTOR, COPPER) == 6
    assert stage.usdt.send(COPPER, "transferFrom", BENEFACTOR, CEFFU, 6).output == b""
    assert stage.usdt.ask("allowance", BENEFACTOR, COPPER) == 0


def test_wrapped_ether_comes_back_as_ether(stage: Stage):
    before = stage.evm.balance(BENEFACTOR)
    stage.weth.send(BENEFACTOR, "withdraw", 7)
    assert stage.evm.balance(BENEFACTOR) == before + 7
    assert stage.weth.ask("totalSupply") == 500 * UNIT - 7


def test_a_new_asset_needs_caps_and_starts_by_its_type(stage: Stage):
    minting, asset = stage.minting, stage.dai.address
    minting.send(ADMIN, "removeSupportedAsset", asset)
    assert minting.ask("tokenConfig", asset) == (0, False, 0, 0)
    minting.send(ADMIN, "addSupportedAsset", asset, (STABLE, False, UNIT, UNIT))
    assert minting.ask("tokenConfig", asset) == (STABLE, True, UNIT, UNIT)
