"""The simulated Deribit's public methods: parameters in, results out. No I/O."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

from adapters.simulators.changes import Levels, Snapshot
from adapters.simulators.deribit.instruments import CONTRACTS
from adapters.simulators.deribit.wire import number
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import Instrument
from adapters.simulators.interest import open_interest
from adapters.simulators.refusals import Refusal, Refused
from adapters.simulators.sockets import Json
from adapters.simulators.world import World

Parameters = Mapping[str, str]
LISTED_MS = 1_534_167_754_000
EXPIRES_MS = 32_503_708_800_000
HOUR_MS = 3_600_000
FUNDING_HOURS = 8
BOOK_ROWS = 5
BOOK_ROWS_MAX = 10_000
ANY = "any"
LONG_NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDC": "USD Coin", "USDT": "Tether USD"}
_DIGITS_MAX = 18


class Desk(Protocol):
    """What methods work on. `by_hand` are the orders that a person placed in the venue's web pages."""

    exchange: Exchange
    world: World
    by_hand: set[int]

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        """Return a book."""
        ...


def named(desk: Desk, parameters: Parameters) -> Instrument:
    """Return the instrument asked for."""
    name = parameters.get("instrument_name")
    if not name:
        raise Refused(Refusal.MISSING, "instrument_name")
    return desk.exchange.instrument(name)


def currency(desk: Desk, parameters: Parameters, *, default: str = "") -> str:
    """Return the currency asked for, or `any`; refuse one that nobody has here."""
    found = parameters.get("currency", default)
    if not found:
        raise Refused(Refusal.MISSING, "currency")
    if found != ANY and found not in desk.exchange.ledger.wallets:
        raise Refused(Refusal.MALFORMED, "currency")
    return found


def settling(desk: Desk, asked: str) -> list[Instrument]:
    """Return the instruments of a currency, or all of them."""
    return [each for each in desk.exchange.instruments.values() if asked in {ANY, each.settle}]


def whole(parameters: Parameters, name: str) -> int | None:
    """Return a whole number, None when absent; refuse anything else."""
    text = parameters.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX:
        raise Refused(Refusal.MALFORMED, name)
    return int(text)


def asks(parameters: Parameters, name: str) -> bool:
    """Return a flag, false when absent; refuse anything but true and false."""
    text = parameters.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise Refused(Refusal.MALFORMED, name)
    return text == "true"


def index_price(desk: Desk, instrument: Instrument) -> Decimal:
    """Return what the world says the coin is worth."""
    return desk.world.pair(instrument.base, instrument.quote).quantize(Decimal("0.01"))


def get_time(_desk: Desk, _parameters: Parameters, now_ms: int) -> int:
    """Tell the time."""
    return now_ms


def test(_desk: Desk, _parameters: Parameters, _now_ms: int) -> Json:
    """Say hello."""
    return {"version": "1.2.26"}


def status(_desk: Desk, _parameters: Parameters, _now_ms: int) -> Json:
    """Tell that nothing is locked."""
    return {"locked": "false", "locked_indices": []}


def get_currencies(desk: Desk, _parameters: Parameters, _now_ms: int) -> list[Json]:
    """Tell the currencies."""
    return [
        {"currency": each, "currency_long": LONG_NAMES.get(each, each), "coin_type": each, "fee_precision": 4}
        for each in desk.exchange.ledger.wallets
    ]


def get_instruments(desk: Desk, parameters: Parameters, _now_ms: int) -> list[Json]:
    """Tell the listings: perpetuals, which are futures here."""
    found = settling(desk, currency(desk, parameters, default=ANY))
    return [_listing(each) for each in found if parameters.get("kind", "future") == "future"]


def get_instrument(desk: Desk, parameters: Parameters, _now_ms: int) -> Json:
    """Tell one listing."""
    return _listing(named(desk, parameters))


def ticker(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Tell the newest prices."""
    return ticker_row(desk, named(desk, parameters), now_ms)


def get_order_book(desk: Desk, parameters: Parameters, now_ms: int) -> Json:
    """Tell a book beside the newest prices."""
    instrument = named(desk, parameters)
    book = desk.snapshot(instrument.symbol, min(whole(parameters, "depth") or BOOK_ROWS, BOOK_ROWS_MAX))
    told = {"bids": _pairs(book.bids), "asks": _pairs(book.asks), "change_id": book.last_id}
    return ticker_row(desk, instrument, now_ms) | told


def get_funding_rate_value(desk: Desk, parameters: Parameters, _now_ms: int) -> Any:
    """Tell what a time paid."""
    instrument = named(desk, parameters)
    start, end = whole(parameters, "start_timestamp"), whole(parameters, "end_timestamp")
    if start is None or end is None:
        raise Refused(Refusal.MISSING, "start_timestamp")
    hours = Decimal(max(0, end - start)) / HOUR_MS
    return number((instrument.funding_rate * hours / FUNDING_HOURS).quantize(Decimal("1e-12")))


def ticker_row(desk: Desk, instrument: Instrument, now_ms: int) -> Json:
    """Return a perpetual's ticker: of the day's statistics, none is kept."""
    book = desk.snapshot(instrument.symbol, 1)
    mark = desk.exchange.mark(instrument.symbol)
    (bid, bid_size), (ask, ask_size) = _best(book.bids), _best(book.asks)
    return {
        "timestamp": now_ms,
        "instrument_name": instrument.symbol,
        "state": "open",
        "stats": {"volume_usd": 0.0, "volume": 0.0, "price_change": None, "low": None, "high": None},
        "mark_price": number(mark),
        "index_price": number(index_price(desk, instrument)),
        "last_price": number(mark),
        "settlement_price": number(mark),
        "estimated_delivery_price": number(index_price(desk, instrument)),
        "current_funding": number(instrument.funding_rate),
        "funding_8h": number(instrument.funding_rate),
        "interest_value": number(Decimal(0)),
        "open_interest": number(open_interest(desk.exchange, instrument)),
        "min_price": number((mark * instrument.band_down).quantize(instrument.tick)),
        "max_price": number((mark * instrument.band_up).quantize(instrument.tick)),
        "best_bid_price": number(bid),
        "best_bid_amount": number(bid_size),
        "best_ask_price": number(ask),
        "best_ask_amount": number(ask_size),
    }


def _best(levels: Levels) -> tuple[Decimal, Decimal]:
    """Return the best level; where there is none, its price and size are told as zero."""
    return levels[0] if levels else (Decimal(0), Decimal(0))


def _pairs(levels: Levels) -> list[list[object]]:
    return [[number(price), number(size)] for price, size in levels]


def _listing(instrument: Instrument) -> Json:
    quote = instrument.quote
    return {
        "instrument_name": instrument.symbol,
        "instrument_id": 1,
        "kind": "future",
        "future_type": "reversed" if instrument.kind == "inverse" else "linear",
        "instrument_type": "reversed" if instrument.kind == "inverse" else "linear",
        "base_currency": instrument.base,
        "quote_currency": quote,
        "counter_currency": quote,
        "settlement_currency": instrument.settle,
        "settlement_period": "perpetual",
        "price_index": f"{instrument.base}_{quote}".lower(),
        "contract_size": number(CONTRACTS[instrument.symbol]),
        "min_trade_amount": number(instrument.quantity_min),
        "tick_size": number(instrument.tick),
        "tick_size_steps": [],
        "taker_commission": number(instrument.taker_rate),
        "maker_commission": number(instrument.maker_rate),
        "max_leverage": instrument.leverage_max,
        "max_liquidation_commission": number(Decimal("0.0075")),
        "block_trade_commission": number(Decimal("0.0001")),
        "is_active": True,
        "rfq": False,
        "creation_timestamp": LISTED_MS,
        "expiration_timestamp": EXPIRES_MS,
    }
