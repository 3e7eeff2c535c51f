"""The simulated venue's door: keys, signatures, clocks and rate limits, with the true venue's codes."""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from adapters.simulators.instruments import VenueError

RECV_WINDOW_DEFAULT_MS = 5_000
RECV_WINDOW_MAX_MS = 60_000
AHEAD_MAX_MS = 1_000
MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the venue's limits: request weight a minute, orders in ten seconds and in a minute."""

    weight_per_minute: int = 2_400
    orders_per_ten_seconds: int = 300
    orders_per_minute: int = 1_200


class Window:
    """Count up to a limit in each fixed window of time."""

    def __init__(self, length_ms: int, limit: int) -> None:
        self._length_ms = length_ms
        self._limit = limit
        self._window = -1
        self.used = 0

    def add(self, weight: int, now_ms: int) -> bool:
        """Count and say whether it is still within the limit."""
        window = now_ms // self._length_ms
        if window != self._window:
            self._window, self.used = window, 0
        self.used += weight
        return self.used <= self._limit


class Gate:
    """Check requests of one API key."""

    def __init__(self, api_key: str, api_secret: str, limits: Limits) -> None:
        self._api_key = api_key
        self._secret = api_secret.encode()
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
            raise VenueError(
                -1003,
                f"Too many requests; current limit of IP is {self._limits.weight_per_minute} requests per minute.",
                429,
            )

    def count_order(self, now_ms: int) -> None:
        """Count a new order; refuse beyond the limits."""
        for window, name in self._orders:
            if not window.add(1, now_ms):
                raise VenueError(-1015, f"Too many new orders; current limit is per {name}.", 429)

    def check_key(self, key: str | None) -> None:
        """Refuse a missing or unknown key."""
        if not key:
            raise VenueError(-2014, "API-key format invalid.", 401)
        if not hmac.compare_digest(key.encode(), self._api_key.encode()):
            raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", 401)

    def check_signed(self, key: str | None, query: str, body: str, now_ms: int) -> dict[str, str]:
        """Refuse a wrong signature or an old request; return the parameters of query and body."""
        self.check_key(key)
        raw = query + body
        signed, mark, signature = raw.rpartition("&signature=")
        if not mark:
            raise VenueError(-1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
        expected = hmac.new(self._secret, signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise VenueError(-1022, "Signature for this request is not valid.")
        parameters = read_parameters(query) | read_parameters(body)
        _check_time(parameters, now_ms)
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
        raise VenueError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return int(text)


def _check_time(parameters: Mapping[str, str], now_ms: int) -> None:
    timestamp = integer(parameters, "timestamp")
    if timestamp is None:
        raise VenueError(-1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.")
    window = integer(parameters, "recvWindow")
    window = RECV_WINDOW_DEFAULT_MS if window is None else window
    if window > RECV_WINDOW_MAX_MS:
        raise VenueError(-1131, "recvWindow must be less than 60000.")
    if timestamp >= now_ms + AHEAD_MAX_MS:
        raise VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - timestamp > window:
        raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")
