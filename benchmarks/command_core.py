"""The core of the command benchmark: the product's own core role, whole, with a window on its relay.

`python -m benchmarks.command_core SETTINGS` runs until terminated; a request on `<prefix>.bench.relay` is answered with
the relay's numbers since the request before.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

import uvloop
from nats.aio.msg import Msg

from adapters.nats.connection import Connection, open_connection
from adapters.nats.relay import Relay
from api.collecting import calm_collector
from api.settings import read_settings
from api.wiring import core as core_role
from api.wiring.process import Process

RELAY_SUBJECT = "bench.relay"


class WatchedRelay(Relay):
    """Be the product's relay, and let the benchmark find it."""

    current: "WatchedRelay | None" = None

    def __init__(self, *positional: object, **named: object) -> None:
        super().__init__(*positional, **named)  # pyright: ignore[reportArgumentType] # passed through as given
        WatchedRelay.current = self


def relay_numbers() -> dict[str, float]:
    """Return the relay's numbers and begin to collect lags anew."""
    relay = WatchedRelay.current
    if relay is None:
        return {}
    metrics = relay.metrics
    numbers = {
        "lag_p50_ms": metrics.lag_quantile_ms(0.5),
        "lag_p99_ms": metrics.lag_quantile_ms(0.99),
        "published": relay.published or 0,
        "head": metrics.head,
        "refilled": metrics.refilled,
        "hot_drops": metrics.hot_drops,
        "resyncs": metrics.resyncs,
        "groups": metrics.groups,
    }
    metrics.lags.clear()
    return numbers


def ready() -> None:
    """Do what `api.wiring.roles` does when a role is ready, and say so."""
    calm_collector()
    print("READY", flush=True)


async def run(path: Path) -> None:
    """Run the core role beside the window on its relay."""
    settings = read_settings(path)
    core_role.Relay = WatchedRelay
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    window: Connection = await open_connection(settings.services.nats_core, name="window")

    async def answer(msg: Msg) -> None:
        await msg.respond(json.dumps(relay_numbers()).encode())

    await window.client.subscribe(f"{settings.book.prefix}.{RELAY_SUBJECT}", cb=answer)
    await window.client.flush()
    await core_role.run_core(Process(settings, path.parent, ready, stop))
    await window.close()


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1])))
