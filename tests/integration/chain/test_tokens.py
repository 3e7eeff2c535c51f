"""What the chain tells of tokens: how many dollars there are, and what a staked token stands for."""

import pytest
from eth_abi.abi import encode

from adapters.chain.reading import Chain
from adapters.simulators.chain.contracts.artefacts import artefact
from commands.chain_ports import View
from domain.refusal import Rejected, Unavailable
from tests.integration.chain.rig import DOLLAR, Rig

NOBODY = "0x" + "77" * 20
RATE = 1_234_567_890_123_456_789


async def test_the_total_of_the_issued_token_is_that_of_the_block(rig: Rig) -> None:
    token = rig.node.deployed.issued.lower()
    async with rig.calls() as (_, minting), Chain(rig.settings(issued_token=token)) as chain:
        before = await chain.head()
        told = await chain.issued(before.number)
        assert (told.token, told.block_number, told.block_hash) == (token, before.number, before.block_hash)
        await rig.settle(minting, rig.order())
        after = await chain.issued((await chain.head()).number)
        assert after.total == told.total + 100 * DOLLAR
        assert (await chain.issued(before.number)).total == told.total
        with pytest.raises(Unavailable, match="quorum_missing"):
            await chain.issued((await chain.head()).number + 5)


async def test_endpoints_must_agree_on_the_total(three: Rig) -> None:
    async with Chain(three.settings()) as chain:
        number = (await chain.head()).number
        told = await chain.issued(number)
        three.proxies[0].fault = "hang_up"
        assert await chain.issued(number) == told
        three.proxies[1].fault = "hang_up"
        with pytest.raises(Unavailable, match="quorum_missing"):
            await chain.issued(number)


async def test_a_token_that_is_another_than_the_contract_issues_is_told(rig: Rig) -> None:
    async with Chain(rig.settings(issued_token=rig.usdt)) as chain:
        with pytest.raises(Unavailable, match="contract_differs: it issues"):
            await chain.issued((await chain.head()).number)
    async with Chain(rig.settings(minting_contract=rig.usdt)) as chain:
        with pytest.raises(Unavailable, match="contract_differs: usde"):
            await chain.issued((await chain.head()).number)


async def test_what_a_staked_token_stands_for_is_read_in_the_words_of_each_protocol(rig: Rig) -> None:
    made = bytes.fromhex(artefact("staked").bytecode[2:]) + encode(["uint256"], [RATE])
    contract = (await rig.send("admin", None, made, 3_000_000))["contractAddress"].lower()
    async with Chain(rig.settings()) as chain:
        before = (await chain.head()).number
        for function in ("stEthPerToken()", "getExchangeRate()", "exchangeRate()"):
            assert await chain.number_of(View(contract=contract, function=function), before) == RATE
        shares = View(contract=contract, function="convertToAssets(uint256)", arguments=(2 * 10**18,))
        assert await chain.number_of(shares, before) == 2 * RATE
        await rig.do("admin", "setRate(uint256)", RATE + 1, to=contract)
        after = (await chain.head()).number
        assert await chain.number_of(View(contract=contract, function="exchangeRate()"), after) == RATE + 1
        assert await chain.number_of(View(contract=contract, function="exchangeRate()"), before) == RATE


@pytest.mark.parametrize(
    ("function", "why"),
    [("rate()", "REVERTED"), ("convertToAssets(uint256)", "OUT_OF_BOUNDS"), ("exchangeRate()", "NO_NUMBER")],
)
async def test_what_is_no_number_of_a_view_is_refused(rig: Rig, function: str, why: str) -> None:
    made = bytes.fromhex(artefact("staked").bytecode[2:]) + encode(["uint256"], [RATE])
    contract = (await rig.send("admin", None, made, 3_000_000))["contractAddress"].lower()
    async with Chain(rig.settings()) as chain:
        where = NOBODY if why == "NO_NUMBER" else contract  # where there is no code every call answers nothing
        with pytest.raises(Rejected, match=why):
            await chain.number_of(View(contract=where, function=function), (await chain.head()).number)
