"""The simulated OKX account's statement: balances by currency and positions, cross margin, net mode."""

from decimal import Decimal

from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.ledger import ZERO, Position
from adapters.simulators.okx import wire
from adapters.simulators.sockets import Json


def account_row(exchange: Exchange, now_ms: int) -> Json:
    """Return the account as account/balance and the account channel tell it."""
    ledger = exchange.ledger
    details = [_detail(exchange, asset, now_ms) for asset, wallet in ledger.wallets.items() if wallet]
    return {
        "uTime": str(now_ms),
        "totalEq": "",
        "adjEq": "",
        "imr": "",
        "mmr": "",
        "mgnRatio": "",
        "isoEq": "0",
        "ordFroz": "",
        "notionalUsd": "",
        "details": details,
    }


def position_rows(exchange: Exchange, asked: str | None, now_ms: int) -> list[Json]:
    """Return the positions that are not flat."""
    return [
        position_row(exchange, exchange.instruments[symbol], position, now_ms)
        for symbol, position in exchange.ledger.positions.items()
        if asked in {None, symbol} and position.quantity
    ]


def position_row(exchange: Exchange, instrument: Instrument, position: Position, now_ms: int) -> Json:
    """Return one position; a flat one has blanks where it has nothing."""
    symbol = instrument.symbol
    entry = position.entry_price(instrument)
    mark = exchange.marks.get(symbol, entry)
    held = bool(position.quantity)
    updated = str(position.updated_ms or now_ms)
    profit = position.unrealised(instrument, mark)
    maintenance = exchange.ledger.maintenance_margin(symbol, mark)
    return {
        "instType": "SWAP",
        "instId": symbol,
        "mgnMode": "cross",
        "posId": symbol,
        "posSide": "net",
        "pos": plain(position.quantity),
        "posCcy": "",
        "ccy": instrument.settle,
        "avgPx": plain(entry.quantize(wire.AVERAGE)) if held else "",
        "markPx": plain(mark),
        "upl": plain(profit) if held else "",
        "uplRatio": "",
        "lever": str(exchange.ledger.leverage[symbol]),
        "liqPx": _liquidation(exchange, instrument, mark) if held else "",
        "imr": plain(exchange.margin_used(symbol)) if held else "",
        "mmr": plain(maintenance) if held else "",
        "margin": "",
        "mgnRatio": "",
        "notionalUsd": plain(abs(instrument.notional(position.quantity, mark))),
        "adl": "1",
        "last": plain(mark),
        "cTime": updated,
        "uTime": updated,
    }


def _detail(exchange: Exchange, asset: str, now_ms: int) -> Json:
    ledger = exchange.ledger
    wallet, equity = ledger.wallets[asset], ledger.equity(asset, exchange.marks)
    pool = [instrument.symbol for instrument in ledger.settling_in(asset)]
    initial = sum((exchange.margin_used(symbol) for symbol in pool), ZERO)
    marks = exchange.marks
    maintenance = sum((ledger.maintenance_margin(symbol, marks.get(symbol, ZERO)) for symbol in pool), ZERO)
    available = max(ZERO, equity - initial)
    return {
        "ccy": asset,
        "cashBal": plain(wallet),
        "eq": plain(equity),
        "availEq": plain(available),
        "availBal": plain(available),
        "frozenBal": plain(equity - available),
        "ordFrozen": "0",
        "upl": plain(equity - wallet),
        "isoEq": "0",
        "imr": _blank(initial),
        "mmr": _blank(maintenance),
        "uTime": str(now_ms),
    }


def _liquidation(exchange: Exchange, instrument: Instrument, mark: Decimal) -> str:
    """Return the mark at which the equity would be this position's maintenance margin, other marks standing still."""
    held = exchange.ledger.positions[instrument.symbol].quantity
    sign = 1 if held > 0 else -1
    size = abs(held) * instrument.contract_size
    equity = exchange.ledger.equity(instrument.settle, exchange.marks)
    slope = 1 - sign * instrument.maintenance_rate
    if instrument.kind == "linear":
        price = (size * mark - sign * equity) / (size * slope)
    else:
        coins = size / mark + sign * equity
        price = size * (2 - slope) / coins if coins > 0 else ZERO
    return plain(price.quantize(instrument.tick)) if price > 0 else ""


def _blank(value: Decimal) -> str:
    """Return a margin, blank where there is none."""
    return plain(value) if value else ""
