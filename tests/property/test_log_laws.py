"""Laws of the log: every event survives it, ids follow their causes, and one changed byte shows."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.approval import Approved, approve
from domain.catalogue import EVENTS
from domain.chain import GENESIS, chain_hash
from domain.codec import UPCASTERS, Document, UnknownTopic, decode_event, decoder, encode, schema_fingerprint
from domain.event import Event, catalogued
from domain.ids import client_order_id, derive_id, natural_id
from domain.instant import parse_rfc3339, rfc3339
from domain.quantity import Amount, Num, Price
from tests.property.shapes import TEXTS, values


@pytest.mark.parametrize("tag", sorted(EVENTS))
@given(data=st.data())
def test_every_event_reads_back_as_it_was_and_is_written_the_same(tag: str, data: st.DataObject):
    event: Event = data.draw(values(EVENTS[tag]))
    state = encode(event)
    back = decode_event(tag, state)
    assert back == event
    assert encode(back) == state
    assert isinstance(event.originator, UUID)
    assert back.originator == event.originator


def test_numbers_equal_in_value_are_written_the_same():
    one, two = Amount("WETH", 1), Price("ETH", "USD", Num("1.50"))
    assert encode(two) == encode(Price("ETH", "USD", Num("15e-1"))) == b'{"base":"ETH","quote":"USD","value":"1.5"}'
    assert encode(one) == b'{"asset":"WETH","atoms":1}'
    assert encode(Num("-0.0")) == b'"0"'


def test_what_has_no_exact_form_is_not_written():
    with pytest.raises(NotImplementedError, match="no exact form"):
        encode({"v": object()})
    with pytest.raises(msgspec.ValidationError, match="cannot read Num from float"):
        decoder(Num).decode(b"1.5")


class TestUpcasting:
    def test_an_unknown_tag_stops_the_fold(self):
        with pytest.raises(UnknownTopic, match=r"fill\.invented\.v1"):
            decode_event("fill.invented.v1", b"{}")

    def test_an_old_tag_is_led_through_each_newer_form(self, monkeypatch: pytest.MonkeyPatch):
        def second(document: Document) -> Document:
            return {**document, "dependency": document["name"]}

        def third(document: Document) -> Document:
            return {"dependency": document["dependency"].lower(), "text": "unknown then"}

        monkeypatch.setitem(UPCASTERS, "dependency.degraded.v-1", ("dependency.degraded.v0", second))
        monkeypatch.setitem(UPCASTERS, "dependency.degraded.v0", ("dependency.degraded.v1", third))
        event: Any = decode_event("dependency.degraded.v-1", b'{"name":"VENUE","type":"dependency.degraded.v-1"}')
        assert (event.TOPIC, event.dependency, event.text) == ("dependency.degraded.v1", "venue", "unknown then")


class TestCatalogue:
    def test_a_tag_is_used_once(self):
        with pytest.raises(TypeError, match="needs a tag of its own"):

            @catalogued
            class Again(Event, frozen=True, kw_only=True, tag="fill.recorded.v1"):
                pass

    def test_a_tag_is_a_text(self):
        with pytest.raises(TypeError, match="needs a tag of its own"):

            @catalogued
            class Numbered(Event, frozen=True, kw_only=True, tag=1):
                pass

    def test_an_event_says_its_stream(self):
        class Nameless(Event, frozen=True, kw_only=True, tag="name.less.v1"):
            pass

        with pytest.raises(NotImplementedError):
            _ = Nameless().originator


def test_a_state_of_another_shape_has_another_fingerprint():
    assert schema_fingerprint(Amount) == schema_fingerprint(Amount)
    assert schema_fingerprint(Amount) != schema_fingerprint(Price)
    assert len(schema_fingerprint(Amount)) == 32


def test_an_approval_is_only_made_by_approving():
    approved = approve("an order", UUID(int=1), 5)
    assert (approved.value, approved.intent_id, approved.send_before_us) == ("an order", UUID(int=1), 5)
    with pytest.raises(TypeError, match="made by approve"):
        Approved("an order", UUID(int=1), 5, object())


class TestChain:
    ORIGINATOR = UUID("00112233-4455-6677-8899-aabbccddeeff")
    # Computed by hand with hashlib from the words of the contract, not by the code under test.
    VECTORS = (
        (
            "e3642ca9ba7bb44038e323c035307d6b9c2eb89b2bee3adcc736c0fc102cf4ff",
            (GENESIS, 1, ORIGINATOR, 1, "quote.issued.v1", b"{}", b"{}"),
        ),
        (
            "b268f162f843075cddd7deaa7f6c0cc2b6fa40d4a6ee89aa56eb46299c4bbb29",
            (b"\x01" * 32, 2**63, ORIGINATOR, 2**40, "é.v1", b"\x00\xff", b""),
        ),
        (
            "d762df692db19b234c9005f469ed5988e70178ade07670a47ca674783e9bc1fd",
            (b"\xff" * 32, 0, UUID(int=0), 0, "", b"", b""),
        ),
    )

    @pytest.mark.parametrize(("wanted", "parts"), VECTORS)
    def test_the_hash_is_what_the_contract_says(self, wanted: str, parts: tuple[Any, ...]):
        assert chain_hash(*parts).hex() == wanted

    @given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 39), st.integers(1, 255))
    def test_one_changed_byte_changes_the_hash(self, state: bytes, metadata: bytes, where: int, by: int):
        whole = state + metadata
        if not whole:
            return
        place = where % len(whole)
        changed = bytearray(whole)
        changed[place] ^= by
        before = chain_hash(GENESIS, 1, self.ORIGINATOR, 1, "a.b.v1", state, metadata)
        cut = len(state)
        after = chain_hash(GENESIS, 1, self.ORIGINATOR, 1, "a.b.v1", bytes(changed[:cut]), bytes(changed[cut:]))
        assert before != after

    @given(st.binary(max_size=20), st.integers(0, 19))
    def test_moving_the_border_between_state_and_metadata_changes_it(self, whole: bytes, cut: int):
        one = chain_hash(GENESIS, 1, self.ORIGINATOR, 1, "a.b.v1", whole[:cut], whole[cut:])
        two = chain_hash(GENESIS, 1, self.ORIGINATOR, 1, "a.b.v1", whole, b"")
        assert (one == two) == (cut >= len(whole))


class TestIds:
    def test_they_are_the_same_for_ever(self):
        assert str(natural_id("fill", "binanceusdm", "main")) == "24cd9081-379e-5cd2-80dc-e8795677d2a3"
        assert str(derive_id(UUID(int=1), "hedge")) == "1dfc8147-2e6a-5ea0-9d27-72a4bbff77c4"
        assert client_order_id(UUID(int=1), 1) == "bl26a05bc253e856e19bda5f92caab42"

    @given(st.uuids(), st.integers(1, 10**6))
    def test_a_client_order_id_suits_every_venue(self, order_id: UUID, attempt: int):
        text = client_order_id(order_id, attempt)
        assert len(text) == 32
        assert text.isascii()
        assert text.isalnum()
        assert text == text.lower()
        assert text != client_order_id(order_id, attempt + 1)

    @given(st.lists(TEXTS.filter(lambda text: "\n" not in text), min_size=1, max_size=4), st.integers(0, 3))
    def test_parts_of_a_natural_key_do_not_run_into_each_other(self, parts: list[str], at: int):
        if len(parts) > 1:
            joined = [*parts[: at % len(parts)], "".join(parts[at % len(parts) :])]
            assert (natural_id(*joined) == natural_id(*parts)) == (joined == parts)


class TestInstants:
    @given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
    def test_an_instant_reads_back(self, at_us: int):
        text = rfc3339(at_us)
        assert parse_rfc3339(text) == at_us
        assert (len(text), text[-1]) == (27, "Z")

    @given(st.integers(253_402_300_800_000_000))
    def test_what_lies_beyond_the_calendar_is_written_as_its_end(self, at_us: int):
        assert rfc3339(at_us) == "9999-12-31T23:59:59.999999Z"
        assert rfc3339(-at_us) == "0001-01-01T00:00:00.000000Z"

    def test_an_instant_needs_a_zone_and_any_zone_will_do(self):
        assert parse_rfc3339("2023-11-14T23:13:20+01:00") == 1_700_000_000_000_000
        with pytest.raises(ValueError, match="needs a time zone"):
            parse_rfc3339("2023-11-14T22:13:20")
        with pytest.raises(ValueError, match="Invalid isoformat"):
            parse_rfc3339("yesterday")
