"""Orders and their transactions: what is waited for, what is asked of the chain, and who may sign."""

import asyncio
import json
from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from api.following import Following
from api.http.house import HttpSettings
from api.http.placing import CHAIN_ASKED_MAX
from api.http.throttle import Rate
from api.replica import Replica
from commands.chain_ports import Wallet
from domain.book import Book
from domain.codec import encode
from domain.refusal import Unavailable
from domain.transaction import Errand
from tests.support.given import a_transaction, asset_terms, some_terms
from tests.support.shop import (
    BENEFACTOR,
    ISSUED_TOKEN,
    NO_WAIT,
    STRANGER,
    STRANGER_KEY,
    UNBOUNDED,
    MemoryChain,
    Shop,
    code,
)

WAITS = msgspec.structs.replace(NO_WAIT, order_wait_ms=5_000)
WITHIN_S = 5
CONTRACT_SIGNATURE = "0x" + "ab" * 97


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not done():  # noqa: ASYNC110 # what is waited for happens in this very loop
            await asyncio.sleep(0)


async def told(shop: Shop, kind: str, **body: object) -> None:
    reply = await shop.core.request(kind, encode(body), uuid4(), "chain", "")
    assert reply.status == "accepted", reply


def settlement(shop: Shop) -> UUID:
    return next(iter(shop.core.desk.book.settlements))


async def submit(shop: Shop, nonce: int = 0) -> str:
    transaction = a_transaction(nonce=nonce)
    await told(shop, "settlement.submit", settlement_id=settlement(shop), attempt=1, transaction=transaction)
    return transaction.tx_hash


async def an_order(shop: Shop, client: httpx.AsyncClient, **changes: object) -> dict[str, object]:
    quote = await client.get("/rfq", params=shop.rfq(pair="USDT/USDe", size="1000"))
    assert quote.status_code == 200, quote.text
    return shop.order(quote.json(), **changes)


async def place(shop: Shop, client: httpx.AsyncClient, order: dict[str, object], **query: str) -> httpx.Response:
    return await client.post("/order", params={"signature": shop.sign(order)} | query, json=order)


async def test_an_order_is_answered_with_its_transaction_as_soon_as_that_is_recorded() -> None:
    shop = Shop(WAITS)
    async with shop.client() as client:
        order = await an_order(shop, client)
        placing = asyncio.create_task(place(shop, client, order))
        await until(lambda: shop.core.desk.book.settlements)
        assert not placing.done()
        tx_hash = await submit(shop)
        async with asyncio.timeout(WITHIN_S):
            answer = await placing
        assert (answer.status_code, answer.json()) == (200, {"tx": tx_hash})
        again = await place(shop, client, order)
    assert (again.status_code, again.json()) == (200, {"tx": tx_hash})
    assert len([event for event in shop.core.log.events if event.topic == "request.accepted.v2"]) == 1


async def test_an_order_without_a_transaction_in_time_is_36_and_the_same_order_later_has_it() -> None:
    shop = Shop(msgspec.structs.replace(NO_WAIT, order_wait_ms=20))
    async with shop.client() as client:
        order = await an_order(shop, client)
        answer = await place(shop, client, order)
        assert (answer.status_code, code(answer)) == (202, "36")
        assert answer.json()["order_id"] == order["order_id"]
        tx_hash = await submit(shop)
        again = await place(shop, client, order)
        assert (again.status_code, again.json()) == (200, {"tx": tx_hash})
        replaced = a_transaction(gwei=40)
        await told(
            shop,
            "settlement.replace",
            settlement_id=settlement(shop),
            replaced_hash=tx_hash,
            transaction=replaced,
        )
        assert (await place(shop, client, order)).json() == {"tx": replaced.tx_hash}
        cancel = a_transaction(errand=Errand.CANCEL, gwei=60)
        await told(
            shop,
            "settlement.replace",
            settlement_id=settlement(shop),
            replaced_hash=replaced.tx_hash,
            transaction=cancel,
        )
        assert (await place(shop, client, order)).json() == {"tx": replaced.tx_hash}


@pytest.mark.parametrize(
    ("text", "expected"), [("InvalidNonce: used", "24"), ("order_expired: late", "23"), ("x", "20")]
)
async def test_a_request_that_falls_before_its_transaction_is_told_with_its_code(text: str, expected: str) -> None:
    shop = Shop(WAITS)
    async with shop.client() as client:
        order = await an_order(shop, client)
        placing = asyncio.create_task(place(shop, client, order))
        await until(lambda: shop.core.desk.book.settlements)
        await told(shop, "settlement.reverted", settlement_id=settlement(shop), text=text)
        async with asyncio.timeout(WITHIN_S):
            answer = await placing
        assert (answer.status_code, code(answer)) == (400, expected)
        shop.core.following = Following(Replica(Book(), 0))
        again = await place(shop, client, order)
        assert (again.status_code, code(again)) == (400, expected)


async def test_what_only_the_read_model_remembers_is_answered_from_it() -> None:
    shop = Shop(NO_WAIT)
    async with shop.client() as client:
        order = await an_order(shop, client)
        assert (await place(shop, client, order)).status_code == 202
        tx_hash = await submit(shop)
        receipt = {
            "tx_hash": tx_hash,
            "block_number": 101,
            "block_hash": "0x" + "11" * 32,
            "succeeded": True,
            "gas_used": 1,
            "gas_price_wei": 1,
        }
        await told(shop, "settlement.include", settlement_id=settlement(shop), receipt=receipt)
        await told(shop, "settlement.confirmed", settlement_id=settlement(shop), reference=tx_hash)
        shop.core.following._ended.clear()
        again = await place(shop, client, order)
        assert (again.status_code, again.json()) == (200, {"tx": tx_hash})
        confirmed = await client.get("/order-confirmation", params={"order_id": str(order["order_id"])})
    assert confirmed.status_code == 200
    assert confirmed.json() == {"order_id": order["order_id"], "state": "completed", "tx": tx_hash, "block": 101}


async def test_one_who_waits_is_told_apart_from_all_others() -> None:
    following = Following(Replica(Book(), 7))
    assert await following.transaction(UUID(int=1), 7, 1.0) is None
    waiting = await following.transaction(UUID(int=1), 8, 0.01)
    assert waiting is not None
    assert (waiting.state, waiting.tx, waiting.over) == ("accepted", "", False)
    assert not following._waiting


async def test_waiters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.following.WAITERS_MAX", 1)
    following = Following(Replica(Book(), 0))
    first = asyncio.create_task(following.transaction(UUID(int=1), 1, 60))
    await asyncio.sleep(0)
    async with asyncio.timeout(WITHIN_S):
        assert await following.transaction(UUID(int=2), 1, 60) is not None
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert not following._waiting


async def test_the_wallet_of_what_is_given_goes_to_the_book() -> None:
    chain = MemoryChain()
    shop = Shop(NO_WAIT, chain=chain)
    async with shop.client() as client:
        order = await an_order(shop, client)
        assert (await place(shop, client, order)).status_code == 202
        assert chain.asked == [(BENEFACTOR, order["collateral_asset"])]
        sent = json.loads(bytes(shop.core.asked[-1].body))
        assert sent["wallet"] == msgspec.to_builtins(chain.held)
        await place(shop, client, order)  # accepted already: nothing is asked again
        assert len(chain.asked) == 1
        redeem = order | {"order_type": "REDEEM"}
        assert code(await place(shop, client, redeem)) == "37"
        assert chain.asked[-1] == (BENEFACTOR, ISSUED_TOKEN)
        unknown = order | {"collateral_asset": "0x" + "77" * 20}
        assert code(await place(shop, client, unknown)) == "2"
    assert len(chain.asked) == 2


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (Wallet(block_number=1, balance=1, allowance=1 << 90), "11"),
        (Wallet(block_number=1, balance=1 << 90, allowance=1), "12"),
    ],
)
async def test_a_wallet_that_does_not_cover_it_has_its_code(held: Wallet, expected: str) -> None:
    chain = MemoryChain()
    shop = Shop(NO_WAIT, chain=chain)
    async with shop.client() as client:
        order = await an_order(shop, client)
        chain.held = held
        answer = await place(shop, client, order)
    assert (answer.status_code, code(answer)) == (400, expected)


async def test_a_chain_that_is_away_or_silent_is_code_1_and_nothing_is_decided() -> None:
    chain = MemoryChain()
    shop = Shop(msgspec.structs.replace(NO_WAIT, wallet_wait_ms=20), chain=chain)
    async with shop.client() as client:
        order = await an_order(shop, client)
        chain.fault = Unavailable("the endpoints do not agree")
        answers = [await place(shop, client, order)]
        chain.fault, chain.hang = None, True
        answers.append(await place(shop, client, order))
        assert [(answer.status_code, code(answer)) for answer in answers] == [(400, "1")] * 2
        assert {answer.headers["retry-after"] for answer in answers} == {"1"}
        assert all(envelope.kind != "request.accept" for envelope in shop.core.asked)
        chain.hang = False
        assert (await place(shop, client, order)).status_code == 202


async def test_only_so_many_orders_wait_for_the_chain() -> None:
    chain = MemoryChain()
    shop = Shop(msgspec.structs.replace(NO_WAIT, wallet_wait_ms=60_000), chain=chain)
    async with shop.client() as client:
        order = await an_order(shop, client)
        chain.hang = True
        others = [order | {"nonce": nonce} for nonce in range(2, CHAIN_ASKED_MAX + 2)]
        waiting = [asyncio.create_task(place(shop, client, other)) for other in others]
        await until(lambda: len(chain.asked) == CHAIN_ASKED_MAX)
        answer = await place(shop, client, order)
        assert code(answer) == "1"
        assert len(chain.asked) == CHAIN_ASKED_MAX
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_an_expired_order_is_told_so_without_asking_the_chain() -> None:
    chain = MemoryChain()
    shop = Shop(NO_WAIT, chain=chain)
    async with shop.client() as client:
        order = await an_order(shop, client, expiry=1)
        assert code(await place(shop, client, order)) == "23"
    assert not chain.asked


async def test_a_contract_wallet_signs_for_itself() -> None:
    chain = MemoryChain()
    shop = Shop(NO_WAIT, chain=chain)
    async with shop.client() as client:
        order = await an_order(shop, client)
        query = {"signature": CONTRACT_SIGNATURE, "signature_type": "EIP1271"}
        chain.owned = False
        refused = await client.post("/order", params=query, json=order)
        assert (refused.status_code, code(refused)) == (400, "29")
        assert all(envelope.kind != "request.accept" for envelope in shop.core.asked)
        chain.owned = True
        answer = await client.post("/order", params=query, json=order)
        assert answer.status_code == 202, answer.text
        empty = await client.post("/order", params=query | {"signature": "0x"}, json=order)
        assert code(empty) == "29"
    sent = json.loads(bytes(shop.core.asked[-1].body))
    assert (sent["signer"], sent["contract_signature"]) == (BENEFACTOR, True)


async def test_a_contract_signature_is_throttled_before_it_is_asked_about() -> None:
    chain = MemoryChain()
    settings = msgspec.structs.replace(NO_WAIT, benefactor_rate=Rate(per_s=1, burst=2))
    shop = Shop(settings, chain=chain)
    chain.owned = False
    async with shop.client() as client, shop.client("10.0.0.2") as other:
        order = await an_order(shop, client)
        query = {"signature": CONTRACT_SIGNATURE, "signature_type": "EIP1271"}
        tried = [await client.post("/order", params=query, json=order | {"nonce": nonce}) for nonce in range(5, 8)]
        assert [code(answer) for answer in tried] == ["29", "29", "28"]
        assert int(tried[-1].headers["retry-after"]) >= 1
        assert len(chain.asked) == 4  # wallet and signature, twice
        # Whoever names a benefactor spends his own budget, not the benefactor's.
        assert code(await other.post("/order", params=query, json=order)) == "29"


async def test_a_contract_signature_without_a_chain_is_29() -> None:
    shop = Shop(NO_WAIT)
    async with shop.client() as client:
        order = await an_order(shop, client)
        query = {"signature": CONTRACT_SIGNATURE, "signature_type": "EIP1271"}
        assert code(await client.post("/order", params=query, json=order)) == "29"


async def test_a_delegate_signs_once_the_chain_says_so_and_not_after_it_says_no() -> None:
    shop = Shop(NO_WAIT)
    async with shop.client() as client:
        order = await an_order(shop, client)
        delegated = {"signature": shop.sign(order, STRANGER_KEY)}
        refused = await client.post("/order", params=delegated, json=order)
        assert code(refused) == "29"
        assert all(envelope.kind != "request.accept" for envelope in shop.core.asked)
        change = {
            "kind": "delegate",
            "party": STRANGER,
            "owner": BENEFACTOR,
            "admitted": True,
            "block_number": 1,
            "block_hash": "0x" + "11" * 32,
            "tx_hash": "0x" + "22" * 32,
            "log_index": 0,
        }
        await told(shop, "party.record", change=change)
        assert (await client.post("/order", params=delegated, json=order)).status_code == 202
        assert shop.core.asked[-1].actor == f"benefactor:{STRANGER}"
        await told(shop, "party.record", change=change | {"admitted": False, "block_number": 2})
        other = await an_order(shop, client)
        assert (
            code(await client.post("/order", params={"signature": shop.sign(other, STRANGER_KEY)}, json=other)) == "29"
        )


async def test_what_the_contract_does_not_take_is_not_offered() -> None:
    shop = Shop(NO_WAIT)
    usdt = next(asset.address for asset in (shop.policy.assets if shop.policy else ()) if asset.symbol == "USDT")
    async with shop.client() as client:
        for asset, mint, redeem in (
            (asset_terms(usdt), True, True),
            (asset_terms(usdt, active=False), False, False),
            (asset_terms(usdt, max_mint_per_block=0), False, True),
            (asset_terms(usdt, max_redeem_per_block=0), True, False),
        ):
            await told(shop, "contract.observe", terms=some_terms(usdt=asset))
            offered = (await client.get("/asset-availability")).json()
            assert ("USDT/USDe" in offered["mint"], "USDT/USDe" in offered["redeem"]) == (mint, redeem)
        await told(shop, "contract.observe", terms=some_terms(global_max_mint_per_block=0))
        assert (await client.get("/asset-availability")).json()["mint"] == []


async def test_one_who_floods_is_throttled_and_harms_nobody() -> None:
    settings = HttpSettings(source_rate=Rate(per_s=50, burst=60), benefactor_rate=Rate(per_s=20, burst=30))
    shop = Shop(settings)
    async with shop.client("10.6.6.6") as flooder, shop.client() as other:
        flood = [await flooder.get("/rfq", params=shop.rfq()) for _ in range(100)]
        refused = [answer for answer in flood if answer.status_code == 429]
        assert len(refused) == 70
        assert {code(answer) for answer in refused} == {"28"}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert len(shop.core.asked) == 30  # the rest never reached the core
        answers = [await other.get("/rfq", params=shop.rfq()) for _ in range(30)]
        assert {answer.status_code for answer in answers} == {200}
        shop.now_s += 1
        assert (await flooder.get("/rfq", params=shop.rfq())).status_code == 200


@pytest.mark.parametrize("origin", ["https://app.example", "null"])
async def test_browsers_may_ask_from_anywhere_and_read_when_to_come_back(origin: str) -> None:
    shop = Shop(HttpSettings(source_rate=Rate(per_s=1, burst=1), benefactor_rate=UNBOUNDED))
    async with shop.client() as client:
        headers = {"Origin": origin}
        asked = headers | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        before = await client.options("/order", headers=asked)
        assert (before.status_code, before.headers["access-control-allow-origin"]) == (204, "*")
        assert "POST" in before.headers["access-control-allow-methods"]
        first = await client.get("/rfq", params=shop.rfq(), headers=headers)
        assert (first.status_code, first.headers["access-control-allow-origin"]) == (200, "*")
        throttled = await client.get("/rfq", params=shop.rfq(), headers=headers)
    assert throttled.status_code == 429
    assert throttled.headers["access-control-allow-origin"] == "*"
    assert "retry-after" in throttled.headers["access-control-expose-headers"].lower()
