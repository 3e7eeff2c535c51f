import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.nats import trace
from adapters.nats.delivery import sequences
from adapters.nats.event_frames import EventFrames
from adapters.nats.failures import Unpublishable
from adapters.nats.frames import escape_token, unescape_token
from adapters.nats.inbox import checked_key
from adapters.nats.streams import checked_prefix, stream_name
from tests.support.bus import event

HEADER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_traceparent_is_read_and_written_back():
    context = trace.parse(HEADER)
    assert context is not None
    assert context.header() == HEADER
    child = context.child(bytes(range(8)))
    assert child.trace_id == context.trace_id
    assert child.header() == "00-4bf92f3577b34da6a3ce929d0e0e4736-0001020304050607-01"


def test_a_later_version_is_read_by_its_known_part():
    assert trace.parse(HEADER.replace("00-4bf", "01-4bf") + "-more") is not None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "x",
        HEADER + "-more",
        "ff" + HEADER[2:],
        HEADER.upper(),
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        HEADER[:-1],
    ],
)
def test_what_is_no_traceparent_restarts_the_trace(header: str | None):
    assert trace.parse(header) is None


def test_a_trace_starts_from_enough_bytes():
    assert trace.parse(trace.start(bytes(range(24))).header()) is not None
    for seed in (bytes(24), bytes(range(23)), b"x" * 16 + bytes(8)):
        with pytest.raises(ValueError, match="not zero"):
            trace.start(seed)


@given(st.text(min_size=1).filter(lambda text: "%" not in text and text.isprintable()))
def test_any_symbol_becomes_one_token_and_comes_back(text: str):
    token = escape_token(text)
    assert not set(token) & set(". *>\t\r\n")
    assert unescape_token(token) == text


def test_usual_symbols_stay_readable():
    assert escape_token("ETH/USDT:USDT") == "ETH/USDT:USDT"
    assert escape_token("A.B *>") == "A%2EB%20%2A%3E"


def test_streams_of_another_book_carry_its_name():
    assert stream_name("ballast", "EVENTS") == "EVENTS"
    assert stream_name("t3f9a", "INBOX") == "T3F9A_INBOX"
    for bad in ("", "a.b", "A", "a b", "9a", "a" * 33, ">", "*"):
        with pytest.raises(ValueError, match="prefix"):
            checked_prefix(bad)


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "ü", "x" * 257])
def test_a_natural_key_stands_in_a_header(key: str):
    with pytest.raises(ValueError, match="natural key"):
        checked_key(key)


def test_acknowledgement_subjects_of_both_forms_are_read():
    assert sequences("$JS.ACK.EV.t1.2.195.7.1795355726941615234.5") == (195, 7, 2)
    assert sequences("$JS.ACK.domain.hash.EV.t1.2.195.7.1795355726941615234.5") == (195, 7, 2)
    with pytest.raises(ValueError, match="acknowledgement"):
        sequences("_INBOX.x.y")


def test_an_event_no_message_can_carry_is_refused():
    frames = EventFrames("ballast")
    assert frames.subject("fill.recorded.v1") == b"ballast.events.fill.recorded"
    assert frames.subject("fill.recorded.v12") == b"ballast.events.fill.recorded"
    for topic in ("Fill", "fill.recorded", "fill.recorded.v", "a b.c.v1", "fill.>.v1", "module:Class.Name"):
        with pytest.raises(Unpublishable, match="topic"):
            frames.subject(topic)
    with pytest.raises(Unpublishable, match="larger"):
        frames.build(1, event(1, size=2000), 2000)


def test_the_trace_of_an_event_goes_along():
    frames = EventFrames("ballast", lambda metadata: HEADER if b'"at":1' in metadata else None)
    assert b"\r\ntraceparent: " + HEADER.encode() in frames.build(1, event(1), 10_000)
    assert b"traceparent" not in frames.build(2, event(2), 10_000)
