"""What every EventLog does, whoever implements it: run against Postgres and against the log in memory.

Subclass EventLogContract as `Test…` and give it `run`, which calls a scenario with a factory of ports onto one fresh
log and waits for it, in whatever event loop the implementation lives.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID, uuid5

import pytest

from commands.ports import AppendFailed, EventLog, Fenced
from domain.chain import GENESIS, chain_hash
from domain.log import Batch, Head, KeptCommand, NewEvent, Snapshot, StoredEvent

OpenLog = Callable[[], EventLog]
Scenario = Callable[[OpenLog], Coroutine[Any, Any, None]]

SPACE = UUID(int=0xBA11A57)
AT_US = 1_700_000_000_123_456


def originator(number: int) -> UUID:
    return uuid5(SPACE, f"originator {number}")


def command_id(sequence: int) -> UUID:
    return uuid5(SPACE, f"command {sequence}")


def new_event(number: int, version: int = 1, command: UUID | None = None, state: bytes = b"{}") -> NewEvent:
    return NewEvent(
        originator_id=originator(number),
        version=version,
        topic="tried.v1",
        state=state,
        metadata=b'{"n":%d}' % number,
        command_id=command or command_id(number),
    )


def kept(sequence: int, first: int | None = None, last: int | None = None) -> KeptCommand:
    return KeptCommand(
        command_id=command_id(sequence),
        sequence=sequence,
        kind="try",
        command=b'{"sequence":%d}' % sequence,
        outcome=b"\x00\xff",
        first_position=first,
        last_position=last,
    )


def batch(position: int, sequence: int, size: int = 1) -> Batch:
    """Make a batch of `size` commands with one event of an originator of its own each."""
    return Batch(
        first_position=position,
        events=tuple(new_event(position + each, command=command_id(sequence + each)) for each in range(size)),
        commands=tuple(kept(sequence + each, position + each, position + each) for each in range(size)),
        recorded_at_us=AT_US + position,
    )


async def failing(*outcomes: Any) -> list[type[BaseException] | None]:
    """Wait for all, and say how each ended."""
    ends = await asyncio.gather(*outcomes, return_exceptions=True)
    return [type(end) if isinstance(end, BaseException) else None for end in ends]


def require_chained(events: Sequence[StoredEvent], before: bytes = GENESIS) -> None:
    for event in events:
        before = chain_hash(
            before, event.position, event.originator_id, event.version, event.topic, event.state, event.metadata
        )
        assert event.chain_hash == before


class EventLogContract:
    """The tests. `run` is the subclass's."""

    def run(self, scenario: Scenario) -> None:
        raise NotImplementedError

    def test_an_empty_log_starts_at_nothing(self) -> None:
        async def scenario(open_log: OpenLog) -> None:
            log = open_log()
            head = await log.take_over()
            assert head == Head(epoch=1, position=0, sequence=0, chain_hash=GENESIS)
            assert list(await log.read(0, 10)) == []
            await log.close()

        self.run(scenario)

    def test_what_was_appended_is_read_back_whole_and_chained(self) -> None:
        async def scenario(open_log: OpenLog) -> None:
            log = open_log()
            await log.take_over()
            await log.append(batch(1, 1, 3))
            await log.append(batch(4, 4))
            events = await log.read(0, 10)
            assert [event.position for event in events] == [1, 2, 3, 4]
            require_chained(events)
            first, written = events[0], batch(1, 1, 3)
            assert (first.originator_id, first.version) == (originator(1), 1)
            assert (first.topic, first.state, first.metadata) == ("tried.v1", b"{}", b'{"n":1}')
            assert (first.command_id, first.recorded_at_us) == (command_id(1), written.recorded_at_us)
            assert [event.position for event in await log.read(1, 2)] == [2, 3]
            await log.close()

        self.run(scenario)

    def test_commands_are_kept_with_and_without_events(self) -> None:
        async def scenario(open_log: OpenLog) -> None:
            log = open_log()
            await log.take_over()
            await log.append(batch(1, 1))
            refusal = Batch(first_position=2, events=(), commands=(kept(2),), recorded_at_us=AT_US)
            await log.append(refusal)
            await log.append(batch(2, 3))
            found = await log.outcomes([command_id(1), command_id(2), command_id(99)])
            assert found == {command_id(1): kept(1, 1, 1), command_id(2): kept(2)}
            assert list(await log.commands(0, 2)) == [kept(1, 1, 1), kept(2)]
            assert list(await log.commands(2, 10)) == [kept(3, 2, 2)]
            await log.close()
            head = await open_log().take_over()
            assert (head.position, head.sequence) == (2, 3)

        self.run(scenario)

    def test_appends_offered_at_once_commit_in_call_order(self) -> None:
        async def scenario(open_log: OpenLog) -> None:
            log = open_log()
            await log.take_over()
            done: list[int] = []

            async def follow(number: int, durable: Any) -> None:
                await durable
                done.append(number)

            await asyncio.gather(*(follow(each, log.append(batch(each, each))) for each in range(1, 41)))
            assert done == sorted(done)
            require_chained(await log.read(0, 100))
            await log.close()

        self.run(scenario)

    def test_a_streams_versions_follow_each_other(self) -> None:
        async def scenario(open_log: OpenLog) -> None:
            log = open_log()
            await log.take_over()
            events = tuple(new_event(7, version) for version in (1, 2, 3))
            await log.append(Batch(first_position=1, events=events, commands=(), recorded_at_us=AT_US))
            again = Batch(first_position=4, events=(new_event(7, 3),), commands=(), recorded_at_us=AT_US)
            after = Batch(first_position=5, events=(new_event(8),), commands=(), recorded_at_us=AT_US)
            for offered in (log.append(again), log.append(after)):
                with pytest.raises(AppendFailed):
                    await offered
            assert [event.version for event in await log.read(0, 10)] == [1, 2, 3]
            await log.close()

        self.run(scenario)

    @pytest.mark.parametrize("wrong", [batch(2, 2), batch(4, 2), batch(3, 4), batch(3, 2)])
    def test_a_batch_that_does_not_follow_fails_and_so_does_every_later_one(self, wrong: Batch) -> None:
        async def scenario(open_log: OpenLog) -> None:
            log = open_log()
            await log.take_over()
            await log.append(batch(1, 1, 2))
            for offered in (wrong, batch(3, 3)):
                with pytest.raises(AppendFailed):
                    await log.append(offered)
            assert len(await log.read(0, 10)) == 2
            # Taking over again reads the head, and the log goes on.
            head = await log.take_over()
            assert (head.epoch, head.position, head.sequence) == (2, 2, 2)
            await log.append(batch(3, 3))
            await log.close()

        self.run(scenario)

    def test_a_command_kept_once_is_not_kept_again(self) -> None:
        async def scenario(open_log: OpenLog) -> None:
            log = open_log()
            await log.take_over()
            await log.append(batch(1, 1))
            repeated = KeptCommand(command_id(1), 2, "try", b"{}", b"{}", 2, 2)
            events = (new_event(50),)
            with pytest.raises(AppendFailed):
                await log.append(Batch(first_position=2, events=events, commands=(repeated,), recorded_at_us=AT_US))
            assert len(await log.read(0, 10)) == 1
            await log.close()

        self.run(scenario)

    def test_an_append_without_a_takeover_fails(self) -> None:
        async def scenario(open_log: OpenLog) -> None:
            log = open_log()
            with pytest.raises(AppendFailed):
                await log.append(batch(1, 1))
            await log.close()

        self.run(scenario)

    def test_of_two_writers_at_most_one_appends(self) -> None:
        async def scenario(open_log: OpenLog) -> None:
            old, new = open_log(), open_log()
            await old.take_over()
            await old.append(batch(1, 1))
            try:
                head = await new.take_over()
            except Fenced:
                await old.append(batch(2, 2))
            else:
                assert (head.epoch, head.position) == (2, 1)
                assert await failing(old.append(batch(2, 2)), old.append(batch(3, 3))) == [Fenced, Fenced]
                await new.append(batch(2, 2))
                require_chained(await new.read(0, 10))
            await old.close()
            await new.close()

        self.run(scenario)

    def test_after_a_close_the_next_writer_goes_on(self) -> None:
        async def scenario(open_log: OpenLog) -> None:
            first, second = open_log(), open_log()
            await first.take_over()
            await first.append(batch(1, 1, 5))
            await first.close()
            await first.close()
            head = await second.take_over()
            assert (head.epoch, head.position, head.sequence) == (2, 5, 5)
            assert head.chain_hash == (await second.read(4, 1))[0].chain_hash
            with pytest.raises((AppendFailed, Fenced)):
                await first.append(batch(6, 6))
            await second.append(batch(6, 6))
            require_chained(await second.read(0, 10))
            await second.close()

        self.run(scenario)

    def test_snapshots_are_kept_by_name_and_schema_the_newest_few(self) -> None:
        async def scenario(open_log: OpenLog) -> None:
            log = open_log()
            await log.take_over()
            assert await log.load_snapshot("book", "s1") is None
            await log.append(batch(1, 1, 9))
            for position in range(1, 9):
                await log.save_snapshot(Snapshot("book", position, position, "s1", b"state %d" % position))
            await log.save_snapshot(Snapshot("other", 2, 2, "s1", b"other"))
            assert await log.load_snapshot("book", "s1") == Snapshot("book", 8, 8, "s1", b"state 8")
            assert await log.load_snapshot("book", "s2") is None
            assert await log.load_snapshot("other", "s1") == Snapshot("other", 2, 2, "s1", b"other")
            await log.close()

        self.run(scenario)
