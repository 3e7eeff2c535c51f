"""The log is the state: folded again, from a snapshot or from its start, it gives the same Book."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import pytest

from api.core import restore
from api.replica import SNAPSHOT_NAME, restore_replica
from commands.handler import Handler
from domain.book import Book
from domain.chain import GENESIS
from domain.codec import decode_event, decoder, encode, encode_state, schema_fingerprint
from domain.ids import natural_id
from domain.instant import parse_rfc3339
from domain.log import Batch, Head, KeptCommand, Snapshot, StoredEvent
from domain.refusal import Broken
from tests.support.desk import Desk, as_read, tags
from tests.support.given import a_book


def a_long_day(desk: Desk) -> None:
    """Let everything happen that leaves a trace in the Book."""
    desk.held()
    desk.accept(desk.quote("1000", pair="USDT/USDe"), nonce=9_001)
    desk.confirm()
    desk.accept(desk.quote("1.5"), nonce=1)
    desk.trade(desk.order(), "1", trade="a")
    desk.evidence = ()
    desk.wake(250)
    desk.evidence = (a_book(),)
    desk.wake(250)
    desk.trade(desk.order(), "0.5", trade="b")
    desk.revert()
    desk.change_mode("REDUCE_ONLY")
    desk.wake(250)
    desk.unknown(desk.order())
    desk.do("dependency.degraded", {"dependency": "binanceusdm", "text": "silent"})
    desk.accept(desk.quote("100", pair="USDT/USDe", side="REDEEM"), nonce=1 << 70)
    desk.set_limit("order_notional", "1")
    desk.quote("100", pair="USDT/USDe", side="REDEEM")
    body = {
        "alert_id": UUID(int=1),
        "severity": "info",
        "area": "a",
        "subject": "s",
        "text": "t",
        "cause_position": 1,
    }
    desk.do("alert.raise", body)
    desk.quote("1.25", side="REDEEM")


def at_us(metadata: bytes) -> int:
    return parse_rfc3339(msgspec.json.decode(metadata)["at"])


def replayed(desk: Desk, book: Book, after: int = 0) -> Handler:
    handler = Handler(book, Head(1, after, 0, GENESIS))
    for event in as_read(desk.stored, 1)[after:]:
        handler.replay(decode_event(event.topic, event.state), event.position, at_us(event.metadata))
    return handler


def without_wakes(book: Book) -> bytes:
    """Encode a Book but for its timers: those fired, or refused and armed again, leave no event of their own."""
    return encode_state(msgspec.structs.replace(book, wakes={}))


@pytest.fixture(scope="module")
def desk() -> Desk:
    desk = Desk()
    a_long_day(desk)
    return desk


def test_replay_gives_the_same_book_byte_for_byte(desk: Desk):
    again = replayed(desk, Book())
    assert without_wakes(again.book) == without_wakes(desk.book)
    assert again.position == desk.handler.position
    assert again.at_us == max(at_us(event.metadata) for event in desk.stored)


def test_replay_keeps_every_wake_that_may_still_be_owed(desk: Desk):
    again = replayed(desk, Book())
    assert set(desk.book.wakes) <= set(again.book.wakes)
    # What fired already stands in the log under the wake's command id, or finds its work done.
    decided = {decision.envelope.command_id for closed in desk.closed for decision in closed.decisions}
    for key in set(again.book.wakes) - set(desk.book.wakes):
        assert again.book.wakes[key].command_id in decided


def test_an_event_reads_back_and_is_written_as_the_same_bytes(desk: Desk):
    assert len(desk.stored) > 50
    for event in desk.stored:
        assert encode(decode_event(event.topic, event.state)) == event.state
        assert b"E+" not in event.state
        assert b"E-" not in event.state


def test_a_snapshot_is_the_book_and_goes_on_as_if_nothing_had_been(desk: Desk):
    state = encode_state(desk.book)
    book = decoder(Book).decode(state)
    assert encode_state(book) == state
    assert book == desk.book
    one, two = Desk(), Desk()
    a_long_day(one)
    a_long_day(two)
    two.handler = Handler(decoder(Book).decode(encode_state(two.book)), Head(1, two.handler.position, 0, GENESIS))
    for each in (one, two):
        each.set_limit("order_notional", "90000")
        each.wake(60_000)
        each.trade(each.order(), str(each.order().quantity), trade="c")
        each.wake(60_000)
    assert encode_state(one.book) == encode_state(two.book)
    assert [event.state for event in one.stored] == [event.state for event in two.stored]


def test_a_snapshot_halfway_and_the_rest_of_the_log_give_the_same_book(desk: Desk):
    half = len(desk.stored) // 2
    first = Desk()
    first.closed = []
    handler = Handler(Book(), Head(1, 0, 0, GENESIS))
    for event in as_read(desk.stored, 1)[:half]:
        handler.replay(decode_event(event.topic, event.state), event.position, at_us(event.metadata))
    book = decoder(Book).decode(encode_state(handler.book))
    assert without_wakes(replayed(desk, book, half).book) == without_wakes(desk.book)


def test_two_desks_that_are_told_the_same_write_the_same_log(desk: Desk):
    other = Desk()
    a_long_day(other)
    assert [event.state for event in other.stored] == [event.state for event in desk.stored]
    assert [event.metadata for event in other.stored] == [event.metadata for event in desk.stored]
    kept = [[command for closed in each.closed for command in closed.batch.commands] for each in (desk, other)]
    assert kept[0] == kept[1]


class TinyLog:
    """The `EventLog` port over lists: enough to be read from."""

    def __init__(self, events: Sequence[StoredEvent], *, cut: int | None = None) -> None:
        self.events = list(events)
        self.head = Head(2, len(self.events) if cut is None else cut, 99, GENESIS)
        self.snapshot: Snapshot | None = None
        self.last: tuple[KeptCommand, ...] = ()

    async def take_over(self) -> Head:
        return self.head

    def append(self, batch: Batch) -> Awaitable[None]:
        raise AssertionError(batch)

    async def outcomes(self, command_ids: Sequence[UUID]) -> Mapping[UUID, KeptCommand]:
        raise AssertionError(command_ids)

    async def commands(self, after: int, limit: int) -> Sequence[KeptCommand]:
        assert limit == 1
        return self.last

    async def read(self, after: int, limit: int) -> Sequence[StoredEvent]:
        return self.events[after : after + min(limit, 7)]

    async def load_snapshot(self, name: str, schema: str) -> Snapshot | None:
        held = self.snapshot
        return held if held is not None and (held.name, held.schema) == (name, schema) else None

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    async def close(self) -> None:
        await asyncio.sleep(0)


class TestRestore:
    def log(self, desk: Desk, **how: Any) -> TinyLog:
        return TinyLog(as_read(desk.stored, 1), **how)

    async def test_from_the_start(self, desk: Desk):
        log = self.log(desk)
        handler = await restore(log, log.head)
        assert without_wakes(handler.book) == without_wakes(desk.book)
        assert (handler.position, handler.sequence, handler.epoch) == (len(desk.stored), 99, 2)

    async def test_from_a_snapshot(self, desk: Desk):
        log = self.log(desk)
        half = len(desk.stored) // 2
        log.snapshot = Snapshot(
            SNAPSHOT_NAME,
            half,
            1,
            schema_fingerprint(Book),
            encode_state((await restore(log, Head(1, half, 1, b""))).book),
        )
        log.events[:half] = [msgspec.structs.replace(each, topic="lost.v1") for each in log.events[:half]]
        handler = await restore(log, log.head)
        assert without_wakes(handler.book) == without_wakes(desk.book)

    async def test_time_does_not_go_back_behind_a_snapshot_at_the_end_of_the_log(self, desk: Desk):
        log = self.log(desk)
        log.snapshot = Snapshot(SNAPSHOT_NAME, len(desk.stored), 99, schema_fingerprint(Book), encode_state(desk.book))
        handler = await restore(log, log.head)
        assert handler.at_us == max(at_us(event.metadata) for event in desk.stored)

    async def test_time_does_not_go_back_behind_a_refusal_that_left_no_event(self, desk: Desk):
        log = self.log(desk)
        later_us = desk.now_us + 1_000_000_000
        command = encode({"at_us": later_us, "kind": "quote.issue"})
        log.last = (KeptCommand(natural_id("test", "refused"), 99, "quote.issue", command, b"{}", None, None),)
        assert (await restore(log, log.head)).at_us == later_us

    async def test_a_snapshot_of_another_shape_is_not_read(self, desk: Desk):
        log = self.log(desk)
        log.snapshot = Snapshot(SNAPSHOT_NAME, 5, 1, "another shape", b"")
        assert (await restore(log, log.head)).position == len(desk.stored)

    async def test_a_snapshot_ahead_of_the_log_is_a_log_that_was_cut(self, desk: Desk):
        log = self.log(desk)
        log.snapshot = Snapshot(SNAPSHOT_NAME, len(desk.stored) + 1, 1, schema_fingerprint(Book), encode_state(Book()))
        with pytest.raises(Broken, match="the log was cut"):
            await restore(log, log.head)

    async def test_a_log_that_ends_before_its_head_is_broken(self, desk: Desk):
        log = self.log(desk, cut=len(desk.stored) + 1)
        with pytest.raises(Broken, match="its head says"):
            await restore(log, log.head)

    async def test_a_replica_folds_the_same(self, desk: Desk):
        replica = await restore_replica(self.log(desk))
        assert (replica.position, without_wakes(replica.book)) == (len(desk.stored), without_wakes(desk.book))


class TestWakes:
    def test_a_fired_wake_is_dropped_and_a_refused_one_comes_back_later_each_time(self):
        desk = Desk()
        desk.accept(desk.quote("1.5"))
        desk.trade(desk.order(), "1")
        desk.evidence = ()
        due: list[int] = []
        while len(due) < 12:
            next_us = desk.handler.next_wake_us()
            assert next_us is not None
            due.append((next_us - desk.now_us) // 1_000)
            desk.wake(due[-1])
        assert due == [250, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]
        desk.evidence = (a_book(),)
        desk.wake(30_000)
        assert desk.handler.next_wake_us() is None

    def test_each_try_has_an_id_of_its_own_that_derives_from_its_cause(self):
        desk = Desk()
        desk.accept(desk.quote("1.5"))
        desk.trade(desk.order(), "1")
        desk.evidence = ()
        (first,) = desk.wake(250)
        (second,) = desk.wake(250)
        assert first.envelope.command_id != second.envelope.command_id

    def test_they_go_with_their_subject(self):
        desk = Desk()
        desk.accept(desk.quote("1.5"))
        order = desk.order()
        desk.trade(order, "1")
        assert len(desk.book.wakes) == 1
        (wake,) = desk.handler.due(desk.now_us + 250_000, 10)
        desk.wake(250)
        desk.trade(desk.order(), "0.5", trade="b")
        assert desk.book.wakes == {}
        desk.handler.fired(wake, accepted=False, now_us=desk.now_us, delay_ms=250)
        assert desk.book.wakes == {}

    def test_the_earliest_come_first_and_no_more_than_asked_for(self):
        desk = Desk()
        for nonce in (1, 2, 3):
            desk.accept(desk.quote("1"), nonce=nonce)
            desk.now_us += 1_000
        for number, open_order in enumerate(list(desk.book.orders.values())):
            desk.trade(open_order.order, "0.5", trade=f"t{number}")
            desk.now_us += 1_000
        later = desk.now_us + 1_000_000
        assert [wake.at_us for wake in desk.handler.due(later, 2)] == sorted(
            wake.at_us for wake in desk.book.wakes.values()
        )[:2]

    def test_firing_twice_is_harmless(self):
        desk = Desk()
        desk.accept(desk.quote("1.5"))
        desk.trade(desk.order(), "1")
        (wake,) = desk.handler.due(desk.now_us + 250_000, 10)
        assert "order.attempted" in tags(desk.wake(250)[0].events)
        again = desk.do(wake.kind, msgspec.Raw(wake.body.encode()), command_id=natural_id("again"))
        assert again.events == ()
