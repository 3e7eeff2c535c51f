"""Pyth through a simulated Hermes: verified prices, and every bad day told as a loss that ends."""

import asyncio
import datetime as dt
import itertools
import logging
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.oracle.hermes import Hermes
from adapters.oracle.settings import Loopback
from adapters.oracle.signers import ROUTERS
from adapters.simulators.certificates import ensure_certificates
from adapters.simulators.oracles.hermes import FEEDS, HOST
from domain.oracle import OracleLost, OraclePrice
from tests.support.oracle_world import ETH, OracleWorld, Told, far

STREAM = "GET /v2/updates/price/stream"
LATEST = "GET /v2/updates/price/latest"


async def test_prices_of_the_world_come_verified_with_their_signers(oracles: OracleWorld) -> None:
    async with Hermes(oracles.hermes_settings()) as client, Told(client) as told:
        price = await told.price(ETH)
        assert far(price.price, oracles.world.price_of("ETH") or Decimal(0)) < Decimal("0.02")
        assert (price.oracle, price.base, price.quote) == ("pyth", "ETH", "USD")
        assert 0 < price.confidence < price.price / 1_000
        assert len(price.signers) == 3
        assert abs(price.received_at_us - price.published_at_us) < 5_000_000
        await told.price(FEEDS["USDT"])
        await told.until(lambda event: isinstance(event, OraclePrice) and event.sequence >= price.sequence + 5)
        of_eth = [each.sequence for each in told.prices if each.feed == ETH]
        assert all(later > earlier for earlier, later in itertools.pairwise(of_eth))
        assert not any(isinstance(event, OracleLost) for event in told.all)


async def test_what_strangers_sign_is_never_believed(oracles: OracleWorld) -> None:
    async with Hermes(oracles.hermes_settings(signers=ROUTERS)) as client, Told(client) as told:
        await told.loss(ETH, because="signature_invalid")
        assert told.prices == []


async def test_a_wrong_key_is_said_and_stands_in_no_line(
    oracles: OracleWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Hermes(oracles.hermes_settings(api_key="s3cret-bearer")) as client, Told(client) as told:
        lost = await told.loss(ETH, because="HTTP 401")
        assert "s3cret" not in lost.reason
    assert "s3cret" not in caplog.text
    assert "s3cret" not in repr(oracles.hermes_settings(api_key="s3cret-bearer"))


async def test_an_unknown_feed_is_lost_and_the_others_go_on(oracles: OracleWorld) -> None:
    unknown = "ab" * 32
    feeds = {"ETH": ETH, "NONE": unknown}
    async with Hermes(oracles.hermes_settings(feeds=feeds)) as client, Told(client) as told:
        await told.loss(unknown, because="feed_unknown")
        first = await told.price(ETH)
        await told.until(lambda event: isinstance(event, OraclePrice) and event.sequence > first.sequence + 3)


@pytest.mark.parametrize(
    ("kind", "on", "because"),
    [
        ("disconnect", STREAM, "no answer"),
        ("truncate", STREAM, "no answer"),
        ("bad_signature", "*", "signature_invalid"),
        ("lost", LATEST, "no answer"),
        ("reset", LATEST, "no answer"),
        ("timeout", LATEST, "no answer"),
        ("truncate", LATEST, "no answer"),
        ("bad_gateway", LATEST, "HTTP 502"),
        ("html", LATEST, "text/html"),
        ("html", STREAM, "text/html"),
        ("maintenance", "*", "HTTP 503"),
        ("rate_limited", "*", "HTTP 429"),
        ("lost", STREAM, "no answer"),
    ],
)
async def test_a_bad_day_is_a_loss_and_ends(oracles: OracleWorld, kind: str, on: str, because: str) -> None:
    async with Hermes(oracles.hermes_settings()) as client, Told(client) as told:
        first = await told.price(ETH)
        await told.until(lambda event: isinstance(event, OraclePrice) and event.sequence > first.sequence + 2)
        # aiohttp asks once more by itself when a connection that it kept is dropped: so often that this does not help.
        oracles.arm(oracles.hermes, kind, on=on, times=3 if kind in {"lost", "reset"} else 1)
        if kind not in {"disconnect", "bad_signature"} and (on, kind) != (STREAM, "truncate"):
            oracles.arm(oracles.hermes, "disconnect", on=STREAM)  # so that it asks again
        lost = await told.loss(ETH, because=because)
        price = await told.price(ETH, since=told.all.index(lost))
        assert far(price.price, oracles.world.price_of("ETH") or Decimal(0)) < Decimal("0.02")
        await told.until(lambda _: oracles.hermes.faults.counts[kind] > 0)


async def test_a_silent_stream_is_lost_and_asked_anew(oracles: OracleWorld) -> None:
    async with Hermes(oracles.hermes_settings(silence_ms=400)) as client, Told(client) as told:
        await told.price(ETH)
        oracles.arm(oracles.hermes, "silence", for_ms=1_500)
        lost = await told.loss(ETH, because="silent")
        await told.price(ETH, since=told.all.index(lost))


async def test_a_frozen_feed_tells_no_news_so_that_its_age_grows(oracles: OracleWorld) -> None:
    async with Hermes(oracles.hermes_settings()) as client, Told(client) as told:
        await told.price(ETH)
        oracles.arm(oracles.hermes, "freeze", on="ETH", for_ms=2_000)
        await told.until(lambda _: oracles.hermes.faults.counts["freeze"] > 3)
        frozen = told.prices[-1].published_at_us
        later = await told.until(
            lambda event: isinstance(event, OraclePrice) and event.published_at_us > frozen + 10**6
        )
        assert isinstance(later, OraclePrice)
        stood = {each.published_at_us for each in told.prices if each.feed == ETH}
        assert stood


async def test_a_dislocated_price_is_told_as_it_was_signed(oracles: OracleWorld) -> None:
    """Whether a signed price is right, the laws of the market say: nothing here may hide it."""
    async with Hermes(oracles.hermes_settings()) as client, Told(client) as told:
        first = await told.price(ETH)
        oracles.arm(oracles.hermes, "dislocate", on="ETH", times=10, factor=Decimal("1.2"))
        await told.until(lambda event: isinstance(event, OraclePrice) and event.price > first.price * Decimal("1.15"))


async def test_a_clock_ahead_is_refused_and_spoils_nothing_after(oracles: OracleWorld) -> None:
    async with Hermes(oracles.hermes_settings()) as client, Told(client) as told:
        await told.price(ETH)
        oracles.arm(oracles.hermes, "clock_skew", times=3, skew_ms=3_600_000)
        lost = await told.loss(ETH, because="from_the_future")
        await told.price(ETH, since=told.all.index(lost))


async def test_what_comes_twice_or_late_is_left_out(oracles: OracleWorld) -> None:
    async with Hermes(oracles.hermes_settings()) as client, Told(client) as told:
        await told.price(ETH)
        oracles.arm(oracles.hermes, "duplicate", times=3)
        oracles.arm(oracles.hermes, "reorder", times=3)
        await told.until(lambda _: client.overlooked >= 4)
        of_eth = [each.sequence for each in told.prices if each.feed == ETH]
        assert of_eth == sorted(set(of_eth))


async def test_a_stream_that_ends_by_itself_is_followed_by_the_next(oracles: OracleWorld) -> None:
    async with Hermes(oracles.hermes_settings()) as client, Told(client) as told:
        first = await told.price(ETH)
        oracles.hermes.end_streams()
        await told.until(lambda event: isinstance(event, OraclePrice) and event.sequence > first.sequence + 5)
        assert not any(isinstance(event, OracleLost) for event in told.all)


@pytest.mark.parametrize("said", [b"", b"\0\xff nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"])
async def test_a_host_that_does_not_speak_http_is_a_loss(oracles: OracleWorld, tmp_path: Path, said: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    certificates = ensure_certificates(tmp_path / "other", (HOST,), now=dt.datetime.now(dt.UTC))
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=certificates.server_context())
    loopback = Loopback(port=server.sockets[0].getsockname()[1], ca_file=certificates.ca_file)
    async with server, Hermes(oracles.hermes_settings(loopback=loopback)) as client, Told(client) as told:
        await told.loss(ETH, because="no answer")


async def test_a_certificate_of_another_authority_is_a_loss(oracles: OracleWorld, tmp_path: Path) -> None:
    other = ensure_certificates(tmp_path / "other", (HOST,), now=dt.datetime.now(dt.UTC))
    loopback = Loopback(port=oracles.listener.port, ca_file=other.ca_file)
    async with Hermes(oracles.hermes_settings(loopback=loopback)) as client, Told(client) as told:
        await told.loss(ETH, because="ClientConnectorCertificateError")


async def test_a_host_that_is_not_there_is_a_loss_and_closing_ends_it(oracles: OracleWorld) -> None:
    settings = oracles.hermes_settings()
    await oracles.listener.stop()
    client = Hermes(settings)
    async with client, Told(client) as told:
        await told.loss(ETH, because="no answer")
        waiting = asyncio.create_task(client.failed())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
    await client.close()
