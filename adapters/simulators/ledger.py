"""The simulated account: wallets, positions, margin, fills and income, in exact decimals.

Laws, held by tests: a wallet = its deposit + realised profit - commissions + funding (and, on spot, what was traded);
a position is the sum of its fills.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import islice
from typing import Literal

import msgspec

from adapters.simulators.instruments import FINE, Instrument
from adapters.simulators.matching import Side

MONEY = Decimal("0.00000001")
ZERO = Decimal(0)

OrderStatus = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"]
OrderType = Literal["LIMIT", "MARKET"]
TimeInForce = Literal["GTC", "IOC", "FOK", "POST"]
Origin = Literal["client", "liquidation", "adl"]
Ending = Literal["", "asked", "lifetime", "post_only", "reduce_only", "self_trade", "unfilled"]
IncomeKind = Literal["REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "TRADED"]
OPEN_STATUSES: frozenset[str] = frozenset({"NEW", "PARTIALLY_FILLED"})


class Order(msgspec.Struct, kw_only=True):
    """Hold one order for ever. Sizes are lots, prices ticks; `price` 0 is a market order.

    `cost` is what was filled so far, in the settle asset. `ending` says why an order closed unfilled.
    """

    order_id: int
    client_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price: int
    quantity: int
    filled: int
    cost: Decimal
    status: OrderStatus
    reduce_only: bool
    created_ms: int
    updated_ms: int
    origin: Origin = "client"
    ending: Ending = ""

    @property
    def is_open(self) -> bool:
        """Say whether the order may still trade."""
        return self.status in OPEN_STATUSES


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """Show one fill of the account; commission is positive when paid, in `asset`."""

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
    origin: Origin = "client"


class Income(msgspec.Struct, frozen=True, kw_only=True):
    """Show one change of a wallet."""

    income_id: int
    symbol: str
    kind: IncomeKind
    amount: Decimal
    asset: str
    trade_id: int
    time_ms: int


class Position(msgspec.Struct, kw_only=True):
    """Hold a signed position in order units and what it cost in the settle asset, with the position's sign."""

    symbol: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    updated_ms: int = 0

    def entry_price(self, instrument: Instrument) -> Decimal:
        """Return the average entry price, 0 when flat."""
        return instrument.average(self.cost, self.quantity)

    def unrealised(self, instrument: Instrument, mark: Decimal) -> Decimal:
        """Return the profit at that mark which is not in the wallet yet; an inverse position costs less as it rises."""
        if not self.quantity:
            return ZERO
        profit = instrument.value(self.quantity, mark) - self.cost
        return -profit if instrument.kind == "inverse" else profit

    def apply(self, instrument: Instrument, signed: Decimal, price: Decimal, now_ms: int) -> Decimal:
        """Add a signed quantity at a price and return the profit realised by it."""
        self.updated_ms = now_ms
        closing = ZERO
        if self.quantity * signed < 0:
            closing = min(abs(signed), abs(self.quantity)).copy_sign(signed)
        realised = ZERO
        if closing:
            digits = FINE if instrument.kind == "inverse" else MONEY
            share = self.cost * -closing / self.quantity
            released = self.cost if closing == -self.quantity else share.quantize(digits)
            realised = instrument.value(-closing, price) - released
            self.cost -= released
            self.quantity += closing
        opening = signed - closing
        self.quantity += opening
        if opening:
            self.cost += instrument.value(opening, price)
        return _money(-realised) if instrument.kind == "inverse" else realised


class Ledger:
    """Keep one account's money and positions."""

    def __init__(self, instruments: Iterable[Instrument], deposits: Mapping[str, Decimal]) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self.deposits = dict(deposits)
        assets = (asset for each in self.instruments.values() for asset in _assets(each))
        self.wallets = dict.fromkeys(assets, ZERO) | self.deposits
        self.positions = {symbol: Position(symbol=symbol) for symbol in self.instruments}
        self.leverage = dict.fromkeys(self.instruments, 5)
        self.trades: list[Trade] = []
        self.income: list[Income] = []
        self._checked = 0
        self._newest_ms = 0
        self._ordered = True

    def fill(self, order: Order, price: int, lots: int, *, maker: bool, now_ms: int) -> Trade:
        """Book one fill: position or coins, realised profit, commission, wallets, income rows."""
        instrument = self.instruments[order.symbol]
        at, quantity = instrument.price(price), instrument.quantity(lots)
        signed = quantity if order.side == "BUY" else -quantity
        spot = instrument.kind == "spot"
        realised = ZERO if spot else self.positions[order.symbol].apply(instrument, signed, at, now_ms)
        rate = instrument.maker_rate if maker else instrument.taker_rate
        # A spot venue takes its fee out of what is received.
        takes_coin = spot and order.side == "BUY"
        trade = Trade(
            trade_id=len(self.trades) + 1,
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            price=at,
            quantity=quantity,
            commission=_money((quantity if takes_coin else instrument.value(quantity, at)) * rate),
            asset=instrument.base if takes_coin else instrument.settle,
            maker=maker,
            realised=realised,
            time_ms=now_ms,
            origin=order.origin,
        )
        self.trades.append(trade)
        if spot:
            self.earn(order.symbol, "TRADED", instrument.base, signed, now_ms, trade.trade_id)
            self.earn(order.symbol, "TRADED", instrument.quote, -signed * at, now_ms, trade.trade_id)
        if realised:
            self.earn(order.symbol, "REALIZED_PNL", instrument.settle, realised, now_ms, trade.trade_id)
        self.earn(order.symbol, "COMMISSION", trade.asset, -trade.commission, now_ms, trade.trade_id)
        return trade

    def earn(
        self, symbol: str, kind: IncomeKind, asset: str, amount: Decimal, now_ms: int, trade_id: int = 0
    ) -> Income:
        """Change a wallet and write down why."""
        self.wallets[asset] = self.wallets.get(asset, ZERO) + amount
        row = Income(
            income_id=len(self.income) + 1,
            symbol=symbol,
            kind=kind,
            amount=amount,
            asset=asset,
            trade_id=trade_id,
            time_ms=now_ms,
        )
        self.income.append(row)
        return row

    def trades_from(self, start_ms: int) -> Iterator[Trade]:
        """Yield the fills since a time, oldest first. A skewed clock may have put times out of order."""
        begin = 0
        if self._times_in_order():
            begin = bisect_left(self.trades, start_ms, key=lambda trade: trade.time_ms)
        return (trade for trade in islice(self.trades, begin, None) if trade.time_ms >= start_ms)

    def _times_in_order(self) -> bool:
        for trade in islice(self.trades, self._checked, None):
            self._ordered = self._ordered and trade.time_ms >= self._newest_ms
            self._newest_ms = trade.time_ms
        self._checked = len(self.trades)
        return self._ordered

    def settling_in(self, asset: str) -> list[Instrument]:
        """Return the contracts whose margin and profit are in that asset."""
        return [each for each in self.instruments.values() if each.settle == asset and each.kind != "spot"]

    def equity(self, asset: str, marks: Mapping[str, Decimal]) -> Decimal:
        """Return a wallet plus the unrealised profit that settles in it, at those marks."""
        total = self.wallets[asset]
        for instrument in self.settling_in(asset):
            position = self.positions[instrument.symbol]
            if position.quantity:
                mark = marks.get(instrument.symbol) or position.entry_price(instrument)
                total += position.unrealised(instrument, mark)
        return total

    def initial_margin(self, symbol: str, mark: Decimal, open_buys: Decimal, open_sells: Decimal) -> Decimal:
        """Return the margin one symbol ties up when the worse of its open sides fills, in its settle asset."""
        held = self.positions[symbol].quantity
        worst = max(abs(held + open_buys), abs(held - open_sells))
        return self.instruments[symbol].value(worst, mark) / self.leverage[symbol] if mark else ZERO

    def maintenance_margin(self, symbol: str, mark: Decimal) -> Decimal:
        """Return the margin below which the position would be liquidated, in its settle asset."""
        instrument = self.instruments[symbol]
        held = abs(self.positions[symbol].quantity)
        if not held or not mark:
            return ZERO
        value = instrument.value(held, mark)
        tier = instrument.tier_of(value)
        return value * tier.rate - tier.deducted


def _assets(instrument: Instrument) -> tuple[str, ...]:
    return (instrument.base, instrument.quote) if instrument.kind == "spot" else (instrument.settle,)


def _money(value: Decimal) -> Decimal:
    return value.quantize(MONEY, rounding=ROUND_HALF_EVEN)
