"""Every order a simulated account ever had: found by id or by its client's id, open ones in order of age."""

from collections.abc import Mapping
from decimal import Decimal

from adapters.simulators.admission import OrderRequest, Policy
from adapters.simulators.instruments import Instrument
from adapters.simulators.ledger import ZERO, Order, Origin
from adapters.simulators.refusals import Refusal, Refused


class Orders:
    """Keep the orders of one account. Ids are consecutive from 1."""

    def __init__(self, policy: Policy, instruments: Mapping[str, Instrument]) -> None:
        self._policy = policy
        self._instruments = instruments
        self._all: dict[int, Order] = {}
        self._by_client: dict[str, list[int]] = {}
        self._open: dict[int, None] = {}

    @property
    def all(self) -> Mapping[int, Order]:
        """Return every order by id, oldest first."""
        return self._all

    def new(self, request: OrderRequest, *, quantity: int, price: int, now_ms: int, origin: Origin = "client") -> Order:
        """Return an order with the next id, not yet known to anyone."""
        order_id = len(self._all) + 1
        return Order(
            order_id=order_id,
            client_id=request.client_id or self._policy.name_order(origin, order_id),
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            price=price,
            quantity=quantity,
            filled=0,
            cost=ZERO,
            status="NEW",
            reduce_only=request.reduce_only,
            created_ms=now_ms,
            updated_ms=now_ms,
            origin=origin,
        )

    def remember(self, order: Order) -> None:
        """Know an order as it stands."""
        if order.client_id and order.order_id not in self._all:
            self._by_client.setdefault(order.client_id, []).append(order.order_id)
        self._all[order.order_id] = order
        if order.is_open:
            self._open[order.order_id] = None
        else:
            self._open.pop(order.order_id, None)

    def find(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """Return a symbol's order by id, or the newest with a client id."""
        if order_id is None and client_id is None:
            raise Refused(Refusal.MISSING, "order")
        if order_id is None:
            order_id = next(reversed(self._by_client.get(client_id or "", ())), None)
        order = self._all.get(order_id) if order_id is not None else None
        return order if order is not None and order.symbol == symbol else None

    def named(self, client_id: str) -> list[Order]:
        """Return every order with a client id, oldest first."""
        return [self._all[i] for i in self._by_client.get(client_id, ())]

    def open(self, symbol: str | None) -> list[Order]:
        """Return open orders, oldest first."""
        return [self._all[i] for i in self._open if symbol is None or self._all[i].symbol == symbol]

    def is_taken(self, client_id: str) -> bool:
        """Say whether that client id may not be used now."""
        named = self._by_client.get(client_id)
        match self._policy.client_ids:
            case "free":
                return False
            case "unique":
                return named is not None
            case "unique_open":
                return named is not None and self._all[named[-1]].is_open

    def locked(self) -> dict[str, Decimal]:
        """Return what open spot orders hold back, by asset."""
        held: dict[str, Decimal] = {}
        for order in self.open(None):
            instrument = self._instruments[order.symbol]
            if instrument.kind == "spot":
                left = instrument.quantity(order.quantity - order.filled)
                asset = instrument.quote if order.side == "BUY" else instrument.base
                amount = left * instrument.price(order.price) if order.side == "BUY" else left
                held[asset] = held.get(asset, ZERO) + amount
        return held

    def open_sizes(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return what open orders that may add exposure would buy and sell."""
        sizes = {"BUY": ZERO, "SELL": ZERO}
        step = self._instruments[symbol].step
        for order in self.open(symbol):
            if not order.reduce_only:
                sizes[order.side] += step * (order.quantity - order.filled)
        return sizes["BUY"], sizes["SELL"]
