"""Caps a block, by one atom on each side, and the limit on the price of stable collateral, on both sides."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.chain.signature import SignedOrder
from tests.integration.contract.rig import Outcome, Reverted
from tests.integration.contract.stage import ADMIN, CAP, CAP_OF_ALL, GATEKEEPER, UNIT, Stage

SIDES = ("MINT", "REDEEM")
MINT, REDEEM = 0, 1
AMOUNTS = st.integers(1, 2**90)


def _settle(stage: Stage, order: SignedOrder) -> Outcome:
    return stage.mint(order) if order.order_type == "MINT" else stage.redeem(order)


def _stocked(stage: Stage) -> None:
    """Give the benefactor dollars to redeem, in a block of their own each."""
    for nonce in range(1_000, 1_004):
        stage.mint(_order(stage, "MINT", CAP, nonce))
        stage.evm.move(number=stage.evm.number + 1)


def _order(stage: Stage, side: str, amount: int, nonce: int, asset: str = "") -> SignedOrder:
    terms: dict[str, Any] = {"order_type": side, "nonce": nonce, "usde_amount": amount, "collateral_amount": amount}
    return stage.order(**terms, collateral_asset=asset or stage.dai.address)


@pytest.mark.parametrize("side", SIDES)
def test_the_cap_of_an_asset_holds_to_the_atom_and_ends_with_the_block(stage: Stage, side: str):
    _stocked(stage)
    _settle(stage, _order(stage, side, CAP - 1, 1))
    with pytest.raises(Reverted, match=f"^Max{side.title()}PerBlockExceeded"):
        _settle(stage, _order(stage, side, 2, 2))
    _settle(stage, _order(stage, side, 1, 3))
    with pytest.raises(Reverted, match=f"^Max{side.title()}PerBlockExceeded"):
        _settle(stage, _order(stage, side, 1, 4))
    stage.evm.move(number=stage.evm.number + 1)
    _settle(stage, _order(stage, side, CAP, 4))


@pytest.mark.parametrize("side", SIDES)
def test_the_cap_of_all_assets_holds_to_the_atom(stage: Stage, side: str):
    _stocked(stage)
    _settle(stage, _order(stage, side, CAP, 1))
    rest, other = CAP_OF_ALL - CAP, stage.wbtc.address
    with pytest.raises(Reverted, match=f"GlobalMax{side.title()}PerBlockExceeded"):
        _settle(stage, _order(stage, side, rest + 1, 2, other))
    _settle(stage, _order(stage, side, rest, 3, other))
    with pytest.raises(Reverted, match=f"GlobalMax{side.title()}PerBlockExceeded"):
        _settle(stage, _order(stage, side, 1, 4, other))
    number = stage.evm.number
    of_all, of_asset = (CAP_OF_ALL, 0), (rest, 0)
    if side == "REDEEM":
        of_all, of_asset = of_all[::-1], of_asset[::-1]
    assert stage.minting.ask("totalPerBlock", number) == of_all
    assert stage.minting.ask("totalPerBlockPerAsset", number, other) == of_asset


def test_a_total_that_overflows_panics(stage: Stage):
    most = 2**128 - 1
    stage.mint(_order(stage, "MINT", UNIT, 1))
    stage.minting.send(ADMIN, "setMaxMintPerBlock", most, stage.dai.address)
    with pytest.raises(Reverted, match="Panic: 17"):
        stage.mint(_order(stage, "MINT", most - UNIT + 1, 2))
    with pytest.raises(Reverted, match="GlobalMaxMintPerBlockExceeded"):  # the most that a total holds is no overflow
        stage.mint(_order(stage, "MINT", most - UNIT, 2))


def test_caps_are_changed_with_a_word_and_caps_of_all_without(stage: Stage):
    asset = stage.dai.address
    for side in ("Mint", "Redeem"):
        outcome = stage.minting.send(ADMIN, f"setMax{side}PerBlock", 5, asset)
        before, after = f"oldMax{side}PerBlock", f"newMax{side}PerBlock"
        told = {before: CAP, after: 5, "asset": asset}
        assert stage.minting.events(outcome) == [(f"Max{side}PerBlockChanged", told)]
        assert stage.minting.send(ADMIN, f"setGlobalMax{side}PerBlock", 7).logs == ()
    assert stage.minting.ask("tokenConfig", asset)[2:] == (5, 5)
    assert stage.minting.ask("globalConfig") == (7, 7)


@pytest.mark.parametrize("side", SIDES)
def test_the_gatekeeper_stops_both_sides_without_a_word(stage: Stage, side: str):
    _stocked(stage)
    assert stage.minting.send(GATEKEEPER, "disableMintRedeem").logs == ()
    assert stage.minting.ask("globalConfig") == (0, 0)
    with pytest.raises(Reverted, match=f"GlobalMax{side.title()}PerBlockExceeded"):
        _settle(stage, _order(stage, side, 1, 1))
    stage.minting.send(ADMIN, f"setGlobalMax{side.title()}PerBlock", 1)
    _settle(stage, _order(stage, side, 1, 1))


# The price of stable collateral


def _near(collateral: int, issued: int, limit_bps: int, side: int) -> bool:
    """Say whether stable collateral (18 decimals) is near enough: only the side that costs the contract is limited."""
    against = issued > collateral if side == MINT else collateral > issued
    return not against or abs(collateral - issued) * 10_000 // issued <= limit_bps


@settings(derandomize=True, deadline=None, max_examples=200, database=None)
@given(issued=AMOUNTS, bps=st.integers(-700, 700), off=st.integers(-2, 2), limit=st.integers(0, 600), data=st.data())
def test_stable_collateral_is_near_enough_as_the_model_says(
    deployed: Stage, issued: int, bps: int, off: int, limit: int, data: st.DataObject
):
    side = data.draw(st.sampled_from([MINT, REDEEM]))
    collateral = max(0, issued * (10_000 + bps) // 10_000 + off)
    with deployed.rewound():
        deployed.minting.send(ADMIN, "setStablesDeltaLimit", limit)
        found = deployed.minting.ask("verifyStablesLimit", collateral, issued, deployed.dai.address, side)
    assert found is _near(collateral, issued, limit, side)


@settings(derandomize=True, deadline=None, max_examples=60, database=None)
@given(units=st.integers(1, 10**15), off=st.integers(-3, 3), side=st.sampled_from([MINT, REDEEM]))
def test_collateral_of_six_decimals_is_scaled_up_first(deployed: Stage, units: int, off: int, side: int):
    issued = units * 10**12 + off
    found = deployed.minting.ask("verifyStablesLimit", units, issued, deployed.usdt.address, side)
    assert found is _near(units * 10**12, issued, 0, side)


@pytest.mark.parametrize("limit", [0, 1, 10, 50])
def test_a_mint_and_a_redeem_are_refused_just_beyond_the_limit(stage: Stage, limit: int):
    stage.minting.send(ADMIN, "setStablesDeltaLimit", limit)
    whole = 10_000 * UNIT
    stage.mint(stage.order(usde_amount=whole, collateral_amount=whole))
    step = UNIT  # of 10,000: a basis point
    for side, sign in (("MINT", -1), ("REDEEM", 1)):
        beyond = whole + sign * (limit + 1) * step
        order = stage.order(order_type=side, nonce=8, usde_amount=whole, collateral_amount=beyond)
        with pytest.raises(Reverted, match="InvalidStablePrice"):
            _settle(stage, order)
        at = stage.order(order_type=side, nonce=8, usde_amount=whole, collateral_amount=beyond - sign)
        with stage.rewound():  # an atom nearer, the basis points are floored to the limit
            _settle(stage, at)


def test_what_favours_the_contract_is_never_limited(stage: Stage):
    stage.mint(stage.order(collateral_amount=250 * UNIT))
    stage.redeem(stage.order(order_type="REDEEM", nonce=8, collateral_amount=1))


def test_only_stable_collateral_is_limited(stage: Stage):
    stage.mint(stage.order(collateral_asset=stage.wbtc.address, collateral_amount=1))
    stage.minting.send(ADMIN, "setTokenType", stage.wbtc.address, 0)
    with pytest.raises(Reverted, match="InvalidStablePrice"):
        stage.mint(stage.order(collateral_asset=stage.wbtc.address, collateral_amount=1, nonce=8))


def test_no_dollars_of_stable_collateral_panic_as_a_division_by_zero(stage: Stage):
    with pytest.raises(Reverted, match="Panic: 18"):
        stage.mint(stage.order(usde_amount=0))
    with pytest.raises(Reverted, match="InvalidAmount"):
        stage.mint(stage.order(usde_amount=0, collateral_asset=stage.wbtc.address))


def test_a_scale_that_overflows_panics(stage: Stage):
    with pytest.raises(Reverted, match="Panic: 17"):
        stage.minting.ask("verifyStablesLimit", 2**128 - 1, 1, stage.usdt.address, MINT)


def test_a_difference_that_overflows_in_basis_points_panics(stage: Stage):
    widest = (2**128 - 1) // 10_000
    assert stage.minting.ask("verifyStablesLimit", widest + 1, 1, stage.dai.address, MINT) is True
    with pytest.raises(Reverted, match="Panic: 17"):
        stage.minting.ask("verifyStablesLimit", widest + 2, 1, stage.dai.address, MINT)
