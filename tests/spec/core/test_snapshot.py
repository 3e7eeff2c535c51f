"""A Book goes into a snapshot and comes back the same, whatever it holds."""

from domain.book import Book
from domain.codec import decoder, encode_state, schema_fingerprint
from tests.support.desk import Desk


def test_a_book_with_streams_nonces_and_timers_survives_its_snapshot() -> None:
    desk = Desk()
    desk.accept(desk.quote("1.5"))
    order = next(iter(desk.book.orders.values())).order
    desk.acknowledge(order, filled="0.5")
    desk.fill(order, "0.5")
    assert desk.book.versions
    assert desk.book.nonces
    assert desk.book.wakes
    assert decoder(Book).decode(encode_state(desk.book)) == desk.book


def test_the_shape_of_a_snapshot_has_a_name() -> None:
    assert len(schema_fingerprint(Book)) == 32
