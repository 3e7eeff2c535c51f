"""An order is what was signed, or nobody's: any change of any field, or of any bit of the signature, is refused."""

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.chain.eip712 import ContractDomain
from adapters.chain.signature import (
    CONTRACT_SIGNATURE_BYTES_MAX,
    OrderVerifier,
    Recovered,
    SignedOrder,
    address_of,
    sign_order,
)
from domain.refusal import Reason, Refusal

KEY = "0x" + "4c" * 32
WHO = address_of(KEY)
DOMAIN = ContractDomain(chain_id=1, verifying_contract="0xe3490297a08d6fc8da46edb7b6142e4f461b62d3")
VERIFIER = OrderVerifier(DOMAIN)
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "order_id": st.text(min_size=1, max_size=32),
    "order_type": st.sampled_from(["MINT", "REDEEM"]),
    "expiry": st.integers(0, 2**120 - 1),
    "nonce": st.integers(0, 2**120 - 1),
    "benefactor": ADDRESSES,
    "beneficiary": ADDRESSES,
    "collateral_asset": ADDRESSES,
    "collateral_amount": st.integers(0, 2**128 - 1),
    "usde_amount": st.integers(0, 2**128 - 1),
}
ORDERS = st.builds(SignedOrder, **FIELDS)


def proves(order: SignedOrder, signature: str, verifier: OrderVerifier = VERIFIER) -> bool:
    told = verifier.verify(order, signature, "EIP712")
    return isinstance(told, Recovered) and told.signer == WHO


@given(ORDERS)
def test_what_was_signed_proves_its_signer(order: SignedOrder) -> None:
    assert proves(order, sign_order(DOMAIN, order, KEY))


@given(ORDERS, st.sampled_from(sorted(FIELDS)), st.data())
def test_any_change_of_any_field_after_signing_is_refused(order: SignedOrder, field: str, data: st.DataObject) -> None:
    signature = sign_order(DOMAIN, order, KEY)
    value = data.draw(FIELDS[field])
    assume(value != getattr(order, field))
    assert not proves(msgspec.structs.replace(order, **{field: value}), signature)


@given(ORDERS, st.permutations(["benefactor", "beneficiary", "collateral_asset"]))
def test_no_two_addresses_can_be_exchanged(order: SignedOrder, names: list[str]) -> None:
    one, other, _ = names
    assume(getattr(order, one) != getattr(order, other))
    swapped = msgspec.structs.replace(order, **{one: getattr(order, other), other: getattr(order, one)})
    assert not proves(swapped, sign_order(DOMAIN, order, KEY))


@given(ORDERS, st.integers(0, 65 * 8 - 1))
def test_any_bit_of_the_signature_counts(order: SignedOrder, bit: int) -> None:
    raw = bytearray.fromhex(sign_order(DOMAIN, order, KEY)[2:])
    raw[bit // 8] ^= 1 << bit % 8
    assert not proves(order, "0x" + raw.hex())


@given(ORDERS, st.integers(1, 2**64), ADDRESSES)
def test_another_chain_s_or_contract_s_signature_is_nobody_s(order: SignedOrder, chain: int, contract: str) -> None:
    assume(chain != DOMAIN.chain_id)
    signature = sign_order(DOMAIN, order, KEY)
    for other in (
        ContractDomain(chain_id=chain, verifying_contract=DOMAIN.verifying_contract),
        ContractDomain(chain_id=DOMAIN.chain_id, verifying_contract=contract),
    ):
        assert not proves(order, signature, OrderVerifier(other))


@given(ORDERS, st.binary(min_size=1, max_size=CONTRACT_SIGNATURE_BYTES_MAX))
def test_a_contract_s_signature_proves_nobody_and_is_told_whole(order: SignedOrder, raw: bytes) -> None:
    told = VERIFIER.read_contract(order, "0x" + raw.hex().upper())
    assert isinstance(told, Recovered)
    assert (told.signer, told.signature) == ("", "0x" + raw.hex())
    assert told.order_hash == VERIFIER.order_hash(order)


@pytest.mark.parametrize("text", ["", "0x", "0x1", "ab", "0xzz", "0x" + "ab" * (CONTRACT_SIGNATURE_BYTES_MAX + 1)])
def test_what_can_be_no_contract_s_signature_is_refused(text: str) -> None:
    order = SignedOrder(
        order_id="RFQ-1",
        order_type="MINT",
        expiry=1,
        nonce=1,
        benefactor=WHO,
        beneficiary=WHO,
        collateral_asset=WHO,
        collateral_amount=1,
        usde_amount=1,
    )
    told = VERIFIER.read_contract(order, text)
    assert isinstance(told, Refusal)
    assert told.reason is Reason.SIGNATURE_INVALID
    assert isinstance(VERIFIER.verify(order, "0x" + "11" * 65, "EIP1271"), Refusal)
    beyond = msgspec.structs.replace(order, nonce=2**120)
    assert isinstance(VERIFIER.read_contract(beyond, "0xab"), Refusal)
    assert isinstance(VERIFIER.order_hash(beyond), Refusal)
