"""The simulated Binance spot: wallets instead of positions, and an account's stream over the WebSocket API."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from adapters.simulators.admission import Policy
from adapters.simulators.binance import spot_wire
from adapters.simulators.binance.errors import SPOT_WORDS, BinanceError, worded
from adapters.simulators.binance.gate import check_time
from adapters.simulators.binance.instruments import SPOT
from adapters.simulators.binance.market import BinanceMarket, name_order
from adapters.simulators.binance.spot_endpoints import SPOT_ENDPOINTS, cancel_id
from adapters.simulators.happenings import AccountChanged, FundingPaid, Happening, OrderChanged
from adapters.simulators.instruments import plain
from adapters.simulators.ledger import ZERO
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.settings import SimulatorSettings
from adapters.simulators.sockets import Json, Socket
from adapters.simulators.venue import wall_clock_ms
from adapters.simulators.world import World

STREAM_HOST = "stream.binance.com"
API_SOCKET_HOST = "ws-api.binance.com"
ACCOUNT = "account"


class ApiRequest(msgspec.Struct):
    """Hold what a client asks of the WebSocket API."""

    method: str
    id: int | str | None = None
    params: Mapping[str, str | int] = {}


_REQUEST = msgspec.json.Decoder(ApiRequest)


class BinanceSpot(BinanceMarket):
    """Speak spot: fees out of what is received, one stream host, one WebSocket API for the account."""

    name = "binance"
    hosts = ("api.binance.com", STREAM_HOST, API_SOCKET_HOST)
    policy = Policy(name_order=name_order)
    endpoints = SPOT_ENDPOINTS
    words = SPOT_WORDS
    new_orders = frozenset({"POST /api/v3/order"})

    def __init__(self, settings: SimulatorSettings, world: World, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        super().__init__(settings, SPOT, world, clock_ms)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve public streams, or the WebSocket API."""
        host = request.host.partition(":")[0]
        if host == STREAM_HOST and request.path.startswith("/ws"):
            return await self.sockets.serve_public(request)
        if host == API_SOCKET_HOST and request.path == "/ws-api/v3":
            return await self.hub.serve(request, self._asked)
        return web.Response(status=404, text="no such path here")

    def tell(self, happening: Happening) -> None:
        """Tell the account what happened to it: orders, then what is free and what is locked."""
        match happening:
            case OrderChanged(order=order):
                self._tell(spot_wire.execution_report(happening, cancel_id(order.order_id)))
                if happening.execution != "TRADE":
                    self._tell(self._balances((happening.instrument.base, happening.instrument.quote)))
            case AccountChanged(wallets=wallets):
                self._tell(self._balances(tuple(wallets)))
            case FundingPaid():
                raise AssertionError("spot pays no funding")

    def end_account_stream(self) -> None:
        """End the account's stream as the venue does on its bad days; its sockets stay open and silent."""
        for socket in self.hub.listeners(ACCOUNT):
            event: Json = {"e": "eventStreamTerminated", "E": self.clock_ms()}
            self.hub.send(socket, {"subscriptionId": 0, "event": event})
            socket.topics.discard(ACCOUNT)

    def _tell(self, event: Json) -> None:
        self.hub.tell_account(ACCOUNT, str(event["e"]), {"subscriptionId": 0, "event": event})

    def _balances(self, assets: tuple[str, ...]) -> Json:
        now_ms, locked, wallets = self.clock_ms(), self.exchange.locked(), self.exchange.ledger.wallets
        rows = [
            {"a": asset, "f": plain(wallets[asset] - locked.get(asset, ZERO)), "l": plain(locked.get(asset, ZERO))}
            for asset in assets
        ]
        return {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": rows}

    def _asked(self, socket: Socket, text: str) -> None:
        try:
            request = _REQUEST.decode(text)
        except msgspec.DecodeError:
            error = {"code": -1135, "msg": "Invalid JSON Request."}
            self.hub.send(socket, {"id": None, "status": 400, "error": error})
            return
        try:
            status, said = 200, {"result": self._do_request(socket, request)}
        except (Refused, BinanceError) as refused:
            status, error = worded(refused, self.words)
            said: dict[str, Any] = {"error": error}
        self.hub.send(socket, {"id": request.id, "status": status} | said)

    def _do_request(self, socket: Socket, request: ApiRequest) -> Json:
        match request.method:
            case "ping":
                return {}
            case "time":
                return {"serverTime": self.clock_ms()}
            case "userDataStream.subscribe.signature":
                self._check_signed(request.params)
                socket.topics.add(ACCOUNT)
                return {"subscriptionId": 0}
            case _:
                raise BinanceError(-1000, "Unknown method.")

    def _check_signed(self, params: Mapping[str, str | int]) -> None:
        """Refuse a wrong key, signature or time; what is signed are the sorted parameters."""
        given = {name: str(value) for name, value in params.items()}
        self.gate.check_key(given.get("apiKey"))
        signature = given.pop("signature", None)
        if signature is None:
            raise Refused(Refusal.MISSING, "signature")
        payload = "&".join(f"{name}={given[name]}" for name in sorted(given))
        self.gate.check_signature(given.get("apiKey"), payload, signature)
        check_time(given, self.clock_ms())
