"""The simulated futures account's statement: balances, positions, margin, as USD-M's version 3 and COIN-M tell them."""

from decimal import Decimal

from adapters.simulators.binance.wire import AVERAGE
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import plain
from adapters.simulators.ledger import MONEY, ZERO
from adapters.simulators.sockets import Json


def account_row(exchange: Exchange, now_ms: int) -> Json:
    """Return the account as USD-M's version 3 tells it: only positions that are, totals in USDT."""
    asset = _asset_row(exchange, "USDT", now_ms)
    return {
        "totalWalletBalance": asset["walletBalance"],
        "totalMarginBalance": asset["marginBalance"],
        "totalInitialMargin": asset["initialMargin"],
        "totalMaintMargin": asset["maintMargin"],
        "availableBalance": asset["availableBalance"],
        "assets": [asset],
        "positions": position_rows(exchange, None, now_ms),
    }


def coinm_account_row(exchange: Exchange, now_ms: int) -> Json:
    """Return the account as COIN-M tells it: every asset, every symbol, each with its margin."""
    assets = sorted({instrument.settle for instrument in exchange.instruments.values()})
    positions = [
        _position(exchange, symbol, now_ms)
        | _margins(exchange, symbol)
        | {"leverage": str(exchange.ledger.leverage[symbol]), "isolated": False}
        for symbol in exchange.instruments
    ]
    return {
        "assets": [_asset_row(exchange, asset, now_ms) for asset in assets],
        "positions": positions,
        "canDeposit": True,
        "canTrade": True,
        "canWithdraw": True,
        "feeTier": 0,
        "updateTime": 0,
    }


def position_rows(exchange: Exchange, asked: str | None, now_ms: int) -> list[Json]:
    """Return only symbols with a position or open orders, as USD-M's version 3 does."""
    return [
        _position(exchange, symbol, now_ms)
        | _margins(exchange, symbol)
        | {"marginAsset": exchange.instruments[symbol].settle, "adl": 0, "bidNotional": "0", "askNotional": "0"}
        for symbol, position in exchange.ledger.positions.items()
        if asked in {None, symbol} and (position.quantity or exchange.open_orders(symbol))
    ]


def coinm_position_rows(exchange: Exchange, now_ms: int) -> list[Json]:
    """Return every symbol, flat ones too, without margins, as COIN-M does."""
    return [
        _position(exchange, symbol, now_ms)
        | {
            "leverage": str(exchange.ledger.leverage[symbol]),
            "maxQty": "1000000",
            "marginType": "cross",
            "isAutoAddMargin": "false",
        }
        for symbol in exchange.instruments
    ]


def _asset_row(exchange: Exchange, asset: str, now_ms: int) -> Json:
    wallet, equity = exchange.ledger.wallets[asset], exchange.ledger.equity(asset, exchange.marks).quantize(MONEY)
    symbols = [each.symbol for each in exchange.ledger.settling_in(asset)]
    initial = sum((exchange.margin_used(symbol) for symbol in symbols), ZERO).quantize(MONEY)
    maintenance = sum((_maintenance(exchange, symbol) for symbol in symbols), ZERO).quantize(MONEY)
    return {
        "asset": asset,
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


def _position(exchange: Exchange, symbol: str, now_ms: int) -> Json:
    """Return what every statement says of a position."""
    instrument, position = exchange.instruments[symbol], exchange.ledger.positions[symbol]
    entry = position.entry_price(instrument)
    mark = exchange.marks.get(symbol, entry)
    value = instrument.value(position.quantity, mark) if mark else ZERO
    worth = "notionalValue" if instrument.kind == "inverse" else "notional"
    return {
        "symbol": symbol,
        "positionSide": "BOTH",
        "positionAmt": plain(position.quantity),
        "entryPrice": plain(entry.quantize(AVERAGE)),
        "breakEvenPrice": plain(entry.quantize(AVERAGE)),
        "markPrice": plain(mark),
        "unRealizedProfit": plain(position.unrealised(instrument, mark)),
        "liquidationPrice": plain(_liquidation_price(exchange, symbol, mark)),
        "isolatedMargin": "0",
        worth: plain(value),
        "isolatedWallet": "0",
        "updateTime": position.updated_ms or now_ms,
    }


def _margins(exchange: Exchange, symbol: str) -> Json:
    initial = plain(exchange.margin_used(symbol))
    return {
        "initialMargin": initial,
        "maintMargin": plain(_maintenance(exchange, symbol)),
        "positionInitialMargin": initial,
        "openOrderInitialMargin": "0",
    }


def _maintenance(exchange: Exchange, symbol: str) -> Decimal:
    return exchange.ledger.maintenance_margin(symbol, exchange.marks.get(symbol, ZERO))


def _liquidation_price(exchange: Exchange, symbol: str, mark: Decimal) -> Decimal:
    """Return the mark at which the equity would be this position's maintenance margin, other marks standing still.

    0 where there is none: a flat position, or a short inverse one that its own collateral covers for ever.
    """
    instrument, position = exchange.instruments[symbol], exchange.ledger.positions[symbol]
    held = position.quantity
    if not held or not mark:
        return ZERO
    value = instrument.value(held, mark)
    tier = instrument.tier_of(abs(value))
    equity = exchange.ledger.equity(instrument.settle, exchange.marks)
    free = equity - position.unrealised(instrument, mark) + tier.deducted
    if instrument.kind == "inverse":
        # free + cost - n / p = |n| rate / p, with n the signed dollars.
        dollars, spare = instrument.notional(held, mark), free + position.cost
        price = (dollars + abs(dollars) * tier.rate) / spare if spare else ZERO
    else:
        slope = abs(held) * instrument.contract_size * (1 + tier.rate if held < 0 else 1 - tier.rate)
        price = (free - position.cost) / slope if held < 0 else (position.cost - free) / slope
    return max(ZERO, price).quantize(instrument.tick)
