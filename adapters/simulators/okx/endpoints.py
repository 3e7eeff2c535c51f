"""The simulated OKX's REST endpoints: parameters in, rows out. No I/O."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol

from adapters.simulators.changes import Snapshot
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.okx import algos, feeds, orders, wire
from adapters.simulators.okx.instruments import family
from adapters.simulators.okx.orders import Parameters, moment
from adapters.simulators.okx.statement import account_row, position_rows
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json

BOOK_LEVELS_MAX = 400
# Tiers in contracts: the first reaches this far, the second to ten times as much at half the leverage.
TIER_CONTRACTS = 10_000


class Venue(Protocol):
    """What endpoints work on."""

    exchange: Exchange
    modes: dict[str, str]

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        """Return a book."""
        ...

    def index(self, instrument: Instrument) -> Decimal:
        """Return the index price."""
        ...


Answer = Callable[[Venue, Parameters, int], list[Json]]


def _listed(venue: Venue, parameters: Parameters) -> list[Instrument]:
    """Return the instruments that a request asks for."""
    if parameters.get("instType", "SWAP") != "SWAP":
        return []
    asked = parameters.get("instId")
    if asked:
        return [venue.exchange.instrument(asked)]
    of = parameters.get("instFamily") or parameters.get("uly")
    return [each for each in venue.exchange.instruments.values() if of in {None, family(each)}]


def _time(_venue: Venue, _parameters: Parameters, now_ms: int) -> list[Json]:
    return [{"ts": str(now_ms)}]


def _nothing(_venue: Venue, _parameters: Parameters, _now_ms: int) -> list[Json]:
    return []


def _instruments(venue: Venue, parameters: Parameters, _now_ms: int) -> list[Json]:
    if not parameters.get("instType"):
        raise Refused(Refusal.MISSING, "instType")
    return [wire.instrument_row(each) for each in _listed(venue, parameters)]


def _mark_price(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    exchange = venue.exchange
    return [feeds.mark_row(each, exchange.mark(each.symbol), now_ms) for each in _listed(venue, parameters)]


def _funding_rate(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    return [feeds.funding_row(venue.exchange.instrument(parameters.get("instId")), now_ms)]


def _open_interest(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    if not parameters.get("instType"):
        raise Refused(Refusal.MISSING, "instType")
    return [wire.interest_row(each, venue.exchange, now_ms) for each in _listed(venue, parameters)]


def _index_tickers(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    asked = parameters.get("instId")
    found = [each for each in venue.exchange.instruments.values() if family(each) == asked]
    if not found:
        raise Refused(Refusal.UNKNOWN_SYMBOL, asked or "")
    return [feeds.index_row(found[0], venue.index(found[0]), now_ms)]


def _tickers(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    found = [(each, venue.snapshot(each.symbol, 1)) for each in _listed(venue, parameters)]
    return [
        feeds.ticker_row(each, book.bids[0], book.asks[0], now_ms) for each, book in found if book.bids and book.asks
    ]


def _books(venue: Venue, parameters: Parameters, _now_ms: int) -> list[Json]:
    instrument = venue.exchange.instrument(parameters.get("instId"))
    book = venue.snapshot(instrument.symbol, min(BOOK_LEVELS_MAX, moment(parameters, "sz", 1)))
    asks, bids = wire.levels(book.asks), wire.levels(book.bids)
    return [{"asks": asks, "bids": bids, "ts": str(book.time_ms), "seqId": book.last_id}]


def _position_tiers(venue: Venue, parameters: Parameters, _now_ms: int) -> list[Json]:
    if not (parameters.get("instFamily") or parameters.get("instId")):
        raise Refused(Refusal.MISSING, "instFamily")
    rows: list[Json] = []
    for each in _listed(venue, parameters):
        bounds = (0, TIER_CONTRACTS, TIER_CONTRACTS * 10)
        for tier, times in enumerate((1, 2), start=1):
            row = {
                "tier": str(tier),
                "instFamily": family(each),
                "uly": family(each),
                "instId": "",
                "minSz": str(bounds[tier - 1]),
                "maxSz": str(bounds[tier]),
                "mmr": plain(each.maintenance_rate * times),
                "imr": plain(Decimal(times) / each.leverage_max),
                "maxLever": str(each.leverage_max // times),
            }
            rows.append(row)
    return rows


def _config(venue: Venue, _parameters: Parameters, _now_ms: int) -> list[Json]:
    return [{"uid": "1", "mainUid": "1", "autoLoan": False, "perm": "trade", **venue.modes}]


def _balance(venue: Venue, _parameters: Parameters, now_ms: int) -> list[Json]:
    return [account_row(venue.exchange, now_ms)]


def _positions(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    asked = parameters.get("instId") or None
    if parameters.get("instType", "SWAP") != "SWAP":
        return []
    return position_rows(venue.exchange, asked, now_ms)


def _trade_fee(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    found = _listed(venue, parameters)
    if not found:
        raise Refused(Refusal.MISSING, "instFamily")
    rates = {each.kind: (plain(-each.maker_rate), plain(-each.taker_rate)) for each in found}
    coin, stable = rates.get("inverse", ("", "")), rates.get("linear", ("", ""))
    groups = [{"groupId": wire.FEE_GROUPS[kind], "maker": pair[0], "taker": pair[1]} for kind, pair in rates.items()]
    return [
        {
            "instType": "SWAP",
            "level": "Lv1",
            "category": "1",
            "maker": coin[0],
            "taker": coin[1],
            "makerU": stable[0],
            "takerU": stable[1],
            "feeGroup": groups,
            "ts": str(now_ms),
        }
    ]


def _leverage_info(venue: Venue, parameters: Parameters, _now_ms: int) -> list[Json]:
    return [
        {
            "instId": each.symbol,
            "mgnMode": "cross",
            "posSide": "net",
            "lever": str(venue.exchange.ledger.leverage[each.symbol]),
        }
        for each in _listed(venue, parameters)
    ]


def _fills(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    return orders.fill_rows(venue.exchange, parameters, now_ms, orders.FILLS_MS)


def _fills_history(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    return orders.fill_rows(venue.exchange, parameters, now_ms, orders.HISTORY_MS)


def _bills(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    return orders.bill_rows(venue.exchange, parameters, now_ms)


def _order(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    return orders.order_rows(venue.exchange, parameters, now_ms)


def _pending(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    return orders.pending_rows(venue.exchange, parameters, now_ms)


def _algos_pending(venue: Venue, parameters: Parameters, now_ms: int) -> list[Json]:
    return algos.pending_rows(venue.exchange, parameters, now_ms)


PUBLIC: Mapping[str, Answer] = {
    "/api/v5/public/time": _time,
    "/api/v5/system/status": _nothing,
    "/api/v5/public/instruments": _instruments,
    "/api/v5/public/mark-price": _mark_price,
    "/api/v5/public/funding-rate": _funding_rate,
    "/api/v5/public/open-interest": _open_interest,
    "/api/v5/public/position-tiers": _position_tiers,
    "/api/v5/market/index-tickers": _index_tickers,
    "/api/v5/market/ticker": _tickers,
    "/api/v5/market/tickers": _tickers,
    "/api/v5/market/books": _books,
}
SIGNED: Mapping[str, Answer] = {
    "/api/v5/asset/currencies": _nothing,
    "/api/v5/account/config": _config,
    "/api/v5/account/balance": _balance,
    "/api/v5/account/positions": _positions,
    "/api/v5/account/trade-fee": _trade_fee,
    "/api/v5/account/leverage-info": _leverage_info,
    "/api/v5/account/bills": _bills,
    "/api/v5/account/bills-archive": _bills,
    "/api/v5/trade/order": _order,
    "/api/v5/trade/orders-pending": _pending,
    algos.PENDING: _algos_pending,
    "/api/v5/sprd/orders-pending": _nothing,
    "/api/v5/trade/fills": _fills,
    "/api/v5/trade/fills-history": _fills_history,
}
PLACING = frozenset({"/api/v5/trade/order", "/api/v5/trade/batch-orders"})
CANCELLING = frozenset({"/api/v5/trade/cancel-order", "/api/v5/trade/cancel-batch-orders"})
CANCEL_AFTER = "/api/v5/trade/cancel-all-after"
LEVERAGE = "/api/v5/account/set-leverage"
# Of spreads, of which none is listed.
SPREADS_OFF = "/api/v5/sprd/mass-cancel"
