"""The public routes: quotes, orders and their codes, decided by the real handler."""

import json
from uuid import UUID

import httpx
import msgspec
import pytest

from api.http.house import HttpSettings
from api.http.throttle import Rate
from domain.quantity import Num
from domain.refusal import Unavailable, Unknown
from tests.support.given import a_book, a_policy
from tests.support.shop import BENEFACTOR, STRANGER, STRANGER_KEY, UNBOUNDED, Shop, code


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def still() -> Shop:
    """Give one shop to the tests that leave nothing behind that the others see."""
    return Shop()


async def quoted(shop: Shop, client: httpx.AsyncClient, **changes: str) -> dict[str, str]:
    answer = await client.get("/rfq", params=shop.rfq(**changes))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def placed(shop: Shop, client: httpx.AsyncClient, body: dict[str, object], **query: str) -> httpx.Response:
    return await client.post("/order", params={"signature": shop.sign(body), **query}, json=body)


async def test_a_quote_has_the_shape_of_the_official_api(shop: Shop) -> None:
    async with shop.client() as client:
        answer = await client.get("/rfq", params=shop.rfq(pair="weth/usde"))
    quote = answer.json()
    assert list(quote) == [
        "rfq_id", "pair", "side", "size", "gas", "collateral_asset", "collateral_amount", "usde_amount",
    ]  # fmt: skip
    assert quote["rfq_id"].startswith("RFQ-")
    assert (quote["pair"], quote["side"], quote["size"], quote["gas"]) == ("WETH/USDe", "MINT", 1.5, 0.5)
    assert quote["collateral_amount"] == "1500000000000000000"
    assert quote["usde_amount"].isdigit()
    assert answer.headers["cache-control"] == "no-store"


async def test_a_mint_goes_from_quote_to_completed(shop: Shop) -> None:
    async with shop.client() as client:
        order = shop.order(await quoted(shop, client))
        answer = await placed(shop, client, order)
        assert answer.status_code == 202
        assert (answer.json()["order_id"], answer.json()["state"], code(answer)) == (
            order["order_id"],
            "accepted",
            "36",
        )
        bare = str(order["order_id"]).removeprefix("RFQ-").upper()
        for order_id in (str(order["order_id"]), bare, f"rfq-{bare}"):
            followed = await client.get("/order-confirmation", params={"order_id": order_id})
            assert (followed.status_code, code(followed)) == (202, "36")
            assert followed.json()["state"] == "hedging"
        assert "request.accepted.v2" in [event.topic for event in shop.core.log.events]
        assert shop.core.asked[-1].actor == f"benefactor:{BENEFACTOR}"


async def test_a_held_pair_completes_and_is_confirmed_with_its_transaction(shop: Shop) -> None:
    async with shop.client() as client:
        order = shop.order(await quoted(shop, client, pair="USDT/USDe", size="1000"))
        assert (await placed(shop, client, order)).status_code == 202
        settlement = next(iter(shop.core.desk.book.settlements.values())).requested
        body = {
            "settlement_id": str(settlement.settlement_id),
            "request_id": str(settlement.request_id),
            "reference": "0xabc",
        }
        reply = await shop.core.request("settlement.confirmed", json.dumps(body).encode(), UUID(int=9), "chain", "")
        assert reply.status == "accepted", reply
        followed = await client.get("/order-confirmation", params={"order_id": str(order["order_id"])})
    assert followed.status_code == 200
    assert followed.json() == {"order_id": order["order_id"], "state": "completed", "tx": "0xabc"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"pair": None}, "0"),
        ({"pair": ""}, "0"),
        ({"type_": None}, "0"),
        ({"side": None}, "0"),
        ({"size": None}, "0"),
        ({"benefactor": None}, "0"),
        ({"pair": "DOGE/USDe"}, "3"),
        ({"side": "BUY"}, "4"),
        ({"side": "mint"}, "4"),
        ({"type_": "algo"}, "16"),
        *(({"size": size}, "6") for size in ("x", "nan", "inf", "-inf", "1_0", "0x10", "1,5", "\u0661", "1e", " 1")),
        ({"size": "1e999"}, "6"),
        *(({"size": size}, "7") for size in ("0", "-1", "0.000", "-0", "-1e-5")),
        *(({"size": size}, "5") for size in ("1.0000000000000000001", "1234567890123456789", "1e-31", "1" * 81)),
        ({"size": "1e31"}, "9"),
        ({"size": "1e9"}, "17"),
        ({"size": "0.0000000000001"}, "8"),
        *(({"benefactor": who}, "30") for who in ("me", "0x12", "0x" + "0" * 40, "0x" + "g" * 40)),
        ({"benefactor": STRANGER}, "25"),
    ],
)  # fmt: skip
async def test_each_fault_of_a_quote_has_its_code(still: Shop, changes: dict[str, str | None], expected: str) -> None:
    async with still.client() as client:
        answer = await client.get("/rfq", params=still.rfq(**changes))
    assert (answer.status_code, code(answer)) == (400, expected)
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"]["error_name"]


async def test_codes_of_a_quote_take_precedence_in_order() -> None:
    shop = Shop(HttpSettings(source_rate=UNBOUNDED, benefactor_rate=UNBOUNDED))
    wrong = {"pair": "x", "side": "x", "type_": "x", "size": "x", "benefactor": "x"}
    mended = ["pair", "side", "type_", "size"]
    async with shop.client() as client:
        told = [code(await client.get("/rfq", params={**wrong, "size": ""}))]
        for name in ("", *mended):
            wrong |= {name: shop.rfq()[name]} if name and name != "size" else {}
            if name == "size":
                sizes = ("-1.0000000000000000001", "1.0000000000000000001", "1")
                told += [code(await client.get("/rfq", params=wrong | {"size": size})) for size in sizes]
            else:
                told.append(code(await client.get("/rfq", params=wrong)))
    assert told == ["0", "3", "4", "16", "6", "7", "5", "30"]


@pytest.mark.parametrize("size", ["+1.5", "1.5", "01.5", "1.50000000000000000000", "15e-1", "1.", ".5", "1E+1"])
async def test_sizes_are_read_as_numbers_are_written(still: Shop, size: str) -> None:
    async with still.client() as client:
        quote = await quoted(still, client, size=size)
    assert quote["size"] == float(size)


async def test_a_size_of_18_figures_comes_back_exactly(shop: Shop) -> None:
    async with shop.client() as client:
        answer = await client.get("/rfq", params=shop.rfq(size="1.23456789012345678"))
    assert '"size":1.23456789012345678,' in answer.text
    assert answer.json()["collateral_amount"] == "1234567890123456780"


@pytest.mark.parametrize("form", [int, str])
async def test_amounts_come_as_integers_or_strings(shop: Shop, form: type) -> None:
    async with shop.client() as client:
        order = shop.order(await quoted(shop, client))
        sent = order | {name: form(order[name]) for name in ("collateral_amount", "usde_amount", "expiry", "nonce")}
        answer = await client.post("/order", params={"signature": shop.sign(order)}, json=sent)
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"order_id": None}, "29"),
        ({"order_id": 7}, "29"),
        ({"order_id": ""}, "19"),
        ({"order_id": "RFQ-1"}, "19"),
        ({"order_id": "RFQ-6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001"}, "19"),
        ({"order_type": "SWAP"}, "29"),
        ({"order_type": "REDEEM"}, "19"),
        ({"expiry": None}, "29"),
        ({"expiry": -1}, "29"),
        ({"expiry": 1.5}, "29"),
        ({"expiry": 10**40}, "29"),
        ({"expiry": 2**120}, "29"),
        ({"expiry": 1_700_000_029}, "23"),
        ({"nonce": 0}, "29"),
        ({"nonce": 2**120}, "29"),
        ({"nonce": "1e3"}, "29"),
        ({"beneficiary": "0x12"}, "30"),
        ({"collateral_asset": "USDT"}, "30"),
        ({"benefactor": "0x" + "0" * 40}, "30"),
        ({"beneficiary": STRANGER}, "26"),
        ({"collateral_asset": "0x" + "77" * 20}, "2"),
        ({"collateral_asset": "0x00000000000000000000000000000000000000d1"}, "19"),
        ({"collateral_amount": 1_500_000_000_000_000_001}, "19"),
        ({"collateral_amount": 0}, "29"),
        ({"collateral_amount": "-1"}, "29"),
        ({"collateral_amount": "1.0"}, "29"),
        ({"collateral_amount": "\u0661"}, "29"),
        ({"collateral_amount": 2**128}, "29"),
        ({"collateral_amount": True}, "29"),
        ({"usde_amount": [1]}, "29"),
        ({"usde_amount": "1" * 400}, "29"),
    ],
)
async def test_each_fault_of_an_order_has_its_code(still: Shop, changes: dict[str, object], expected: str) -> None:
    async with still.client() as client:
        good = still.order(await quoted(still, client))
        order = {name: value for name, value in (good | changes).items() if value is not None}
        try:
            signature = still.sign(order)
        except (ValueError, OverflowError, AttributeError, TypeError, KeyError):
            signature = still.sign(good)
        answer = await client.post("/order", params={"signature": signature}, json=order)
    assert (answer.status_code, code(answer)) == (400, expected), answer.text


async def test_an_order_off_by_one_atom_is_refused_and_the_exact_one_still_accepted(shop: Shop) -> None:
    async with shop.client() as client:
        exact = shop.order(await quoted(shop, client))
        for name in ("collateral_amount", "usde_amount"):
            for off in (-1, 1):
                wrong = exact | {name: int(str(exact[name])) + off}
                answer = await placed(shop, client, wrong)
                assert (code(answer), answer.json()["error"]["reason"]) == ("19", "quote_mismatch")
        assert (await placed(shop, client, exact)).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"\xff\xfe",
        b"{}",
        b'{"order_id":"\\ud800"}',
        b"[" * 9_000,
        b"{" * 5_000,
    ],
)
async def test_what_is_no_order_is_29_and_reaches_nobody(shop: Shop, body: bytes) -> None:
    head = len(shop.core.log.events)
    async with shop.client() as client:
        answer = await client.post("/order", params={"signature": "0x" + "11" * 65}, content=body)
        numbers = (await client.get("/metrics")).text
    assert (answer.status_code, code(answer)) == (400, "29")
    assert not shop.core.asked
    assert len(shop.core.log.events) == head
    assert 'ballast_http_malformed_total{code="29",role="api",route="/order"} 1' in numbers


async def test_a_body_or_query_too_long_is_29(shop: Shop) -> None:
    async with shop.client() as client:
        long_body = await client.post("/order", params={"signature": "0x"}, content=b'{"a":"' + b"x" * 20_000 + b'"}')
        long_query = await client.get("/rfq", params={"pair": "x" * 5_000})
    assert (long_body.status_code, code(long_body)) == (400, "29")
    assert (long_query.status_code, code(long_query)) == (400, "29")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({}, "signature is required"),
        ({"signature": "0x12"}, "65 bytes"),
        ({"signature": "nothing"}, "hex"),
        ({"signature": "0x" + "11" * 64 + "00"}, "v is"),
        ({"signature": "0x" + "11" * 65, "signature_type": "EIP1271"}, "need the chain"),
        ({"signature": "0x" + "11" * 65, "signature_type": "MAGIC"}, "signature_type"),
    ],
)
async def test_a_malformed_signature_is_29_and_says_how(still: Shop, query: dict[str, str], told: str) -> None:
    async with still.client() as client:
        order = still.order(await quoted(still, client))
        asked = len(still.core.asked)
        answer = await client.post("/order", params=query, json=order)
    assert (answer.status_code, code(answer)) == (400, "29")
    assert told in answer.json()["error"]["detail"]
    assert len(still.core.asked) == asked


async def test_a_strangers_signature_is_refused_and_never_appended(shop: Shop) -> None:
    async with shop.client() as client:
        order = shop.order(await quoted(shop, client))
        asked = len(shop.core.asked)
        answer = await client.post("/order", params={"signature": shop.sign(order, STRANGER_KEY)}, json=order)
    assert (answer.status_code, code(answer)) == (400, "29")
    assert len(shop.core.asked) == asked


async def test_the_same_signed_order_again_has_the_same_outcome(shop: Shop) -> None:
    async with shop.client() as client:
        order = shop.order(await quoted(shop, client))
        signature = shop.sign(order)
        first = await client.post("/order", params={"signature": signature}, json=order)
        head = len(shop.core.log.events)
        shouted = "0x" + signature[2:].upper()
        checksummed = order | {"benefactor": "0x" + BENEFACTOR[2:].upper(), "nonce": str(order["nonce"])}
        for form, body in ((signature, order), (shouted, order), (signature, checksummed)):
            again = await client.post("/order", params={"signature": form}, json=body)
            assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert len(shop.core.log.events) == head
        assert len({asked.command_id for asked in shop.core.asked[1:]}) == 1


async def test_a_quote_is_used_once_and_a_nonce_too(shop: Shop) -> None:
    async with shop.client() as client:
        quote, other = await quoted(shop, client), await quoted(shop, client)
        order = shop.order(quote)
        assert (await placed(shop, client, order)).status_code == 202
        used = await placed(shop, client, shop.order(quote))
        assert (used.status_code, code(used)) == (409, "37")
        replayed = await placed(shop, client, shop.order(other, nonce=order["nonce"]))
        assert code(replayed) == "24"


async def test_an_expired_quote_is_18_and_a_moved_market_20(shop: Shop) -> None:
    async with shop.client() as client:
        stale, moved = await quoted(shop, client), await quoted(shop, client)
        shop.core.desk.evidence = (a_book("1900", "1900.1"),)
        assert code(await placed(shop, client, shop.order(moved))) == "20"
        shop.core.desk.now_us += 16_000_000
        assert code(await placed(shop, client, shop.order(stale))) == "18"


async def test_state_refusals_have_their_codes(shop: Shop) -> None:
    async with shop.client() as client:
        shop.core.desk.evidence = ()
        assert code(await client.get("/rfq", params=shop.rfq())) == "33"
        shop.core.desk.evidence = (a_book(age_ms=10_000),)
        assert code(await client.get("/rfq", params=shop.rfq())) == "33"
        shop.core.desk.evidence = (a_book(depth="1000"),)
        assert code(await client.get("/rfq", params=shop.rfq(size="100"))) == "9"
        halt = {"scope": "global", "mode": "HALTED", "reason": "test"}
        await client.post("/v1/mode", json=halt, headers=shop.bearer("operator"))
        refused = await client.get("/rfq", params=shop.rfq())
        assert code(refused) == "1"
        assert refused.json()["error"] == {
            "error_code": "1",
            "error_name": "temporarily unavailable",
            "reason": "halted",
        }
        assert (await client.get("/asset-availability")).json() == {"mint": [], "redeem": []}


async def test_a_pair_is_available_as_long_as_one_of_its_venues_is() -> None:
    first = a_policy().instruments[0]
    second = msgspec.structs.replace(first, venue="bybit")
    shop = Shop(policy=a_policy(benefactors=(BENEFACTOR,), instruments=(first, second)))
    both = ["WETH/USDe", "USDT/USDe"]
    async with shop.client() as client:
        for venue, left in (("binanceusdm", both), ("bybit", both[1:])):
            change = {"scope": f"venue:{venue}", "mode": "HALTED", "reason": "test"}
            await client.post("/v1/mode", json=change, headers=shop.bearer("risk"))
            assert (await client.get("/asset-availability")).json() == {"mint": left, "redeem": left}


async def test_availability_follows_the_modes(shop: Shop) -> None:
    async with shop.client() as client:
        both = ["WETH/USDe", "USDT/USDe"]
        assert (await client.get("/asset-availability")).json() == {"mint": both, "redeem": both}
        change = {"scope": "asset:ETH", "mode": "REDUCE_ONLY", "reason": "test"}
        await client.post("/v1/mode", json=change, headers=shop.bearer("risk"))
        assert (await client.get("/asset-availability")).json() == {"mint": both[1:], "redeem": both}
        change = {"scope": "venue:binanceusdm", "mode": "HALTED", "reason": "test"}
        await client.post("/v1/mode", json=change, headers=shop.bearer("risk"))
        assert (await client.get("/asset-availability")).json() == {"mint": both[1:], "redeem": both[1:]}


async def test_fees_are_in_basis_points_and_for_the_whitelisted(shop: Shop) -> None:
    async with shop.client() as client:
        fees = (await client.get("/fees", params={"benefactor": BENEFACTOR})).json()["fees"]
        assert fees[0] == {"pair": "WETH/USDe", "token": "WETH", "mint_bps": "7", "redeem_bps": "7"}
        assert (await client.get("/fees")).status_code == 200
        assert code(await client.get("/fees", params={"benefactor": STRANGER})) == "31"
        assert code(await client.get("/fees", params={"benefactor": "x"})) == "30"


async def test_without_a_policy_everything_is_unavailable(shop: Shop) -> None:
    shop.policy = None
    async with shop.client() as client:
        for path in ("/rfq", "/fees", "/asset-availability"):
            assert code(await client.get(path, params=shop.rfq() if path == "/rfq" else None)) == "1"


async def test_an_unknown_order_is_404_with_35(shop: Shop) -> None:
    async with shop.client() as client:
        for order_id in ("RFQ-6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001", "nonsense", "x" * 500):
            answer = await client.get("/order-confirmation", params={"order_id": order_id})
            assert (answer.status_code, code(answer)) == (404, "35")
        assert code(await client.get("/order-confirmation")) == "29"


async def test_an_order_just_accepted_is_never_not_found(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.confirming.CONFIRMATION_WAIT_S", 0.05)
    shop.core.fold_views = False
    async with shop.client() as client:
        order = shop.order(await quoted(shop, client))
        assert (await placed(shop, client, order)).status_code == 202
        answer = await client.get("/order-confirmation", params={"order_id": str(order["order_id"])})
    assert (answer.status_code, answer.json()["state"]) == (202, "accepted")


@pytest.mark.parametrize(
    ("fault", "rfq_code", "order_code"), [(Unavailable("no core"), "1", "1"), (Unknown("no reply"), "1", "21")]
)
async def test_a_core_that_does_not_answer(shop: Shop, fault: Exception, rfq_code: str, order_code: str) -> None:
    async with shop.client() as client:
        order = shop.order(await quoted(shop, client))
        shop.core.fault = fault
        rfq, answer = await client.get("/rfq", params=shop.rfq()), await placed(shop, client, order)
        assert (rfq.status_code, code(rfq)) == (400, rfq_code)
        assert (answer.status_code, code(answer)) == (400, order_code)
        shop.core.fault = None
        assert (await placed(shop, client, order)).status_code == 202


@pytest.mark.parametrize(("status", "expected"), [("busy", "1"), ("stopping", "1"), ("malformed", "29")])
async def test_replies_that_decided_nothing(shop: Shop, status: str, expected: str) -> None:
    shop.core.status = status
    async with shop.client() as client:
        assert code(await client.get("/rfq", params=shop.rfq())) == expected


async def test_a_quote_is_asked_once_under_an_idempotency_key(shop: Shop) -> None:
    async with shop.client() as client, shop.client("10.0.0.2") as elsewhere:
        headers = {"Idempotency-Key": "one"}
        first = await client.get("/rfq", params=shop.rfq(), headers=headers)
        again = await client.get("/rfq", params=shop.rfq(), headers=headers)
        assert first.json() == again.json()
        other = await elsewhere.get("/rfq", params=shop.rfq(), headers=headers)
        assert other.json()["rfq_id"] != first.json()["rfq_id"]
        reused = await client.get("/rfq", params=shop.rfq(size="2"), headers=headers)
        assert code(reused) == "29"
        fresh = await client.get("/rfq", params=shop.rfq())
        assert fresh.json()["rfq_id"] != first.json()["rfq_id"]
        assert code(await client.get("/rfq", params=shop.rfq(), headers={"Idempotency-Key": "x" * 256})) == "29"


async def test_a_source_that_asks_too_often_is_throttled_and_nobody_else() -> None:
    shop = Shop(HttpSettings(source_rate=Rate(per_s=50, burst=50), benefactor_rate=UNBOUNDED))
    async with shop.client("10.0.0.1") as client, shop.client("10.0.0.2") as other:
        for _ in range(50):
            assert (await client.get("/fees")).status_code == 200
        answer = await client.get("/rfq")  # 28 comes before 0
        assert (answer.status_code, code(answer), answer.headers["retry-after"]) == (429, "28", "1")
        assert (await other.get("/fees")).status_code == 200
        assert (await client.get("/v1/mode", headers=shop.bearer("viewer"))).status_code == 200
        shop.now_s += 1
        assert (await client.get("/fees")).status_code == 200


async def test_a_stranger_naming_a_benefactor_spends_only_his_own() -> None:
    shop = Shop(HttpSettings(source_rate=UNBOUNDED, benefactor_rate=Rate(per_s=20, burst=20)))
    async with shop.client("10.0.0.66") as stranger, shop.client("10.0.0.1") as owner:
        answers = [await stranger.get("/rfq", params=shop.rfq()) for _ in range(25)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 5
        assert (await owner.get("/rfq", params=shop.rfq())).status_code == 200


async def test_an_order_replayed_by_strangers_costs_its_signer_nothing() -> None:
    shop = Shop(HttpSettings(source_rate=UNBOUNDED, benefactor_rate=Rate(per_s=2, burst=2), order_wait_ms=0))
    async with shop.client("10.0.0.1") as owner, shop.client("10.0.0.66") as stranger:
        quotes = [await quoted(shop, owner), await quoted(shop, owner)]
        shop.now_s += 10
        quotes += [await quoted(shop, owner), await quoted(shop, owner)]
        order = shop.order(quotes[0])
        old = shop.order(quotes[3], expiry=1_600_000_000)
        assert (await placed(shop, owner, order)).status_code == 202
        for _ in range(5):
            assert (await placed(shop, stranger, order)).status_code == 202
            assert code(await placed(shop, stranger, old)) == "23"
        assert (await placed(shop, owner, shop.order(quotes[1]))).status_code == 202
        throttled = await placed(shop, owner, shop.order(quotes[2]))
        assert (throttled.status_code, code(throttled)) == (429, "28")


async def test_a_forwarded_address_counts_only_behind_a_trusted_proxy() -> None:
    settings = HttpSettings(
        source_rate=Rate(per_s=1, burst=1), benefactor_rate=UNBOUNDED, trusted_proxies=frozenset({"10.0.0.9"})
    )
    shop = Shop(settings)
    async with shop.client("10.0.0.9") as proxy, shop.client("10.0.0.1") as direct:
        for host in ("1.1.1.1", "2.2.2.2"):
            assert (await proxy.get("/fees", headers={"X-Forwarded-For": f"9.9.9.9, {host}"})).status_code == 200
        assert (await proxy.get("/fees", headers={"X-Forwarded-For": "7.7.7.7, 1.1.1.1"})).status_code == 429
        assert (await direct.get("/fees", headers={"X-Forwarded-For": "3.3.3.3"})).status_code == 200
        assert (await direct.get("/fees", headers={"X-Forwarded-For": "4.4.4.4"})).status_code == 429


async def test_gas_above_the_size_is_8() -> None:
    shop = Shop(policy=a_policy(benefactors=(BENEFACTOR,), gas=Num(50)))
    async with shop.client() as client:
        assert code(await client.get("/rfq", params=shop.rfq(pair="USDT/USDe", size="49"))) == "8"


async def test_browsers_elsewhere_may_ask(shop: Shop) -> None:
    async with shop.client() as client:
        headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        preflight = await client.options("/order", headers=headers)
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "POST" in preflight.headers["access-control-allow-methods"]
        answer = await client.get("/fees", headers={"Origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "*"
