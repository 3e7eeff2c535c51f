"""Tokens, custodians and beneficiaries that call back, or lie about what they did."""

from typing import Any

import pytest

from tests.integration.contract.rig import Contract, Reverted
from tests.integration.contract.stage import (
    ADMIN,
    ASSET,
    BENEFACTOR,
    CAP,
    COPPER,
    MANAGER,
    NATIVE,
    UNIT,
    Stage,
    create_hostile,
    role,
    words,
)

GUARD = "Error: ReentrancyGuard: reentrant call"


@pytest.fixture
def hostile(stage: Stage) -> Contract:
    """Give a hostile contract that is an asset, a custodian, and holds every role that could help it."""
    made = create_hostile(stage.evm)
    stage.minting.send(ADMIN, "addSupportedAsset", made.address, (ASSET, True, CAP, CAP))
    stage.minting.send(ADMIN, "addCustodianAddress", made.address)
    for name in ("MINTER_ROLE", "REDEEMER_ROLE", "COLLATERAL_MANAGER_ROLE"):
        stage.minting.send(ADMIN, "grantRole", role(name), made.address)
    return made


def _calls(stage: Stage) -> dict[str, bytes]:
    """Return calls that would each go through if they were not made from inside another."""
    mint = stage.order(nonce=101)
    wrapped = stage.order(nonce=102, collateral_asset=stage.weth.address, collateral_amount=5)
    redeem = stage.order(nonce=103, order_type="REDEEM")
    route = ([COPPER], [10_000])
    return {
        "mint": stage.minting.data("mint", words(mint), route, stage.signed(mint)),
        "mintWETH": stage.minting.data("mintWETH", words(wrapped), route, stage.signed(wrapped)),
        "redeem": stage.minting.data("redeem", words(redeem), stage.signed(redeem)),
        "transferToCustody": stage.minting.data("transferToCustody", COPPER, stage.dai.address, 1),
    }


INNER = ("mint", "mintWETH", "redeem", "transferToCustody")


@pytest.mark.parametrize("inner", INNER)
def test_the_inner_call_goes_through_by_itself(stage: Stage, hostile: Contract, inner: str):
    stage.mint(stage.order(nonce=1))
    stage.evm.send(hostile.address, stage.minting.address, _calls(stage)[inner])


@pytest.mark.parametrize("inner", INNER)
def test_a_token_cannot_enter_again_while_it_is_pulled(stage: Stage, hostile: Contract, inner: str):
    stage.mint(stage.order(nonce=1))
    hostile.send(ADMIN, "arm", stage.minting.address, _calls(stage)[inner], True)
    with pytest.raises(Reverted) as told:
        stage.mint(stage.order(collateral_asset=hostile.address))
    assert told.value.reason == GUARD


@pytest.mark.parametrize("inner", INNER)
def test_a_token_cannot_enter_again_while_it_is_paid_out(stage: Stage, hostile: Contract, inner: str):
    stage.mint(stage.order(nonce=1))
    hostile.send(ADMIN, "arm", stage.minting.address, _calls(stage)[inner], True)
    with pytest.raises(Reverted) as told:
        stage.redeem(stage.order(order_type="REDEEM", collateral_asset=hostile.address))
    assert told.value.reason == GUARD
    with pytest.raises(Reverted) as told:
        stage.minting.send(MANAGER, "transferToCustody", COPPER, hostile.address, 1)
    assert told.value.reason == GUARD


@pytest.mark.parametrize("inner", INNER)
def test_ether_that_arrives_cannot_enter_again(stage: Stage, hostile: Contract, inner: str):
    """A failed payment is told as one; what the receiver tried is taken back with it."""
    stage.mint(stage.order(nonce=1))
    stage.evm.give(stage.minting.address, 10)
    stage.minting.send(BENEFACTOR, "setApprovedBeneficiary", hostile.address, True)
    hostile.send(ADMIN, "arm", stage.minting.address, _calls(stage)[inner], True)
    attempts: list[Any] = [
        lambda: stage.minting.send(MANAGER, "transferToCustody", hostile.address, NATIVE, 1),
        lambda: stage.redeem(
            stage.order(order_type="REDEEM", beneficiary=hostile.address, collateral_asset=NATIVE, collateral_amount=1)
        ),
        lambda: stage.mint(
            stage.order(collateral_asset=stage.weth.address, collateral_amount=5),
            call="mintWETH",
            route=([hostile.address], [10_000]),
        ),
    ]
    for attempt in attempts:
        with pytest.raises(Reverted) as told:
            attempt()
        assert told.value.reason == "TransferFailed"


def test_a_call_that_only_asks_may_come_from_inside(stage: Stage, hostile: Contract):
    ask = stage.minting.data("verifyNonce", BENEFACTOR, 7)
    hostile.send(ADMIN, "arm", stage.minting.address, ask, True)
    with pytest.raises(Reverted, match="InvalidNonce"):  # it is used up before anything is pulled
        stage.mint(stage.order(collateral_asset=hostile.address))


def test_a_token_that_answers_no_fails_what_moves_it(stage: Stage, hostile: Contract):
    hostile.send(ADMIN, "arm", "0x" + 40 * "0", b"", False)
    failed = "Error: SafeERC20: ERC20 operation did not succeed"
    stage.mint(stage.order(nonce=1))
    for attempt in (
        lambda: stage.mint(stage.order(collateral_asset=hostile.address)),
        lambda: stage.redeem(stage.order(order_type="REDEEM", collateral_asset=hostile.address)),
        lambda: stage.minting.send(MANAGER, "transferToCustody", COPPER, hostile.address, 1),
    ):
        with pytest.raises(Reverted) as told:
            attempt()
        assert told.value.reason == failed
    assert stage.usde.ask("totalSupply") == 100 * UNIT


def test_the_guard_is_open_again_after_each_call_of_a_transaction(stage: Stage):
    with stage.evm.one_transaction():
        for nonce in (1, 2):
            stage.mint(stage.order(nonce=nonce))
        for nonce in (3, 4):
            order = stage.order(nonce=nonce, collateral_asset=stage.weth.address, collateral_amount=5)
            stage.mint(order, call="mintWETH")
        for _ in range(2):
            stage.minting.send(MANAGER, "transferToCustody", COPPER, stage.dai.address, 1)
        for nonce in (5, 6):
            stage.redeem(stage.order(nonce=nonce, order_type="REDEEM"))
