"""Chainlink and Pyth on chain through three endpoints: two that agree are the chain, whatever the third does."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.oracle.chain_feeds import ChainFeeds
from adapters.oracle.settings import CHAINLINK_FEEDS, PYTH_FEEDS, ChainSettings, Endpoint
from adapters.simulators.oracles.rpc import SimulatedChain, SimulatedEndpoint
from domain.oracle import OracleLost, OraclePrice
from tests.support.oracle_world import Told

CHAINLINK = {base: CHAINLINK_FEEDS[base] for base in ("ETH", "USDe")}
PYTH = {"ETH": PYTH_FEEDS["ETH"]}
ETH, USDE = CHAINLINK["ETH"], CHAINLINK["USDe"]
PRICES = {"ETH": Decimal("2682.11"), "USDe": Decimal("0.9991")}
OTHERWISE = {"lag": "too_old", "boast": "from_the_future"}
FAULTS = ("lie", "lag", "boast", "fork", "timeout", "html", "truncate", "garbage", "error", "stranger")


class Shown:
    """Hold a chain, its three endpoints, and the settings that reach them."""

    def __init__(self) -> None:
        self.prices = dict(PRICES)
        self.chain = SimulatedChain(self.prices.get, CHAINLINK, PYTH, block_ms=1_000)
        self.endpoints = [SimulatedEndpoint(self.chain) for _ in range(3)]
        self.ca_file = Path()

    def settings(self, **changes: Any) -> ChainSettings:
        named = tuple(
            Endpoint(name=name, url=endpoint.url) for name, endpoint in zip("abc", self.endpoints, strict=True)
        )
        settings: dict[str, Any] = {
            "endpoints": named,
            "quorum": 2,
            "chainlink": CHAINLINK,
            "pyth": PYTH,
            "ca_file": self.ca_file,
            "timeout_ms": 1_000,
            "poll_ms": 100,
        }
        return ChainSettings(**{**settings, **changes})

    def spoil(self, faults: Sequence[Any]) -> None:
        for endpoint, fault in zip(self.endpoints, faults, strict=False):
            endpoint.fault = fault


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Shown]:
    made = Shown()
    for endpoint in made.endpoints:
        made.ca_file = await endpoint.start(tmp_path)
    yield made
    await asyncio.gather(*(endpoint.stop() for endpoint in made.endpoints))


async def test_prices_are_what_the_contracts_say(shown: Shown) -> None:
    async with ChainFeeds(shown.settings()) as client, Told(client) as told:
        price = await told.price(ETH)
        assert (price.oracle, price.base, price.quote, price.price) == ("chainlink", "ETH", "USD", PRICES["ETH"])
        assert price.confidence == 0
        assert len(price.signers) >= 2
        assert set(price.signers) <= set("abc")
        assert abs(price.received_at_us - price.published_at_us) < 3_000_000
        assert (await told.price(USDE)).price == PRICES["USDe"]
        pyth = await told.price(PYTH["ETH"])
        assert (pyth.oracle, pyth.price, pyth.confidence) == ("pyth_chain", PRICES["ETH"], Decimal("1.34105500"))


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_bad_endpoint_of_three_is_outvoted(shown: Shown, fault: str) -> None:
    shown.spoil([fault])
    async with ChainFeeds(shown.settings()) as client, Told(client) as told:
        price = await told.price(ETH)
        assert price.price == PRICES["ETH"]
        honest = "abc" if fault == "boast" else "bc"  # who boasts answers rightly of what there is
        assert len(price.signers) >= 2
        assert set(price.signers) <= set(honest)
        await told.until(lambda event: isinstance(event, OraclePrice) and event.sequence > price.sequence)
        assert all(each.price in PRICES.values() for each in told.prices)


@pytest.mark.parametrize("fault", FAULTS)
async def test_two_bad_endpoints_of_three_are_no_answer(shown: Shown, fault: str) -> None:
    """A lie that two tell alike is beyond a quorum of two: these two tell different ones."""
    shown.spoil([fault, fault])
    shown.endpoints[1].factor = Decimal("0.9")
    if fault in {"lag", "fork", "stranger"}:  # the two agree with each other: on an old chain, on a fork, on none
        shown.spoil([fault, "timeout"])
    async with ChainFeeds(shown.settings(head_age_ms_max=20_000)) as client, Told(client) as told:
        lost = await told.loss(ETH)
        # Two that lag, or boast alike, agree on a block that is of another time.
        assert lost.reason.partition(":")[0] == OTHERWISE.get(fault, "quorum_missing")
        assert "a-secret-key" not in lost.reason
        assert told.prices == []
        shown.spoil(["", ""])
        await told.price(ETH)


async def test_a_chain_that_stands_still_is_lost(shown: Shown) -> None:
    shown.spoil(["lag", "lag", "lag"])
    async with ChainFeeds(shown.settings(head_age_ms_max=20_000)) as client, Told(client) as told:
        await told.loss(ETH, because="too_old")
        assert told.prices == []
        shown.spoil(["", "", ""])
        await told.price(ETH)


async def test_a_contract_of_another_pair_is_refused_and_the_others_go_on(shown: Shown) -> None:
    shown.chain.descriptions["ETH"] = "BTC / USD"
    async with ChainFeeds(shown.settings()) as client, Told(client) as told:
        await told.loss(ETH, because="contract_differs")
        assert (await told.price(USDE)).price == PRICES["USDe"]
        assert not any(each.feed == ETH for each in told.prices)


async def test_what_reverts_is_lost_and_the_others_go_on(shown: Shown) -> None:
    nothing = "ab" * 32
    async with ChainFeeds(shown.settings(pyth={"NONE": nothing})) as client, Told(client) as told:
        await told.loss(nothing, because="reverts")
        await told.price(ETH)


async def test_a_price_of_zero_is_none(shown: Shown) -> None:
    async with ChainFeeds(shown.settings()) as client, Told(client) as told:
        await told.price(ETH)
        shown.prices["ETH"] = Decimal(0)
        lost = await told.loss(ETH, because="price_out_of_bounds")
        shown.prices["ETH"] = PRICES["ETH"]
        await told.price(ETH, since=told.all.index(lost))


async def test_urls_hold_keys_and_stand_nowhere(shown: Shown, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    settings = shown.settings()
    shown.spoil(["html", "timeout", "error"])
    async with ChainFeeds(settings) as client, Told(client) as told:
        await told.loss(ETH)
        assert not any("a-secret-key" in event.reason for event in told.all if isinstance(event, OracleLost))
    assert "a-secret-key" not in caplog.text
    assert "a-secret-key" not in repr(settings)


@pytest.mark.parametrize(("names", "quorum"), [("abc", 1), ("abc", 4), ("abcd", 2), ("aab", 2), ("", 0)])
def test_a_quorum_that_is_no_majority_is_refused(names: str, quorum: int) -> None:
    endpoints = tuple(Endpoint(name=name, url="https://127.0.0.1:1/") for name in names)
    with pytest.raises(ValueError, match=r"quorum|name"):
        ChainFeeds(ChainSettings(endpoints=endpoints, quorum=quorum))


async def test_an_endless_body_is_that_endpoint_s_failure(shown: Shown) -> None:
    shown.spoil(["flood"])
    async with ChainFeeds(shown.settings()) as client, Told(client) as told:
        price = await told.price(ETH)
        assert set(price.signers) <= set("bc")


async def test_closing_in_the_middle_of_a_question_leaves_no_thread_waiting(shown: Shown) -> None:
    """A thread that waits for a lock nobody gives back would keep the process from ending."""
    before = threading.active_count()
    shown.spoil(["timeout", "timeout", "timeout"])
    for _ in range(3):
        async with ChainFeeds(shown.settings()):
            while not any(endpoint.asked for endpoint in shown.endpoints):  # noqa: ASYNC110 - a counter has no signal
                await asyncio.sleep(0.01)
        shown.endpoints[0].asked = shown.endpoints[1].asked = shown.endpoints[2].asked = 0
    assert threading.active_count() <= before
