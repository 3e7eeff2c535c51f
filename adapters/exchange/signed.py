"""Signed requests to four venues with nothing but an HTTP client: no listings, no cache, no library of exchanges.

It is for what must work when little else does, and start quickly. What failures mean is the dialects' policy: refused
is only what a listed code says, unsent only what had no connection, and all else is unknown.

Requests are signed by this machine's clock, until a venue refuses one for its time: then the venue is asked for its
own, and signed by that. What was refused so was not done, and is sent once more.
"""

import base64
import datetime as dt
import hashlib
import hmac
import json
import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from adapters.exchange.binance.codes import FUTURES_REASONS, SPOT_REASONS
from adapters.exchange.bybit import codes as bybit_codes
from adapters.exchange.deribit import codes as deribit_codes
from adapters.exchange.okx import codes as okx_codes
from adapters.exchange.secrecy import redacted
from adapters.exchange.settings import VenueSettings
from domain.venue import Rejected, RejectReason, Unavailable, Unknown, VenueFailure

ANSWER_BYTES_MAX = 16 << 20
# A clock that is found to differ by less was not why a request was refused.
CLOCK_MS_MIN = 500


class _Untimely(Exception):
    """Carry a failure whose code may say that a request was not of this time."""

    def __init__(self, failure: VenueFailure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class SignedVenue(ABC):
    """Ask one venue as one account; a subclass signs as the venue wants it.

    `ahead_ms` is how far the venue's clock is known to be ahead of this machine's: 0 while it takes what we sign.
    `clock_codes` are those that it refuses with what is not of its time, and `clock_path` is where it tells its own.
    """

    host: ClassVar[str]
    hosts_beside: ClassVar[frozenset[str]] = frozenset()
    clock_codes: ClassVar[frozenset[str]]
    clock_path: ClassVar[str]
    code: ClassVar[re.Pattern[str]]
    reasons: ClassVar[Mapping[str, RejectReason]]

    def __init__(self, settings: VenueSettings, session: aiohttp.ClientSession) -> None:
        self.settings = settings
        self._session = session
        self._secrets = (settings.api_key, settings.api_secret, settings.passphrase)
        self.ahead_ms = 0

    def beside(self, other: "type[SignedVenue]") -> "SignedVenue":
        """Return who asks another host of the same venue, as the same account."""
        return other(self.settings, self._session)

    async def get(self, path: str, asked: Mapping[str, Any] | None = None) -> Any:
        """Ask; return the JSON that is answered. Raise `Rejected`, `Unavailable` or `Unknown`."""
        return await self.send("GET", path, asked or {})

    async def delete(self, path: str, asked: Mapping[str, Any]) -> Any:
        """Have something ended; as `get`."""
        return await self.send("DELETE", path, asked)

    async def send(self, method: str, path: str, asked: Mapping[str, Any]) -> Any:
        """Say in the query what is wanted, by any method; as `get`."""
        return await self._send(method, path, urlencode(asked), "")

    async def post(self, path: str, body: Any) -> Any:
        """Have something done; as `get`."""
        return await self._send("POST", path, "", json.dumps(body))

    @abstractmethod
    def sign(self, method: str, path: str, query: str, body: str) -> tuple[str, dict[str, str]]:
        """Return the query as it is sent, and the headers that carry the signature."""

    @abstractmethod
    def failed(self, status: int, answer: Any) -> bool:
        """Say whether an answer tells of a failure."""

    @abstractmethod
    def told_ms(self, answer: Any) -> int:
        """Return the venue's time out of its answer; KeyError, TypeError or ValueError where it is not in it."""

    def now_ms(self) -> int:
        """Return the time by the venue's clock, as far as that is known."""
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def _mac(self, said: str) -> "hmac.HMAC":
        return hmac.new(self.settings.api_secret.encode(), said.encode(), hashlib.sha256)

    async def _send(self, method: str, path: str, query: str, body: str) -> Any:
        try:
            return await self._said(method, path, query, body)
        except _Untimely as refused:
            if not await self._set_clock():
                raise refused.failure from None
        try:
            return await self._said(method, path, query, body)
        except _Untimely as again:
            raise again.failure from None

    async def _set_clock(self) -> bool:
        """Ask the venue for its time; say whether ours was wrong. Between sending and hearing it is taken halfway."""
        known, began = self.ahead_ms, time.monotonic_ns()
        sent_ms = time.time_ns() // 1_000_000
        told = await self._asked("GET", self.clock_path, "", {})
        half_ms = (time.monotonic_ns() - began) // 2_000_000
        try:
            self.ahead_ms = self.told_ms(told) - sent_ms - half_ms
        except (KeyError, TypeError, ValueError, IndexError):
            raise Unknown(f"{self.host} does not tell its time") from None
        return abs(self.ahead_ms - known) >= CLOCK_MS_MIN

    async def _said(self, method: str, path: str, query: str, body: str) -> Any:
        query, headers = self.sign(method, path, query, body)
        return await self._asked(method, f"{path}{'?' if query else ''}{query}", body, headers)

    async def _asked(self, method: str, place: str, body: str, headers: dict[str, str]) -> Any:
        url = f"https://{self.host}{place}"
        if body:
            headers["Content-Type"] = "application/json"
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout_ms / 1_000)
        try:
            async with self._session.request(
                method, _as_it_is(url), headers=headers, data=body or None, timeout=timeout, allow_redirects=False
            ) as answer:
                status, told = answer.status, (await answer.content.read(ANSWER_BYTES_MAX)).decode(errors="replace")
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(f"{self.host}: {type(error).__name__}") from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unknown(f"{self.host}: {type(error).__name__}") from None
        try:
            found = json.loads(told)
        except ValueError:
            raise Unknown(redacted(f"{self.host} answered {status}, no JSON: {told}", self._secrets)) from None
        if self.failed(status, found):
            raise self._failure(status, told)
        return found

    def _failure(self, status: int, told: str) -> Exception:
        text = redacted(f"{self.host} answered {status}: {told}", self._secrets)
        found = self.code.search(told)
        code = found.group(1) if found else ""
        reason = self.reasons.get(code)
        failure = Unknown(text) if reason is None else Rejected(reason, text)
        return _Untimely(failure) if code in self.clock_codes else failure


class SignedBinance(SignedVenue):
    """Sign the query."""

    code = re.compile(r'"code"\s*:\s*(-?\d+)')
    reasons = FUTURES_REASONS
    clock_codes = frozenset({"-1021"})

    def sign(self, method: str, path: str, query: str, body: str) -> tuple[str, dict[str, str]]:
        """Sign time, window and what is asked."""
        del method, path, body
        timed = {"timestamp": self.now_ms(), "recvWindow": self.settings.recv_window_ms}
        said = "&".join(part for part in (query, urlencode(timed)) if part)
        return f"{said}&signature={self._mac(said).hexdigest()}", {"X-MBX-APIKEY": self.settings.api_key}

    def failed(self, status: int, answer: Any) -> bool:
        """Go by the status: a success may carry a code too."""
        del answer
        return status != 200  # noqa: PLR2004 - HTTP's OK

    def told_ms(self, answer: Any) -> int:
        """Read it."""
        return int(answer["serverTime"])


class SignedUsdm(SignedBinance):
    """USD-M futures."""

    host = "fapi.binance.com"
    clock_path = "/fapi/v1/time"
    hosts_beside = frozenset({"api.binance.com"})


class SignedCoinm(SignedBinance):
    """COIN-M futures."""

    host = "dapi.binance.com"
    clock_path = "/dapi/v1/time"


class SignedSpot(SignedBinance):
    """Spot."""

    host = "api.binance.com"
    reasons = SPOT_REASONS
    clock_path = "/api/v3/time"


class SignedBybit(SignedVenue):
    """Sign time, key, window and what is said, in headers."""

    host = "api.bybit.com"
    code = re.compile(r'"retCode"\s*:\s*(\d+)')
    reasons = bybit_codes.REASONS
    clock_codes = frozenset({"10002"})
    clock_path = "/v5/market/time"

    def sign(self, method: str, path: str, query: str, body: str) -> tuple[str, dict[str, str]]:
        """Sign it."""
        del method, path
        at, key, window = str(self.now_ms()), self.settings.api_key, str(self.settings.recv_window_ms)
        return query, {
            "X-BAPI-API-KEY": key,
            "X-BAPI-TIMESTAMP": at,
            "X-BAPI-RECV-WINDOW": window,
            "X-BAPI-SIGN": self._mac(f"{at}{key}{window}{query or body}").hexdigest(),
        }

    def failed(self, status: int, answer: Any) -> bool:
        """Go by its own code, which is 0 for a success."""
        return status != 200 or not isinstance(answer, dict) or answer.get("retCode") != 0  # noqa: PLR2004 - as above

    def told_ms(self, answer: Any) -> int:
        """Read it."""
        return int(answer["result"]["timeNano"]) // 1_000_000


class SignedOkx(SignedVenue):
    """Sign time, method, path and what is said, in headers, beside the passphrase."""

    host = "www.okx.com"
    code = re.compile(r'"(?:sCode|code)"\s*:\s*"(\d{4,5})(?:_\d+)?"')
    reasons = okx_codes.REASONS
    clock_codes = frozenset({"50102"})
    clock_path = "/api/v5/public/time"

    def sign(self, method: str, path: str, query: str, body: str) -> tuple[str, dict[str, str]]:
        """Sign it."""
        now = dt.datetime.fromtimestamp(self.now_ms() / 1_000, dt.UTC)
        at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = f"{at}{method}{path}{'?' if query else ''}{query}{body}"
        return query, {
            "OK-ACCESS-KEY": self.settings.api_key,
            "OK-ACCESS-TIMESTAMP": at,
            "OK-ACCESS-PASSPHRASE": self.settings.passphrase,
            "OK-ACCESS-SIGN": base64.b64encode(self._mac(said).digest()).decode(),
        }

    def failed(self, status: int, answer: Any) -> bool:
        """Go by the envelope's code, which is "0" where every item succeeded."""
        return status != 200 or not isinstance(answer, dict) or answer.get("code") != "0"  # noqa: PLR2004 - as above

    def told_ms(self, answer: Any) -> int:
        """Read it."""
        return int(answer["data"][0]["ts"])


class SignedDeribit(SignedVenue):
    """Sign time, nonce, method, path and what is said, in one header."""

    host = "www.deribit.com"
    code = re.compile(r'"code"\s*:\s*(-?\d+)')
    reasons = deribit_codes.REASONS
    # Its word for a bad signature as well: then its clock is found to be ours.
    clock_codes = frozenset({"13009"})
    clock_path = "/api/v2/public/get_time"

    def sign(self, method: str, path: str, query: str, body: str) -> tuple[str, dict[str, str]]:
        """Sign it."""
        at, nonce = self.now_ms(), secrets.token_hex(8)
        place = f"{path}{'?' if query else ''}{query}"
        signature = self._mac(f"{at}\n{nonce}\n{method}\n{place}\n{body}\n").hexdigest()
        name = self.settings.api_key
        return query, {"Authorization": f"deri-hmac-sha256 id={name},ts={at},sig={signature},nonce={nonce}"}

    def failed(self, status: int, answer: Any) -> bool:
        """Go by whether there is an error."""
        return status != 200 or not isinstance(answer, dict) or "error" in answer  # noqa: PLR2004 - as above

    def told_ms(self, answer: Any) -> int:
        """Read it."""
        return int(answer["result"])


def _as_it_is(url: str) -> URL:
    """Return a URL that is sent as it was signed, not quoted anew."""
    return URL(url, encoded=True)
