"""The simulated Bybit's public REST endpoints: parameters in, results out. No I/O."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from adapters.simulators.bybit.executions import Executions
from adapters.simulators.bybit.protection import Protection
from adapters.simulators.changes import Snapshot
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import Instrument, plain
from adapters.simulators.interest import open_interest
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json, rows
from adapters.simulators.world import World

Parameters = Mapping[str, str]
CATEGORIES = frozenset({"linear", "inverse", "spot", "option"})
LAUNCHED_MS = 1_584_230_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
BOOK_ROWS = 25
BOOK_ROWS_MAX = 500
FUNDING_ROWS_MAX = 200
# Where the second risk limit begins, in quote money; base coins on inverse.
FIRST_LIMIT = {"linear": Decimal(3_000_000), "inverse": Decimal(1_000)}


class Desk(Protocol):
    """What endpoints work on."""

    exchange: Exchange
    executions: Executions
    world: World
    protection: Protection

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        """Return a book."""
        ...

    def book_number(self, symbol: str, last_id: int) -> int:
        """Return the book's update number at an id of the engine."""
        ...


def category(parameters: Parameters) -> str:
    """Return the category asked for, or refuse."""
    found = parameters.get("category", "")
    if found not in CATEGORIES:
        raise Refused(Refusal.MALFORMED, "category")
    return found


def named(desk: Desk, parameters: Parameters) -> Instrument:
    """Return the instrument asked for; one of another category is unknown."""
    found = desk.exchange.instrument(parameters.get("symbol"))
    if found.kind != category(parameters):
        raise Refused(Refusal.UNKNOWN_SYMBOL, found.symbol)
    return found


def listed(desk: Desk, parameters: Parameters) -> list[Instrument]:
    """Return the instruments of a category, or the one asked for."""
    if parameters.get("symbol"):
        return [named(desk, parameters)]
    kind = category(parameters)
    coin = parameters.get("baseCoin")
    return [each for each in desk.exchange.instruments.values() if each.kind == kind and coin in {None, each.base}]


def whole(parameters: Parameters, name: str) -> int | None:
    """Return a whole number, None when absent; refuse anything else."""
    text = parameters.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19:  # noqa: PLR2004 - digits of a 64-bit number
        raise Refused(Refusal.MALFORMED, name)
    return int(text)


def server_time(_desk: Desk, _parameters: Parameters, now_ms: int) -> Json:
    """Tell the time."""
    return {"timeSecond": str(now_ms // 1_000), "timeNano": str(now_ms * 1_000_000)}


def status(_desk: Desk, _parameters: Parameters, _now_ms: int) -> Json:
    """Tell no maintenance."""
    return {"list": []}


def instruments_info(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Tell the listings; nothing is about to be launched."""
    launched = parameters.get("status", "Trading") == "Trading"
    found = [_listing(each) for each in listed(desk, parameters)] if launched else []
    return {"category": category(parameters), "list": found, "nextPageCursor": ""}


def tickers(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Tell the newest prices."""
    found = [ticker_row(desk, each, now_ms) for each in listed(desk, parameters) if each.symbol in desk.exchange.marks]
    return {"category": category(parameters), "list": found}


def orderbook(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Tell a book."""
    instrument = named(desk, parameters)
    limit = whole(parameters, "limit") or BOOK_ROWS
    if limit > BOOK_ROWS_MAX:
        raise Refused(Refusal.MALFORMED, "limit")
    book = desk.snapshot(instrument.symbol, limit)
    return {
        "s": instrument.symbol,
        "b": rows(book.bids, plain),
        "a": rows(book.asks, plain),
        "ts": book.time_ms,
        "u": desk.book_number(instrument.symbol, book.last_id),
        "seq": book.last_id,
        "cts": book.time_ms,
    }


def funding_history(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Tell the funding rates of the past, newest first."""
    instrument = named(desk, parameters)
    interval = instrument.funding_interval_ms
    last = now_ms - now_ms % interval
    start, end = whole(parameters, "startTime") or 0, whole(parameters, "endTime") or now_ms
    limit = min(whole(parameters, "limit") or FUNDING_ROWS_MAX, FUNDING_ROWS_MAX)
    times = [at for at in (last - n * interval for n in range(limit)) if start <= at <= end]
    rate = plain(instrument.funding_rate)
    found = [{"symbol": instrument.symbol, "fundingRate": rate, "fundingRateTimestamp": str(at)} for at in times]
    return {"category": instrument.kind, "list": found}


def risk_limit(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Tell the risk limits: two for each contract, in fractions on linear and in percent on inverse."""
    found = [row for each in listed(desk, parameters) if each.kind != "spot" for row in _limits(each)]
    return {"category": category(parameters), "list": found, "nextPageCursor": ""}


def ticker_row(desk: Desk, instrument: Instrument, now_ms: int) -> Json:
    """Return a contract's ticker: of the day's statistics, none is kept."""
    book = desk.snapshot(instrument.symbol, 1)
    mark = desk.exchange.mark(instrument.symbol)
    index = desk.world.pair(instrument.base, instrument.quote).quantize(instrument.tick)
    (bid, bid_size), (ask, ask_size) = _top(book.bids), _top(book.asks)
    interest = open_interest(desk.exchange, instrument)
    return {
        "symbol": instrument.symbol,
        "lastPrice": plain(mark),
        "markPrice": plain(mark),
        "indexPrice": plain(index),
        "prevPrice24h": plain(mark),
        "price24hPcnt": "0",
        "highPrice24h": plain(mark),
        "lowPrice24h": plain(mark),
        "prevPrice1h": plain(mark),
        "openInterest": plain(interest),
        "openInterestValue": plain(interest if instrument.kind == "inverse" else interest * mark),
        "turnover24h": "0",
        "volume24h": "0",
        "fundingRate": plain(instrument.funding_rate),
        "nextFundingTime": str(instrument.next_funding_ms(now_ms)),
        "fundingIntervalHour": str(instrument.funding_interval_ms // HOUR_MS),
        "bid1Price": bid,
        "bid1Size": bid_size,
        "ask1Price": ask,
        "ask1Size": ask_size,
        "deliveryTime": "0",
    }


def _top(levels: tuple[tuple[Decimal, Decimal], ...]) -> tuple[str, str]:
    return (plain(levels[0][0]), plain(levels[0][1])) if levels else ("", "")


def _listing(instrument: Instrument) -> Json:
    kind = "LinearPerpetual" if instrument.kind == "linear" else "InversePerpetual"
    sizes = {
        "minOrderQty": plain(instrument.quantity_min),
        "maxOrderQty": plain(instrument.quantity_max),
        "maxMktOrderQty": plain(instrument.quantity_max),
        "postOnlyMaxOrderQty": plain(instrument.quantity_max),
        "qtyStep": plain(instrument.step),
        "minNotionalValue": plain(instrument.notional_min) if instrument.kind == "linear" else "",
    }
    return {
        "symbol": instrument.symbol,
        "contractType": kind,
        "status": "Trading",
        "baseCoin": instrument.base,
        "quoteCoin": instrument.quote,
        "settleCoin": instrument.settle,
        "launchTime": str(LAUNCHED_MS),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(max(0, -int(instrument.tick.as_tuple().exponent))),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": f"{instrument.leverage_max}.00",
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": plain(instrument.price_min),
            "maxPrice": plain(instrument.price_max),
            "tickSize": plain(instrument.tick),
        },
        "lotSizeFilter": sizes,
        "unifiedMarginTrade": True,
        "fundingInterval": instrument.funding_interval_ms // MINUTE_MS,
        "copyTrading": "none",
        "upperFundingRate": "0.005",
        "lowerFundingRate": "-0.005",
        "isPreListing": False,
    }


def _limits(instrument: Instrument) -> list[Json]:
    first = FIRST_LIMIT[instrument.kind]
    found: list[Json] = []
    for number, (bound, times) in enumerate(((first, 1), (first * 10, 2)), start=1):
        leverage = Decimal(instrument.leverage_max) / times
        percent = 100 if instrument.kind == "inverse" else 1
        found.append(
            {
                "id": number,
                "symbol": instrument.symbol,
                "riskLimitValue": plain(bound),
                "maintenanceMargin": plain(instrument.maintenance_rate * times * percent),
                "initialMargin": plain(percent / leverage),
                "isLowestRisk": 1 if number == 1 else 0,
                "maxLeverage": f"{leverage:.2f}",
                "mmDeduction": "",
            }
        )
    return found
