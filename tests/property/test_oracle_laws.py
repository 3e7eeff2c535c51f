"""Laws of the oracle parsers: nothing but a refusal escapes, nothing that is no price passes, medians are medians."""

import json
from decimal import Decimal
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.oracle.median import medians, newest
from adapters.oracle.pyth import verify_update
from adapters.oracle.redstone import Package, Point, atoms, feed_bytes, feed_name, parse_gateway, verify_package
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.signers import SignerSet, SignersUnreadable, parse_signer_set, written
from adapters.simulators.oracles.keys import Keys
from adapters.simulators.oracles.pyth_wire import Quote, snapshot, update
from tests.support.oracle_fuzz import PARSERS, give, sound
from tests.support.oracle_vectors import pyth_vectors

NODES = [bytes((number,)) * 20 for number in range(1, 6)]
SIGNERS = SignerSet(quorum=3, addresses=dict(enumerate(NODES)))
ETH = feed_bytes("ETH")
SEEDS = [bytes.fromhex(vector["hex"]) for vector in pyth_vectors()[-2:]] or [b"PNAU"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["ETH", "dataPoints", "signature", "value", "dataFeedId", "timestampMilliseconds", "binary", "data"]
            )
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
@given(data=st.binary(max_size=400))
def test_bytes_of_any_kind_are_read_or_refused(parser: Any, data: bytes) -> None:
    give(parser, data)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
@given(told=JSON)
def test_json_of_any_kind_is_read_or_refused(parser: Any, told: Any) -> None:
    give(parser, json.dumps(told).encode())


@settings(max_examples=60)
@given(seed=st.sampled_from(SEEDS), edits=st.lists(st.tuples(st.integers(0, 2**16), st.binary(max_size=3)), max_size=6))
def test_a_real_update_with_bytes_replaced_is_read_or_refused(seed: bytes, edits: list[tuple[int, bytes]]) -> None:
    data = seed
    for place, bytes_in in edits:
        at = place % (len(data) + 1)
        data = data[:at] + bytes_in + data[at + 1 :]
    for parser in PARSERS:
        give(parser, data)


@given(value=st.floats(0, 1e11), decimals=st.integers(0, 18))
def test_a_value_is_rounded_to_the_nearest_atom_half_up(value: float, decimals: int) -> None:
    exact, told = Decimal(value), atoms(value, decimals)
    off = exact * 10**decimals - told if exact < 10**8 and decimals <= 8 else Decimal(0)
    assert Decimal("-0.5") <= off < Decimal("0.5") + Decimal("1e-12")


@given(
    value=st.one_of(
        st.floats(max_value=-1e-300), st.just(float("nan")), st.just(float("inf")), st.floats(min_value=1.1e12)
    )
)
def test_what_is_no_price_is_no_value(value: float) -> None:
    with pytest.raises(OracleRejected):
        atoms(value, 8)


@given(prices=st.lists(st.integers(1, 10**14), min_size=0, max_size=5))
def test_the_median_is_of_enough_unique_signers(prices: list[int]) -> None:
    packages = [
        Package(points=(Point(ETH, price),), timestamp_ms=10**12, signer=node)
        for node, price in zip(NODES, prices, strict=False)
    ]
    if len(prices) < 3:
        with pytest.raises(OracleRejected):
            newest(packages, ETH, SIGNERS)
        return
    (told,) = medians([*packages, *packages], SIGNERS)
    assert told == newest(packages, ETH, SIGNERS)
    expected = Decimal(median([Decimal(price) for price in prices])).scaleb(-8)
    assert told.price == expected
    assert len(told.signers) == len(prices)
    near = [price for price in prices if abs(Decimal(price).scaleb(-8) - told.price) <= told.confidence]
    assert len(near) >= 3, "the band holds a quorum"


@given(liar=st.integers(0, 10**30), at=st.integers(0, 4))
def test_one_node_cannot_move_a_price_beyond_what_the_others_say(liar: int, at: int) -> None:
    honest = [100, 101, 102, 103, 104]
    honest[at] = liar
    packages = [
        Package(points=(Point(ETH, price * 10**8),), timestamp_ms=10**12, signer=node)
        for node, price in zip(NODES, honest, strict=True)
    ]
    assert 100 <= newest(packages, ETH, SIGNERS).price <= 104


@given(name=st.text(min_size=1, max_size=40))
def test_a_feed_s_bytes_tell_its_name(name: str) -> None:
    try:
        written_as = feed_bytes(name)
    except OracleRejected:
        return
    assert len(written_as) == 32
    shown = feed_name(written_as)
    assert shown == name or shown == f"0x{written_as.hex()}"


@settings(max_examples=25)
@given(
    prices=st.lists(st.integers(10, 10**16), min_size=1, max_size=9),
    slot=st.integers(0, 2**40),
    spoiled=st.booleans(),
)
def test_what_a_tree_of_any_size_proves_is_read_back(prices: list[int], slot: int, *, spoiled: bool) -> None:
    """Our own signer against our own verifier: a whole tree, any part of it, and no spoiled signature."""
    keys = Keys("pyth", seed=1)
    signers = parse_signer_set(keys.signer_set())
    quotes = [
        Quote(feed_id=f"{at:064x}", price=price, conf=price // 10, publish_time=1_700_000_000, prev_publish_time=0)
        for at, price in enumerate(prices)
    ]
    made = snapshot(slot, quotes, keys, timestamp_s=1_700_000_000, spoiled=spoiled)
    data = update(made, [quote.feed_id for quote in quotes[::2]])
    if spoiled:
        with pytest.raises(OracleRejected):
            verify_update(data, signers)
        return
    told = verify_update(data, signers)
    assert [(each.feed_id, each.price) for each in told.prices] == [(each.feed_id, each.price) for each in quotes[::2]]
    for each in told.prices:
        sound(*each.priced())


@given(quorum=st.integers(-1, 6), count=st.integers(0, 5))
def test_a_signer_set_is_written_as_it_is_read(quorum: int, count: int) -> None:
    addresses = {index: NODES[index] for index in range(count)}
    try:
        made = SignerSet(quorum=quorum, addresses=addresses)
    except SignersUnreadable:
        assert not 1 <= quorum <= count
        return
    assert parse_signer_set(written(made)) == made


def test_the_gateway_s_own_words_are_read_back() -> None:
    from adapters.simulators.oracles.redstone_wire import package

    keys = Keys("redstone", seed=1)
    told = {"ETH": [package("ETH", 268_211_000_001, 10**12, node, keys) for node in range(5)]}
    signers = parse_signer_set(keys.signer_set())
    read = [verify_package(each, "ETH") for each in parse_gateway(json.dumps(told).encode())["ETH"]]
    assert medians(read, signers)[0].price == Decimal("2682.11000001")
