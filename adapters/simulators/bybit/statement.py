"""The simulated account as Bybit tells it: positions and the unified wallet. No I/O."""

from collections.abc import Iterable
from decimal import Decimal

from adapters.simulators.bybit.wire import AVERAGE, SIDES
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import FINE, Instrument, plain
from adapters.simulators.ledger import ZERO, Position
from adapters.simulators.sockets import Json
from adapters.simulators.world import World

DOLLARS = Decimal("0.00000001")


def position_row(exchange: Exchange, instrument: Instrument, position: Position, now_ms: int) -> Json:
    """Return a position as REST tells it; a flat one has no side."""
    held = position.quantity
    entry = position.entry_price(instrument).quantize(AVERAGE)
    mark = exchange.marks.get(instrument.symbol, entry)
    margin = exchange.ledger.initial_margin(instrument.symbol, mark, ZERO, ZERO)
    return {
        "positionIdx": 0,
        "symbol": instrument.symbol,
        "side": SIDES["BUY" if held > 0 else "SELL"] if held else "",
        "size": plain(abs(held)),
        "avgPrice": plain(entry),
        "positionValue": plain(abs(position.cost).quantize(AVERAGE)),
        "leverage": str(exchange.ledger.leverage[instrument.symbol]),
        "markPrice": plain(mark),
        "liqPrice": _liquidation_price(exchange, instrument, mark),
        "bustPrice": "",
        "positionIM": plain(margin.quantize(FINE)),
        "positionMM": plain(exchange.ledger.maintenance_margin(instrument.symbol, mark).quantize(FINE)),
        "positionBalance": "0",
        "unrealisedPnl": plain(position.unrealised(instrument, mark).quantize(FINE)),
        "curRealisedPnl": "0",
        "cumRealisedPnl": "0",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "tpslMode": "Full",
        "tradeMode": 0,
        "autoAddMargin": 0,
        "adlRankIndicator": 2 if held else 0,
        "positionStatus": "Normal",
        "riskId": 1,
        "isReduceOnly": False,
        "seq": len(exchange.ledger.trades),
        "createdTime": str(position.updated_ms or now_ms),
        "updatedTime": str(position.updated_ms or now_ms),
    }


def position_told(exchange: Exchange, instrument: Instrument, position: Position, now_ms: int) -> Json:
    """Return a position as the stream tells it: with its category, and another name for the entry."""
    row = position_row(exchange, instrument, position, now_ms)
    row["entryPrice"] = row.pop("avgPrice")
    return {"category": instrument.kind, **row}


def wallet_row(exchange: Exchange, world: World, assets: Iterable[str]) -> Json:
    """Return the unified account with these coins."""
    coins = [_coin(exchange, world, asset) for asset in assets]
    equity = sum((Decimal(coin["usdValue"]) for coin in coins), ZERO)
    initial = _dollars(world, coins, "totalPositionIM") + _dollars(world, coins, "totalOrderIM")
    return {
        "accountType": "UNIFIED",
        "totalEquity": plain(equity),
        "totalWalletBalance": plain(_dollars(world, coins, "walletBalance")),
        "totalMarginBalance": plain(equity),
        "totalAvailableBalance": plain(max(ZERO, equity - initial)),
        "totalPerpUPL": plain(_dollars(world, coins, "unrealisedPnl")),
        "totalInitialMargin": plain(initial),
        "totalMaintenanceMargin": plain(_dollars(world, coins, "totalPositionMM")),
        "accountIMRate": "",
        "accountMMRate": "",
        "accountLTV": "",
        "coin": coins,
    }


def _coin(exchange: Exchange, world: World, asset: str) -> Json:
    ledger = exchange.ledger
    wallet, equity = ledger.wallets[asset], ledger.equity(asset, exchange.marks)
    settling = ledger.settling_in(asset)
    used = sum((exchange.margin_used(each.symbol) for each in settling), ZERO)
    marks = {each.symbol: exchange.marks.get(each.symbol, ZERO) for each in settling}
    held = sum((ledger.initial_margin(symbol, mark, ZERO, ZERO) for symbol, mark in marks.items()), ZERO)
    maintained = sum((ledger.maintenance_margin(symbol, mark) for symbol, mark in marks.items()), ZERO)
    return {
        "coin": asset,
        "equity": plain(equity.quantize(FINE)),
        "usdValue": plain((equity * (world.price_of(asset) or ZERO)).quantize(DOLLARS)),
        "walletBalance": plain(wallet),
        "locked": plain(exchange.locked().get(asset, ZERO)),
        "totalOrderIM": plain((used - held).quantize(FINE)),
        "totalPositionIM": plain(held.quantize(FINE)),
        "totalPositionMM": plain(maintained.quantize(FINE)),
        "unrealisedPnl": plain((equity - wallet).quantize(FINE)),
        "cumRealisedPnl": plain(wallet - ledger.deposits.get(asset, ZERO)),
        "borrowAmount": "0",
        "accruedInterest": "0",
        "availableToWithdraw": "",
        "availableToBorrow": "",
        "bonus": "0",
        "marginCollateral": True,
        "collateralSwitch": True,
        "spotHedgingQty": "0",
    }


def _dollars(world: World, coins: Iterable[Json], field: str) -> Decimal:
    found = (Decimal(coin[field]) * (world.price_of(coin["coin"]) or ZERO) for coin in coins)
    return sum(found, ZERO).quantize(DOLLARS)


def _liquidation_price(exchange: Exchange, instrument: Instrument, mark: Decimal) -> str:
    """Return the mark at which the equity would be this position's maintenance margin, other marks standing still.

    "" where no mark is that bad.
    """
    held = exchange.ledger.positions[instrument.symbol].quantity
    if not held or not mark:
        return ""
    rate = instrument.maintenance_rate
    free = exchange.ledger.equity(instrument.settle, exchange.marks)
    sign = 1 if held > 0 else -1
    size = abs(held) * instrument.contract_size
    if instrument.kind == "inverse":
        left = free + sign * size / mark
        price = size * (sign + rate) / left if left else ZERO
    else:
        price = (sign * size * mark - free) / (size * (sign - rate))
    return plain(price.quantize(instrument.tick)) if price > 0 else ""
