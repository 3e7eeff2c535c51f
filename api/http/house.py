"""What the handlers share: the ports, the settings, the clocks, the budgets and the meters. One per application."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import msgspec
from litestar import Request

from api.http.metrics import Registry
from api.http.ports import (
    ChainPort,
    Commands,
    ContractInForce,
    Dependencies,
    Heartbeats,
    Keys,
    MarketBoard,
    NoMarket,
    NoRequests,
    NoSeries,
    Orders,
    OwnersOnly,
    Parties,
    PolicyInForce,
    Requests,
    Series,
    Views,
    no_contract,
)
from api.http.stream import Broadcast
from api.http.throttle import BENEFACTOR_RATE, SOURCE_RATE, Rate, Recent, Throttle
from api.http.told import Told
from domain.ids import derive_id, natural_id

RECENT_ORDERS_MAX = 20_000
IDEMPOTENCY_KEY_MAX = 255

Asked = Request[Any, Any, Any]


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the entrance's settings. `trusted_proxies` are peers whose X-Forwarded-For is believed.

    `order_wait_ms` is how long an order waits for its transaction, `wallet_wait_ms` how long the chain may take to tell
    of a wallet; `issued_token` is the issued dollar's contract, lower case, "" where no chain is read.
    """

    source_rate: Rate = SOURCE_RATE
    benefactor_rate: Rate = BENEFACTOR_RATE
    trusted_proxies: frozenset[str] = frozenset()
    allow_origins: tuple[str, ...] = ("*",)
    version: str = "0.1.0"
    order_wait_ms: int = 10_000
    wallet_wait_ms: int = 2_000
    issued_token: str = ""


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the clocks: microseconds since the Unix epoch, and monotonic seconds."""

    now_us: Callable[[], int] = lambda: time.time_ns() // 1_000
    monotonic_s: Callable[[], float] = time.monotonic


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what the entrance is given."""

    commands: Commands
    views: Views
    orders: Orders
    keys: Keys
    policy: PolicyInForce
    dependencies: Dependencies
    heartbeats: Heartbeats
    market: MarketBoard = NoMarket()
    series: Series = NoSeries()
    requests: Requests = NoRequests()
    chain: ChainPort | None = None
    parties: Parties = OwnersOnly()
    contract: ContractInForce = no_contract


class Meters:
    """Measure the entrance."""

    def __init__(self) -> None:
        self.registry = Registry()
        self._requests = self.registry.counter("ballast_http_requests_total", "Requests answered, by route and status.")
        self._seconds = self.registry.histogram("ballast_http_request_seconds", "Seconds from request to answer.")
        self._errors = self.registry.counter("ballast_http_errors_total", "Requests refused, by route and code.")
        self._malformed = self.registry.counter(
            "ballast_http_malformed_total", "Requests refused at the edge and never sent on, by route and code."
        )
        self.subscribers = self.registry.gauge("ballast_http_stream_subscribers", "Open server-sent event streams.")

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note an answered request."""
        self._requests.add(route=route, method=method, status=str(status))
        self._seconds.observe(seconds, route=route)

    def refused(self, scope: Mapping[str, Any], code: str, *, edge: bool) -> None:
        """Note a refused request."""
        route = str(scope.get("path_template") or "unknown")
        self._errors.add(route=route, code=code)
        if edge:
            self._malformed.add(route=route, code=code)


class House:
    """Hold everything the handlers share."""

    def __init__(self, ports: Ports, broadcast: Broadcast, settings: HttpSettings, clocks: Clocks) -> None:
        self.ports = ports
        self.broadcast = broadcast
        self.settings = settings
        self.clocks = clocks
        self.meters = Meters()
        self.told = Told(clocks.monotonic_s)
        self.sources = Throttle(settings.source_rate, clocks.monotonic_s)
        self.named = Throttle(settings.benefactor_rate, clocks.monotonic_s)
        self.signers = Throttle(settings.benefactor_rate, clocks.monotonic_s)
        self.wallets = Throttle(settings.benefactor_rate, clocks.monotonic_s)
        self.wallets_asked = 0
        self.orders_seen = Recent(RECENT_ORDERS_MAX)
        self.orders_accepted = Recent(RECENT_ORDERS_MAX)


def house_of(request: Asked) -> House:
    """Return the application's house."""
    house: House = request.app.state.house
    return house


def source(request: Asked) -> str:
    """Return whom the request is charged to."""
    return str(request.scope["state"]["source"])


def trace(request: Asked) -> str:
    """Return the request's traceparent."""
    return str(request.scope["state"]["trace"])


def caller(request: Asked) -> str:
    """Return the person of the request's key, or "" without one."""
    holder = request.scope.get("auth")
    return holder.person if holder is not None else ""


def command_id(owner: str, key: str | None) -> UUID:
    """Return a command's id: uuid5(owner, Idempotency-Key), or a fresh one without a key."""
    return derive_id(natural_id("idempotency", owner), key) if key is not None else uuid4()
