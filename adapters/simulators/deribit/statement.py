"""The simulated account as Deribit tells it: positions, a summary per currency, the transaction log. No I/O."""

from decimal import Decimal

from adapters.simulators.deribit.wire import AVERAGE, number, word
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import FINE, Instrument
from adapters.simulators.ledger import MONEY, ZERO, Income, Trade
from adapters.simulators.sockets import Json

DAY_MS = 24 * 3_600_000
# Every day at eight, what was won and lost since becomes balance.
SETTLES_AT_MS = 8 * 3_600_000


def position_row(exchange: Exchange, instrument: Instrument, index: Decimal) -> Json:
    """Return a position: its size signed, its direction `zero` when it is flat, profits since the last settlement."""
    position = exchange.ledger.positions[instrument.symbol]
    held = position.quantity
    entry = position.entry_price(instrument).quantize(AVERAGE)
    mark = exchange.marks.get(instrument.symbol, entry)
    floating = number(position.unrealised(instrument, mark).quantize(FINE) if held else ZERO)
    coins = instrument.value(held, mark) if held and instrument.kind == "inverse" else held
    row: Json = {
        "instrument_name": instrument.symbol,
        "kind": "future",
        "direction": ("buy" if held > 0 else "sell") if held else "zero",
        "size": number(held),
        "size_currency": number(coins.quantize(MONEY)),
        "average_price": number(entry),
        "mark_price": number(mark),
        "index_price": number(index),
        "settlement_price": number(mark),
        "delta": number(coins.quantize(MONEY)),
        "floating_profit_loss": floating,
        "total_profit_loss": floating,
        "realized_profit_loss": number(ZERO),
        "realized_funding": number(ZERO),
        "interest_value": number(ZERO),
        "initial_margin": number(exchange.ledger.initial_margin(instrument.symbol, mark, ZERO, ZERO).quantize(FINE)),
        "maintenance_margin": number(exchange.ledger.maintenance_margin(instrument.symbol, mark).quantize(FINE)),
        "open_orders_margin": number(ZERO),
        "leverage": exchange.ledger.leverage[instrument.symbol],
    }
    return {**row, **_liquidation_price(exchange, instrument, mark)}


def summary_row(exchange: Exchange, currency: str, now_ms: int) -> Json:
    """Return one currency: what positions realised since the last settlement is not in its balance yet."""
    ledger = exchange.ledger
    wallet, equity = ledger.wallets[currency], ledger.equity(currency, exchange.marks)
    settling = ledger.settling_in(currency)
    initial = sum((exchange.margin_used(each.symbol) for each in settling), ZERO)
    marks = {each.symbol: exchange.marks.get(each.symbol, ZERO) for each in settling}
    maintenance = sum((ledger.maintenance_margin(symbol, mark) for symbol, mark in marks.items()), ZERO)
    realised = _realised_since(exchange, currency, settled_ms(now_ms))
    return {
        "currency": currency,
        "balance": number(wallet - realised),
        "equity": number(equity.quantize(FINE)),
        "margin_balance": number(equity.quantize(FINE)),
        "available_funds": number((equity - initial).quantize(FINE)),
        "available_withdrawal_funds": number(max(ZERO, min(wallet, equity) - initial).quantize(FINE)),
        "initial_margin": number(initial.quantize(FINE)),
        "maintenance_margin": number(maintenance.quantize(FINE)),
        "session_rpl": number(realised),
        "session_upl": number((equity - wallet).quantize(FINE)),
        "futures_session_rpl": number(realised),
        "futures_session_upl": number((equity - wallet).quantize(FINE)),
        "options_value": number(ZERO),
        "locked_balance": number(ZERO),
        "margin_model": "segregated_sm",
        "cross_collateral_enabled": False,
        "portfolio_margining_enabled": False,
    }


def settled_ms(now_ms: int) -> int:
    """Return when the last settlement was."""
    return (now_ms - SETTLES_AT_MS) // DAY_MS * DAY_MS + SETTLES_AT_MS


def transaction_row(exchange: Exchange, row: Income, held: Decimal) -> Json | None:
    """Return what the log tells of one change of a wallet: fills with their fee, settlements with their funding.

    `held` is the position after it. What a fill realised is told with the fill, not apart.
    """
    instrument = exchange.instruments[row.symbol]
    told: Json = {
        "id": row.income_id,
        "user_seq": row.income_id,
        "user_id": 1,
        "username": "simulated",
        "currency": row.asset,
        "instrument_name": row.symbol,
        "timestamp": row.time_ms,
        "change": number(row.amount),
        "position": number(held),
        "commission": None,
        "trade_id": None,
        "order_id": None,
    }
    match row.kind:
        case "COMMISSION":
            trade: Trade = exchange.ledger.trades[row.trade_id - 1]
            return told | {
                "type": "trade",
                "side": f"{'close' if trade.realised else 'open'} {trade.side.lower()}",
                "trade_id": word(instrument, trade.trade_id),
                "order_id": word(instrument, trade.order_id),
                "price": number(trade.price),
                "amount": number(trade.quantity),
                "commission": number(trade.commission),
                "cashflow": number(trade.realised),
                "interest_pl": number(ZERO),
            }
        case "FUNDING_FEE":
            return told | {
                "type": "settlement",
                "side": "long" if held > 0 else "short",
                "price": number(exchange.marks.get(row.symbol, ZERO)),
                "amount": number(abs(held)),
                "cashflow": number(row.amount),
                "interest_pl": number(row.amount),
                "total_interest_pl": number(row.amount),
            }
        case _:
            return None


def _realised_since(exchange: Exchange, currency: str, since_ms: int) -> Decimal:
    return sum(
        (
            row.amount
            for row in exchange.ledger.income
            if row.kind == "REALIZED_PNL" and row.asset == currency and row.time_ms >= since_ms
        ),
        ZERO,
    )


def _liquidation_price(exchange: Exchange, instrument: Instrument, mark: Decimal) -> Json:
    """Return the mark at which the equity would be the maintenance margin; nothing is told where none is that bad."""
    held = exchange.ledger.positions[instrument.symbol].quantity
    if not held or not mark:
        return {}
    rate, sign = instrument.maintenance_rate, 1 if held > 0 else -1
    free = exchange.ledger.equity(instrument.settle, exchange.marks)
    if instrument.kind == "inverse":
        left = free + sign * abs(held) / mark
        price = abs(held) * (sign + rate) / left if left else ZERO
    else:
        price = (sign * abs(held) * mark - free) / (abs(held) * (sign - rate))
    return {"estimated_liquidation_price": number(price.quantize(instrument.tick)) if price > 0 else None}
