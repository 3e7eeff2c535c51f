"""RedStone through a simulated gateway: medians of what enough nodes signed, and every bad day told as a loss."""

from decimal import Decimal

import pytest

from adapters.oracle.gateway import Redstone
from adapters.oracle.signers import REDSTONE_PRODUCTION
from domain.oracle import OracleLost, OraclePrice
from tests.support.oracle_world import OracleWorld, Told, far


async def test_prices_of_the_world_come_as_medians_of_their_nodes(oracles: OracleWorld) -> None:
    async with Redstone(oracles.redstone_settings()) as client, Told(client) as told:
        price = await told.price("ETH")
        assert far(price.price, oracles.world.price_of("ETH") or Decimal(0)) < Decimal("0.02")
        assert (price.oracle, price.base, price.quote, len(price.signers)) == ("redstone", "ETH", "USD", 5)
        assert 0 < price.confidence < price.price / 100_000
        await told.price("USDT")
        await told.until(lambda event: isinstance(event, OraclePrice) and event.sequence > price.sequence + 500)
        times = [each.sequence for each in told.prices if each.feed == "ETH"]
        assert times == sorted(set(times)), "each time is told once"


async def test_what_strangers_sign_is_never_believed(oracles: OracleWorld) -> None:
    settings = oracles.redstone_settings(signers=REDSTONE_PRODUCTION)
    async with Redstone(settings) as client, Told(client) as told:
        await told.loss("ETH", because="quorum_missing")
        assert told.prices == []


async def test_a_wrong_key_is_said_and_stands_nowhere(oracles: OracleWorld) -> None:
    async with Redstone(oracles.redstone_settings(api_key="s3cret")) as client, Told(client) as told:
        lost = await told.loss("ETH", because="HTTP 403")
        assert "s3cret" not in lost.reason
    assert "s3cret" not in repr(oracles.redstone_settings(api_key="s3cret"))


async def test_a_feed_that_is_not_there_is_lost_and_the_others_go_on(oracles: OracleWorld) -> None:
    settings = oracles.redstone_settings(feeds={"ETH": "ETH", "NONE": "NONE"})
    async with Redstone(settings) as client, Told(client) as told:
        await told.loss("NONE", because="feed_missing")
        await told.price("ETH")


@pytest.mark.parametrize(
    ("kind", "because"),
    [
        ("bad_signature", "quorum_missing"),
        ("lost", "no answer"),
        ("disconnect", "no answer"),
        ("reset", "no answer"),
        ("timeout", "no answer"),
        ("truncate", "no answer"),
        ("bad_gateway", "HTTP 502"),
        ("html", "text/html"),
        ("maintenance", "HTTP 503"),
        ("rate_limited", "HTTP 429"),
    ],
)
async def test_a_bad_day_is_a_loss_and_ends(oracles: OracleWorld, kind: str, because: str) -> None:
    async with Redstone(oracles.redstone_settings()) as client, Told(client) as told:
        await told.price("ETH")
        # aiohttp asks once more by itself when a connection that it kept is dropped: so often that this does not help.
        oracles.arm(oracles.redstone, kind, times=3 if kind in {"lost", "reset", "disconnect"} else 1)
        lost = await told.loss("ETH", because=because)
        price = await told.price("ETH", since=told.all.index(lost))
        assert far(price.price, oracles.world.price_of("ETH") or Decimal(0)) < Decimal("0.02")


async def test_what_is_too_old_is_lost(oracles: OracleWorld) -> None:
    async with Redstone(oracles.redstone_settings(age_ms_max=1_000)) as client, Told(client) as told:
        await told.price("ETH")
        oracles.arm(oracles.redstone, "freeze", on="ETH", for_ms=2_500)
        lost = await told.loss("ETH", because="too_old")
        assert not any(isinstance(event, OracleLost) and event.feed == "USDT" for event in told.all)
        await told.price("ETH", since=told.all.index(lost))


async def test_a_clock_ahead_is_refused_and_spoils_nothing_after(oracles: OracleWorld) -> None:
    async with Redstone(oracles.redstone_settings()) as client, Told(client) as told:
        await told.price("ETH")
        oracles.arm(oracles.redstone, "clock_skew", times=3, skew_ms=3_600_000)
        lost = await told.loss("ETH", because="from_the_future")
        await told.price("ETH", since=told.all.index(lost))


async def test_what_comes_twice_or_late_is_left_out(oracles: OracleWorld) -> None:
    async with Redstone(oracles.redstone_settings()) as client, Told(client) as told:
        await told.price("ETH")
        oracles.arm(oracles.redstone, "duplicate", times=5)
        oracles.arm(oracles.redstone, "reorder", times=5)
        await told.until(lambda _: oracles.redstone.faults.counts["reorder"] >= 5)
        times = [each.sequence for each in told.prices if each.feed == "ETH"]
        assert times == sorted(set(times))


async def test_a_dislocated_price_is_told_as_it_was_signed(oracles: OracleWorld) -> None:
    async with Redstone(oracles.redstone_settings()) as client, Told(client) as told:
        first = await told.price("ETH")
        oracles.arm(oracles.redstone, "dislocate", on="ETH", times=5, factor=Decimal("0.8"))
        await told.until(
            lambda event: (
                isinstance(event, OraclePrice) and event.feed == "ETH" and event.price < first.price * Decimal("0.85")
            )
        )
