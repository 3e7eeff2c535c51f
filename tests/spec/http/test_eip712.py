"""The signed order: our words against eth_account's typed data, the known mainnet values, and every bad signature."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.chain.eip712 import (
    AMOUNT_END,
    EXPIRY_END,
    NONCE_END,
    ORDER_TYPEHASH,
    ContractDomain,
    address_bytes,
    domain_separator,
    order_hash,
)
from adapters.chain.signature import (
    CURVE_ORDER,
    OrderVerifier,
    Recovered,
    SignedOrder,
    address_of,
    parse_signature,
    sign_order,
)
from domain.refusal import Reason, Refusal

MAINNET = ContractDomain(chain_id=1, verifying_contract="0xe3490297a08d6fC8Da46Edb7B6142E4F461b62D3")
KEY = "0x" + "4c" * 32
WHO = address_of(KEY)
FIELDS = {
    "order_id": "string",
    "order_type": "uint8",
    "expiry": "uint128",
    "nonce": "uint120",
    "benefactor": "address",
    "beneficiary": "address",
    "collateral_asset": "address",
    "collateral_amount": "uint128",
    "usde_amount": "uint128",
}


def order(**changes: object) -> SignedOrder:
    plain: dict[str, object] = {
        "order_id": "RFQ-6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001",
        "order_type": "MINT",
        "expiry": 1_800_000_000,
        "nonce": 1_800_000_000,
        "benefactor": WHO,
        "beneficiary": WHO,
        "collateral_asset": "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        "collateral_amount": 25_000_000,
        "usde_amount": 24_990_000_000_000_000_000,
    }
    return SignedOrder(**(plain | changes))  # pyright: ignore[reportArgumentType] # a table of mixed values


def typed_data_hash(signed: SignedOrder, domain: ContractDomain) -> bytes:
    message = {name: getattr(signed, name) for name in FIELDS} | {"order_type": int(signed.order_type == "REDEEM")}
    data = encode_typed_data(
        domain_data={
            "name": "EthenaMinting",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
        message_types={"Order": [{"name": name, "type": kind} for name, kind in FIELDS.items()]},
        message_data=message,
    )
    return keccak(b"\x19" + data.version + data.header + data.body)


def test_the_typehash_is_the_one_with_swapped_widths() -> None:
    assert ORDER_TYPEHASH.hex() == "0364fb0ceb19d9be21807e255d5221bd3766eb5974667c7c8ab9bc6fd85b2a1d"


def test_the_mainnet_domain_separator_is_the_contracts() -> None:
    expected = "c4e859a2ad9827930f83695f76c902ef7a7dc112c15b6e056f48dae3abbffc53"
    assert domain_separator(MAINNET).hex() == expected


ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


@settings(max_examples=60, deadline=None)
@given(
    order_id=st.text(min_size=1, max_size=30),
    order_type=st.sampled_from(["MINT", "REDEEM"]),
    expiry=st.integers(0, EXPIRY_END - 1),
    nonce=st.integers(0, NONCE_END - 1),
    addresses=st.tuples(ADDRESSES, ADDRESSES, ADDRESSES),
    amounts=st.tuples(st.integers(0, AMOUNT_END - 1), st.integers(0, AMOUNT_END - 1)),
    chain_id=st.integers(1, 2**63),
)
def test_our_hash_is_eth_accounts(order_id, order_type, expiry, nonce, addresses, amounts, chain_id) -> None:
    benefactor, beneficiary, asset = addresses
    signed = order(
        order_id=order_id,
        order_type=order_type,
        expiry=expiry,
        nonce=nonce,
        benefactor=benefactor,
        beneficiary=beneficiary,
        collateral_asset=asset,
        collateral_amount=amounts[0],
        usde_amount=amounts[1],
    )
    domain = ContractDomain(chain_id=chain_id, verifying_contract=MAINNET.verifying_contract)
    assert order_hash(domain_separator(domain), signed) == typed_data_hash(signed, domain)


def test_a_signature_made_by_eth_account_recovers_its_signer() -> None:
    digest = typed_data_hash(order(), MAINNET)
    signature = "0x" + bytes(Account.unsafe_sign_hash(digest, KEY).signature).hex()
    found = OrderVerifier(MAINNET).verify(order(), signature, "EIP712")
    assert found == Recovered(order_hash="0x" + digest.hex(), signer=WHO, signature=signature)
    assert sign_order(MAINNET, order(), KEY) == signature
    assert Account.from_key(KEY).address.lower() == WHO


def test_letters_of_either_case_are_one_signature() -> None:
    signature = sign_order(MAINNET, order(), KEY)
    shouted = "0x" + signature[2:].upper()
    verifier = OrderVerifier(MAINNET)
    assert verifier.verify(order(), shouted, "EIP712") == verifier.verify(order(), signature, "EIP712")


def _spliced(r: int | None = None, s: int | None = None, v: int | None = None) -> str:
    raw = bytes.fromhex(sign_order(MAINNET, order(), KEY)[2:])
    parts = (
        raw[:32] if r is None else r.to_bytes(32, "big"),
        raw[32:64] if s is None else s.to_bytes(32, "big"),
        raw[64:] if v is None else bytes((v,)),
    )
    return "0x" + b"".join(parts).hex()


def _high_s() -> str:
    raw = bytes.fromhex(sign_order(MAINNET, order(), KEY)[2:])
    return _spliced(s=CURVE_ORDER - int.from_bytes(raw[32:64]), v=55 - raw[64])


@pytest.mark.parametrize(
    ("signature", "told"),
    [
        ("", "0x and hex digits"),
        ("0x", "65 bytes"),
        ("0x" + "zz" * 65, "hex digits"),
        ("0x" + "\u0661" * 130, "hex digits"),
        ("ab" * 65, "0x and hex digits"),
        ("0x" + "ab" * 64, "65 bytes"),
        ("0x" + "ab" * 66, "65 bytes"),
        ("0x" + "a" * 129, "65 bytes"),
        (_spliced(r=0), "r is not"),
        (_spliced(r=CURVE_ORDER), "r is not"),
        (_spliced(s=0), "s is not"),
        (_high_s(), "s is not"),
        (_spliced(v=0), "v is"),
        (_spliced(v=1), "v is"),
        (_spliced(v=29), "v is"),
        (_spliced(v=255), "v is"),
        (_spliced(r=5), "no key"),
    ],
)
def test_a_bad_signature_is_refused_and_says_how(signature: str, told: str) -> None:
    found = OrderVerifier(MAINNET).verify(order(), signature, "EIP712")
    assert isinstance(found, Refusal)
    assert found.reason is Reason.SIGNATURE_INVALID
    assert told in found.text


def test_a_signature_over_other_terms_names_another_signer() -> None:
    signature = sign_order(MAINNET, order(), KEY)
    found = OrderVerifier(MAINNET).verify(order(usde_amount=1), signature, "EIP712")
    assert isinstance(found, Recovered)
    assert found.signer != WHO
    other_chain = ContractDomain(chain_id=2, verifying_contract=MAINNET.verifying_contract)
    elsewhere = OrderVerifier(other_chain).verify(order(), signature, "EIP712")
    assert isinstance(elsewhere, Recovered)
    assert elsewhere.signer != WHO


@pytest.mark.parametrize("kind", ["EIP1271", "", "eip712", "EIP-712"])
def test_no_other_kind_of_signature_is_taken(kind: str) -> None:
    found = OrderVerifier(MAINNET).verify(order(), sign_order(MAINNET, order(), KEY), kind)
    assert isinstance(found, Refusal)
    assert found.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"order_type": "SWAP"}, Reason.ORDER_TYPE_INVALID),
        ({"order_id": ""}, Reason.QUOTE_UNKNOWN),
        ({"order_id": "é" * 65}, Reason.QUOTE_UNKNOWN),
        ({"expiry": EXPIRY_END}, Reason.SIGNATURE_INVALID),
        ({"expiry": -1}, Reason.SIGNATURE_INVALID),
        ({"nonce": NONCE_END}, Reason.NONCE_INVALID),
        ({"nonce": -1}, Reason.NONCE_INVALID),
        ({"collateral_amount": AMOUNT_END}, Reason.SIGNATURE_INVALID),
        ({"usde_amount": -1}, Reason.SIGNATURE_INVALID),
    ],
)
def test_what_the_contract_cannot_hold_is_refused(changes: dict[str, object], reason: Reason) -> None:
    found = OrderVerifier(MAINNET).verify(order(**changes), "0x" + "11" * 65, "EIP712")
    assert isinstance(found, Refusal)
    assert found.reason is reason


@pytest.mark.parametrize(
    "text", ["", "0x", "0x" + "1" * 39, "0x" + "1" * 41, "0X" + "1" * 40, "0x" + "g" * 40, "1" * 42]
)
def test_an_address_is_0x_and_40_digits(text: str) -> None:
    with pytest.raises(ValueError, match=r"0x|non-hex"):
        address_bytes(text)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=140), st.binary(min_size=65, max_size=65).map(lambda raw: "0x" + raw.hex())))
def test_no_signature_text_raises(text: str) -> None:
    found = OrderVerifier(MAINNET).verify(order(), text, "EIP712")
    assert isinstance(found, Refusal | Recovered)
    if isinstance(parse_signature(text), Refusal):
        assert isinstance(found, Refusal)
