"""The simulated venue's door: keys, signatures, clocks and rate limits, as the true venue does."""

import hashlib
import hmac
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import parse_qsl

from adapters.simulators.limits import MINUTE_MS, TEN_SECONDS_MS, Limits, Window
from adapters.simulators.refusals import Refusal, Refused

RECV_WINDOW_DEFAULT_MS = 5_000
RECV_WINDOW_MAX_MS = 60_000
AHEAD_MAX_MS = 1_000


class Gate:
    """Check requests of one account's API keys: each key and its secret."""

    def __init__(self, keys: Mapping[str, str], limits: Limits) -> None:
        self._secrets = {key: secret.encode() for key, secret in keys.items()}
        self._weight = Window(MINUTE_MS, limits.weight_per_minute)
        self._orders = (
            (Window(TEN_SECONDS_MS, limits.orders_per_ten_seconds), "TEN_SECONDS"),
            (Window(MINUTE_MS, limits.orders_per_minute), "MINUTE"),
        )
        self._limits = limits

    @property
    def weight_used(self) -> int:
        """Return the weight used in the current minute."""
        return self._weight.used

    def count(self, weight: int, now_ms: int) -> None:
        """Count a request; refuse with 429 beyond the limit."""
        if not self._weight.add(weight, now_ms):
            limit = Decimal(self._limits.weight_per_minute)
            raise Refused(Refusal.TOO_MANY_REQUESTS, limit=limit)

    def count_order(self, now_ms: int) -> None:
        """Count a new order; refuse beyond the limits."""
        for window, name in self._orders:
            if not window.add(1, now_ms):
                raise Refused(Refusal.TOO_MANY_ORDERS, name)

    def check_key(self, key: str | None) -> None:
        """Refuse a missing or unknown key."""
        if not key:
            raise Refused(Refusal.MISSING_KEY)
        if key not in self._secrets:
            raise Refused(Refusal.BAD_KEY)

    def check_signature(self, key: str | None, said: str, signature: str) -> None:
        """Refuse a missing or unknown key, and what it did not sign."""
        self.check_key(key)
        expected = hmac.new(self._secrets[key or ""], said.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise Refused(Refusal.BAD_SIGNATURE)

    def check_signed(self, key: str | None, query: str, body: str, now_ms: int) -> dict[str, str]:
        """Refuse a wrong signature or an old request; return the parameters of query and body."""
        self.check_key(key)
        raw = query + body
        signed, mark, signature = raw.rpartition("&signature=")
        if not mark:
            raise Refused(Refusal.MISSING, "signature")
        self.check_signature(key, signed, signature)
        parameters = read_parameters(query) | read_parameters(body)
        check_time(parameters, now_ms)
        return parameters


def read_parameters(raw: str) -> dict[str, str]:
    """Split a query or form body."""
    return dict(parse_qsl(raw, keep_blank_values=True))


def integer(parameters: Mapping[str, str], name: str) -> int | None:
    """Return an integer parameter, None when absent; refuse anything else."""
    text = parameters.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19:  # noqa: PLR2004 - digits of a 64-bit number
        raise Refused(Refusal.MALFORMED, name)
    return int(text)


def check_time(parameters: Mapping[str, str], now_ms: int) -> None:
    """Refuse a request that is too old, or ahead of its time."""
    timestamp = integer(parameters, "timestamp")
    if timestamp is None:
        raise Refused(Refusal.MISSING, "timestamp")
    window = integer(parameters, "recvWindow")
    window = RECV_WINDOW_DEFAULT_MS if window is None else window
    if window > RECV_WINDOW_MAX_MS:
        raise Refused(Refusal.BAD_WINDOW)
    if timestamp >= now_ms + AHEAD_MAX_MS:
        raise Refused(Refusal.EARLY_REQUEST)
    if now_ms - timestamp > window:
        raise Refused(Refusal.STALE_REQUEST)
