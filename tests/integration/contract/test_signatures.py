"""Whose signature counts: the benefactor's own, an accepted delegate's, a contract wallet's; and in which form."""

import secrets
from typing import Any

import pytest

from adapters.chain.signature import CURVE_ORDER, S_MAX, OrderVerifier, Recovered
from tests.integration.contract.rig import Reverted
from tests.integration.contract.stage import (
    ADMIN,
    BENEFACTOR,
    BENEFICIARY,
    COPPER,
    DELEGATE,
    EIP712,
    EIP1271,
    SETTLER,
    STRANGER,
    UNIT,
    Stage,
    words,
)

LENGTH = "Error: ECDSA: invalid signature length"
HIGH_S = "Error: ECDSA: invalid signature 's' value"
INVALID = "Error: ECDSA: invalid signature"
REJECTED, PENDING, ACCEPTED = 0, 1, 2
OWNED, REFUSING, REVERTING, ACCEPTING = 0, 1, 2, 3


def _high(raw: bytes) -> bytes:
    """Return the twin that a signature has in the upper half of the curve's order."""
    s = CURVE_ORDER - int.from_bytes(raw[32:64])
    return raw[:32] + s.to_bytes(32) + bytes((27 + 28 - raw[64],))


MALFORMED: dict[str, tuple[Any, str]] = {
    "empty": (lambda raw: b"", LENGTH),
    "64 bytes, as when a leading zero is lost": (lambda raw: raw[1:], LENGTH),
    "66 bytes": (lambda raw: raw + b"\x00", LENGTH),
    "compact": (lambda raw: raw[:64], LENGTH),
    "s in the upper half": (_high, HIGH_S),
    "s at the very half": (lambda raw: raw[:32] + S_MAX.to_bytes(32) + raw[64:], "InvalidEIP712Signature"),
    "s just above the half": (lambda raw: raw[:32] + (S_MAX + 1).to_bytes(32) + raw[64:], HIGH_S),
    "s of all ones": (lambda raw: raw[:32] + b"\xff" * 32 + raw[64:], HIGH_S),
    "v of 0": (lambda raw: raw[:64] + b"\x00", INVALID),
    "v of 1": (lambda raw: raw[:64] + b"\x01", INVALID),
    "v of 29": (lambda raw: raw[:64] + b"\x1d", INVALID),
    "r of 0": (lambda raw: bytes(32) + raw[32:], INVALID),
    "s of 0": (lambda raw: raw[:32] + bytes(32) + raw[64:], INVALID),
    "r beyond the order": (lambda raw: b"\xff" * 32 + raw[32:], INVALID),
    "the other v": (lambda raw: raw[:64] + bytes((27 + 28 - raw[64],)), "InvalidEIP712Signature"),
}


@pytest.mark.parametrize("form", MALFORMED)
def test_a_malformed_signature_is_refused_here_and_there(stage: Stage, form: str):
    change, wanted = MALFORMED[form]
    order = stage.order()
    raw = change(stage.signed(order)[1])
    with pytest.raises(Reverted) as told:
        stage.mint(order, signature=(EIP712, raw))
    assert told.value.reason == wanted
    ours = OrderVerifier(stage.domain).verify(order, "0x" + raw.hex(), "EIP712")
    assert not isinstance(ours, Recovered) or ours.signer != BENEFACTOR


def test_a_signature_that_we_recover_is_one_that_the_contract_takes(stage: Stage):
    order = stage.order()
    kind, raw = stage.signed(order)
    ours = OrderVerifier(stage.domain).verify(order, "0x" + raw.hex(), "EIP712")
    assert isinstance(ours, Recovered)
    assert ours.signer == BENEFACTOR
    assert stage.minting.ask("verifyOrder", words(order), (kind, raw)).hex() == ours.order_hash[2:]


def test_a_signature_for_another_contract_or_chain_is_a_strangers(stage: Stage):
    order = stage.order()
    signature = stage.signed(order)
    other = stage.deploy()
    other.send(ADMIN, "addWhitelistedBenefactor", BENEFACTOR)
    with pytest.raises(Reverted, match="InvalidEIP712Signature"):
        other.ask("verifyOrder", words(order), signature)


def test_a_signature_type_beyond_the_enum_is_not_decoded(stage: Stage):
    order = stage.order()
    with pytest.raises(Reverted) as told:
        stage.mint(order, signature=(2, stage.signed(order)[1]))
    assert told.value.reason == ""


def test_a_zero_benefactor_is_not_whom_a_broken_signature_recovers_to(stage: Stage):
    order = stage.order(benefactor="0x" + 40 * "0")
    with pytest.raises(Reverted, match=INVALID):
        stage.mint(order, signature=(EIP712, b"\x01" * 64 + b"\x00"))


# Delegates


def _delegated(stage: Stage, delegate: str = DELEGATE) -> None:
    stage.minting.send(BENEFACTOR, "setDelegatedSigner", delegate)
    stage.minting.send(delegate, "confirmDelegatedSigner", BENEFACTOR)


def _by_delegate(stage: Stage, nonce: int) -> None:
    order = stage.order(nonce=nonce)
    stage.mint(order, signature=stage.signed(order, "delegate"))


def test_a_delegate_signs_from_his_consent_until_he_is_removed(stage: Stage):
    minting = stage.minting
    with pytest.raises(Reverted, match="InvalidEIP712Signature"):
        _by_delegate(stage, 1)
    outcome = minting.send(BENEFACTOR, "setDelegatedSigner", DELEGATE)
    pair = {"signer": DELEGATE, "delegator": BENEFACTOR}
    assert minting.events(outcome) == [("DelegatedSignerInitiated", pair)]
    assert minting.ask("delegatedSigner", DELEGATE, BENEFACTOR) == PENDING
    with pytest.raises(Reverted, match="InvalidEIP712Signature"):
        _by_delegate(stage, 1)
    assert minting.events(minting.send(DELEGATE, "confirmDelegatedSigner", BENEFACTOR)) == [
        ("DelegatedSignerAdded", pair)
    ]
    assert minting.ask("delegatedSigner", DELEGATE, BENEFACTOR) == ACCEPTED
    _by_delegate(stage, 1)
    assert minting.events(minting.send(BENEFACTOR, "removeDelegatedSigner", DELEGATE)) == [
        ("DelegatedSignerRemoved", pair)
    ]
    assert minting.ask("delegatedSigner", DELEGATE, BENEFACTOR) == REJECTED
    with pytest.raises(Reverted, match="InvalidEIP712Signature"):
        _by_delegate(stage, 2)


def test_a_delegation_that_nobody_offered_cannot_be_taken(stage: Stage):
    with pytest.raises(Reverted, match="DelegationNotInitiated"):
        stage.minting.send(DELEGATE, "confirmDelegatedSigner", BENEFACTOR)
    _delegated(stage)
    with pytest.raises(Reverted, match="DelegationNotInitiated"):
        stage.minting.send(DELEGATE, "confirmDelegatedSigner", BENEFACTOR)


def test_offering_a_delegation_again_suspends_it(stage: Stage):
    _delegated(stage)
    stage.minting.send(BENEFACTOR, "setDelegatedSigner", DELEGATE)
    with pytest.raises(Reverted, match="InvalidEIP712Signature"):
        _by_delegate(stage, 1)


def test_a_delegate_signs_for_nobody_else(stage: Stage):
    _delegated(stage)
    stage.minting.send(ADMIN, "addWhitelistedBenefactor", STRANGER)
    order = stage.order(benefactor=STRANGER)
    with pytest.raises(Reverted, match="InvalidEIP712Signature"):
        stage.mint(order, signature=stage.signed(order, "delegate"))


# Whitelist and beneficiaries


def test_a_benefactor_may_mint_from_admission_until_removal(stage: Stage):
    minting = stage.minting
    minting.send(ADMIN, "removeWhitelistedBenefactor", BENEFACTOR)
    assert minting.ask("isWhitelistedBenefactor", BENEFACTOR) is False
    with pytest.raises(Reverted, match="BenefactorNotWhitelisted"):
        stage.mint(stage.order())
    outcome = minting.send(ADMIN, "addWhitelistedBenefactor", BENEFACTOR)
    assert minting.events(outcome) == [("BenefactorAdded", {"benefactor": BENEFACTOR})]
    stage.mint(stage.order())
    outcome = minting.send(ADMIN, "removeWhitelistedBenefactor", BENEFACTOR)
    assert minting.events(outcome) == [("BenefactorRemoved", {"benefactor": BENEFACTOR})]


def test_a_beneficiary_is_paid_while_the_benefactor_approves(stage: Stage):
    minting, pair = stage.minting, {"benefactor": BENEFACTOR, "beneficiary": BENEFICIARY}
    order = stage.order(beneficiary=BENEFICIARY)
    with pytest.raises(Reverted, match="BeneficiaryNotApproved"):
        stage.mint(order)
    outcome = minting.send(BENEFACTOR, "setApprovedBeneficiary", BENEFICIARY, True)
    assert minting.events(outcome) == [("BeneficiaryAdded", pair)]
    assert minting.ask("isApprovedBeneficiary", BENEFACTOR, BENEFICIARY) is True
    stage.mint(order)
    assert stage.usde.ask("balanceOf", BENEFICIARY) == 100 * UNIT
    outcome = minting.send(BENEFACTOR, "setApprovedBeneficiary", BENEFICIARY, False)
    assert minting.events(outcome) == [("BeneficiaryRemoved", pair)]
    with pytest.raises(Reverted, match="BeneficiaryNotApproved"):
        stage.mint(stage.order(beneficiary=BENEFICIARY, nonce=8))


@pytest.mark.parametrize("status", [True, False])
def test_approving_what_is_approved_or_the_reverse_is_an_error(stage: Stage, status: bool):
    if status:
        stage.minting.send(BENEFACTOR, "setApprovedBeneficiary", BENEFICIARY, True)
    with pytest.raises(Reverted, match="InvalidBeneficiaryAddress"):
        stage.minting.send(BENEFACTOR, "setApprovedBeneficiary", BENEFICIARY, status)


def test_what_one_benefactor_approves_counts_for_no_other(stage: Stage):
    stage.minting.send(STRANGER, "setApprovedBeneficiary", BENEFICIARY, True)
    with pytest.raises(Reverted, match="BeneficiaryNotApproved"):
        stage.mint(stage.order(beneficiary=BENEFICIARY))


# Contract wallets (EIP-1271)


def _of_wallet(stage: Stage, **changed: Any) -> Any:
    return stage.order(benefactor=stage.wallet.address, beneficiary=stage.wallet.address, **changed)


def test_a_contract_wallet_mints_and_redeems_on_its_own_word(stage: Stage):
    order = _of_wallet(stage)
    stage.mint(order, signature=stage.signed(order, "benefactor", EIP1271))
    assert stage.usde.ask("balanceOf", stage.wallet.address) == 100 * UNIT
    order = _of_wallet(stage, order_type="REDEEM", nonce=8)
    stage.redeem(order, signature=stage.signed(order, "benefactor", EIP1271))
    assert stage.usde.ask("balanceOf", stage.wallet.address) == 0


def test_a_wallets_owner_does_not_sign_for_it_plainly(stage: Stage):
    order = _of_wallet(stage)
    with pytest.raises(Reverted, match="InvalidEIP712Signature"):
        stage.mint(order, signature=stage.signed(order))


@pytest.mark.parametrize(
    ("mode", "wanted"), [(REFUSING, "InvalidEIP1271Signature"), (REVERTING, "Error: wallet: no answer")]
)
def test_a_wallet_that_changes_its_mind_is_believed(stage: Stage, mode: int, wanted: str):
    order = _of_wallet(stage)
    signature = stage.signed(order, "benefactor", EIP1271)
    stage.minting.ask("verifyOrder", words(order), signature)
    stage.wallet.send(BENEFACTOR, "setMode", mode)
    with pytest.raises(Reverted) as told:
        stage.mint(order, signature=signature)
    assert told.value.reason == wanted
    stage.wallet.send(BENEFACTOR, "setMode", OWNED)
    stage.mint(order, signature=signature)


def test_what_a_wallet_takes_for_a_signature_is_its_own_affair(stage: Stage):
    stage.wallet.send(BENEFACTOR, "setMode", ACCEPTING)
    order = _of_wallet(stage)
    stage.mint(order, signature=(EIP1271, secrets.token_bytes(2_048)))
    with pytest.raises(Reverted, match="InvalidNonce"):
        stage.mint(order, signature=(EIP1271, b""))


def test_a_strangers_signature_is_not_the_wallets(stage: Stage):
    order = _of_wallet(stage)
    with pytest.raises(Reverted, match="InvalidEIP1271Signature"):
        stage.mint(order, signature=stage.signed(order, "stranger", EIP1271))


def test_an_account_without_code_is_no_contract_wallet(stage: Stage):
    order = stage.order()
    with pytest.raises(Reverted) as told:
        stage.mint(order, signature=stage.signed(order, "benefactor", EIP1271))
    assert told.value.reason == ""


def test_a_contract_that_is_no_wallet_signs_nothing(stage: Stage):
    order = stage.order(benefactor=stage.usdc.address)
    with pytest.raises(Reverted) as told:
        stage.mint(order, signature=stage.signed(order, "benefactor", EIP1271))
    assert told.value.reason == ""


def test_a_wallets_delegate_signs_plainly_for_it(stage: Stage):
    offer = stage.minting.data("setDelegatedSigner", DELEGATE)
    stage.wallet.send(BENEFACTOR, "execute", stage.minting.address, offer)
    stage.minting.send(DELEGATE, "confirmDelegatedSigner", stage.wallet.address)
    order = _of_wallet(stage)
    outcome = stage.mint(order, signature=stage.signed(order, "delegate"))
    [(_, told)] = stage.minting.events(outcome)
    assert (told["benefactor"], told["minter"]) == (stage.wallet.address, SETTLER)
    assert stage.dai.ask("balanceOf", COPPER) == 100 * UNIT


@pytest.mark.parametrize("call", [("setMode", REFUSING), ("execute", COPPER, b"")])
def test_only_its_owner_speaks_for_a_wallet(stage: Stage, call: tuple[Any, ...]):
    with pytest.raises(Reverted):
        stage.wallet.send(STRANGER, *call)
