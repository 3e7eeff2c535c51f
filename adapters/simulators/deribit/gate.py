"""The simulated Deribit's door: keys, signatures, clocks and rate limits, as the true venue does."""

import hashlib
import hmac
import re
from collections.abc import Mapping

from adapters.simulators.limits import TEN_SECONDS_MS, Limits, Window
from adapters.simulators.refusals import Refusal, Refused

SIGNED = re.compile(r"deri-hmac-sha256 id=([^,]*),ts=(\d{1,16}),sig=([^,]*),nonce=(.*)")
CLOCK_MAX_MS = 60_000
MINUTE_IN_WINDOWS = 6


class Gate:
    """Check requests of one account's API keys: each key and its secret."""

    def __init__(self, keys: Mapping[str, str], limits: Limits) -> None:
        self._secrets = {key: secret.encode() for key, secret in keys.items()}
        self._questions = Window(TEN_SECONDS_MS, limits.weight_per_minute // MINUTE_IN_WINDOWS)
        self._orders = Window(TEN_SECONDS_MS, limits.orders_per_ten_seconds)

    def count(self, now_ms: int) -> None:
        """Count a question; refuse beyond the limit."""
        if not self._questions.add(1, now_ms):
            raise Refused(Refusal.TOO_MANY_REQUESTS)

    def count_order(self, now_ms: int) -> None:
        """Count what goes to the matching engine; refuse beyond the limit."""
        if not self._orders.add(1, now_ms):
            raise Refused(Refusal.TOO_MANY_ORDERS)

    def check_signed(self, header: str, method: str, path: str, body: str, now_ms: int) -> None:
        """Refuse an unknown key, an old request or a wrong signature over method, raw path with query, and body."""
        found = SIGNED.fullmatch(header)
        if found is None:
            raise Refused(Refusal.MISSING_KEY)
        key, timestamp, signature, nonce = found.groups()
        self._check(key, timestamp, signature, f"{timestamp}\n{nonce}\n{method}\n{path}\n{body}\n", now_ms)

    def check_session(self, key: str, timestamp: str, signature: str, said: str, now_ms: int) -> None:
        """Refuse a socket's log-on; `said` is its nonce, a line break and its data."""
        self._check(key, timestamp, signature, f"{timestamp}\n{said}", now_ms)

    def _check(self, key: str, timestamp: str, signature: str, said: str, now_ms: int) -> None:
        if key not in self._secrets:
            raise Refused(Refusal.BAD_KEY)
        if abs(int(timestamp) - now_ms) > CLOCK_MAX_MS:
            early = int(timestamp) > now_ms
            raise Refused(Refusal.EARLY_REQUEST if early else Refusal.STALE_REQUEST, timestamp)
        expected = hmac.new(self._secrets[key], said.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise Refused(Refusal.BAD_SIGNATURE)
