"""Simulated benefactors: they mint and redeem through the public HTTP API with real signatures, as integrators would.

A seed fixes their keys, sizes and pauses; how their requests fall together is left to the machine.
"""

import asyncio
import hashlib
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec

PAUSE_S = (0.3, 1.2)
# One that went mad: above what may rest unhedged, so that every mint trades.
MAD_PAUSE_S, MAD_SIZE = (0.0, 0.05), Decimal("0.25")
EXPIRY_S = 120
TIMEOUT_S = 30.0
RETRIES_MAX = 5
RETRY_PAUSE_S = 0.3
# What was minted is on chain, final and seen after about so long: only then is it redeemed.
FINAL_S = 8.0
# A benefactor redeems at most this share of what it minted: fees and gas leave less than it put in.
REDEEM_SHARE = Decimal("0.5")
REDEEM_MIN = Decimal(200)
HELD_ODDS, BTC_ODDS, REDEEM_ODDS = 0.3, 0.25, 0.45

OK, FIRST_ERROR = 200, 400
# An order is taken: with its transaction, or before there is one.
TAKEN = frozenset({200, 202})


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the fields of an order as they are signed and posted."""

    order_id: str
    order_type: str
    expiry: int
    nonce: int
    benefactor: str
    beneficiary: str
    collateral_asset: str
    collateral_amount: int
    usde_amount: int


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a benefactor's key and address."""

    address: str
    private_key: str


Sign = Callable[[Terms, str], str]


def private_key(seed: int, number: int) -> str:
    """Return a benefactor's key; the same seed gives the same keys. It protects nothing: the money is simulated."""
    return "0x" + hashlib.sha256(f"ballast demo benefactor {seed} {number}".encode()).hexdigest()


@dataclass(kw_only=True)
class Tally:
    """Count what the benefactors saw."""

    quoted: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    unreachable: int = 0
    accepted_ids: list[str] = field(default_factory=list[str])
    transactions: int = 0
    last_transaction: str = ""


class Benefactor:
    """Mint and redeem until cancelled."""

    pause_s = PAUSE_S

    def __init__(
        self, url: str, wallet: Wallet, sign: Sign, now_s: Callable[[], float], seed: int, tally: Tally
    ) -> None:
        self._url = url
        self._wallet = wallet
        self._sign = sign
        self._now_s = now_s
        self._random = random.Random(f"{seed}:{wallet.address}")  # noqa: S311 - a seeded choice of sizes, no secret
        self._tally = tally
        self._minted: dict[str, Decimal] = {}
        self._minting: deque[tuple[float, str, Decimal]] = deque()
        self._nonce = 0

    async def run(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """Trade until `stop` is set; a request under way is finished."""
        while not stop.is_set():
            await self._request(session)
            pause = self._random.uniform(*self.pause_s)
            try:
                async with asyncio.timeout(pause):
                    await stop.wait()
            except TimeoutError:
                continue

    def choose(self) -> tuple[str, str, Decimal]:
        """Return a pair, a side and a size: collateral to mint with, dollars to redeem."""
        self._count_final()
        drawn = self._random.random()
        pair = "USDT/USDe" if drawn < HELD_ODDS else "WBTC/USDe" if drawn < HELD_ODDS + BTC_ODDS else "WETH/USDe"
        redeemable = self._minted.get(pair, Decimal(0)) * REDEEM_SHARE
        if redeemable > REDEEM_MIN and self._random.random() < REDEEM_ODDS:
            share = Decimal(self._random.randint(10, 100)) / 100
            return pair, "REDEEM", (redeemable * share).quantize(Decimal("0.01"))
        if pair == "WETH/USDe":
            return pair, "MINT", Decimal(self._random.randint(50, 2_500)) / 1_000
        if pair == "WBTC/USDe":
            return pair, "MINT", Decimal(self._random.randint(2, 100)) / 1_000
        return pair, "MINT", Decimal(self._random.randint(100, 20_000))

    async def _request(self, session: aiohttp.ClientSession) -> None:
        pair, side, size = self.choose()
        asked = {"pair": pair, "type_": "ALGO", "side": side, "size": str(size), "benefactor": self._wallet.address}
        status, quote = await self._call(session, "GET", "/rfq", params=asked)
        if status != OK:
            return
        self._tally.quoted += 1
        terms = self._terms(quote, side)
        body = msgspec.json.encode(terms)
        signature = self._sign(terms, self._wallet.private_key)
        for _ in range(RETRIES_MAX):
            status, answer = await self._call(session, "POST", "/order", params={"signature": signature}, data=body)
            if status in TAKEN:
                self._tally.accepted += 1
                self._tally.accepted_ids.append(terms.order_id)
                self._note_transaction(str(answer.get("tx", "")))
                self._note(pair, side, terms)
                return
            if answer.get("error_code") not in {"1", "21", ""}:
                return
            await asyncio.sleep(RETRY_PAUSE_S)

    def _note_transaction(self, tx_hash: str) -> None:
        if tx_hash:
            self._tally.transactions += 1
            self._tally.last_transaction = tx_hash

    def _terms(self, quote: Mapping[str, Any], side: str) -> Terms:
        now_s = int(self._now_s())
        self._nonce = max(self._nonce + 1, int(self._now_s() * 1_000_000))
        return Terms(
            order_id=quote["rfq_id"],
            order_type=side,
            expiry=now_s + EXPIRY_S,
            nonce=self._nonce,
            benefactor=self._wallet.address,
            beneficiary=self._wallet.address,
            collateral_asset=quote["collateral_asset"],
            collateral_amount=int(quote["collateral_amount"]),
            usde_amount=int(quote["usde_amount"]),
        )

    def _note(self, pair: str, side: str, terms: Terms) -> None:
        dollars = Decimal(terms.usde_amount) / Decimal(10) ** 18
        if side == "MINT":
            self._minting.append((self._now_s() + FINAL_S, pair, dollars))
        else:
            self._minted[pair] = self._minted.get(pair, Decimal(0)) - dollars

    def _count_final(self) -> None:
        """Count what was minted long enough ago as ours to redeem."""
        while self._minting and self._minting[0][0] <= self._now_s():
            _, pair, dollars = self._minting.popleft()
            self._minted[pair] = self._minted.get(pair, Decimal(0)) + dollars

    async def _call(
        self, session: aiohttp.ClientSession, method: str, path: str, **options: Any
    ) -> tuple[int, dict[str, Any]]:
        """Call the API; a process that is being restarted counts as unreachable, nothing more."""
        try:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            async with session.request(method, self._url + path, timeout=timeout, **options) as response:
                answer: dict[str, Any] = await response.json(content_type=None)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            self._tally.unreachable += 1
            return 0, {"error_code": ""}
        if status >= FIRST_ERROR:
            error = answer.get("error", {})
            self._tally.refused[f"{error.get('error_code', status)} {error.get('error_name', '')}".strip()] += 1
            return status, {"error_code": str(error.get("error_code", status))}
        return status, answer


class MadBenefactor(Benefactor):
    """Mint the same small size again and again, as an algorithm that lost its mind does."""

    pause_s = MAD_PAUSE_S

    def choose(self) -> tuple[str, str, Decimal]:
        """Return the one thing it knows."""
        return "WETH/USDe", "MINT", MAD_SIZE
