"""What Binance's three markets have in common: the door, the table of endpoints, public streams."""

from collections.abc import Callable, Mapping

from aiohttp import web

from adapters.simulators.binance import feeds
from adapters.simulators.binance.errors import BinanceError, Worded, worded
from adapters.simulators.binance.gate import Gate, read_parameters
from adapters.simulators.binance.order_endpoints import Endpoint
from adapters.simulators.binance.streams import Streams
from adapters.simulators.changes import Change, Top
from adapters.simulators.happenings import Print
from adapters.simulators.instruments import Instrument
from adapters.simulators.ledger import Origin
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.rest import Answer
from adapters.simulators.settings import SimulatorSettings
from adapters.simulators.venue import SimulatedVenue, wall_clock_ms
from adapters.simulators.world import World


def name_order(origin: Origin, order_id: int) -> str:
    """Return the client id that Binance gives an order that has none."""
    match origin:
        case "client":
            return f"web_{order_id}"
        case "liquidation":
            return f"autoclose-{order_id}"
        case "adl":
            return "adl_autoclose"


class BinanceMarket(SimulatedVenue):
    """Answer REST from a table, and tell the public on named streams."""

    endpoints: Mapping[str, Endpoint]
    words: Mapping[Refusal, Worded]

    def __init__(
        self,
        settings: SimulatorSettings,
        instruments: tuple[Instrument, ...],
        world: World,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        super().__init__(settings, instruments, world, clock_ms)
        self.gate = Gate(settings.keys(), settings.limits)
        known = (feeds.stream(each, kind) for each in instruments for kind in feeds.STREAMS)
        self.sockets = Streams(known, self.hub, settings.listen_key_ttl_ms)

    def answer(self, request: web.Request, body: str) -> Answer:
        """Do what a REST request asks."""
        try:
            status, row = 200, self._do(request, body)
        except (Refused, BinanceError) as error:
            status, row = worded(error, self.words)
        return Answer(status, row, {"X-MBX-USED-WEIGHT-1M": str(self.gate.weight_used)})

    def overloaded(self) -> Answer:
        """Say that there were too many requests."""
        row = {"code": -1003, "msg": "Too many requests; please use the websocket for live updates."}
        return Answer(429, row)

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
        """Tell the public mark, index and funding; spot has none."""
        if instrument.kind != "spot":
            for topic, message in feeds.marks(instrument, self.exchange.mark(instrument.symbol), now_ms):
                self.hub.publish(topic, message)

    def book_topic(self, instrument: Instrument) -> str:
        """Return the depth stream's name."""
        return feeds.stream(instrument, "depth")

    def _do(self, request: web.Request, body: str) -> object:
        now_ms = self.clock_ms()
        name = f"{request.method} {request.path}"
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            raise Refused(Refusal.UNKNOWN_PATH, f"{request.path}, Method {request.method}")
        self.gate.count(endpoint.weight, now_ms)
        query, key = request.rel_url.raw_query_string, request.headers.get("X-MBX-APIKEY")
        if endpoint.security == "signed":
            parameters = self.gate.check_signed(key, query, body, now_ms)
        else:
            parameters = read_parameters(query) | read_parameters(body)
            if endpoint.security == "key":
                self.gate.check_key(key)
        if name in self.new_orders:
            self.gate.count_order(now_ms)
        row = endpoint.answer(self, parameters, now_ms)
        self.commit()
        return row
