"""The traps of each venue's public stream, one test each, on payloads as the venue sends them."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from adapters.exchange.feeds.book import LEVELS_MAX
from adapters.exchange.feeds.dialect import Act, Changed, Dialect, Fetch, HangUp, Lost, Say, Unread
from adapters.exchange.feeds.settings import FeedSettings
from adapters.exchange.feeds.trouble import Unreadable
from adapters.exchange.feeds.venues import dialects
from benchmarks.feeds_streams import SCRIPTS, Sides
from domain.venue import MarkReport, TradePrint
from tests.support.feed_payloads import MS, VENUES, book_messages, side_messages, sides, speak
from tests.support.feeds import listing

D = Decimal
AT_US = MS * 1_000


def tell(dialect: Dialect, *payloads: bytes) -> list[Act]:
    acts: list[Act] = []
    for payload in payloads:
        if b"lastUpdateId" in payload:
            acts += dialect.fetched(dialect.books[0], payload, AT_US)
        else:
            acts += dialect.receive(payload, AT_US)
    return acts


def told(dialect: Dialect) -> list[Act]:
    return tell(dialect, book_messages(dialect.venue)[0])


def reasons(acts: Iterable[Act]) -> list[str]:
    return [act.reason.partition(":")[0] for act in acts if isinstance(act, Lost)]


def delta(venue: str, previous: int, last: int, **changed: dict[int, int]) -> bytes:
    return SCRIPTS[venue]().delta(previous, last, (changed.get("bids", {}), changed.get("asks", {})))


def snapshot(venue: str, last: int, of: Sides | None = None) -> bytes:
    return SCRIPTS[venue]().snapshot(last, of or sides())


@pytest.mark.parametrize("venue", VENUES)
def test_a_snapshot_and_what_follows_is_a_book(venue: str) -> None:
    dialect = speak(venue)
    (symbol,) = dialect.books
    acts = tell(dialect, *book_messages(venue))
    assert acts == [Changed(symbol)] * 3
    book = dialect.book(symbol)
    assert book.bids == ((D("1999.99"), D(3)), (D("1999.98"), D(2)))
    assert book.asks == ((D("2000.02"), D("2.5")), (D("2000.03"), D("0.001")))
    assert (book.venue, book.sequence, book.received_at_us) == (venue, 12, AT_US)


@pytest.mark.parametrize("venue", VENUES)
def test_a_hole_is_told_at_once_and_nothing_is_believed_until_a_snapshot(venue: str) -> None:
    dialect = speak(venue)
    (symbol,) = dialect.books
    told(dialect)
    assert reasons(tell(dialect, delta(venue, 12, 13))) == ["gap"]
    assert tell(dialect, delta(venue, 13, 14), delta(venue, 14, 15)) == []
    assert not dialect.is_believed(symbol)
    with pytest.raises(Unreadable):
        dialect.book(symbol)
    assert Changed(symbol) in tell(dialect, snapshot(venue, 15))


@pytest.mark.parametrize("venue", VENUES)
def test_what_comes_twice_is_ignored(venue: str) -> None:
    dialect = speak(venue)
    first, second, third = book_messages(venue)
    tell(dialect, first, second)
    assert tell(dialect, second) == []
    tell(dialect, third)
    assert tell(dialect, second, third) == []
    if venue not in {"binanceusdm", "binancecoinm", "binance"}:
        assert tell(dialect, first) == [], "an old snapshot is old"
    assert dialect.is_believed(dialect.books[0])


@pytest.mark.parametrize("venue", VENUES)
def test_out_of_order_is_a_gap(venue: str) -> None:
    dialect = speak(venue)
    first, second, third = book_messages(venue)
    tell(dialect, first)
    assert reasons(tell(dialect, third, second)) == ["gap"]


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("bid", [200_001, 200_005])
def test_a_locked_or_crossed_book_is_given_up(venue: str, bid: int) -> None:
    dialect = speak(venue)
    told(dialect)
    assert reasons(tell(dialect, delta(venue, 10, 11, bids={bid: 1}))) == ["crossed"]


@pytest.mark.parametrize("venue", VENUES)
def test_a_book_with_an_empty_side_is_given_up(venue: str) -> None:
    dialect = speak(venue)
    told(dialect)
    (lost,) = tell(dialect, delta(venue, 10, 11, asks={200_001: 0, 200_002: 0}))
    assert isinstance(lost, Lost)
    assert lost.reason == "crossed: no asks"


@pytest.mark.parametrize("venue", VENUES)
def test_a_book_without_end_is_taken_anew(venue: str) -> None:
    dialect = speak(venue)
    told(dialect)
    far = {199_000 - step: 5 for step in range(LEVELS_MAX + 500)}
    (lost,) = tell(dialect, delta(venue, 10, 11, bids=far))
    assert isinstance(lost, Lost)
    assert lost.reason.startswith("unreadable: more than")


@pytest.mark.parametrize("venue", VENUES)
def test_a_new_socket_counts_anew(venue: str) -> None:
    dialect = speak(venue)
    told(dialect)
    dialect.closed()
    assert not dialect.is_believed(dialect.books[0])
    assert Changed(dialect.books[0]) in tell(dialect, snapshot(venue, 3)), "lower numbers than before are fine"


@pytest.mark.parametrize("venue", VENUES)
def test_no_json_is_unreadable(venue: str) -> None:
    for payload in (b"", b"{", b"[]", b"\xff", b'"x"', b"12"):
        with pytest.raises(Unreadable):
            speak(venue).receive(payload, AT_US)


@pytest.mark.parametrize("venue", VENUES)
def test_other_instruments_are_none_of_ours(venue: str) -> None:
    dialect = speak(venue)
    market_id = SCRIPTS[venue]().market_id.encode()
    for payload in [*book_messages(venue)[1:], *side_messages(venue)[:1]]:
        assert tell(dialect, payload.replace(market_id, b"DOGE-X")) == []


@pytest.mark.parametrize(
    ("venue", "price", "quantity", "taker"),
    [
        ("binanceusdm", "2000.01", "1.5", "sell"),
        ("binance", "2000.01", "1.5", "sell"),
        ("bybit", "2000.01", "0.25", "sell"),
        ("okx", "2000.01", "3", "buy"),
        ("deribit", "2000.01", "0.5", "sell"),
    ],
)
def test_a_trade(venue: str, price: str, quantity: str, taker: str) -> None:
    (made,) = tell(speak(venue), side_messages(venue)[0])
    assert isinstance(made, TradePrint)
    assert (made.price, made.quantity, made.taker) == (D(price), D(quantity), taker)
    assert (made.exchange_at_us, made.received_at_us) == (MS * 1_000, AT_US)


@pytest.mark.parametrize(
    ("venue", "hours"), [("binanceusdm", 8), ("binancecoinm", 8), ("bybit", 4), ("okx", 4), ("deribit", 8)]
)
def test_a_mark_with_its_funding_interval(venue: str, hours: int) -> None:
    acts = tell(speak(venue), *side_messages(venue)[1:4])
    (mark,) = [act for act in acts if isinstance(act, MarkReport)]
    assert (mark.mark_price, mark.index_price, mark.funding_rate) == (D("2000.1"), D("1999.9"), D("-0.0001"))
    assert mark.funding_interval_ms == hours * 3_600_000
    assert mark.next_funding_us % 1_000 == 0
    assert mark.at_us == MS * 1_000
    assert mark.next_funding_us >= mark.at_us


@pytest.mark.parametrize("venue", VENUES)
def test_a_mark_that_cannot_be_read_costs_no_book(venue: str) -> None:
    dialect = speak(venue)
    told(dialect)
    spoilt = side_messages(venue)[0].replace(b"2000.01", b"-1")
    (unread,) = tell(dialect, spoilt)
    assert isinstance(unread, Unread)
    assert dialect.is_believed(dialect.books[0])


@pytest.mark.parametrize("venue", ["bybit", "okx", "deribit"])
def test_a_refused_subscription_is_told(venue: str) -> None:
    refusals = [row for row in side_messages(venue) if b"error" in row or b"not found" in row]
    (lost,) = tell(speak(venue), *refusals)
    assert isinstance(lost, Lost)
    assert lost.reason.startswith("refused: ")


@pytest.mark.parametrize("venue", ["binanceusdm", "binancecoinm", "binance"])
def test_binance_hangs_up_on_a_refusal(venue: str) -> None:
    (over,) = tell(speak(venue), side_messages(venue)[3])
    assert isinstance(over, HangUp)
    assert over.reason.startswith("refused: ")


def test_binance_asks_for_snapshots_only_after_the_answer() -> None:
    dialect = speak("binanceusdm")
    (said,) = dialect.hello()
    assert isinstance(said, Say)
    assert json.loads(said.text)["params"] == ["ethusdt@depth@100ms", "ethusdt@trade"]
    (fetch,) = tell(dialect, b'{"result":null,"id":1}')
    assert fetch == Fetch("ETH/USDT:USDT", "/fapi/v1/depth?symbol=ETHUSDT&limit=1000")


def test_binance_marks_come_by_another_route() -> None:
    books, marks = dialects(FeedSettings(venue="binanceusdm"), [SCRIPTS["binanceusdm"]().listing()])
    assert (books.stream_path, marks.stream_path) == ("/public/ws", "/market/ws")
    assert marks.books == ()
    (said,) = marks.hello()
    assert isinstance(said, Say)
    assert "markPrice@1s" in said.text


@pytest.mark.parametrize("venue", ["binanceusdm", "binance"])
def test_binance_joins_a_snapshot_to_what_waited(venue: str) -> None:
    dialect = speak(venue)
    early = [delta(venue, 5, 8), delta(venue, 8, 12, bids={199_999: 7}), delta(venue, 12, 14, bids={199_998: 8})]
    assert tell(dialect, *early) == []
    assert tell(dialect, snapshot(venue, 10)) == [Changed(dialect.books[0])]
    book = dialect.book(dialect.books[0])
    assert (book.sequence, book.bids[0][1], book.bids[1][1]) == (14, D("0.007"), D("0.008"))


@pytest.mark.parametrize("venue", ["binanceusdm", "binance"])
def test_binance_refuses_a_snapshot_older_than_what_waited(venue: str) -> None:
    dialect = speak(venue)
    tell(dialect, delta(venue, 12, 14))
    assert reasons(tell(dialect, snapshot(venue, 10))) == ["gap"]
    assert tell(dialect, snapshot(venue, 13)) == [Changed(dialect.books[0])]


@pytest.mark.parametrize("venue", ["binanceusdm", "binance"])
def test_binance_refuses_a_snapshot_older_than_the_book_was(venue: str) -> None:
    dialect = speak(venue)
    told(dialect)
    tell(dialect, delta(venue, 10, 20))
    dialect.lose(dialect.books[0], "crossed: for this test")
    assert reasons(tell(dialect, snapshot(venue, 15))) == ["gap"]


def test_coinm_counts_contracts_in_dollars() -> None:
    listed = listing("binancecoinm", "ETH/USD:ETH", "ETHUSD_PERP", kind="inverse", contract_size=D(10))
    (dialect,) = dialects(FeedSettings(venue="binancecoinm"), [listed])
    script = SCRIPTS["binancecoinm"]()
    tell(dialect, script.snapshot(10, ({199_999: 3_000}, {200_001: 4_000})))
    assert dialect.book("ETH/USD:ETH").bids == ((D("1999.99"), D(30)),)
    (made,) = tell(dialect, side_messages("binancecoinm")[0])
    assert isinstance(made, TradePrint)
    assert made.quantity == D(15)


def test_okx_counts_contracts_of_a_tenth() -> None:
    listed = listing("okx", "ETH/USDT:USDT", "ETH-USDT-SWAP", contract_size=D("0.1"))
    (dialect,) = dialects(FeedSettings(venue="okx"), [listed])
    told(dialect)
    assert dialect.book("ETH/USDT:USDT").asks[0] == (D("2000.01"), D("0.15"))
    (made,) = tell(dialect, side_messages("okx")[0])
    assert isinstance(made, TradePrint)
    assert made.quantity == D("0.3")


def test_okx_a_heartbeat_keeps_a_quiet_book_young() -> None:
    dialect = speak("okx")
    told(dialect)
    acts = dialect.receive(delta("okx", 10, 10), AT_US + 60_000_000)
    assert list(acts) == [Changed("ETH/USDT:USDT")]
    assert dialect.book("ETH/USDT:USDT").received_at_us == AT_US + 60_000_000
    assert reasons(tell(dialect, delta("okx", 12, 12))) == ["gap"], "a heartbeat of a book that we do not have"


def test_okx_a_count_begun_anew_chains_as_any_other() -> None:
    dialect = speak("okx")
    told(dialect)
    assert reasons(tell(dialect, delta("okx", 10, 3), delta("okx", 3, 5))) == []
    assert dialect.book("ETH/USDT:USDT").sequence == 5


def test_okx_a_reset_that_was_missed_is_no_old_message() -> None:
    dialect = speak("okx")
    tell(dialect, snapshot("okx", 100))
    assert reasons(tell(dialect, delta("okx", 3, 8))) == ["gap"]


def test_okx_needs_no_checksum_and_asks_by_text() -> None:
    dialect = speak("okx")
    assert (dialect.ping_text, dialect.ping_every_s) == ("ping", 18.0)
    assert list(dialect.receive(b"pong", AT_US)) == []


def bybit(kind: str, update_id: int, seq: int, **changed: list[list[str]]) -> bytes:
    data = {"s": "ETHUSDT", "b": changed.get("b", []), "a": changed.get("a", []), "u": update_id, "seq": seq}
    return json.dumps({"topic": "orderbook.50.ETHUSDT", "type": kind, "ts": MS, "data": data}).encode()


WHOLE: dict[str, Any] = {"b": [["10.00", "1"]], "a": [["11.00", "2"]]}


def test_bybit_a_restart_of_the_service_resets_the_book() -> None:
    dialect = speak("bybit")
    tell(dialect, bybit("snapshot", 500, 900, **WHOLE), bybit("delta", 501, 903, b=[["10.01", "5"]]))
    (changed,) = tell(dialect, bybit("snapshot", 1, 950, **WHOLE))
    assert changed == Changed("ETH/USDT:USDT")
    assert dialect.book("ETH/USDT:USDT").bids == ((D("10.00"), D(1)),)
    assert reasons(tell(dialect, bybit("delta", 2, 951, b=[["10.02", "1"]]))) == []
    assert tell(dialect, bybit("snapshot", 500, 900, **WHOLE)) == [], "from before the restart"


def test_bybit_a_missed_restart_is_no_old_message() -> None:
    dialect = speak("bybit")
    tell(dialect, bybit("snapshot", 500, 900, **WHOLE))
    assert reasons(tell(dialect, bybit("delta", 2, 951))) == ["gap"]


def test_bybit_tickers_tell_only_what_changed() -> None:
    dialect = speak("bybit")
    tell(dialect, side_messages("bybit")[1])
    change = {"topic": "tickers.ETHUSDT", "type": "delta", "ts": MS + 5, "data": {"markPrice": "2001.5"}}
    (mark,) = tell(dialect, json.dumps(change).encode())
    assert isinstance(mark, MarkReport)
    assert (mark.mark_price, mark.index_price, mark.funding_interval_ms) == (D("2001.5"), D("1999.9"), 14_400_000)
    unchanged = change | {"data": {"symbol": "ETHUSDT", "openInterest": "3"}}
    assert tell(dialect, json.dumps(unchanged).encode()) == []


def test_bybit_subscribes_anew_for_a_snapshot() -> None:
    said = [json.loads(act.text) for act in speak("bybit").renew("ETH/USDT:USDT") if isinstance(act, Say)]
    assert [row["op"] for row in said] == ["unsubscribe", "subscribe"]
    assert said[1]["args"] == ["orderbook.50.ETHUSDT"]


def test_bybit_has_a_socket_for_each_kind() -> None:
    listed = [
        listing("bybit", "ETH/USDT:USDT", "ETHUSDT"),
        listing("bybit", "ETH/USD:ETH", "ETHUSD", kind="inverse"),
        listing("bybit", "ETH/USDT", "ETHUSDT"),
    ]
    made = dialects(FeedSettings(venue="bybit"), listed)
    assert [dialect.stream_path.rpartition("/")[2] for dialect in made] == ["linear", "inverse", "spot"]
    said = [act.text for dialect in made for act in dialect.hello() if isinstance(act, Say)]
    assert ["tickers" in text for text in said] == [True, True, False], "spot has no mark"


def test_deribit_answers_the_heartbeat() -> None:
    (said,) = tell(speak("deribit"), side_messages("deribit")[2])
    assert isinstance(said, Say)
    assert json.loads(said.text)["method"] == "public/test"
    heartbeat = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}'
    assert tell(speak("deribit"), heartbeat) == []


def test_deribit_a_snapshot_does_not_merge_into_the_old_book() -> None:
    dialect = speak("deribit")
    told(dialect)
    tell(dialect, snapshot("deribit", 30, ({150_000: 1_000}, {150_100: 1_000})))
    assert dialect.book("ETH/USDC:USDC").bids == ((D(1500), D(1)),)


def test_deribit_takes_a_level_away_only_by_delete() -> None:
    dialect = speak("deribit")
    told(dialect)
    empty = delta("deribit", 10, 11, bids={199_999: 5}).replace(b"0.005", b"0.0")
    assert reasons(tell(dialect, empty)) == ["unreadable"]


def test_deribit_numbers_with_exponents_are_exact() -> None:
    dialect = speak("deribit")
    told(dialect)
    tell(dialect, delta("deribit", 10, 11, bids={199_999: 5}).replace(b"0.005", b"5.0e-3"))
    assert dialect.book("ETH/USDC:USDC").bids[0] == (D("1999.99"), D("0.005"))


@pytest.mark.parametrize(
    ("venue", "body"),
    [
        ("binanceusdm", {"serverTime": MS}),
        ("binance", {"serverTime": MS}),
        ("bybit", {"retCode": 0, "result": {"timeSecond": "1"}, "time": MS}),
        ("okx", {"code": "0", "data": [{"ts": str(MS)}]}),
        ("deribit", {"jsonrpc": "2.0", "result": MS}),
    ],
)
def test_the_venues_clock(venue: str, body: Any) -> None:
    assert speak(venue).clock(json.dumps(body).encode()) == MS
    for wrong in (b"{}", b"[]", b"<html>", b'{"serverTime":1,"time":1,"data":[{"ts":"x"}],"result":5}'):
        with pytest.raises(Unreadable):
            speak(venue).clock(wrong)
