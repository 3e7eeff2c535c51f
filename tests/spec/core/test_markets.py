"""The consolidated view: the newest word of every source, read once, never older, bounded."""

from decimal import Decimal

from api.market import markets as subject
from api.market.markets import BOOK, PRICE, Markets, book_message, price_message
from domain.codec import encode
from domain.market import SourceKind
from domain.oracle import OracleLost, OraclePrice
from domain.quantity import Num
from domain.venue import BookLost, BookUpdate, InstrumentReport

NOW_US = 1_700_000_000_000_000
ETH = InstrumentReport(
    venue="okx",
    symbol="ETH/USDT:USDT",
    base="ETH",
    quote="USDT",
    settle="USDT",
    tick=Decimal("0.01"),
    step=Decimal("0.01"),
    quantity_min=Decimal("0.01"),
    quantity_max=Decimal(1000),
    notional_min=Decimal(5),
)


def a_book(bid: str = "2000", ask: str = "2000.5", *, at_us: int = NOW_US, sequence: int = 1) -> BookUpdate:
    return BookUpdate(
        venue="okx",
        symbol=ETH.symbol,
        bids=((Decimal(bid), Decimal("1E+1")), (Decimal(1999), Decimal(2))),
        asks=((Decimal(ask), Decimal("0.5")),),
        sequence=sequence,
        exchange_at_us=at_us - 2_000,
        received_at_us=at_us,
    )


def a_price(price: str = "2000", *, feed: str = "eth", at_us: int = NOW_US) -> OraclePrice:
    return OraclePrice(
        oracle="pyth",
        feed=feed,
        base="ETH",
        quote="USD",
        price=Decimal(price),
        confidence=Decimal("0.25"),
        published_at_us=at_us,
        received_at_us=at_us + 1_000,
        sequence=9,
        signers=("0xaa",),
    )


def test_a_book_that_came_over_the_bus_is_evidence_with_its_age() -> None:
    view = Markets()
    view.receive("okx", ETH.symbol, BOOK, encode(book_message(a_book(), ETH)))
    (seen,) = view.look(NOW_US + 7_900)
    assert (seen.venue, seen.symbol, seen.age_ms, seen.sequence) == ("okx", ETH.symbol, 7, 1)
    assert (seen.bids[0].price, seen.bids[0].quantity, seen.asks[0].price) == (Num(2000), Num(10), Num("2000.5"))
    assert view.mid("okx", ETH.symbol) == Num("2000.25")


def test_the_same_book_is_read_once_and_only_grows_older() -> None:
    view = Markets()
    view.put_book(book_message(a_book(), ETH))
    (first,), (again,), (later,) = view.look(NOW_US), view.look(NOW_US), view.look(NOW_US + 5_000)
    assert first is again
    assert later.bids is first.bids
    assert later.age_ms == 5


def test_a_venue_s_word_carries_its_drift_and_a_lost_one_its_reason() -> None:
    view = Markets()
    view.put_book(book_message(a_book(), ETH, drift_ms=-40))
    (word,) = view.witnesses(NOW_US + 3_000)
    assert (word.source, word.kind, word.base, word.quote) == ("okx", SourceKind.LINEAR, "ETH", "USDT")
    assert (word.bid, word.ask, word.age_ms, word.drift_ms, word.lost) == (Num(2000), Num("2000.5"), 3, -40, "")
    lost = BookLost(venue="okx", symbol=ETH.symbol, reason="gap: 5 after 3", at_us=NOW_US)
    view.put_book(book_message(lost, ETH))
    (word,) = view.witnesses(NOW_US)
    assert (word.bid, word.ask, word.lost) == (Num(0), Num(0), "gap: 5 after 3")
    assert view.look(NOW_US) == ()
    assert view.mid("okx", ETH.symbol) is None


def test_an_oracle_s_word_is_its_price_less_and_plus_its_confidence_and_ages_from_publication() -> None:
    view = Markets()
    view.receive("pyth", "eth", PRICE, encode(price_message(a_price())))
    (word,) = view.witnesses(NOW_US + 9_000)
    assert (word.source, word.kind, word.symbol, word.quote) == ("pyth", SourceKind.ORACLE, "eth", "USD")
    assert (word.bid, word.ask, word.age_ms) == (Num("1999.75"), Num("2000.25"), 9)


def test_a_lost_oracle_loses_one_feed_or_all_of_them_until_a_price_comes() -> None:
    view = Markets()
    for feed in ("eth", "btc"):
        view.put_price(price_message(a_price(feed=feed)))
    view.put_price(price_message(OracleLost(oracle="pyth", feed="btc", reason="silence", at_us=NOW_US)))
    assert [word.lost for word in view.witnesses(NOW_US)] == ["silence", ""]
    view.put_price(price_message(OracleLost(oracle="pyth", feed="", reason="disconnected", at_us=NOW_US)))
    assert [word.lost for word in view.witnesses(NOW_US)] == ["disconnected", "disconnected"]
    view.put_price(price_message(a_price(feed="eth")))
    assert [word.lost for word in view.witnesses(NOW_US)] == ["disconnected", ""]


def test_what_no_decision_rests_on_is_left_alone() -> None:
    view = Markets()
    view.receive("okx", ETH.symbol, "trade", b"not even JSON")
    assert view.witnesses(NOW_US) == ()


def test_the_order_is_the_same_whoever_spoke_first() -> None:
    one, other = Markets(), Markets()
    words = [price_message(a_price(feed=feed)) for feed in ("b", "a", "c")]
    for word in words:
        one.put_price(word)
    for word in reversed(words):
        other.put_price(word)
    one.put_book(book_message(a_book(), ETH))
    other.put_book(book_message(a_book(), ETH))
    assert one.witnesses(NOW_US) == other.witnesses(NOW_US)


def test_the_view_is_bounded() -> None:
    view = Markets()
    for number in range(subject.INSTRUMENTS_MAX + 3):
        view.receive("okx", f"S{number}", BOOK, b"{}")
    for number in range(subject.FEEDS_MAX + 2):
        view.put_price(price_message(a_price(feed=f"f{number}")))
    assert view.overlooked == 5
