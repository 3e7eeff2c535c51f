"""The simulated account's statement: balances, positions and margin as the venue's version 3 tells them."""

from decimal import Decimal

from adapters.simulators.binance.wire import AVERAGE
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import plain
from adapters.simulators.ledger import ZERO
from adapters.simulators.sockets import Json


def account_row(exchange: Exchange, now_ms: int) -> Json:
    """Return the account as version 3 tells it."""
    ledger = exchange.ledger
    wallet = ledger.wallets["USDT"]
    equity = ledger.equity("USDT", exchange.marks)
    initial = sum((exchange.margin_used(symbol) for symbol in exchange.instruments), ZERO)
    maintenance = sum((_maintenance(exchange, symbol) for symbol in exchange.instruments), ZERO)
    asset = {
        "asset": "USDT",
        "walletBalance": plain(wallet),
        "unrealizedProfit": plain(equity - wallet),
        "marginBalance": plain(equity),
        "maintMargin": plain(maintenance),
        "initialMargin": plain(initial),
        "positionInitialMargin": plain(initial),
        "openOrderInitialMargin": "0",
        "crossWalletBalance": plain(wallet),
        "crossUnPnl": plain(equity - wallet),
        "availableBalance": plain(max(ZERO, equity - initial)),
        "maxWithdrawAmount": plain(max(ZERO, min(wallet, equity - initial))),
        "updateTime": now_ms,
    }
    return {
        "totalWalletBalance": asset["walletBalance"],
        "totalMarginBalance": asset["marginBalance"],
        "totalInitialMargin": asset["initialMargin"],
        "totalMaintMargin": asset["maintMargin"],
        "availableBalance": asset["availableBalance"],
        "assets": [asset],
        "positions": position_rows(exchange, None, now_ms),
    }


def position_rows(exchange: Exchange, asked: str | None, now_ms: int) -> list[Json]:
    """Return only symbols with a position or open orders, as version 3 does."""
    rows: list[Json] = []
    for symbol, position in exchange.ledger.positions.items():
        if asked not in {None, symbol} or not (position.quantity or exchange.open_orders(symbol)):
            continue
        instrument = exchange.instruments[symbol]
        entry = position.entry_price(instrument)
        mark = exchange.marks.get(symbol, entry)
        rows.append(
            {
                "symbol": symbol,
                "positionSide": "BOTH",
                "positionAmt": plain(position.quantity),
                "entryPrice": plain(entry.quantize(AVERAGE)),
                "breakEvenPrice": plain(entry.quantize(AVERAGE)),
                "markPrice": plain(mark),
                "unRealizedProfit": plain(position.unrealised(instrument, mark)),
                "liquidationPrice": plain(_liquidation_price(exchange, symbol, mark)),
                "isolatedMargin": "0",
                "notional": plain(instrument.value(position.quantity, mark)),
                "marginAsset": instrument.settle,
                "isolatedWallet": "0",
                "initialMargin": plain(exchange.margin_used(symbol)),
                "maintMargin": plain(_maintenance(exchange, symbol)),
                "adl": 0,
                "bidNotional": "0",
                "askNotional": "0",
                "updateTime": position.updated_ms or now_ms,
            }
        )
    return rows


def _maintenance(exchange: Exchange, symbol: str) -> Decimal:
    return exchange.ledger.maintenance_margin(symbol, exchange.marks.get(symbol, ZERO))


def _liquidation_price(exchange: Exchange, symbol: str, mark: Decimal) -> Decimal:
    """Return the mark at which the equity would be this position's maintenance margin, other marks standing still."""
    held = exchange.ledger.positions[symbol].quantity
    if not held:
        return ZERO
    rate = exchange.instruments[symbol].maintenance_rate
    free = exchange.ledger.equity("USDT", exchange.marks)
    slope = abs(held) * (1 + rate if held < 0 else 1 - rate)
    price = (free + abs(held) * mark) / slope if held < 0 else (abs(held) * mark - free) / slope
    return max(ZERO, price).quantize(exchange.instruments[symbol].tick)
