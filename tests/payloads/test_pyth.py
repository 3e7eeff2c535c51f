"""Recorded Pyth updates: each verifies to its stated signers and values, and nothing that was touched verifies."""

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from eth_hash.auto import keccak

from adapters.oracle.pyth import PriceMessage, PythUpdate, TwapMessage, parse_message, verify_update
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.signers import LEGACY_EMITTER, ROUTER_EMITTER, ROUTERS, SignerSet, parse_signer_set
from adapters.simulators.oracles.keys import Keys
from adapters.simulators.oracles.pyth_wire import Quote, snapshot, update
from tests.support.oracle_vectors import pyth_vectors, recorded, signed_parts, stated_signers

VECTORS = pyth_vectors()
EACH = pytest.mark.parametrize("vector", VECTORS, ids=[str(at) for at in range(len(VECTORS))])
UNSIGNED_BYTES = {5, 6}  # the minor version, and the length of the header that is skipped


def data_of(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["hex"])


def refused(data: bytes, signers: SignerSet) -> str:
    with pytest.raises(OracleRejected) as told:
        verify_update(data, signers)
    return told.value.code


@recorded
def test_there_are_vectors_of_both_kinds_of_signers() -> None:
    assert {vector["emitter"] for vector in VECTORS} == {ROUTER_EMITTER.hex(), LEGACY_EMITTER.hex()}
    assert {update["type"] for vector in VECTORS for update in vector["updates"]} == {0, 1}


@EACH
def test_a_vector_verifies_to_its_stated_signers_and_values(vector: dict[str, Any]) -> None:
    update = verify_update(data_of(vector), stated_signers(vector))
    assert update.vaa.signers == {int(index): address for index, address in vector["signers"].items()}
    assert len(update.vaa.signers) == vector["signatures"]
    assert update.slot == vector["slot"]
    assert update.vaa.emitter.hex() == vector["emitter"]
    assert update.vaa.set_index == vector["guardian_set_index"]
    told = [{"type": int(isinstance(each, TwapMessage)), **msgspec.structs.asdict(each)} for each in update.messages]
    assert told == [
        {key: value for key, value in each.items() if key != "in_merkle_root"} for each in vector["updates"]
    ]
    for price in update.prices:
        value, confidence = price.priced()
        assert value == Decimal(price.price) * Decimal(10) ** price.expo
        assert confidence == Decimal(price.conf) * Decimal(10) ** price.expo


@recorded
def test_the_router_signed_one_verifies_by_default_and_the_guardians_do_not() -> None:
    *guarded, routed = VECTORS
    assert [str(price.priced()[0]) for price in verify_update(data_of(routed), ROUTERS).prices] == [
        "76612.50530278",
        "2380.26076043",
    ]
    assert {refused(data_of(vector), ROUTERS) for vector in guarded} <= {"signature_invalid", "signer_unknown"}


@EACH
def test_one_flipped_bit_in_what_is_signed_or_proven_is_refused(vector: dict[str, Any]) -> None:
    """Every bit of a few bytes of each part, one bit of many more; at each end of a part too."""
    data, signers = bytearray(data_of(vector)), stated_signers(vector)
    assert isinstance(verify_update(bytes(data), signers), PythUpdate)
    chance = random.Random(11)
    for part, places in signed_parts(bytes(data)).items():
        every = {places[0], places[-1], *chance.sample(places, 3)}
        bits = {(at, bit) for at in every for bit in range(8)}
        bits |= {(at, chance.randrange(8)) for at in chance.sample(places, min(40, len(places)))}
        for at, bit in sorted(bits):
            data[at] ^= 1 << bit
            refused(bytes(data), signers)
            data[at] ^= 1 << bit
        assert len(bits) >= 60, part


@recorded
def test_every_single_bit_of_the_router_signed_vector() -> None:
    data = bytearray(data_of(VECTORS[-1]))
    parts = signed_parts(bytes(data))
    set_index = range(parts["signatures"][0] - 5, parts["signatures"][0] - 1)
    passed: set[int] = set()
    for at in range(len(data)):
        for bit in range(8):
            data[at] ^= 1 << bit
            try:
                verify_update(bytes(data), ROUTERS)
                passed.add(at)
            except OracleRejected:
                pass
            data[at] ^= 1 << bit
    assert passed == {5, *set_index}, "only what no signature covers"


@EACH
def test_bytes_too_many_or_too_few_are_refused(vector: dict[str, Any]) -> None:
    data, signers = data_of(vector), stated_signers(vector)
    assert refused(data + b"\0", signers) == "trailing_bytes"
    assert refused(data[:-1], signers) == "truncated"
    for length in range(0, len(data), 37):
        refused(data[:length], signers)


@EACH
def test_a_wrong_count_is_refused(vector: dict[str, Any]) -> None:
    data, signers = data_of(vector), stated_signers(vector)
    at = signed_parts(data)["body"].stop
    count = data[at]
    for wrong in {0, count - 1, count + 1, 255} - {count}:
        code = refused(data[:at] + bytes((wrong,)) + data[at + 1 :], signers)
        assert code in {"count_wrong", "trailing_bytes", "truncated"}
    signatures = signed_parts(data)["signatures"].start - 1
    for wrong in (data[signatures] - 1, data[signatures] + 1):
        refused(data[:signatures] + bytes((wrong,)) + data[signatures + 1 :], signers)


@EACH
def test_a_header_of_later_versions_is_skipped(vector: dict[str, Any]) -> None:
    data, signers = data_of(vector), stated_signers(vector)
    longer = data[:5] + b"\x07\x03new" + data[7:]
    assert verify_update(longer, signers) == verify_update(data, signers)
    for at, wrong in ((0, ord("X")), (4, 2), (7, 1)):
        assert refused(data[:at] + bytes((wrong,)) + data[at + 1 :], signers) in {"malformed", "version_unknown"}


def resigned(quotes: list[Quote], chain: int = 26) -> tuple[bytes, SignerSet]:
    """Return an update that the simulated routers signed, for a chain of our choice."""
    keys = Keys("pyth", seed=5)
    made = snapshot(7, quotes, keys, timestamp_s=1_700_000_000)
    start = 6 + 66 * made.vaa[5]
    body = bytearray(made.vaa[start:])
    body[8:10] = chain.to_bytes(2, "big")
    digest, signatures = keccak(keccak(bytes(body))), b""
    for index in sorted(made.vaa[6 + 66 * at] for at in range(made.vaa[5])):
        compact, recovery_id = keys.sign(index, digest)
        signatures += bytes((index,)) + compact + bytes((recovery_id,))
    vaa = made.vaa[:6] + signatures + bytes(body)
    data = update(msgspec.structs.replace(made, vaa=vaa), [quote.feed_id for quote in quotes])
    return data, parse_signer_set(keys.signer_set())


def test_what_is_signed_and_proven_and_still_is_no_update() -> None:
    quote = Quote(feed_id="ab" * 32, price=5, conf=1, publish_time=1_700_000_000, prev_publish_time=0)
    data, signers = resigned([quote])
    assert len(verify_update(data, signers).prices) == 1
    at = signed_parts(data)["body"].stop
    assert refused(data[:at] + b"\0", signers) == "count_wrong"
    assert refused(resigned([quote], chain=1)[0], signers) == "emitter_unknown"
    assert refused(resigned([quote, quote])[0], signers) == "feed_repeated"


def _with_signatures(data: bytes, order: list[int]) -> bytes:
    """Return the update with the signatures at these places, in this order."""
    start = signed_parts(data)["signatures"].start
    count = data[start - 1]
    all_of = [data[start + 66 * at : start + 66 * (at + 1)] for at in range(count)]
    body = data[signed_parts(data)["body"].start : signed_parts(data)["body"].stop]
    vaa = data[start - 6 : start - 1] + bytes((len(order),)) + b"".join(all_of[at] for at in order) + body
    return data[: start - 8] + len(vaa).to_bytes(2, "big") + vaa + data[signed_parts(data)["body"].stop :]


@EACH
def test_each_signer_counts_once_and_in_order(vector: dict[str, Any]) -> None:
    data, signers = data_of(vector), stated_signers(vector)
    count = vector["signatures"]
    assert _with_signatures(data, list(range(count))) == data
    twice = [0, *range(count - 1)]
    assert refused(_with_signatures(data, twice), signers) == "signers_not_ascending"
    swapped = [1, 0, *range(2, count)]
    assert refused(_with_signatures(data, swapped), signers) == "signers_not_ascending"


@EACH
def test_one_signature_less_than_the_quorum_is_refused(vector: dict[str, Any]) -> None:
    data, count = data_of(vector), vector["signatures"]
    fewer = _with_signatures(data, list(range(count - 1)))
    assert refused(fewer, stated_signers(vector)) == "quorum_missing"
    assert verify_update(fewer, stated_signers(vector, quorum=count - 1)).slot == vector["slot"]
    assert refused(_with_signatures(data, []), stated_signers(vector, quorum=1)) == "quorum_missing"


@EACH
def test_a_stranger_or_another_under_a_known_index_is_refused(vector: dict[str, Any]) -> None:
    signers = stated_signers(vector)
    first, *others = signers.addresses
    without = SignerSet(quorum=1, addresses={index: signers.addresses[index] for index in others})
    assert refused(data_of(vector), without) == "signer_unknown"
    other = SignerSet(quorum=1, addresses={**signers.addresses, first: bytes(20)})
    assert refused(data_of(vector), other) == "signature_invalid"


@EACH
def test_signers_who_do_not_speak_for_the_emitter_are_refused(vector: dict[str, Any]) -> None:
    signers = stated_signers(vector)
    other = {ROUTER_EMITTER, LEGACY_EMITTER} - {bytes.fromhex(vector["emitter"])}
    bound = SignerSet(quorum=signers.quorum, addresses=signers.addresses, emitters=frozenset(other))
    assert refused(data_of(vector), bound) == "emitter_unknown"


def _message(**changes: int) -> bytes:
    told = {"price": 10**8, "conf": 1, "expo": -8, "time": 1_700_000_000} | changes
    return (
        bytes(33)
        + told["price"].to_bytes(8, "big", signed=True)
        + told["conf"].to_bytes(8, "big")
        + told["expo"].to_bytes(4, "big", signed=True)
        + told["time"].to_bytes(8, "big", signed=True)
        + bytes(24)
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"price": 0}, "price_out_of_bounds"),
        ({"price": -1}, "price_out_of_bounds"),
        ({"price": 2**63 - 1, "expo": 0}, "price_out_of_bounds"),
        ({"expo": -19}, "exponent_out_of_bounds"),
        ({"expo": 13}, "exponent_out_of_bounds"),
        ({"expo": -(2**31)}, "exponent_out_of_bounds"),
        ({"conf": 10**8}, "confidence_out_of_bounds"),
        ({"conf": 2**64 - 1}, "confidence_out_of_bounds"),
        ({"time": 0}, "time_out_of_bounds"),
        ({"time": -5}, "time_out_of_bounds"),
        ({"time": 1_700_000_000_000}, "time_out_of_bounds"),
    ],
)
def test_a_signed_price_that_cannot_be_meant_is_no_price(changes: dict[str, int], code: str) -> None:
    message = parse_message(_message(**changes))
    assert isinstance(message, PriceMessage)
    with pytest.raises(OracleRejected) as told:
        message.priced()
    assert told.value.code == code


def test_messages_of_other_kinds_and_lengths_are_refused() -> None:
    whole = _message()
    assert isinstance(parse_message(whole), PriceMessage)
    for data, code in (
        (b"\x02" + whole[1:], "message_unknown"),
        (whole + b"\0", "trailing_bytes"),
        (whole[:-1], "truncated"),
        (b"", "truncated"),
    ):
        with pytest.raises(OracleRejected) as told:
            parse_message(data)
        assert told.value.code == code
