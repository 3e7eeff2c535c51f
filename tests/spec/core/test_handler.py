"""The handler decides ahead of its commits: gapless, joined, remembered only when it is right to."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from commands import handler as handler_room
from commands.envelope import Command, Envelope, Outcome, Reply, command
from commands.handler import Closed, Decision, Handler, remembered, reply
from commands.process import Record
from domain.book import Book
from domain.chain import GENESIS
from domain.event import Event
from domain.ids import natural_id
from domain.limits import CONTROLS
from domain.log import Head
from domain.quantity import num
from domain.refusal import SEVERE, TRANSIENT, Broken, Reason
from domain.watch import DependencyDegraded, DependencyRestored
from tests.support.desk import Desk, as_read, reason, tags
from tests.support.given import BENEFACTOR, START_US, a_policy


def an_envelope(kind: str, body: object, number: int = 1, at_us: int = START_US) -> Envelope:
    return Envelope(
        command_id=natural_id("spec", str(number)),
        kind=kind,
        actor="api",
        body=msgspec.Raw(msgspec.json.encode(body, enc_hook=str)),
        at_us=at_us,
    )


def degraded(name: str, number: int, at_us: int = START_US) -> Envelope:
    return an_envelope("dependency.degraded", {"dependency": name, "text": ""}, number, at_us)


def a_handler() -> Handler:
    return Handler(Book(), Head(3, 10, 20, GENESIS))


def decided(handler: Handler, envelope: Envelope) -> Decision:
    result = handler.offer(envelope)
    assert isinstance(result, Decision)
    return result


def taken(handler: Handler, most: int = 100) -> Closed:
    closed = handler.take(START_US, most)
    assert closed is not None
    return closed


class TestBatches:
    def test_positions_and_sequences_have_no_gaps_whatever_was_decided(self):
        handler = a_handler()
        for number, name in enumerate(("a", "b", "b", "c", "a", "d"), 1):
            decided(handler, degraded(name, number))
        assert handler.waiting == 6
        first, second, third = taken(handler, 2), taken(handler, 3), taken(handler, 100)
        assert handler.take(START_US, 100) is None
        batches = [closed.batch for closed in (first, second, third)]
        assert [(batch.first_position, len(batch.events)) for batch in batches] == [(11, 2), (13, 1), (14, 1)]
        assert [kept.sequence for batch in batches for kept in batch.commands] == [21, 22, 23, 24, 25, 26]
        spans = [(kept.first_position, kept.last_position) for batch in batches for kept in batch.commands]
        assert spans == [(11, 11), (12, 12), (None, None), (13, 13), (None, None), (14, 14)]

    def test_a_batch_without_events_stands_where_the_next_event_will(self):
        handler = a_handler()
        for number, name in enumerate(("a", "a", "b"), 1):
            decided(handler, degraded(name, number))
        assert taken(handler, 1).batch.first_position == 11
        empty = taken(handler, 1)
        assert (empty.batch.first_position, empty.batch.events) == (12, ())
        decided(handler, degraded("b", 9))
        assert taken(handler, 1).batch.first_position == 12
        last = taken(handler, 1)
        assert (last.batch.first_position, last.batch.events) == (13, ())

    def test_each_decision_finds_its_own_events_in_the_batch(self):
        handler = a_handler()
        decisions = [decided(handler, degraded(name, number)) for number, name in enumerate(("a", "a", "b"), 1)]
        closed = taken(handler)
        assert [len(closed.stored(decision)) for decision in decisions] == [1, 0, 1]
        assert closed.stored(decisions[2])[0].state == closed.batch.events[1].state

    def test_versions_count_within_a_stream(self):
        desk = Desk()
        for _ in range(3):
            desk.do("dependency.degraded", {"dependency": "x", "text": ""})
            desk.do("dependency.restored", {"dependency": "x", "text": ""})
        stream = natural_id("dependency", "x")
        assert [event.version for event in desk.stored if event.originator_id == stream] == [1, 2, 3, 4, 5, 6]
        keys = [(event.originator_id, event.version) for event in desk.stored]
        assert len(keys) == len(set(keys))

    def test_the_metadata_says_who_when_and_why(self):
        desk = Desk()
        decision = desk.do("dependency.degraded", {"dependency": "x", "text": ""}, actor="execution")
        metadata = msgspec.json.decode(desk.stored[-1].metadata)
        assert sorted(metadata) == list(metadata)
        assert metadata["actor"] == "execution"
        assert metadata["at"] == metadata["recorded_at"] == "2023-11-14T22:13:20.000000Z"
        assert metadata["command_id"] == str(decision.envelope.command_id)
        assert len(metadata["command_sha256"]) == 64

    def test_time_never_goes_back(self):
        handler = a_handler()
        decided(handler, degraded("a", 1, START_US))
        late = decided(handler, degraded("b", 2, START_US - 5))
        assert late.envelope.at_us == START_US
        assert b'"at_us":1700000000000000' in late.command
        assert Handler(handler.book, Head(1, 2, 2, GENESIS)).at_us == START_US


class TestDuplicates:
    def test_a_duplicate_in_flight_joins_the_first(self):
        handler = a_handler()
        first = decided(handler, degraded("a", 1))
        assert handler.pending(first.envelope.command_id) is first
        assert handler.offer(degraded("a", 1)) is first
        assert handler.waiting == 1
        handler.committed(taken(handler))
        assert handler.pending(first.envelope.command_id) is None

    @pytest.mark.parametrize("other", [degraded("b", 1), an_envelope("dependency.restored", {}, 1)])
    def test_the_same_id_with_another_body_is_refused(self, other: Envelope):
        handler = a_handler()
        decided(handler, degraded("a", 1))
        told = handler.offer(other)
        assert isinstance(told, Reply)
        assert (told.status, told.reason) == ("refused", "COMMAND_ID_REUSED")


class TestMalformed:
    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("no.such", b"{}"),
            ("quote.issue", b""),
            ("quote.issue", b"{"),
            ("quote.issue", b"[]"),
            ("quote.issue", b'{"pair": "WETH/USDe"}'),
            ("quote.issue", b'{"pair":"a","side":"b","kind":"c","benefactor":"","size":1.5}'),
            ("quote.issue", b'{"pair":"a","side":"b","kind":"c","benefactor":"","size":true}'),
            ("quote.issue", b'{"pair":"a","side":"b","kind":"c","benefactor":"","size":"NaN"}'),
            ("quote.issue", b'{"pair":"a","side":"b","kind":"c","benefactor":"","size":"-Infinity"}'),
            ("quote.issue", b'{"pair":"a","side":"b","kind":"c","benefactor":"","size":"one"}'),
            ("quote.issue", b'{"pair":"a","side":"b","kind":"c","benefactor":"","size":"1e999999"}'),
            ("quote.issue", b'{"pair":"a","side":"b","kind":"c","benefactor":"","size":"1e-41"}'),
            ("quote.issue", b'{"pair":"a","side":"b","kind":"c","benefactor":"","size":"' + b"9" * 61 + b'"}'),
            ("quote.issue", b'{"pair":"a","side":"b","kind":"c","benefactor":"","size":"' + b"0" * 200 + b'"}'),
            ("quote.issue", b'{"pair":"a","side":"b","kind":"c","benefactor":"","size":' + b"9" * 5_000 + b"}"),
            ("quote.issue", b'{"pair":"\\ud800","side":"b","kind":"c","benefactor":"","size":"1"}'),
            ("quote.issue", b'{"pair":"\xff","side":"b","kind":"c","benefactor":"","size":"1"}'),
            ("quote.issue", b'{"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
            ("hedge.continue", b'{"hedge_id":"not an id"}'),
            ("fill.recorded", b'{"side":"hold"}'),
        ],
    )
    def test_what_cannot_be_read_is_answered_and_leaves_no_trace(self, kind: str, body: bytes):
        handler = a_handler()
        envelope = Envelope(command_id=UUID(int=1), kind=kind, actor="api", body=msgspec.Raw(body), at_us=START_US)
        told = handler.offer(envelope)
        assert isinstance(told, Reply)
        assert told.status == "malformed"
        assert told.text
        assert (handler.waiting, handler.position, handler.sequence, handler.at_us) == (0, 10, 20, 0)


class TestRefusals:
    def test_a_refusal_is_kept_and_remembered(self):
        desk = Desk()
        refused = desk.quote(pair="DOGE/USDe")
        kept = desk.closed[-1].batch.commands[-1]
        assert not refused.transient
        assert kept.command_id == refused.envelope.command_id
        assert msgspec.json.decode(kept.outcome)["reason"] == "PAIR_UNSUPPORTED"
        assert (kept.first_position, kept.last_position) == (None, None)

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (lambda desk: desk.change_mode("HALTED"), "HALTED"),
            (lambda desk: desk.change_mode("REDUCE_ONLY"), "REDUCE_ONLY"),
            (lambda desk: desk.do("dependency.degraded", {"dependency": "binanceusdm", "text": ""}), "DEPENDENCY_LOST"),
            (lambda desk: desk.remove_limit("order_notional"), "LIMIT_MISSING"),
            (lambda desk: setattr(desk.book, "policy", None), "POLICY_MISSING"),
        ],
    )
    def test_a_transient_refusal_is_kept_but_not_remembered(self, wrong: Any, told: str):
        desk = Desk()
        wrong(desk)
        body = {"pair": "WETH/USDe", "side": "MINT", "kind": "ALGO", "size": "1", "benefactor": BENEFACTOR}
        command_id = natural_id("the same")
        first = desk.do("quote.issue", body, command_id=command_id)
        second = desk.do("quote.issue", body, command_id=command_id)
        assert (reason(first), reason(second)) == (told, told)
        assert Reason[told] in TRANSIENT
        kept = {desk.closed[-1].batch.commands[-1].command_id, desk.closed[-2].batch.commands[-1].command_id}
        assert len(kept) == 2
        assert command_id not in kept

    def test_refused_wakes_are_never_remembered(self):
        desk = Desk()
        desk.accept(desk.quote("1.5"))
        desk.trade(desk.order(), "1")
        desk.evidence = ()
        (refused,) = desk.wake(250)
        assert reason(refused) == "REFERENCE_MISSING"
        assert refused.transient


class TestSevereControls:
    def test_they_tell_of_themselves_at_most_once_a_second_per_control(self):
        desk = Desk()
        desk.set_limit("order_notional", "1")
        told = [tags(desk.quote("1.5").events) for _ in range(3)]
        assert told == [["control.refused"], [], []]
        desk.now_us += 999_999
        assert desk.quote("1.5").events == ()
        desk.now_us += 1
        (event,) = desk.quote("1.5").events
        refused: Any = event
        assert (refused.control, refused.scope, refused.limit, refused.value) == (
            "order_notional",
            "global",
            "1",
            "3000",
        )
        assert (refused.command_kind, refused.actor) == ("quote.issue", "api")

    def test_each_control_for_itself(self):
        desk = Desk()
        desk.set_limit("order_notional", "1")
        assert tags(desk.quote("1.5").events) == ["control.refused"]
        desk.remove_limit("quote_age")
        assert tags(desk.quote("1.5").events) == ["control.refused"]

    def test_the_others_do_not(self):
        desk = Desk()
        assert desk.quote(pair="DOGE/USDe").events == ()
        capacity = {Reason.MINT_CAPACITY, Reason.REDEEM_CAPACITY}
        data = {Reason.REFERENCE_STALE, Reason.REFERENCE_MISSING, Reason.ASSET_DEPEGGED}
        controls = {spec.reason for spec in CONTROLS.values()}
        own = {Reason.LIMIT_MISSING, Reason.CONTROL_LATCHED, Reason.VALUE_UNKNOWN}
        assert own | controls - capacity - data == SEVERE


class TestReplies:
    def test_the_answer_from_memory_and_from_the_log_are_the_same(self):
        desk = Desk()
        decision = desk.accept(desk.quote("1.5"))
        closed = desk.closed[-1]
        direct = reply(decision, closed.stored(decision))
        stored = as_read(closed.stored(decision), decision.first_position)
        later = remembered(decision.envelope.command_id, closed.batch.commands[0], stored)
        assert direct == later
        assert direct.position == decision.last_position
        assert [view.position for view in direct.events] == list(
            range(decision.first_position, decision.last_position + 1)
        )

    def test_a_refusal_names_its_control(self):
        desk = Desk()
        desk.set_limit("order_notional", "1")
        decision = desk.quote("1.5")
        told = reply(decision, ())
        assert (told.status, told.reason, told.control, told.limit, told.value) == (
            "refused",
            "ORDER_NOTIONAL",
            "order_notional",
            "1",
            "3000",
        )
        again = remembered(decision.envelope.command_id, desk.closed[-1].batch.commands[0], ())
        assert (again.reason, again.text) == (told.reason, told.text)


class TestBroken:
    def test_processes_that_feed_each_other_are_stopped(self, monkeypatch: pytest.MonkeyPatch):
        def lose(_book: Book, event: Any, _at_us: int) -> tuple[Record, ...]:
            return (Record(DependencyDegraded(dependency=event.dependency, text="")),)

        def restore(_book: Book, event: Any, _at_us: int) -> tuple[Record, ...]:
            return (Record(DependencyRestored(dependency=event.dependency, text="")),)

        reactions: dict[type[Event], Any] = {DependencyDegraded: (restore,), DependencyRestored: (lose,)}
        monkeypatch.setattr(handler_room, "REACTIONS", reactions)
        with pytest.raises(Broken, match="more than 512 events"):
            a_handler().offer(degraded("a", 1))

    def test_an_event_the_book_does_not_know_stops_the_fold(self):
        class Unheard(Event, frozen=True, kw_only=True, tag="unheard.of.v1"):
            @property
            def originator(self) -> UUID:
                return UUID(int=1)

        handler = a_handler()
        with pytest.raises(TypeError, match="does not know Unheard"):
            handler.replay(Unheard(), 11, START_US)

    def test_a_gap_in_the_log_stops_the_replay(self):
        with pytest.raises(Broken, match="from position 10 to 12"):
            a_handler().replay(DependencyDegraded(dependency="a", text=""), 12, START_US)


def test_a_kind_of_command_is_registered_once():
    with pytest.raises(TypeError, match="two commands are called"):

        @command("quote.issue")
        class Again(Command, frozen=True, kw_only=True):
            pass


def test_an_outcome_leaves_out_what_it_does_not_say():
    assert msgspec.json.encode(Outcome(status="accepted")) == b'{"status":"accepted"}'


def test_a_policy_goes_through_its_command_unchanged():
    policy = a_policy(gas=num("0.1"))
    assert Desk(policy=policy).book.policy == policy
