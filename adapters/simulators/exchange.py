"""The simulated venue without its wires: orders, filters, margin, fills, funding. Pure, deterministic, in no dialect.

Time comes in with every call. What happened goes out through `drain`: records for the journal, happenings for the
account's stream, prints for the public one, in the order in which they happened. Bands, margin and funding use the
book's middle as mark; a cross-margin account in one-way mode, one pool per settle asset, is all there is; liquidation
happens only when asked for (`force_close`). Self-trades expire the resting order.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from adapters.simulators.admission import OrderRequest, Policy, admit
from adapters.simulators.conditional import Conditional, ConditionalRequest, Conditionals, ConditionalStatus
from adapters.simulators.happenings import Execution
from adapters.simulators.hindrances import Hindrances
from adapters.simulators.instruments import Instrument
from adapters.simulators.journal import ConditionalKept, IncomeKept, LeverageKept, OrderKept, TradeKept
from adapters.simulators.ledger import MONEY, ZERO, Ending, Ledger, Order, OrderStatus
from adapters.simulators.matching import Book, Match, SelfExpired, Side
from adapters.simulators.orders import Orders
from adapters.simulators.outbox import Happened, Outbox
from adapters.simulators.refusals import Refusal, Refused


class Exchange:
    """Run one account on a few books."""

    def __init__(
        self,
        instruments: Iterable[Instrument],
        deposits: Mapping[str, Decimal],
        *,
        now_ms: int,
        policy: Policy | None = None,
        hindrances: Hindrances | None = None,
    ) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self.policy = policy or Policy()
        self._hindrances = hindrances or Hindrances()
        self.ledger = Ledger(self.instruments.values(), deposits)
        self.books = {symbol: Book() for symbol in self.instruments}
        self._orders = Orders(self.policy, self.instruments)
        self.conditionals = Conditionals()
        self.marks: dict[str, Decimal] = {}
        self.funded_until_ms = {
            symbol: now_ms - now_ms % instrument.funding_interval_ms
            for symbol, instrument in self.instruments.items()
            if instrument.kind != "spot"
        }
        self._outbox = Outbox(first_print_id=now_ms)

    @property
    def orders(self) -> Mapping[int, Order]:
        """Return every order by id; ids are consecutive from 1."""
        return self._orders.all

    def drain(self) -> Happened:
        """Hand out what happened and forget it."""
        return self._outbox.drain()

    def rest_open_orders(self, now_ms: int) -> None:
        """Put restored open orders back into their books, oldest first; those the market passed are filled."""
        for order in self.open_orders(None):
            if not self._may_rest(order):
                self._close(order, "EXPIRED", "reduce_only", now_ms)
                continue
            self._take(order, order.price, order.quantity - order.filled, now_ms)
            if order.is_open:
                left = order.quantity - order.filled
                self.books[order.symbol].rest(order.side, order.price, left, order.order_id)

    def instrument(self, symbol: str | None) -> Instrument:
        """Return a listed instrument."""
        if not symbol:
            raise Refused(Refusal.MISSING, "symbol")
        found = self.instruments.get(symbol)
        if found is None:
            raise Refused(Refusal.UNKNOWN_SYMBOL, symbol)
        return found

    def mark(self, symbol: str) -> Decimal:
        """Return the middle of the book, or the last one known; refuse while there has never been one."""
        mark = self.marks.get(symbol)
        if mark is None:
            raise Refused(Refusal.NOT_READY, symbol)
        return mark

    def set_market(
        self, symbol: str, bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]], now_ms: int
    ) -> None:
        """Set what the rest of the market has standing; fill the account's orders that it now crosses."""
        self.books[symbol].set_levels(bids, asks)
        for match in self.books[symbol].uncross():
            self._settle(symbol, match, now_ms)
        self._refresh_mark(symbol)
        self._pay_funding(symbol, now_ms)
        self._trigger(symbol, now_ms)

    def market_trade(self, symbol: str, side: Side, price: int, quantity: int, now_ms: int) -> None:
        """Let a stranger's order take up to `quantity` lots at `price` ticks or better."""
        for step in self.books[symbol].take(side, price, quantity):
            if isinstance(step, Match):
                self._settle(symbol, step, now_ms)
        self._refresh_mark(symbol)
        self._trigger(symbol, now_ms)

    def place(self, request: OrderRequest, now_ms: int) -> Order:
        """Accept, match and rest or expire an order; return it as it stands, or raise `Refused`."""
        instrument = self.instrument(request.symbol)
        order, limit = admit(self, request, now_ms)
        self._hindrances.check(instrument)
        self._orders.remember(order)
        self._changed(order, "NEW", now_ms)
        book = self.books[order.symbol]
        if order.time_in_force == "POST" and book.would_take(order.side, order.price):
            self._close(order, "EXPIRED", "post_only", now_ms)
            return order
        wanted = order.quantity
        if order.reduce_only:
            held = self.ledger.positions[order.symbol].quantity
            wanted = min(wanted, int(abs(held) / instrument.step))
        found = self._hindrances.found(book, order, limit, wanted, instrument)
        if order.time_in_force == "FOK" and book.fillable(order.side, limit, found) < wanted:
            self._close(order, "EXPIRED", "lifetime", now_ms)
            return order
        self._take(order, limit, found, now_ms)
        rests = order.time_in_force in {"GTC", "POST"} and order.type == "LIMIT"
        if order.is_open and rests and self._may_rest(order):
            book.rest(order.side, order.price, order.quantity - order.filled, order.order_id)
        elif order.is_open:
            self._close(order, "EXPIRED", "reduce_only" if rests else "lifetime", now_ms)
        self._refresh_mark(order.symbol)
        return order

    def force_close(self, symbol: str, lots: int, kind: Literal["liquidation", "adl"], now_ms: int) -> Order:
        """Close part of the position against the book as the venue's own engine does it."""
        held = self.ledger.positions[symbol].quantity
        order = self._orders.new(
            OrderRequest(symbol=symbol, side="SELL" if held > 0 else "BUY", type="MARKET", quantity=ZERO),
            quantity=min(lots, int(abs(held) / self.instruments[symbol].step)),
            price=0,
            now_ms=now_ms,
            origin=kind,
        )
        self._orders.remember(order)
        self._changed(order, "NEW", now_ms)
        self._take(order, None, order.quantity, now_ms)
        if order.is_open:
            self._close(order, "EXPIRED", "unfilled", now_ms)
        return order

    def cancel(self, symbol: str, order_id: int | None, client_id: str | None, now_ms: int) -> Order:
        """Cancel an open order or refuse."""
        self.instrument(symbol)
        order = self._orders.find(symbol, order_id, client_id)
        if order is None:
            raise Refused(Refusal.CANCEL_UNKNOWN, client_id or "")
        if not order.is_open:
            raise Refused(Refusal.CANCEL_CLOSED, order.client_id)
        self.books[symbol].cancel(order.order_id)
        self._close(order, "CANCELED", "asked", now_ms)
        self._refresh_mark(symbol)
        return order

    def cancel_all(self, now_ms: int, symbol: str | None = None) -> list[Order]:
        """Cancel every open order, or those of one symbol, and return them."""
        return [self.cancel(order.symbol, order.order_id, None, now_ms) for order in self.open_orders(symbol)]

    def place_conditional(self, asked: ConditionalRequest, now_ms: int) -> Conditional:
        """Keep a conditional order until the mark comes to it, or raise `Refused`."""
        order = asked.order
        instrument = self.instrument(order.symbol)
        if order.client_id and (self.is_taken(order.client_id) or self.conditionals.is_taken(order.client_id)):
            raise Refused(Refusal.DUPLICATE_CLIENT_ID, order.client_id)
        found = self.conditionals.admit(instrument, asked, self.mark(order.symbol), self.policy, now_ms)
        self._stands(found, "waiting", now_ms)
        return found

    def cancel_conditional(self, conditional_id: int | None, client_id: str | None, now_ms: int) -> Conditional:
        """End a conditional order that waits, or refuse."""
        found = self.conditionals.find(conditional_id, client_id)
        if not found.is_waiting:
            raise Refused(Refusal.CANCEL_CLOSED, found.client_id)
        self._stands(found, "cancelled", now_ms)
        return found

    def order(self, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        """Return an order by the venue's id or the newest one with a client id, or refuse."""
        self.instrument(symbol)
        order = self._orders.find(symbol, order_id, client_id)
        if order is None:
            raise Refused(Refusal.UNKNOWN_ORDER, client_id or "")
        return order

    def orders_named(self, client_id: str) -> list[Order]:
        """Return every order with a client id, oldest first."""
        return self._orders.named(client_id)

    def open_orders(self, symbol: str | None) -> list[Order]:
        """Return open orders, oldest first."""
        return self._orders.open(symbol)

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set a symbol's leverage."""
        if not 1 <= leverage <= self.instrument(symbol).leverage_max:
            raise Refused(Refusal.BAD_LEVERAGE, str(leverage))
        self.ledger.leverage[symbol] = leverage
        self._outbox.records.append(LeverageKept(symbol=symbol, leverage=leverage))

    def margin_used(self, symbol: str) -> Decimal:
        """Return the initial margin of a symbol's position and open orders."""
        buys, sells = self.open_sizes(symbol)
        if self.instruments[symbol].kind == "spot":
            return ZERO
        return self.ledger.initial_margin(symbol, self.marks.get(symbol, ZERO), buys, sells)

    def locked(self) -> dict[str, Decimal]:
        """Return what open spot orders hold back, by asset."""
        return self._orders.locked()

    def new_order(self, request: OrderRequest, *, quantity: int, price: int, now_ms: int) -> Order:
        """Return an order with the next id, not yet known to anyone."""
        return self._orders.new(request, quantity=quantity, price=price, now_ms=now_ms)

    def remember(self, order: Order) -> None:
        """Know an order as a journal tells it."""
        self._orders.remember(order)

    def is_taken(self, client_id: str) -> bool:
        """Say whether that client id may not be used now."""
        return self._orders.is_taken(client_id)

    def open_sizes(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return what open orders that may add exposure would buy and sell."""
        return self._orders.open_sizes(symbol)

    def _take(self, order: Order, limit: int | None, quantity: int, now_ms: int) -> None:
        for step in self.books[order.symbol].take(order.side, limit, quantity, order.order_id):
            match step:
                case Match():
                    self._settle(order.symbol, step, now_ms)
                case SelfExpired(order_id=expired):
                    self._close(self.orders[expired], "EXPIRED_IN_MATCH", "self_trade", now_ms)

    def _settle(self, symbol: str, match: Match, now_ms: int) -> None:
        self._outbox.print(self.instruments[symbol], match, now_ms)
        for order_id, maker in ((match.maker_id, True), (match.taker_id, False)):
            if order_id is not None:
                self._fill(self.orders[order_id], match, maker=maker, now_ms=now_ms)

    def _fill(self, order: Order, match: Match, *, maker: bool, now_ms: int) -> None:
        instrument = self.instruments[order.symbol]
        rows = len(self.ledger.income)
        trade = self.ledger.fill(order, match.price, match.quantity, maker=maker, now_ms=now_ms)
        order.filled += match.quantity
        order.cost += instrument.value(instrument.quantity(match.quantity), instrument.price(match.price))
        order.status = "FILLED" if order.filled == order.quantity else "PARTIALLY_FILLED"
        order.updated_ms = now_ms
        self._orders.remember(order)
        position = msgspec.structs.replace(self.ledger.positions[order.symbol])
        self._outbox.records.append(OrderKept(order=msgspec.structs.replace(order)))
        self._outbox.records.append(TradeKept(trade=trade, position=position))
        self._outbox.records.extend(IncomeKept(income=income) for income in self.ledger.income[rows:])
        changed = {instrument.base, instrument.quote} if instrument.kind == "spot" else {instrument.settle}
        mark = self.marks.get(order.symbol, trade.price)
        used = self.margin_used(order.symbol)
        self._outbox.wallets("order", self.ledger, instrument, sorted(changed), mark, used, now_ms)
        self._outbox.order(order, instrument, "TRADE", trade, now_ms)
        self._expire_useless_reducers(order.symbol, now_ms)

    def _trigger(self, symbol: str, now_ms: int) -> None:
        """Place what the mark has come to; what is refused then is over all the same."""
        mark = self.marks.get(symbol)
        for each in [] if mark is None else self.conditionals.due(symbol, mark):
            try:
                each.order_id = self.place(each.order, now_ms).order_id
            except Refused:
                self._stands(each, "refused", now_ms)
            else:
                self._stands(each, "triggered", now_ms)

    def _stands(self, conditional: Conditional, status: ConditionalStatus, now_ms: int) -> None:
        conditional.status = status
        conditional.updated_ms = now_ms
        self.conditionals.remember(conditional)
        self._outbox.records.append(ConditionalKept(conditional=msgspec.structs.replace(conditional)))

    def _may_rest(self, order: Order) -> bool:
        """Say whether a reduce-only order still only reduces; any other may rest."""
        if not order.reduce_only:
            return True
        held = self.ledger.positions[order.symbol].quantity
        left = self.instruments[order.symbol].quantity(order.quantity - order.filled)
        return held != 0 and (held > 0) == (order.side == "SELL") and left <= abs(held)

    def _expire_useless_reducers(self, symbol: str, now_ms: int) -> None:
        for other in self.open_orders(symbol):
            if self.books[symbol].resting(other.order_id) and not self._may_rest(other):
                self.books[symbol].cancel(other.order_id)
                self._close(other, "EXPIRED", "reduce_only", now_ms)

    def _close(self, order: Order, status: OrderStatus, ending: Ending, now_ms: int) -> None:
        order.status = status
        order.ending = ending
        order.updated_ms = now_ms
        self._orders.remember(order)
        self._changed(order, "CANCELED" if status == "CANCELED" else "EXPIRED", now_ms)

    def _changed(self, order: Order, execution: Execution, now_ms: int) -> None:
        self._outbox.records.append(OrderKept(order=msgspec.structs.replace(order)))
        self._outbox.order(order, self.instruments[order.symbol], execution, None, now_ms)

    def _refresh_mark(self, symbol: str) -> None:
        book = self.books[symbol]
        bid, ask = book.best("BUY"), book.best("SELL")
        if bid is not None and ask is not None:
            self.marks[symbol] = self.instruments[symbol].price(bid + ask) / 2

    def _pay_funding(self, symbol: str, now_ms: int) -> None:
        instrument = self.instruments[symbol]
        if instrument.kind == "spot":
            return
        due = now_ms - now_ms % instrument.funding_interval_ms
        if due <= self.funded_until_ms[symbol]:
            return
        self.funded_until_ms[symbol] = due
        position = self.ledger.positions[symbol]
        mark = self.marks.get(symbol)
        if not position.quantity or mark is None:
            return
        amount = -(instrument.value(position.quantity, mark) * instrument.funding_rate).quantize(MONEY)
        income = self.ledger.earn(symbol, "FUNDING_FEE", instrument.settle, amount, now_ms)
        self._outbox.funding(self.ledger, instrument, income, mark, self.margin_used(symbol), now_ms)
