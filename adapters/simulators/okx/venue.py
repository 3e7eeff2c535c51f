"""The simulated OKX: v5's words for what the shared engine does."""

from collections.abc import Callable
from decimal import Decimal

from aiohttp import web

from adapters.simulators.admission import Policy
from adapters.simulators.changes import Change, Top
from adapters.simulators.countdowns import ALL
from adapters.simulators.happenings import AccountChanged, FundingPaid, Happening, OrderChanged, Print
from adapters.simulators.instruments import Instrument
from adapters.simulators.okx import algos, feeds, orders, wire
from adapters.simulators.okx.endpoints import (
    BOOK_LEVELS_MAX,
    CANCEL_AFTER,
    CANCELLING,
    LEVERAGE,
    PLACING,
    PUBLIC,
    SIGNED,
    SPREADS_OFF,
)
from adapters.simulators.okx.errors import OkxError, worded
from adapters.simulators.okx.gate import Gate
from adapters.simulators.okx.instruments import SWAPS, family
from adapters.simulators.okx.statement import account_row, position_row, position_rows
from adapters.simulators.okx.streams import Streams, known_topics, private_message
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.rest import Answer
from adapters.simulators.settings import SimulatorSettings
from adapters.simulators.sockets import Json
from adapters.simulators.venue import SimulatedVenue, wall_clock_ms
from adapters.simulators.world import World

REST_HOST = "www.okx.com"
STREAM_HOST = "ws.okx.com"
# A book that does not change is said to be alive this often.
HEARTBEAT_MS = 60_000
# How long "cancel all after" may count, in seconds, and how far apart it may be asked for.
COUNTDOWN_S_MIN, COUNTDOWN_S_MAX = 10, 120
COUNTDOWN_EVERY_MS = 1_000
READS = frozenset({*PUBLIC, *SIGNED})


class OkxVenue(SimulatedVenue):
    """Speak v5 about perpetual swaps.

    `modes` is what the account says of itself; whatever it says, it trades in net mode and cross margin.
    `quiet_since_ms` is when each book was last told of.
    """

    name = "okx"
    hosts = (REST_HOST, STREAM_HOST)
    new_orders = frozenset(f"POST {path}" for path in PLACING)
    policy = Policy(client_ids="unique", post_only="cancel")

    def __init__(self, settings: SimulatorSettings, world: World, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        super().__init__(settings, SWAPS, world, clock_ms)
        self._gate = Gate(settings.keys(), settings.passphrase, settings.limits)
        known = known_topics([each.symbol for each in SWAPS], [family(each) for each in SWAPS])
        self.sockets = Streams(known, self.hub, self._gate, self._standing, self.clock_ms)
        self.modes = {"acctLv": "2", "posMode": "net_mode"}
        self.quiet_since_ms = dict.fromkeys(self.exchange.instruments, 0)
        self._counted_ms = 0

    def answer(self, request: web.Request, body: str) -> Answer:
        """Do what a REST request asks."""
        try:
            return Answer(200, self._do(request, body))
        except (Refused, OkxError) as error:
            said = worded(error)
            return Answer(said.status, wire.refusal(said.code, said.text))

    def overloaded(self) -> Answer:
        """Say that there were too many requests."""
        said = worded(Refused(Refusal.TOO_MANY_REQUESTS))
        return Answer(429, wire.refusal(said.code, said.text))

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve the public, private or business socket."""
        return await self.sockets.serve(request)

    def tell(self, happening: Happening) -> None:
        """Tell the account what happened to it."""
        match happening:
            case OrderChanged(order=order, instrument=instrument, trade=trade):
                self.sockets.tell_account("orders", order.symbol, wire.order_row(order, instrument, trade))
            case AccountChanged(instrument=instrument, position=position, time_ms=now_ms):
                row = position_row(self.exchange, instrument, position, now_ms)
                self.sockets.tell_account("positions", instrument.symbol, row)
                self.sockets.tell_account("account", "", account_row(self.exchange, now_ms))
            case FundingPaid():
                """The AccountChanged that follows says it."""

    def tell_print(self, made: Print) -> None:
        """Tell the public of a trade."""
        self.hub.publish(*feeds.trade(made))

    def tell_change(self, change: Change) -> None:
        """Tell the public what changed in a book."""
        self.quiet_since_ms[change.instrument.symbol] = self.machine_ms()
        self.hub.publish(*feeds.update(change))

    def tell_top(self, top: Top) -> None:
        """Tell the public that the top of a book changed."""
        for topic, message in feeds.tops(top):
            self.hub.publish(topic, message)

    def tell_mark(self, instrument: Instrument, now_ms: int) -> None:
        """Tell the public mark, index and funding."""
        mark = self.exchange.mark(instrument.symbol)
        for topic, message in feeds.marks(instrument, mark, self.index(instrument), now_ms):
            self.hub.publish(topic, message)

    def each_publication(self, now_ms: int) -> None:
        """Say of quiet books that they are as they were."""
        machine_ms = self.machine_ms()
        for symbol, since_ms in self.quiet_since_ms.items():
            if machine_ms - since_ms >= HEARTBEAT_MS:
                self.quiet_since_ms[symbol] = machine_ms
                self.flush_book(symbol)
                self.hub.publish(*feeds.heartbeat(symbol, self.changes[symbol].last_id, now_ms))

    def index(self, instrument: Instrument) -> Decimal:
        """Return the index price: the world's."""
        return self.world.pair(instrument.base, instrument.quote).quantize(instrument.tick)

    def _do(self, request: web.Request, body: str) -> Json:
        now_ms = self.clock_ms()
        self._gate.count(now_ms)
        if request.method == "POST":
            return self._act(request, body, now_ms)
        path = request.path
        if request.method != "GET" or path not in READS:
            raise Refused(Refusal.UNKNOWN_PATH)
        if path in SIGNED:
            self._gate.check_signed(request.headers, "GET" + request.raw_path, now_ms)
        answer = PUBLIC.get(path) or SIGNED[path]
        return wire.envelope(answer(self, dict(request.query), now_ms))

    def _act(self, request: web.Request, body: str, now_ms: int) -> Json:
        path = request.path
        if path not in PLACING | CANCELLING | {CANCEL_AFTER, LEVERAGE, SPREADS_OFF, algos.PLACE, algos.CANCEL}:
            raise Refused(Refusal.UNKNOWN_PATH)
        self._gate.check_signed(request.headers, "POST" + request.raw_path + body, now_ms)
        items = orders.read_items(body)
        if path == LEVERAGE:
            answer = self._set_leverage(items[0])
        elif path == CANCEL_AFTER:
            answer = self._cancel_after(items[0], now_ms)
        elif path == SPREADS_OFF:
            answer = wire.envelope([{"result": True}])
        elif path == algos.PLACE:
            answer = algos.place(self.exchange, items[0], now_ms)
        elif path == algos.CANCEL:
            answer = algos.cancel(self.exchange, items, now_ms)
        else:
            if path in PLACING:
                self._gate.count_orders(len(items), now_ms)
            act = orders.place if path in PLACING else orders.cancel
            # The true venue is known to look at it for new orders; a client that sends it with others means it.
            until = request.headers.get("expTime", "")
            late = until.isascii() and until.isdigit() and int(until) < now_ms
            answer = orders.act_on(self.exchange, items, orders.too_late if late else act, now_ms)
        self.commit()
        return answer

    def _set_leverage(self, item: orders.Item) -> Json:
        symbol = self.exchange.instrument(str(item.get("instId") or "")).symbol
        lever = str(item.get("lever") or "")
        self.exchange.set_leverage(symbol, int(lever) if lever.isascii() and lever.isdigit() else 0)
        told = {"instId": symbol, "lever": lever, "mgnMode": "cross", "posSide": "net"}
        return wire.envelope([told])

    def _cancel_after(self, item: orders.Item, now_ms: int) -> Json:
        """Cancel everything after a countdown, unless it is asked for again; 0 stops it."""
        if now_ms - self._counted_ms < COUNTDOWN_EVERY_MS:
            raise Refused(Refusal.TOO_MANY_REQUESTS)
        told = str(item.get("timeOut") or "")
        seconds = int(told) if told.isascii() and told.isdigit() and len(told) <= len(str(COUNTDOWN_S_MAX)) else -1
        if seconds and not COUNTDOWN_S_MIN <= seconds <= COUNTDOWN_S_MAX:
            raise Refused(Refusal.MALFORMED, "timeOut")
        self._counted_ms = now_ms
        self.count_down(ALL, seconds * 1_000)
        triggers = str(now_ms + seconds * 1_000) if seconds else "0"
        return wire.envelope([{"triggerTime": triggers, "tag": str(item.get("tag") or ""), "ts": str(now_ms)}])

    def _standing(self, channel: str, name: str) -> Json | None:
        """Return how things stand, which a channel begins with."""
        now_ms = self.clock_ms()
        if channel == "books":
            self.flush_book(name)
            return feeds.snapshot(self.snapshot(name, BOOK_LEVELS_MAX))[1]
        if channel == "account":
            return private_message("account", account_row(self.exchange, now_ms))
        if channel == "positions":
            return private_message("positions", position_rows(self.exchange, name or None, now_ms))
        if channel in feeds.TOP_CHANNELS:
            book = self.snapshot(name, 1)
            return feeds.standing_top(channel, book)
        followed = [each for each in self.exchange.instruments.values() if name in {each.symbol, family(each)}]
        if followed and followed[0].symbol in self.exchange.marks:
            told = feeds.marks(followed[0], self.exchange.mark(followed[0].symbol), self.index(followed[0]), now_ms)
            return dict(told).get(feeds.topic(channel, name))
        return None
