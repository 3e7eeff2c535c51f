"""Messages of every venue as they look, one of each kind: the seeds of fuzzing and the examples of the traps."""

import json
from typing import Any

from adapters.exchange.feeds.dialect import Dialect
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.feeds.venues import dialects
from benchmarks.feeds_streams import SCRIPTS, Market, Sides

MS = 1_760_000_000_000
VENUES = tuple(SCRIPTS)

Message = dict[str, Any]


def speak(venue: str, **changes: Any) -> Dialect:
    """Return a dialect of the venue about its instrument, not yet told anything."""
    script = SCRIPTS[venue]()
    return dialects(FeedSettings(venue=venue, **changes), [script.listing()])[0]


def _binance(market_id: str) -> list[Message]:
    return [
        {"e": "trade", "E": MS, "T": MS, "s": market_id, "t": 7, "p": "2000.01", "q": "1.5", "X": "MARKET", "m": True},
        {
            "e": "markPriceUpdate",
            "E": MS,
            "s": market_id,
            "p": "2000.10000000",
            "i": "1999.90000000",
            "P": "2000.20000000",
            "r": "-0.00010000",
            "T": MS + 3_600_000,
        },
        {"result": None, "id": 1},
        {"error": {"code": 2, "msg": "Invalid request"}, "id": 1},
    ]


_BYBIT: list[Message] = [
    {
        "topic": "publicTrade.ETHUSDT",
        "type": "snapshot",
        "ts": MS,
        "data": [{"T": MS, "s": "ETHUSDT", "S": "Sell", "v": "0.25", "p": "2000.01", "i": "a-b-c", "BT": False}],
    },
    {
        "topic": "tickers.ETHUSDT",
        "type": "snapshot",
        "cs": 1,
        "ts": MS,
        "data": {
            "symbol": "ETHUSDT",
            "markPrice": "2000.10",
            "indexPrice": "1999.90",
            "fundingRate": "-0.0001",
            "nextFundingTime": str(MS + 3_600_000),
            "fundingIntervalHour": "4",
            "openInterest": "12.5",
        },
    },
    {"success": True, "ret_msg": "", "op": "subscribe", "req_id": "all", "conn_id": "x"},
    {"success": False, "ret_msg": "handler not found", "op": "subscribe", "req_id": "ETHUSDT", "conn_id": "x"},
    {"success": True, "ret_msg": "pong", "op": "ping", "conn_id": "x"},
]


def _okx(channel: str, **row: Any) -> Message:
    market_id = "ETH-USDT" if channel == "index-tickers" else "ETH-USDT-SWAP"
    return {"arg": {"channel": channel, "instId": market_id}, "data": [{"instId": market_id} | row]}


_OKX: list[Message] = [
    _okx("trades", tradeId="9", px="2000.01", sz="3", side="buy", ts=str(MS), count="1"),
    _okx("mark-price", markPx="2000.1", ts=str(MS)),
    _okx("index-tickers", idxPx="1999.9", ts=str(MS)),
    _okx("funding-rate", fundingRate="-0.0001", fundingTime=str(MS), nextFundingTime=str(MS + 14_400_000)),
    {"event": "subscribe", "arg": {"channel": "books", "instId": "ETH-USDT-SWAP"}, "connId": "x"},
    {"event": "error", "code": "60018", "msg": "Wrong instId:ETH-USDT-SWAP", "connId": "x"},
]


def _deribit(kind: str, data: Any) -> Message:
    channel = f"{kind}.ETH_USDC-PERPETUAL.100ms"
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}


_DERIBIT: list[Message] = [
    _deribit("trades", [{"trade_id": "5", "price": 2000.01, "amount": 0.5, "direction": "sell", "timestamp": MS}]),
    _deribit(
        "ticker",
        {"mark_price": 2000.1, "index_price": 1999.9, "timestamp": MS, "current_funding": -1e-4, "funding_8h": 2e-5},
    ),
    {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}},
    {"jsonrpc": "2.0", "id": 2, "result": ["book.ETH_USDC-PERPETUAL.100ms"]},
    {"jsonrpc": "2.0", "id": 2, "error": {"code": 11050, "message": "bad_request"}},
]


def side_messages(venue: str) -> list[bytes]:
    """Return one message of each kind but books."""
    rows = {"bybit": _BYBIT, "okx": _OKX, "deribit": _DERIBIT}.get(venue)
    return [json.dumps(row).encode() for row in rows or _binance(SCRIPTS[venue]().market_id)]


def sides() -> Sides:
    """Return a small book: bids 1999.99 and 1999.98, asks 2000.01 and 2000.02."""
    return {199_999: 1_000, 199_998: 2_000}, {200_001: 1_500, 200_002: 2_500}


def book_messages(venue: str) -> list[bytes]:
    """Return a snapshot and the two messages after it."""
    script = SCRIPTS[venue]()
    changed: Sides = ({199_999: 3_000}, {200_001: 0, 200_003: 1})
    follow = 11
    return [
        script.snapshot(10, sides()),
        script.delta(10, follow, changed),
        script.delta(follow, follow + 1, ({199_997: 0}, {})),
    ]


__all__ = ["MS", "VENUES", "Market", "book_messages", "side_messages", "sides", "speak"]
