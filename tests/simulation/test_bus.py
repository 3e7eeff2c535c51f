"""The bus in memory keeps its server's promises, and breaks messages only as its faults say."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.simulation.bus import NoResponders, Request, Requests
from tests.simulation.faults import Plan
from tests.simulation.loop import Process
from tests.simulation.sim import Sim
from tests.simulation.stream import Stream, StreamMissing, WrongLastSequence


def simulate(main: Callable[[Sim], Coroutine[Any, Any, None]], **plan: Any) -> None:
    sim = Sim(Plan(seed=1, **plan))
    sim.loop.run_until_complete(main(sim))
    assert sim.loop.unhandled == []
    sim.loop.close()


def process(sim: Sim, name: str) -> Process:
    async def idle(_: Process) -> None:
        await asyncio.Event().wait()

    return sim.loop.spawn(name, 0, idle)


async def ask(sim: Sim, requests: Requests, client: Process, body: bytes) -> bytes:
    del sim
    return await requests.request(client, "ballast.cmd.quote.issue", body, {}, 3.0)


@pytest.mark.parametrize(
    ("faults", "seen", "answered"),
    [
        (frozenset[str](), 1, True),
        (frozenset({"bus.request_lost#1"}), 0, False),
        (frozenset({"bus.request_doubled#1"}), 2, True),
        (frozenset({"bus.reply_lost#1"}), 1, False),
    ],
)
def test_a_request_is_served_as_often_as_its_faults_say(faults: frozenset[str], seen: int, answered: bool) -> None:
    async def main(sim: Sim) -> None:
        requests = Requests(sim)
        core, client = process(sim, "core"), process(sim, "client")
        served: list[bytes] = []

        def handle(request: Request) -> None:
            served.append(request.body)
            request.respond(b"done")

        requests.serve(core, "ballast.cmd.", handle)
        if answered:
            assert await ask(sim, requests, client, b"x") == b"done"
        else:
            with pytest.raises(TimeoutError):
                await ask(sim, requests, client, b"x")
        await asyncio.sleep(20)
        assert served == [b"x"] * seen

    simulate(main, forced=faults)


def test_the_dead_serve_nobody() -> None:
    async def main(sim: Sim) -> None:
        requests = Requests(sim)
        core, client = process(sim, "core"), process(sim, "client")
        requests.serve(core, "ballast.cmd.", lambda request: request.respond(b"done"))
        sim.loop.kill(core)
        with pytest.raises(NoResponders):
            await ask(sim, requests, client, b"x")

    simulate(main)


def test_a_stream_drops_duplicates_and_expects_sequences() -> None:
    async def main(sim: Sim) -> None:
        stream, relay = Stream(sim, "EVENTS"), process(sim, "core")
        with pytest.raises(StreamMissing):
            await stream.publish(relay, "s", b"1", {}, "1", 0)
        stream.create()
        assert (await stream.publish(relay, "s", b"1", {}, "1", 0)).sequence == 1
        assert (await stream.publish(relay, "s", b"1", {}, "1", 0)).duplicate
        with pytest.raises(WrongLastSequence) as wrong:
            await stream.publish(relay, "s", b"3", {}, "3", 2)
        assert wrong.value.last == 1
        stream.wipe()
        stream.create(first=2)
        assert (await stream.publish(relay, "s", b"2", {}, "2", 1)).sequence == 2
        assert [message.sequence for message in await stream.read(relay, 0, 10, 1.0)] == [2]

    simulate(main)


def test_a_lost_puback_is_unknown_and_its_retry_a_duplicate() -> None:
    async def main(sim: Sim) -> None:
        stream, source = Stream(sim, "INBOX"), process(sim, "execution")
        stream.create()
        with pytest.raises(TimeoutError):
            await stream.publish(source, "s", b"1", {}, "natural")
        assert (await stream.publish(source, "s", b"1", {}, "natural")).duplicate
        await asyncio.sleep(200)  # beyond the server's memory of ids
        assert not (await stream.publish(source, "s", b"1", {}, "natural")).duplicate

    simulate(main, forced=frozenset({"stream.puback_lost#1"}))


def test_what_is_not_acknowledged_comes_again_also_to_the_next_process() -> None:
    async def main(sim: Sim) -> None:
        stream, source = Stream(sim, "INBOX"), process(sim, "execution")
        stream.create()
        for number in range(4):
            await stream.publish(source, "s", b"%d" % number, {}, str(number))
        consumer = stream.consumer("core")
        first = process(sim, "core")
        deliveries = await consumer.fetch(first, 10, 1.0)
        assert [delivery.message.sequence for delivery in deliveries] == [1, 2, 3, 4]
        for delivery in deliveries[:3]:
            delivery.ack()  # the second acknowledgement is lost
        await asyncio.sleep(1)
        sim.loop.kill(first)
        again: list[int] = []
        second = process(sim, "core")
        while consumer.outstanding:
            for delivery in await consumer.fetch(second, 10, 5.0):
                again.append(delivery.message.sequence)
                delivery.ack()
            await asyncio.sleep(0.1)
        assert sorted(again) == [2, 4]

    simulate(main, forced=frozenset({"stream.ack_lost#2"}))


def test_a_wipe_ends_consumers() -> None:
    async def main(sim: Sim) -> None:
        stream, core = Stream(sim, "INBOX"), process(sim, "core")
        stream.create()
        consumer = stream.consumer("core")
        sim.loop.call_later(1, stream.wipe)
        with pytest.raises(StreamMissing):
            await consumer.fetch(core, 10, 5.0)

    simulate(main)


def test_a_bus_that_is_down_carries_nothing_and_keeps_what_it_has() -> None:
    async def main(sim: Sim) -> None:
        stream, source, core = Stream(sim, "INBOX"), process(sim, "execution"), process(sim, "core")
        stream.create()
        await stream.publish(source, "s", b"1", {}, "1")
        sim.bus_down = True
        with pytest.raises(TimeoutError):
            await stream.publish(source, "s", b"2", {}, "2")
        assert await stream.consumer("core").fetch(core, 10, 3.0) == []
        assert await stream.read(core, 0, 10, 1.0) == []
        sim.bus_down = False
        deliveries = await stream.consumer("core").fetch(core, 10, 3.0)
        assert [delivery.message.body for delivery in deliveries] == [b"1"]

    simulate(main)
