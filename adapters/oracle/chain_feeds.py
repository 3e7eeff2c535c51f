"""Chainlink's aggregators and Pyth's contract, read through several endpoints that must agree."""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
from eth_utils.address import to_checksum_address

from adapters.oracle.asking import Backoff
from adapters.oracle.contracts import (
    DECIMALS,
    DESCRIPTION,
    LATEST_ROUND_DATA,
    Reading,
    parse_decimals,
    parse_pyth_price,
    parse_round,
    parse_text,
    price_call,
)
from adapters.oracle.following import Following
from adapters.oracle.outbox import now_us
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.settings import ChainSettings
from adapters.rpc.client import Call
from adapters.rpc.endpoints import Agreed, Endpoints, QuorumMissing
from adapters.rpc.settings import RpcSettings
from adapters.rpc.wire import Reverted
from domain.market import USD
from domain.oracle import OraclePrice

CHAINLINK, PYTH_CHAIN = "chainlink", "pyth_chain"
US = 1_000_000
FUTURE_S_MAX = 60


class _Feed(msgspec.Struct, frozen=True, kw_only=True):
    oracle: str
    name: str
    base: str
    call: Call


class ChainFeeds(Following):
    """Follow on-chain prices of some assets in dollars.

    What an aggregator is (its decimals, its description) is asked first, under the same quorum: an address that is of
    another pair is refused.
    """

    def __init__(self, settings: ChainSettings) -> None:
        self._feeds = _feeds(settings)
        super().__init__({feed.name: feed.oracle for feed in self._feeds})
        self._settings = settings
        self._endpoints = Endpoints(
            RpcSettings(
                endpoints=settings.endpoints,
                quorum=settings.quorum,
                chain_id=settings.chain_id,
                ca_file=settings.ca_file,
                timeout_ms=settings.timeout_ms,
                lag_blocks_max=settings.lag_blocks_max,
            )
        )
        self._decimals: dict[str, int] = {}

    async def _prepare(self, resources: contextlib.AsyncExitStack) -> None:
        await self._endpoints.open(resources)

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            wait_s = self._settings.poll_ms / 1_000
            try:
                await self._learn()
                await self._look()
                backoff.succeeded()
            except (QuorumMissing, OracleRejected) as error:
                self._outbox.lose(str(error))
                wait_s = backoff.wait_s()
            await asyncio.sleep(wait_s)

    async def _learn(self) -> None:
        """Ask what each aggregator is that is not known yet."""
        new = [feed for feed in self._feeds if feed.oracle == CHAINLINK and feed.name not in self._decimals]
        if not new:
            return
        calls = [Call(feed.call.to, selector) for feed in new for selector in (DECIMALS, DESCRIPTION)]
        agreed = await self._endpoints.agree_calls(calls)
        for at, feed in enumerate(new):
            try:
                decimals, description = (_given(answer) for answer in agreed.answers[2 * at : 2 * at + 2])
                _check_description(parse_text(description), feed.base)
                self._decimals[feed.name] = parse_decimals(decimals)
            except OracleRejected as error:
                self._outbox.lose(str(error), [feed.name])

    async def _look(self) -> None:
        known = [feed for feed in self._feeds if feed.oracle != CHAINLINK or feed.name in self._decimals]
        if not known:
            raise OracleRejected("feed_unknown", "no contract is what it should be")
        agreed = await self._endpoints.agree_calls([feed.call for feed in known])
        age_ms = now_us() // 1_000 - agreed.head.timestamp_s * 1_000
        if age_ms > self._settings.head_age_ms_max:
            raise OracleRejected("too_old", f"the newest block that is agreed on is {age_ms} ms old")
        if age_ms < -FUTURE_S_MAX * 1_000:
            raise OracleRejected("from_the_future", f"the block that is agreed on is {-age_ms} ms ahead of our clock")
        for feed, answer in zip(known, agreed.answers, strict=True):
            try:
                self._tell(feed, _read(feed, _given(answer), self._decimals), agreed)
            except OracleRejected as error:
                self._outbox.lose(str(error), [feed.name])

    def _tell(self, feed: _Feed, reading: Reading, agreed: Agreed) -> None:
        received_us = now_us()
        if reading.published_s > received_us // US + FUTURE_S_MAX:
            raise OracleRejected("from_the_future", f"published at second {reading.published_s}")
        self._outbox.tell(
            OraclePrice(
                oracle=feed.oracle,
                feed=feed.name,
                base=feed.base,
                quote=USD,
                price=reading.price,
                confidence=reading.confidence,
                published_at_us=reading.published_s * US,
                received_at_us=received_us,
                sequence=reading.published_s,
                signers=agreed.endpoints,
            )
        )


def _feeds(settings: ChainSettings) -> tuple[_Feed, ...]:
    aggregators = tuple(
        _Feed(oracle=CHAINLINK, name=address, base=base, call=Call(to_checksum_address(address), LATEST_ROUND_DATA))
        for base, address in settings.chainlink.items()
    )
    contract = to_checksum_address(settings.pyth_contract)
    return aggregators + tuple(
        _Feed(oracle=PYTH_CHAIN, name=feed_id, base=base, call=Call(contract, price_call(feed_id)))
        for base, feed_id in settings.pyth.items()
    )


def _given(answer: bytes | Reverted) -> bytes:
    if isinstance(answer, Reverted):
        raise OracleRejected("feed_unknown", "the contract reverts")
    return answer


def _check_description(description: str, base: str) -> None:
    if description.replace(" ", "").casefold() != f"{base}/{USD}".casefold():
        raise OracleRejected("contract_differs", f"the contract is of {description!r}, not of {base} / {USD}")


def _read(feed: _Feed, answer: bytes, decimals: dict[str, int]) -> Reading:
    parse: Callable[[bytes], Reading] = parse_pyth_price
    return parse_round(answer, decimals[feed.name]) if feed.oracle == CHAINLINK else parse(answer)
