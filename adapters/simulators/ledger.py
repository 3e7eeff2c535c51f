"""The simulated account: wallet, positions, margin, fills and income, in exact decimals.

Law, held by tests: wallet = deposits + realised profit - commissions + funding, and a position is the sum of its fills.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

import msgspec

from adapters.simulators.instruments import Instrument
from adapters.simulators.matching import Side

MONEY = Decimal("0.00000001")
ZERO = Decimal(0)

OrderStatus = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"]
OPEN_STATUSES: frozenset[str] = frozenset({"NEW", "PARTIALLY_FILLED"})


class Order(msgspec.Struct, kw_only=True):
    """Hold one order for ever. Sizes are lots, prices ticks; `price` 0 is a market order; `cost` is quote money."""

    order_id: int
    client_id: str
    symbol: str
    side: Side
    type: str
    time_in_force: str
    price: int
    quantity: int
    filled: int
    cost: Decimal
    status: OrderStatus
    reduce_only: bool
    created_ms: int
    updated_ms: int

    @property
    def is_open(self) -> bool:
        """Say whether the order may still trade."""
        return self.status in OPEN_STATUSES


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """Show one fill of the account; commission is positive when paid."""

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    commission: Decimal
    asset: str
    maker: bool
    realised: Decimal
    time_ms: int


class Income(msgspec.Struct, frozen=True, kw_only=True):
    """Show one change of the wallet: realised profit, commission or funding."""

    income_id: int
    symbol: str
    kind: Literal["REALIZED_PNL", "COMMISSION", "FUNDING_FEE"]
    amount: Decimal
    asset: str
    trade_id: int
    time_ms: int


class Position(msgspec.Struct, kw_only=True):
    """Hold a signed position and what it cost: entry price = cost / quantity."""

    symbol: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    updated_ms: int = 0

    @property
    def entry_price(self) -> Decimal:
        """Return the average entry price, 0 when flat."""
        return self.cost / self.quantity if self.quantity else ZERO

    def unrealised(self, mark: Decimal) -> Decimal:
        """Return the profit at that mark which is not in the wallet yet."""
        return self.quantity * mark - self.cost

    def apply(self, signed: Decimal, price: Decimal, now_ms: int) -> Decimal:
        """Add a signed quantity at a price and return the profit realised by it."""
        self.updated_ms = now_ms
        closing = ZERO
        if self.quantity * signed < 0:
            closing = min(abs(signed), abs(self.quantity)).copy_sign(signed)
        realised = ZERO
        if closing:
            released = self.cost if closing == -self.quantity else _money(self.cost * -closing / self.quantity)
            realised = -closing * price - released
            self.cost -= released
            self.quantity += closing
        opening = signed - closing
        self.quantity += opening
        self.cost += opening * price
        return realised


class Ledger:
    """Keep one account's money and positions."""

    def __init__(self, instruments: tuple[Instrument, ...], deposit: Decimal) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self.deposit = deposit
        self.wallet = deposit
        self.positions = {symbol: Position(symbol=symbol) for symbol in self.instruments}
        self.leverage = dict.fromkeys(self.instruments, 5)
        self.trades: list[Trade] = []
        self.income: list[Income] = []

    def fill(self, order: Order, price: int, lots: int, *, maker: bool, now_ms: int) -> Trade:
        """Book one fill: position, realised profit, commission, wallet, income rows."""
        instrument = self.instruments[order.symbol]
        at, quantity = instrument.price(price), instrument.quantity(lots)
        signed = quantity if order.side == "BUY" else -quantity
        realised = self.positions[order.symbol].apply(signed, at, now_ms)
        commission = _money(at * quantity * (instrument.maker_rate if maker else instrument.taker_rate))
        trade = Trade(
            trade_id=len(self.trades) + 1,
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            price=at,
            quantity=quantity,
            commission=commission,
            asset=instrument.quote,
            maker=maker,
            realised=realised,
            time_ms=now_ms,
        )
        self.trades.append(trade)
        if realised:
            self.earn(order.symbol, "REALIZED_PNL", realised, now_ms, trade.trade_id)
        self.earn(order.symbol, "COMMISSION", -commission, now_ms, trade.trade_id)
        return trade

    def earn(
        self,
        symbol: str,
        kind: Literal["REALIZED_PNL", "COMMISSION", "FUNDING_FEE"],
        amount: Decimal,
        now_ms: int,
        trade_id: int = 0,
    ) -> Income:
        """Change the wallet and write down why."""
        self.wallet += amount
        row = Income(
            income_id=len(self.income) + 1,
            symbol=symbol,
            kind=kind,
            amount=amount,
            asset=self.instruments[symbol].quote,
            trade_id=trade_id,
            time_ms=now_ms,
        )
        self.income.append(row)
        return row

    def equity(self, marks: dict[str, Decimal]) -> Decimal:
        """Return wallet plus unrealised profit at those marks."""
        profits = (
            position.unrealised(marks.get(symbol, position.entry_price))
            for symbol, position in self.positions.items()
            if position.quantity
        )
        return self.wallet + sum(profits, ZERO)

    def initial_margin(self, symbol: str, mark: Decimal, open_buys: Decimal, open_sells: Decimal) -> Decimal:
        """Return the margin one symbol ties up when the worse of its open sides fills."""
        held = self.positions[symbol].quantity
        worst = max(abs(held + open_buys), abs(held - open_sells))
        return worst * mark / self.leverage[symbol]

    def maintenance_margin(self, symbol: str, mark: Decimal) -> Decimal:
        """Return the margin below which the position would be liquidated."""
        return abs(self.positions[symbol].quantity) * mark * self.instruments[symbol].maintenance_rate


def _money(value: Decimal) -> Decimal:
    return value.quantize(MONEY, rounding=ROUND_HALF_EVEN)
