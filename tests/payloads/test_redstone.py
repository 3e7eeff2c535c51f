"""Recorded RedStone packages: each verifies to its stated signer and values, and nothing that was touched does."""

import base64
import copy
import json
import random
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from statistics import median
from typing import Any

import pytest
from eth_hash.auto import keccak

from adapters.oracle.median import medians, newest
from adapters.oracle.recovery import checksummed
from adapters.oracle.redstone import (
    Package,
    Point,
    atoms,
    feed_bytes,
    feed_name,
    parse_gateway,
    price_of,
    signed_bytes,
    verify_package,
    verify_payload,
)
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.signers import REDSTONE_PRODUCTION, SignerSet, parse_signer_set
from adapters.simulators.oracles.keys import Keys
from tests.support.oracle_vectors import GATEWAY, PAYLOADS, REDSTONE, recorded

A, B, C, X = (bytes((number,)) * 20 for number in (1, 2, 3, 9))
TRIO = SignerSet(quorum=3, addresses={0: A, 1: B, 2: C, 3: bytes((4,)) * 20})
NOW_MS = 1_720_000_000_000


PRODUCTION = REDSTONE_PRODUCTION


def gateway() -> Mapping[str, list[dict[str, Any]]]:
    return parse_gateway(GATEWAY.read_bytes())


def payload(name: str) -> bytes:
    return bytes.fromhex((REDSTONE / name).read_text().strip())


def code_of(told: Any) -> str:
    with pytest.raises(OracleRejected) as refused:
        told()
    return refused.value.code


def judged(told: Mapping[str, list[Any]]) -> Any:
    return medians((verify_package(each, feed) for feed, packages in told.items() for each in packages), PRODUCTION)


@recorded
def test_every_recorded_package_verifies_to_its_stated_signer() -> None:
    count = 0
    for feed, packages in gateway().items():
        for told in packages:
            verified = verify_package({**told, "signerAddress": None}, feed)
            assert checksummed(verified.signer) == told["signerAddress"]
            assert verified.signer in PRODUCTION.addresses.values()
            assert verified.timestamp_ms == told["timestampMilliseconds"]
            count += 1
    assert count == 250


@recorded
def test_every_feed_has_the_median_of_its_five_signers() -> None:
    told = gateway()
    prices = {price.feed: price for price in judged(told)}
    assert set(prices) == set(told)
    for feed, packages in told.items():
        points = [each["dataPoints"][0] for each in packages]
        values = [Decimal(f"{point['value']:.{point.get('decimals', 8)}f}") for point in points]
        assert prices[feed].price == median(values)
        assert set(prices[feed].signers) == {each["signerAddress"] for each in packages}
        assert prices[feed].timestamp_ms == packages[0]["timestampMilliseconds"]


@recorded
def test_reading_the_text_as_a_decimal_would_fail_on_some() -> None:
    """What the rounding trap catches: without the binary number in between, signatures do not verify."""
    wrong = 0
    for packages in json.loads(GATEWAY.read_text(), parse_float=Decimal).values():
        for told in packages:
            value = told["dataPoints"][0]["value"]
            places = told["dataPoints"][0].get("decimals", 8)
            wrong += atoms(float(value), places) != int((value * 10**places).quantize(Decimal(1), "ROUND_HALF_UP"))
    assert wrong == 10


@recorded
@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_verifies_to_three_production_signers(name: str) -> None:
    packages = verify_payload(payload(name))
    assert len({package.signer for package in packages}) == 3
    (price,) = medians(packages, PRODUCTION)
    assert price.feed == "ETH"
    expected = {"eth_primary_3sig.hex": "1595.04422175", "eth_primary_3sig_newer.hex": "1595.26674144"}
    assert str(price.price) == expected[name]


@recorded
@pytest.mark.parametrize("name", PAYLOADS)
def test_every_single_bit_of_a_payload(name: str) -> None:
    data = bytearray(payload(name))
    for at in range(len(data)):
        for bit in range(8):
            data[at] ^= 1 << bit
            with pytest.raises(OracleRejected):
                medians(verify_payload(bytes(data)), PRODUCTION)
            data[at] ^= 1 << bit


@recorded
@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_with_bytes_or_packages_too_many_or_too_few_is_refused(name: str) -> None:
    data = payload(name)
    assert code_of(lambda: verify_payload(b"\0" + data)) == "trailing_bytes"
    assert code_of(lambda: verify_payload(data[1:])) == "truncated"
    assert code_of(lambda: verify_payload(data + b"\0")) == "malformed"
    for count, code in ((0, "count_wrong"), (2, "trailing_bytes"), (4, "truncated"), (65, "count_wrong")):
        changed = data[:-14] + count.to_bytes(2, "big") + data[-12:]
        assert code_of(lambda changed=changed: verify_payload(changed)) == code
    # The same three packages, the first of them twice instead of the third: two signers are not three.
    body = data[:-14]
    size = len(body) // 3
    twice = body[:size] + body[: 2 * size] + data[-14:]
    assert code_of(lambda: medians(verify_payload(twice), PRODUCTION)) == "quorum_missing"


@recorded
def test_unsigned_metadata_is_skipped() -> None:
    data = payload(PAYLOADS[0])
    noted = data[:-12] + b"note" + (4).to_bytes(3, "big") + data[-9:]
    assert data[-14:-12] == (3).to_bytes(2, "big"), "the count stands before the metadata"
    assert verify_payload(noted) == verify_payload(data)


@recorded
def test_one_flipped_bit_in_a_signature_or_what_it_covers_is_refused() -> None:
    told, chance = {"ETH": gateway()["ETH"]}, random.Random(5)
    assert judged(told)
    for node, package in enumerate(told["ETH"]):
        signature = base64.b64decode(package["signature"])
        for at in range(65):
            touched = copy.deepcopy(told)
            flipped = signature[:at] + bytes((signature[at] ^ 1 << chance.randrange(8),)) + signature[at + 1 :]
            touched["ETH"][node]["signature"] = base64.b64encode(flipped).decode()
            code_of(lambda touched=touched: judged(touched))
        # Two bits of the last digit mean nothing in base64: they are not free either.
        digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        other = digits[digits.index(package["signature"][-2]) ^ 1]
        touched = copy.deepcopy(told)
        touched["ETH"][node]["signature"] = package["signature"][:-2] + other + "="
        assert code_of(lambda touched=touched: judged(touched)) == "malformed"
        value = package["dataPoints"][0]["value"]
        for changes in ({"value": value + 1e-7}, {"value": value * 2}, {"dataFeedId": "ETI"}, {"decimals": 9}):
            touched = copy.deepcopy(told)
            touched["ETH"][node]["dataPoints"][0] |= changes
            code_of(lambda touched=touched: judged(touched))
        for bit in range(41):
            touched = copy.deepcopy(told)
            touched["ETH"][node]["timestampMilliseconds"] ^= 1 << bit
            code_of(lambda touched=touched: judged(touched))


@recorded
def test_every_bit_of_one_package_s_text_that_changes_what_was_signed_is_refused() -> None:
    """Walk every bit of the JSON: what still verifies must say exactly what it said before."""
    whole = {
        "ETH": [
            {name: value for name, value in each.items() if name != "isSignatureValid"} for each in gateway()["ETH"][:3]
        ]
    }
    for each in whole["ETH"]:
        each["dataPoints"][0].pop("metadata")
    text = bytearray(json.dumps(whole, separators=(",", ":")).encode())
    said = judged(parse_gateway(bytes(text)))
    end = text.index(b"}]", 10)
    for at in range(end):
        for bit in range(8):
            text[at] ^= 1 << bit
            with suppress(OracleRejected):
                assert judged(parse_gateway(bytes(text))) == said, (at, bit)
            text[at] ^= 1 << bit


@recorded
def test_what_the_gateway_claims_about_a_signature_proves_nothing() -> None:
    (package, *_) = gateway()["ETH"]
    liar = {**package, "signature": gateway()["BTC"][0]["signature"], "isSignatureValid": True}
    assert code_of(lambda: verify_package(liar, "ETH")) == "signer_differs"
    stranger = verify_package({**liar, "signerAddress": None}, "ETH")
    assert code_of(lambda: medians((stranger,), PRODUCTION)) == "signer_unknown"
    assert code_of(lambda: verify_package({**package, "signerAddress": f"0x{X.hex()}"}, "ETH")) == "signer_differs"
    assert code_of(lambda: verify_package(package, "BTC")) == "feed_differs"
    assert verify_package({**package, "isSignatureValid": False}, "ETH")


def signed_payload(*, size: int = 32, count: int = 1, feeds: tuple[str, ...] = ("ETH",)) -> tuple[bytes, SignerSet]:
    """Return a payload that the simulated nodes signed, with the fields of our choice."""
    keys, packages = Keys("redstone", seed=5), b""
    for node in range(3):
        body = b"".join(feed_bytes(feed) + (5 * 10**8).to_bytes(32, "big") for feed in feeds)
        body += NOW_MS.to_bytes(6, "big") + size.to_bytes(4, "big") + count.to_bytes(3, "big")
        compact, recovery_id = keys.sign(node, keccak(body))
        packages += body + compact + bytes((27 + recovery_id,))
    payload_bytes = packages + (3).to_bytes(2, "big") + bytes(3) + bytes.fromhex("000002ed57011e0000")
    return payload_bytes, parse_signer_set(keys.signer_set())


def test_what_nodes_signed_in_another_form_is_refused() -> None:
    data, signers = signed_payload()
    assert [price.price for price in medians(verify_payload(data), signers)] == [5]
    both, _ = signed_payload(count=2, feeds=("BTC", "ETH"))
    assert [price.feed for price in medians(verify_payload(both), signers)] == ["BTC", "ETH"]
    assert code_of(lambda: verify_payload(signed_payload(size=31)[0])) == "malformed"
    assert code_of(lambda: verify_payload(signed_payload(count=0, feeds=())[0])) == "count_wrong"
    assert code_of(lambda: verify_payload(signed_payload(count=2, feeds=("ETH", "ETH"))[0])) == "feed_repeated"


def package(signer: bytes, price: int, time_ms: int = NOW_MS, feed: str = "ETH") -> Package:
    return Package(points=(Point(feed_bytes(feed), price * 10**8),), timestamp_ms=time_ms, signer=signer)


def test_the_median_is_of_unique_authorised_signers_at_one_time() -> None:
    three = (package(A, 100), package(B, 103), package(C, 101))
    (price,) = medians(three, TRIO)
    assert (price.price, price.confidence, price.timestamp_ms) == (101, 2, NOW_MS)
    (even,) = medians((*three, package(bytes((4,)) * 20, 102)), TRIO)
    assert even.price == Decimal("101.5")
    assert medians((*three, three[0]), TRIO) == (price,), "a package twice counts once"
    for packages, code in (
        (three[:2], "quorum_missing"),
        ((three[0], three[0], three[1]), "quorum_missing"),
        ((*three, package(X, 100)), "signer_unknown"),
        ((*three, package(A, 105)), "signer_contradicts"),
        ((*three[:2], package(C, 101, NOW_MS + 10_000)), "timestamps_differ"),
        ((*three[:2], package(C, 0)), "price_out_of_bounds"),
    ):
        assert code_of(lambda packages=packages: medians(packages, TRIO)) == code


def test_a_relay_s_answer_is_read_as_far_as_it_stands() -> None:
    """One node that is late, a stranger and a liar cost nothing while the quorum is there; without it there is none."""
    feed = feed_bytes("ETH")
    old = tuple(package(who, 90, NOW_MS - 10_000) for who in (A, B, C))
    new = (package(A, 100), package(B, 101), package(C, 102))
    assert newest((*old, *new, package(X, 1)), feed, TRIO).price == 101
    assert newest((*old, *new[:2]), feed, TRIO).timestamp_ms == NOW_MS - 10_000
    liar = (*new, package(C, 5))
    assert newest((*old, *liar), feed, TRIO).price == 90
    assert code_of(lambda: newest(liar, feed, TRIO)) == "quorum_missing"
    assert code_of(lambda: newest((*new[:2], package(C, 0)), feed, TRIO)) == "quorum_missing"
    assert code_of(lambda: newest((), feed, TRIO)) == "quorum_missing"
    assert code_of(lambda: newest(new, feed_bytes("BTC"), TRIO)) == "quorum_missing"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed"),
        (b"<html></html>", "malformed"),
        (b"[]", "malformed"),
        (b"{}", "count_wrong"),
        (b'{"ETH": []}', "count_wrong"),
        (b'{"ETH": {}}', "malformed"),
        (b'{"ETH": [1], "ETH": [2]}', "malformed"),
        (b'{"ETH": [NaN]}', "malformed"),
        (b'{"ETH": [Infinity]}', "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'{"ETH": [' + b"1" * 5_000 + b"]}", "malformed"),
        (b"\xff\xfe", "malformed"),
    ],
)
def test_a_body_that_is_no_gateway_s_answer_is_refused(body: bytes, code: str) -> None:
    assert code_of(lambda: parse_gateway(body)) == code


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": None},
        {"signature": "!"},
        {"signature": ""},
        {"dataPoints": None},
        {"dataPoints": []},
        {"dataPoints": [1]},
        {"dataPoints": [{"value": 1}]},
        {"dataPoints": [{"dataFeedId": "", "value": 1}]},
        {"dataPoints": [{"dataFeedId": "ETH", "value": "1"}]},
        {"dataPoints": [{"dataFeedId": "ETH", "value": True}]},
        {"dataPoints": [{"dataFeedId": "ETH", "value": -1}]},
        {"dataPoints": [{"dataFeedId": "ETH", "value": 1e400}]},
        {"dataPoints": [{"dataFeedId": "ETH", "value": 10**400}]},
        {"dataPoints": [{"dataFeedId": "ETH", "value": 1, "decimals": 19}]},
        {"dataPoints": [{"dataFeedId": "ETH", "value": 1, "decimals": "8"}]},
        {"dataPoints": [{"dataFeedId": "ETH", "value": 1}, {"dataFeedId": "ETH", "value": 2}]},
        {"dataPoints": [{"dataFeedId": "\ud800", "value": 1}]},
        {"timestampMilliseconds": "1"},
        {"timestampMilliseconds": -1},
        {"timestampMilliseconds": 2**60},
        {"timestampMilliseconds": True},
        {"signerAddress": 5},
    ],
)
def test_a_package_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    sound = {
        "timestampMilliseconds": NOW_MS,
        "signature": base64.b64encode(bytes(32) + bytes((1,)) * 32 + b"\x1b").decode(),
        "dataPoints": [{"dataFeedId": "ETH", "value": 1}],
    }
    with pytest.raises(OracleRejected):
        verify_package({**sound, **changes}, "ETH")
    with pytest.raises(OracleRejected):
        verify_package(7, "ETH")


def test_a_value_is_rounded_as_javascript_does() -> None:
    # 0.000000015 and 1.000000005 lie a hair below their text in binary.
    assert atoms(1.000000005, 8) == 100_000_000
    assert atoms(0.000000015, 8) == 1
    assert atoms(0.5, 0) == 1
    assert atoms(2.5, 0) == 3
    assert atoms(63597.972532907195, 8) == 6_359_797_253_291
    assert atoms(3, 8) == 300_000_000


def test_feed_ids_are_text_or_the_hash_of_a_long_one() -> None:
    assert feed_bytes("ETH") == b"ETH" + bytes(29)
    assert feed_name(feed_bytes("ETH")) == "ETH"
    long = "a" * 32
    assert len(feed_bytes(long)) == 32
    assert feed_name(feed_bytes(long)) == f"0x{feed_bytes(long).hex()}"
    assert feed_bytes("é" * 31) != feed_bytes("é" * 30), "31 characters of two bytes do not fit: hashed"
    assert len(signed_bytes((Point(feed_bytes("B"), 1), Point(feed_bytes("A"), 2)), NOW_MS)) == 128 + 13
    assert signed_bytes((Point(feed_bytes("B"), 1), Point(feed_bytes("A"), 2)), 1)[0] == ord("A")
    assert price_of(Point(feed_bytes("X"), 5, 0)) == 5
