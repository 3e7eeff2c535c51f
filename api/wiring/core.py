"""The core's process: the one writer of the book, its doors, and the relay."""

import asyncio
import contextlib
import logging
import math
import time
from pathlib import Path

import msgspec

from adapters.nats.commands import CommandServer
from adapters.nats.inbox_consumer import InboxConsumer
from adapters.nats.relay import Relay, stop_with_tail
from adapters.nats.signals import Signals
from adapters.nats.streams import StreamState
from api.boot import begin
from api.core import Core, restore
from api.doors import CommandDoor, InboxDoor
from api.http.metrics import Registry
from api.market.markets import Markets
from api.numbers import CoreNumbers
from api.risk_watch import RiskWatch
from api.wiring.hearing import hear_markets
from api.wiring.process import Process, beat
from commands.ports import Fenced

RELAY_TAIL_S = 5.0
FENCED_PAUSE_S = 10.0

_log = logging.getLogger("ballast.core")


class _Traced(msgspec.Struct, gc=False):
    trace: str = ""


_TRACE = msgspec.json.Decoder(_Traced)


def _trace_of(metadata: bytes) -> str | None:
    return _TRACE.decode(metadata).trace or None


async def run_core(process: Process) -> None:
    """Be the writer of the book; pause after being fenced, so that two cores do not chase each other."""
    stamp = process.settings.data_dir / "run" / "fenced"
    await _let_the_other_be(await asyncio.to_thread(_age_s, stamp), process.stop)
    if process.stop.is_set():
        return
    try:
        await _run_core(process)
    except* Fenced:
        _log.critical("another core took the book over: this one stops, and does not come back at once")
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
        raise


def _age_s(stamp: Path) -> float:
    """Return how long ago a core was fenced here; for ever, if none was."""
    return time.time() - stamp.stat().st_mtime if stamp.exists() else math.inf


async def _let_the_other_be(fenced_s: float, stop: asyncio.Event) -> None:
    """Wait until the last time a core was fenced here is long enough ago."""
    left_s = FENCED_PAUSE_S - fenced_s
    if left_s <= 0:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(min(left_s, FENCED_PAUSE_S)):
            await stop.wait()


async def _run_core(process: Process) -> None:
    async with process.bus(process.settings.services.nats_core, "core") as bus, process.log() as log:
        head = await log.take_over()
        handler = await restore(log, head)
        markets = Markets()
        await hear_markets(Signals(bus, process.prefix), markets)
        relay = Relay(bus, process.prefix, log, head=head.position, trace_of=_trace_of)
        core = Core(handler, log, process.clock, markets, relay)
        commands, inbox = CommandDoor(core.offer), InboxDoor(core.offer)
        server = CommandServer(bus, process.prefix, commands.receive)
        commands.replies = server
        consumer = InboxConsumer(
            bus,
            process.prefix,
            inbox.receive,
            on_bound=_note_bound,
            on_malformed=lambda subject, reason: inbox.malformed.update((f"{subject}: {reason}"[:80],)),
        )
        inbox.receipts = consumer
        registry = Registry()
        numbers = CoreNumbers(registry, core, relay, log, (commands, inbox), (server, consumer))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(core.run())
            relaying = tasks.create_task(relay.run())
            await begin(core, process.settings)
            await server.start()
            others = [
                tasks.create_task(consumer.run()),
                tasks.create_task(server.until_failed()),
                tasks.create_task(beat(process, bus, "core", registry, numbers.gather)),
                tasks.create_task(RiskWatch(core, markets, process.clock).run()),
            ]
            process.ready()
            await process.stop.wait()
            await server.stop()
            core.stop()
            await running
            await stop_with_tail(relay, core.committed_position, RELAY_TAIL_S)
            for task in (*others, relaying):
                task.cancel()


def _note_bound(_state: StreamState) -> None:
    """Need nothing: the sources patrol what stays open, and so ask again by themselves."""
