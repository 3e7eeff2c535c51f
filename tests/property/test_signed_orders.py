"""A signature is for one order, one contract and one chain: whatever is changed afterwards, nobody honours it.

Both judges are asked: what we do before we accept an order, and what the contract does before it moves anything.
"""

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters.chain.eip712 import ContractDomain
from adapters.chain.signature import OrderVerifier, Recovered, SignedOrder, address_of, sign_order
from domain.refusal import Refusal
from tests.integration.contract.rig import Reverted
from tests.integration.contract.stage import EIP712, SETTLER, Stage, words

FIELDS = tuple(field.name for field in msgspec.structs.fields(SignedOrder))
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
KEYS = st.integers(1, 2**255).map(lambda number: "0x" + number.to_bytes(32).hex())
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=32)
AMOUNTS = st.integers(0, 2**128 - 1)
SECONDS = st.integers(0, 2**120 - 1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "order_id": IDS,
    "order_type": st.sampled_from(["MINT", "REDEEM"]),
    "expiry": SECONDS,
    "nonce": SECONDS,
    "benefactor": ADDRESSES,
    "beneficiary": ADDRESSES,
    "collateral_asset": ADDRESSES,
    "collateral_amount": AMOUNTS,
    "usde_amount": AMOUNTS,
}
SWAPS = (
    ("expiry", "nonce"),
    ("benefactor", "beneficiary"),
    ("beneficiary", "collateral_asset"),
    ("collateral_amount", "usde_amount"),
)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


@st.composite
def orders(draw: st.DrawFn) -> tuple[SignedOrder, str]:
    """Draw an order and its benefactor's key."""
    key = draw(KEYS)
    terms: dict[str, Any] = {name: draw(values) for name, values in VALUES.items()}
    terms["benefactor"] = address_of(key)
    return SignedOrder(**terms), key


def _nearby(draw: st.DrawFn, name: str, value: Any) -> Any:
    """Draw another value of a field: near the old one as often as anywhere."""
    if name == "order_type":
        return "REDEEM" if value == "MINT" else "MINT"
    if isinstance(value, int):
        bit = 1 << draw(st.integers(0, 119))
        near = [value + 1, abs(value - 1), value ^ bit]
        return draw(st.sampled_from(near).filter(lambda other: other < 2**120) | VALUES[name])
    if name == "order_id":
        return draw(st.sampled_from([value + " ", value + "\x00", "RFQ-" + value, value.swapcase(), value[1:]]) | IDS)
    place = draw(st.integers(2, 41))
    digit = draw(st.sampled_from("0123456789abcdef"))
    return draw(st.just(value[:place] + digit + value[place + 1 :]) | VALUES[name])


@st.composite
def tampered(draw: st.DrawFn) -> tuple[SignedOrder, SignedOrder, str]:
    """Draw an order, what somebody made of it, and the benefactor's key."""
    order, key = draw(orders())
    if draw(st.booleans()):
        name = draw(st.sampled_from(FIELDS))
        changed = {name: _nearby(draw, name, getattr(order, name))}
    else:
        one, other = draw(st.sampled_from(SWAPS))
        changed = {one: getattr(order, other), other: getattr(order, one)}
    made = msgspec.structs.replace(order, **changed)
    assume(made != order)
    assume(0 < len(made.order_id.encode()) <= 128)
    return order, made, key


def _recovered(stage: Stage, order: SignedOrder, signature: str) -> str:
    found = OrderVerifier(stage.domain).verify(order, signature, "EIP712")
    return found.signer if isinstance(found, Recovered) else ""


def _reason(stage: Stage, order: SignedOrder, raw: bytes) -> str:
    with pytest.raises(Reverted) as told:
        stage.minting.ask("verifyOrder", words(order), (EIP712, raw))
    return told.value.reason


@given(signed=orders())
def test_an_untouched_order_is_its_benefactors(stage: Stage, signed: tuple[SignedOrder, str]):
    order, key = signed
    signature = sign_order(stage.domain, order, key)
    assert _recovered(stage, order, signature) == order.benefactor
    # The contract takes the signature too: the next thing that it finds wrong is who the benefactor is.
    assert _reason(stage, order, bytes.fromhex(signature[2:])) == "BenefactorNotWhitelisted"


@settings(max_examples=400)
@given(forged=tampered())
def test_an_order_that_was_changed_after_signing_is_refused(stage: Stage, forged: tuple[SignedOrder, SignedOrder, str]):
    order, made, key = forged
    signature = sign_order(stage.domain, order, key)
    assert _recovered(stage, made, signature) != made.benefactor
    assert _reason(stage, made, bytes.fromhex(signature[2:])) == "InvalidEIP712Signature"


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_signed(stage: Stage, name: str):
    """No draw decides whether a field is among those tried; and the call itself moves nothing."""
    order = stage.order()
    signature = stage.signed(order)
    other: dict[str, Any] = {
        "order_id": "RFQ-2",
        "order_type": "REDEEM",
        "benefactor": stage.wallet.address,
        "beneficiary": SETTLER,
        "collateral_asset": stage.wbtc.address,
    }
    value = getattr(order, name)
    made = msgspec.structs.replace(order, **{name: other.get(name, value + 1 if isinstance(value, int) else None)})
    settle = stage.redeem if made.order_type == "REDEEM" else stage.mint
    with pytest.raises(Reverted, match="InvalidEIP712Signature"):
        settle(made, signature=signature)
    assert stage.usde.ask("totalSupply") == 0


@given(signed=orders(), place=st.integers(0, 64), flip=st.integers(1, 255))
def test_a_signature_that_was_changed_is_nobodys_we_know(
    stage: Stage, signed: tuple[SignedOrder, str], place: int, flip: int
):
    order, key = signed
    raw = bytearray(bytes.fromhex(sign_order(stage.domain, order, key)[2:]))
    raw[place] ^= flip
    assert _recovered(stage, order, "0x" + raw.hex()) != order.benefactor
    reason = _reason(stage, order, bytes(raw))
    assert reason == "InvalidEIP712Signature" or reason.startswith("Error: ECDSA: invalid signature")


@given(signed=orders(), chain_id=st.integers(1, 2**64), contract=ADDRESSES)
def test_a_signature_counts_for_one_contract_on_one_chain(
    stage: Stage, signed: tuple[SignedOrder, str], chain_id: int, contract: str
):
    order, key = signed
    for domain in (
        ContractDomain(chain_id=chain_id, verifying_contract=stage.domain.verifying_contract),
        ContractDomain(chain_id=stage.domain.chain_id, verifying_contract=contract),
    ):
        assume(domain != stage.domain)
        signature = sign_order(domain, order, key)
        assert _recovered(stage, order, signature) != order.benefactor
        assert _reason(stage, order, bytes.fromhex(signature[2:])) == "InvalidEIP712Signature"


@given(signed=orders(), name=st.sampled_from(["expiry", "nonce", "collateral_amount", "usde_amount"]))
def test_a_number_too_wide_for_the_contract_is_refused_before_it_is_hashed(
    stage: Stage, signed: tuple[SignedOrder, str], name: str
):
    """Such a number would be cut to its width by nobody: no call could hold it."""
    order, key = signed
    signature = sign_order(stage.domain, order, key)
    wide = msgspec.structs.replace(order, **{name: getattr(order, name) + 2**128})
    assert isinstance(OrderVerifier(stage.domain).verify(wide, signature, "EIP712"), Refusal)
