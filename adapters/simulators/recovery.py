"""Bring a simulated exchange back to where its journal left it."""

from collections.abc import Iterable

from adapters.simulators.exchange import Exchange
from adapters.simulators.journal import (
    ConditionalKept,
    CountdownKept,
    IncomeKept,
    LeverageKept,
    MarketKept,
    OrderKept,
    Record,
    TradeKept,
)


def compacted(records: Iterable[Record]) -> list[Record]:
    """Return the records without those that later ones overtook; they restore the same exchange.

    Of an order of either kind, a leverage, a market and a countdown only the last word counts. Fills and income are
    history and stay.
    """
    history: list[Record] = []
    orders: dict[int, Record] = {}
    conditional: dict[int, Record] = {}
    lasting: dict[tuple[str, str], Record] = {}
    for record in records:
        match record:
            case OrderKept(order=order):
                orders[order.order_id] = record
            case ConditionalKept(conditional=each):
                conditional[each.conditional_id] = record
            case LeverageKept(symbol=symbol):
                lasting["leverage", symbol] = record
            case MarketKept(symbol=symbol):
                lasting["market", symbol] = record
            case CountdownKept(name=name):
                lasting["countdown", name] = record
            case _:
                history.append(record)
    # The account's opening is first in the history and stays first.
    return [*history[:1], *orders.values(), *conditional.values(), *history[1:], *lasting.values()]


def restore(exchange: Exchange, records: Iterable[Record]) -> dict[str, MarketKept]:
    """Fold a journal into an empty exchange; return where each market stood. Rest open orders afterwards."""
    markets: dict[str, MarketKept] = {}
    funded: dict[str, int] = {}
    ledger = exchange.ledger
    for record in records:
        match record:
            case OrderKept(order=order):
                exchange.remember(order)
            case ConditionalKept(conditional=each):
                exchange.conditionals.remember(each)
            case TradeKept(trade=trade, position=position):
                ledger.trades.append(trade)
                ledger.positions[trade.symbol] = position
            case IncomeKept(income=income):
                ledger.income.append(income)
                ledger.wallets[income.asset] += income.amount
                if income.kind == "FUNDING_FEE":
                    interval = exchange.instruments[income.symbol].funding_interval_ms
                    funded[income.symbol] = income.time_ms - income.time_ms % interval
            case LeverageKept(symbol=symbol, leverage=leverage):
                ledger.leverage[symbol] = leverage
            case MarketKept(symbol=symbol):
                markets[symbol] = record
                funded[symbol] = max(funded.get(symbol, 0), record.funded_until_ms)
            case _:
                pass
    # What fell due while nobody ran is paid when the market next moves.
    exchange.funded_until_ms.update(
        {symbol: until for symbol, until in funded.items() if symbol in exchange.funded_until_ms}
    )
    return markets
