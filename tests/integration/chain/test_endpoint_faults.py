"""Three endpoints, of which one is bad in every way there is: what two say is the chain. Two bad ones are no answer."""

import asyncio
import logging
from typing import Any

import pytest

from adapters.chain.minting import MintingCalls
from adapters.chain.reading import Chain
from adapters.chain.settings import MintingSettings
from adapters.chain.signers import LocalSigner
from adapters.rpc.settings import Endpoint
from domain.refusal import Rejected, Unavailable, Unknown
from tests.integration.chain.proxy import FAULTS, LAG_BLOCKS
from tests.integration.chain.rig import Rig

NOBODY = "0x" + "77" * 20
QUICK = {"timeout_ms": 1_000}  # where those that hang are waited for
# What two that do this alike agree on is a quorum's word: it is seen by its age, or not at all.
ALIKE = {"lag", "amnesia", "lie", "boast", "fork"}


async def everything(rig: Rig, chain: Chain, tx_hash: str, number: int) -> dict[str, Any]:
    """Ask for everything there is."""
    return {
        "block": await chain.block(number),
        "count": await chain.transaction_count(rig.settler, number),
        "receipt": await chain.receipt(tx_hash),
        "terms": await chain.terms([rig.usdt], number),
        "settled": await chain.settled_since(1, number),
        "parties": await chain.party_changes(1, number),
        "signature": await chain.contract_signature(rig.usdt, "0x" + "11" * 32, "0x22"),
        "balance": (await chain.wallet(rig.benefactor, rig.usdt)).balance,
    }


async def mined(rig: Rig) -> tuple[str, int]:
    """Make a mint deep enough that one who lags lacks nothing that is old."""
    async with rig.calls() as (chain, minting):
        made = await rig.settle(minting, rig.order())
        await rig.node.admin.mine(LAG_BLOCKS)
        return made.tx_hash, (await chain.head()).number


async def test_one_bad_endpoint_of_three_changes_nothing(three: Rig) -> None:
    tx_hash, number = await mined(three)
    async with Chain(three.settings(timeout_ms=10_000)) as chain:
        truth = await everything(three, chain, tx_hash, number)
        head = await chain.head()
        assert truth["receipt"].succeeded
        assert len(truth["settled"]) == 1
        for fault in FAULTS:
            for proxy in three.proxies:
                proxy.fault = fault
                assert (await chain.head()) == head, fault
                proxy.fault = ""
            three.proxies[0].fault = fault
            assert await everything(three, chain, tx_hash, number) == truth, fault
            three.proxies[0].fault = ""


async def test_two_that_fail_are_no_answer_and_say_who_and_why(three: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tx_hash, number = await mined(three)
    async with Chain(three.settings(**QUICK)) as chain:
        head = await chain.head()
        for fault in sorted(set(FAULTS) - ALIKE - {"stranger"}):
            for proxy in three.proxies[:2]:
                proxy.fault = fault
            for ask in (chain.head, lambda: chain.receipt(tx_hash), lambda: chain.wallet(NOBODY, three.usdt)):
                with pytest.raises(Unavailable, match="quorum_missing") as caught:
                    await ask()
                assert "rpc0" in str(caught.value), fault
                assert "secret" not in str(caught.value), fault
            for proxy in three.proxies[:2]:
                proxy.fault = ""
            assert (await chain.head()).number >= head.number
            assert (await chain.block(number)) is not None
    assert "secret" not in caplog.text


async def test_two_of_different_faults_are_no_answer(three: Rig) -> None:
    tx_hash, _ = await mined(three)
    async with Chain(three.settings(**QUICK)) as chain:
        for first, second in (("lie", "timeout"), ("fork", "html"), ("boast", "hang_up"), ("lag", "truncate")):
            three.proxies[0].fault, three.proxies[1].fault = first, second
            if first in {"lag", "boast"}:
                # Of what is old it tells the truth, which with the honest one is a quorum.
                receipt = await chain.receipt(tx_hash)
                assert receipt is not None
                assert receipt.succeeded
            else:
                with pytest.raises(Unavailable):
                    await chain.receipt(tx_hash)


async def test_two_of_another_chain_are_never_heard(three: Rig) -> None:
    for proxy in three.proxies[:2]:
        proxy.fault = "stranger"
    async with Chain(three.settings()) as chain:
        with pytest.raises(Unavailable, match="rpc0: another chain, rpc1: another chain"):
            await chain.head()


async def test_those_that_lag_cannot_say_that_nothing_happened(three: Rig) -> None:
    """Two lack the newest blocks: the third's word is not enough, and their silence is no proof."""
    async with three.calls() as (chain, minting):
        made = await three.settle(minting, three.order())
        head = await chain.head()
        assert await chain.receipt(made.tx_hash) is not None
        for proxy in three.proxies[:2]:
            proxy.fault = "lag"
        with pytest.raises(Unavailable):
            await chain.settled_since(head.number, head.number)
        with pytest.raises(Unavailable):
            await chain.transaction_count(three.settler, head.number)
        assert (await chain.head()).number == head.number - LAG_BLOCKS


async def test_an_old_head_is_none(three: Rig) -> None:
    async with Chain(three.settings(head_age_ms_max=1)) as chain:
        await three.node.admin.mine()
        await asyncio.sleep(1.1)  # times of blocks are whole seconds
        for ask in (chain.head, lambda: chain.wallet(NOBODY, three.usdt), lambda: chain.wait_head(None)):
            with pytest.raises(Unavailable, match="chain_stands_still"):
                await ask()


async def test_a_slow_endpoint_costs_no_time(three: Rig) -> None:
    async with Chain(three.settings(timeout_ms=30_000)) as chain:
        three.proxies[2].fault = "timeout"
        async with asyncio.timeout(20):
            for _ in range(5):
                await chain.wallet(three.benefactor, three.usdt)


async def test_a_mint_goes_through_with_one_bad_endpoint(three: Rig) -> None:
    """Sent to all: those that take it are enough. One that swallows it, lies or hangs does no harm."""
    for fault in ("html", "timeout", "stranger", "error", "lie"):
        async with three.calls() as (chain, minting):
            three.proxies[0].fault = fault
            made = await three.settle(minting, three.order())
            receipt = await chain.receipt(made.tx_hash)
            assert receipt is not None, fault
            assert receipt.succeeded, fault
            assert made.gas_limit < 1_000_000  # one that lies about the gas moves it nowhere
            three.proxies[0].fault = ""


async def test_an_endpoint_that_takes_and_forgets_is_not_the_only_one_asked(three: Rig) -> None:
    async with three.calls() as (_chain, minting):
        made = await three.signed(minting, three.order(), await three.next_nonce())
        for proxy in three.proxies:
            proxy.asked.clear()
        await minting.broadcast(made)
        async with asyncio.timeout(20):
            for proxy in three.proxies:  # the slower ones' sends go on after the first took it
                while "eth_sendRawTransaction" not in proxy.asked:
                    proxy.was_asked.clear()
                    await proxy.was_asked.wait()


async def test_nobody_there_is_unavailable_and_silence_is_unknown(three: Rig) -> None:
    settings = three.settings(**QUICK)
    async with three.calls() as (_chain, minting):
        made = await three.signed(minting, three.order(), await three.next_nonce())
    gone = tuple(Endpoint(name=each.name, url="http://127.0.0.1:9/a-secret-key") for each in settings.endpoints)
    signer = LocalSigner(three.node.keys["settler"])
    async with (
        Chain(three.settings(endpoints=gone, **QUICK)) as away,
        MintingCalls(away, signer, MintingSettings()) as alone,
    ):
        with pytest.raises(Unavailable) as caught:
            await alone.broadcast(made)
        assert "secret" not in str(caught.value)
    async with Chain(settings) as chain, MintingCalls(chain, signer, MintingSettings()) as minting:
        await chain.head()
        for proxy in three.proxies:
            proxy.fault = "timeout"
        with pytest.raises(Unknown) as unknown:
            await minting.broadcast(made)
        assert "secret" not in str(unknown.value)
        three.proxies[0].fault = three.proxies[1].fault = three.proxies[2].fault = "limited"
        with pytest.raises(Unknown, match="busy"):  # said by each, and proof of nothing
            await minting.broadcast(made)


async def test_a_relay_alone_sees_a_transaction_first(three: Rig) -> None:
    relay = three.proxies.pop()
    named = Endpoint(name="relay", url=relay.url)
    async with three.calls(relay=named) as (chain, minting):
        made = await three.settle(minting, three.order())
        receipt = await chain.receipt(made.tx_hash)
        assert receipt is not None
        assert receipt.succeeded
        assert relay.asked.count("eth_sendRawTransaction") == 1
        assert all("eth_sendRawTransaction" not in proxy.asked for proxy in three.proxies)
        await minting.broadcast(made)  # its nonce is used, by itself
        relay.fault = "timeout"
        with pytest.raises(Unknown, match="relay"):
            await minting.broadcast(made)


async def test_a_relay_that_refuses_is_believed(three: Rig) -> None:
    relay = three.proxies.pop()
    async with three.calls(relay=Endpoint(name="relay", url=relay.url)) as (_chain, minting):
        nonce = await three.next_nonce()
        await three.settle(minting, three.order())
        late = await three.signed(minting, three.order(), nonce)
        with pytest.raises(Rejected, match="NONCE_TOO_LOW"):
            await minting.broadcast(late)
