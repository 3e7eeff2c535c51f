"""Everything that Bybit calls an execution, out of the engine's ledger: fills by their kind, and funding. No I/O.

The ledger only grows, in order; each look goes on where the last one stopped.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from adapters.simulators.exchange import Exchange
from adapters.simulators.ledger import ZERO, Income, Order, Trade

Kind = Literal["Trade", "BustTrade", "AdlTrade", "Funding"]
KINDS: dict[str, Kind] = {"client": "Trade", "liquidation": "BustTrade", "adl": "AdlTrade"}


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one execution: a fill, or a payment on the position that was `held` then."""

    kind: Kind
    symbol: str
    time_ms: int
    trade: Trade | None = None
    paid: Income | None = None
    held: Decimal = ZERO


class Executions:
    """Follow an exchange's ledger."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._read = 0
        self._held: dict[str, Decimal] = {}
        self._all: list[Execution] = []
        self._by_order: dict[int, list[Trade]] = {}

    def all(self) -> list[Execution]:
        """Return every execution, oldest first."""
        income, trades = self._exchange.ledger.income, self._exchange.ledger.trades
        while self._read < len(income):
            row = income[self._read]
            self._read += 1
            # Every fill pays its commission, be it nothing, exactly once.
            if row.kind == "COMMISSION":
                self._fill(trades[row.trade_id - 1])
            elif row.kind == "FUNDING_FEE":
                held = self._held.get(row.symbol, ZERO)
                paid = Execution(kind="Funding", symbol=row.symbol, time_ms=row.time_ms, paid=row, held=held)
                self._all.append(paid)
        return self._all

    def fees(self, order: Order) -> Decimal:
        """Return what an order had paid when it stood as told."""
        self.all()
        filled = self._exchange.instruments[order.symbol].quantity(order.filled)
        counted, paid = ZERO, ZERO
        for trade in self._by_order.get(order.order_id, ()):
            counted += trade.quantity
            if counted > filled:
                break
            paid += trade.commission
        return paid

    def _fill(self, trade: Trade) -> None:
        signed = trade.quantity if trade.side == "BUY" else -trade.quantity
        self._held[trade.symbol] = self._held.get(trade.symbol, ZERO) + signed
        self._by_order.setdefault(trade.order_id, []).append(trade)
        kind = KINDS[trade.origin]
        self._all.append(Execution(kind=kind, symbol=trade.symbol, time_ms=trade.time_ms, trade=trade))
