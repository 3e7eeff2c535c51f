"""Each nonce of a benefactor serves once, and only its low 64 bits count."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.contract.rig import Reverted
from tests.integration.contract.stage import BENEFACTOR, EIP1271, STRANGER, Stage, words

LOW = 1 << 64


def test_an_order_is_settled_once(stage: Stage):
    order = stage.order()
    stage.mint(order)
    with pytest.raises(Reverted, match="InvalidNonce"):
        stage.mint(order)
    stage.evm.move(number=stage.evm.number + 1)
    with pytest.raises(Reverted, match="InvalidNonce"):
        stage.mint(order, call="mint")


def test_a_redeem_cannot_use_a_mints_nonce_nor_another_order(stage: Stage):
    stage.mint(stage.order())
    for order in (stage.order(order_id="RFQ-2"), stage.order(usde_amount=1)):
        with pytest.raises(Reverted, match="InvalidNonce"):
            stage.mint(order)
    with pytest.raises(Reverted, match="InvalidNonce"):
        stage.redeem(stage.order(order_type="REDEEM"))


@pytest.mark.parametrize("high", [LOW, 5 * LOW, (2**56 - 1) * LOW])
def test_nonces_that_are_equal_in_their_low_64_bits_collide(stage: Stage, high: int):
    stage.mint(stage.order(nonce=7 + high))
    with pytest.raises(Reverted, match="InvalidNonce"):
        stage.mint(stage.order(nonce=7))


def test_a_nonce_whose_low_bits_are_zero_serves_once(stage: Stage):
    stage.mint(stage.order(nonce=LOW))
    with pytest.raises(Reverted, match="InvalidNonce"):
        stage.mint(stage.order(nonce=2 * LOW))


def test_nonces_of_two_benefactors_do_not_meet(stage: Stage):
    stage.mint(stage.order())
    wallet = stage.wallet.address
    other = stage.order(benefactor=wallet, beneficiary=wallet)
    stage.mint(other, signature=stage.signed(other, "benefactor", EIP1271))


def test_a_failed_mint_leaves_its_nonce_free(stage: Stage):
    order = stage.order()
    stage.dai.send(BENEFACTOR, "approve", stage.minting.address, 0)
    with pytest.raises(Reverted, match="insufficient allowance"):
        stage.mint(order)
    stage.dai.send(BENEFACTOR, "approve", stage.minting.address, 2**256 - 1)
    stage.mint(order)


@settings(derandomize=True, deadline=None, max_examples=150, database=None)
@given(nonce=st.integers(1, 2**128 - 1))
def test_the_slot_and_bit_of_a_nonce_are_those_of_its_low_64_bits(deployed: Stage, nonce: int):
    low = nonce % LOW
    assert deployed.minting.ask("verifyNonce", STRANGER, nonce) == (low >> 8, 0, 1 << (low & 255))


@settings(derandomize=True, deadline=None, max_examples=25, database=None)
@given(
    used=st.lists(st.integers(1, 2**120 - 1) | st.integers(1, 520), min_size=1, max_size=8, unique_by=lambda n: n % LOW)
)
def test_using_nonces_uses_up_just_those(deployed: Stage, used: list[int]):
    with deployed.rewound():
        for nonce in used:
            deployed.mint(deployed.order(nonce=nonce))
        for nonce in used:
            with pytest.raises(Reverted, match="InvalidNonce"):
                deployed.minting.ask("verifyNonce", BENEFACTOR, nonce)
        free = next(nonce for nonce in range(1, 600) if nonce not in {each % LOW for each in used})
        _, word, bit = deployed.minting.ask("verifyNonce", BENEFACTOR, free)
        assert word == sum(1 << (each % 256) for each in used if each % LOW >> 8 == free >> 8)
        assert word & bit == 0


def test_zero_is_no_nonce(stage: Stage):
    with pytest.raises(Reverted, match="InvalidNonce"):
        stage.minting.ask("verifyNonce", BENEFACTOR, 0)


def test_a_nonce_beyond_its_signed_width_still_verifies_by_its_word(stage: Stage):
    # It is signed as uint120 and decoded as uint128: the contract hashes the word that it got.
    order = stage.order(nonce=2**120)
    assert stage.minting.ask("verifyOrder", words(order), stage.signed(order))
