"""The hash that a signer signs is the contract's, whatever the order says."""

from typing import Any

import msgspec
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.chain.eip712 import ORDER_TYPES, domain_separator, order_hash
from adapters.chain.signature import SignedOrder
from tests.integration.contract.stage import Stage, words

ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=128).filter(lambda text: len(text.encode()) <= 128)


def orders() -> st.SearchStrategy[SignedOrder]:
    return st.builds(
        SignedOrder,
        order_id=IDS,
        order_type=st.sampled_from(["MINT", "REDEEM"]),
        expiry=st.integers(0, 2**120 - 1),
        nonce=st.integers(0, 2**120 - 1),
        benefactor=ADDRESSES,
        beneficiary=ADDRESSES,
        collateral_asset=ADDRESSES,
        collateral_amount=st.integers(0, 2**128 - 1),
        usde_amount=st.integers(0, 2**128 - 1),
    )


def _agree(stage: Stage, order: SignedOrder) -> None:
    ours = order_hash(domain_separator(stage.domain), order)
    assert stage.minting.ask("hashOrder", words(order)) == ours


@settings(derandomize=True, deadline=None, max_examples=300, database=None)
@given(order=orders())
def test_any_order_hashes_to_what_the_contract_says(deployed: Stage, order: SignedOrder):
    _agree(deployed, order)


def test_an_id_of_every_length_hashes_to_what_the_contract_says(stage: Stage):
    for length in range(129):
        _agree(stage, stage.order(order_id="x" * length))
    for text in ("ü" * 64, "€" * 42, "𝄞" * 32, "\x00" * 128):
        _agree(stage, stage.order(order_id=text))


def test_every_chain_and_contract_has_a_separator_of_its_own(stage: Stage):
    other: Any = stage.deploy()
    assert other.ask("getDomainSeparator") != stage.minting.ask("getDomainSeparator")
    assert stage.minting.ask("getDomainSeparator") == domain_separator(stage.domain)


# As a wallet is shown it: the widths of expiry and nonce are those of the signed string.
TYPES = {
    "EIP712Domain": ["string name", "string version", "uint256 chainId", "address verifyingContract"],
    "Order": [
        "string order_id",
        "uint8 order_type",
        "uint128 expiry",
        "uint120 nonce",
        "address benefactor",
        "address beneficiary",
        "address collateral_asset",
        "uint128 collateral_amount",
        "uint128 usde_amount",
    ],
}


@settings(derandomize=True, deadline=None, max_examples=60, database=None)
@given(order=orders())
def test_a_wallet_that_knows_only_the_standard_signs_the_same_hash(deployed: Stage, order: SignedOrder):
    fields = {name: [dict(zip(("type", "name"), each.split(), strict=True)) for each in TYPES[name]] for name in TYPES}
    message = msgspec.structs.asdict(order) | {"order_type": ORDER_TYPES[order.order_type]}
    domain = {
        "name": "EthenaMinting",
        "version": "1",
        "chainId": deployed.domain.chain_id,
        "verifyingContract": deployed.domain.verifying_contract,
    }
    shown = encode_typed_data(
        full_message={"types": fields, "primaryType": "Order", "domain": domain, "message": message}
    )
    signed = keccak(b"\x19" + shown.version + shown.header + shown.body)
    assert deployed.minting.ask("hashOrder", words(order)) == signed
