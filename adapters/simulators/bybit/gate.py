"""The simulated Bybit's door: keys, signatures, clocks and rate limits, as the true venue does.

A request is signed over time, key, window and what it says, in headers. An address may ask so often in five seconds; an
account may order so often in one.
"""

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from adapters.simulators.limits import TEN_SECONDS_MS, Limits, Window
from adapters.simulators.refusals import Refusal, Refused

RECV_WINDOW_DEFAULT_MS = 5_000
AHEAD_MAX_MS = 1_000
DIGITS_MAX = 16
VISITS_WINDOW_MS = 5_000
# How many times the visits of one window are in a minute's weight: by default 600 visits in five seconds.
WEIGHT_OF_WINDOW = 4
ORDERS_WINDOW_MS = 1_000


class Gate:
    """Check requests of one account's API keys: each key and its secret."""

    def __init__(self, keys: Mapping[str, str], limits: Limits) -> None:
        self._secrets = {key: secret.encode() for key, secret in keys.items()}
        self._visits = Window(VISITS_WINDOW_MS, limits.weight_per_minute // WEIGHT_OF_WINDOW)
        self._orders_max = limits.orders_per_ten_seconds * ORDERS_WINDOW_MS // TEN_SECONDS_MS
        self._orders = Window(ORDERS_WINDOW_MS, self._orders_max)

    def visit(self, now_ms: int) -> bool:
        """Count a visit of the address and say whether it is still within the limit."""
        return self._visits.add(1, now_ms)

    def count_order(self, now_ms: int) -> None:
        """Count an order or a cancel; refuse beyond the limit."""
        if not self._orders.add(1, now_ms):
            raise Refused(Refusal.TOO_MANY_ORDERS)

    def limits_told(self, now_ms: int) -> dict[str, str]:
        """Return the headers that tell how many orders are left."""
        return {
            "X-Bapi-Limit": str(self._orders_max),
            "X-Bapi-Limit-Status": str(max(0, self._orders_max - self._orders.used)),
            "X-Bapi-Limit-Reset-Timestamp": str(now_ms - now_ms % ORDERS_WINDOW_MS + ORDERS_WINDOW_MS),
        }

    def check_signed(self, headers: Mapping[str, str], said: str, now_ms: int) -> None:
        """Refuse an unknown key, an old request or a wrong signature over what was said: the raw query or body."""
        names = ("X-BAPI-API-KEY", "X-BAPI-TIMESTAMP", "X-BAPI-SIGN")
        key, timestamp, signature = (headers.get(name, "") for name in names)
        if not (key and timestamp and signature):
            raise Refused(Refusal.MISSING_KEY)
        if key not in self._secrets:
            raise Refused(Refusal.BAD_KEY)
        window = headers.get("X-BAPI-RECV-WINDOW", str(RECV_WINDOW_DEFAULT_MS))
        _check_time(timestamp, window, now_ms)
        origin = f"{timestamp}{key}{window}{said}"
        if not self._is_signed(key, origin, signature):
            raise Refused(Refusal.BAD_SIGNATURE, origin)

    def opens_stream(self, key: str, expires: str, signature: str, now_ms: int) -> bool:
        """Say whether a log-on to the private stream is good."""
        known = key in self._secrets
        return known and _digits(expires) > now_ms and self._is_signed(key, f"GET/realtime{expires}", signature)

    def _is_signed(self, key: str, origin: str, signature: str) -> bool:
        expected = hmac.new(self._secrets[key], origin.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.encode())


def read_body(body: str) -> dict[str, str]:
    """Return a JSON body's fields as words."""
    try:
        found = msgspec.json.decode(body or "{}", type=dict[str, str | int | float | bool | None])
    except msgspec.DecodeError:
        raise Refused(Refusal.MALFORMED, "body") from None
    return {name: _word(value) for name, value in found.items() if value is not None}


def _word(value: str | float | bool) -> str:  # noqa: FBT001 - a JSON value, not a switch
    return str(value).lower() if isinstance(value, bool) else str(value)


def _digits(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else 0


def _check_time(timestamp: str, window: str, now_ms: int) -> None:
    at, within = _digits(timestamp), _digits(window)
    told = f"req_timestamp[{timestamp}],server_timestamp[{now_ms}],recv_window[{window}]"
    if not at or not within:
        raise Refused(Refusal.BAD_WINDOW, told)
    if at >= now_ms + AHEAD_MAX_MS:
        raise Refused(Refusal.EARLY_REQUEST, told)
    if now_ms - within > at:
        raise Refused(Refusal.STALE_REQUEST, told)
