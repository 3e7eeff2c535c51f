"""The simulated Deribit: JSON-RPC's words, over GET and one WebSocket, for what the shared engine does."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from adapters.simulators.admission import Policy
from adapters.simulators.changes import Change, Top
from adapters.simulators.conditional import FIRST_ID
from adapters.simulators.deribit.books import WHOLE_BOOK, ShownBook
from adapters.simulators.deribit.endpoints import MATCHING, METHODS, PUBLIC
from adapters.simulators.deribit.errors import TOO_MANY, envelope, refused
from adapters.simulators.deribit.gate import Gate
from adapters.simulators.deribit.instruments import PERPETUALS
from adapters.simulators.deribit.market_endpoints import Parameters, index_price, ticker_row
from adapters.simulators.deribit.order_endpoints import told_trade
from adapters.simulators.deribit.statement import summary_row
from adapters.simulators.deribit.streams import Call, Streams, Unanswered
from adapters.simulators.deribit.wire import identity_of, number, order_row, word
from adapters.simulators.faults import AFTER, BEFORE, Fault
from adapters.simulators.faults import ORDERS as ANY_ORDER
from adapters.simulators.happenings import AccountChanged, Happening, OrderChanged, Print
from adapters.simulators.instruments import Instrument
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.rest import Answer
from adapters.simulators.settings import SimulatorSettings
from adapters.simulators.sockets import Json, Socket
from adapters.simulators.venue import SimulatedVenue, wall_clock_ms
from adapters.simulators.world import World

HOST = "www.deribit.com"
API = "/api/v2/"
STREAM_PATH = "/ws/api/v2"
INTERVAL = "100ms"
ORDERS = "user.orders.any.any.raw"
TRADES = "user.trades.any.any.raw"
PORTFOLIO = "user.portfolio."
OPEN_ORDERS_MAX = 500


class DeribitVenue(SimulatedVenue):
    """Speak JSON-RPC: inverse perpetuals in dollars and a linear one, labels that may repeat, no leverage to set.

    Faults on the account's stream go by `orders`, `trades` and `portfolio`; on books by symbol or channel. `by_hand`
    are orders that a person placed in the web pages.
    """

    name = "deribit"
    hosts = (HOST,)
    new_orders = frozenset({f"GET {API}private/buy", f"GET {API}private/sell"})
    policy = Policy(client_ids="free", post_only="refuse", open_orders_max=OPEN_ORDERS_MAX, deleverages=False)

    def __init__(self, settings: SimulatorSettings, world: World, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        super().__init__(settings, PERPETUALS, world, clock_ms)
        self._gate = Gate(settings.keys(), settings.limits)
        self.by_hand: set[int] = set()
        self._books = {symbol: ShownBook() for symbol in self.exchange.instruments}
        names = [f"{kind}.{each}.{INTERVAL}" for each in self._books for kind in ("book", "trades", "ticker")]
        portfolios = [f"{PORTFOLIO}{each}" for each in self.exchange.ledger.wallets]
        known = frozenset({*names, *portfolios, ORDERS, TRADES})
        self._streams = Streams(self.hub, self._gate, known, self._greet, self.clock_ms, self._act)

    def answer(self, request: web.Request, body: str) -> Answer:
        """Do what a REST request asks."""
        now_ms = self.clock_ms()
        try:
            result = self._do(request, body, now_ms)
        except Refused as error:
            status, told = refused(error)
            return Answer(status, envelope(now_ms, error=told))
        return Answer(200, envelope(now_ms, result=result))

    def overloaded(self) -> Answer:
        """Say that there were too many requests."""
        _, told = refused(Refused(Refusal.TOO_MANY_REQUESTS))
        return Answer(TOO_MANY, envelope(self.clock_ms(), error=told))

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve the one stream."""
        if request.path != STREAM_PATH:
            return web.Response(status=404, text="no such path here")
        return await self.hub.serve(request, self._streams.hear, on_open=self._streams.opened, on_close=self._left)

    def tell(self, happening: Happening) -> None:
        """Tell the account what happened to it; funding is told in the log only."""
        match happening:
            case OrderChanged(order=order, instrument=instrument, trade=trade):
                if trade is not None:
                    self._tell_account(TRADES, "trades", [told_trade(self, trade)])
                row = order_row(order, instrument, by_hand=order.order_id in self.by_hand)
                self._tell_account(ORDERS, "orders", row)
            case AccountChanged(wallets=wallets, time_ms=now_ms):
                for currency in wallets:
                    row = summary_row(self.exchange, currency, now_ms)
                    self._tell_account(f"{PORTFOLIO}{currency}", "portfolio", row)
            case _:
                pass

    def tell_print(self, made: Print) -> None:
        """Tell the public of a trade."""
        instrument = self.exchange.instruments[made.symbol]
        row: Json = {
            "trade_seq": made.trade_id,
            "trade_id": word(instrument, made.trade_id),
            "timestamp": made.time_ms,
            "tick_direction": 0,
            "price": number(made.price),
            "mark_price": number(self.exchange.marks.get(made.symbol, made.price)),
            "instrument_name": made.symbol,
            "index_price": number(index_price(self, instrument)),
            "direction": "sell" if made.buyer_is_maker else "buy",
            "amount": number(made.quantity),
        }
        self._publish("trades", made.symbol, [row])

    def tell_change(self, change: Change) -> None:
        """Tell the public what changed in a book."""
        symbol = change.instrument.symbol
        self._publish("book", symbol, self._books[symbol].change(change))

    def tell_top(self, top: Top) -> None:
        """Tell the public that the top of a book changed."""
        self.tell_mark(top.instrument, top.time_ms)

    def tell_mark(self, instrument: Instrument, now_ms: int) -> None:
        """Tell the public mark, index and funding."""
        if instrument.symbol in self.exchange.marks:
            self._publish("ticker", instrument.symbol, ticker_row(self, instrument, now_ms))

    def book_topic(self, instrument: Instrument) -> str:
        """Return the name of a book's channel."""
        return f"book.{instrument.symbol}.{INTERVAL}"

    def each_publication(self, now_ms: int) -> None:
        """Keep the heart beating."""
        self._streams.beat(now_ms)

    def _do(self, request: web.Request, body: str, now_ms: int) -> object:
        name = request.path.removeprefix(API)
        if name not in METHODS or request.method != "GET" or not request.path.startswith(API):
            raise Refused(Refusal.UNKNOWN_PATH, name)
        if name not in PUBLIC:
            header = request.headers.get("Authorization", "")
            self._gate.check_signed(header, request.method, request.raw_path, body, now_ms)
        return self._done(name, dict(parse_qsl(request.rel_url.raw_query_string)), now_ms)

    def _done(self, name: str, parameters: Parameters, now_ms: int) -> Any:
        if name in MATCHING:
            self._gate.count_order(now_ms)
        else:
            self._gate.count(now_ms)
        result = METHODS[name](self, parameters, now_ms)
        self.commit()
        return result

    def _act(self, socket: Socket, call: Call) -> object:
        """Do over a socket what REST does, with the same faults; what would break an answer breaks the connection."""
        if call.method not in METHODS:
            raise Refused(Refusal.UNKNOWN_PATH, call.method)
        if call.method not in PUBLIC and not socket.session.get("known"):
            raise Refused(Refusal.NO_SESSION)
        name = f"GET {API}{call.method}"
        names = (name, ANY_ORDER) if name in self.new_orders else (name,)
        early = self.faults.take(BEFORE, names, self.machine_ms())
        if early is not None and early.kind == "rate_limited":
            raise Refused(Refusal.TOO_MANY_REQUESTS)
        if early is not None:
            socket.drop()
            raise Unanswered
        result = self._done(call.method, {key: _word(value) for key, value in call.params.items()}, self.clock_ms())
        if name in self.new_orders:
            socket.session["orders"].add(identity_of(result["order"]["order_id"]))
        late = self.faults.take(AFTER, names, self.machine_ms())
        if late is None:
            return result
        if late.kind == "vanish":
            self.faults.arm(Fault(kind="lost", for_ms=late.delay_ms), self.machine_ms())
            self.hub.drop_all()
        elif late.kind != "timeout":
            socket.drop()
        raise Unanswered

    def _left(self, socket: Socket) -> None:
        """Cancel what was ordered on a connection that ended, where that was asked for."""
        if self.is_closed or not socket.session["ends_orders"]:
            return
        for order_id in sorted(socket.session["orders"]):
            if order_id >= FIRST_ID:
                if self.exchange.conditionals.all[order_id].is_waiting:
                    self.exchange.cancel_conditional(order_id, None, self.clock_ms())
                continue
            order = self.exchange.orders[order_id]
            if order.is_open:
                self.exchange.cancel(order.symbol, order_id, None, self.clock_ms())
        self.commit()

    def _greet(self, socket: Socket, channel: str) -> None:
        """Send what a subscription begins with: a book or a ticker as it stands."""
        kind, _, rest = channel.partition(".")
        symbol = rest.rpartition(".")[0]
        if kind == "book":
            # Whoever listens already is told first what is pending; what comes next then follows this snapshot.
            self.flush_book(symbol)
            data = self._books[symbol].snapshot(self.snapshot(symbol, WHOLE_BOOK))
            self.hub.send(socket, _notification(channel, data))
        elif kind == "ticker" and symbol in self.exchange.marks:
            data = ticker_row(self, self.exchange.instruments[symbol], self.clock_ms())
            self.hub.send(socket, _notification(channel, data))

    def _publish(self, kind: str, symbol: str, data: object) -> None:
        channel = f"{kind}.{symbol}.{INTERVAL}"
        self.hub.publish(channel, _notification(channel, data))

    def _tell_account(self, channel: str, name: str, data: object) -> None:
        self.hub.tell_account(channel, name, _notification(channel, data))


def _word(value: object) -> str:
    """Return a JSON value as a query would spell it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _notification(channel: str, data: object) -> Json:
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
