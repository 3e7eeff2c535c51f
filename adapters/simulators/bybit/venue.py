"""The simulated Bybit: v5's words for what the shared engine does."""

import secrets
from collections.abc import Callable
from urllib.parse import parse_qsl

from aiohttp import web

from adapters.simulators.admission import Policy
from adapters.simulators.bybit import books
from adapters.simulators.bybit.endpoints import COUNTED, ENDPOINTS, NEW_ORDER
from adapters.simulators.bybit.errors import BybitError, envelope, refused
from adapters.simulators.bybit.executions import KINDS, Execution, Executions
from adapters.simulators.bybit.gate import Gate, read_body
from adapters.simulators.bybit.identities import print_word
from adapters.simulators.bybit.instruments import PERPETUALS
from adapters.simulators.bybit.market_endpoints import ticker_row
from adapters.simulators.bybit.order_endpoints import execution_told
from adapters.simulators.bybit.protection import DERIVATIVES, Protection
from adapters.simulators.bybit.statement import position_told, wallet_row
from adapters.simulators.bybit.streams import Streams
from adapters.simulators.bybit.wire import order_row
from adapters.simulators.changes import Change, Top
from adapters.simulators.countdowns import ALL
from adapters.simulators.happenings import AccountChanged, FundingPaid, Happening, OrderChanged, Print
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.rest import Answer
from adapters.simulators.settings import SimulatorSettings
from adapters.simulators.sockets import Json, Socket
from adapters.simulators.venue import SimulatedVenue, wall_clock_ms
from adapters.simulators.world import World

REST_HOST = "api.bybit.com"
STREAM_HOST = "stream.bybit.com"
PRIVATE_PATH = "/v5/private"
PUBLIC_PATHS = {f"/v5/public/{category}": category for category in ("linear", "inverse", "spot")}
OPEN_ORDERS_MAX = 500
# Of each contract.
CONDITIONAL_MAX = 10
TOO_FREQUENT = "<html><head><title>403</title></head><body>access too frequent</body></html>"
BOOK_DEPTHS = (1, *books.DEPTHS)


class BybitVenue(SimulatedVenue):
    """Speak v5: one unified account, linear and inverse perpetuals in one-way mode; spot lists nothing."""

    name = "bybit"
    hosts = (REST_HOST, STREAM_HOST)
    new_orders = frozenset({NEW_ORDER})
    policy = Policy(
        client_ids="unique",
        post_only="cancel",
        open_orders_max=OPEN_ORDERS_MAX,
        conditional_max=CONDITIONAL_MAX,
        conditional_each=True,
    )

    def __init__(self, settings: SimulatorSettings, world: World, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        super().__init__(settings, PERPETUALS, world, clock_ms)
        self._gate = Gate(settings.keys(), settings.limits)
        self.executions = Executions(self.exchange)
        self.protection = Protection()
        self._books = {
            symbol: books.ShownBook(symbol, changes.last_id, self._whole_book(symbol))
            for symbol, changes in self.changes.items()
        }
        self._tickers: dict[str, Json] = {}
        known = {
            category: frozenset(
                topic
                for each in self.exchange.instruments.values()
                if each.kind == category
                for topic in _topics(each.symbol)
            )
            for category in PUBLIC_PATHS.values()
        }
        self._streams = Streams(self.hub, self._gate, known, self._greet, self.clock_ms)

    async def route(self, request: web.Request) -> web.StreamResponse:
        """Serve a request, or turn an address away that asks too often."""
        if not self._gate.visit(self.clock_ms()):
            return web.Response(status=403, text=TOO_FREQUENT, content_type="text/html")
        return await super().route(request)

    def answer(self, request: web.Request, body: str) -> Answer:
        """Do what a REST request asks."""
        now_ms = self.clock_ms()
        headers: dict[str, str] = {}
        try:
            status, row = 200, envelope(self._do(request, body, now_ms), now_ms)
        except (Refused, BybitError) as error:
            status, row = refused(error, now_ms)
        if f"{request.method} {request.path}" in COUNTED:
            headers = self._gate.limits_told(now_ms)
        return Answer(status, row, headers)

    def overloaded(self) -> Answer:
        """Say that there were too many requests."""
        now_ms = self.clock_ms()
        return Answer(429, envelope({}, now_ms, 10006, "Too many visits. Exceeded the API Rate Limit."))

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve public topics of a category, or the account's."""
        opened = self._streams.opened
        if request.path == PRIVATE_PATH:
            return await self.hub.serve(
                request, self._streams.hear_private, on_open=opened, on_close=self._left_private
            )
        category = PUBLIC_PATHS.get(request.path)
        if category is not None:
            return await self.hub.serve(request, self._streams.listener(category), on_open=opened)
        return web.Response(status=404, text="no such path here")

    def tell(self, happening: Happening) -> None:
        """Tell the account what happened to it."""
        match happening:
            case OrderChanged(order=order, instrument=instrument, trade=trade, time_ms=now_ms):
                if trade is not None:
                    kind = KINDS[trade.origin]
                    self._tell_execution(Execution(kind=kind, symbol=trade.symbol, time_ms=now_ms, trade=trade), now_ms)
                row = order_row(order, instrument, self.executions.fees(order))
                self._tell_account("order", {"category": instrument.kind, **row}, now_ms)
            case AccountChanged(instrument=instrument, position=position, wallets=wallets, time_ms=now_ms):
                row = position_told(self.exchange, instrument, position, now_ms)
                self._tell_account("position", row, now_ms)
                self._tell_account("wallet", wallet_row(self.exchange, self.world, wallets), now_ms)
            case FundingPaid(income=paid, position=position, time_ms=now_ms):
                held = position.quantity
                execution = Execution(kind="Funding", symbol=paid.symbol, time_ms=paid.time_ms, paid=paid, held=held)
                self._tell_execution(execution, now_ms)

    def tell_print(self, made: Print) -> None:
        """Tell the public of a trade."""
        row: Json = {
            "T": made.time_ms,
            "s": made.symbol,
            "S": "Sell" if made.buyer_is_maker else "Buy",
            "v": plain(made.quantity),
            "p": plain(made.price),
            "L": "ZeroPlusTick",
            "i": print_word(made.trade_id),
            "BT": False,
            "RPI": False,
            "seq": made.trade_id,
        }
        topic = f"publicTrade.{made.symbol}"
        self.hub.publish(topic, {"topic": topic, "type": "snapshot", "ts": made.time_ms, "data": [row]})

    def tell_change(self, change: Change) -> None:
        """Tell the public what changed in a book."""
        symbol = change.instrument.symbol
        heard = tuple(depth for depth in books.DEPTHS if self.hub.listeners(books.topic(symbol, depth)))
        for depth, message in self._books[symbol].deltas(change, heard).items():
            topic = books.topic(symbol, depth)
            self.hub.publish(topic, {"topic": topic, "type": "delta", **message})

    def tell_top(self, top: Top) -> None:
        """Tell the public that the top of a book changed: that topic is always told whole."""
        symbol = top.instrument.symbol
        topic = books.topic(symbol, 1)
        self.hub.publish(topic, {"topic": topic, "type": "snapshot", **self._books[symbol].top(top)})
        self._tell_ticker(top.instrument, top.time_ms)

    def tell_mark(self, instrument: Instrument, now_ms: int) -> None:
        """Tell the public mark, index and funding."""
        self._tell_ticker(instrument, now_ms, always=True)

    def book_topic(self, instrument: Instrument) -> str:
        """Return the name of the topic that most clients listen to."""
        return books.topic(instrument.symbol, books.DEPTHS[0])

    def book_number(self, symbol: str, last_id: int) -> int:
        """Return the book's update number at an id of the engine."""
        return self._books[symbol].number(last_id)

    def _do(self, request: web.Request, body: str, now_ms: int) -> Json:
        name = f"{request.method} {request.path}"
        endpoint = ENDPOINTS.get(name)
        if endpoint is None:
            raise Refused(Refusal.UNKNOWN_PATH, name)
        query = request.rel_url.raw_query_string
        if endpoint.security == "signed":
            said = body if request.method == "POST" else query
            self._gate.check_signed(request.headers, said, now_ms)
        if name in COUNTED:
            self._gate.count_order(now_ms)
        parameters = read_body(body) if request.method == "POST" else dict(parse_qsl(query))
        result = endpoint.answer(self, parameters, now_ms)
        self.commit()
        return result

    def _greet(self, socket: Socket, topic: str) -> None:
        """Send what a subscription begins with: a book or a ticker as it stands."""
        kind, _, symbol = topic.rpartition(".")
        now_ms = self.clock_ms()
        if topic == DERIVATIVES.topic:
            self.count_down(ALL, 0)
        if kind.startswith("orderbook"):
            # Whoever listens already is told first what is pending; what comes next then follows this snapshot.
            self.flush_book(symbol)
            shown = self._books[symbol].shown(self.snapshot(symbol, int(kind.rpartition(".")[2])))
            self.hub.send(socket, {"topic": topic, "type": "snapshot", **shown})
        elif kind == "tickers" and symbol in self.exchange.marks:
            self._tell_ticker(self.exchange.instruments[symbol], now_ms)
            message = {"topic": topic, "type": "snapshot", "data": self._tickers[symbol], "ts": now_ms}
            self.hub.send(socket, message)

    def _left_private(self, socket: Socket) -> None:
        """Count down once nobody is left on a protected connection."""
        window_s = self.protection.windows_s.get(DERIVATIVES.product, 0)
        if DERIVATIVES.topic in socket.topics and window_s and not self.hub.listeners(DERIVATIVES.topic):
            self.count_down(ALL, window_s * 1_000)

    def _tell_ticker(self, instrument: Instrument, now_ms: int, *, always: bool = False) -> None:
        """Tell which fields of a ticker changed; once a second the mark, changed or not."""
        if instrument.symbol not in self.exchange.marks:
            return
        row = ticker_row(self, instrument, now_ms)
        known = self._tickers.get(instrument.symbol, {})
        told = {name: value for name, value in row.items() if known.get(name) != value}
        if always:
            told |= {"markPrice": row["markPrice"], "indexPrice": row["indexPrice"]}
        self._tickers[instrument.symbol] = row
        if told:
            topic = f"tickers.{instrument.symbol}"
            data = {"symbol": instrument.symbol, **told}
            self.hub.publish(topic, {"topic": topic, "type": "delta", "data": data, "ts": now_ms})

    def _tell_execution(self, execution: Execution, now_ms: int) -> None:
        self._tell_account("execution", execution_told(self, execution), now_ms)

    def _tell_account(self, topic: str, row: Json, now_ms: int) -> None:
        message = {"id": secrets.token_hex(8), "topic": topic, "creationTime": now_ms, "data": [row]}
        self.hub.tell_account(topic, topic, message)

    def _whole_book(self, symbol: str) -> Callable[[], books.Snapshot]:
        return lambda: self.snapshot(symbol, books.WHOLE_BOOK)


def _topics(symbol: str) -> tuple[str, ...]:
    return (*(books.topic(symbol, depth) for depth in BOOK_DEPTHS), f"publicTrade.{symbol}", f"tickers.{symbol}")
