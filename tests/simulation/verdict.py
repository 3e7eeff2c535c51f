"""The verdict over a world at rest: what the log, the Book, the venue, the chain and EVENTS must agree on."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from api.replica import SNAPSHOT_NAME, recorded_us
from commands.envelope import Envelope
from commands.handler import Decision, Handler
from domain.book import Book
from domain.chain import GENESIS, chain_hash
from domain.codec import decode_event, decoder, encode, encode_state
from domain.log import Head
from domain.quantity import ZERO
from domain.request import RequestCompleted
from tests.simulation.auditor import UNDERLYING
from tests.simulation.faults import Plan
from tests.simulation.model_contract import SENDER
from tests.simulation.readers import wrong_views
from tests.simulation.relay import METADATA, TOPIC
from tests.simulation.world import CARRIED_MAX, SYMBOL, Parts, World, expected, small_bounds

_ENVELOPE = decoder(Envelope)


class Result(msgspec.Struct, frozen=True):
    """Hold what one world came to."""

    plan: Plan
    violations: tuple[str, ...]
    fired: tuple[str, ...]
    log: bytes
    events: int
    steps: int
    virtual_s: float
    world: Any

    def timeline(self, last: int | None = None) -> str:
        """Return what happened, one line each; only the last ones if asked."""
        return self.world.sim.timeline.render(last)

    @property
    def rules(self) -> frozenset[str]:
        """Return the names of the rules that were broken."""
        return frozenset(text.partition(":")[0] for text in self.violations)


def simulate(plan: Plan, parts: Parts | None = None) -> Result:
    """Run one world to its end and judge it."""
    world = World(plan, parts)
    loop = world.sim.loop
    try:
        with small_bounds():
            asyncio.set_event_loop(None)
            loop.run_until_complete(world.run())
            if not world.auditor.violations:
                judge(world)
    finally:
        loop.close()
    for process, error in world.supervisor.exits:
        world.auditor.check(expected(error), "a process ends only for a known reason", process, repr(error))
    for context in loop.unhandled:
        world.auditor.check(False, "nothing goes unhandled", context.get("message"), repr(context.get("exception")))
    return Result(
        plan,
        tuple(f"{violation.rule}: {violation.text}" for violation in world.auditor.violations),
        tuple(world.sim.faults.fired),
        log_bytes(world),
        len(world.store.events),
        loop.steps,
        loop.now_us / 1e6,
        world,
    )


def log_bytes(world: World) -> bytes:
    """Return everything durable as bytes, to compare worlds by."""
    store = world.store
    return b"\n".join(
        [encode(each) for each in store.commands]
        + [event.chain_hash + event.state + event.metadata for event in store.events]
    )


def judge(world: World) -> None:
    """Hold every invariant of a world at rest."""
    _log_is_whole(world)
    _books_agree(world)
    _history_decides_again(world)
    _truth_is_known(world)
    _requests_ended(world)
    _events_equal_the_log(world)
    if world.plan.readers:
        wrong = wrong_views(world.store.events, world.tables)
        world.auditor.check(not wrong, "a read model is a fold of the log", wrong)


def _log_is_whole(world: World) -> None:
    check = world.auditor.check
    versions: dict[UUID, int] = {}
    previous, at_us = GENESIS, 0
    for number, event in enumerate(world.store.events, 1):
        check(event.position == number, "positions have no gaps", number)
        version = versions.get(event.originator_id, 0) + 1
        check(event.version == version, "versions have no gaps", number, event.version, version)
        versions[event.originator_id] = version
        previous = chain_hash(
            previous, number, event.originator_id, event.version, event.topic, event.state, event.metadata
        )
        check(event.chain_hash == previous, "the chain verifies", number)
        now_us = recorded_us(event)
        check(now_us >= at_us, "time never goes back in the log", number)
        at_us = now_us
    for number, kept in enumerate(world.store.commands, 1):
        check(kept.sequence == number, "sequences have no gaps", number)


def timeless(book: Book) -> bytes:
    """Encode a Book without its timers: a replay arms again what was fired, and looks it up then."""
    plain = msgspec.json.decode(encode_state(msgspec.structs.replace(book, wakes={})))
    return msgspec.json.encode(plain, order="sorted")


def _books_agree(world: World) -> None:
    check = world.auditor.check
    handler = replayed(world)
    truth = timeless(handler.book)
    core = world.core
    check(core is not None and timeless(core.handler.book) == truth, "a replay gives the live Book")
    check(timeless(world.auditor.book) == truth, "a fold gives the live Book")
    for name, replica in world.replicas.items():
        check(timeless(replica.book) == truth, "a replica is the live Book", name)
    kept = world.store.snapshots.get(SNAPSHOT_NAME, [])
    for snapshot in kept:
        handler = Handler(decoder(Book).decode(snapshot.state), Head(0, snapshot.position, 0, GENESIS))
        for event in world.store.events[snapshot.position :]:
            handler.replay(decode_event(event.topic, event.state), event.position, recorded_us(event))
        check(timeless(handler.book) == truth, "a snapshot and what follows give the live Book", snapshot.position)


def replayed(world: World) -> Handler:
    """Return a handler that folded the whole log."""
    handler = Handler(Book(), Head(0, 0, 0, GENESIS))
    for event in world.store.events:
        handler.replay(decode_event(event.topic, event.state), event.position, recorded_us(event))
    return handler


def _history_decides_again(world: World) -> None:
    check, store = world.auditor.check, world.store
    handler = Handler(Book(), Head(0, 0, 0, GENESIS))
    for kept in store.commands:
        decision = handler.offer(_ENVELOPE.decode(kept.command))
        if not isinstance(decision, Decision):
            check(False, "a kept command can be decided again", kept.kind)
            return
        first = kept.first_position
        stored = store.events[first - 1 : kept.last_position] if first is not None else []
        closed = handler.take(stored[0].recorded_at_us if stored else 0, 1)
        assert closed is not None
        again = closed.batch
        check(again.commands == (kept,), "history decides the same again", kept.sequence, kept.kind)
        written = [(each.originator_id, each.version, each.topic, each.state, each.metadata) for each in again.events]
        before = [(each.originator_id, each.version, each.topic, each.state, each.metadata) for each in stored]
        check(written == before, "history writes the same again", kept.sequence, kept.kind)
        handler.committed(closed)


def _truth_is_known(world: World) -> None:
    check, book = world.auditor.check, world.auditor.book
    for name, venue in world.venues.items():
        fills = {fill.fill_key: fill for fill in venue.fills}
        total = sum((fill.quantity if fill.side == "buy" else -fill.quantity for fill in fills.values()), Decimal(0))
        here = [position for position in book.positions.values() if position.venue == name]
        held = sum((position.quantity for position in here), Decimal(0))
        check(held == total == venue.positions.get(SYMBOL, Decimal(0)), "position is the sum of unique fills", name)
        count = sum(position.fills for position in here)
        check(count == len(fills), "every fill is recorded", name, count, len(fills))
        check(all(not placed.open for placed in venue.orders), "no order is left at the venue", name)
    carried = abs(book.carry.get(UNDERLYING, ZERO))
    check(carried <= CARRIED_MAX, "every surprise and every rest is traded again", carried)
    backing = {asset: atoms for asset, atoms in book.backing.items() if atoms}
    custody = {asset: atoms for asset, atoms in world.chain.custody.items() if atoms}
    check(backing == custody, "backing is what custody holds", backing, custody)
    check(book.issued == world.chain.supply, "issued is what is out", book.issued, world.chain.supply)
    used = world.chain.final.state.nonces.get(SENDER, 0)
    for transaction in world.auditor.transactions.values():
        check(transaction.nonce < used, "no nonce is left open", transaction)


def _requests_ended(world: World) -> None:
    auditor = world.auditor
    settled = world.chain.state.settled
    for request_id, end in auditor.ended.items():
        done, order_id = end == RequestCompleted.TOPIC, auditor.accepted[request_id].order_id
        auditor.check(done == (order_id in settled), "a request is completed just when the chain settled it", order_id)
    open_ = auditor.accepted.keys() - auditor.ended.keys()
    auditor.check(not open_, "every accepted request ends", sorted(open_))
    for name in ("requests", "hedges", "orders", "settlements", "client_orders", "venue_orders"):
        auditor.check(not getattr(auditor.book, name), "nothing is left open", name)


def _events_equal_the_log(world: World) -> None:
    check, stream, logged = world.auditor.check, world.events, world.store.events
    check(stream.exists and stream.last == len(logged), "EVENTS ends where the log does", stream.last, len(logged))
    for message, event in zip(stream.messages, logged[stream.first - 1 :], strict=False):
        same = (message.sequence, message.body, message.headers[TOPIC], message.headers[METADATA].encode()) == (
            event.position,
            event.state,
            event.topic,
            event.metadata,
        )
        check(same and message.message_id == str(event.position), "EVENTS equals the log", message.sequence)
