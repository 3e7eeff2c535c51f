"""The simulated oracles as any client sees them: the real paths, and what they parse is what they signed."""

import json
import ssl
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.oracle.hermes import parse_updates
from adapters.oracle.median import medians
from adapters.oracle.pyth import verify_update
from adapters.oracle.redstone import parse_gateway, verify_package
from adapters.oracle.signers import parse_signer_set
from adapters.simulators.oracles.gateway import HOST as REDSTONE
from adapters.simulators.oracles.hermes import FEEDS
from adapters.simulators.oracles.hermes import HOST as HERMES
from tests.support.oracle_world import ETH, OracleWorld

BEARER = {"Authorization": "Bearer the-bearer"}
KEY = {"x-api-key": "the-key"}


class Everything(AbstractResolver):
    """Send every name to one port."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Hold nothing."""


@pytest.fixture
async def session(oracles: OracleWorld) -> AsyncIterator[aiohttp.ClientSession]:
    context = ssl.create_default_context(cafile=str(oracles.listener.ca_file))
    connector = aiohttp.TCPConnector(resolver=Everything(oracles.listener.port), ssl=context)
    async with aiohttp.ClientSession(connector=connector) as made:
        yield made


async def hermes(session: aiohttp.ClientSession, path: str, **query: str) -> tuple[int, bytes]:
    async with session.get(f"https://{HERMES}{path}", params=query, headers=BEARER) as answer:
        return answer.status, await answer.read()


async def redstone(session: aiohttp.ClientSession, path: str) -> tuple[int, bytes]:
    async with session.get(f"https://{REDSTONE}/v2/data-packages/{path}", headers=KEY) as answer:
        return answer.status, await answer.read()


@pytest.mark.parametrize("encoding", ["hex", "base64"])
async def test_hermes_parses_what_it_signed(
    oracles: OracleWorld, session: aiohttp.ClientSession, encoding: str
) -> None:
    ids = {"ids[]": f"0x{ETH.upper()}", "encoding": encoding}
    status, body = await hermes(session, "/v2/updates/price/latest", **ids)
    assert status == 200
    update = verify_update(parse_updates(body)[0], parse_signer_set(oracles.hermes.signer_set()))
    (signed,), (parsed,) = update.prices, json.loads(body)["parsed"]
    assert parsed["id"] == signed.feed_id == ETH
    price = parsed["price"]
    assert (price["price"], price["conf"], price["expo"]) == (str(signed.price), str(signed.conf), signed.expo)
    assert (price["publish_time"], parsed["metadata"]["slot"]) == (signed.publish_time, update.slot)
    status, at_that_time = await hermes(session, f"/v2/updates/price/{signed.publish_time}", **ids)
    assert status == 200
    assert json.loads(at_that_time)["parsed"][0]["price"]["publish_time"] == signed.publish_time


async def test_hermes_other_paths_and_refusals(oracles: OracleWorld, session: aiohttp.ClientSession) -> None:
    assert (await hermes(session, "/live"))[0] == 200
    status, listed = await hermes(session, "/v2/price_feeds", query="eth")
    assert status == 200
    assert {"ETH", "STETH", "WSTETH"} == {each["attributes"]["base"] for each in json.loads(listed)}
    status, said = await hermes(session, "/v2/updates/price/latest", **{"ids[]": "ab" * 32})
    assert (status, said) == (404, f"Price ids not found: 0x{'ab' * 32}".encode())
    assert (await hermes(session, "/v2/updates/price/latest"))[0] == 400
    assert (await hermes(session, "/v2/updates/price/99999999999", **{"ids[]": ETH}))[0] == 404
    assert (await hermes(session, "/v2/updates/price/soon", **{"ids[]": ETH}))[0] == 404
    assert (await hermes(session, "/else"))[0] == 404
    async with session.get(f"https://{HERMES}/v2/price_feeds") as without_key:
        assert without_key.status == 401
    async with session.get(f"https://{REDSTONE}/v2/data-packages/latest/redstone-primary-prod") as without_key:
        assert without_key.status == 403


async def test_every_feed_of_the_world_is_there_and_oracles_agree(
    oracles: OracleWorld, session: aiohttp.ClientSession
) -> None:
    ids = [("ids[]", FEEDS[base]) for base in FEEDS if base != "SOL"]
    async with session.get(f"https://{HERMES}/v2/updates/price/latest", params=ids, headers=BEARER) as answer:
        update = verify_update(parse_updates(await answer.read())[0], parse_signer_set(oracles.hermes.signer_set()))
    told = {each.feed_id: each.priced()[0] for each in update.prices}
    status, body = await redstone(session, "latest/redstone-primary-prod")
    assert status == 200
    packages = [verify_package(each, feed) for feed, of in parse_gateway(body).items() for each in of]
    for price in medians(packages, parse_signer_set(oracles.redstone.signer_set())):
        assert abs(told[FEEDS[price.feed]] / price.price - 1) < Decimal("0.02")
        assert len(price.signers) == 5


async def test_the_gateway_s_paths(oracles: OracleWorld, session: aiohttp.ClientSession) -> None:
    status, body = await redstone(session, "latest-by-data-feeds/redstone-primary-prod?dataFeedIds=BTC,ETH")
    assert status == 200
    assert set(json.loads(body)) == {"BTC", "ETH"}
    time_ms = json.loads(body)["ETH"][0]["timestampMilliseconds"]
    status, historical = await redstone(session, f"historical/redstone-primary-prod/{time_ms}")
    assert status == 200
    assert json.loads(historical)["ETH"] == json.loads(body)["ETH"]
    for path in ("latest/other", "historical/redstone-primary-prod/5", "latest-by-data-feeds/redstone-primary-prod"):
        assert (await redstone(session, path))[0] == 404


async def test_one_seed_is_one_set_of_signers(oracles: OracleWorld) -> None:
    assert oracles.hermes.signer_set() != oracles.redstone.signer_set()
    told = msgspec.json.decode(oracles.hermes.signer_set())
    assert told["quorum"] == 3
    assert len(set(told["addresses"].values())) == 5


async def test_faults_are_armed_at_the_common_door(oracles: OracleWorld, session: aiohttp.ClientSession) -> None:
    door, bearer = "https://localhost/admin/faults", {"Authorization": "Bearer the-door"}
    for wanted, status in (
        ({"venue": "pyth", "kind": "maintenance", "on": "GET /v2/price_feeds"}, 200),
        ({"venue": "redstone", "kind": "dislocate", "on": "ETH", "factor": "1.1"}, 200),
        ({"venue": "nobody", "kind": "freeze"}, 400),
        ({"venue": "pyth", "kind": "earthquake"}, 400),
    ):
        async with session.post(door, json=wanted, headers=bearer) as answer:
            assert answer.status == status, await answer.text()
    assert (await hermes(session, "/v2/price_feeds"))[0] == 503
    assert (await hermes(session, "/v2/price_feeds"))[0] == 200
