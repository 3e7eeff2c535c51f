"""The simulated Binance futures, USD-M and COIN-M: one manner of speaking, two prefixes, two ways of counting."""

from collections.abc import Callable

from aiohttp import web

from adapters.simulators.admission import Policy
from adapters.simulators.binance import wire
from adapters.simulators.binance.endpoints import COINM_ENDPOINTS, USDM_ENDPOINTS
from adapters.simulators.binance.errors import WORDS
from adapters.simulators.binance.instruments import COINM, USDM
from adapters.simulators.binance.market import BinanceMarket, name_order
from adapters.simulators.happenings import AccountChanged, FundingPaid, Happening, OrderChanged
from adapters.simulators.settings import SimulatorSettings
from adapters.simulators.venue import wall_clock_ms
from adapters.simulators.world import World


class BinanceFutures(BinanceMarket):
    """Tell the account behind a listen key."""

    words = WORDS
    policy = Policy(name_order=name_order)

    def tell(self, happening: Happening) -> None:
        """Tell the account what happened to it."""
        match happening:
            case OrderChanged():
                self.sockets.tell_account([wire.order_update(happening)])
            case AccountChanged():
                self.sockets.tell_account([wire.account_update(happening)])
            case FundingPaid():
                """The ACCOUNT_UPDATE that follows says it."""

    def each_publication(self, now_ms: int) -> None:
        """Let the listen key run out."""
        self.sockets.expire_listen_key(now_ms)

    def close_listen_key(self) -> None:
        """Forget the account's listen key."""
        self.sockets.close_listen_key()


class BinanceVenue(BinanceFutures):
    """Speak USD-M: linear contracts, margin and profit in USDT; public and private streams on routes of their own."""

    name = "binanceusdm"
    hosts = ("fapi.binance.com", "fstream.binance.com")
    # TWAP and VP orders on USD-M are asked for at spot's host.
    elsewhere = (("api.binance.com", "/sapi/v1/algo/futures/"),)
    endpoints = USDM_ENDPOINTS
    new_orders = frozenset({"POST /fapi/v1/order"})

    def __init__(self, settings: SimulatorSettings, world: World, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        super().__init__(settings, USDM, world, clock_ms)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve public streams, or the account's behind its listen key."""
        if request.path.startswith("/private/ws"):
            return await self.sockets.serve_private(request, request.query.get("listenKey", ""))
        if request.path.startswith(("/public/ws", "/market/ws")):
            return await self.sockets.serve_public(request)
        return web.Response(status=404, text="no such path here")


class BinanceCoinm(BinanceFutures):
    """Speak COIN-M: inverse contracts of so many dollars, margin and profit in the base asset; one route for all."""

    name = "binancecoinm"
    hosts = ("dapi.binance.com", "dstream.binance.com")
    endpoints = COINM_ENDPOINTS
    new_orders = frozenset({"POST /dapi/v1/order"})

    def __init__(self, settings: SimulatorSettings, world: World, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        super().__init__(settings, COINM, world, clock_ms)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve the account's stream where the path ends in its listen key, public streams elsewhere."""
        root, _, last = request.path.rstrip("/").rpartition("/")
        if root == "/ws" and self.sockets.is_listen_key(last):
            return await self.sockets.serve_private(request, last)
        if root == "/ws" or request.path.rstrip("/") == "/ws":
            return await self.sockets.serve_public(request)
        return web.Response(status=404, text="no such path here")
