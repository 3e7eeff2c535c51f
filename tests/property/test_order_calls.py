"""What is sent is what was asked: calls that the ABI reads back, signed transactions without a changed bit."""

from typing import Any

import pytest
import rlp
from eth_abi.abi import decode
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.chain.calls import (
    DISABLE_MINT_REDEEM,
    MINT,
    OUT_OF_BOUNDS,
    REDEEM,
    TRANSFER_TO_CUSTODY,
    allowance,
    balance_of,
    is_valid_signature,
    mint_calldata,
    redeem_calldata,
    selector,
    token_config,
    transfer_to_custody,
)
from adapters.chain.errors import ABI, signature_of
from adapters.chain.logs import MINT_EVENT, PARTY_EVENTS, REDEEM_EVENT
from adapters.chain.signature import CURVE_ORDER
from adapters.chain.signers import LocalSigner
from adapters.chain.transactions import NotAsAsked, Unsigned, check_signed, tx_hash_of
from adapters.rpc.web3_library import Account
from commands.chain_ports import MintingOrder, Route
from domain.refusal import Rejected
from domain.transaction import Fees

KEY = "0x" + "4c" * 32
SIGNER = LocalSigner(KEY)
CONTRACT = "0x" + "c0" * 20
ORDER = "(string,uint8,uint120,uint128,address,address,address,uint128,uint128)"
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
AMOUNTS = st.integers(0, 2**128 - 1)


@st.composite
def orders(draw: Any, order_type: str = "MINT") -> MintingOrder:
    return MintingOrder(
        order_id=draw(st.text(min_size=1, max_size=32)),
        order_type=order_type,
        expiry=draw(st.integers(0, 2**120 - 1)),
        nonce=draw(st.integers(0, 2**120 - 1)),
        benefactor=draw(ADDRESSES),
        beneficiary=draw(ADDRESSES),
        collateral_asset=draw(ADDRESSES),
        collateral_amount=draw(AMOUNTS),
        usde_amount=draw(AMOUNTS),
        signature="0x" + draw(st.binary(min_size=1, max_size=100)).hex(),
        signature_type=draw(st.sampled_from(["EIP712", "EIP1271"])),
    )


@st.composite
def routes(draw: Any) -> Route:
    cuts = sorted(draw(st.sets(st.integers(1, 9_999), max_size=19)))
    ratios = tuple(after - before for before, after in zip([0, *cuts], [*cuts, 10_000], strict=True))
    return Route(addresses=tuple(draw(ADDRESSES) for _ in ratios), ratios=ratios)


def fields(order: MintingOrder) -> tuple[Any, ...]:
    return (
        order.order_id,
        int(order.order_type == "REDEEM"),
        order.expiry,
        order.nonce,
        order.benefactor,
        order.beneficiary,
        order.collateral_asset,
        order.collateral_amount,
        order.usde_amount,
    )


def plain(**changes: Any) -> MintingOrder:
    values: dict[str, Any] = {
        "order_id": "RFQ-1",
        "order_type": "MINT",
        "expiry": 1_800_000_000,
        "nonce": 7,
        "benefactor": "0x" + "11" * 20,
        "beneficiary": "0x" + "22" * 20,
        "collateral_asset": "0x" + "33" * 20,
        "collateral_amount": 25_000_000,
        "usde_amount": 24 * 10**18,
        "signature": "0x" + "ab" * 65,
        "signature_type": "EIP712",
    }
    return MintingOrder(**(values | changes))


ROUTE = Route(addresses=("0x" + "44" * 20,), ratios=(10_000,))


@given(orders(), routes())
def test_a_mint_s_call_reads_back_as_the_order_and_the_route(order: MintingOrder, route: Route) -> None:
    data = mint_calldata(order, route)
    assert data[:4] == MINT
    words, legs, signature = decode([ORDER, "(address[],uint128[])", "(uint8,bytes)"], data[4:])
    assert words == fields(order)
    assert legs == (route.addresses, route.ratios)
    assert signature == (int(order.signature_type == "EIP1271"), bytes.fromhex(order.signature[2:]))


@given(orders("REDEEM"))
def test_a_redeem_s_call_reads_back_as_the_order(order: MintingOrder) -> None:
    data = redeem_calldata(order)
    assert data[:4] == REDEEM
    assert decode([ORDER, "(uint8,bytes)"], data[4:])[0] == fields(order)


@pytest.mark.parametrize(
    "changes",
    [
        {"order_id": "x" * 129},
        {"order_id": "é" * 65},  # 130 bytes
        {"order_id": ""},
        {"order_type": "REDEEM"},
        {"order_type": "mint"},
        {"expiry": 2**120},
        {"expiry": -1},
        {"nonce": 2**120},
        {"collateral_amount": 2**128},
        {"usde_amount": -1},
        {"benefactor": "0x" + "11" * 19},
        {"beneficiary": "22" * 21},
        {"collateral_asset": "0x" + "zz" * 20},
        {"signature": "0x"},
        {"signature": "0x" + "ab" * 2_049},
        {"signature": "0xabc"},
        {"signature_type": "EIP191"},
    ],
)
def test_what_the_contract_could_not_read_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        mint_calldata(plain(**changes), ROUTE)
    assert caught.value.code == OUT_OF_BOUNDS


@pytest.mark.parametrize(
    "ratios", [(), (9_999,), (10_001,), (0, 10_000), (-1, 10_001), (500,) * 19 + (250, 250), (5_000, 5_000)]
)
def test_a_route_that_the_contract_would_refuse_is_refused(ratios: tuple[int, ...]) -> None:
    addresses = ROUTE.addresses * (1 if ratios == (5_000, 5_000) else len(ratios))
    with pytest.raises(Rejected) as caught:
        mint_calldata(plain(), Route(addresses=addresses, ratios=ratios))
    assert caught.value.code == OUT_OF_BOUNDS


def test_the_other_calls_read_back() -> None:
    who, asset = "0x" + "11" * 20, "0x" + "33" * 20
    data = transfer_to_custody(who, asset, 5)
    assert (data[:4], decode(["address", "address", "uint128"], data[4:])) == (TRANSFER_TO_CUSTODY, (who, asset, 5))
    assert decode(["address"], balance_of(who)[4:]) == (who,)
    assert decode(["address", "address"], allowance(who, asset)[4:]) == (who, asset)
    assert decode(["address"], token_config(asset)[4:]) == (asset,)
    asked = is_valid_signature("0x" + "01" * 32, "0xabcd")
    assert asked is not None
    assert decode(["bytes32", "bytes"], asked[4:]) == (b"\x01" * 32, b"\xab\xcd")
    for order_hash, signature in (("0x01", "0xab"), ("0x" + "01" * 32, "0x"), ("0xzz", "0xab")):
        assert is_valid_signature(order_hash, signature) is None
    for amount in (0, -1, 2**128):
        with pytest.raises(Rejected):
            transfer_to_custody(who, asset, amount)


def test_selectors_and_topics_are_those_of_the_canonical_abi() -> None:
    functions = {signature_of(each): selector(signature_of(each)) for each in ABI if each["type"] == "function"}
    by_name = {text.partition("(")[0]: found for text, found in functions.items()}
    assert MINT.hex() == "96eea750"
    assert REDEEM.hex() == "75c890dc"
    assert (by_name["mint"], by_name["redeem"]) == (MINT, REDEEM)
    assert by_name["disableMintRedeem"] == DISABLE_MINT_REDEEM
    assert by_name["transferToCustody"] == TRANSFER_TO_CUSTODY
    assert functions["tokenConfig(address)"] == token_config("0x" + "33" * 20)[:4]
    events = {signature_of(each): each for each in ABI if each["type"] == "event"}
    for text in (MINT_EVENT, REDEEM_EVENT, *PARTY_EVENTS):
        assert text in events
    for text in PARTY_EVENTS:
        assert all(each["indexed"] for each in events[text]["inputs"])
    for text in (MINT_EVENT, REDEEM_EVENT):
        assert [each["indexed"] for each in events[text]["inputs"]] == [True] * 3 + [False] * 4


@st.composite
def unsigned(draw: Any) -> Unsigned:
    return Unsigned(
        chain_id=draw(st.integers(1, 2**40)),
        sender=SIGNER.address,
        nonce=draw(st.integers(0, 2**63)),
        fees=Fees(max_fee_wei=draw(st.integers(0, 2**60)), priority_fee_wei=draw(st.integers(0, 2**60))),
        gas_limit=draw(st.integers(0, 2**40)),
        to=draw(ADDRESSES),
        value=draw(st.integers(0, 2**90)),
        data=draw(st.binary(max_size=200)),
    )


async def signed(asked: Unsigned) -> bytes:
    return await SIGNER.sign(asked)


@given(unsigned())
@settings(max_examples=60)
async def test_what_a_wallet_signs_is_what_was_asked(asked: Unsigned) -> None:
    raw = await signed(asked)
    check_signed(asked, raw)
    assert Account.recover_transaction(raw).lower() == SIGNER.address


@given(unsigned(), st.data())
@settings(max_examples=150)
async def test_no_bit_of_it_may_differ(asked: Unsigned, data: st.DataObject) -> None:
    raw = bytearray(await signed(asked))
    at = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[at // 8] ^= 1 << at % 8
    with pytest.raises(NotAsAsked):
        check_signed(asked, bytes(raw))


@given(unsigned(), unsigned())
@settings(max_examples=60)
async def test_another_transaction_well_signed_is_refused(asked: Unsigned, other: Unsigned) -> None:
    if asked == other:
        return
    with pytest.raises(NotAsAsked):
        check_signed(asked, await signed(other))


@given(st.binary(max_size=300))
def test_any_other_bytes_are_refused(raw: bytes) -> None:
    asked = Unsigned(
        chain_id=1,
        sender=SIGNER.address,
        nonce=0,
        fees=Fees(max_fee_wei=2, priority_fee_wei=1),
        gas_limit=21_000,
        to=CONTRACT,
        value=0,
        data=b"",
    )
    many: Any = rlp.encode([raw] * 12)
    for each in (raw, b"\x02" + raw, b"\x02" + many):
        with pytest.raises(NotAsAsked):
            check_signed(asked, each)


async def test_a_second_form_of_the_signature_is_refused() -> None:
    asked = Unsigned(
        chain_id=1,
        sender=SIGNER.address,
        nonce=0,
        fees=Fees(max_fee_wei=2, priority_fee_wei=1),
        gas_limit=21_000,
        to=CONTRACT,
        value=0,
        data=b"",
    )
    encode: Any = rlp.encode
    parts: Any = list(rlp.decode((await signed(asked))[1:]))  # pyright: ignore[reportArgumentType] # a list
    v, r, s = parts[-3:]
    high = (CURVE_ORDER - int.from_bytes(s)).to_bytes(32, "big")
    flipped = b"" if v else b"\x01"
    for signature in (
        [flipped, r, high],
        [v, b"\0" + r, s],
        [v, r, b"\0" + s],
        [b"\x1b", r, s],
        [v, b"", s],
        [v, [r], s],
    ):
        with pytest.raises(NotAsAsked):
            check_signed(asked, b"\x02" + encode(parts[:-3] + signature))
    with pytest.raises(NotAsAsked):
        check_signed(asked, b"\x02" + b"\xc1" * 8_000)
    assert tx_hash_of(b"\x02" + encode(parts)).startswith("0x")


def test_a_key_stands_in_no_text() -> None:
    assert "4c4c" not in repr(SIGNER)
    with pytest.raises(ValueError) as caught:
        LocalSigner("0x" + "4c" * 31)
    assert "4c4c" not in str(caught.value)
    assert caught.value.__cause__ is None
