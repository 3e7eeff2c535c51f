"""Whatever comes through a door, the handler answers: decided, refused or malformed, never fallen over."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.dispatch import INTERNAL
from commands.envelope import COMMANDS, Envelope, Reply
from commands.handler import Decision
from domain.book import Book
from domain.codec import decode_event, decoder, encode, encode_state
from domain.refusal import Reason
from tests.property.shapes import values
from tests.support.desk import Desk
from tests.support.given import BENEFACTOR, START_US, USDT, WETH, a_book, agreeing

KINDS = sorted(set(COMMANDS) - INTERNAL)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def busy_desk() -> Desk:
    """Return a desk with a quote, a request, an order that works and a settlement that is open."""
    desk = Desk()
    desk.held()
    desk.accept(desk.quote("2"), nonce=1)
    desk.trade(desk.order(), "2")
    desk.accept(desk.quote("1.5"), nonce=2)
    desk.quote("1")
    return desk


BUSY = encode_state(busy_desk().book)
_WITH_IDS = busy_desk()
# What fits: without it hardly any drawn command would meet what is open.
KNOWN: dict[str, list[Any]] = {
    "pair": ["WETH/USDe", "usdt/usde"],
    "side": ["MINT", "REDEEM", "buy", "sell"],
    "order_type": ["MINT", "REDEEM"],
    "benefactor": [BENEFACTOR],
    "beneficiary": [BENEFACTOR],
    "signer": [BENEFACTOR],
    "collateral_asset": [WETH, USDT],
    "order_id": [*_WITH_IDS.book.orders, *(f"RFQ-{quote}" for quote in _WITH_IDS.book.quotes)],
    "settlement_id": list(_WITH_IDS.book.settlements),
    "client_order_id": list(_WITH_IDS.book.client_orders),
    "attempt": [1],
    "venue": ["binanceusdm"],
    "account": ["main"],
    "symbol": ["ETH/USDT:USDT"],
    "control": ["order_notional", "net_delta", "price_collar", "quote_age"],
    "scope": ["global", "asset:ETH", "pair:WETH/USDe", "venue:binanceusdm"],
    "mode": ["ACTIVE", "REDUCE_ONLY", "HALTED"],
    "terminal": [True],
}


def offered(kind: str, body: bytes, actor: str) -> Decision | Reply:
    desk = Desk()
    desk.handler.book = decoder(Book).decode(BUSY)
    envelope = Envelope(
        command_id=UUID(int=77),
        kind=kind,
        actor=actor,
        body=msgspec.Raw(body),
        at_us=START_US,
        evidence=(a_book(),),
        witnesses=agreeing(a_book()),
    )
    result = desk.handler.offer(envelope)
    if isinstance(result, Decision):
        assert result.outcome.status in {"accepted", "refused"}
        assert result.outcome.reason == "" or result.outcome.reason in Reason.__members__
        closed = desk.handler.take(START_US, 100)
        assert closed is not None
        for event in closed.stored(result):
            assert encode(decode_event(event.topic, event.state)) == event.state
        assert decoder(Book).decode(encode_state(desk.handler.book)) == desk.handler.book
    else:
        assert result.status == "malformed"
    return result


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_command_of_the_right_shape_is_decided_whatever_it_says(kind: str, data: st.DataObject):
    command = data.draw(values(COMMANDS[kind]))
    document: dict[str, Any] = msgspec.json.decode(encode(command))
    for name in document:
        if name in KNOWN and data.draw(st.booleans(), label=name):
            document[name] = data.draw(st.sampled_from(KNOWN[name]))
    actor = data.draw(st.sampled_from(["system", "ada", ""]))
    offered(kind, msgspec.json.encode(document, enc_hook=str), actor)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_any_other_document_is_malformed_or_decided(kind: str, data: st.DataObject):
    document: dict[str, Any] = {
        field.name: data.draw(JSON | st.sampled_from(KNOWN.get(field.name, [""])))
        for field in msgspec.structs.fields(COMMANDS[kind])
    }
    offered(kind, msgspec.json.encode(document, enc_hook=str), "ada")


@given(st.sampled_from(KINDS), st.binary(max_size=60))
def test_any_bytes_are_malformed(kind: str, body: bytes):
    assert isinstance(offered(kind, body, "ada"), Reply)
