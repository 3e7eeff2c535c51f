"""Whatever is sent, the answer is never 500, errors keep their shape, and what is malformed changes nothing."""

import asyncio
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.shop import BENEFACTOR, Shop

SHOP = Shop()
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.text(max_size=60)
NUMBERS = st.one_of(TEXT, st.decimals().map(str), st.integers().map(str), st.floats().map(str))
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**140), 2**140), st.floats(allow_nan=False, allow_infinity=False), TEXT
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
PATHS = [
    *("/rfq", "/fees", "/order-confirmation", "/asset-availability", "/v1/quotes", "/v1/events", "/v1/indicative/x"),
    *("/v1/hedges", "/v1/hedges/x", "/v1/hedges/00000000-0000-0000-0000-000000000005", "/v1/costs"),
    *("/v1/market", "/v1/series/market_trades", "/v1/series/oracle_prices", "/v1/series/x"),
]


def ask(method: str, path: str, **options: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        async with SHOP.client() as client:
            return await client.request(method, path, **options)

    return asyncio.run(once())


def checked(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert error["error_code"]
        assert error["error_name"]


def pick(good: str, other: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(good), other)


@FEW
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "pair": pick("WETH/USDe", TEXT),
            "type_": pick("ALGO", TEXT),
            "side": st.one_of(st.sampled_from(["MINT", "REDEEM"]), TEXT),
            "size": NUMBERS,
            "benefactor": pick(BENEFACTOR, TEXT),
        },
    )
)
def test_any_quote(params: dict[str, str]) -> None:
    head = len(SHOP.core.log.events)
    answer = ask("GET", "/rfq", params=params)
    checked(answer)
    assert answer.status_code in {200, 400}
    if answer.status_code == 400 and answer.json()["error"]["error_code"] in {"0", "3", "4", "16", "6", "7", "5", "30"}:
        assert len(SHOP.core.log.events) == head


ORDER_FIELDS = {
    "order_id": pick("RFQ-6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001", TEXT),
    "order_type": pick("MINT", TEXT),
    "benefactor": pick(BENEFACTOR, TEXT),
    "beneficiary": pick(BENEFACTOR, TEXT),
    "collateral_asset": pick(BENEFACTOR, TEXT),
    **{
        name: st.one_of(st.integers(0, 2**129), JSON)
        for name in ("expiry", "nonce", "collateral_amount", "usde_amount")
    },
}


@FEW
@given(
    body=st.one_of(st.fixed_dictionaries(ORDER_FIELDS), st.fixed_dictionaries({}, optional=ORDER_FIELDS), JSON),
    signature=st.one_of(TEXT, st.binary(min_size=65, max_size=65).map(lambda raw: "0x" + raw.hex())),
)
def test_any_order(body: object, signature: str) -> None:
    head, asked = len(SHOP.core.log.events), len(SHOP.core.asked)
    answer = ask("POST", "/order", params={"signature": signature}, json=body)
    checked(answer)
    assert answer.status_code == 400
    assert (len(SHOP.core.log.events), len(SHOP.core.asked)) == (head, asked)


@FEW
@given(st.binary(max_size=300))
def test_any_bytes_as_an_order(body: bytes) -> None:
    answer = ask("POST", "/order", params={"signature": "0x" + "11" * 65}, content=body)
    checked(answer)
    assert answer.json()["error"]["error_code"] in {"29", "19", "30"}


@FEW
@given(
    path=st.sampled_from(PATHS),
    query=st.one_of(
        st.binary(max_size=60).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw)),
        st.from_regex(
            r"((limit|after|at|wait_for|topic|pair|order_id|hedge_id|day|venue|symbol|from|to)=[0-9a-zA-Z:%.+~-]{0,30}&?){0,4}",
            fullmatch=True,
        ),
    ),
)
def test_any_query(path: str, query: str) -> None:
    if "wait_for" in query:
        query = query.replace("wait_for", "waitfor")  # waiting is tested where time is short
    checked(ask("GET", f"{path}?{query}", headers=SHOP.bearer("auditor")))


@FEW
@given(path=st.sampled_from(["/v1/limits", "/v1/mode", "/v1/alerts/x/acknowledge"]), body=JSON)
def test_any_command(path: str, body: object) -> None:
    checked(ask("POST", path, json=body, headers=SHOP.bearer("risk")))


@FEW
@given(st.binary(max_size=80))
def test_any_key(header: bytes) -> None:
    clean = bytes(byte for byte in header if byte >= 32 and byte != 127)
    answer = ask("GET", "/v1/mode", headers={b"authorization": b"Bearer " + clean})
    assert answer.status_code == 401
