"""What comes over the wire beside signed updates: server-sent events, contracts' answers, and what is told of it."""

import asyncio
from contextlib import aclosing
from decimal import Decimal

import pytest

from adapters.oracle.contracts import Reading, parse_decimals, parse_pyth_price, parse_round, parse_text, price_call
from adapters.oracle.hermes import parse_updates
from adapters.oracle.outbox import Outbox
from adapters.oracle.recovery import checksummed
from adapters.oracle.rejected import OracleRejected
from adapters.oracle.sse import EVENT_BYTES_MAX, EventLines
from domain.oracle import OracleEvent, OracleLost, OraclePrice


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big", signed=value < 0) for value in values)


def code(parse: object, *given: object) -> str:
    assert callable(parse)
    with pytest.raises(OracleRejected) as told:
        parse(*given)
    return told.value.code


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_events_are_the_same_however_they_are_cut(size: int) -> None:
    stream = (
        b':keep alive\n\ndata:{"a":1}\r\n\r\nevent: x\ndata: one\ndata: two\nid: 5\n\n\n\ndata:three\n\n'
        b"data:never ended"
    )
    lines = EventLines()
    told = [event for at in range(0, len(stream), size) for event in lines.feed(stream[at : at + size])]
    assert told == [b'{"a":1}', b"one\ntwo", b"three"]


def test_an_event_without_end_is_refused() -> None:
    assert code(EventLines().feed, b"data:" + b"x" * EVENT_BYTES_MAX) == "malformed"
    lines, line = EventLines(), b"data:" + b"x" * 100_000 + b"\n"
    for _ in range(EVENT_BYTES_MAX // len(line)):
        lines.feed(line)
    assert code(lines.feed, line) == "malformed"


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", '{"binary":{}}', '{"binary":{"data":[]}}', '{"binary":{"data":["00"]}}',
     '{"binary":{"encoding":"hex","data":["0"]}}', '{"binary":{"encoding":"base64","data":["!"]}}',
     '{"binary":{"encoding":"hex","data":[1]}}', '{"binary":{"encoding":"hex","data":"00"}}',
     '{"binary":{"encoding":"hex","data":["00","00","00","00","00","00","00","00","00"]}}'],
)  # fmt: skip
def test_an_answer_without_binary_updates_is_refused(body: str) -> None:
    assert code(parse_updates, body) == "malformed"


def test_binary_updates_come_in_hex_and_base64() -> None:
    assert parse_updates('{"binary":{"encoding":"hex","data":["504e"]}}') == [b"PN"]
    assert parse_updates('{"binary":{"encoding":"base64","data":["UE4="]},"parsed":[1]}') == [b"PN"]


def test_a_round_of_chainlink() -> None:
    answer = words((5 << 64) + 7, 268_211_000_000, 1_700_000_000, 1_700_000_100, (5 << 64) + 7)
    expected = Reading(price=Decimal("2682.11000000"), confidence=Decimal(0), published_s=1_700_000_100)
    assert parse_round(answer, 8) == expected
    for wrong, why in (
        (answer[:-1], "truncated"),
        (answer + b"\0", "trailing_bytes"),
        (words(7, 0, 1, 2, 7), "price_out_of_bounds"),
        (words(7, -5, 1, 2, 7), "price_out_of_bounds"),
        (words(7, 2**254, 1, 2, 7), "price_out_of_bounds"),
        (words(7, 10**8, 1, 2, 6), "too_old"),
        (words(7, 10**8, 3, 2, 7), "too_old"),
        (words(7, 10**8, 0, 0, 7), "time_out_of_bounds"),
        (words(7, 10**8, 1, 2**200, 7), "time_out_of_bounds"),
        (words(1 << 80, 10**8, 1, 2, 1 << 80), "malformed"),
    ):
        assert code(parse_round, wrong, 8) == why


def test_a_price_of_pyth_on_chain() -> None:
    answer = words(268_211_000_000, 134_000_000, -8, 1_700_000_100)
    assert parse_pyth_price(answer).price == Decimal("2682.11")
    assert parse_pyth_price(answer).confidence == Decimal("1.34")
    for wrong, why in (
        (answer[:-32], "truncated"),
        (words(-1, 0, -8, 1), "price_out_of_bounds"),
        (words(2**63, 0, -8, 1), "malformed"),
        (words(10**8, 2**64, -8, 1), "malformed"),
        (words(10**8, 10**8, -8, 1), "confidence_out_of_bounds"),
        (words(10**8, 1, -40, 1), "exponent_out_of_bounds"),
        (words(10**8, 1, 2**31, 1), "malformed"),
        (words(10**8, 1, -8, 0), "time_out_of_bounds"),
    ):
        assert code(parse_pyth_price, wrong) == why
    assert price_call("ab" * 32).hex() == "96834ad3" + "ab" * 32


def test_what_an_aggregator_is() -> None:
    assert parse_decimals(words(8)) == 8
    assert code(parse_decimals, words(19)) == "exponent_out_of_bounds"
    assert code(parse_decimals, b"") == "truncated"
    text = words(32, 9) + b"ETH / USD".ljust(32, b"\0")
    assert parse_text(text) == "ETH / USD"
    assert parse_text(words(32, 0)) == ""
    for wrong, why in (
        (text[:40], "truncated"),
        (text + b"\0", "malformed"),
        (words(64, 9) + bytes(32), "malformed"),
        (words(32, 2**200) + bytes(32), "malformed"),
        (words(32, 2) + b"\xff\xfe".ljust(32, b"\0"), "malformed"),
    ):
        assert code(parse_text, wrong) == why


def test_an_address_is_written_with_its_checksum() -> None:
    assert (
        checksummed(bytes.fromhex("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"))
        == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    )


def price(feed: str, at: int) -> OraclePrice:
    return OraclePrice(
        oracle="pyth",
        feed=feed,
        base=feed,
        quote="USD",
        price=Decimal(at),
        confidence=Decimal(0),
        published_at_us=at,
        received_at_us=at,
        sequence=at,
        signers=(),
    )


async def _read(outbox: Outbox, count: int) -> list[OracleEvent]:
    told: list[OracleEvent] = []
    async with asyncio.timeout(5), aclosing(outbox.events()) as events:
        async for event in events:
            told.append(event)
            if len(told) == count:
                break
    return told


async def test_a_slow_reader_gets_the_newest_price_and_every_loss_before_it() -> None:
    outbox = Outbox({"ETH": "pyth", "BTC": "pyth"})
    for at in (1, 2, 3, 2, 3):
        outbox.tell(price("ETH", at))
    outbox.tell(price("BTC", 1))
    assert outbox.overlooked == 2
    assert [event.sequence for event in await _read(outbox, 2) if isinstance(event, OraclePrice)] == [3, 1]
    outbox.tell(price("ETH", 4))
    outbox.lose("silent: for so long", ["ETH"])
    outbox.lose("silent: for longer", ["ETH"])
    outbox.tell(price("ETH", 4))
    lost, again = await _read(outbox, 2)
    assert isinstance(lost, OracleLost)
    assert (lost.feed, lost.reason) == ("ETH", "silent: for so long")
    assert again == price("ETH", 4), "what was lost is told again when it stands again"
    assert outbox.believed == {"ETH", "BTC"}
    outbox.lose("no answer: TimeoutError")
    outbox.lose("HTTP 503: it fails")
    told = await _read(outbox, 2)
    assert {(event.feed, getattr(event, "reason", "")) for event in told} == {
        ("ETH", "HTTP 503: it fails"),
        ("BTC", "HTTP 503: it fails"),
    }
    assert outbox.believed == frozenset()
    outbox.tell(price("ETH", 3))
    assert outbox.believed == frozenset(), "an older price restores nothing"


async def test_a_price_from_before_a_loss_is_never_told_after_it() -> None:
    outbox = Outbox({"ETH": "pyth", "BTC": "pyth"})
    outbox.tell(price("ETH", 1))
    outbox.lose("no answer: ClientPayloadError", ["ETH"])
    outbox.tell(price("BTC", 1))
    lost, other = await _read(outbox, 2)
    assert isinstance(lost, OracleLost)
    assert other == price("BTC", 1)
    outbox.tell(price("ETH", 2))
    assert await _read(outbox, 1) == [price("ETH", 2)]
