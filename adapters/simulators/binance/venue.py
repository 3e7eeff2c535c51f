"""The simulated Binance USD-M venue: Binance's words for what the shared engine does."""

from collections.abc import Callable

from aiohttp import web

from adapters.simulators.admission import Policy
from adapters.simulators.binance import feeds, wire
from adapters.simulators.binance.endpoints import ENDPOINTS, NEW_ORDER
from adapters.simulators.binance.errors import BinanceError, worded
from adapters.simulators.binance.gate import Gate, read_parameters
from adapters.simulators.binance.instruments import USDM
from adapters.simulators.binance.streams import Streams
from adapters.simulators.changes import Change, Top
from adapters.simulators.happenings import AccountChanged, FundingPaid, Happening, OrderChanged, Print
from adapters.simulators.instruments import Instrument
from adapters.simulators.ledger import Origin
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.rest import Answer
from adapters.simulators.venue import SimulatedVenue, SimulatorSettings, wall_clock_ms
from adapters.simulators.world import World

REST_HOST = "fapi.binance.com"
STREAM_HOST = "fstream.binance.com"


def name_order(origin: Origin, order_id: int) -> str:
    """Return the client id that Binance gives an order that has none."""
    match origin:
        case "client":
            return f"web_{order_id}"
        case "liquidation":
            return f"autoclose-{order_id}"
        case "adl":
            return "adl_autoclose"


class BinanceVenue(SimulatedVenue):
    """Speak USD-M: fapi and fstream."""

    name = "binanceusdm"
    hosts = (REST_HOST, STREAM_HOST)
    policy = Policy(name_order=name_order)

    def __init__(self, settings: SimulatorSettings, world: World, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        super().__init__(settings, USDM, world, clock_ms)
        self._gate = Gate(settings.api_key, settings.api_secret, settings.limits)
        known = (feeds.stream(each, kind) for each in self.exchange.instruments.values() for kind in feeds.STREAMS)
        self.sockets = Streams(known, self.hub, settings.listen_key_ttl_ms)

    def answer(self, request: web.Request, body: str) -> Answer:
        """Do what a REST request asks."""
        try:
            status, row = 200, self._do(request, body)
        except (Refused, BinanceError) as error:
            status, row = worded(error)
        return Answer(status, row, {"X-MBX-USED-WEIGHT-1M": str(self._gate.weight_used)})

    def overloaded(self) -> Answer:
        """Say that there were too many requests."""
        row = {"code": -1003, "msg": "Too many requests; please use the websocket for live updates."}
        return Answer(429, row)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve public streams, or the account's behind its listen key."""
        if request.path.startswith("/private/ws"):
            return await self.sockets.serve_private(request, request.query.get("listenKey", ""))
        if request.path.startswith(("/public/ws", "/market/ws")):
            return await self.sockets.serve_public(request)
        return web.Response(status=404, text="no such path here")

    def tell(self, happening: Happening) -> None:
        """Tell the account what happened to it."""
        match happening:
            case OrderChanged():
                self.sockets.tell_account([wire.order_update(happening)])
            case AccountChanged():
                self.sockets.tell_account([wire.account_update(happening)])
            case FundingPaid():
                """The ACCOUNT_UPDATE that follows says it."""

    def tell_print(self, made: Print) -> None:
        """Tell the public of a trade."""
        for topic, message in feeds.trades(self.exchange.instruments[made.symbol], made):
            self.hub.publish(topic, message)

    def tell_change(self, change: Change) -> None:
        """Tell the public what changed in a book."""
        for topic, message in feeds.diffs(change):
            self.hub.publish(topic, message)

    def tell_top(self, top: Top) -> None:
        """Tell the public that the top of a book changed."""
        self.hub.publish(*feeds.ticker(top))

    def tell_mark(self, instrument: Instrument, now_ms: int) -> None:
        """Tell the public mark, index and funding."""
        for topic, message in feeds.marks(instrument, self.exchange.mark(instrument.symbol), now_ms):
            self.hub.publish(topic, message)

    def book_topic(self, instrument: Instrument) -> str:
        """Return the depth stream's name."""
        return feeds.stream(instrument, "depth")

    def each_publication(self, now_ms: int) -> None:
        """Let the listen key run out."""
        self.sockets.expire_listen_key(now_ms)

    def open_listen_key(self, now_ms: int) -> str:
        """Return the account's listen key."""
        return self.sockets.open_listen_key(now_ms)

    def renew_listen_key(self, now_ms: int) -> str:
        """Renew the account's listen key."""
        return self.sockets.renew_listen_key(now_ms)

    def close_listen_key(self) -> None:
        """Forget the account's listen key."""
        self.sockets.close_listen_key()

    def _do(self, request: web.Request, body: str) -> object:
        now_ms = self.clock_ms()
        name = f"{request.method} {request.path}"
        endpoint = ENDPOINTS.get(name)
        if endpoint is None:
            raise Refused(Refusal.UNKNOWN_PATH, f"{request.path}, Method {request.method}")
        self._gate.count(endpoint.weight, now_ms)
        query, key = request.rel_url.raw_query_string, request.headers.get("X-MBX-APIKEY")
        if endpoint.security == "signed":
            parameters = self._gate.check_signed(key, query, body, now_ms)
        else:
            parameters = read_parameters(query) | read_parameters(body)
            if endpoint.security == "key":
                self._gate.check_key(key)
        if name == NEW_ORDER:
            self._gate.count_order(now_ms)
        row = endpoint.answer(self, parameters, now_ms)
        self.commit()
        return row
