"""What a node answers, read strictly: every shape that is not promised is that node's failure, never a value."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.chain.errors import ERRORS, OUT_OF_GAS, REVERTED, TEXT_CHARS_MAX, named
from adapters.chain.included import Included, parse_receipt, parse_transaction
from adapters.chain.logs import (
    LOGS_MAX,
    MINT_EVENT,
    PARTIES,
    PARTY_EVENTS,
    REDEEM_EVENT,
    SETTLED,
    parse_logs,
    parse_parties,
    parse_settled,
    topic,
)
from adapters.chain.taking import BUSY, TAKEN, meaning
from adapters.chain.words import MAGIC, global_terms, is_magic, number_word, token_terms
from adapters.rpc.wire import (
    Malformed,
    Refused,
    Reverted,
    block_name,
    octets,
    quantity,
    refusal,
    reverted,
    sized,
)
from domain.onchain import PartyKind

CONTRACT = "0x" + "c0" * 20
HASH, OTHER = "0x" + "ab" * 32, "0x" + "cd" * 32
WHO, OWNER, ASSET = "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def padded(address: str) -> str:
    return "0x" + "00" * 12 + address[2:]


def block(**changes: Any) -> dict[str, Any]:
    plain = {"number": "0x10", "hash": HASH, "parentHash": OTHER, "timestamp": "0x65", "baseFeePerGas": "0x7"}
    return plain | changes


def receipt(**changes: Any) -> dict[str, Any]:
    plain = {"transactionHash": HASH, "blockNumber": "0x10", "blockHash": OTHER, "status": "0x1"}
    return plain | {"gasUsed": "0x5208", "effectiveGasPrice": "0x3b9aca00"} | changes


def transaction(**changes: Any) -> dict[str, Any]:
    plain = {"hash": HASH, "to": CONTRACT, "from": WHO, "input": "0x96eea750", "gas": "0x5208", "value": "0x0"}
    return plain | changes


def log(*topics: str, data: str = "0x", **changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"address": CONTRACT, "topics": list(topics), "data": data, "blockNumber": "0x10"}
    return plain | {"blockHash": HASH, "transactionHash": OTHER, "logIndex": "0x2", "removed": False} | changes


def settled(event: str = MINT_EVENT, **changes: Any) -> dict[str, Any]:
    data = "0x" + padded(WHO)[2:] + padded(ASSET)[2:] + f"{25_000_000:064x}" + f"{24 * 10**18:064x}"
    return log(topic(event), HASH, padded(OWNER), padded(WHO), **({"data": data} | changes))


def test_what_is_promised_is_read() -> None:
    assert quantity("0x0", "it") == 0
    assert quantity("0x00ff", "it") == 255  # zeros in front are harmless
    assert octets("0xABcd", "it") == b"\xab\xcd"
    named_block = block_name(block(), 16)
    assert (named_block.number, named_block.block_hash, named_block.parent_hash) == (16, HASH, OTHER)
    assert (named_block.timestamp_s, named_block.base_fee_wei) == (101, 7)
    assert block_name({key: value for key, value in block().items() if key != "baseFeePerGas"}, 16).base_fee_wei == 0
    assert parse_receipt(receipt(), HASH).succeeded
    assert not parse_receipt(receipt(status="0x0"), HASH).succeeded
    assert parse_transaction(transaction(), HASH).sender == WHO


@pytest.mark.parametrize(
    "value",
    [None, True, 16, 16.0, "16", "", "0x", "0xg1", "0x-1", "0x" + "f" * 65, "0x8000000000000000", ["0x1"]],
)
def test_a_quantity_is_hex_and_bounded(value: Any) -> None:
    with pytest.raises(Malformed):
        quantity(value, "it")


@pytest.mark.parametrize("value", [None, 1, "0x1", "ab", "0xzz", "0x" + "00" * 9, {}])
def test_bytes_are_whole_and_bounded(value: Any) -> None:
    with pytest.raises(Malformed):
        octets(value, "it", 8)


@pytest.mark.parametrize("value", [None, HASH[:-1], HASH + "0", HASH[2:], "0x" + "ab" * 31, 5])
def test_a_hash_has_its_size(value: Any) -> None:
    with pytest.raises(Malformed):
        sized(value, "it", 32)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "0x11"},
        {"number": None},
        {"hash": None},
        {"hash": HASH[:-2]},
        {"parentHash": "0x"},
        {"timestamp": -1},
        {"baseFeePerGas": None},
        {"baseFeePerGas": "lots"},
    ],
)
def test_a_block_of_another_shape_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        block_name(block(**changes), 16)


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionHash": OTHER},
        {"status": None},
        {"status": "0x2"},
        {"blockHash": None},
        {"gasUsed": 21_000},
        {"effectiveGasPrice": "0x" + "f" * 65},
    ],
)
def test_a_receipt_of_another_shape_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse_receipt(receipt(**changes), HASH)


@pytest.mark.parametrize("changes", [{"hash": OTHER}, {"to": None}, {"from": "0x1"}, {"input": None}, {"gas": "0x"}])
def test_a_transaction_of_another_shape_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse_transaction(transaction(**changes), HASH)


@given(JSON)
def test_whatever_comes_is_read_or_malformed(value: Any) -> None:
    for parse in (
        lambda: block_name(value, 16),
        lambda: parse_receipt(value, HASH),
        lambda: parse_transaction(value, HASH),
        lambda: parse_logs(value, CONTRACT, SETTLED, 0, 100),
        lambda: refusal(value),
    ):
        try:
            parse()
        except Malformed:
            continue


def test_a_settlement_is_read() -> None:
    logs = parse_logs([settled(), settled(REDEEM_EVENT, logIndex="0x3")], CONTRACT, SETTLED, 16, 16)
    mint, redeem = parse_settled(logs)
    assert (mint.order_type, redeem.order_type) == ("MINT", "REDEEM")
    assert (mint.order_id_hash, mint.benefactor, mint.beneficiary, mint.sender) == (HASH, OWNER, WHO, WHO)
    assert (mint.collateral_asset, mint.collateral_amount, mint.usde_amount) == (ASSET, 25_000_000, 24 * 10**18)
    assert (mint.block_number, mint.block_hash, mint.tx_hash, mint.log_index) == (16, HASH, OTHER, 2)


def test_the_topics_are_those_of_the_deployed_contract() -> None:
    assert topic(MINT_EVENT) == "0x29ee92e51cda311463f5c9ef98c54824a4bebe45e689c37da35edc774585d437"
    assert topic(REDEEM_EVENT) == "0x0ea36c5b7b274f8fe58654fe884bb9307dec1899e0312f40ae10d9b3d100cc0c"


@pytest.mark.parametrize(
    "logs",
    [
        [settled(removed=True)],
        [settled(address="0x" + "c1" * 20)],
        [settled(topics=[])],
        [settled(topics=[HASH])],
        [settled(blockNumber="0x11")],
        [settled(blockHash=None)],
        [settled(), settled()],
        [settled(logIndex="0x3"), settled()],
        [settled(data=None)],
        {"0": settled()},
        [None] * (LOGS_MAX + 1),
    ],
)
def test_logs_that_were_not_asked_for_are_none(logs: Any) -> None:
    with pytest.raises(Malformed):
        parse_logs(logs, CONTRACT, SETTLED, 16, 16)


@pytest.mark.parametrize(
    "one",
    [
        settled(data="0x"),
        log(topic(MINT_EVENT), HASH),
        log(topic(MINT_EVENT), HASH, HASH, HASH, data="0x" + "00" * 128),
    ],
)
def test_a_settlement_of_another_shape_is_none(one: dict[str, Any]) -> None:
    logs = parse_logs([one], CONTRACT, SETTLED, 16, 16)
    with pytest.raises(Malformed):
        parse_settled(logs)


@pytest.mark.parametrize("text", sorted(PARTY_EVENTS))
def test_every_change_of_a_party_is_read(text: str) -> None:
    two = text.count("address") == 2
    one = log(topic(text), padded(WHO), *([padded(OWNER)] if two else []))
    (change,) = parse_parties(parse_logs([one], CONTRACT, PARTIES, 0, 20))
    assert change.admitted == text.partition("(")[0].endswith("Added")
    if change.kind is PartyKind.BENEFICIARY:
        assert (change.owner, change.party) == (WHO, OWNER)  # BeneficiaryAdded(benefactor, beneficiary)
    elif change.kind is PartyKind.DELEGATE:
        assert (change.party, change.owner) == (WHO, OWNER)  # DelegatedSignerAdded(signer, delegator)
    else:
        assert (change.party, change.owner) == (WHO, "")


@pytest.mark.parametrize("topics", [(), (padded(WHO), padded(WHO)), (HASH,)])
def test_a_change_of_another_shape_is_none(topics: tuple[str, ...]) -> None:
    logs = parse_logs([log(topic("AssetAdded(address)"), *topics)], CONTRACT, PARTIES, 0, 20)
    with pytest.raises(Malformed):
        parse_parties(logs)


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)


def test_views_are_read_by_their_words() -> None:
    assert token_terms(words(0, 1, 5, 6)).stable
    assert not token_terms(words(1, 0, 5, 6)).active
    assert global_terms(words(7, 8)).max_redeem == 8
    assert number_word(words(9)) == 9


@pytest.mark.parametrize(
    "answer", [b"", words(0, 1, 5), words(2, 1, 5, 6), words(0, 2, 5, 6), words(0, 1, 1 << 128, 6)]
)
def test_views_of_another_contract_are_none(answer: bytes) -> None:
    with pytest.raises(Malformed):
        token_terms(answer)
    with pytest.raises(Malformed):
        global_terms(answer)


@pytest.mark.parametrize(
    ("answer", "valid"),
    [
        (MAGIC, True),
        (MAGIC + words(1), True),  # an ABI decoder reads the first word
        (MAGIC[:4], False),
        (MAGIC[:31] + b"\x01", False),  # and refuses one whose rest is not zero
        (words(1), False),
        (b"", False),
        (Reverted(MAGIC), False),
    ],
)
def test_only_the_magic_is_a_yes(answer: bytes | Reverted, valid: bool) -> None:
    assert is_magic(answer) is valid


def test_errors_have_the_contract_s_names() -> None:
    assert {"InvalidNonce", "SignatureExpired", "MaxMintPerBlockExceeded", "UnsupportedAsset"} <= set(ERRORS.values())
    assert named(bytes.fromhex("756688fe"))[0] == "InvalidNonce"
    for data, name in ERRORS.items():
        assert named(data)[0] == name
        assert named(data + words(1, 2, 3))[0] == name


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (b"", REVERTED, "without a word"),
        (b"\x12\x34\x56\x78", REVERTED, "0x12345678"),
        (b"\x12", REVERTED, "0x12"),
        (bytes.fromhex("08c379a0") + words(32, 5) + b"hello".ljust(32, b"\0"), REVERTED, "hello"),
        (bytes.fromhex("08c379a0") + words(32, 1 << 200) + b"hello", REVERTED, "cannot be read"),
        (bytes.fromhex("08c379a0") + words(32, 3) + b"\x1b[2", REVERTED, "[2"),
        (bytes.fromhex("08c379a0"), REVERTED, "cannot be read"),
        (bytes.fromhex("4e487b71") + words(0x12), "PANIC_0x12", "panics"),
        (bytes.fromhex("4e487b71") + words(1 << 255), "PANIC_0xffff", "panics"),
        (bytes.fromhex("4e487b71"), REVERTED, "0x4e487b71"),
    ],
)
def test_other_errors_are_named_and_bounded(data: bytes, code: str, text: str) -> None:
    found, told = named(data)
    assert found == code
    assert text in told
    assert len(told) < TEXT_CHARS_MAX + 60
    assert told.isprintable()


@given(st.binary(max_size=300))
def test_any_bytes_are_an_error_with_a_name(data: bytes) -> None:
    code, told = named(data)
    assert code.isascii()
    assert told.isprintable()


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        ({"code": 3, "message": "execution reverted", "data": "0x756688fe"}, Reverted(bytes.fromhex("756688fe"))),
        (
            {"code": -32015, "message": "VM execution error.", "data": "Reverted 0x756688fe"},
            Reverted(b"\x75\x66\x88\xfe"),
        ),
        ({"code": -32000, "message": "execution reverted"}, Reverted()),
        ({"code": -32000, "message": "Execution reverted", "data": {"data": "0x01"}}, Reverted(b"\x01")),
        ({"code": -32000, "message": "out of gas"}, Reverted()),
        ({"code": -32603, "message": "EVM error OutOfGas"}, Reverted()),
        ({"code": 3, "message": "execution reverted: words", "data": "words"}, Reverted()),
        ({"code": -32000, "message": "header not found"}, None),
        ({"code": -32005, "message": "limit exceeded"}, None),
        ({"code": True, "message": 7, "data": 8}, None),
        ({}, None),
    ],
)
def test_a_revert_is_told_from_a_refusal(error: dict[str, Any], failed: Reverted | None) -> None:
    assert reverted(refusal(error)) == failed


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("already known", TAKEN),
        ("transaction already imported", TAKEN),
        ("AlreadyKnown", TAKEN),
        ("nonce too low: next nonce 5, tx nonce 4", "NONCE_TOO_LOW"),
        ("OldNonce", "NONCE_TOO_LOW"),
        ("replacement transaction underpriced", "REPLACEMENT_UNDERPRICED"),
        ("transaction underpriced: gas tip cap 0, minimum needed 1", "FEE_TOO_LOW"),
        ("max fee per gas less than block base fee: address 0x…, maxFeePerGas: 1, baseFee: 7", "FEE_TOO_LOW"),
        ("insufficient funds for gas * price + value: balance 0, tx cost 1", "INSUFFICIENT_FUNDS"),
        ("Insufficient funds for gas * price + value", "INSUFFICIENT_FUNDS"),
        ("intrinsic gas too low: gas 1, minimum needed 21000", "INTRINSIC_GAS"),
        ("exceeds block gas limit", "GAS_LIMIT"),
        ("txpool is full", BUSY),
        ("nonce too high", BUSY),
        ("invalid sender", "NOT_TAKEN"),
        ("", "NOT_TAKEN"),
    ],
)
def test_what_nodes_say_of_a_transaction_has_one_meaning(message: str, code: str) -> None:
    assert meaning(Refused(-32000, message, b"")) == code


def test_a_node_that_limits_says_nothing_of_the_transaction() -> None:
    assert meaning(Refused(-32005, "nonce too low", b"")) == BUSY


@pytest.mark.parametrize(
    ("gas_used", "answers", "error"),
    [
        (50_000, (Reverted(bytes.fromhex("756688fe")), b""), "InvalidNonce"),
        (50_000, (b"", Reverted(bytes.fromhex("756688fe"))), "InvalidNonce"),
        (50_000, (b"", b""), ""),
        (100_000, (b"", b""), OUT_OF_GAS),
        (100_000, (Reverted(), Reverted()), OUT_OF_GAS),
        (100_000, (Reverted(bytes.fromhex("756688fe")), b""), "InvalidNonce"),
    ],
)
def test_a_failure_is_named_by_the_first_call_that_fails_again(
    gas_used: int, answers: tuple[bytes | Reverted, ...], error: str
) -> None:
    included = Included(block_number=1, block_hash=HASH, succeeded=False, gas_used=gas_used, gas_price_wei=1)
    assert included.error(100_000, answers) == error


def test_an_answer_that_is_nested_too_deeply_is_no_json() -> None:
    from adapters.rpc.client import SessionProvider

    with pytest.raises((RecursionError, ValueError)):
        SessionProvider.decode_rpc_response(b"[" * 50_000 + b"]" * 50_000)
    assert json.loads(b"[]") == []
