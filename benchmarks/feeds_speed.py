"""How long a message takes to a validated book: ours, and ccxt.pro's unmodified handler on the same lines.

Both take turns at a few hundred messages, so that what else the machine does hits both. ccxt gets text, as its client
does from its socket; ours gets bytes. Neither is asked to hand a book out. Time is that of the processor.
"""

import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import ccxt.pro
import msgspec

from adapters.exchange.feeds.dialect import Changed, Dialect
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.feeds.venues import dialects
from benchmarks.feeds_recorded import AT_US, Recording, started
from benchmarks.feeds_streams import OkxSwap
from domain.venue import InstrumentReport

TURN = 250
OKX_LEVELS = 400
OKX_MESSAGES = 20_000


class Speed(msgspec.Struct, frozen=True):
    """Hold microseconds a message of both, medians of turns, and the median of the turns' ratios."""

    ours_us: float
    peer_us: float
    ratio: float


Tell = Callable[[Any], object]


def race(turns: Sequence[tuple[Tell, Sequence[Any], Tell, Sequence[Any]]]) -> Speed:
    """Let both take turns at the same messages."""
    ours: list[float] = []
    peers: list[float] = []
    for tell_ours, for_ours, tell_peer, for_peer in turns:
        for at in range(0, len(for_ours) - TURN + 1, TURN):
            ours.append(_took_us(tell_ours, for_ours[at : at + TURN]))
            peers.append(_took_us(tell_peer, for_peer[at : at + TURN]))
    return Speed(
        statistics.median(ours),
        statistics.median(peers),
        statistics.median([peer / mine for mine, peer in zip(ours, peers, strict=True)]),
    )


def _took_us(tell: Tell, messages: Sequence[Any]) -> float:
    began = time.process_time()
    for message in messages:
        tell(message)
    return (time.process_time() - began) / len(messages) * 1e6


def _ours(dialect: Dialect) -> Tell:
    symbol = dialect.books[0]

    def tell(body: bytes) -> None:
        for act in dialect.receive(body, AT_US):
            if not isinstance(act, Changed):
                raise RuntimeError(f"{symbol}: {act}")  # noqa: TRY004 - a book lost, not a wrong argument

    return tell


def _market(ex: Any, listing: InstrumentReport) -> dict[str, Any]:
    spot = listing.kind == "spot"
    return ex.safe_market_structure(
        {
            "id": listing.market_id,
            "symbol": listing.symbol,
            "base": listing.base,
            "quote": listing.quote,
            "settle": None if spot else listing.settle,
            "type": "spot" if spot else "swap",
            "spot": spot,
            "swap": not spot,
            "contract": not spot,
            "linear": listing.kind == "linear",
            "inverse": listing.kind == "inverse",
            "active": True,
            "contractSize": float(listing.contract_size),
            "precision": {"amount": 0.001, "price": 0.01},
        }
    )


async def recorded_depth(recorded: Recording, rounds: int) -> Speed:
    """Race on recorded Binance depth."""
    listing = recorded.listing
    ex: Any = {
        "binanceusdm": ccxt.pro.binanceusdm,
        "binancecoinm": ccxt.pro.binancecoinm,
        "binance": ccxt.pro.binance,
    }[listing.venue]()
    url = {
        "binanceusdm": "wss://fstream.binance.com/public/ws/1",
        "binancecoinm": "wss://dstream.binance.com/ws/1",
        "binance": "wss://stream.binance.com:9443/ws/1",
    }[listing.venue]
    turns: list[tuple[Tell, Sequence[Any], Tell, Sequence[Any]]] = []
    try:
        ex.set_markets({listing.symbol: _market(ex, listing)})
        client = ex.client(url)
        dialect = recorded.dialect()
        left = started(recorded, dialect)
        joined = recorded.diffs[: len(recorded.diffs) - len(left)]
        texts = [body.decode() for body in left]
        speeds: list[Speed] = []
        for _ in range(rounds):
            dialect.closed()
            started(recorded, dialect)
            snapshot = msgspec.json.decode(recorded.snapshot)
            book = ex.order_book({}, 1_000)
            book.reset(ex.parse_order_book(snapshot, listing.symbol, None, "bids", "asks"))
            book["nonce"] = snapshot["lastUpdateId"]
            ex.orderbooks[listing.symbol] = book
            for body in joined:
                client.handle_text_or_binary_message(body.decode())
            turns = [(_ours(dialect), left, client.handle_text_or_binary_message, texts)]
            _settle()
            speeds.append(race(turns))
            _same(dialect, ex.orderbooks[listing.symbol])
        return _middle(speeds)
    finally:
        await ex.close()


def okx_stream(messages: int, seed: int) -> list[bytes]:
    """Return a snapshot of 400 levels a side and updates of one to ten levels, most of them near the top."""
    rng = random.Random(seed)
    script = OkxSwap()
    bids = {200_000 - step: rng.randint(1, 9_000) for step in range(1, OKX_LEVELS + 1)}
    asks = {200_000 + step: rng.randint(1, 9_000) for step in range(1, OKX_LEVELS + 1)}
    told = [script.snapshot(1, (bids, asks))]
    for number in range(2, messages + 2):
        changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for _ in range(rng.randint(1, 10)):
            side = rng.randrange(2)
            far = min(OKX_LEVELS, 1 + int(rng.expovariate(1 / 25)))
            gone = far > 2 and rng.random() < 0.3
            changed[side][200_000 + (far if side else -far)] = 0 if gone else rng.randint(1, 9_000)
        told.append(script.delta(number - 1, number, changed))
    return told


async def made_up_okx(rounds: int) -> Speed:
    """Race on made-up OKX deltas."""
    listing = OkxSwap().listing()
    snapshot, *deltas = okx_stream(OKX_MESSAGES, 7)
    texts = [body.decode() for body in deltas]
    ex: Any = ccxt.pro.okx()
    try:
        ex.set_markets({listing.symbol: _market(ex, listing)})
        client = ex.client("wss://ws.okx.com:8443/ws/v5/public")
        speeds: list[Speed] = []
        for _ in range(rounds):
            (dialect,) = dialects(FeedSettings(venue="okx"), [listing])
            dialect.receive(snapshot, AT_US)
            ex.orderbooks.pop(listing.symbol, None)
            client.handle_text_or_binary_message(snapshot.decode())
            _settle()
            speeds.append(race([(_ours(dialect), deltas, client.handle_text_or_binary_message, texts)]))
            _same(dialect, ex.orderbooks[listing.symbol])
        return _middle(speeds)
    finally:
        await ex.close()


def _settle() -> None:
    """Leave to the collector only what the race makes: the messages that wait for their turn are nobody's garbage."""
    gc.collect()
    gc.freeze()


def _middle(speeds: Sequence[Speed]) -> Speed:
    return sorted(speeds, key=lambda speed: speed.ratio)[len(speeds) // 2]


def _same(dialect: Dialect, theirs: Any) -> None:
    """Hold both to one result: who is fast and wrong has not won."""
    book = dialect.book(dialect.books[0])
    mine = [float(price) for price, _ in (book.bids[0], book.asks[0])]
    if mine != [theirs["bids"][0][0], theirs["asks"][0][0]]:
        raise RuntimeError(f"ours has {mine}, ccxt {theirs['bids'][0]} and {theirs['asks'][0]}")
