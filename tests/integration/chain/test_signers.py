"""A signer of its own: what it signs is taken apart, and whatever is not exactly what was asked is refused."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web

from adapters.chain.calls import MINT, REDEEM
from adapters.chain.reading import Chain
from adapters.chain.sending import Sending
from adapters.chain.settings import ChainSettings, FeeSettings, RemoteSignerSettings, SendingSettings
from adapters.chain.signers import RemoteSigner
from adapters.rpc.settings import Endpoint
from adapters.rpc.web3_library import Account
from domain.refusal import Rejected, Unavailable
from domain.transaction import Errand, Fees

KEY, OTHER_KEY = "0x" + "4c" * 32, "0x" + "4d" * 32
ACCOUNT: Any = Account.from_key(KEY)
SENDER = str(ACCOUNT.address).lower()
CONTRACT = "0x" + "c0" * 20
THIEF = "0x" + "66" * 20
FEES = Fees(max_fee_wei=10**10, priority_fee_wei=10**9)
DATA = MINT + b"\x01" * 32

Answer = Callable[[dict[str, Any]], Any]


def signed(asked: dict[str, Any], key: str = KEY, **changes: Any) -> str:
    numbers = ("chainId", "nonce", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "value")
    fields = {name: int(asked[name], 16) for name in numbers} | {"to": bytes.fromhex(asked["to"][2:])}
    fields |= {"data": asked["data"], "type": 2} | changes
    return "0x" + bytes(Account.sign_transaction(fields, key).raw_transaction).hex()


def honest(asked: dict[str, Any]) -> Any:
    return signed(asked)


class SignerHouse:
    """Be a remote signer that answers as it is told to."""

    def __init__(self) -> None:
        self.answer: Answer = honest
        self.raw: bytes | None = None
        self.status = 200
        self.asked: list[Any] = []
        self.url = ""
        self.hang = False
        self._closed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator["SignerHouse"]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/a-secret-path"
        yield self
        self._closed.set()
        await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        asked: Any = msgspec.json.decode(await request.read())
        self.asked.append(asked)
        if self.hang:
            await self._closed.wait()
        if self.raw is not None:
            return web.Response(body=self.raw, status=self.status, content_type="application/json")
        try:
            body: dict[str, Any] = {"result": self.answer(asked["params"][0])}
        except PermissionError as error:
            body = {"error": {"code": -32010, "message": str(error)}}
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], **body})


@pytest.fixture
async def house() -> AsyncIterator[SignerHouse]:
    async with SignerHouse().running() as made:
        yield made


@pytest.fixture
async def sending(house: SignerHouse) -> AsyncIterator[Sending]:
    settings = ChainSettings(
        endpoints=(Endpoint(name="nobody", url="http://127.0.0.1:9/"),),
        quorum=1,
        chain_id=31_337,
        minting_contract=CONTRACT,
    )
    remote = RemoteSigner(RemoteSignerSettings(url=house.url, address=SENDER, timeout_ms=500))
    async with (
        Chain(settings) as chain,
        remote as signer,
        Sending(chain, signer, SendingSettings(), frozenset({MINT})) as made,
    ):
        yield made


async def test_an_honest_signer_s_transaction_is_taken(house: SignerHouse, sending: Sending) -> None:
    made = await sending.sign(Errand.SETTLE, DATA, 7, 300_000, FEES)
    assert (made.sender, made.nonce, made.gas_limit, made.fees) == (SENDER, 7, 300_000, FEES)
    assert house.asked[0]["method"] == "eth_signTransaction"
    assert house.asked[0]["params"][0]["to"] == CONTRACT
    assert Account.recover_transaction(made.raw).lower() == SENDER


async def test_the_answer_of_clef_is_taken(house: SignerHouse, sending: Sending) -> None:
    house.answer = lambda asked: {"raw": signed(asked), "tx": {}}
    assert (await sending.sign(Errand.SETTLE, DATA, 0, 300_000, FEES)).nonce == 0


async def test_a_cancel_goes_to_the_sender_itself_with_nothing(house: SignerHouse, sending: Sending) -> None:
    await sending.sign(Errand.CANCEL, DATA, 7, 21_000, FEES)
    asked = house.asked[0]["params"][0]
    assert (asked["to"], asked["data"], asked["value"]) == (SENDER, "0x", "0x0")


LIES: dict[str, Answer] = {
    "to": lambda asked: signed(asked, to=bytes.fromhex(THIEF[2:])),
    "value": lambda asked: signed(asked, value=1),
    "data": lambda asked: signed(asked, data=asked["data"] + "00"),
    "nonce": lambda asked: signed(asked, nonce=8),
    "gas_limit": lambda asked: signed(asked, gas=300_001),
    "max_fee_wei": lambda asked: signed(asked, maxFeePerGas=10**11),
    "priority_fee_wei": lambda asked: signed(asked, maxPriorityFeePerGas=10**9 + 1),
    "chain_id": lambda asked: signed(asked, chainId=1),
    "access_list": lambda asked: signed(asked, accessList=[{"address": THIEF, "storageKeys": []}]),
    "another key": lambda asked: signed(asked, key=OTHER_KEY),
    "no EIP-1559 transaction": lambda asked: signed(asked)[:2] + "01" + signed(asked)[4:],
    "cannot be read": lambda asked: signed(asked) + "00",
}


@pytest.mark.parametrize("what", LIES)
async def test_a_compromised_signer_is_refused_by_what_it_changed(
    house: SignerHouse, sending: Sending, what: str
) -> None:
    house.answer = LIES[what]
    with pytest.raises(Rejected) as caught:
        await sending.sign(Errand.SETTLE, DATA, 7, 300_000, FEES)
    assert caught.value.code == "SIGNER_LIED"
    assert what in caught.value.text


async def test_a_legacy_transaction_is_refused(house: SignerHouse, sending: Sending) -> None:
    def legacy(asked: dict[str, Any]) -> str:
        fields: dict[str, Any] = {
            "chainId": 31_337,
            "nonce": 7,
            "gas": 300_000,
            "gasPrice": 10**9,
            "to": CONTRACT,
            "value": 0,
        }
        fields["to"] = bytes.fromhex(CONTRACT[2:])
        return "0x" + bytes(Account.sign_transaction(fields | {"data": asked["data"]}, KEY).raw_transaction).hex()

    house.answer = legacy
    with pytest.raises(Rejected, match="SIGNER_LIED"):
        await sending.sign(Errand.SETTLE, DATA, 7, 300_000, FEES)


async def test_a_signer_that_refuses_is_rejected_without_its_words(house: SignerHouse, sending: Sending) -> None:
    def refuse(_asked: dict[str, Any]) -> str:
        raise PermissionError("policy 7 of a-secret-path forbids it")

    house.answer = refuse
    with pytest.raises(Rejected) as caught:
        await sending.sign(Errand.SETTLE, DATA, 7, 300_000, FEES)
    assert caught.value.code == "SIGNER_REFUSED"
    assert "-32010" in caught.value.text
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("answer", [None, 5, [], {}, {"raw": None}, "", "0x1", "02ab", "0x" + "00" * 20_000])
async def test_an_answer_that_cannot_be_read_is_none(house: SignerHouse, sending: Sending, answer: Any) -> None:
    house.answer = lambda _asked: answer
    with pytest.raises((Unavailable, Rejected)) as caught:
        await sending.sign(Errand.SETTLE, DATA, 7, 300_000, FEES)
    assert not isinstance(caught.value, Rejected) or caught.value.code == "SIGNER_LIED"


@pytest.mark.parametrize(
    ("raw", "status"), [(b"<html>", 200), (b"<html>", 502), (b"{", 200), (b"[" * 100_000, 200), (b"", 200)]
)
async def test_a_signer_that_is_broken_is_away(house: SignerHouse, sending: Sending, raw: bytes, status: int) -> None:
    house.raw, house.status = raw, status
    with pytest.raises(Unavailable) as caught:
        await sending.sign(Errand.SETTLE, DATA, 7, 300_000, FEES)
    assert "secret" not in str(caught.value)


async def test_a_signer_that_hangs_is_away_in_time(house: SignerHouse, sending: Sending) -> None:
    house.hang = True
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable, match="TimeoutError"):
            await sending.sign(Errand.SETTLE, DATA, 7, 300_000, FEES)


@pytest.mark.parametrize(
    ("data", "nonce", "gas", "fees", "code"),
    [
        (REDEEM, 0, 300_000, FEES, "LIMIT_CALL"),  # this sender is for mints alone
        (b"", 0, 300_000, FEES, "LIMIT_CALL"),
        (DATA, -1, 300_000, FEES, "LIMIT_CALL"),
        (DATA, 2**64, 300_000, FEES, "LIMIT_CALL"),
        (DATA, 0, 2_500_001, FEES, "LIMIT_GAS"),
        (DATA, 0, 0, FEES, "LIMIT_GAS"),
        (DATA, 0, 300_000, Fees(max_fee_wei=300 * 10**9 + 1, priority_fee_wei=1), "LIMIT_FEES"),
        (DATA, 0, 300_000, Fees(max_fee_wei=10**11, priority_fee_wei=20 * 10**9 + 1), "LIMIT_FEES"),
        (DATA, 0, 300_000, Fees(max_fee_wei=5, priority_fee_wei=6), "LIMIT_FEES"),
        (DATA, 0, 300_000, Fees(max_fee_wei=5, priority_fee_wei=0), "LIMIT_FEES"),
    ],
)
async def test_limits_bind_before_the_signer_is_asked(
    house: SignerHouse, sending: Sending, data: bytes, nonce: int, gas: int, fees: Fees, code: str
) -> None:
    with pytest.raises(Rejected) as caught:
        await sending.sign(Errand.SETTLE, data, nonce, gas, fees)
    assert caught.value.code == code
    assert house.asked == []


@pytest.mark.parametrize("url", ["http://signer.example/", "ftp://127.0.0.1/", "signer.example"])
def test_a_key_is_only_asked_over_tls(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        RemoteSigner(RemoteSignerSettings(url=url, address=SENDER))


def test_the_signer_s_url_stands_in_no_text() -> None:
    assert "secret" not in repr(RemoteSignerSettings(url="https://a-secret.example/", address=SENDER))


@pytest.mark.parametrize(
    "fees", [FeeSettings(priority_fee_wei=0), FeeSettings(priority_fee_wei_max=10**8), FeeSettings(max_fee_wei_max=1)]
)
async def test_fees_that_bound_nothing_are_refused(fees: FeeSettings) -> None:
    settings = ChainSettings(
        endpoints=(Endpoint(name="a", url="http://127.0.0.1:9/"),), quorum=1, chain_id=1, minting_contract=CONTRACT
    )
    signer = RemoteSigner(RemoteSignerSettings(url="https://127.0.0.1/", address=SENDER))
    with pytest.raises(ValueError, match="fees"):
        Sending(Chain(settings), signer, SendingSettings(fees=fees), frozenset({MINT}))
