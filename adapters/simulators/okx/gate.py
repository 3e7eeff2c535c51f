"""The simulated OKX's door: keys, passphrases, signatures, clocks and rate limits, as the true venue does."""

import base64
import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping

from adapters.simulators.limits import MINUTE_MS, TEN_SECONDS_MS, Limits, Window
from adapters.simulators.okx.errors import OkxError
from adapters.simulators.refusals import Refusal, Refused

VALID_MS = 30_000
LOGIN_PATH = "/users/self/verify"
_MISSING = {"PASSPHRASE": 50104, "SIGN": 50106, "TIMESTAMP": 50107}


class Gate:
    """Check requests and log-ons of one account's API keys: each key and its secret."""

    def __init__(self, keys: Mapping[str, str], passphrase: str, limits: Limits) -> None:
        self._secrets = {key: secret.encode() for key, secret in keys.items()}
        self._passphrase = passphrase
        self._requests = Window(MINUTE_MS, limits.weight_per_minute)
        self._orders = (
            Window(TEN_SECONDS_MS, limits.orders_per_ten_seconds),
            Window(MINUTE_MS, limits.orders_per_minute),
        )

    def count(self, now_ms: int) -> None:
        """Count a request; refuse beyond the limit."""
        if not self._requests.add(1, now_ms):
            raise Refused(Refusal.TOO_MANY_REQUESTS)

    def count_orders(self, number: int, now_ms: int) -> None:
        """Count new orders; refuse beyond the limits."""
        for window in self._orders:
            if not window.add(number, now_ms):
                raise Refused(Refusal.TOO_MANY_ORDERS)

    def check_signed(self, headers: Mapping[str, str], said: str, now_ms: int) -> None:
        """Refuse a REST request that is not signed now and by us; `said` is method, path with query, and body."""
        key = headers.get("OK-ACCESS-KEY", "")
        if not key:
            raise Refused(Refusal.MISSING_KEY)
        given = {name: headers.get(f"OK-ACCESS-{name}", "") for name in _MISSING}
        for name, code in _MISSING.items():
            if not given[name]:
                raise OkxError(code, f'Request header "OK-ACCESS-{name}" cannot be empty.', 401)
        timestamp = given["TIMESTAMP"]
        try:
            at = dt.datetime.fromisoformat(timestamp)
        except ValueError:
            raise OkxError(50112, "Invalid OK-ACCESS-TIMESTAMP.", 401) from None
        if at.tzinfo is None:
            raise OkxError(50112, "Invalid OK-ACCESS-TIMESTAMP.", 401)
        self._check(key, given["PASSPHRASE"], timestamp + said, given["SIGN"], int(at.timestamp() * 1_000), now_ms)

    def check_login(self, key: str, passphrase: str, timestamp: str, sign: str, now_ms: int) -> None:
        """Refuse a log-on by WebSocket; its time is in seconds."""
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):  # noqa: PLR2004 - digits of a time
            raise OkxError(60004, "Invalid timestamp")
        self._check(key, passphrase, f"{timestamp}GET{LOGIN_PATH}", sign, int(timestamp) * 1_000, now_ms)

    def _check(self, key: str, passphrase: str, said: str, sign: str, at_ms: int, now_ms: int) -> None:
        if abs(now_ms - at_ms) > VALID_MS:
            raise Refused(Refusal.STALE_REQUEST)
        secret = self._secrets.get(key)
        if secret is None:
            raise Refused(Refusal.BAD_KEY)
        expected = base64.b64encode(hmac.new(secret, said.encode(), hashlib.sha256).digest()).decode()
        if not _same(sign, expected):
            raise Refused(Refusal.BAD_SIGNATURE)
        if not _same(passphrase, self._passphrase):
            raise Refused(Refusal.BAD_PASSPHRASE)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
